"""Take a backend out of the ledger, with or without the bytes that lie on it.

Without a purge the bytes stay where they are, and the removal is refused while objects
have no other good copy. With it the bytes are deleted, and an object whose last copy
lies there is deleted as its client would delete it: a tombstone, and an audit line
each.

The rows go in bounded transactions (ledger/backend_removal). A process may die between
any two of them: the state is in the ledger, and the service goes on. Bytes are deleted
by the cleanup queue; where the backend does not let go of them, the removal waits, and
a removal without a purge ends it. A backend that the configuration still has stays
closed when it is removed, also after a restart, until it leaves the configuration or
the removal is cancelled.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import trio

from s3o.backends.fleet import Fleet
from s3o.ledger import backend_removal as steps
from s3o.ledger.backend_removal import LocationBatch, Preview
from s3o.ledger.drains import (
    Drain,
    DrainState,
    Remaining,
    count_remaining,
    find_drain,
    list_drains,
    note_drain,
)
from s3o.ledger.ledger import Ledger
from s3o.ledger.quotas import quota_rows
from s3o.ledger.seam import Step, Tx
from s3o.model.errors import DrainConflict, NoSuchBackend, OnlyCopies
from s3o.model.facts import BackendRemoved, Happened, ObjectPurged
from s3o.model.names import BackendName
from s3o.model.seams import Clock, Observer
from s3o.services.safety import always
from s3o.services.service import Wakeup

IDLE_S, BUSY_S = 300.0, 10.0
LOCATION_ROWS = 100
UPLOAD_ROWS = 10  # each may have ten thousand parts
QUEUE_ROWS = 1000
PURGE_WAIT_S = 60.0  # that remove() gives the cleanup queue before it answers


@dataclass(frozen=True, slots=True)
class RemovalStatus:
    """How far it is; waiting: what still names the backend, in words with counts."""

    is_removed: bool
    waiting: tuple[tuple[str, int], ...] = ()
    error: str = ""


class Removal:
    """The service, and what operators ask of it."""

    name = "backend-removal"
    is_exclusive = True
    gather_s = 0.0

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        clock: Clock,
        *,
        next_cleanup: Callable[[], Awaitable[object]],
        poke_backup: Callable[[], None],
        stopping: trio.Event,
        may_destroy: Callable[[], bool] = always,
    ) -> None:
        self.wakeup = Wakeup()
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock
        self._next_cleanup = next_cleanup
        self._poke_backup = poke_backup
        self._stopping = stopping
        self._may_destroy = may_destroy
        self._working = trio.Lock()
        self._is_busy = False
        self._warned: set[BackendName] = set()

    @property
    def interval_s(self) -> float:
        """Short while a removal waits for the backend."""
        return BUSY_S if self._is_busy else IDLE_S

    async def preview(self, name: BackendName) -> Preview:
        """Count what a removal would take. Raises NoSuchBackend, LedgerError."""

        async def look(tx: Tx) -> Preview:
            await self._require_known(tx, name)
            return await steps.preview_removal(tx, name)

        return await self._ledger.scan(look)

    async def remove(self, name: BackendName, *, purge: bool) -> RemovalStatus:
        """Close the backend and take it out of the ledger, as far as that goes now.

        The service does the rest. Asked again without a purge, it leaves behind what
        could not be deleted. Raises NoSuchBackend, DrainConflict, OnlyCopies (nothing
        was changed then), LedgerError.
        """
        async with self._working:  # no pass begins what is refused in the end
            await self._begin(name, purge)
            status = await self._work(name)
        if purge and status.waiting:
            with trio.move_on_after(PURGE_WAIT_S):
                while status.waiting and not self._stopping.is_set():
                    await self._next_cleanup()
                    async with self._working:
                        status = await self._work(name)
        if status.waiting:
            self.wakeup.poke()
        return status

    async def run_once(self) -> str:
        """Go on with every removal; tell of backends that should be unconfigured."""
        drains = await self._refresh()
        self._warn(drains)
        reports: list[str] = []
        for drain in drains:
            if drain.state is not DrainState.REMOVING or self._stopping.is_set():
                continue
            async with self._working:
                status = await self._work(drain.backend)
            ended = "removed" if status.is_removed else "being removed"
            reports.append(f"{drain.backend}: {ended}")
        self._is_busy = any(report.endswith("being removed") for report in reports)
        return ", ".join(reports)

    async def _begin(self, name: BackendName, purge: bool) -> None:
        now_us = self._clock.now_us()

        async def begin(tx: Tx) -> Drain | None:
            await self._require_known(tx, name)
            before = await steps.begin_removal(tx, name, now_us, is_purging=purge)
            if purge:
                # An operator asks: dead letters get their ten attempts once more.
                await steps.revive_dead_letters(tx, name, QUEUE_ROWS, now_us)
            return before

        if not self._may_destroy():
            reason = (
                "the ledger may be an old one: nothing is removed until that is clear"
            )
            raise DrainConflict(name, "", reason)
        before = await self._ledger.write(begin)
        # Closed before it is counted: from here on copies only become fewer.
        await self._refresh()
        if purge:
            return
        found = await self._ledger.scan(partial(steps.preview_removal, backend=name))
        if found.only_copies:
            await self._ledger.write(
                partial(steps.take_back, backend=name, before=before, now_us=now_us)
            )
            await self._refresh()
            raise OnlyCopies(name, found.only_copies, found.only_bytes)

    async def _require_known(self, tx: Tx, name: BackendName) -> None:
        if self._fleet.find(name) is not None:
            return
        if all(row.backend != name for row in await quota_rows(tx)):
            raise NoSuchBackend(name)

    async def _refresh(self) -> list[Drain]:
        drains = await self._ledger.read(list_drains)
        self._fleet.set_draining(drain.backend for drain in drains)
        return drains

    async def _work(self, name: BackendName) -> RemovalStatus:
        """Do all that can be done now."""
        if not self._may_destroy():
            return RemovalStatus(False, error="nothing may be removed now")
        drain = await self._ledger.read(partial(find_drain, backend=name))
        if drain is None:
            # No mark is left of a backend without configuration; of another one there
            # would be, so somebody has cancelled the removal.
            return RemovalStatus(self._fleet.find(name) is None, error="cancelled")
        if drain.state is not DrainState.REMOVING:
            return RemovalStatus(drain.state is DrainState.REMOVED)
        kept = await self._remove_locations(name)
        await self._repeat(partial(steps.remove_strays, backend=name, limit=QUEUE_ROWS))
        await self._walk(steps.end_uploads, name, UPLOAD_ROWS)
        await self._walk(steps.drop_intents, name, QUEUE_ROWS)
        forget = partial(steps.forget_backups, backend=name, limit=QUEUE_ROWS)
        if await self._repeat(forget):
            self._poke_backup()
        if not drain.is_purging or self._fleet.find(name) is None:
            await self._repeat(
                partial(steps.forget_queues, backend=name, limit=QUEUE_ROWS)
            )
        return await self._finish(drain, kept)

    async def _remove_locations(self, name: BackendName) -> int:
        """Take what may go; return how many locations are kept."""
        kept, after = 0, ""
        while self._may_go_on():
            batch: LocationBatch = await self._ledger.write(
                partial(
                    steps.remove_locations,
                    backend=name,
                    after=after,
                    limit=LOCATION_ROWS,
                    now_us=self._clock.now_us(),
                )
            )
            kept += batch.kept
            for lost in batch.lost:
                self._observer.note(
                    ObjectPurged(
                        bucket=lost.bucket, key=lost.key, backend=name, size=lost.size
                    )
                )
            if batch.removed:
                await self._ledger.write(
                    partial(
                        note_drain,
                        backend=name,
                        objects=batch.removed,
                        stored_bytes=batch.stored_bytes,
                        error=None,
                        now_us=self._clock.now_us(),
                    )
                )
            if batch.after is None:
                break
            after = batch.after
        return kept

    async def _repeat(self, step: Step[int]) -> int:
        """Run a step until it finds nothing more; return how much it found."""
        total = 0
        while self._may_go_on():
            count = await self._ledger.write(step)
            total += count
            if count == 0:
                break
        return total

    async def _walk(
        self,
        step: Callable[..., Awaitable[tuple[int, str | None]]],
        name: BackendName,
        limit: int,
    ) -> None:
        """Run a step page by page."""
        after: str | None = ""
        while after is not None and self._may_go_on():
            found_after = after

            async def run(tx: Tx, after: str = found_after) -> tuple[int, str | None]:
                return await step(tx, name, after, limit, self._clock.now_us())

            _, after = await self._ledger.write(run)

    def _may_go_on(self) -> bool:
        """Whether another step may be taken; the gate may close at any time."""
        return self._may_destroy() and not self._stopping.is_set()

    async def _finish(self, drain: Drain, kept: int) -> RemovalStatus:
        """End the removal, or say what it waits for."""
        name = drain.backend
        left = await self._ledger.scan(partial(count_remaining, backend=name))
        if not left.cleanup_rows and not left.dead_letters:
            # Nobody will list the backend for them any more.
            await self._repeat(
                partial(steps.forget_ended_uploads, backend=name, limit=QUEUE_ROWS)
            )
        is_configured = self._fleet.find(name) is not None

        async def finish(tx: Tx) -> Drain | None:
            before = await find_drain(tx, name)
            done = await steps.finish_removal(
                tx, name, self._clock.now_us(), is_configured=is_configured
            )
            return before if done else None

        done = await self._ledger.write(finish)
        if done is None:
            return await self._wait(name, left, kept)
        self._observer.note(
            BackendRemoved(
                backend=name,
                is_purged=done.is_purging,
                objects=done.moved_objects,
                stored_bytes=done.moved_bytes,
            )
        )
        return RemovalStatus(True)

    async def _wait(
        self, name: BackendName, left: Remaining, kept: int
    ) -> RemovalStatus:
        waiting = [(words, count) for words, count in left.others() if count]
        if left.locations:
            waiting.insert(0, ("objects", left.locations))
        error = ", ".join(f"{count} {words}" for words, count in waiting)
        if kept:
            error = f"{kept} objects have no other good copy; {error}"
        await self._ledger.write(
            partial(
                note_drain,
                backend=name,
                objects=0,
                stored_bytes=0,
                error=f"still there: {error}",
                now_us=self._clock.now_us(),
            )
        )
        return RemovalStatus(False, tuple(waiting), error)

    def _warn(self, drains: list[Drain]) -> None:
        """Say once per process that a removed backend is still configured."""
        removed = {
            drain.backend
            for drain in drains
            if drain.state in (DrainState.REMOVED, DrainState.REMOVING)
            and self._fleet.find(drain.backend) is not None
        }
        for name in sorted(removed - self._warned):
            self._observer.note(
                Happened(
                    level="warning",
                    message="a removed backend is still configured; it takes no writes",
                    fields=(("backend", name),),
                )
            )
        self._warned = removed
