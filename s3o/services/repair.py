"""Repair one blob: look at every copy that is in doubt, then act on what was found.

A suspect copy is read again first: one bad read may be the fault of a line or of memory
here, and a copy that proves itself is live again. A bad one is replaced, on its own
backend, by a copy of one that has proved itself; the step in the ledger that records
the new copy takes the bad one away and queues its bytes. Where there is no room for
both, the bad one goes first, and only if a proved copy stays. The last copy of a blob
is never deleted: it is quarantined, and an alarm says so.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial

from s3o.backends.fleet import Fleet
from s3o.ledger.checks import find_stored
from s3o.ledger.copies import CopyOutcome, mark_copy, note_verified, remove_copy
from s3o.ledger.copy_rows import BlobOf, find_blob
from s3o.ledger.ledger import Ledger
from s3o.ledger.scrubbing import BlobId
from s3o.ledger.seam import Tx
from s3o.model.errors import BackendError, BackendsFailed, NoRoom, WriteLost
from s3o.model.facts import CopyJudged
from s3o.model.names import BackendName, VersionId
from s3o.model.seams import Clock, Observer
from s3o.model.values import Location, LocationState, StoredObject
from s3o.objects.blob_check import BlobChecker, Checked, Verdict
from s3o.objects.blob_copies import BlobCopier
from s3o.objects.layout import blob_locations
from s3o.policy.repair import Finding, RepairPlan, plan_repair

FAILED = "integrity_failed"  # why a bad copy's bytes are queued


class Outcome(StrEnum):
    """What became of one blob. waiting: something could not be reached."""

    GONE = "gone"
    FINE = "fine"
    REPAIRED = "repaired"
    QUARANTINED = "quarantined"
    LOST = "lost"
    WAITING = "waiting"


class Repairer:
    """Repairs blobs, one at a time. Owns: nothing."""

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        clock: Clock,
        *,
        checker: BlobChecker,
        copier: BlobCopier,
        may_destroy: Callable[[], bool],
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock
        self._checker = checker
        self._copier = copier
        self._may_destroy = may_destroy

    async def repair(self, blob: BlobId) -> Outcome:
        """Bring a blob's copies in order as far as possible; raises LedgerError."""
        stored = await self._ledger.read(
            partial(find_stored, version_id=blob.version_id)
        )
        named = await self._ledger.read(
            partial(find_blob, version_id=blob.version_id, blob=blob.blob)
        )
        if stored is None or named is None:
            return Outcome.GONE
        of = named[0]
        places = {place.backend: place for place in blob_locations(stored, blob.blob)}
        findings = {
            name: await self._look(stored, place) for name, place in places.items()
        }
        plan = plan_repair(findings)
        await self._write_down(of, places, plan)
        if plan.is_lost:
            return Outcome.LOST
        if plan.quarantine:
            return Outcome.QUARANTINED
        sources = [places[name] for name in plan.sources]
        made = [await self._replace(of, places[name], sources) for name in plan.replace]
        if Finding.OPEN in findings.values() or not all(made):
            return Outcome.WAITING
        return Outcome.REPAIRED if made else Outcome.FINE

    async def _look(self, stored: StoredObject, place: Location) -> Finding:
        """Find out about one copy; what was proved before is proved once more.

        For a good one is about to decide over the others.
        """
        if place.state is LocationState.QUARANTINED:
            return Finding.BAD
        if place.state is LocationState.LOST:
            return Finding.GONE
        if self._fleet.find(place.backend) is None:
            return Finding.OPEN
        try:
            checked = await self._checker.check(stored, place)
        except (BackendError, BackendsFailed):
            return Finding.OPEN
        return await self._conclude(stored, place, checked)

    async def _conclude(
        self, stored: StoredObject, place: Location, checked: Checked
    ) -> Finding:
        match checked.verdict:
            case Verdict.RIGHT if checked.stored_md5:
                await self._note_right(stored, place, checked)
                return Finding.GOOD
            case Verdict.WRONG:
                return Finding.BAD
            case Verdict.MISSING:
                return Finding.GONE
        # It is readable, and nothing is known that speaks against it.
        await self._mark(stored.version.version_id, place, LocationState.LIVE)
        return Finding.OPEN

    async def _note_right(
        self, stored: StoredObject, place: Location, checked: Checked
    ) -> None:
        await self._ledger.write(
            partial(
                note_verified,
                version_id=stored.version.version_id,
                blob=place.blob,
                backend=place.backend,
                storage_key=place.storage_key,
                now_us=self._clock.now_us(),
                stored_md5=checked.stored_md5,
            )
        )
        if place.state is not LocationState.LIVE:
            self._tell("cleared", place, stored.version.key)

    async def _write_down(
        self, of: BlobOf, places: dict[BackendName, Location], plan: RepairPlan
    ) -> None:
        """Write down what is lost and what is quarantined; alarms come first."""
        if plan.is_lost:
            # It stays suspect: a backend that has it again tomorrow serves it.
            for place in places.values():
                self._tell("last_lost", place, of.key)
        for names, state, word in (
            (plan.lose, LocationState.LOST, "lost"),
            (plan.quarantine, LocationState.QUARANTINED, "quarantined"),
        ):
            for name in names:
                place = places[name]
                if place.state is not state:
                    self._tell(word, place, of.key)
                    await self._mark(of.version_id, place, state)

    async def _mark(
        self, version_id: VersionId, place: Location, state: LocationState
    ) -> None:
        if place.state is state:
            return
        await self._ledger.write(
            partial(
                mark_copy,
                version_id=version_id,
                blob=place.blob,
                backend=place.backend,
                state=state,
                now_us=self._clock.now_us(),
                expect=place.storage_key,
            )
        )

    async def _replace(
        self, of: BlobOf, bad: Location, sources: Sequence[Location]
    ) -> bool:
        """Put a good copy in a bad one's place; say whether the bad one is gone."""
        if bad.state is LocationState.QUARANTINED:
            return True  # somebody's to look at, and no longer the only one
        await self._mark(of.version_id, bad, LocationState.SUSPECT)
        try:
            outcome = await self._copier.copy(
                of, sources, bad.backend, reason=FAILED, verify=True
            )
        except NoRoom:
            return await self._remove(of, bad)
        except (BackendError, BackendsFailed, WriteLost):
            return False
        if outcome is CopyOutcome.OBSOLETE:
            return False
        self._tell("repaired", bad, of.key)
        return True

    async def _remove(self, of: BlobOf, bad: Location) -> bool:
        """Give a bad copy's room back; the replicator makes another one somewhere."""
        if not self._may_destroy():
            return False

        async def remove(tx: Tx) -> bool:
            return await remove_copy(
                tx,
                of.version_id,
                of.blob,
                bad.backend,
                keep=1,
                reason=FAILED,
                now_us=self._clock.now_us(),
            )

        is_gone = await self._ledger.write(remove)
        if is_gone:
            self._tell("removed", bad, of.key)
        return is_gone

    def _tell(self, judgement: str, place: Location, key: str) -> None:
        self._observer.note(
            CopyJudged(
                judgement=judgement,
                backend=place.backend,
                key=key,
                storage_key=place.storage_key,
            )
        )
