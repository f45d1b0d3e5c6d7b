"""Deletes of what has expired: one version each, never the key.

A listing proposes; the step decides again, on the row as it is then: another version of
the key, or other tags, and nothing happens. What is deleted leaves a tombstone and
queued bytes like any other delete.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from s3o.ledger import rows
from s3o.ledger.buckets import hold_bucket
from s3o.ledger.displacing import displace
from s3o.ledger.listing import successor
from s3o.ledger.objects import draw_sequence, find_version
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Row, Tx
from s3o.model.errors import LedgerDamaged
from s3o.model.names import BucketId, ObjectKey, VersionId
from s3o.model.values import Bucket, ObjectVersion, Pairs

REASON = "lifecycle"
START = ObjectKey("")


class AgingRow(NamedTuple):
    """One object as a pass over a bucket sees it."""

    key: ObjectKey
    version_id: VersionId
    size: int
    created_at_us: int
    tags: Pairs


@dataclass(frozen=True, slots=True)
class DuePage:
    """What is due of a range of keys; next_after None means the end.

    damaged: how many rows could not be read, and were passed over.
    """

    due: list[AgingRow]
    next_after: ObjectKey | None
    damaged: int = 0


async def list_due(
    tx: Tx,
    bucket_id: BucketId,
    prefix: str,
    after: ObjectKey,
    *,
    made_until_us: int,
    is_due: Callable[[AgingRow], bool],
    limit: int,
) -> DuePage:
    """Look at limit keys that begin with prefix, those behind after.

    Only what was made until made_until_us is asked whether it is due: nearly all of a
    bucket is younger. The asking is done here, where a scan has a thread of its own.
    """
    found = await tx.all(
        "list_aging",
        bucket_id=bucket_id,
        from_key=prefix,
        after_key=after,
        before_key=successor(prefix),
        max_rows=limit,
    )
    aged: list[AgingRow] = []
    damaged = 0
    for row in found:
        try:
            if rows.number(row[3]) <= made_until_us:
                aged.append(_aging_of(row))
        except ValueError:
            damaged += 1
    try:
        last = ObjectKey(rows.text(found[-1][0])) if len(found) == limit else None
    except ValueError as error:
        raise LedgerDamaged("objects", str(error)) from None
    due = [row for row in aged if is_due(row)]
    return DuePage(due=due, next_after=last, damaged=damaged)


def _aging_of(row: Row) -> AgingRow:
    return AgingRow(
        ObjectKey(rows.text(row[0])),
        VersionId(rows.text(row[1])),
        rows.size(row[2]),
        rows.number(row[3]),
        rows.pairs_of(row[4]),
    )


async def expire_versions(
    tx: Tx,
    bucket: Bucket,
    proposed: Sequence[tuple[ObjectKey, VersionId]],
    *,
    is_due: Callable[[ObjectVersion], bool],
    now_us: int,
) -> list[ObjectVersion]:
    """Delete the proposed versions that are current and due; return them.

    Raises NoSuchBucket. Keys are locked in byte order.
    """
    await hold_bucket(tx, bucket.id, bucket.name)
    moves = QuotaMoves()
    expired: list[ObjectVersion] = []
    for key, version_id in sorted(proposed):
        await tx.run("lock_key", bucket_id=bucket.id, key=key)
        current = await find_version(tx, bucket.id, key)
        if current is None or current.version_id != version_id or not is_due(current):
            continue
        sequence = await draw_sequence(tx, bucket.id, key)
        await tx.run("delete_object", bucket_id=bucket.id, key=key)
        await displace(tx, current, moves, REASON, now_us)
        await tx.run(
            "put_tombstone",
            bucket_id=bucket.id,
            key=key,
            sequence=sequence,
            now_us=now_us,
        )
        expired.append(current)
    await moves.apply(tx)
    return expired
