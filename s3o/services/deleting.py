"""The one way in which bytes are deleted on a backend.

A delete names either a storage key of our own shape, which is never used twice, so a
late delete can hit nothing alive; or an imported location, and then only while the
backend still shows the bytes that were imported. Anything else is refused here,
whatever the ledger says: somebody may have edited it, and the bucket on the backend may
hold more than ours.

A backend's own multipart upload is aborted, and its name deleted as well: a Complete
that was sent and given up may have made an object of it, however late. An attempt of a
blob too large for one call was such an upload, too, whose id died with its process: all
uploads under its name are aborted. The name is the evidence, for it has no other use.
"""

from collections.abc import Sequence

import trio

from s3o.backends.guard import Guarded
from s3o.backends.seam import DeleteOutcome
from s3o.ledger.cleanup import CleanupRow
from s3o.model.backup_names import is_backup_name
from s3o.model.errors import (
    BackendCircuitOpen,
    BackendError,
    BackendRefused,
    BlobMissing,
)
from s3o.model.limits import BACKEND_DELETES
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
    await _abort_uploads(backend, rows, refused)
    await _abort_nameless(backend, rows, refused)
    names = [name for name in dict.fromkeys(names) if name not in refused]
    outcomes = await backend.delete(names) if names else []
    by_name = {outcome.storage_key: outcome for outcome in outcomes}
    for storage_key, error in refused.items():
        by_name[storage_key] = DeleteOutcome(storage_key, error)
    return [by_name[row.storage_key] for row in rows]


async def _abort_uploads(
    backend: Guarded,
    rows: Sequence[CleanupRow],
    refused: dict[StorageKey, BackendError],
) -> None:
    """Abort the rows' uploads, a few at a time; failures go into refused.

    Raises BackendCircuitOpen: then nothing more can be sent.
    """
    limiter = trio.CapacityLimiter(BACKEND_DELETES)
    held_back: list[BackendCircuitOpen] = []

    async def abort(storage_key: StorageKey, backend_upload_id: str) -> None:
        async with limiter:
            try:
                await backend.abort_upload(storage_key, backend_upload_id)
            except BackendCircuitOpen as error:
                held_back.append(error)
            except BackendError as error:
                refused[storage_key] = error

    async with trio.open_nursery() as nursery:
        for row in rows:
            if row.backend_upload_id is not None and row.storage_key not in refused:
                nursery.start_soon(abort, row.storage_key, row.backend_upload_id)
    if held_back:
        raise held_back[0]


async def _abort_nameless(
    backend: Guarded,
    rows: Sequence[CleanupRow],
    refused: dict[StorageKey, BackendError],
) -> None:
    """Abort whatever uploads lie under the names of large attempts; see above."""
    for row in rows:
        if row.storage_key in refused or not _may_be_an_upload(backend, row):
            continue
        try:
            page = await backend.list_uploads(row.storage_key)
            for upload in page.uploads:
                if upload.name == row.storage_key:
                    await backend.abort_upload(row.storage_key, upload.upload_id)
        except BackendCircuitOpen:
            raise
        except BackendError as error:
            refused[row.storage_key] = error


def _may_be_an_upload(backend: Guarded, row: CleanupRow) -> bool:
    traits = backend.traits
    return (
        row.is_ambiguous
        and traits.has_multipart
        and row.backend_upload_id is None
        and not row.is_imported
        and row.stored_bytes > traits.max_copy_bytes
    )


def is_hopeless(error: BackendError) -> bool:
    """Whether no repetition can help: an operator has to look."""
    return isinstance(error, BackendRefused) and error.code in (FOREIGN, CHANGED)


async def _refusal(backend: Guarded, row: CleanupRow) -> BackendError | None:
    """Return why the row's name must not be deleted, or None."""
    if row.is_imported:
        return await _imported_refusal(backend, row)
    if is_backup_name(row.storage_key):
        return None  # of the ledger's own backups
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
