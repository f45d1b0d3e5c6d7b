"""Plausible mistakes in comparing listings with the ledger."""

import pytest

from s3o.backends.guard import Guarded
from s3o.ledger import imports
from s3o.ledger.imports import Verdict
from s3o.ledger.reconcile import Finding
from s3o.ledger.seam import Tx
from s3o.model.names import ObjectKey
from s3o.model.values import BlobInfo, Bucket
from s3o.policy.importing import Shape
from s3o.services import importing, reconcile_findings, reconcile_pass
from s3o.services.reconcile_counts import BackendCounts
from s3o.services.reconcile_findings import Settler
from tests.simulation.mutants import killed_by


@killed_by("reconcile, a backend empty for an hour")
def one_listing_is_enough(patch: pytest.MonkeyPatch) -> None:
    """What is missing, or unknown, once is concluded at once."""

    def is_ripe(finding: Finding, mark_us: int) -> bool:
        return finding.seen_us == mark_us

    patch.setattr(reconcile_findings, "_is_ripe", is_ripe)


@killed_by("reconcile, listings that leave out")
def listings_are_believed(patch: pytest.MonkeyPatch) -> None:
    """The HEAD's answer does not count against two listings."""
    judge = Settler._judge_missing

    async def believe(
        settler: Settler,
        backend: Guarded,
        finding: Finding,
        _info: BlobInfo | None,
        counts: BackendCounts,
        seen_us: int,
    ) -> None:
        await judge(settler, backend, finding, None, counts, seen_us)

    patch.setattr(Settler, "_judge_missing", believe)


@killed_by("reconcile, bytes of a deleted object")
def tombstones_are_ignored(patch: pytest.MonkeyPatch) -> None:
    """A key without a version is free for an import."""

    async def judge(
        tx: Tx, bucket: Bucket, key: ObjectKey, _modified_at_us: int | None
    ) -> Verdict:
        row = await tx.one("find_key_history", bucket_id=bucket.id, key=key)
        assert row is not None
        return Verdict.IMPORTED if row[0] is None else Verdict.TAKEN

    patch.setattr(imports, "judge_import", judge)
    patch.setattr(importing, "judge_import", judge)


@killed_by("reconcile, foreign objects")
def own_names_are_imported(patch: pytest.MonkeyPatch) -> None:
    """Bytes that a ledger must account for pass for somebody's object."""
    for module in (importing, reconcile_pass):
        patch.setattr(module, "shape_of", lambda _name: Shape.FOREIGN)
