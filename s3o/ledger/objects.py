"""The current version of a key, with or without its locations."""

from s3o.ledger import rows
from s3o.ledger.seam import Tx
from s3o.model.names import BucketId, ObjectKey
from s3o.model.values import ObjectVersion, StoredObject

_ALL_ROWS = 2**31 - 1


class Wide:
    """Said of an object that has more locations than were asked for."""


async def find_object(
    tx: Tx, bucket_id: BucketId, key: ObjectKey
) -> StoredObject | None:
    """Return the version and where its bytes are, oldest location first.

    It may be ten thousand blobs: for a scan, not for a read.
    """
    found = await tx.all(
        "find_object", bucket_id=bucket_id, key=key, max_rows=_ALL_ROWS
    )
    return rows.stored_object_of(bucket_id, key, found) if found else None


async def find_narrow_object(
    tx: Tx, bucket_id: BucketId, key: ObjectKey, most: int
) -> StoredObject | Wide | None:
    """Return what find_object does, if the object has at most so many locations."""
    found = await tx.all("find_object", bucket_id=bucket_id, key=key, max_rows=most + 1)
    if len(found) > most:
        return Wide()
    return rows.stored_object_of(bucket_id, key, found) if found else None


async def find_version(
    tx: Tx, bucket_id: BucketId, key: ObjectKey
) -> ObjectVersion | None:
    """Return the version alone, for HEAD and conditions."""
    row = await tx.one("find_version", bucket_id=bucket_id, key=key)
    return None if row is None else rows.version_of(bucket_id, key, row)


async def find_current(
    tx: Tx, bucket_id: BucketId, key: ObjectKey
) -> ObjectVersion | None:
    """Return what a write needs of the version it would replace; no facts."""
    row = await tx.one("find_current", bucket_id=bucket_id, key=key)
    return None if row is None else rows.current_of(bucket_id, key, row)


async def draw_sequence(tx: Tx, bucket_id: BucketId, key: ObjectKey) -> int:
    """Return the next number of the one order of writes; the key is locked first."""
    await tx.run("lock_key", bucket_id=bucket_id, key=key)
    row = await tx.one("next_sequence")
    assert row is not None
    return rows.size(row[0])
