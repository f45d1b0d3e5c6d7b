"""Plausible mistakes in carrying lifecycle rules out."""

from collections.abc import Callable, Sequence

import pytest

from s3o.ledger.deletes import delete_objects
from s3o.ledger.objects import find_version
from s3o.ledger.seam import Tx
from s3o.model.names import ObjectKey, VersionId
from s3o.model.values import Bucket, ObjectVersion, WriteConditions
from s3o.services import lifecycle
from tests.simulation.mutants import killed_by

Proposed = Sequence[tuple[ObjectKey, VersionId]]


@killed_by("overwritten while it expires")
def lifecycle_deletes_by_key(patch: pytest.MonkeyPatch) -> None:
    """What is current by then is deleted, whatever was listed."""

    async def expire(
        tx: Tx,
        bucket: Bucket,
        proposed: Proposed,
        *,
        is_due: Callable[[ObjectVersion], bool],
        now_us: int,
    ) -> list[ObjectVersion]:
        wanted = [(key, WriteConditions()) for key, _ in proposed]
        await delete_objects(tx, bucket, wanted, now_us)
        return []

    patch.setattr(lifecycle, "expire_versions", expire)


@killed_by("expiry")
def lifecycle_forgets_the_bytes(patch: pytest.MonkeyPatch) -> None:
    """The row goes, the blob stays, and nobody knows it any more."""

    async def expire(
        tx: Tx,
        bucket: Bucket,
        proposed: Proposed,
        *,
        is_due: Callable[[ObjectVersion], bool],
        now_us: int,
    ) -> list[ObjectVersion]:
        for key, version_id in proposed:
            found = await find_version(tx, bucket.id, key)
            if found is not None and found.version_id == version_id:
                await tx.run("delete_object", bucket_id=bucket.id, key=key)
        return []

    patch.setattr(lifecycle, "expire_versions", expire)


@killed_by("clock a year ahead")
def lifecycle_believes_the_wall(patch: pytest.MonkeyPatch) -> None:
    """Ages are told by the clock of the moment."""
    patch.setattr(lifecycle, "believe", lambda _before, _passed, wall_us: wall_us)
