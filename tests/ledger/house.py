"""What the ledger's tests share: engines, values and short names for steps."""

from collections.abc import Sequence

from s3o.ledger import intents
from s3o.ledger.accounts import sync_accounts
from s3o.ledger.buckets import NewBucket, create_bucket
from s3o.ledger.commits import Commit, Committed, commit_object
from s3o.ledger.intents import NewIntent, OpenedIntent, open_intent
from s3o.ledger.quotas import sync_quotas
from s3o.ledger.seam import Engine, Tx
from s3o.model.names import (
    BackendName,
    BucketName,
    ObjectKey,
    StorageKey,
    VersionId,
    WriteId,
    make_storage_key,
)
from s3o.model.tenants import BucketConfig
from s3o.model.values import (
    Bucket,
    Checksum,
    ChecksumAlgorithm,
    Digests,
    ObjectFacts,
    QuotaRow,
    WriteConditions,
)

NOW_US = 1_768_478_400_000_000
PHOTOS = BucketName("photos")
ACCOUNT = "ann"
ONE, TWO = BackendName("one"), BackendName("two")
DIGESTS = Digests(
    md5="d41d8cd98f00b204e9800998ecf8427e",
    checksum=Checksum(ChecksumAlgorithm.CRC64NVME, "AAAAAAAAAAA="),
)


def in_order(rows: Sequence[QuotaRow]) -> Sequence[BackendName]:
    """Choose backends in order of names."""
    return [row.backend for row in rows]


class Writer:
    """Writes objects through an engine's steps, with names that never repeat."""

    def __init__(self, engine: Engine, bucket: Bucket) -> None:
        self.engine = engine
        self.bucket = bucket
        self.count = 0
        self.now_us = NOW_US

    def intent(
        self,
        key: str,
        size: int = 10,
        conditions: WriteConditions | None = None,
        facts: ObjectFacts | None = None,
        kind: str = "object",
    ) -> NewIntent:
        """Make the next intent for key."""
        self.count += 1
        self.now_us += 1000
        storage_key = make_storage_key(
            self.bucket.name, ObjectKey(key), WriteId(f"{self.count:032x}")
        )
        return NewIntent(
            storage_key=storage_key,
            bucket_id=self.bucket.id,
            bucket=self.bucket.name,
            key=ObjectKey(key),
            version_id=VersionId(f"{self.count:032x}"),
            size=size,
            stored_size=size + 28,
            facts=facts or ObjectFacts(),
            conditions=conditions or WriteConditions(),
            now_us=self.now_us,
            owner="me",
            kind=kind,
        )

    async def open(self, intent: NewIntent) -> OpenedIntent:
        """Announce it, on the first backend with room."""
        return await self.engine.write(lambda tx: open_intent(tx, intent, in_order))

    def commit_of(self, storage_key: StorageKey, etag: str = DIGESTS.md5) -> Commit:
        """Say what commits an intent."""
        self.now_us += 1000
        return Commit(
            storage_key=storage_key, digests=DIGESTS, etag=etag, now_us=self.now_us
        )

    async def commit(self, storage_key: StorageKey) -> Committed:
        """Commit an intent."""
        commit = self.commit_of(storage_key)
        return await self.engine.write(lambda tx: commit_object(tx, commit))

    async def put(
        self, key: str, size: int = 10, conditions: WriteConditions | None = None
    ) -> Committed:
        """Announce and commit."""
        intent = self.intent(key, size, conditions)
        await self.open(intent)
        return await self.commit(intent.storage_key)

    async def drop(self, storage_key: StorageKey, is_ambiguous: bool = False) -> bool:
        """Give an intent up."""
        return await self.engine.write(
            lambda tx: intents.drop_intent(
                tx, storage_key, "test", self.now_us, is_ambiguous
            )
        )


async def furnish(
    engine: Engine, quotas: dict[BackendName, int] | None = None
) -> Writer:
    """Give an empty ledger a bucket and two backends; return a writer for it.

    The bucket is an account's, so that every audit also counts what the account holds.
    """
    new = NewBucket(
        name=PHOTOS,
        owner=ACCOUNT,
        config=BucketConfig(),
        max_buckets=0,
        now_us=NOW_US,
    )

    async def prepare(tx: Tx) -> Bucket:
        await sync_quotas(tx, quotas or {ONE: 1_000_000, TWO: 0})
        await sync_accounts(tx, {ACCOUNT: 0})
        return await create_bucket(tx, new)

    return Writer(engine, await engine.write(prepare))
