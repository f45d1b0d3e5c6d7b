"""Conditional writes, decided against the object current at commit."""

import pytest

from s3o.model.errors import NoSuchKey, PreconditionFailed
from s3o.model.names import BucketId, BucketName, ObjectKey, VersionId
from s3o.model.values import ObjectFacts, ObjectVersion, WriteConditions
from s3o.policy.conditional import check_write

BUCKET, KEY = BucketName("photos"), ObjectKey("cat.jpg")
CURRENT = ObjectVersion(
    bucket_id=BucketId(1),
    key=KEY,
    version_id=VersionId("0" * 32),
    sequence=1,
    size=7,
    etag="abc",
    created_at_us=1_700_000_000_400_000,
    facts=ObjectFacts(),
)


@pytest.mark.parametrize("current", [None, CURRENT])
@pytest.mark.parametrize("is_delete", [False, True])
def test_no_conditions_always_hold(current, is_delete):
    """Most writes are unconditional."""
    check_write(WriteConditions(), current, BUCKET, KEY, is_delete)


def test_create_if_absent():
    """Two Terraform runs must not both take the lock."""
    conditions = WriteConditions(if_none_match_any=True)
    check_write(conditions, None, BUCKET, KEY)

    with pytest.raises(PreconditionFailed) as caught:
        check_write(conditions, CURRENT, BUCKET, KEY)
    assert "If-None-Match" == caught.value.condition


@pytest.mark.parametrize("etags", [("abc",), ("*",), ("x", "abc")])
def test_a_matching_etag_holds(etags):
    """Compare-and-swap on an object."""
    check_write(WriteConditions(if_match=etags), CURRENT, BUCKET, KEY)


@pytest.mark.parametrize("etags", [("x",), ("W/abc",), ("ABC",)])
def test_another_etag_fails(etags):
    """Somebody else wrote in between."""
    with pytest.raises(PreconditionFailed):
        check_write(WriteConditions(if_match=etags), CURRENT, BUCKET, KEY)


def test_if_match_on_an_absent_key_is_not_found():
    """AWS answers 404, which tells the client that the object is gone."""
    with pytest.raises(NoSuchKey):
        check_write(WriteConditions(if_match=("*",)), None, BUCKET, KEY)


def test_deleting_an_absent_key_succeeds_under_any_condition():
    """The outcome the client wants is already there."""
    conditions = WriteConditions(
        if_match=("x",), if_match_size=1, if_match_last_modified_us=1
    )
    check_write(conditions, None, BUCKET, KEY, is_delete=True)


def test_deletes_compare_time_in_seconds_and_size():
    """Last-Modified headers have no fractions."""
    held = WriteConditions(
        if_match_last_modified_us=1_700_000_000_000_000, if_match_size=7
    )
    check_write(held, CURRENT, BUCKET, KEY, is_delete=True)

    for failing in (
        WriteConditions(if_match_last_modified_us=1_700_000_001_000_000),
        WriteConditions(if_match_size=8),
        WriteConditions(if_match_size=7, if_match=("x",)),
    ):
        with pytest.raises(PreconditionFailed):
            check_write(failing, CURRENT, BUCKET, KEY, is_delete=True)
