"""The buckets of this process: names on the outside, ids on the inside.

A snapshot of the ledger's rows, swapped whole on reload, so that a request sees one set
of buckets. What the configuration says of a bucket is laid over its row here.
"""

from collections.abc import Iterable
from dataclasses import replace

from s3o.ledger.buckets import ensure_bucket
from s3o.ledger.ledger import Ledger
from s3o.ledger.seam import Tx
from s3o.model.errors import NoSuchBucket
from s3o.model.seams import Clock
from s3o.model.tenants import StaticBucket, bucket_principal
from s3o.model.values import Bucket


class BucketDirectory:
    """Buckets by name."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    async def prepare(self, statics: Iterable[StaticBucket]) -> dict[str, Bucket]:
        """Make the configured buckets exist in the ledger; return them for use()."""
        wanted = sorted(statics, key=lambda static: static.name)
        now_us = self._clock.now_us()

        async def ensure_all(tx: Tx) -> list[Bucket]:
            return [await ensure_bucket(tx, each.name, now_us) for each in wanted]

        buckets = await self._ledger.write(ensure_all)
        return {
            static.name: _lay_over(bucket, static)
            for bucket, static in zip(buckets, wanted, strict=True)
        }

    def use(self, buckets: dict[str, Bucket]) -> None:
        """Serve exactly these buckets from now on."""
        self._buckets = buckets

    def find(self, name: str) -> Bucket:
        """Return the bucket of that name; raises NoSuchBucket."""
        bucket = self._buckets.get(name)
        if bucket is None:
            raise NoSuchBucket(name)
        return bucket

    def all(self) -> tuple[Bucket, ...]:
        """Return every bucket, by name."""
        return tuple(self._buckets.values())


def _lay_over(bucket: Bucket, static: StaticBucket) -> Bucket:
    return replace(
        bucket,
        owner=bucket_principal(bucket.name),
        config=replace(bucket.config, public_read=static.public_read),
        max_multipart_uploads=static.max_multipart_uploads,
    )
