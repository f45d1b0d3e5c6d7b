"""Make every object of the service once and pass it on by constructor.

Reads top to bottom like the house: observe, ledger, backends, objects, doors. What a
test or the simulation replaces (clock, chance, ledger engine, stores of blobs, log
sink) comes in as World; nothing below reaches for it by itself.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from s3o.backends.fleet import Fleet
from s3o.config.settings import Settings
from s3o.daemon.live import LiveSettings
from s3o.daemon.tenants import tenants_of
from s3o.ledger.drains import forget_unconfigured
from s3o.ledger.ledger import Ledger
from s3o.ledger.meta import ensure_cluster_id
from s3o.ledger.quotas import sync_quotas
from s3o.ledger.seam import Engine, Tx
from s3o.model.seams import Clock, Entropy, Observer, Transform
from s3o.model.values import Bucket
from s3o.objects.announce import Announcer
from s3o.objects.blob_check import BlobChecker
from s3o.objects.blob_copies import BlobCopier
from s3o.objects.buckets import BucketDirectory, enter_buckets
from s3o.objects.described_copies import DescribingBlobCopier
from s3o.objects.integrity import Integrity, IntegrityRules
from s3o.objects.live import LiveReads, LiveWrites
from s3o.objects.room import RoomMaker
from s3o.objects.store import ObjectStore
from s3o.objects.uploads import UploadLimits
from s3o.objects.wanted import CopiesWanted
from s3o.observe.audit import AuditLog
from s3o.observe.lines import LineWriter, Sink
from s3o.observe.logs import EventLog
from s3o.observe.metrics import Metrics
from s3o.observe.observer import FactObserver
from s3o.policy.breaker import CircuitBreaker

OpenEngine = Callable[
    [Settings, Clock, Callable[[str], None]], AbstractAsyncContextManager[Engine]
]
BuildFleet = Callable[[Settings, Observer, Clock, Entropy], Awaitable[Fleet]]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that comes from outside the house.

    instance: this process's name among those that share the ledger; None: it is the
    only one.
    """

    clock: Clock
    entropy: Entropy
    open_engine: OpenEngine
    build_fleet: BuildFleet
    transform: Transform
    log_sink: Sink
    instance: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The ways out: metrics, lines, and the observer that feeds both."""

    metrics: Metrics
    lines: LineWriter
    log: EventLog
    observer: FactObserver


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The parts of a running service that the nursery tree and reload need."""

    live: LiveSettings
    world: World
    observed: Observed
    ledger: Ledger
    fleet: Fleet
    buckets: BucketDirectory
    store: ObjectStore
    cluster_id: str
    writes: LiveWrites
    reads: LiveReads
    room: RoomMaker
    wanted: CopiesWanted
    integrity: Integrity

    @property
    def blob_copier(self) -> BlobCopier:
        """What copies blobs from backend to backend, for all services."""
        world, observer = self.world, self.observed.observer
        return DescribingBlobCopier(
            self.ledger,
            self.fleet,
            observer,
            world.clock,
            world.entropy,
            cluster_id=self.cluster_id,
            live=self.writes,
            reads=self.reads,
            announcer=Announcer(
                self.ledger, self.fleet, observer, world.clock, self.room
            ),
            room=self.room,
        )

    @property
    def blob_checker(self) -> BlobChecker:
        """What reads copies and judges them, for all services."""
        return BlobChecker(self.fleet, self.world.transform, self.reads)


def build_observed(world: World, settings: Settings) -> Observed:
    """Make metrics and logs; they work before anything else does."""
    metrics = Metrics()
    lines = LineWriter(world.log_sink, metrics)
    log = EventLog(lines, world.clock, settings.server.log_level)
    audit = AuditLog(lines, log, metrics, world.clock)
    observer = FactObserver(metrics, audit, log)
    return Observed(metrics=metrics, lines=lines, log=log, observer=observer)


@asynccontextmanager
async def open_house(
    world: World,
    settings: Settings,
    observed: Observed,
    on_broken: Callable[[str], None],
) -> AsyncIterator[House]:
    """Open ledger and backends, in this order, and close them in reverse.

    on_broken is called when only a restart can tell what the ledger holds.
    """
    observer = observed.observer
    live = LiveSettings(settings)
    async with world.open_engine(settings, world.clock, on_broken) as engine:
        breaker = CircuitBreaker(
            failure_threshold=settings.circuit_breaker.failure_threshold,
            open_timeout_s=settings.circuit_breaker.open_timeout,
        )
        ledger = Ledger(engine, breaker, observer, world.clock, world.entropy)
        candidate = world.entropy.token(16).hex()
        cluster = await ledger.write(lambda tx: ensure_cluster_id(tx, candidate))
        buckets = BucketDirectory(ledger, world.clock)
        rows = await enter_settings(ledger, world.clock, settings)
        buckets.use(tenants_of(settings), rows)
        fleet = await world.build_fleet(settings, observer, world.clock, world.entropy)
        writes, reads, room = LiveWrites(), LiveReads(), RoomMaker()
        integrity = make_integrity(ledger, observer, world.clock, live)
        wanted = CopiesWanted()
        store = ObjectStore(
            ledger,
            fleet,
            world.transform,
            observer,
            world.clock,
            world.entropy,
            cluster_id=cluster,
            max_object_size=lambda: live.current.server.max_object_size,
            upload_limits=upload_limits(live),
            live=writes,
            reads=reads,
            room=room,
            integrity=integrity,
            wanted=wanted,
            write_copies=lambda: write_copies(live),
        )
        try:
            yield House(
                live=live,
                world=world,
                observed=observed,
                ledger=ledger,
                fleet=fleet,
                buckets=buckets,
                store=store,
                cluster_id=cluster,
                writes=writes,
                reads=reads,
                room=room,
                wanted=wanted,
                integrity=integrity,
            )
        finally:
            await fleet.aclose()


async def enter_settings(
    ledger: Ledger, clock: Clock, settings: Settings
) -> list[Bucket]:
    """Write quotas, buckets and accounts into the ledger, all or none.

    Returns every bucket's row. Raises LedgerError, and BucketAlreadyExists for a
    configured name that an account's bucket has.
    """
    quotas = {backend.name: backend.quota_bytes for backend in settings.backends}
    tenants = tenants_of(settings)
    now_us = clock.now_us()

    async def enter(tx: Tx) -> list[Bucket]:
        await forget_unconfigured(tx, quotas)
        await sync_quotas(tx, quotas)
        return await enter_buckets(tx, tenants, now_us)

    return await ledger.write(enter)


def make_integrity(
    ledger: Ledger, observer: Observer, clock: Clock, live: LiveSettings
) -> Integrity:
    """Return the checks of bytes, by the rules of the configuration of the moment."""

    def rules() -> IntegrityRules:
        settings = live.current.integrity
        return IntegrityRules(
            is_enabled=settings.enabled,
            verifies_reads=settings.verify_on_read,
            verifies_copies=settings.verify_on_replicate,
        )

    return Integrity(ledger, observer, clock, rules)


def write_copies(live: LiveSettings) -> int:
    """Return how many copies are to be sent while a client uploads."""
    replication = live.current.replication
    return replication.factor - 1 if replication.write_copies else 0


def upload_limits(live: LiveSettings) -> UploadLimits:
    """Return what the configuration of the moment allows multipart uploads."""

    def max_bytes() -> int:
        server = live.current.server
        return server.max_object_size if server.is_max_object_size_set else 0

    return UploadLimits(
        min_part_bytes=lambda: live.current.server.min_part_size,
        max_part_bytes=lambda: live.current.server.max_object_size,
        max_bytes=max_bytes,
    )
