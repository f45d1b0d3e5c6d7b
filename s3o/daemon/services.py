"""The background services of a house, made and connected."""

from collections.abc import Sequence

import trio

from s3o.daemon.build import House
from s3o.daemon.movers import make_drains, make_rebalancer, make_removal
from s3o.daemon.scrubbing import make_scrubber
from s3o.daemon.sharing import leases_of, reader_grace_s
from s3o.model.names import BucketName
from s3o.model.tenants import is_account
from s3o.model.values import Bucket
from s3o.policy.importing import map_by_prefix
from s3o.policy.lifecycle import Expiry
from s3o.services.breaker_watchdog import BreakerWatchdog
from s3o.services.cleanup_queue import CleanupQueue
from s3o.services.dead_letters import DeadLetters
from s3o.services.heartbeats import Heartbeats
from s3o.services.ledger_backup import BackupPace, LedgerBackup
from s3o.services.ledger_check import LedgerCheck
from s3o.services.ledger_upkeep import LedgerUpkeep
from s3o.services.lifecycle import Lifecycle, file_expiries
from s3o.services.multipart_cleanup import MultipartCleanup
from s3o.services.over_replication import OverReplicationCleaner
from s3o.services.pending_reaper import PendingReaper, ReaperPace
from s3o.services.reconciler import ReconcilePace, Reconciler
from s3o.services.replicator import ReplicationRules, Replicator
from s3o.services.runner import Runner
from s3o.services.safety import Safety
from s3o.services.usage_flush import FlushPace, UsageFlush


class Services:
    """All services under one runner. Owns: the runner's tasks, through run()."""

    def __init__(self, house: House) -> None:
        self._stopping = trio.Event()
        self._house = house
        self.safety = Safety()
        self._usage = self._make_usage_flush()
        self._upkeep = LedgerUpkeep(
            house.ledger,
            house.observed.observer,
            house.world.clock,
            stopping=self._stopping,
            may_destroy=self._may_destroy,
        )
        self.cleanup = self._make_cleanup_queue()
        self.dead_letters = DeadLetters(
            house.ledger,
            house.observed.observer,
            house.world.clock,
            poke=self.cleanup.poke,
        )
        self.ledger_backup = self._make_ledger_backup()
        self.ledger_check = self._make_ledger_check()
        self.lifecycle = self._make_lifecycle()
        self.scrubber = make_scrubber(house, self._may_destroy, self._stopping)
        self.reconciler = self._make_reconciler()
        self.replicator = self._make_replicator()
        self.over_replication = self._make_over_replication()
        self.rebalancer = make_rebalancer(house, self._may_destroy, self._stopping)
        self.drains = make_drains(
            house,
            self.cleanup,
            self.ledger_backup,
            stopping=self._stopping,
            may_destroy=self._may_destroy,
        )
        self.removal = make_removal(
            house,
            self.cleanup,
            self.ledger_backup,
            stopping=self._stopping,
            may_destroy=self._may_destroy,
        )
        self.runner = Runner(
            [
                self._usage,
                BreakerWatchdog(house.ledger, house.fleet),
                self.cleanup,
                self._make_reaper(),
                self._make_heartbeats(),
                self._make_multipart_cleanup(),
                self._upkeep,
                self.ledger_backup,
                self.ledger_check,
                self.lifecycle,
                self.scrubber,
                self.reconciler,
                self.replicator,
                self.over_replication,
                self.rebalancer,
                self.drains,
                self.removal,
            ],
            leases_of(house),
            house.observed.observer,
            house.world.clock,
            house.world.entropy,
            stopping=self._stopping,
        )
        house.room.connect(self.cleanup)
        house.wanted.connect(self.replicator.poke, lambda: self.replicator.is_on)
        house.integrity.connect(self.scrubber.poke)

    async def start(self, nursery: trio.Nursery) -> None:
        """Run all services in nursery; gauges and clocks are right before a request."""
        await self._upkeep.note_clocks()
        await self._usage.run_once()
        self.ledger_check.wakeup.poke()  # nothing is deleted before it has asked
        self.replicator.poke()  # catches up on what a dead process left
        for left_over in (self.drains, self.removal):
            left_over.wakeup.poke()  # a dead process may have been half-way
        await nursery.start(self.runner.run)

    def stop(self) -> None:
        """Let every service finish the item in hand, within the runner's deadline."""
        self._stopping.set()

    async def flush_usage(self) -> None:
        """Write the counters down a last time."""
        await self._usage.run_once()

    def _may_destroy(self) -> bool:
        return self.safety.may_destroy

    def _make_ledger_check(self) -> LedgerCheck:
        house = self._house
        return LedgerCheck(
            house.ledger,
            house.fleet,
            house.observed.observer,
            self.safety,
            copies=lambda: house.live.current.ledger_backup.copies,
            poke=self.cleanup.poke,
        )

    def _make_usage_flush(self) -> UsageFlush:
        house = self._house
        return UsageFlush(
            house.ledger,
            house.fleet,
            house.observed.observer,
            house.world.clock,
            pace=lambda: _flush_pace(house),
        )

    def _make_cleanup_queue(self) -> CleanupQueue:
        house = self._house
        return CleanupQueue(
            house.ledger,
            house.fleet,
            house.observed.observer,
            house.world.clock,
            is_being_read=house.reads.is_being_read,
            concurrency=lambda: house.live.current.cleanup_queue.concurrency,
            grace_s=reader_grace_s(house),
            stopping=self._stopping,
            may_destroy=self._may_destroy,
        )

    def _make_replicator(self) -> Replicator:
        house = self._house
        return Replicator(
            house.ledger,
            house.fleet,
            house.observed.observer,
            house.world.clock,
            copier=house.blob_copier,
            wanted=house.wanted,
            rules=lambda: _replication_rules(house),
            stopping=self._stopping,
            checker=house.blob_checker,
        )

    def _make_over_replication(self) -> OverReplicationCleaner:
        house = self._house
        return OverReplicationCleaner(
            house.ledger,
            house.fleet,
            house.observed.observer,
            house.world.clock,
            rules=lambda: _replication_rules(house),
            poke_cleanup=self.cleanup.poke,
            stopping=self._stopping,
            may_destroy=self._may_destroy,
        )

    def _make_reaper(self) -> PendingReaper:
        house = self._house
        return PendingReaper(
            house.ledger,
            house.fleet,
            house.observed.observer,
            house.world.clock,
            is_live=house.writes.is_live,
            resume_complete=house.store.uploads.resume_complete,
            pace=lambda: _reaper_pace(house),
            stopping=self._stopping,
        )

    def _make_heartbeats(self) -> Heartbeats:
        house = self._house
        return Heartbeats(
            house.ledger,
            live=house.writes.storage_keys,
            min_age_s=lambda: house.live.current.write_path.pending_pattern.min_age,
        )

    def _make_multipart_cleanup(self) -> MultipartCleanup:
        house = self._house
        return MultipartCleanup(
            house.ledger,
            house.fleet,
            house.observed.observer,
            house.world.clock,
            idle_s=lambda: house.live.current.cleanup_queue.multipart_stale_timeout,
            live=house.writes.storage_keys,
            poke_cleanup=self.cleanup.poke,
            stopping=self._stopping,
            may_destroy=self._may_destroy,
        )

    def _make_lifecycle(self) -> Lifecycle:
        house = self._house
        return Lifecycle(
            house.ledger,
            house.observed.observer,
            house.world.clock,
            buckets=house.buckets.all,
            file_rules=lambda bucket: _file_rules(house, bucket),
            batch=lambda: house.live.current.lifecycle.batch_size,
            poke_cleanup=self.cleanup.poke,
            stopping=self._stopping,
            may_destroy=self._may_destroy,
        )

    def _make_ledger_backup(self) -> LedgerBackup:
        house = self._house
        return LedgerBackup(
            house.ledger,
            house.fleet,
            house.observed.observer,
            house.world.clock,
            house.world.entropy,
            pace=lambda: _backup_pace(house),
            poke_cleanup=self.cleanup.poke,
            stopping=self._stopping,
            may_destroy=self._may_destroy,
        )

    def _make_reconciler(self) -> Reconciler:
        house = self._house
        return Reconciler(
            house.ledger,
            house.fleet,
            house.observed.observer,
            house.world.clock,
            house.world.entropy,
            mapper=lambda: map_by_prefix(configured_buckets(house)),
            count_time=self._upkeep.note_clocks,
            pace=lambda: _reconcile_pace(house),
            poke_cleanup=self.cleanup.poke,
            stopping=self._stopping,
            may_destroy=self._may_destroy,
        )


