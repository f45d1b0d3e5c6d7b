"""Dead letters: which are meant."""

import pytest

from s3o.ledger.dead_letters import DeadLetter
from s3o.ledger.recovery_candidates import FOR_A_PERSON, OLDER
from s3o.model.names import BackendName, BucketId, ObjectKey, StorageKey
from s3o.services.dead_letters import Chosen


def letter(reason: str) -> DeadLetter:
    """One letter, number 7."""
    return DeadLetter(
        id=7,
        original_id=0,
        backend=BackendName("one"),
        bucket_id=BucketId(1),
        key=ObjectKey("k"),
        storage_key=StorageKey("photos/k!1"),
        reason=reason,
        stored_bytes=1,
        attempts=0,
        last_error=None,
        first_enqueued_at_us=0,
        moved_at_us=0,
    )


@pytest.mark.parametrize("reason", sorted(FOR_A_PERSON))
def test_what_a_recovery_kept_goes_only_by_its_number(reason: str) -> None:
    """It may be an object's only bytes; all is about garbage."""
    assert not Chosen(is_all=True).means(letter(reason))
    assert Chosen(ids=(7,)).means(letter(reason))
    assert Chosen(is_all=True).means(letter(OLDER))
