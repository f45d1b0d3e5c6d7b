"""Read every copy of every blob in turn, and repair what is found to be wrong.

A pass takes the next few copies of each backend, in the order of their names, from a
cursor in the ledger: after enough passes every copy was read, and then it begins anew.
That is no sample: no copy waits longer than any other. A backend that is down,
throttles or is over a monthly limit keeps its place in the walk; a single copy that
cannot be read in two passes has its turn in the next round. Such errors prove nothing.

Copies that reads, copying or the reconciler made suspect are repaired in every pass,
and soon after they were found: whoever finds one pokes.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import trio

from s3o.backends.fleet import Fleet
from s3o.backends.guard import Guarded
from s3o.ledger.checks import find_stored
from s3o.ledger.copies import note_verified
from s3o.ledger.copy_rows import CopyRow, list_copies_by_backend
from s3o.ledger.ledger import Ledger
from s3o.ledger.scrubbing import (
    BlobId,
    count_copies,
    list_suspects,
    put_cursor,
    put_sha256,
    read_cursors,
)
from s3o.ledger.seam import Tx
from s3o.model.errors import (
    BackendCircuitOpen,
    BackendError,
    BackendOverUsage,
    BackendsFailed,
    BackendThrottled,
    LedgerDamaged,
)
from s3o.model.facts import CopiesObserved, IntegrityChecked, ScrubRoundEnded
from s3o.model.limits import REPAIR_BATCH
from s3o.model.names import BackendName, StorageKey, VersionId
from s3o.model.seams import Clock, Observer
from s3o.model.values import LocationState, StoredObject
from s3o.objects.blob_check import BlobChecker, Checked, Verdict
from s3o.objects.integrity import Integrity
from s3o.services.backfill import Backfill
from s3o.services.progress import Progress
from s3o.services.repair import Outcome, Repairer
from s3o.services.service import Wakeup

OPERATION = "scrub"
GATHER_S = 5.0  # a bad disk makes many copies suspect at once
RETRY_S = 3600.0  # before a blob that could not be repaired is tried again
IDLE_S = 3600.0  # between looks at what is suspect, where nothing is scrubbed

# What says that a backend wants to be left alone, not that a blob is bad.
_STOPS = (BackendCircuitOpen, BackendOverUsage, BackendThrottled)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrubPace:
    """What the configuration asks for; interval_s 0: nothing is read in the walk."""

    is_enabled: bool = False
    interval_s: float = 0.0
    batch: int = 100


@dataclass(slots=True, kw_only=True)
class Scrubbed:
    """What one pass did. failed: copies found wrong or missing; unread: not judged."""

    checked: int = 0
    failed: int = 0
    unread: int = 0
    repaired: int = 0
    quarantined: int = 0

    def __str__(self) -> str:
        """Say it in a few words; nothing done is ""."""
        told = (
            ("checked", self.checked),
            ("failed", self.failed),
            ("unread", self.unread),
            ("repaired", self.repaired),
            ("quarantined", self.quarantined),
        )
        return ", ".join(f"{word} {count}" for word, count in told if count)


class Scrubber:
    """The service."""

    name = "scrubber"
    is_exclusive = True
    gather_s = GATHER_S

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        clock: Clock,
        *,
        checker: BlobChecker,
        repairer: Repairer,
        integrity: Integrity,
        backfill: Backfill,
        pace: Callable[[], ScrubPace],
        stopping: trio.Event,
    ) -> None:
        self.wakeup = Wakeup()
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock
        self._checker = checker
        self._repairer = repairer
        self._integrity = integrity
        self._backfill = backfill
        self._pace = pace
        self._stopping = stopping
        self._walked_s: float | None = None
        self._walks = 0
        self._stuck: dict[BackendName, StorageKey] = {}  # what ended the last walk
        self._tried: dict[
            BlobId, float
        ] = {}  # when a repair was last tried and did not end

    @property
    def interval_s(self) -> float:
        """Between passes, as configured."""
        pace = self._pace()
        is_walking = pace.is_enabled and pace.interval_s
        return pace.interval_s if is_walking else IDLE_S

    def poke(self) -> None:
        """Run soon: a copy was found to be bad."""
        self.wakeup.poke()

    async def run_once(self) -> str:
        """Repair what is suspect; walk on, unless it is only a poke."""
        pace, now_s = self._pace(), self._clock.monotonic_s()
        is_due = self._walked_s is None or now_s >= self._walked_s + pace.interval_s
        done = Scrubbed()
        await self._repair_suspects(done)
        if pace.is_enabled and pace.interval_s and is_due:
            self._walked_s = now_s
            await self._walk(pace.batch, done)
            await self._tell_coverage()
        return str(done)

    async def cycle(self, batch: int | None = None) -> Scrubbed:
        """Look at up to batch copies (None: as configured), and repair; for people."""
        done = Scrubbed()
        self._tried.clear()
        await self._repair_suspects(done)
        await self._walk(batch or self._pace().batch, done)
        await self._tell_coverage()
        return done

    async def backfill(self, batch: int, progress: Progress | None) -> int:
        """Compute the SHA-256 of every version without one; return how many got it."""
        return await self._backfill.run(batch, progress)

    async def _walk(self, batch: int, done: Scrubbed) -> None:
        cursors = await self._ledger.read(read_cursors)
        backends = list(self._fleet)
        self._walks += 1
        turn = self._walks % len(backends) if backends else 0
        backends = backends[turn:] + backends[:turn]  # whose share is rounded up
        for position, backend in enumerate(backends):
            # What a backend with few copies leaves, the next one may use; each has one.
            share = max(-(-batch // (len(backends) - position)), 1)
            batch -= await self._walk_backend(
                backend, cursors.get(backend.name, ""), share, done
            )

    async def _walk_backend(
        self, backend: Guarded, after: str, share: int, done: Scrubbed
    ) -> int:
        """Look at the next copies on one backend; return how many."""
        if not backend.may_call() or self._stopping.is_set():
            return 0
        page = await self._ledger.read(
            partial(
                list_copies_by_backend,
                backend=backend.name,
                after_storage_key=after,
                limit=share,
            )
        )
        looked_at = 0
        for row in page:
            if self._stopping.is_set():
                return looked_at
            if not await self._look(row, done):
                return looked_at
            looked_at += 1
        if len(page) < share:
            await self._ledger.write(
                partial(put_cursor, backend=backend.name, after="")
            )
            self._observer.note(ScrubRoundEnded(backend=backend.name))
        return looked_at

    async def _look(self, row: CopyRow, done: Scrubbed) -> bool:
        """Judge one copy; False: its backend wants to be left alone."""
        place = row.location
        checked = None
        stored = await self._find(row.version_id)
        if stored is not None:
            try:
                checked = await self._checker.check(stored, place)
            except (BackendError, BackendsFailed) as error:
                # Of another blob's backend it says nothing about this walk.
                if isinstance(error, _STOPS) and error.backend == place.backend:
                    return False
                done.unread += 1
                if self._stuck.get(place.backend) != place.storage_key:
                    self._stuck[place.backend] = place.storage_key
                    return False
        if stored is None or checked is None:
            await self._ledger.write(
                partial(put_cursor, backend=place.backend, after=place.storage_key)
            )
            return True
        done.checked += 1
        self._observer.note(IntegrityChecked(operation=OPERATION))
        if checked.verdict in (Verdict.WRONG, Verdict.MISSING):
            # Before the walk goes on: who dies in between must meet it once more.
            done.failed += 1
            await self._accuse(row, stored, checked, done)
        await self._write_down(row, stored, checked)
        return True

    async def _find(self, version_id: VersionId) -> StoredObject | None:
        try:
            return await self._ledger.read(partial(find_stored, version_id=version_id))
        except LedgerDamaged:
            return None  # fsck tells of it

    async def _write_down(
        self, row: CopyRow, stored: StoredObject, checked: Checked
    ) -> None:
        """Record a proof, what it taught, and how far the walk has come."""
        place = row.location
        is_right = checked.verdict is Verdict.RIGHT
        is_hashed = stored.version.sha256 is not None

        async def write(tx: Tx) -> None:
            await put_cursor(tx, place.backend, place.storage_key)
            if is_right and checked.stored_md5:
                await note_verified(
                    tx,
                    row.version_id,
                    row.blob,
                    place.backend,
                    place.storage_key,
                    self._clock.now_us(),
                    checked.stored_md5,
                )
            if is_right and not is_hashed and checked.sha256 is not None:
                await put_sha256(tx, stored.version, checked.sha256)

        await self._ledger.write(write)

    async def _accuse(
        self, row: CopyRow, stored: StoredObject, checked: Checked, done: Scrubbed
    ) -> None:
        """A copy is wrong or missing: write it down, and repair the blob at once."""
        place = row.location
        if place.state not in (LocationState.LIVE, LocationState.SUSPECT):
            return  # known, and told
        if checked.verdict is Verdict.WRONG:
            await self._integrity.suspect(OPERATION, stored.version, [place])
        else:
            await self._integrity.miss(stored.version, place)
        await self._repair(BlobId(row.version_id, row.blob), done)

    async def _repair_suspects(self, done: Scrubbed) -> None:
        """Try a batch of blobs that were not tried of late; more have their turn soon.

        Those that cannot be repaired now must not hide the ones behind them.
        """
        now_s = self._clock.monotonic_s()
        self._tried = {
            blob: tried_s
            for blob, tried_s in self._tried.items()
            if now_s < tried_s + RETRY_S
        }
        left, after = REPAIR_BATCH, BlobId(VersionId(""), 0)
        while True:
            page = await self._ledger.read(
                partial(list_suspects, after=after, limit=REPAIR_BATCH)
            )
            for blob in page:
                if self._stopping.is_set():
                    return
                if blob in self._tried:
                    continue
                if not left:
                    self.poke()
                    return
                left -= 1
                await self._repair(blob, done)
            if len(page) < REPAIR_BATCH:
                return
            after = page[-1]

    async def _repair(self, blob: BlobId, done: Scrubbed) -> None:
        outcome = None
        with contextlib.suppress(LedgerDamaged):  # fsck tells of it
            outcome = await self._repairer.repair(blob)
        if outcome not in (Outcome.REPAIRED, Outcome.FINE):
            self._tried[blob] = self._clock.monotonic_s()
        done.repaired += outcome is Outcome.REPAIRED
        done.quarantined += outcome is Outcome.QUARANTINED

    async def _tell_coverage(self) -> None:
        counts = await self._ledger.scan(count_copies)
        oldest_us = min(
            (one.oldest_us for one in counts.values()), default=self._clock.now_us()
        )

        def count(state: LocationState) -> int:
            return counts[state].count if state in counts else 0

        self._observer.note(
            CopiesObserved(
                live=count(LocationState.LIVE),
                suspect=count(LocationState.SUSPECT),
                lost=count(LocationState.LOST),
                quarantined=count(LocationState.QUARANTINED),
                oldest_proof_s=max(self._clock.now_us() - oldest_us, 0) / 1_000_000,
            )
        )
