"""The buckets of this process: names on the outside, ids on the inside.

A snapshot of the ledger's rows, so that finding a bucket costs a request nothing. What
the configuration says of a bucket is laid over its row here. Rules:

- A change is in the ledger first, then here. Changes, and reloads with them, come one
  after the other, so that the snapshot never goes back behind a commit.
- A row of the configuration's that the configuration does not name any more is not
  served; its name stays taken and its objects stay.
- Writes hold the bucket's row in their transaction: a bucket that is gone takes none,
  whatever a snapshot says.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import trio

from s3o.ledger.accounts import sync_accounts
from s3o.ledger.bucket_removal import delete_bucket
from s3o.ledger.buckets import (
    NewBucket,
    create_bucket,
    ensure_bucket,
    hold_bucket_alone,
    list_buckets,
    set_config,
)
from s3o.ledger.ledger import Ledger
from s3o.ledger.seam import Tx
from s3o.model.errors import AccessDenied, BucketAlreadyExists, NoSuchBucket
from s3o.model.names import BucketName
from s3o.model.seams import Clock
from s3o.model.tenants import BucketConfig, Tenants, bucket_principal
from s3o.model.values import Bucket

_NOBODY = Tenants(statics={}, accounts={})


class BucketDirectory:
    """Buckets by name. changing: held over a reload, from the ledger to use()."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._tenants = _NOBODY
        self._buckets: dict[str, Bucket] = {}
        self._owned: dict[str, dict[str, Bucket]] = {}
        self.changing = trio.Lock()

    def use(self, tenants: Tenants, rows: Iterable[Bucket]) -> None:
        """Serve exactly these rows from now on, as tenants says."""
        self._tenants = tenants
        self._buckets, self._owned = {}, {}
        for row in rows:
            self._serve(row)

    def find(self, name: str) -> Bucket:
        """Return the bucket of that name; raises NoSuchBucket."""
        bucket = self._buckets.get(name)
        if bucket is None:
            raise NoSuchBucket(name)
        return bucket

    def all(self) -> tuple[Bucket, ...]:
        """Return every bucket that is served, by name."""
        return tuple(self._buckets[name] for name in sorted(self._buckets))

    def owned_by(self, principal: str) -> tuple[Bucket, ...]:
        """Return every bucket of a principal, by name."""
        owned = self._owned.get(principal, {})
        return tuple(owned[name] for name in sorted(owned))

    async def create(
        self, principal: str, name: BucketName, config: BucketConfig
    ) -> Bucket:
        """Make a bucket for an account; one's own again is returned as it is.

        Raises AccessDenied, BucketAlreadyExists, TooManyBuckets, LedgerError.
        """
        account = self._tenants.accounts.get(principal)
        if name in self._tenants.reserved:
            raise BucketAlreadyExists(name)
        if account is None or not account.may_create:
            self._refuse_taken(name)
            raise AccessDenied
        if not name.startswith(account.bucket_prefix):
            raise AccessDenied(
                f"names of your buckets must begin with {account.bucket_prefix!r}"
            )
        new = NewBucket(
            name=name,
            owner=principal,
            config=config,
            max_buckets=account.max_buckets,
            now_us=self._clock.now_us(),
        )
        async with self.changing:
            row = await self._ledger.write(lambda tx: create_bucket(tx, new))
            return self._serve(row)

    async def delete(self, bucket: Bucket) -> None:
        """Delete an account's empty bucket with all its uploads.

        Raises AccessDenied for one of the configuration, NoSuchBucket, BucketNotEmpty,
        LedgerError.
        """
        if bucket.name in self._tenants.statics:
            raise AccessDenied("the bucket belongs to the configuration file")
        now_us = self._clock.now_us()
        async with self.changing:
            await self._ledger.write(lambda tx: delete_bucket(tx, bucket, now_us))
            self._buckets.pop(bucket.name, None)
            self._owned.get(bucket.owner, {}).pop(bucket.name, None)

    async def configure(
        self, bucket: Bucket, change: Callable[[BucketConfig], BucketConfig]
    ) -> None:
        """Change a bucket's configuration, from what it is by then.

        Raises NoSuchBucket, LedgerError.
        """

        async def configure(tx: Tx) -> Bucket:
            row = await hold_bucket_alone(tx, bucket.id, bucket.name)
            row = replace(row, config=change(row.config))
            await set_config(tx, row)
            return row

        async with self.changing:
            self._serve(await self._ledger.write(configure))

    def _refuse_taken(self, name: BucketName) -> None:
        """Tell who may not make a bucket of that name that it is not free, either."""
        if name in self._buckets:
            raise BucketAlreadyExists(name)

    def _serve(self, row: Bucket) -> Bucket:
        """Lay the configuration over a row and serve it, if it is anybody's."""
        bucket = _lay_over(row, self._tenants)
        if bucket.owner:
            self._buckets[bucket.name] = bucket
            self._owned.setdefault(bucket.owner, {})[bucket.name] = bucket
        return bucket


async def enter_buckets(tx: Tx, tenants: Tenants, now_us: int) -> list[Bucket]:
    """Write the configured buckets and accounts down; return all rows for use().

    Raises BucketAlreadyExists if an account has made a bucket of a configured name.
    """
    for name in sorted(tenants.statics):
        await ensure_bucket(tx, tenants.statics[name].name, now_us)
    await sync_accounts(
        tx, {name: account.quota_bytes for name, account in tenants.accounts.items()}
    )
    return await list_buckets(tx)


def _lay_over(row: Bucket, tenants: Tenants) -> Bucket:
    static = tenants.statics.get(row.name)
    if static is not None:
        return replace(
            row,
            owner=bucket_principal(row.name),
            config=replace(row.config, public_read=static.public_read),
            max_multipart_uploads=static.max_multipart_uploads,
        )
    account = tenants.accounts.get(row.owner)
    if account is None:
        return row
    return replace(row, max_multipart_uploads=account.max_multipart_uploads)
