"""The buckets of this process: names on the outside, ids on the inside.

A snapshot of the ledger's rows for the configured buckets, swapped whole on reload, so
that a request sees one set of buckets.
"""

from collections.abc import Iterable

from s3o.ledger.buckets import ensure_bucket
from s3o.ledger.ledger import Ledger
from s3o.ledger.seam import Tx
from s3o.model.errors import NoSuchBucket
from s3o.model.names import BucketName
from s3o.model.seams import Clock
from s3o.model.values import Bucket


class BucketDirectory:
    """Configured buckets by name."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    async def prepare(self, names: Iterable[BucketName]) -> dict[str, Bucket]:
        """Make the named buckets exist in the ledger; return them for use()."""
        wanted = sorted(names)
        now_us = self._clock.now_us()

        async def ensure_all(tx: Tx) -> list[Bucket]:
            return [await ensure_bucket(tx, name, now_us) for name in wanted]

        buckets = await self._ledger.write(ensure_all)
        return {bucket.name: bucket for bucket in buckets}

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
