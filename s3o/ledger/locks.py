"""Locks of the background services: less contention, and a fence.

A lock is never held by time. Its holder counts heartbeats; an observer that saw no beat
for as long as it wants, by its own monotonic clock, may take it over by compare-and-set
on what it saw. Each taking raises the epoch, and whoever acts under the lock requires
its epoch in the same transaction, so a holder that was asleep can do no harm.
"""

from dataclasses import dataclass

from s3o.ledger import rows
from s3o.ledger.seam import Tx


@dataclass(frozen=True, slots=True)
class SeenLock:
    """A lock as somebody saw it; holder None is free."""

    epoch: int
    holder: str | None
    heartbeat: int


class LockWatch:
    """One observer's memory of one lock; times from its own monotonic clock."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._seen: SeenLock | None = None
        self._since_s = 0.0

    def is_abandoned(self, seen: SeenLock, now_s: float) -> bool:
        """Note what is seen now; say whether nothing has moved for long enough."""
        if seen != self._seen:
            self._seen = seen
            self._since_s = now_s
        return now_s - self._since_s >= self._patience_s


async def read_lock(tx: Tx, name: str) -> SeenLock | None:
    """Return the lock; None if nobody ever took it."""
    row = await tx.one("read_lock", name=name)
    if row is None:
        return None
    epoch, holder, heartbeat = row
    return SeenLock(
        rows.number(epoch), rows.optional_text(holder), rows.number(heartbeat)
    )


async def take_lock(
    tx: Tx, name: str, holder: str, abandoned: SeenLock | None = None
) -> int | None:
    """Take a lock that is free, or that still is as abandoned; return its new epoch.

    None: somebody holds it. Taking one's own lock again (after a restart of a service)
    needs abandoned, too.
    """
    if await tx.run("create_lock", name=name, holder=holder):
        return 1
    seen = await read_lock(tx, name)
    assert seen is not None
    if seen.holder is not None and seen != abandoned:
        return None
    taken = await tx.run(
        "take_lock",
        name=name,
        holder=holder,
        seen_epoch=seen.epoch,
        seen_heartbeat=seen.heartbeat,
    )
    return seen.epoch + 1 if taken else None


async def beat_lock(tx: Tx, name: str, holder: str, epoch: int) -> bool:
    """Count a heartbeat; False: the lock was lost."""
    return await tx.run("beat_lock", name=name, holder=holder, epoch=epoch) == 1


async def release_lock(tx: Tx, name: str, holder: str, epoch: int) -> bool:
    """Free the lock; False: it was lost before."""
    return await tx.run("release_lock", name=name, holder=holder, epoch=epoch) == 1


async def holds_lock(tx: Tx, name: str, epoch: int) -> bool:
    """Whether epoch is the lock's, now and until this transaction ends."""
    row = await tx.one("hold_lock", name=name)
    return row is not None and row[0] == epoch
