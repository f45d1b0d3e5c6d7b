"""Delete the bytes that nothing refers to any more.

A pass goes through all backends side by side, each in batches of up to a thousand names
per call, until nothing is due. Nothing is deleted that is being read in this process,
and nothing younger than the reader grace: a read that found its location a moment ago,
here or in another process, may be about to open it. A backend whose circuit is open is
left alone and costs its rows no attempt. Bytes stay on the quota until the provider
confirms; after ten failures a row waits in the dead letters for a person.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import trio

from s3o.backends.fleet import Fleet
from s3o.backends.guard import Guarded
from s3o.backends.seam import DeleteOutcome
from s3o.ledger.cleanup import (
    CleanupRow,
    confirm,
    due_rows,
    exhaust,
    has_stranded,
    recall_stranded,
    retry,
)
from s3o.ledger.ledger import Ledger
from s3o.ledger.seam import Tx
from s3o.model.errors import BackendCircuitOpen, BackendError
from s3o.model.facts import CleanupProcessed
from s3o.model.limits import CLEANUP_ATTEMPTS, CLEANUP_BATCH
from s3o.model.names import StorageKey
from s3o.model.seams import Clock, Observer
from s3o.observe.operation import describe
from s3o.policy.backoff import cleanup_delay_s
from s3o.policy.steadiness import Steadiness
from s3o.services.deleting import delete_blobs, is_hopeless
from s3o.services.safety import always
from s3o.services.service import Wakeup

INTERVAL_S = 60.0
HURRY_S = 5.0  # while something that is being read waits to be deleted
LONE_GRACE_S = 1.0  # from a location read to its blob opened, in one process
SHARED_GRACE_S = 60.0  # the same with other processes on the ledger
GATHER_S = 0.05  # a burst of deletes and overwrites is one pass
BATCHES_PER_PASS = 100  # per backend; so that one pass ends
STEADY_S = 3600.0


class CleanupQueue:
    """The service; also objects.room.CleanupPass for writes that find no room."""

    name = "cleanup-queue"
    is_exclusive = True

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        clock: Clock,
        *,
        is_being_read: Callable[[StorageKey], bool],
        concurrency: Callable[[], int],
        grace_s: float,
        stopping: trio.Event,
        may_destroy: Callable[[], bool] = always,
    ) -> None:
        self.wakeup = Wakeup()
        self.gather_s = max(grace_s, GATHER_S)
        self._grace_us = round(grace_s * 1_000_000)
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock
        self._is_being_read = is_being_read
        self._concurrency = concurrency
        self._stopping = stopping
        self._may_destroy = may_destroy
        self._must_hurry = False
        self._steadiness = Steadiness()
        self._ended = trio.Event()
        self._began_s = 0.0
        self._freed_bytes = 0

    @property
    def interval_s(self) -> float:
        """A minute, less while a reader keeps us from deleting."""
        return HURRY_S if self._must_hurry else INTERVAL_S

    def poke(self) -> None:
        """Run soon: something was queued."""
        self.wakeup.poke()

    async def next_pass(self) -> int:
        """Wait until what is queued now had its chance; return bytes freed meanwhile.

        May wait for ever (no pass is possible): the caller sets the deadline.
        """
        # A name queued just now is due only after the grace, so a pass that frees
        # nothing counts only if it began after that.
        due_s = self._clock.monotonic_s() + self.gather_s
        while True:
            self.poke()
            await self._ended.wait()
            if self._freed_bytes or self._began_s >= due_s:
                return self._freed_bytes

    async def run_once(self) -> str:
        """Delete what is due, on all backends that answer."""
        began_s, now_us = self._clock.monotonic_s(), self._clock.now_us()
        is_steady = self._steadiness.lasted_s(now_us, began_s) >= STEADY_S
        work = _Pass(trio.CapacityLimiter(self._concurrency()), is_steady)
        try:
            async with trio.open_nursery() as nursery:
                for backend in self._fleet:
                    if backend.may_call() and self._may_destroy():
                        nursery.start_soon(self._clean, backend, work)
        finally:
            self._must_hurry = work.is_held_back
            self._began_s = began_s
            self._freed_bytes = work.freed_bytes
            self._ended.set()
            self._ended = trio.Event()
        return work.report()

    async def _recall(self, backend: Guarded) -> None:
        """Free the rows of a clock that was set back: they would wait for it again.

        Not with a clock that was set a moment ago, for then it may be that clock which
        is wrong: to one that stands a year behind, every row waits for a year.
        """
        name, now_us = backend.name, self._clock.now_us()
        if await self._ledger.scan(partial(has_stranded, backend=name, now_us=now_us)):
            await self._ledger.write(
                partial(recall_stranded, backend=name, now_us=now_us)
            )

    async def _clean(self, backend: Guarded, work: "_Pass") -> None:
        if work.is_steady:
            await self._recall(backend)
        for _ in range(BATCHES_PER_PASS):
            if self._stopping.is_set() or not self._may_destroy():
                return
            due_us = self._clock.now_us() - self._grace_us
            found = await self._ledger.scan(
                partial(
                    due_rows, backend=backend.name, now_us=due_us, limit=CLEANUP_BATCH
                )
            )
            async with work.limiter:
                rows = [
                    row for row in found if not self._is_being_read(row.storage_key)
                ]
                work.is_held_back |= len(rows) < len(found)
                if not rows:
                    return
                try:
                    outcomes = await delete_blobs(backend, rows)
                except BackendCircuitOpen:
                    return
                except BackendError as error:
                    outcomes = [DeleteOutcome(row.storage_key, error) for row in rows]
            await self._settle(rows, outcomes, work)
            has_failed = all(outcome.error is not None for outcome in outcomes)
            if has_failed or len(found) < CLEANUP_BATCH:
                return
        self.wakeup.poke()

    async def _settle(
        self,
        rows: Sequence[CleanupRow],
        outcomes: Sequence[DeleteOutcome],
        work: "_Pass",
    ) -> None:
        verdicts = [
            _Verdict(row, outcome.error)
            for row, outcome in zip(rows, outcomes, strict=True)
        ]
        now_us = self._clock.now_us()

        async def settle(tx: Tx) -> int:
            confirmed = [one.row.id for one in verdicts if one.error is None]
            released = await confirm(tx, confirmed, now_us)
            for one in verdicts:
                await one.note_failure(tx, now_us)
            return released

        work.freed_bytes += await self._ledger.write(settle)
        for one in verdicts:
            work.count(one.status)
            self._observer.note(one.fact())


@dataclass(frozen=True, slots=True)
class _Verdict:
    """One row and what became of it."""

    row: CleanupRow
    error: BackendError | None

    @property
    def status(self) -> str:
        """success, retry or exhausted."""
        if self.error is None:
            return "success"
        is_last = self.row.attempts + 1 >= CLEANUP_ATTEMPTS
        return "exhausted" if is_last or is_hopeless(self.error) else "retry"

    async def note_failure(self, tx: Tx, now_us: int) -> None:
        """Write a failure down; a success is confirmed with the others."""
        if self.error is None:
            return
        text = describe(self.error)
        if self.status == "exhausted":
            await exhaust(tx, self.row.id, text, now_us)
            return
        delay_us = round(cleanup_delay_s(self.row.attempts) * 1_000_000)
        await retry(tx, self.row.id, text, now_us + delay_us, now_us)

    def fact(self) -> CleanupProcessed:
        """Return what the operator is told."""
        return CleanupProcessed(
            status=self.status,
            backend=self.row.backend,
            storage_key=self.row.storage_key,
            reason=self.row.reason,
            attempt=self.row.attempts + 1,
            error=describe(self.error),
        )


class _Pass:
    """What one pass did, over all backends."""

    def __init__(self, limiter: trio.CapacityLimiter, is_steady: bool) -> None:
        self.limiter = limiter
        self.is_steady = is_steady  # the wall clock, for a while
        self.freed_bytes = 0
        self.is_held_back = False
        self._counts = {"success": 0, "retry": 0, "exhausted": 0}

    def count(self, status: str) -> None:
        """Count one row."""
        self._counts[status] += 1

    def report(self) -> str:
        """Say it in a few words."""
        if not any(self._counts.values()):
            return ""
        deleted, retried, exhausted = self._counts.values()
        return (
            f"deleted {deleted}, to be retried {retried}, dead letters {exhausted}, "
            f"freed {self.freed_bytes} bytes"
        )
