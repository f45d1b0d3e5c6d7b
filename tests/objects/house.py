"""A small house: ledger, guarded memory backends, object store, cleanup, reaper."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import trio

from s3o.backends.seam import Backend
from s3o.ledger.accounts import sync_accounts
from s3o.ledger.audit import audit
from s3o.ledger.buckets import NewBucket, create_bucket
from s3o.ledger.cleanup import depths
from s3o.ledger.ledger import Ledger
from s3o.ledger.quotas import quota_rows, sync_quotas
from s3o.ledger.seam import Engine, Tx
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.model.errors import NoSuchKey
from s3o.model.names import BackendName, BucketName, ObjectKey
from s3o.model.seams import DigestedSource, Transform
from s3o.model.tenants import BucketConfig
from s3o.model.values import (
    Bucket,
    Interval,
    ObjectFacts,
    ObjectVersion,
    QuotaRow,
    Traits,
    WriteConditions,
)
from s3o.objects.announce import Announcer
from s3o.objects.blob_check import BlobChecker
from s3o.objects.blob_copies import BlobCopier
from s3o.objects.integrity import Integrity, IntegrityRules
from s3o.objects.live import LiveReads, LiveWrites
from s3o.objects.room import RoomMaker
from s3o.objects.store import ObjectStore
from s3o.objects.uploads import UploadLimits
from s3o.objects.write import PutCall
from s3o.policy.breaker import CircuitBreaker
from s3o.policy.identity import IdentityTransform
from s3o.services.cleanup_queue import LONE_GRACE_S, CleanupQueue
from s3o.services.multipart_cleanup import MultipartCleanup
from s3o.services.pending_reaper import PendingReaper, ReaperPace
from s3o.services.runner import Runner
from s3o.services.service import NoLeases
from tests.backends.rig import Rig, make_rig
from tests.fakes.clock import START_US
from tests.fakes.entropy import SeededEntropy
from tests.fakes.memory_backend import EVERYTHING
from tests.fakes.sources import BytesSource

KEY = ObjectKey("cat.jpg")
GIB = 1024**3
SINGLE_PUT_BYTES = 4 * 1024**2  # of a copy; beyond it goes into a native upload
# Silence of the reaper, readers' grace, the repeats of an ambiguous name; with margins.
WAITS_S = (2, 301, 2, 301, 3_601, 86_401)

# Parts of any size, everywhere: a test of uploads need not be large.
SMALL_PARTS = replace(EVERYTHING, min_part_bytes=1)

MakeEngine = Callable[[sqlite3.Connection], Engine]


@dataclass(kw_only=True)
class House:
    """Everything a test may want to look at."""

    rig: Rig
    ledger: Ledger
    store: ObjectStore
    blob_copier: BlobCopier
    bucket: Bucket
    cleanup: CleanupQueue
    reaper: PendingReaper
    sweep: MultipartCleanup
    room: RoomMaker
    reads: LiveReads
    write_copies: list[int]
    connection: sqlite3.Connection
    transform: Transform
    integrity: Integrity
    rules: list[IntegrityRules]
    stopping: trio.Event = field(default_factory=trio.Event)

    @property
    def blob_checker(self) -> BlobChecker:
        """What reads copies and judges them, for all services."""
        return BlobChecker(self.rig.fleet, self.transform, self.reads)

    async def put(
        self,
        body: bytes | DigestedSource,
        key: str = KEY,
        conditions: WriteConditions | None = None,
    ) -> ObjectVersion:
        """Store an object, as the door does."""
        source = BytesSource(body) if isinstance(body, bytes) else body
        call = PutCall(
            bucket=self.bucket,
            key=ObjectKey(key),
            facts=ObjectFacts(),
            conditions=conditions or WriteConditions(),
            source=source,
        )
        return await self.store.put(call)

    async def get(self, key: str = KEY, start: int = 0, stop: int | None = None):
        """Read bytes start..stop of an object (default: all)."""
        stored = await self.store.find(self.bucket, ObjectKey(key))
        stop = stored.version.size if stop is None else stop
        interval = Interval(start, stop) if start < stop else None
        pieces = []
        async with self.store.open(self.bucket, stored, interval) as reader:
            while piece := await reader.read():
                pieces.append(piece)
        return b"".join(pieces)

    async def find_body(self, key: str = KEY) -> bytes | None:
        """Read all of an object; None if there is none."""
        try:
            return await self.get(key)
        except NoSuchKey:
            return None

    async def delete(
        self, key: str = KEY, conditions: WriteConditions | None = None
    ) -> None:
        """Delete an object."""
        await self.store.delete(
            self.bucket, ObjectKey(key), conditions or WriteConditions()
        )

    async def complaints(self) -> list[str]:
        """What the ledger's audit and the backends' own books find wrong."""
        found = await self.ledger.scan(audit)
        for backend in self.rig.inner.values():
            found += backend.books.violations
        return found

    async def quota(self, name: str = "one") -> QuotaRow:
        """One backend's quota."""
        rows = await self.ledger.read(quota_rows)
        return next(row for row in rows if row.backend == name)

    async def drain(self) -> None:
        """Let reaper and cleanup queue work until nothing can be left, a day later."""
        for wait_s in WAITS_S:
            await self.reaper.run_once()
            await trio.sleep(wait_s)
            await self.reaper.run_once()
            await self.cleanup.run_once()

    async def waiting(self) -> tuple[int, int, int]:
        """How many cleanup rows, dead letters and intents there are."""
        found = await self.ledger.read(depths)
        return found.cleanup_rows, found.dead_letters, found.intents

    def located(self) -> list[tuple[str, str]]:
        """Backend and name of every blob, as the ledger has it."""
        return sorted(
            self.connection.execute(
                "SELECT backend_name, storage_key FROM object_locations"
            )
        )

    def lying(self) -> list[tuple[str, str]]:
        """Backend and name of every blob, as the backends have it."""
        return sorted(
            (backend.name, name)
            for backend in self.rig.inner.values()
            for name in backend.names()
        )

    async def add_copy(self, backend: str, key: str = KEY) -> None:
        """Give an object one more copy, as replication does."""
        stored = await self.store.find(self.bucket, ObjectKey(key))
        [place] = stored.locations
        first, second = self.rig.inner[place.backend], self.rig.inner[backend]
        second.blobs[place.storage_key] = first.blobs[place.storage_key]

        async def insert(tx: Tx) -> None:
            await tx.run(
                "insert_location",
                version_id=stored.version.version_id,
                blob=0,
                backend_name=backend,
                storage_key=place.storage_key,
                backend_version=None,
                backend_etag=None,
                stored_bytes=place.stored_bytes,
                stored_digest=place.stored_md5,
                now_us=self.rig.clock.now_us(),
                verified_us=place.verified_at_us,
            )

        await self.ledger.write(insert)

    @asynccontextmanager
    async def cleaning(self, *, is_cut_off: bool = False) -> AsyncIterator[None]:
        """Run the cleanup queue as a service, known to the writes.

        is_cut_off: cancel it at the end, so that it can be used again.
        """
        runner = Runner(
            [self.cleanup],
            NoLeases(),
            self.rig.observer,
            self.rig.clock,
            SeededEntropy(0, "runner"),
            stopping=self.stopping,
        )
        self.room.connect(self.cleanup)
        async with trio.open_nursery() as nursery:
            await nursery.start(runner.run)
            yield
            if is_cut_off:
                nursery.cancel_scope.cancel()
            else:
                self.stopping.set()


