"""Remove the copies over the factor: of each blob those that are worth least.

Bad ones go first, then those on draining backends, on broken ones, then on the fullest.
Those that stay are asked for first: a copy is removed only while the others are seen on
their backends, and only if the ledger, at that very moment, has factor good ones left.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import trio

from s3o.backends.fleet import Fleet
from s3o.ledger.copies import remove_copy
from s3o.ledger.copy_rows import BlobOf, find_blob
from s3o.ledger.copy_scan import BlobMark, Look, look_for_surplus
from s3o.ledger.ledger import Ledger
from s3o.ledger.quotas import quota_rows
from s3o.ledger.seam import Tx
from s3o.model.errors import LedgerDamaged
from s3o.model.facts import (
    CopyRemoved,
    OverReplicationBegan,
    OverReplicationObserved,
    OverReplicationRan,
)
from s3o.model.seams import Clock, Observer
from s3o.model.values import Location, QuotaRow
from s3o.policy.replication import plan_removals
from s3o.services.copy_checks import CopyProver, look_at_fleet
from s3o.services.replicator import COUNTED_AT_ONCE, ReplicationRules
from s3o.services.safety import always
from s3o.services.service import Wakeup

REASON = "over_replication"


@dataclass(slots=True)
class Cleaned:
    """What one cycle did: copies removed, blobs looked at, blobs that failed."""

    removed: int = 0
    checked: int = 0
    failed: int = 0

    def __str__(self) -> str:
        return f"removed {self.removed}, checked {self.checked}" if self.checked else ""


class OverReplicationCleaner:
    """The service."""

    name = "over-replication"
    is_exclusive = True
    gather_s = 0.5

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        clock: Clock,
        *,
        rules: Callable[[], ReplicationRules],
        poke_cleanup: Callable[[], None],
        stopping: trio.Event,
        may_destroy: Callable[[], bool] = always,
    ) -> None:
        self.wakeup = Wakeup()
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock
        self._rules = rules
        self._poke_cleanup = poke_cleanup
        self._stopping = stopping
        self._may_destroy = may_destroy
        self._prover = CopyProver(ledger, fleet, observer, clock)
        self._mark = BlobMark()

    @property
    def interval_s(self) -> float:
        """The replicator's, as configured."""
        return self._rules().interval_s

    async def run_once(self) -> str:
        """Clean a batch; go on at once while there are more."""
        if self._rules().factor < 2 or not self._may_destroy():
            return ""
        done = await self.cycle()
        if self._mark != BlobMark() and not self._stopping.is_set():
            self.wakeup.poke()
        return str(done)

    async def cycle(self, batch: int | None = None) -> Cleaned:
        """Clean up to batch blobs (None: as configured), from where the last ended."""
        rules, done = self._rules(), Cleaned()
        if rules.factor < 2 or not self._may_destroy():
            return done
        if self._mark == BlobMark():
            self._observer.note(OverReplicationObserved(pending=await self.pending()))
        began_s, status = self._clock.monotonic_s(), "error"
        try:
            await self._clean_batch(rules, batch or rules.batch, done)
            status = "success"
        finally:
            self._observer.note(
                OverReplicationRan(
                    status=status,
                    removed=done.removed,
                    checked=done.checked,
                    failed=done.failed,
                    duration_s=self._clock.monotonic_s() - began_s,
                )
            )
        return done

    async def pending(self) -> int:
        """Count the blobs with more locations than the factor asks for."""
        rules, mark, count = self._rules(), BlobMark(), 0
        if rules.factor < 2:
            return 0
        while True:
            look = await self._look(rules, mark, COUNTED_AT_ONCE)
            count += len(look.found)
            if look.mark is None:
                return count
            mark = look.mark

    async def _clean_batch(
        self, rules: ReplicationRules, batch: int, done: Cleaned
    ) -> None:
        left = batch
        while left > 0 and not self._stopping.is_set():
            look = await self._look(rules, self._mark, left)
            await self._clean(look, rules, done)
            left -= len(look.found)
            self._mark = look.mark or BlobMark()
            if look.mark is None:
                break
        if done.removed:
            self._poke_cleanup()

    async def _look(self, rules: ReplicationRules, after: BlobMark, limit: int) -> Look:
        return await self._ledger.scan(
            partial(look_for_surplus, after=after, factor=rules.factor, limit=limit)
        )

    async def _clean(self, look: Look, rules: ReplicationRules, done: Cleaned) -> None:
        limiter = trio.CapacityLimiter(rules.concurrency)

        async def work(mark: BlobMark) -> None:
            async with limiter:
                if self._stopping.is_set() or not self._may_destroy():
                    return
                try:
                    await self._clean_one(mark, rules, done)
                except LedgerDamaged:  # of this blob alone; fsck tells of it
                    done.failed += 1

        async with trio.open_nursery() as nursery:
            for mark in look.found:
                nursery.start_soon(work, mark)

    async def _clean_one(
        self, mark: BlobMark, rules: ReplicationRules, done: Cleaned
    ) -> None:
        found, rows = await self._ledger.read(partial(_look_at, mark=mark))
        if found is None:
            return
        of, places = found
        if not done.checked:
            self._observer.note(
                OverReplicationBegan(factor=rules.factor, batch_size=rules.batch)
            )
        done.checked += 1
        fleet = look_at_fleet(self._fleet, rows, self._clock.monotonic_s())
        plan = plan_removals(places, fleet, rules.factor)
        over = max(len(plan) - rules.factor, 0)
        stay = frozenset(
            [
                place.backend
                for place, _ in plan[over:]
                if self._fleet.find(place.backend) is not None
                and await self._prover.is_there(of, place)
            ]
        )
        for place, score in plan[:over]:
            is_removed = await self._ledger.write(
                partial(
                    remove_copy,
                    version_id=of.version_id,
                    blob=of.blob,
                    backend=place.backend,
                    keep=rules.factor,
                    reason=REASON,
                    now_us=self._clock.now_us(),
                    counted=stay,
                )
            )
            if not is_removed:
                done.failed += 1
                continue
            done.removed += 1
            self._observer.note(
                CopyRemoved(
                    key=of.key,
                    backend=place.backend,
                    size=place.stored_bytes,
                    score=f"{score:.3f}",
                )
            )


async def _look_at(
    tx: Tx, mark: BlobMark
) -> tuple[tuple[BlobOf, list[Location]] | None, list[QuotaRow]]:
    found = await find_blob(tx, mark.version_id, mark.blob)
    return found, await quota_rows(tx)
