"""Whether a form is what its policy allows: every condition, every field, the size."""

import pytest

from s3o.model.errors import AccessDenied, EntityTooLarge, FormFileTooSmall
from s3o.model.forms import FieldCondition, PostPolicy, SizeCondition
from s3o.policy.post_form import check_form

NOW_US = 1000


def check(conditions, fields, *, size=5, sizes=(), expires_at_us=NOW_US + 1):
    """Judge by conditions (field, value), or (field, value, True) for a beginning."""
    policy = PostPolicy(
        expires_at_us=expires_at_us,
        fields=tuple(
            FieldCondition(field=each[0], value=each[1], is_prefix=len(each) == 3)
            for each in conditions
        ),
        sizes=tuple(SizeCondition(low=low, high=high) for low, high in sizes),
    )
    check_form(policy, fields, size, NOW_US)


@pytest.mark.parametrize(
    ("conditions", "fields"),
    [
        ([], {}),
        ([("key", "a")], {"key": "a"}),
        ([("key", "", True)], {"key": "anything"}),
        ([("key", "a/", True), ("key", "a/b", True)], {"key": "a/bc"}),
        ([("content-type", "image/", True)], {"content-type": "image/png"}),
        ([("content-type", "image/", True)], {"content-type": "image/png, image/gif"}),
        ([], {"policy": "p", "x-amz-signature": "s", "file": "f"}),
        ([], {"awsaccesskeyid": "a", "signature": "s", "x-ignore-me": "1"}),
        ([("x-amz-meta-a", "")], {"x-amz-meta-a": ""}),
    ],
)
def test_what_is_allowed(conditions, fields):
    """All conditions hold and every field is spoken of."""
    check(conditions, fields)


@pytest.mark.parametrize(
    ("conditions", "fields", "message"),
    [
        ([("key", "a")], {"key": "b"}, 'Policy Condition failed: ["eq", "$key", "a"]'),
        ([("key", "a")], {"key": "A"}, "Policy Condition failed"),
        ([("key", "a")], {"key": "a "}, "Policy Condition failed"),
        ([("key", "a")], {}, "Policy Condition failed"),
        (
            [("key", "", True)],
            {},
            'Policy Condition failed: ["starts-with", "$key", ""]',
        ),
        ([("key", "a/", True)], {"key": "b/a/"}, "Policy Condition failed"),
        ([("key", "a"), ("key", "b")], {"key": "a"}, "Policy Condition failed"),
        ([("key", "a")], {"key": "a", "acl": "private"}, "Extra input fields: acl"),
        ([], {"x-amz-meta-a": ""}, "Extra input fields: x-amz-meta-a"),
        ([], {"bucket": "photos"}, "Extra input fields: bucket"),
        ([], {"x-amz-date": "d"}, "Extra input fields: x-amz-date"),
        ([], {"x-ignored": "1"}, "Extra input fields: x-ignored"),
        (
            [("content-type", "image/", True)],
            {"content-type": "image/png,text/html"},
            "Policy Condition failed",
        ),
    ],
)
def test_what_is_not(conditions, fields, message):
    """In AWS's words."""
    with pytest.raises(AccessDenied, match="Invalid according to Policy") as caught:
        check(conditions, fields)

    assert message in caught.value.reason


def test_a_policy_ends():
    """Also in the very microsecond that it names."""
    with pytest.raises(AccessDenied, match="Policy expired"):
        check([], {}, expires_at_us=NOW_US)


@pytest.mark.parametrize("sizes", [[(5, 5)], [(0, 5)], [(5, 9)], [(0, 9), (1, 6)]])
def test_sizes_within(sizes):
    """Both ends belong to the range."""
    check([], {}, sizes=sizes)


@pytest.mark.parametrize(
    ("sizes", "error"),
    [
        ([(0, 4)], EntityTooLarge),
        ([(6, 9)], FormFileTooSmall),
        ([(0, 9), (0, 4)], EntityTooLarge),
        ([(6, 9), (0, 9)], FormFileTooSmall),
    ],
)
def test_sizes_without(sizes, error):
    """Every range must hold."""
    with pytest.raises(error):
        check([], {}, sizes=sizes)
