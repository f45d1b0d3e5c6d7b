"""Which backups of a ledger a backend holds, by their names alone."""

from dataclasses import dataclass

from s3o.backends.guard import Guarded
from s3o.model.backup_names import BACKUP_PREFIX, BackupName, parse_backup_name
from s3o.model.limits import BACKUP_NAMES
from s3o.model.names import BackendName, StorageKey
from s3o.services.listing import Listing


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBackup:
    """One copy of a segment, as a listing shows it."""

    backend: BackendName
    storage_key: StorageKey
    name: BackupName
    stored_bytes: int


async def list_found_backups(backend: Guarded) -> list[FoundBackup]:
    """Return the backups on backend, of all clusters; names of no such shape left out.

    Raises BackendError. Looks at BACKUP_NAMES names at most.
    """
    found: list[FoundBackup] = []
    listing = Listing(backend, BACKUP_PREFIX, must_ascend=False)
    seen = 0
    while seen < BACKUP_NAMES and not listing.is_over:
        blobs = await listing.next_page()
        seen += len(blobs)
        for blob in blobs:
            try:
                name = parse_backup_name(blob.name)
            except ValueError:
                continue
            found.append(
                FoundBackup(
                    backend=backend.name,
                    storage_key=StorageKey(blob.name),
                    name=name,
                    stored_bytes=blob.stored_bytes,
                )
            )
    return found
