"""Conditional requests: the read matrix against a brute-force model, writes by rule."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.model.errors import InvalidArgument, NotSupported, PreconditionFailed
from s3o.model.values import WriteConditions
from s3o.wire import conditions
from s3o.wire.conditions import ReadOutcome, evaluate_read
from s3o.wire.dates import render_http_date

ETAG = "d41d8cd98f00b204e9800998ecf8427e"
MODIFIED_US = 1_700_000_000_400_000
BEFORE = render_http_date(MODIFIED_US - 1_000_000)
SAME = render_http_date(MODIFIED_US)
AFTER = render_http_date(MODIFIED_US + 1_000_000)

MATCHING = [f'"{ETAG}"', ETAG, "*", f'"x", "{ETAG}"', f"x,{ETAG}"]
OTHERS = ['"x"', "x", '"x", "y"', "", ",", '"*"x']
WEAK = [f'W/"{ETAG}"']
# Each header's values with what the RFC says of them alone: True holds.
IF_MATCH = [(v, True) for v in MATCHING] + [(v, False) for v in OTHERS + WEAK]
IF_NONE_MATCH = [(v, False) for v in MATCHING + WEAK] + [(v, True) for v in OTHERS]
IF_UNMODIFIED = [(BEFORE, False), (SAME, True), (AFTER, True), ("rubbish", True)]
IF_MODIFIED = [(BEFORE, True), (SAME, False), (AFTER, False), ("rubbish", True)]


def model(match, unmodified, none_match, modified):
    """The flow chart of RFC 9110 section 13.2.2, over what each header says alone."""
    if match is not None and not match:
        return "If-Match"
    if match is None and unmodified is not None and not unmodified:
        return "If-Unmodified-Since"
    if none_match is not None:
        return ReadOutcome.PROCEED if none_match else ReadOutcome.NOT_MODIFIED
    if modified is not None and not modified:
        return ReadOutcome.NOT_MODIFIED
    return ReadOutcome.PROCEED


def test_the_whole_read_matrix():
    """Every combination of every kind of value, against the RFC's flow chart."""
    absent = (None, None)
    names = ("if-match", "if-unmodified-since", "if-none-match", "if-modified-since")
    for row in itertools.product(
        [absent, *IF_MATCH],
        [absent, *IF_UNMODIFIED],
        [absent, *IF_NONE_MATCH],
        [absent, *IF_MODIFIED],
    ):
        fields = {
            name: value
            for name, (value, _) in zip(names, row, strict=True)
            if value is not None
        }
        try:
            outcome = evaluate_read(fields, ETAG, MODIFIED_US)
        except PreconditionFailed as failed:
            outcome = failed.condition
        assert model(*(says for _, says in row)) == outcome, fields


@given(st.text(max_size=40))
def test_no_etag_list_is_too_odd(value):
    """Headers are the client's; none of them may be a crash."""
    assert all(tag for tag, _ in conditions.parse_etags(value))


def test_write_conditions_are_parsed():
    """Create-if-absent and compare-and-swap are what lock files are built on."""
    parse = conditions.parse_write_conditions

    assert WriteConditions() == parse({})
    assert not parse({})
    assert WriteConditions(if_none_match_any=True) == parse({"if-none-match": "*"})
    assert WriteConditions(if_match=("a",)) == parse({"if-match": '"a"'})
    assert WriteConditions(if_match=("a", "b")) == parse({"if-match": '"a", b'})
    assert WriteConditions(if_match=("*",)) == parse({"if-match": "*"})


@pytest.mark.parametrize(
    "fields",
    [
        {"if-none-match": '"a"'},
        {"if-none-match": ""},
        {"if-none-match": "*, *"},
        {"if-none-match": "*", "if-match": '"a"'},
        {"if-unmodified-since": AFTER},
        {"if-modified-since": BEFORE},
    ],
)
def test_what_s3_cannot_decide_is_not_ignored(fields):
    """A server that ignores a write's condition corrupts its users' data silently."""
    with pytest.raises(NotSupported):
        conditions.parse_write_conditions(fields)


def test_an_empty_if_match_is_an_error_not_an_unconditional_write():
    """The client meant a condition; dropping it would overwrite."""
    with pytest.raises(InvalidArgument):
        conditions.parse_write_conditions({"if-match": ""})
    with pytest.raises(InvalidArgument):
        conditions.parse_delete_conditions({"if-match": " ,"})


def test_delete_conditions_are_parsed():
    """Deletes may name ETag, time and size."""
    fields = {
        "if-match": ETAG,
        "x-amz-if-match-last-modified-time": SAME,
        "x-amz-if-match-size": "7",
    }
    expected = WriteConditions(
        if_match=(ETAG,),
        if_match_last_modified_us=MODIFIED_US // 1_000_000 * 1_000_000,
        if_match_size=7,
    )

    assert expected == conditions.parse_delete_conditions(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"x-amz-if-match-size": "+7"},
        {"x-amz-if-match-size": ""},
        {"x-amz-if-match-last-modified-time": "soon"},
    ],
)
def test_odd_delete_conditions_are_refused(fields):
    """As for writes: never deleted without the condition."""
    with pytest.raises(InvalidArgument):
        conditions.parse_delete_conditions(fields)


def test_a_delete_knows_no_if_none_match():
    """It would mean: delete only if it is not there."""
    with pytest.raises(NotSupported):
        conditions.parse_delete_conditions({"if-none-match": "*"})
