"""Plausible mistakes in checking and repairing copies."""

import pytest

from s3o.ledger import copies
from s3o.ledger.copies import _Owner
from s3o.ledger.copy_rows import BlobOf
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Tx
from s3o.model.errors import BackendError
from s3o.model.names import BackendName
from s3o.model.values import Interval, Location, LocationState, StoredObject
from s3o.objects.blob_check import BlobChecker, Checked, Verdict
from s3o.objects.blob_source import BlobSource
from s3o.objects.integrity import Integrity, proof_of
from s3o.policy.repair import Finding, RepairPlan
from s3o.services.repair import Repairer
from s3o.wire.proofs import BodyProof
from tests.simulation.mutants import killed_by


@killed_by("scrub the last copy")
def scrubber_deletes_the_last_copy(patch: pytest.MonkeyPatch) -> None:
    """What is wrong goes, whether or not anything is left of the object."""

    async def delete(
        self: Repairer,
        of: BlobOf,
        places: dict[BackendName, Location],
        plan: RepairPlan,
    ) -> None:
        async def take(tx: Tx) -> None:
            moves = QuotaMoves()
            owner = _Owner(of.version_id, of.bucket_id, of.key)
            for name in plan.quarantine:
                await copies._take(tx, owner, places[name], moves, "bad", 1)
            await moves.apply(tx)

        await self._ledger.write(take)

    patch.setattr(Repairer, "_write_down", delete)


@killed_by("read a range")
def ranges_are_judged(patch: pytest.MonkeyPatch) -> None:
    """The digest of the whole is compared with whatever was read."""

    def proof(
        _self: Integrity, stored: StoredObject, interval: Interval | None
    ) -> BodyProof | None:
        return proof_of(stored) if interval is not None else None

    patch.setattr(Integrity, "proof_of_read", proof)


@killed_by("scrub two bad copies")
def repairs_come_from_unproved_copies(patch: pytest.MonkeyPatch) -> None:
    """A copy against which nothing is known is taken for a good one."""
    look = Repairer._look

    async def believe(self: Repairer, stored: StoredObject, place: Location) -> Finding:
        if place.state is LocationState.LIVE:
            return Finding.GOOD
        return await look(self, stored, place)

    patch.setattr(Repairer, "_look", believe)
    # What was read from it would be recorded as unproved all the same.
    patch.setattr(BlobSource, "is_known", property(lambda _self: True))


@killed_by("scrub, truncated")
def failures_count_as_wrong_bytes(patch: pytest.MonkeyPatch) -> None:
    """A backend that breaks off is taken for one that has other bytes."""
    check = BlobChecker.check

    async def judge(
        self: BlobChecker, stored: StoredObject, location: Location
    ) -> Checked:
        try:
            return await check(self, stored, location)
        except BackendError as error:
            return Checked(verdict=Verdict.WRONG, reason=str(error))

    patch.setattr(BlobChecker, "check", judge)


@killed_by("read a bad copy")
def bodies_are_not_judged(patch: pytest.MonkeyPatch) -> None:
    """What a backend delivers is what was stored."""
    patch.setattr(BodyProof, "is_right", lambda _self: True)
