"""Policies of forms: what is not understood is refused, whatever else it says."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.model.errors import InvalidPolicyDocument
from s3o.model.forms import FieldCondition, SizeCondition
from s3o.wire.post_policy import parse_policy

WHEN = "2026-01-01T12:00:00.000Z"
WHEN_US = 1_767_268_800_000_000


def parse(document):
    """Return the policy of a document, or of text that should be one."""
    text = document if isinstance(document, str) else json.dumps(document)
    return parse_policy(base64.b64encode(text.encode()).decode())


def one(condition):
    """Return the policy of one condition."""
    return parse({"expiration": WHEN, "conditions": [condition]})


def test_a_policy_of_every_kind():
    """AWS's own example, abridged."""
    policy = parse(
        {
            "expiration": WHEN,
            "conditions": [
                {"bucket": "photos"},
                ["starts-with", "$key", "user/eric/"],
                ["eq", "$acl", "private"],
                ["content-length-range", 1, 1048576],
            ],
        }
    )

    assert WHEN_US == policy.expires_at_us
    assert (
        FieldCondition(field="bucket", value="photos"),
        FieldCondition(field="key", value="user/eric/", is_prefix=True),
        FieldCondition(field="acl", value="private"),
    ) == policy.fields
    assert (SizeCondition(low=1, high=1048576),) == policy.sizes


def test_names_and_operators_ignore_case():
    """s3-tests write StArTs-WiTh and $KeY."""
    assert (FieldCondition(field="key", value="Foo", is_prefix=True),) == one(
        ["StArTs-WiTh", "$KeY", "Foo"]
    ).fields


def test_numbers_may_be_text():
    """Older signers quote them."""
    policy = one(["content-length-range", "0", "10"])

    assert (SizeCondition(low=0, high=10),) == policy.sizes


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (r'["eq", "$key", "\$foo"]', "$foo"),
        (r'["eq", "$key", "\\$foo"]', r"\$foo"),
        (r'["eq", "$key", "\\\$foo"]', r"\$foo"),
        (r'["eq", "$key", "\u0024\n"]', "$\n"),
        (r'["eq", "$key", "]}[{"]', "]}[{"),
        (r'["eq", "$key", "a\"]"]', 'a"]'),
    ],
)
def test_escapes(raw, value):
    """S3 knows one escape that JSON does not."""
    policy = parse(f'{{"expiration": "{WHEN}", "conditions": [{raw}]}}')

    assert value == policy.fields[0].value


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        "null",
        "[]",
        '"text"',
        "1",
        "{}",
        {"expiration": WHEN},
        {"conditions": []},
        {"expiration": WHEN, "conditions": {}},
        {"expiration": WHEN, "conditions": None},
        {"expiration": None, "conditions": []},
        {"expiration": 1767268800, "conditions": []},
        {"expiration": "2026-01-01", "conditions": []},
        {"expiration": "2026-13-01T00:00:00Z", "conditions": []},
        {"expiration": "2026-01-01 12:00:00", "conditions": []},
        {"expiration": "2026-01-01T12:00:00+05:00", "conditions": []},
        {"expiration": "2026-01-01T12:00:00", "conditions": []},
        {"EXPIRATION": WHEN, "conditions": []},
        {"expiration": WHEN, "CONDITIONS": []},
        {"expiration": WHEN, "conditions": [], "more": 1},
        f'{{"expiration":"{WHEN}","conditions":[],"conditions":[]}}',
        f'{{"expiration":"{WHEN}","conditions":[{{"a":"b","a":"c"}}]}}',
        f'{{"expiration":"{WHEN}","conditions":[]}} x',
        f'{{"expiration":"{WHEN}","conditions":[NaN]}}',
        f'{{"expiration":"{WHEN}","conditions":[{"[" * 5000}',
        f'{{"expiration":"{WHEN}","conditions":[{"[" * 5000}{"]" * 5000}]}}',
        '{"expiration":"2026-01-01T12:00:00Z","conditions":'
        f'[["content-length-range",0,{"1" * 5000}]]}}',
        f'\ufeff{{"expiration":"{WHEN}","conditions":[]}}',
    ],
)
def test_other_documents_are_refused(document):
    """Each with the same code, none with a crash."""
    with pytest.raises(InvalidPolicyDocument):
        parse(document)


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"a": "b", "c": "d"},
        {"a": 1},
        {"a": None},
        {"a": True},
        {"a": ["b"]},
        {"": "b"},
        [],
        ["eq"],
        ["eq", "$key"],
        ["eq", "$key", "a", "b"],
        ["eq", "key", "a"],
        ["eq", "$", "a"],
        ["eq", 1, "a"],
        ["eq", "$key", 1],
        ["eq", "$key", None],
        ["ends-with", "$key", "a"],
        ["\ud800", "$key", "a"],
        [1, "$key", "a"],
        ["content-length-range", 1],
        ["content-length-range", 1, 2, 3],
        ["content-length-range", -1, 2],
        ["content-length-range", 1, 2.5],
        ["content-length-range", 1, 1e3],
        ["content-length-range", "1_0", "2_0"],
        ["content-length-range", "", ""],
        ["content-length-range", None, 2],
        ["content-length-range", True, 2],
        ["content-length-range", [1], [2]],
        ["content-length-range", 2, 1],
        ["content-length-range", 0, 10**300],
        "text",
        1,
        None,
    ],
)
def test_conditions_that_mean_nothing_are_refused(condition):
    """A condition that is skipped lets through what its author forbade."""
    with pytest.raises(InvalidPolicyDocument) as caught:
        one(condition)

    caught.value.reason.encode()


@pytest.mark.parametrize("text", ["*", "YQ", "YQ==\n", "\u00e4", "/////w==", "YQ= ="])
def test_what_is_no_base64_of_utf8_is_refused(text):
    """b64decode() skips what it does not know unless told otherwise."""
    with pytest.raises(InvalidPolicyDocument):
        parse_policy(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
)


@given(JSON, JSON)
def test_no_document_crashes_the_parser(expiration, conditions):
    """Refused, or parsed; nothing else."""
    try:
        parse({"expiration": expiration, "conditions": conditions})
    except InvalidPolicyDocument as refusal:
        refusal.reason.encode()
