"""Make the copies that blobs lack.

What was written a moment ago is told to it and gets its copies within seconds. Once per
interval it also goes through the whole ledger, a batch per pass, one pass after the
other until the end: what cannot be copied now keeps nothing else waiting. A backend
that is down longer than the threshold counts as lost, and its copies are replaced;
when it comes back the surplus is removed (over_replication).

Correctness is the ledger's: a copy is recorded only for a version that still wants it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import trio

from s3o.backends.fleet import Fleet
from s3o.ledger.copies import CopyOutcome
from s3o.ledger.copy_rows import BlobOf, copies_of, find_blob
from s3o.ledger.copy_scan import BlobMark, look_for_thin
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
    CopyMade,
    ReplicationBegan,
    ReplicationFailed,
    ReplicationObserved,
    ReplicationRan,
)
from s3o.model.names import BackendName
from s3o.model.seams import Clock, Observer
from s3o.model.values import Location, QuotaRow
from s3o.objects.blob_check import BlobChecker
from s3o.objects.blob_copies import BlobCopier
from s3o.objects.blob_source import order_sources
from s3o.objects.wanted import CopiesWanted
from s3o.policy.replication import (
    Health,
    counted_backends,
    good_copies,
    plan_targets,
    unproved_copies,
)
from s3o.services.copy_checks import CopyProver, look_at_fleet
from s3o.services.service import Wakeup

GATHER_S = 0.5  # a burst of writes is one pass
SHORTEST_WAIT_S = 5.0  # where another instance does the work
COUNTED_AT_ONCE = 10_000
REASON = "replication"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationRules:
    """What the configuration asks for; factor 1 is nothing.

    verifies: a copy whose backend proves nothing is read back before it is recorded.
    """

    factor: int = 1
    interval_s: float = 300.0
    batch: int = 50
    concurrency: int = 5
    unhealthy_threshold_s: float = 600.0
    verifies: bool = True


@dataclass(slots=True)
class Replicated:
    """What one cycle did: copies made, blobs looked at, blobs that still lack some."""

    created: int = 0
    checked: int = 0
    failed: int = 0

    def __str__(self) -> str:
        if not self.checked:
            return ""
        return f"copied {self.created}, checked {self.checked}, failed {self.failed}"


@dataclass(frozen=True, slots=True)
class _Blob:
    """One blob as it is now, among backends as they are now."""

    of: BlobOf
    places: list[Location]
    rows: list[QuotaRow]
    fleet: list[Health] = field(default_factory=list)


class Replicator:
    """The service."""

    name = "replicator"
    is_exclusive = True
    gather_s = GATHER_S

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        clock: Clock,
        *,
        copier: BlobCopier,
        wanted: CopiesWanted,
        rules: Callable[[], ReplicationRules],
        stopping: trio.Event,
        checker: BlobChecker | None = None,
    ) -> None:
        self.wakeup = Wakeup()
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock
        self._copier = copier
        self._wanted = wanted
        self._rules = rules
        self._stopping = stopping
        self._prover = CopyProver(ledger, fleet, observer, clock, checker)
        self._mark = BlobMark()
        self._began_s: float | None = None  # the tour through the ledger, or the last
        self._is_touring = True
        self._pending = 0

    @property
    def interval_s(self) -> float:
        """Until the next tour begins; none was made yet: at once."""
        rules = self._rules()
        if rules.factor < 2:
            return rules.interval_s
        left_s = 0.0
        if self._began_s is not None and not self._is_touring:
            left_s = self._began_s + rules.interval_s - self._clock.monotonic_s()
        return max(left_s, min(SHORTEST_WAIT_S, rules.interval_s))

    @property
    def is_on(self) -> bool:
        """Whether there are to be copies at all."""
        return self._rules().factor > 1

    def poke(self) -> None:
        """Run soon: something wants copies."""
        self.wakeup.poke()

    async def run_once(self) -> str:
        """Copy a batch of what was just written, and one of what the tour finds."""
        rules = self._rules()
        if rules.factor < 2:
            self._wanted.clear()
            return ""
        done = Replicated()
        fresh = await self._take_wanted(rules.batch)
        now_s = self._clock.monotonic_s()
        if self._began_s is not None and now_s >= self._began_s + rules.interval_s:
            self._is_touring = True
        with _Run(self._observer, self._clock, done):
            await self._work_on(fresh, rules, done)
            if self._is_touring:
                await self._tour(rules, rules.batch, done)
        if self._is_touring or not self._wanted.is_empty:
            self.wakeup.poke()
        return str(done)

    async def cycle(self, batch: int | None = None) -> Replicated:
        """Copy up to batch blobs (None: as configured), from where the tour is."""
        rules, done = self._rules(), Replicated()
        if rules.factor < 2:
            return done
        with _Run(self._observer, self._clock, done):
            await self._tour(rules, batch or rules.batch, done)
        return done

    async def pending(self) -> int:
        """Count the blobs with fewer good copies than the factor asks for."""
        rules, mark, count = self._rules(), BlobMark(), 0
        if rules.factor < 2:
            return 0
        counted = self._counted(rules)
        while True:
            look = await self._ledger.scan(
                partial(
                    look_for_thin,
                    after=mark,
                    factor=rules.factor,
                    counted=counted,
                    limit=COUNTED_AT_ONCE,
                )
            )
            count += len(look.found)
            if look.mark is None:
                return count
            mark = look.mark

    async def _tour(
        self, rules: ReplicationRules, batch: int, done: Replicated
    ) -> None:
        """Go on through the ledger until batch blobs were met, or its end."""
        if self._mark == BlobMark():
            self._began_s = self._clock.monotonic_s()
            self._pending = await self.pending()
            self._is_touring = True
        counted, left, created = self._counted(rules), batch, done.created
        while left > 0 and not self._stopping.is_set():
            look = await self._ledger.scan(
                partial(
                    look_for_thin,
                    after=self._mark,
                    factor=rules.factor,
                    counted=counted,
                    limit=left,
                )
            )
            await self._work_on(look.found, rules, done)
            left -= len(look.found)
            self._mark = look.mark or BlobMark()
            if look.mark is None:
                self._is_touring = False
                break
        self._pending = max(0, self._pending - (done.created - created))
        self._observer.note(ReplicationObserved(pending=self._pending))

    async def _take_wanted(self, limit: int) -> list[BlobMark]:
        """Return the blobs of what was just written, as many as a batch has."""
        marks: list[BlobMark] = []
        while not self._wanted.is_empty and len(marks) < limit:
            [version_id] = self._wanted.take(1)
            try:
                places = await self._ledger.read(
                    partial(copies_of, version_id=version_id)
                )
            except LedgerDamaged:
                continue  # the tour tells of it
            blobs = dict.fromkeys(place.blob for place in places)
            marks += [BlobMark(version_id, blob) for blob in blobs]
        return marks[:limit]  # an upload of more blobs is left to the tour

    async def _work_on(
        self, marks: Sequence[BlobMark], rules: ReplicationRules, done: Replicated
    ) -> None:
        limiter = trio.CapacityLimiter(rules.concurrency)

        async def work(mark: BlobMark) -> None:
            try:
                await self._replicate(mark, rules, done)
            except LedgerDamaged as error:  # of this blob alone; fsck tells of it
                done.failed += 1
                self._observer.note(
                    ReplicationFailed(key="", reason=f"{mark.version_id}: {error}")
                )
            finally:
                limiter.release_on_behalf_of(mark)

        async with trio.open_nursery() as nursery:
            for mark in marks:
                await limiter.acquire_on_behalf_of(mark)
                if self._stopping.is_set():
                    break
                nursery.start_soon(work, mark)

    async def _replicate(
        self, mark: BlobMark, rules: ReplicationRules, done: Replicated
    ) -> None:
        """Bring one blob to its factor, as far as that goes now."""
        blob = await self._look_at(mark)
        counted = self._counted(rules)
        if blob is None or len(good_copies(blob.places, counted)) >= rules.factor:
            return
        if not done.checked:
            self._observer.note(
                ReplicationBegan(factor=rules.factor, batch_size=rules.batch)
            )
        done.checked += 1
        for place in unproved_copies(blob.places, counted):
            await self._prover.is_there(blob.of, place)
        await self._prover.prove_one(blob.of, blob.places)
        # The bytes are there, only nobody can reach them for longer than is bearable.
        is_for_health = len(good_copies(blob.places, self._fleet.names)) >= rules.factor
        for _ in range(2 * rules.factor):  # some may turn out not to be needed
            blob = await self._look_at(mark)
            if blob is None:
                return
            there = good_copies(blob.places, counted)
            there += unproved_copies(blob.places, counted)
            if len(there) >= rules.factor:
                break
            outcome = await self._copy(blob, rules, is_for_health=is_for_health)
            if outcome is None:
                break
            done.created += outcome is CopyOutcome.COPIED
        if not await self._prove_rest(mark, rules):
            done.failed += 1

    async def _copy(
        self, blob: _Blob, rules: ReplicationRules, *, is_for_health: bool
    ) -> CopyOutcome | None:
        """Make one copy on the best backend that takes it; None: there is none."""
        size = blob.places[0].stored_bytes if blob.places else 0
        order = self._fleet.order_for_write(blob.rows, size=size, stored_size=size)
        reason = "no backend has room or may take it"
        for target in plan_targets(order, blob.places, blob.fleet):
            try:
                outcome = await self._copier.copy(
                    blob.of,
                    blob.places,
                    target,
                    reason=REASON,
                    verify=rules.verifies,
                )
            except BackendsFailed as error:  # no source: no other target helps
                reason = str(error)
                break
            except (NoRoom, BackendError, WriteLost) as error:
                reason = str(error)
                continue
            if outcome is CopyOutcome.COPIED:
                self._note_copy(blob, target, size, is_for_health=is_for_health)
            return outcome
        self._observer.note(ReplicationFailed(key=blob.of.key, reason=reason))
        return None

    def _note_copy(
        self, blob: _Blob, target: BackendName, size: int, *, is_for_health: bool
    ) -> None:
        self._observer.note(
            CopyMade(
                key=blob.of.key,
                source=order_sources(self._fleet, blob.places)[0].backend,
                target=target,
                size=size,
                is_for_health=is_for_health,
            )
        )

    async def _prove_rest(self, mark: BlobMark, rules: ReplicationRules) -> bool:
        """Read the copies that nothing else proves; say whether enough are good."""
        blob = await self._look_at(mark)
        if blob is None:
            return True
        counted = self._counted(rules)
        good = good_copies(blob.places, counted)
        missing = rules.factor - len(good)
        for place in unproved_copies(blob.places, counted):
            if missing > 0:
                md5 = good[0].stored_md5 if good else None
                missing -= await self._prover.read(blob.of, place, md5)
        return missing <= 0

    async def _look_at(self, mark: BlobMark) -> _Blob | None:
        async def look(tx: Tx) -> _Blob | None:
            found = await find_blob(tx, mark.version_id, mark.blob)
            return None if found is None else _Blob(*found, await quota_rows(tx))

        blob = await self._ledger.read(look)
        if blob is None:
            return None
        now_s = self._clock.monotonic_s()
        health = look_at_fleet(self._fleet, blob.rows, now_s)
        return _Blob(blob.of, blob.places, blob.rows, health)

    def _counted(self, rules: ReplicationRules) -> frozenset[BackendName]:
        health = look_at_fleet(self._fleet, (), self._clock.monotonic_s())
        return counted_backends(health, rules.unhealthy_threshold_s)


class _Run:
    """Tells how a pass ended."""

    def __init__(self, observer: Observer, clock: Clock, done: Replicated) -> None:
        self._observer = observer
        self._clock = clock
        self._done = done
        self._began_s = clock.monotonic_s()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._observer.note(
            ReplicationRan(
                status="success" if kind is None else "error",
                created=self._done.created,
                checked=self._done.checked,
                failed=self._done.failed,
                duration_s=self._clock.monotonic_s() - self._began_s,
            )
        )
