"""Buckets: names outside, ids inside.

A bucket belongs to one principal for its whole life; "" is the configuration. One that
was deleted and made again is another bucket: rows refer to ids, which never return.
"""

from dataclasses import dataclass

from s3o.ledger import rows
from s3o.ledger.bucket_config import config_text
from s3o.ledger.seam import Tx
from s3o.model.errors import (
    BucketAlreadyExists,
    BucketNotEmpty,
    LedgerDamaged,
    NoSuchBucket,
    TooManyBuckets,
)
from s3o.model.names import BucketId, BucketName
from s3o.model.tenants import BucketConfig
from s3o.model.values import Bucket

OF_CONFIGURATION = ""  # the owner, in the ledger, of a configured bucket


@dataclass(frozen=True, slots=True)
class HeldBucket:
    """A bucket that stays live until the transaction ends."""

    name: BucketName
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBucket:
    """A bucket that an account makes; max_buckets 0 is no limit."""

    name: BucketName
    owner: str
    config: BucketConfig
    max_buckets: int
    now_us: int


async def ensure_bucket(tx: Tx, name: BucketName, now_us: int) -> Bucket:
    """Return the configured bucket of that name, making it if there is none.

    Raises BucketAlreadyExists if an account has made it: its objects are not the
    configuration's to give away.
    """
    await tx.run(
        "insert_bucket", name=name, owner=OF_CONFIGURATION, config=None, now_us=now_us
    )
    bucket = await find_bucket(tx, name)
    assert bucket is not None
    if bucket.owner != OF_CONFIGURATION:
        raise BucketAlreadyExists(name)
    return bucket


async def create_bucket(tx: Tx, new: NewBucket) -> Bucket:
    """Make a bucket for an account; one's own bucket again is returned as it is.

    Raises BucketAlreadyExists, TooManyBuckets.
    """
    assert new.owner != OF_CONFIGURATION
    inserted = await tx.run(
        "insert_bucket",
        name=new.name,
        owner=new.owner,
        config=config_text(new.config),
        now_us=new.now_us,
    )
    bucket = await find_bucket(tx, new.name)
    if bucket is None or bucket.owner != new.owner:
        raise BucketAlreadyExists(new.name)
    if not inserted:
        return bucket
    # Two that make buckets for one account at once are counted one after the other.
    held = await tx.one("hold_account", owner=new.owner)
    assert held is not None, "every owner has a row"
    if 0 < new.max_buckets < await _count_of(tx, new.owner):
        raise TooManyBuckets(new.max_buckets)
    return bucket


async def hold_bucket_alone(tx: Tx, bucket_id: BucketId, name: str) -> Bucket:
    """Require the bucket live and nobody writing to it, until this transaction ends.

    Raises NoSuchBucket.
    """
    row = await tx.one("hold_bucket_alone", bucket_id=bucket_id)
    if row is None:
        raise NoSuchBucket(name)
    return rows.bucket_of(row)


async def forget_bucket(tx: Tx, bucket: Bucket) -> None:
    """Delete a bucket that is held alone and has no uploads and intents left.

    Its tombstones stay, and what is queued for cleanup. Raises BucketNotEmpty.
    """
    if await tx.one("find_any_object", bucket_id=bucket.id) is not None:
        raise BucketNotEmpty(bucket.name)
    changed = await tx.run("delete_bucket", bucket_id=bucket.id)
    assert changed == 1, "it is held"


async def set_config(tx: Tx, bucket: Bucket) -> None:
    """Write a held bucket's configuration down."""
    await tx.run(
        "set_bucket_config", bucket_id=bucket.id, config=config_text(bucket.config)
    )


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
    return (await hold_owned_bucket(tx, bucket_id, name)).name


async def hold_owned_bucket(tx: Tx, bucket_id: BucketId, name: str) -> HeldBucket:
    """The same, for who must know whose bucket it is."""
    row = await tx.one("hold_bucket", bucket_id=bucket_id)
    if row is None:
        raise NoSuchBucket(name)
    try:
        return HeldBucket(BucketName(rows.text(row[0])), rows.text(row[1]))
    except ValueError as error:
        raise LedgerDamaged("buckets", str(error)) from None


async def _count_of(tx: Tx, owner: str) -> int:
    row = await tx.one("count_buckets_of", owner=owner)
    assert row is not None
    return rows.size(row[0])