@asynccontextmanager
async def open_house(
    *,
    transform: Transform | None = None,
    make_engine: MakeEngine = InlineEngine,
    quotas: dict[str, int] | None = None,
    traits: Traits = SMALL_PARTS,
    instead: Mapping[str, Backend] | None = None,
) -> AsyncIterator[House]:
    """Build an empty one: bucket photos, backends by default one and two (1 GiB)."""
    quotas = quotas or {"one": GIB, "two": GIB}
    rig = make_rig(*quotas, instead=instead)
    for name, quota in quotas.items():
        rig.inner[name].quota_bytes = quota
        rig.inner[name].traits = traits
    connection = open_inline(now_us=START_US)
    ledger = Ledger(
        make_engine(connection),
        CircuitBreaker(failure_threshold=3, open_timeout_s=15.0),
        rig.observer,
        rig.clock,
        SeededEntropy(0, "ledger"),
    )
    try:
        bucket = await _furnish(ledger, quotas)
        yield _assemble(rig, ledger, bucket, connection, transform)
    finally:
        connection.close()


async def _furnish(ledger: Ledger, quotas: dict[str, int]) -> Bucket:
    async def prepare(tx: Tx) -> Bucket:
        limits = {BackendName(name): quota for name, quota in quotas.items()}
        await sync_quotas(tx, limits)
        # An account's, so that every audit also counts what the account holds.
        await sync_accounts(tx, {"ann": 0})
        new = NewBucket(
            name=BucketName("photos"),
            owner="ann",
            config=BucketConfig(),
            max_buckets=0,
            now_us=START_US,
        )
        return await create_bucket(tx, new)

    return await ledger.write(prepare)


