"""Drains: empty a backend, so that it can be taken away.

From the start nothing is written to the backend any more; what is on it leaves, copy by
copy, as fast as `rebalance.concurrency` allows. The state is in the ledger, so a drain
survives its process and goes on with the next one. It ends in the transaction that
finds nothing left: no location, no write under way, no part, no upload, nothing to be
deleted, no backup of the ledger. What cannot move (uploads under way, dead letters) is
waited for; status says what remains and why.

When nothing could move at all, the next pass waits, longer each time, up to five
minutes; the reason stands in the ledger.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import trio

from s3o.backends.fleet import Fleet
from s3o.ledger.copy_rows import CopyRow, list_copies_by_backend
from s3o.ledger.drains import (
    Drain,
    DrainState,
    Remaining,
    begin_drain,
    cancel_drain,
    count_remaining,
    find_drain,
    finish_drain,
    list_drains,
    note_drain,
)
from s3o.ledger.ledger import Ledger
from s3o.ledger.quotas import quota_rows, sync_quotas
from s3o.ledger.seam import Tx
from s3o.model.errors import LedgerDamaged, NoSuchBackend
from s3o.model.facts import DrainChanged
from s3o.model.names import BackendName
from s3o.model.seams import Clock, Observer
from s3o.observe.operation import describe
from s3o.policy.backoff import ceiling_s
from s3o.services.drain_backups import BackupsAway
from s3o.services.drain_moves import CopyMover, Step
from s3o.services.safety import always
from s3o.services.service import Wakeup

IDLE_S = 300.0  # until somebody else's drain is noticed
AGAIN_S = 1.0  # while a drain makes progress
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0
PAGE_ROWS = 200
PAGES_PER_PASS = 50  # so that one pass ends


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainStatus:
    """What an operator is told; waiting: what remains besides objects, with counts.

    active: objects still move. state "": the backend is an ordinary one. error: why
    nothing could move, the last time.
    """

    active: bool
    state: str
    objects_remaining: int
    bytes_remaining: int
    objects_moved: int
    bytes_moved: int
    error: str
    waiting: tuple[tuple[str, int], ...] = ()


class Drains:
    """The service, and what operators ask of it."""

    name = "drain"
    is_exclusive = True
    gather_s = 0.0

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        mover: CopyMover,
        backups: BackupsAway,
        observer: Observer,
        clock: Clock,
        *,
        concurrency: Callable[[], int],
        poke_cleanup: Callable[[], None],
        stopping: trio.Event,
        may_destroy: Callable[[], bool] = always,
    ) -> None:
        self.wakeup = Wakeup()
        self._ledger = ledger
        self._fleet = fleet
        self._mover = mover
        self._backups = backups
        self._observer = observer
        self._clock = clock
        self._concurrency = concurrency
        self._poke_cleanup = poke_cleanup
        self._stopping = stopping
        self._may_destroy = may_destroy
        self._courses: dict[BackendName, _Course] = {}

    @property
    def interval_s(self) -> float:
        """Short while something moves, long while nothing does."""
        pauses = (course.pause_s for course in self._courses.values())
        return min(pauses, default=IDLE_S)

    async def start(self, name: BackendName, now_us: int | None = None) -> None:
        """Close the backend and begin to empty it.

        Raises NoSuchBackend, DrainConflict, LedgerError.
        """
        if self._fleet.find(name) is None:
            raise NoSuchBackend(name)
        at_us = self._clock.now_us() if now_us is None else now_us
        await self._ledger.write(partial(begin_drain, backend=name, now_us=at_us))
        await self._refresh()
        self._observer.note(DrainChanged(change="start", backend=name))
        self.wakeup.poke()

    async def status(self, name: BackendName) -> DrainStatus:
        """Say how far it is. Raises NoSuchBackend, LedgerError."""

        async def look(tx: Tx) -> tuple[bool, Drain | None, Remaining]:
            known = any(row.backend == name for row in await quota_rows(tx))
            return known, await find_drain(tx, name), await count_remaining(tx, name)

        known, drain, remaining = await self._ledger.scan(look)
        if not known and drain is None and self._fleet.find(name) is None:
            raise NoSuchBackend(name)
        others = tuple((words, count) for words, count in remaining.others() if count)
        return DrainStatus(
            active=drain is not None and drain.state is DrainState.DRAINING,
            state=drain.state if drain is not None else "",
            objects_remaining=remaining.locations,
            bytes_remaining=remaining.stored_bytes,
            objects_moved=drain.moved_objects if drain is not None else 0,
            bytes_moved=drain.moved_bytes if drain is not None else 0,
            error=(drain.last_error or "") if drain is not None else "",
            waiting=others,
        )

    async def cancel(self, name: BackendName) -> None:
        """Make the backend an ordinary one again, however far it is.

        What has moved stays where it is. Raises NoSuchBackend, LedgerError.
        """
        guarded = self._fleet.find(name)

        async def cancel(tx: Tx) -> Drain | None:
            drain = await find_drain(tx, name)
            await cancel_drain(tx, name)
            if drain is not None and guarded is not None:
                # A backend that was removed has no quota row until now.
                await sync_quotas(tx, {name: guarded.limits.quota_bytes})
            return drain

        drain = await self._ledger.write(cancel)
        self._courses.pop(name, None)
        await self._refresh()
        if drain is not None:
            self._note("cancel", drain)
        elif guarded is None:
            raise NoSuchBackend(name)

    async def run_once(self) -> str:
        """Go on with every drain."""
        drains = [
            drain
            for drain in await self._refresh()
            if drain.state is DrainState.DRAINING
        ]
        active = {drain.backend for drain in drains}
        self._courses = {
            name: course for name, course in self._courses.items() if name in active
        }
        reports: list[str] = []
        for drain in drains:
            course = self._courses.setdefault(drain.backend, _Course())
            if not self._may_destroy():
                course.pause_s = FIRST_PAUSE_S  # it is being looked into
                continue
            if self._stopping.is_set():
                break
            reports.append(await self._drain(drain.backend, course))
        return ", ".join(report for report in reports if report)

    async def _refresh(self) -> list[Drain]:
        drains = await self._ledger.read(list_drains)
        self._fleet.set_draining(drain.backend for drain in drains)
        return drains

    async def _drain(self, backend: BackendName, course: "_Course") -> str:
        """Make one pass over a backend's copies; end the drain if nothing is left."""
        work = _Pass()
        await self._backups.leave(backend)
        for _ in range(PAGES_PER_PASS):
            page = await self._ledger.scan(
                partial(
                    list_copies_by_backend,
                    backend=backend,
                    after_storage_key=course.after,
                    limit=PAGE_ROWS,
                )
            )
            work.begin_page()
            await self._move_page(page, work)
            is_last = len(page) < PAGE_ROWS
            course.after = "" if is_last else page[-1].location.storage_key
            if not await self._note_progress(backend, work):
                return ""  # somebody cancelled it
            if is_last or self._stopping.is_set() or not work.page_helped:
                break
        if work.moved:
            self._poke_cleanup()
        if not await self._finish(backend):
            remaining = await self._ledger.scan(
                partial(count_remaining, backend=backend)
            )
            course.settle(work, remaining)
        return work.report(backend)

    async def _move_page(self, page: list[CopyRow], work: "_Pass") -> None:
        limiter = trio.CapacityLimiter(self._concurrency())

        async def move(row: CopyRow) -> None:
            async with limiter:
                if self._stopping.is_set() or not self._may_destroy():
                    return
                try:
                    step = await self._mover.move(row)
                except LedgerDamaged as error:
                    step = Step(error=f"{describe(error)}; see fsck")
                work.count(row, step)

        async with trio.open_nursery() as nursery:
            for row in page:
                nursery.start_soon(move, row)

    async def _note_progress(self, backend: BackendName, work: "_Pass") -> bool:
        """Write down what has moved since the last time; False: the drain is over."""
        objects, stored_bytes = work.take()
        error = work.trouble()
        now_us = self._clock.now_us()

        async def note(tx: Tx) -> bool:
            drain = await find_drain(tx, backend)
            if drain is None or drain.state is not DrainState.DRAINING:
                return False
            if objects or error != drain.last_error:
                await note_drain(
                    tx,
                    backend,
                    objects=objects,
                    stored_bytes=stored_bytes,
                    error=error,
                    now_us=now_us,
                )
            return True

        return await self._ledger.write(note)

    async def _finish(self, backend: BackendName) -> bool:
        async def finish(tx: Tx) -> Drain | None:
            if not await finish_drain(tx, backend, self._clock.now_us()):
                return None
            return await find_drain(tx, backend)

        drain = await self._ledger.write(finish)
        if drain is None:
            return False
        self._courses.pop(backend, None)
        self._note("complete", drain)
        return True

    def _note(self, change: str, drain: Drain) -> None:
        self._observer.note(
            DrainChanged(
                change=change,
                backend=drain.backend,
                objects_moved=drain.moved_objects,
                bytes_moved=drain.moved_bytes,
            )
        )


