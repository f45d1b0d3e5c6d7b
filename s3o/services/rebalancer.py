"""Move blobs between backends until their quotas are used as the strategy wants.

A cycle looks at the quotas, asks policy/rebalance for a plan of at most batch_size
moves over the next blobs of each source, and carries it out, `concurrency` moves at a
time. The places where it stopped are remembered, so blobs that cannot move do not hide
the others. Only live, verified copies move, and never imported ones: their bytes are
deleted for a client only. What a month's limits leave bounds the plan, and the guards
of the backends refuse what goes beyond.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import trio

from s3o.backends.fleet import Fleet
from s3o.backends.guard import Guarded
from s3o.ledger.copies import CopyOutcome, is_good
from s3o.ledger.copy_rows import (
    BlobOf,
    CopyRow,
    find_blob,
    list_copies_by_backend,
)
from s3o.ledger.ledger import Ledger
from s3o.ledger.quotas import quota_rows
from s3o.ledger.seam import Tx
from s3o.model.errors import (
    BackendError,
    BackendsFailed,
    LedgerDamaged,
    NoRoom,
    WriteLost,
)
from s3o.model.facts import (
    RebalanceFinished,
    RebalanceMoved,
    RebalanceSkipped,
    RebalanceStarted,
)
from s3o.model.names import BackendName
from s3o.model.seams import Clock, Observer
from s3o.model.values import Location, QuotaRow
from s3o.objects.blob_copies import BlobCopier
from s3o.policy.rebalance import (
    BackendState,
    MovableBlob,
    Move,
    is_due,
    order_sources,
    plan_moves,
    state_of,
)
from s3o.policy.routing import Strategy
from s3o.services.safety import always
from s3o.services.service import Wakeup

MOVED = "rebalanced"
LOOKED_AT = 4  # blobs looked at per source, for each that may move
MOST_LOOKED_AT = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RebalancePace:
    """What the configuration of the moment wants; factor: copies of every object."""

    is_enabled: bool
    strategy: Strategy
    interval_s: float
    batch: int
    threshold: float
    concurrency: int
    factor: int


HELD_BACK = "the ledger may be an old one"


@dataclass(frozen=True, slots=True)
class Rebalanced:
    """What a cycle did; skipped: why it did nothing ("" if it did)."""

    moved: int = 0
    planned: int = 0
    failed: int = 0
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A blob that may move, and where it lies now."""

    of: BlobOf
    places: tuple[Location, ...]
    blob: MovableBlob


