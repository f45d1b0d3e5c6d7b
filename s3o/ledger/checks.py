"""What is compared with the backends: versions, and the names that should lie there.

A row that cannot be true is an answer here, not an error: fsck tells of each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from s3o.ledger import rows
from s3o.ledger.copy_rows import copies_of
from s3o.ledger.seam import Row, Tx
from s3o.model.errors import LedgerDamaged
from s3o.model.names import (
    BackendName,
    BucketId,
    ObjectKey,
    StorageKey,
    VersionId,
)
from s3o.model.values import LocationState, ObjectVersion, StoredObject


class NameKind(StrEnum):
    """What lies under a name: bytes of a version, of an upload, of a backup."""

    OBJECT = "object"
    PART = "part"
    BACKUP = "backup"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedName:
    """One name that should be on a backend; damage: why its row cannot be true.

    others: good copies of the same bytes on other backends. bucket, key: "" if unknown.
    """

    storage_key: StorageKey
    kind: NameKind = NameKind.OBJECT
    stored_bytes: int = 0
    backend_etag: str = ""
    state: LocationState = LocationState.LIVE
    version_id: VersionId | None = None
    bucket: str = ""
    key: str = ""
    others: int = 0
    damage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedVersion:
    """One current version; None: its row cannot be true, and damage says why."""

    bucket_id: BucketId
    key: ObjectKey
    version: ObjectVersion | None
    located_blobs: int
    damage: str = ""


async def find_stored(tx: Tx, version_id: VersionId) -> StoredObject | None:
    """Return a version, current or not, with its locations; None: it is gone.

    Raises LedgerDamaged for rows that cannot be true.
    """
    row = await tx.one("find_kept_object", version_id=version_id)
    if row is None:
        return None
    try:
        bucket_id = BucketId(rows.number(row[0]))
        key = ObjectKey(rows.text(row[1]))
    except ValueError as error:
        raise LedgerDamaged("objects", str(error)) from None
    return StoredObject(
        version=rows.version_of(bucket_id, key, row[2:]),
        locations=tuple(await copies_of(tx, version_id)),
    )


async def versions_after(
    tx: Tx, after: tuple[int, str], limit: int
) -> list[CheckedVersion]:
    """Return current versions behind (bucket id, key); fewer than limit: no more."""
    found = await tx.all(
        "check_versions",
        after_bucket_id=after[0],
        after_key=after[1],
        max_rows=limit,
    )
    return [_checked_of(row) for row in found]


async def expected_names(
    tx: Tx, backend: BackendName, after: str, limit: int
) -> list[ExpectedName]:
    """Return names that should be on backend; fewer than limit: no more behind.

    A name may come twice: its rows contradict each other.
    """
    found = await tx.all(
        "check_names", backend_name=backend, after=after, max_rows=limit
    )
    return [_expected_of(row) for row in found]


async def count_locations(tx: Tx) -> Mapping[str, int]:
    """Return how many locations name each backend, configured or not."""
    found = await tx.all("count_locations")
    return {str(name): rows.size(count) for name, count in found}


def _checked_of(row: Row) -> CheckedVersion:
    bucket_id, key = BucketId(rows.number(row[0])), ObjectKey(rows.text(row[1]))
    version, damage = None, ""
    try:
        version = rows.version_of(bucket_id, key, row[2:19])
    except LedgerDamaged as error:
        damage = error.reason
    return CheckedVersion(
        bucket_id=bucket_id,
        key=key,
        version=version,
        located_blobs=rows.size(row[19]),
        damage=damage,
    )


def _expected_of(row: Row) -> ExpectedName:
    name = StorageKey(rows.text(row[0]))
    bucket, key = str(row[6] or ""), str(row[7] or "")
    try:
        return ExpectedName(
            storage_key=name,
            kind=NameKind(rows.text(row[1])),
            stored_bytes=rows.size(row[2]),
            backend_etag=rows.optional_text(row[3]) or "",
            state=LocationState(rows.text(row[4])),
            version_id=None if row[5] is None else VersionId(rows.text(row[5])),
            bucket=bucket,
            key=key,
            others=rows.size(row[8]),
        )
    except ValueError as error:
        return ExpectedName(storage_key=name, bucket=bucket, key=key, damage=str(error))