def _assemble(
    rig: Rig,
    ledger: Ledger,
    bucket: Bucket,
    connection: sqlite3.Connection,
    transform: Transform | None,
) -> House:
    live, reads, room, stopping = LiveWrites(), LiveReads(), RoomMaker(), trio.Event()
    write_copies = [0]
    rules = [IntegrityRules()]
    integrity = Integrity(ledger, rig.observer, rig.clock, lambda: rules[-1])
    store = ObjectStore(
        ledger,
        rig.fleet,
        transform or IdentityTransform(),
        rig.observer,
        rig.clock,
        SeededEntropy(0, "store"),
        cluster_id="c" * 32,
        max_object_size=lambda: GIB,
        upload_limits=UploadLimits(min_part_bytes=lambda: 1),
        live=live,
        reads=reads,
        room=room,
        write_copies=lambda: write_copies[0],
        integrity=integrity,
    )
    cleanup = CleanupQueue(
        ledger,
        rig.fleet,
        rig.observer,
        rig.clock,
        is_being_read=reads.is_being_read,
        concurrency=lambda: 10,
        grace_s=LONE_GRACE_S,
        stopping=stopping,
    )
    reaper = PendingReaper(
        ledger,
        rig.fleet,
        rig.observer,
        rig.clock,
        is_live=live.is_live,
        resume_complete=store.uploads.resume_complete,
        pace=lambda: ReaperPace(min_age_s=300.0),
        stopping=stopping,
    )
    sweep = MultipartCleanup(
        ledger,
        rig.fleet,
        rig.observer,
        rig.clock,
        idle_s=lambda: 86_400.0,
        live=live.storage_keys,
        poke_cleanup=cleanup.poke,
        stopping=stopping,
    )
    blob_copier = BlobCopier(
        ledger,
        rig.fleet,
        rig.observer,
        rig.clock,
        SeededEntropy(0, "copies"),
        cluster_id="c" * 32,
        live=live,
        reads=reads,
        announcer=Announcer(ledger, rig.fleet, rig.observer, rig.clock, room),
        room=room,
        single_put_bytes=SINGLE_PUT_BYTES,
    )
    return House(
        rig=rig,
        ledger=ledger,
        store=store,
        blob_copier=blob_copier,
        bucket=bucket,
        cleanup=cleanup,
        reaper=reaper,
        sweep=sweep,
        room=room,
        reads=reads,
        connection=connection,
        transform=transform or IdentityTransform(),
        write_copies=write_copies,
        integrity=integrity,
        rules=rules,
        stopping=stopping,
    )


def succeed(house: House) -> House:
    """Return the next process's house over the same ledger and backends."""
    return _assemble(
        house.rig, house.ledger, house.bucket, house.connection, house.transform
    )
