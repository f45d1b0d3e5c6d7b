"""Copy one blob within its backend, whatever its size: no byte passes through here.

Up to what the backend copies at once it is one call. A larger blob is copied part by
part into an upload of the backend's own, and looked at afterwards, for some providers
cut a range short. An upload that does not become the blob is aborted; whether that did
all, nobody knows, so the error is not definite. The caller has announced storage_key,
and after such an error cleanup deletes that name and ends the uploads under it.
"""

from collections.abc import Sequence

import trio

from s3o.backends.seam import Backend, unsupported
from s3o.model import limits
from s3o.model.errors import (
    BackendError,
    BlobDamaged,
    BlobMissing,
)
from s3o.model.names import StorageKey
from s3o.model.values import BlobHeaders, Interval, PutReceipt
from s3o.policy.blob_copy import can_copy_blob, plan_copied_parts

OPERATION = "CopyObject"
ABORT_S = 10.0  # to end an upload that failed, whatever is going on


async def copy_blob(
    backend: Backend,
    source_key: StorageKey,
    storage_key: StorageKey,
    headers: BlobHeaders,
    size: int,
) -> PutReceipt:
    """Copy a blob of size stored bytes; headers replace the source's.

    Raises BackendError: BlobMissing without a source, BackendRefused 501 where the
    store cannot (policy.blob_copy says so beforehand). If it is definite, nothing of
    storage_key is there, nor will be.
    """
    if not can_copy_blob(backend.traits, size):
        raise unsupported(backend.name, OPERATION)
    intervals = plan_copied_parts(backend.traits, size)
    if not intervals:
        return await backend.copy(source_key, storage_key, headers)
    upload_id = await backend.create_upload(storage_key, headers)
    try:
        parts = await _copy_parts(
            backend, source_key, storage_key, upload_id, intervals
        )
        return await _complete(backend, storage_key, upload_id, parts, size)
    except BaseException as error:
        if isinstance(error, BackendError):
            error.is_definite = False  # other parts were on their way
        await _abort(backend, storage_key, upload_id)
        raise


async def _copy_parts(
    backend: Backend,
    source_key: StorageKey,
    storage_key: StorageKey,
    upload_id: str,
    intervals: Sequence[Interval],
) -> list[tuple[int, str]]:
    """Copy all parts, a few at a time; the first failure ends the others."""
    etags: dict[int, str] = {}
    failures: list[BackendError] = []
    numbered = iter(enumerate(intervals, 1))

    async def work() -> None:
        for number, interval in numbered:
            try:
                receipt = await backend.copy_part(
                    source_key, interval, storage_key, upload_id, number
                )
            except BackendError as error:
                failures.append(error)
                nursery.cancel_scope.cancel()
                return
            etags[number] = receipt.etag

    async with trio.open_nursery() as nursery:
        for _ in range(min(limits.COPIES_AT_ONCE, len(intervals))):
            nursery.start_soon(work)
    if failures:
        raise failures[0]
    return sorted(etags.items())


async def _complete(
    backend: Backend,
    storage_key: StorageKey,
    upload_id: str,
    parts: Sequence[tuple[int, str]],
    size: int,
) -> PutReceipt:
    """Join the parts; the blob is the answer, for that of the call may be lost."""
    version: str | None = None
    lost: BackendError | None = None
    try:
        receipt = await backend.complete_upload(storage_key, upload_id, parts)
        version = receipt.backend_version
    except BackendError as error:
        if error.is_definite:
            raise
        lost = error
    try:
        info = await backend.head(storage_key)
    except BlobMissing:
        if lost is not None:
            raise lost from None
        raise
    if info.stored_bytes != size:
        raise BlobDamaged(
            backend=backend.name,
            operation=OPERATION,
            reason="the copy has another size than its source",
            storage_key=storage_key,
        )
    return PutReceipt(etag=info.etag, backend_version=version)


async def _abort(backend: Backend, storage_key: StorageKey, upload_id: str) -> None:
    """End the upload, whatever is going on; cleanup does it if this fails."""
    with trio.move_on_after(ABORT_S, shield=True):
        try:
            await backend.abort_upload(storage_key, upload_id)
        except BackendError:
            return