class Rebalancer:
    """The service; an operator may ask for a cycle at any time."""

    name = "rebalancer"
    is_exclusive = True
    gather_s = 0.0

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        copier: BlobCopier,
        observer: Observer,
        clock: Clock,
        *,
        pace: Callable[[], RebalancePace],
        stopping: trio.Event,
        may_destroy: Callable[[], bool] = always,
    ) -> None:
        self.wakeup = Wakeup()
        self._ledger = ledger
        self._fleet = fleet
        self._copier = copier
        self._observer = observer
        self._clock = clock
        self._pace = pace
        self._stopping = stopping
        self._may_destroy = may_destroy
        self._after: dict[BackendName, str] = {}
        self._cycling = trio.Lock()

    @property
    def interval_s(self) -> float:
        """The configured one."""
        return self._pace().interval_s

    async def run_once(self) -> str:
        """Make one cycle, if that is switched on."""
        if not self._pace().is_enabled:
            return ""
        done = await self.cycle()
        if done.skipped:
            return ""
        return f"moved {done.moved} of {done.planned}, failed {done.failed}"

    async def cycle(self) -> Rebalanced:
        """Make one cycle, whether switched on or not. Raises LedgerError."""
        async with self._cycling:
            return await self._cycle(self._pace())

    async def _cycle(self, pace: RebalancePace) -> Rebalanced:
        if not self._may_destroy():
            return Rebalanced(skipped=HELD_BACK)
        began_s = self._clock.monotonic_s()
        states = self._states(await self._ledger.read(quota_rows))
        if not is_due(pace.strategy, states, pace.threshold):
            return self._skip("threshold")
        found = await self._candidates(pace, states)
        blobs = {name: [one.blob for one in here] for name, here in found.items()}
        moves = plan_moves(pace.strategy, states, blobs, batch=pace.batch)
        if not moves:
            return self._skip("empty_plan")
        self._observer.note(
            RebalanceStarted(
                strategy=pace.strategy,
                batch_size=pace.batch,
                threshold=pace.threshold,
                planned=len(moves),
            )
        )
        status, moved = "error", 0
        try:
            moved = await self._carry_out(pace, moves, found)
            status = "success"
        finally:
            self._observer.note(
                RebalanceFinished(
                    strategy=pace.strategy,
                    status=status,
                    moved=moved,
                    planned=len(moves),
                    duration_s=self._clock.monotonic_s() - began_s,
                )
            )
        return Rebalanced(moved, len(moves), len(moves) - moved)

    def _skip(self, reason: str) -> Rebalanced:
        self._observer.note(RebalanceSkipped(reason=reason))
        return Rebalanced(skipped=reason)

    def _states(self, rows: Sequence[QuotaRow]) -> list[BackendState]:
        quotas = {row.backend: row for row in rows}
        return [
            self._state(backend, quotas[backend.name])
            for backend in self._fleet
            if backend.name in quotas
        ]

    def _state(self, backend: Guarded, quota: QuotaRow) -> BackendState:
        return state_of(
            quota,
            is_reachable=backend.may_call(),
            is_draining=backend.name in self._fleet.draining,
            max_object_size=backend.limits.max_object_size,
            limits=backend.limits.usage,
            used=self._fleet.counters.of(backend.name).effective(),
        )

    async def _candidates(
        self, pace: RebalancePace, states: Sequence[BackendState]
    ) -> dict[BackendName, list[_Candidate]]:
        """Return the next blobs of each source, as many as a plan may need."""
        limit = min(pace.batch * LOOKED_AT, MOST_LOOKED_AT)
        found: dict[BackendName, list[_Candidate]] = {}
        for source in order_sources(pace.strategy, states):
            after = self._after.get(source, "")
            rows, candidates = await self._ledger.scan(
                partial(_look, backend=source, after=after, limit=limit)
            )
            if len(rows) < limit:
                self._after.pop(source, None)  # once around
            else:
                self._after[source] = rows[-1].location.storage_key
            found[source] = candidates
        return found

    async def _carry_out(
        self,
        pace: RebalancePace,
        moves: Sequence[Move],
        found: dict[BackendName, list[_Candidate]],
    ) -> int:
        by_name = {
            (source, one.blob.storage_key): one
            for source, here in found.items()
            for one in here
        }
        limiter = trio.CapacityLimiter(pace.concurrency)
        moved: list[Move] = []

        async def carry(move: Move) -> None:
            async with limiter:
                if self._stopping.is_set() or not self._may_destroy():
                    return
                candidate = by_name[move.source, move.blob.storage_key]
                if await self._move(move, candidate, pace.factor):
                    moved.append(move)

        async with trio.open_nursery() as nursery:
            for move in moves:
                nursery.start_soon(carry, move)
        return len(moved)

    async def _move(self, move: Move, candidate: _Candidate, factor: int) -> bool:
        """Carry one move out; say whether the blob is where it should be."""
        counted = frozenset(self._fleet.names) - self._fleet.draining
        good = sum(
            is_good(place) and place.backend in counted for place in candidate.places
        )
        error = ""
        outcome = CopyOutcome.OBSOLETE
        try:
            outcome = await self._copier.copy(
                candidate.of,
                candidate.places,
                move.target,
                reason=MOVED,
                takes_from=move.source,
                # A move keeps the number of copies; more of them are replication's.
                factor=min(factor, good),
                counted=counted,
            )
        except (NoRoom, BackendsFailed, BackendError, WriteLost) as failed:
            error = str(failed)
        if outcome is CopyOutcome.OBSOLETE and not error:
            return False  # it was overwritten or deleted meanwhile
        self._observer.note(
            RebalanceMoved(
                strategy=self._pace().strategy,
                key=f"{candidate.of.bucket}/{candidate.of.key}",
                source=move.source,
                target=move.target,
                size=move.blob.stored_bytes,
                error=error,
            )
        )
        return not error


async def _look(
    tx: Tx, backend: BackendName, after: str, limit: int
) -> tuple[list[CopyRow], list[_Candidate]]:
    rows = await list_copies_by_backend(tx, backend, after, limit)
    candidates: list[_Candidate] = []
    for row in rows:
        if not is_good(row.location) or row.location.is_imported:
            continue
        try:
            found = await find_blob(tx, row.version_id, row.blob)
        except LedgerDamaged:
            continue  # it stays where it is; fsck tells of it
        if found is None:
            continue
        of, places = found
        blob = MovableBlob(
            version_id=row.version_id,
            blob=row.blob,
            storage_key=row.location.storage_key,
            stored_bytes=row.location.stored_bytes,
            # At least the client's: a backend's limit on them is kept in any case.
            size=row.location.stored_bytes,
            holders=frozenset(place.backend for place in places),
        )
        candidates.append(_Candidate(of, tuple(places), blob))
    return rows, candidates