def configured_buckets(house: House) -> dict[BucketName, Bucket]:
    """Return the buckets of the configuration; clients' own get nothing imported."""
    names = [bucket.name for bucket in house.live.current.buckets]
    return {BucketName(name): house.buckets.find(name) for name in names}


def _reconcile_pace(house: House) -> ReconcilePace:
    reconcile = house.live.current.reconcile
    return ReconcilePace(is_enabled=reconcile.enabled, interval_s=reconcile.interval)


def _file_rules(house: House, bucket: Bucket) -> Sequence[Expiry]:
    """The file's rules are about the file's buckets; accounts have rules of theirs."""
    if is_account(bucket.owner):
        return ()
    rules = house.live.current.lifecycle.rules
    return file_expiries([(rule.prefix, rule.expiration_days) for rule in rules])


def _replication_rules(house: House) -> ReplicationRules:
    settings = house.live.current.replication
    return ReplicationRules(
        factor=settings.factor,
        interval_s=settings.worker_interval,
        batch=settings.batch_size,
        concurrency=settings.concurrency,
        unhealthy_threshold_s=settings.unhealthy_threshold,
        verifies=house.live.current.integrity.verify_on_replicate,
    )


def _reaper_pace(house: House) -> ReaperPace:
    pattern = house.live.current.write_path.pending_pattern
    return ReaperPace(
        interval_s=pattern.reaper_tick,
        min_age_s=pattern.min_age,
        batch=pattern.batch_size,
    )


def _flush_pace(house: House) -> FlushPace:
    flush = house.live.current.usage_flush
    return FlushPace(
        interval_s=flush.interval,
        fast_interval_s=flush.fast_interval,
        fast_threshold=flush.adaptive_threshold if flush.adaptive_enabled else None,
    )


def _backup_pace(house: House) -> BackupPace:
    backup = house.live.current.ledger_backup
    return BackupPace(
        is_enabled=backup.enabled,
        log_interval_s=backup.log_interval,
        snapshot_interval_s=backup.snapshot_interval,
        copies=backup.copies,
    )
