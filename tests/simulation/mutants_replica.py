"""Plausible mistakes in making, moving and removing copies."""

from collections.abc import Sequence

import pytest

from s3o.ledger import copies
from s3o.ledger.copy_rows import BlobIdentity, find_kept_version
from s3o.ledger.pending import IntentKind, IntentRow
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Tx
from s3o.model.values import Location, LocationState
from s3o.objects.blob_copies import BlobCopier
from s3o.objects.blob_source import BlobSource
from s3o.services import over_replication, pending_reaper
from tests.simulation.mutants import killed_by


@killed_by("clean surplus")
def cleaner_goes_below_the_factor(patch: pytest.MonkeyPatch) -> None:
    """The cleaner counts one copy less than it should, and nobody looks again."""
    clean = over_replication.OverReplicationCleaner._clean_one

    async def clean_more(self, mark, rules, done) -> None:  # type: ignore[no-untyped-def]
        fewer = over_replication.ReplicationRules(factor=rules.factor - 1)
        await clean(self, mark, fewer, done)

    patch.setattr(over_replication.OverReplicationCleaner, "_clean_one", clean_more)


@killed_by("clean surplus")
def surplus_is_counted_before_the_removal(patch: pytest.MonkeyPatch) -> None:
    """Each removal counts itself among the others that remain."""
    patch.setattr(copies, "_good_without", lambda places, *_given: len(places) + 1)
    patch.setattr(
        over_replication,
        "plan_removals",
        lambda places, *_given: [(place, 0.0) for place in places] * 2,
    )


@killed_by("replicate and overwrite")
def copies_outlive_their_version(patch: pytest.MonkeyPatch) -> None:
    """A copy is recorded although its version was overwritten meanwhile."""
    seen: dict[object, object] = {}

    async def remember(tx: Tx, version_id):  # type: ignore[no-untyped-def]
        found = await find_kept_version(tx, version_id)
        seen[version_id] = found or seen.get(version_id)
        return seen[version_id]

    patch.setattr(copies, "find_kept_version", remember)
    patch.setattr(copies, "_is_wanted", lambda *_given: True)


@killed_by("replicate from bad bytes")
def sources_are_not_compared(patch: pytest.MonkeyPatch) -> None:
    """What a source delivers is taken for the blob."""

    def finish(self: BlobSource) -> None:
        self._is_finished = True

    def is_wanted(
        _intent: IntentRow, _proof: object, places: Sequence[Location]
    ) -> bool:
        return bool(places)

    patch.setattr(BlobSource, "_finish", finish)
    patch.setattr(copies, "_is_wanted", is_wanted)


@killed_by("replicate, lost answer")
def unproved_copies_count(patch: pytest.MonkeyPatch) -> None:
    """A copy is recorded when it is announced, as a good one."""
    open_copy = copies.open_copy

    async def open_and_record(tx: Tx, new: copies.NewCopy) -> copies.OpenedCopy:
        opened = await open_copy(tx, new)
        proof = copies.CopyProof(stored_md5=new.stored_md5 or "", is_verified=True)
        await copies.commit_copy(tx, new.storage_key, proof, new.now_us)
        return opened

    patch.setattr("s3o.objects.blob_copies.open_copy", open_and_record)


@killed_by("move a copy")
def moves_take_the_source_first(patch: pytest.MonkeyPatch) -> None:
    """The source leaves the ledger before the target has the bytes."""
    transfer = BlobCopier._transfer

    async def take_first(self, wish, *given):  # type: ignore[no-untyped-def]
        async def take(tx: Tx) -> None:
            await _take_source(tx, wish.of, wish.places, wish.takes_from)

        if wish.takes_from is not None:
            await self._ledger.write(take)
        return await transfer(self, wish, *given)

    patch.setattr(BlobCopier, "_transfer", take_first)


async def _take_source(
    tx: Tx, of: BlobIdentity, places: Sequence[Location], name: object
) -> None:
    for place in places:
        if place.backend == name and place.state is LocationState.LIVE:
            moves = QuotaMoves()
            owner = copies._Owner(of.version_id, of.bucket_id, of.key)
            await copies._take(tx, owner, place, moves, "moved", 1)
            await moves.apply(tx)


@killed_by("replicate")
def reaper_leaves_copies_alone(patch: pytest.MonkeyPatch) -> None:
    """Nobody drops the intent of a copy whose process died."""
    resolve = pending_reaper.PendingReaper._resolve

    async def all_but_copies(
        self: pending_reaper.PendingReaper, intent: IntentRow
    ) -> str | None:
        if intent.kind is IntentKind.COPY:
            return None
        return await resolve(self, intent)

    patch.setattr(pending_reaper.PendingReaper, "_resolve", all_but_copies)
