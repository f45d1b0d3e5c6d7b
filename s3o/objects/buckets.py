"""The buckets of this process: names on the outside, ids on the inside.

A snapshot of the ledger's rows, swapped whole on reload, so that a request sees one set
of buckets. What the configuration says of a bucket is laid over its row here.
"""

from collections.abc import Iterable
from dataclasses import replace

from s3o.ledger.buckets import ensure_bucket
from s3o.ledger.seam import Tx
from s3o.model.errors import NoSuchBucket
from s3o.model.tenants import StaticBucket, bucket_principal
from s3o.model.values import Bucket


class BucketDirectory:
    """Buckets by name."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    def use(self, buckets: Iterable[Bucket]) -> None:
        """Serve exactly these buckets from now on."""
        self._buckets = {bucket.name: bucket for bucket in buckets}

    def find(self, name: str) -> Bucket:
        """Return the bucket of that name; raises NoSuchBucket."""
        bucket = self._buckets.get(name)
        if bucket is None:
            raise NoSuchBucket(name)
        return bucket

    def all(self) -> tuple[Bucket, ...]:
        """Return every bucket, by name."""
        return tuple(self._buckets.values())


async def enter_buckets(
    tx: Tx, statics: Iterable[StaticBucket], now_us: int
) -> list[Bucket]:
    """Make the configured buckets exist in the ledger; return them for use()."""
    return [
        _lay_over(await ensure_bucket(tx, static.name, now_us), static)
        for static in sorted(statics, key=lambda static: static.name)
    ]


def _lay_over(bucket: Bucket, static: StaticBucket) -> Bucket:
    return replace(
        bucket,
        owner=bucket_principal(bucket.name),
        config=replace(bucket.config, public_read=static.public_read),
        max_multipart_uploads=static.max_multipart_uploads,
    )
