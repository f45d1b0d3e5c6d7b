"""Deletes: every acknowledged one leaves a tombstone, also where there was no row.

The tombstone's sequence is what keeps rebuild, restore, reconcile and the reaper from
bringing the key back.
"""

from collections.abc import Sequence

from s3o.ledger.buckets import hold_bucket
from s3o.ledger.displacing import displace
from s3o.ledger.objects import draw_sequence, find_current
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Tx
from s3o.model.errors import StateError
from s3o.model.names import ObjectKey
from s3o.model.values import Bucket, WriteConditions
from s3o.policy.conditional import check_write

DELETED = "delete"


async def delete_object(
    tx: Tx, bucket: Bucket, key: ObjectKey, conditions: WriteConditions, now_us: int
) -> bool:
    """Remove the current version of key, queue its bytes; say whether there was one.

    Raises NoSuchBucket, PreconditionFailed.
    """
    await hold_bucket(tx, bucket.id, bucket.name)
    moves = QuotaMoves()
    existed = await _delete(tx, bucket, key, conditions, moves=moves, now_us=now_us)
    await moves.apply(tx)
    return existed


async def delete_objects(
    tx: Tx,
    bucket: Bucket,
    wanted: Sequence[tuple[ObjectKey, WriteConditions]],
    now_us: int,
) -> list[StateError | None]:
    """Delete many keys in one transaction; return each one's refusal or None.

    Raises NoSuchBucket. Keys are locked in byte order, so two batches cannot wait for
    each other.
    """
    await hold_bucket(tx, bucket.id, bucket.name)
    moves = QuotaMoves()
    outcomes: list[StateError | None] = [None] * len(wanted)
    for position in sorted(range(len(wanted)), key=lambda index: wanted[index][0]):
        key, conditions = wanted[position]
        try:
            await _delete(tx, bucket, key, conditions, moves=moves, now_us=now_us)
        except StateError as refusal:
            outcomes[position] = refusal
    await moves.apply(tx)
    return outcomes


async def _delete(
    tx: Tx,
    bucket: Bucket,
    key: ObjectKey,
    conditions: WriteConditions,
    *,
    moves: QuotaMoves,
    now_us: int,
) -> bool:
    """Refuse before the first change, so that a batch can go on after a refusal."""
    sequence = await draw_sequence(tx, bucket.id, key)
    current = await find_current(tx, bucket.id, key)
    check_write(conditions, current, bucket.name, key, is_delete=True)
    if current is not None:
        await tx.run("delete_object", bucket_id=bucket.id, key=key)
        await displace(tx, current, moves, DELETED, now_us)
    await tx.run(
        "put_tombstone", bucket_id=bucket.id, key=key, sequence=sequence, now_us=now_us
    )
    return current is not None
