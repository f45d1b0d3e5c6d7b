"""A ledger and two memory backends, for services to keep in order."""

import hashlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from s3o.ledger.cleanup import Depths, depths
from s3o.ledger.deletes import delete_object
from s3o.ledger.intents import note_digests
from s3o.ledger.ledger import Ledger
from s3o.ledger.objects import find_object
from s3o.ledger.quotas import quota_rows
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.model.names import BackendName, ObjectKey, StorageKey, UploadId
from s3o.model.values import BlobHeaders, QuotaRow, StoredObject, WriteConditions
from s3o.policy.breaker import CircuitBreaker
from s3o.services.cleanup_queue import CleanupQueue
from s3o.services.pending_reaper import PendingReaper, ReaperPace
from tests.backends.rig import Rig, make_rig
from tests.fakes.clock import START_US
from tests.fakes.entropy import SeededEntropy
from tests.fakes.sources import BytesSource, digests_of
from tests.ledger.house import ONE, Writer, furnish

PADDING = b"p" * 28  # what Writer's intents add to the plaintext


@dataclass(kw_only=True)
class House:
    """Everything a test may want to look at."""

    rig: Rig
    ledger: Ledger
    writer: Writer
    connection: sqlite3.Connection
    read_now: set[StorageKey] = field(default_factory=set)
    live: set[StorageKey] = field(default_factory=set)
    stopping: trio.Event = field(default_factory=trio.Event)

    def cleanup(self, grace_s: float = 0.0, concurrency: int = 10) -> CleanupQueue:
        """The cleanup queue over this house."""
        return CleanupQueue(
            self.ledger,
            self.rig.fleet,
            self.rig.observer,
            self.rig.clock,
            is_being_read=self.read_now.__contains__,
            concurrency=lambda: concurrency,
            grace_s=grace_s,
            stopping=self.stopping,
        )

    def reaper(self, min_age_s: float = 300.0, batch: int = 50) -> PendingReaper:
        """The reaper over this house."""
        return PendingReaper(
            self.ledger,
            self.rig.fleet,
            self.rig.observer,
            self.rig.clock,
            is_live=self.live.__contains__,
            resume_complete=self.resume_complete,
            pace=lambda: ReaperPace(min_age_s=min_age_s, batch=batch),
            stopping=self.stopping,
        )

    async def resume_complete(self, upload_id: UploadId) -> str | None:
        """Nothing is known of any upload here (see tests/objects/test_uploads)."""
        await trio.lowlevel.checkpoint()
        return None

    async def announce(
        self,
        key: str,
        body: bytes = b"0123456789",
        conditions: WriteConditions | None = None,
        *,
        with_digests: bool = True,
    ) -> StorageKey:
        """Open an intent, as a write does before its first byte."""
        self.writer.now_us = self.rig.clock.now_us()
        intent = self.writer.intent(key, len(body), conditions)
        await self.writer.open(intent)
        if with_digests:
            stored_md5 = hashlib.md5(body + PADDING, usedforsecurity=False).hexdigest()
            await self.ledger.write(
                lambda tx: note_digests(
                    tx, intent.storage_key, digests_of(body), stored_md5
                )
            )
        return intent.storage_key

    async def send(
        self, storage_key: StorageKey, body: bytes = b"0123456789", on: str = ONE
    ) -> None:
        """Put the stored bytes on a backend."""
        source = BytesSource(body + PADDING)
        await self.rig.guarded(on).put(storage_key, source, BlobHeaders())

    async def put(self, key: str, body: bytes = b"0123456789") -> StorageKey:
        """Store an object, from intent to commit."""
        storage_key = await self.announce(key, body)
        await self.send(storage_key, body)
        await self.writer.commit(storage_key)
        return storage_key

    async def delete(self, key: str) -> None:
        """Delete an object, as its client asks."""
        now_us = self.rig.clock.now_us()
        await self.ledger.write(
            lambda tx: delete_object(
                tx, self.writer.bucket, ObjectKey(key), WriteConditions(), now_us
            )
        )

    async def find(self, key: str) -> StoredObject | None:
        """What a client would be given."""
        bucket_id = self.writer.bucket.id
        return await self.ledger.read(
            lambda tx: find_object(tx, bucket_id, ObjectKey(key))
        )

    async def quota(self, name: str = ONE) -> QuotaRow:
        """One backend's quota."""
        rows = await self.ledger.read(quota_rows)
        return next(row for row in rows if row.backend == name)

    async def depths(self) -> Depths:
        """How much waits."""
        return await self.ledger.read(depths)

    def names(self, on: str = ONE) -> list[StorageKey]:
        """What lies on a backend."""
        return self.rig.inner[on].names()


@asynccontextmanager
async def open_house(**quotas: int) -> AsyncIterator[House]:
    """Build an empty one: bucket photos, backends one (1 MB) and two (no limit)."""
    rig = make_rig("one", "two")
    connection = open_inline(now_us=START_US)
    engine = InlineEngine(connection)
    ledger = Ledger(
        engine,
        CircuitBreaker(failure_threshold=3, open_timeout_s=15.0),
        rig.observer,
        rig.clock,
        SeededEntropy(0, "ledger"),
    )
    limits = {BackendName(name): limit for name, limit in quotas.items()}
    writer = await furnish(engine, limits or None)
    try:
        yield House(rig=rig, ledger=ledger, writer=writer, connection=connection)
    finally:
        connection.close()
