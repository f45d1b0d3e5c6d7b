"""Tombstones whose time is over.

Two steps, so that the search reads beside the writers and only the deletions are a
write. What comes between the two cannot be hurt: a delete renews the tombstone, and
bytes of a newer write have a higher sequence than it.

Their age is told by the counted clock (meta.count_time), never by the wall's.
"""

from collections.abc import Iterable
from typing import NamedTuple

from s3o.ledger import rows
from s3o.ledger.seam import Tx
from s3o.model.names import BucketId, ObjectKey


class Tombstone(NamedTuple):
    """Which delete is remembered."""

    bucket_id: BucketId
    key: ObjectKey


START = Tombstone(BucketId(-1), ObjectKey(""))


async def list_expired_tombstones(
    tx: Tx, before_us: int, limit: int, after: Tombstone = START
) -> list[Tombstone]:
    """Return tombstones made before before_us that no bytes need, those behind after.

    Bytes need theirs while they are queued, dead letters, being written, or under an
    imported name.
    """
    found = await tx.all(
        "list_expired_tombstones",
        before_us=before_us,
        after_bucket_id=after.bucket_id,
        after_key=after.key,
        max_rows=limit,
    )
    return [
        Tombstone(BucketId(rows.number(row[0])), ObjectKey(rows.text(row[1])))
        for row in found
    ]


async def forget_tombstones(
    tx: Tx, tombstones: Iterable[Tombstone], before_us: int
) -> int:
    """Remove those not renewed since they were listed; return how many."""
    count = 0
    for one in tombstones:
        count += await tx.run(
            "delete_tombstone",
            bucket_id=one.bucket_id,
            key=one.key,
            before_us=before_us,
        )
    return count
