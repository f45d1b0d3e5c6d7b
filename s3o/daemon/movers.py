"""The services that move blobs and take backends away, made and connected."""

from collections.abc import Callable

import trio

from s3o.daemon.build import House
from s3o.policy.routing import Strategy
from s3o.services.cleanup_queue import CleanupQueue
from s3o.services.copy_checks import CopyProver
from s3o.services.drain_backups import BackupsAway
from s3o.services.drain_moves import CopyMover
from s3o.services.drains import Drains
from s3o.services.ledger_backup import LedgerBackup
from s3o.services.rebalancer import RebalancePace, Rebalancer
from s3o.services.removal import Removal


def make_drains(
    house: House,
    cleanup: CleanupQueue,
    backup: LedgerBackup,
    *,
    stopping: trio.Event,
    may_destroy: Callable[[], bool],
) -> Drains:
    """Return the service that empties backends."""
    live = house.live
    mover = CopyMover(
        house.ledger,
        house.fleet,
        house.blob_copier,
        house.observed.observer,
        house.world.clock,
        factor=lambda: live.current.replication.factor,
        prover=CopyProver(
            house.ledger,
            house.fleet,
            house.observed.observer,
            house.world.clock,
            house.blob_checker,
        ),
    )
    backups = BackupsAway(
        house.ledger,
        house.fleet,
        house.world.clock,
        is_backed_up=lambda: live.current.ledger_backup.enabled,
        snapshot=backup.snapshot_now,
        poke_cleanup=cleanup.poke,
    )
    return Drains(
        house.ledger,
        house.fleet,
        mover,
        backups,
        house.observed.observer,
        house.world.clock,
        concurrency=lambda: live.current.rebalance.concurrency,
        poke_cleanup=cleanup.poke,
        stopping=stopping,
        may_destroy=may_destroy,
    )


def make_removal(
    house: House,
    cleanup: CleanupQueue,
    backup: LedgerBackup,
    *,
    stopping: trio.Event,
    may_destroy: Callable[[], bool],
) -> Removal:
    """Return the service that takes backends out of the ledger."""
    return Removal(
        house.ledger,
        house.fleet,
        house.observed.observer,
        house.world.clock,
        next_cleanup=cleanup.next_pass,
        poke_backup=backup.wakeup.poke,
        stopping=stopping,
        may_destroy=may_destroy,
    )


def make_rebalancer(
    house: House, may_destroy: Callable[[], bool], stopping: trio.Event
) -> Rebalancer:
    """Return the service that fills backends in order, or evens them out."""
    return Rebalancer(
        house.ledger,
        house.fleet,
        house.blob_copier,
        house.observed.observer,
        house.world.clock,
        pace=lambda: _rebalance_pace(house),
        stopping=stopping,
        may_destroy=may_destroy,
    )


def _rebalance_pace(house: House) -> RebalancePace:
    current = house.live.current
    rebalance = current.rebalance
    return RebalancePace(
        is_enabled=rebalance.enabled,
        strategy=Strategy(rebalance.strategy),
        interval_s=rebalance.interval,
        batch=rebalance.batch_size,
        threshold=rebalance.threshold,
        concurrency=rebalance.concurrency,
        factor=current.replication.factor,
    )
