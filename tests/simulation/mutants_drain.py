"""Plausible mistakes in moving blobs and in taking backends away."""

import pytest

from s3o.ledger import backend_removal, copies, drains
from s3o.ledger.seam import Tx
from s3o.model.names import BackendName
from s3o.policy.leaving import Leave
from s3o.services import drain_moves
from tests.simulation.mutants import killed_by


@killed_by("drain")
def sources_go_without_good_copies(patch: pytest.MonkeyPatch) -> None:
    """A copy leaves whatever else there is."""
    patch.setattr(drain_moves, "choose_way", lambda *_given, **_more: Leave())
    patch.setattr(copies, "_good_without", lambda *_given: 99)


@killed_by("drain and overwrite")
def moves_ignore_the_version(patch: pytest.MonkeyPatch) -> None:
    """A copy is recorded for bytes that were overwritten while they moved."""
    find = copies.find_kept_version
    remembered: dict[str, object] = {}

    async def find_or_remember(tx: Tx, version_id: str) -> object:
        found = await find(tx, version_id)  # type: ignore[arg-type]
        if found is not None:
            remembered[version_id] = found
        return remembered.get(version_id)

    patch.setattr(copies, "find_kept_version", find_or_remember)
    patch.setattr(copies, "_is_wanted", lambda *_given: True)


@killed_by("drain")
def drains_end_when_objects_are_gone(patch: pytest.MonkeyPatch) -> None:
    """Bytes to be deleted, and writes under way, are nobody's business."""

    async def has_no_locations(tx: Tx, backend: BackendName) -> bool:
        row = await tx.one("count_remaining", backend_name=backend)
        return row is not None and row[0] == 0

    patch.setattr(drains, "is_empty", has_no_locations)


@killed_by("purge")
def removals_end_before_the_bytes_are_gone(patch: pytest.MonkeyPatch) -> None:
    """The last rows go, and others are left that name the backend."""

    async def always(_tx: Tx, _backend: BackendName) -> bool:
        return True

    patch.setattr(backend_removal, "is_empty", always)
