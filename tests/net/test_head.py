"""Heads: what the guard refuses, and that nobody reads one otherwise than h11."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.target_http_head import one
from s3o.model.errors import BadRequest, HeadersTooLarge
from s3o.net.connection import parse_with_h11, read_head
from s3o.net.head import find_head_end, guard, recognise
from tests.net.heads import ACCEPTED, REFUSED, TOO_LARGE

BOTO3_GET = (
    b"GET /photos/cat.jpg?versionId=null HTTP/1.1\r\nHost: 127.0.0.1:9000\r\n"
    b"Accept-Encoding: identity\r\nUser-Agent: Boto3/1.40.1 md/Botocore#1.40.1\r\n"
    b"X-Amz-Date: 20260101T000000Z\r\nX-Amz-Content-SHA256: e3b0\r\n"
    b"Authorization: AWS4-HMAC-SHA256 Credential=a/b, Signature=c\r\n\r\n"
)


def _read(raw: bytes) -> None:
    end = find_head_end(raw)
    read_head(raw[:end] if end >= 0 else raw)


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_ambiguous_head_is_refused(raw):
    """Each of these is read differently by some server in front of us."""
    with pytest.raises(BadRequest):
        _read(raw)


@pytest.mark.parametrize("raw", TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_oversized_head_is_refused(raw):
    """Also when it arrives in one piece, where h11 has no bound."""
    with pytest.raises(HeadersTooLarge):
        _read(raw)


@pytest.mark.parametrize("raw", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_lawful_head_is_read_as_h11_reads_it(raw):
    """A guard that refuses what clients send is an outage."""
    guard(raw)

    assert parse_with_h11(raw) == read_head(raw)
    one(raw + b"rest")


def test_what_boto3_sends_is_recognised_without_h11():
    """The plain shape is nearly all the traffic; h11 costs ten times as much."""
    head = recognise(BOTO3_GET)

    assert head is not None
    assert parse_with_h11(BOTO3_GET) == head
    assert "/photos/cat.jpg?versionId=null" == head.target
    assert "20260101T000000Z" == head.fields["x-amz-date"]


def test_repeated_fields_are_joined_and_kept():
    """Signatures are over the joined value, refusals over the single ones."""
    head = read_head(ACCEPTED["repeats"])

    assert "1,2" == head.fields["x-a"]
    assert (("host", "s3.test"), ("x-a", "1"), ("x-a", "2")) == head.headers


def test_only_blanks_and_tabs_are_stripped_from_values():
    """Python strips more than HTTP does; a signature would not match."""
    head = read_head(ACCEPTED["odd values"])

    assert "\xe9\xa0\x85" == head.fields["x-a"]
    assert "\xa0" == head.fields["x-c"]


@pytest.mark.parametrize("size", [1, 3, 17])
def test_impossible_head_is_refused_before_it_is_complete(size):
    """Nobody should wait ten seconds for the rest of nonsense."""
    raw = b"GET / HTTP/1.1\r\nHost: x\nX-A: b"
    complete = b"\r\n\r\n"

    def receive() -> None:
        for end in range(0, len(raw) + size, size):
            find_head_end(raw[:end], max(0, end - size))

    assert complete not in raw
    with pytest.raises(BadRequest):
        receive()


@given(st.binary(min_size=1, max_size=40).filter(lambda raw: b"\r\n\r\n" not in raw))
def test_end_is_found_wherever_the_pieces_break(tail):
    """The empty line may arrive split at any of its bytes."""
    raw = BOTO3_GET + tail
    for checked in range(1, len(BOTO3_GET)):
        assert len(BOTO3_GET) == find_head_end(raw, checked)


_LINES = st.sampled_from(
    [line for raw in ACCEPTED.values() for line in raw[:2000].split(b"\r\n") if line]
    + [
        line
        for raw in [*REFUSED.values(), BOTO3_GET]
        for line in re.split(rb"\r?\n", raw)
        if line
    ]
)
_ENDS = st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r", b"\r\n ", b"\r\n\r\n"])
_HEADS = st.lists(st.tuples(_LINES, _ENDS), max_size=8).map(
    lambda parts: b"".join(b"".join(part) for part in parts) + b"\r\n"
)


@given(_HEADS)
@settings(max_examples=400)
def test_shuffled_lines_are_never_read_otherwise_than_h11_reads_them(raw):
    """Most disagreements need two odd lines that meet."""
    one(raw)
    one(b"PUT /a HTTP/1.1\r\nHost: s3.test\r\n" + raw)


@given(
    st.sampled_from([*ACCEPTED.values(), BOTO3_GET]).filter(
        lambda raw: len(raw) < 4096
    ),
    st.lists(st.tuples(st.integers(0, 4096), st.binary(max_size=3)), max_size=3),
)
@settings(max_examples=400)
def test_damaged_heads_are_never_read_otherwise_than_h11_reads_them(raw, edits):
    """A byte put anywhere must lead to one reading or to a refusal."""
    for at, inserted in edits:
        raw = raw[: at % len(raw)] + inserted + raw[at % len(raw) :]
    one(raw)