@dataclass(slots=True)
class _Course:
    """How one drain goes in this process: where it is, and how long it rests."""

    after: str = ""
    pause_s: float = AGAIN_S
    _fruitless: int = 0
    _left: Remaining | None = None

    def settle(self, work: "_Pass", remaining: Remaining) -> None:
        """Choose the next pause: short while anything becomes less."""
        if work.moved or work.has_changed or remaining != self._left:
            self._fruitless, self.pause_s = 0, AGAIN_S
        else:
            self.pause_s = ceiling_s(
                self._fruitless, first_s=FIRST_PAUSE_S, longest_s=LONGEST_PAUSE_S
            )
            self._fruitless += 1
        self._left = remaining


@dataclass(slots=True)
class _Pass:
    """What one pass over one backend did."""

    moved: int = 0
    has_changed: bool = False
    page_helped: bool = False
    _page_rows: int = 0
    _new_objects: int = 0
    _new_bytes: int = 0
    _errors: Counter[str] = field(default_factory=Counter)

    def begin_page(self) -> None:
        """Forget the last page's success."""
        self.page_helped, self._page_rows = False, 0

    def count(self, row: CopyRow, step: Step) -> None:
        """Take what became of one copy."""
        if step.error:
            self._errors[step.error] += 1
            return
        self.page_helped = True
        self.has_changed = True
        if step.moved:
            self.moved += 1
            self._new_objects += 1
            self._new_bytes += row.location.stored_bytes

    def take(self) -> tuple[int, int]:
        """Return what has moved since the last call."""
        taken = self._new_objects, self._new_bytes
        self._new_objects = self._new_bytes = 0
        return taken

    def trouble(self) -> str | None:
        """Return why copies could not move, the commonest reason first."""
        if not self._errors:
            return None
        [(reason, count)] = self._errors.most_common(1)
        return f"{reason} ({count} objects of this pass)"

    def report(self, backend: BackendName) -> str:
        """Say it in a few words."""
        failed = self._errors.total()
        if not self.moved and not failed:
            return ""
        return f"{backend}: moved {self.moved}, could not move {failed}"
