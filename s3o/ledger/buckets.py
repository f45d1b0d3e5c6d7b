"""Buckets: names outside, ids inside."""

from s3o.ledger import rows
from s3o.ledger.seam import Tx
from s3o.model.errors import NoSuchBucket
from s3o.model.names import BucketId, BucketName
from s3o.model.values import Bucket


async def ensure_bucket(tx: Tx, name: BucketName, now_us: int) -> Bucket:
    """Return the bucket of that name, making it if there is none."""
    await tx.run("insert_bucket", name=name, now_us=now_us)
    bucket = await find_bucket(tx, name)
    assert bucket is not None
    return bucket


async def find_bucket(tx: Tx, name: BucketName) -> Bucket | None:
    """Return the bucket of that name."""
    row = await tx.one("find_bucket", name=name)
    return None if row is None else rows.bucket_of(row)


async def list_buckets(tx: Tx) -> list[Bucket]:
    """Return all buckets in byte order of their names."""
    return [rows.bucket_of(row) for row in await tx.all("list_buckets")]


async def hold_bucket(tx: Tx, bucket_id: BucketId, name: str) -> BucketName:
    """Require the bucket live until this transaction ends; return its name.

    name is only for the error: NoSuchBucket, when the bucket is gone or was made anew.
    """
    row = await tx.one("hold_bucket", bucket_id=bucket_id)
    if row is None:
        raise NoSuchBucket(name)
    return BucketName(rows.text(row[0]))
