"""Where copies of blobs are, and whose: what services go through.

A location knows its version only; here it is joined with the key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from s3o.ledger import rows
from s3o.ledger.readable import readable_page
from s3o.ledger.seam import Row, Tx
from s3o.model.errors import LedgerDamaged
from s3o.model.names import (
    BackendName,
    BucketId,
    BucketName,
    ObjectKey,
    VersionId,
)
from s3o.model.values import Location, ObjectFacts


class BlobIdentity(Protocol):
    """Whose bytes they are."""

    @property
    def version_id(self) -> VersionId:
        """The version."""
        ...

    @property
    def blob(self) -> int:
        """The blob's number in the version's layout."""
        ...

    @property
    def bucket_id(self) -> BucketId:
        """The version's bucket."""
        ...

    @property
    def bucket(self) -> BucketName:
        """Its name, with which storage keys begin."""
        ...

    @property
    def key(self) -> ObjectKey:
        """The version's key."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobOf:
    """One blob of one version: a BlobIdentity."""

    version_id: VersionId
    blob: int
    bucket_id: BucketId
    bucket: BucketName
    key: ObjectKey


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRow:
    """One location with whose bytes they are: a BlobIdentity."""

    version_id: VersionId
    blob: int
    bucket_id: BucketId
    bucket: BucketName
    key: ObjectKey
    location: Location


async def copies_of(tx: Tx, version_id: VersionId) -> list[Location]:
    """Return all locations of a version, by blob, the oldest first."""
    return _locations(await tx.all("list_locations", version_id=version_id))


async def find_blob(
    tx: Tx, version_id: VersionId, blob: int
) -> tuple[BlobOf, list[Location]] | None:
    """Return whose bytes a blob's are and where they lie; None: the version is gone."""
    version = await find_kept_version(tx, version_id)
    if version is None:
        return None
    named = await tx.one("find_bucket_name", bucket_id=version.bucket_id)
    if named is None:
        return None
    try:
        bucket = BucketName(rows.text(named[0]))
    except ValueError as error:
        raise LedgerDamaged("buckets", str(error)) from None
    of = BlobOf(
        version_id=version_id,
        blob=blob,
        bucket_id=version.bucket_id,
        bucket=bucket,
        key=version.key,
    )
    return of, await places_of_blob(tx, version_id, blob)


async def list_copies_by_backend(
    tx: Tx, backend: BackendName, after_storage_key: str, limit: int
) -> list[CopyRow]:
    """Return a backend's locations in byte order of their names, those behind after.

    One that cannot be read, or whose version is gone, is left out; fsck reports it.
    """
    return await readable_page(
        tx,
        "list_copies_by_backend",
        copy_row_of,
        after_storage_key,
        limit,
        backend_name=backend,
    )


def copy_row_of(row: Row) -> CopyRow:
    """Read the columns of list_copies_by_backend."""
    try:
        location = rows.location_of(row[5:])
        return CopyRow(
            version_id=VersionId(rows.text(row[1])),
            blob=location.blob,
            bucket_id=BucketId(rows.number(row[2])),
            bucket=BucketName(rows.text(row[3])),
            key=ObjectKey(rows.text(row[4])),
            location=location,
        )
    except ValueError as error:
        raise LedgerDamaged("object_locations", str(error)) from None


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """What a copy must know of its version; is_whole: not of an upload."""

    bucket_id: BucketId
    key: ObjectKey
    facts: ObjectFacts
    is_whole: bool
    sequence: int


async def find_kept_version(tx: Tx, version_id: VersionId) -> KeptVersion | None:
    """Return a version, current or not; None: it is gone."""
    row = await tx.one("find_kept_version", version_id=version_id)
    if row is None:
        return None
    try:
        return KeptVersion(
            BucketId(rows.number(row[0])),
            ObjectKey(rows.text(row[1])),
            rows.facts_of(row[2:7]),
            rows.flag(row[7]),
            rows.size(row[8]),
        )
    except ValueError as error:
        raise LedgerDamaged("objects", str(error)) from None


async def places_of_blob(tx: Tx, version_id: VersionId, blob: int) -> list[Location]:
    """Return where a blob lies, the oldest first."""
    return _locations(
        await tx.all("list_blob_locations", version_id=version_id, blob=blob)
    )


def _locations(found: Sequence[Row]) -> list[Location]:
    try:
        return [rows.location_of(row) for row in found]
    except ValueError as error:
        raise LedgerDamaged("object_locations", str(error)) from None
