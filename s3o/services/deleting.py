"""The one way in which bytes are deleted on a backend.

A delete names either a storage key of our own shape, which is never used twice, so a
late delete can hit nothing alive; or an imported location, and then only while the
backend still shows the bytes that were imported. Anything else is refused here,
whatever the ledger says: somebody may have edited it, and the bucket on the backend may
hold more than ours.
"""

from collections.abc import Sequence

from s3o.backends.guard import Guarded
from s3o.backends.seam import DeleteOutcome
from s3o.ledger.cleanup import CleanupRow
from s3o.model.errors import BackendError, BackendRefused, BlobMissing
from s3o.model.names import StorageKey, parse_storage_key

FOREIGN = "ForeignName"
CHANGED = "ImportedBytesChanged"


async def delete_blobs(
    backend: Guarded, rows: Sequence[CleanupRow]
) -> list[DeleteOutcome]:
    """Delete the rows' blobs on backend; one outcome per row, in order.

    Raises BackendError when nothing could be sent.
    """
    refused: dict[StorageKey, BackendError] = {}
    names: list[StorageKey] = []
    for row in rows:
        assert row.backend == backend.name
        error = await _refusal(backend, row)
        if error is None:
            names.append(row.storage_key)
        else:
            refused[row.storage_key] = error
    outcomes = await backend.delete(names) if names else []
    by_name = {outcome.storage_key: outcome for outcome in outcomes}
    for storage_key, error in refused.items():
        by_name[storage_key] = DeleteOutcome(storage_key, error)
    return [by_name[row.storage_key] for row in rows]


def is_hopeless(error: BackendError) -> bool:
    """Whether no repetition can help: an operator has to look."""
    return isinstance(error, BackendRefused) and error.code in (FOREIGN, CHANGED)


async def _refusal(backend: Guarded, row: CleanupRow) -> BackendError | None:
    """Return why the row's name must not be deleted, or None."""
    if row.is_imported:
        return await _imported_refusal(backend, row)
    try:
        parse_storage_key(row.storage_key)
    except ValueError as error:
        return BackendRefused(backend.name, "delete", str(error), code=FOREIGN)
    return None


async def _imported_refusal(backend: Guarded, row: CleanupRow) -> BackendError | None:
    try:
        info = await backend.head(row.storage_key)
    except BlobMissing:
        return None  # deleting it once more confirms that it is gone
    except BackendError as error:
        return error
    if (info.stored_bytes, info.etag) != (row.stored_bytes, row.backend_etag):
        reason = "not the bytes that were imported"
        return BackendRefused(backend.name, "delete", reason, code=CHANGED)
    return None
