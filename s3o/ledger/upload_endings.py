"""How uploads end without an object: aborted, refused, or with their bucket.

One transaction takes everything from the upload: parts and announced attempts that are
blobs are queued by name, what lies in the backend's own upload becomes one row that
aborts it, and every reservation becomes orphan bytes. Statements work on sets, because
an upload may have ten thousand parts and every other write waits meanwhile.
"""

from s3o.ledger import rows
from s3o.ledger.cleanup_rows import Discard, enqueue
from s3o.ledger.pending import intent_of, release_taken, take_intent
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Tx
from s3o.ledger.upload_rows import LIVE_STATES
from s3o.ledger.uploads import (
    UPLOAD_ENDED,
    hold_upload,
    queue_native_abort,
    require_own,
)
from s3o.model.errors import LedgerDamaged, UploadCompleting
from s3o.model.multipart import Upload, UploadState
from s3o.model.names import BucketId, ObjectKey, StorageKey, UploadId

BUCKET_ENDED = "bucket_deleted"


def complete_intent_key(upload_id: UploadId) -> StorageKey:
    """Return the name of a completion's intent; no blob can have it (the '#')."""
    return StorageKey(f"{upload_id}#complete")


async def abort_upload(
    tx: Tx, bucket_id: BucketId, key: ObjectKey, upload_id: str, now_us: int
) -> None:
    """End an upload that is not being completed; queue all that it has stored.

    Raises NoSuchUpload, UploadCompleting.
    """
    await tx.run("lock_key", bucket_id=bucket_id, key=key)
    held = await hold_upload(tx, upload_id)
    upload = require_own(held, bucket_id, key, upload_id)
    if upload.state not in LIVE_STATES:
        raise UploadCompleting(upload_id)
    moves = QuotaMoves()
    await _end(tx, upload, moves, now_us)
    await moves.apply(tx)


async def refuse_complete(tx: Tx, upload_id: UploadId, now_us: int) -> bool:
    """End an upload whose Complete was refused at the last moment, as aborted.

    For finish_complete's refusals; whatever the backend has made of it is queued, too.
    False: it is not being completed (any more).
    """
    upload = await hold_upload(tx, upload_id)
    if upload is None or upload.state is not UploadState.COMPLETING:
        return False
    moves = QuotaMoves()
    await _end(tx, upload, moves, now_us)
    await moves.apply(tx)
    return True


async def end_uploads_of_bucket(tx: Tx, bucket_id: BucketId, now_us: int) -> None:
    """End every upload and every announced write of a bucket that is being deleted.

    The caller holds the bucket's row exclusively: nothing new can begin. A write that
    is still on its way finds its intent gone.
    """
    moves = QuotaMoves()
    for upload_id, key in await tx.all("list_bucket_uploads", bucket_id=bucket_id):
        await tx.run("lock_key", bucket_id=bucket_id, key=key)
        upload = await hold_upload(tx, rows.text(upload_id))
        if upload is not None:
            await _end(tx, upload, moves, now_us)
    for (storage_key,) in await tx.all("list_bucket_intents", bucket_id=bucket_id):
        intent = await take_intent(tx, rows.storage_key(storage_key))
        if intent is not None:
            await release_taken(
                tx, intent, moves, BUCKET_ENDED, now_us, is_ambiguous=True
            )
    await moves.apply(tx)


async def _end(tx: Tx, upload: Upload, moves: QuotaMoves, now_us: int) -> None:
    """Take everything from a held upload in progress, and note it as aborted."""
    await take_intent(tx, complete_intent_key(upload.upload_id))
    await tx.run(
        "queue_parts", upload_id=upload.upload_id, reason=UPLOAD_ENDED, now_us=now_us
    )
    native_bytes = await _sum_parts(tx, upload, moves)
    await tx.run("remove_parts", upload_id=upload.upload_id)
    flying_bytes = await release_attempts(tx, upload, moves, now_us)
    await _queue_native(
        tx, upload, native_bytes, flying_bytes, moves=moves, now_us=now_us
    )
    await close_upload(tx, upload, UploadState.ABORTED)


async def _sum_parts(tx: Tx, upload: Upload, moves: QuotaMoves) -> int:
    """Move the parts' reservations; return what lies in the backend's own upload."""
    native_bytes = 0
    for row in await tx.all("sum_parts", upload_id=upload.upload_id):
        try:
            backend, stored = rows.backend_name(row[0]), rows.size(row[2])
            size, is_native = rows.size(row[3]), rows.flag(row[1])
        except ValueError as error:
            raise LedgerDamaged("multipart_parts", str(error)) from None
        moves.add(backend, reserved=-stored)
        moves.charge(upload.bucket_id, -size)
        if is_native:
            native_bytes += stored
        else:
            moves.add(backend, orphan=stored)
    return native_bytes


async def release_attempts(
    tx: Tx, upload: Upload, moves: QuotaMoves, now_us: int
) -> int | None:
    """Take the announced attempts; return the native ones' bytes, still unaccounted.

    None: there is no native one, so nothing can arrive late in the backend's upload.
    """
    flying_bytes: int | None = None
    for row in await tx.all("take_part_intents", upload_id=upload.upload_id):
        intent = intent_of(row)
        if intent.is_native_part:
            moves.add(intent.backend, reserved=-intent.stored_bytes)
            moves.charge(upload.bucket_id, -intent.size)
            flying_bytes = (flying_bytes or 0) + intent.stored_bytes
        else:
            await release_taken(
                tx, intent, moves, UPLOAD_ENDED, now_us, is_ambiguous=True
            )
    return flying_bytes


async def _queue_native(
    tx: Tx,
    upload: Upload,
    native_bytes: int,
    flying_bytes: int | None,
    *,
    moves: QuotaMoves,
    now_us: int,
) -> None:
    """Queue what the backend holds under the upload's own name."""
    native_bytes += flying_bytes or 0
    was_completing = upload.state is UploadState.COMPLETING
    if upload.backend is None or upload.backend_upload_id is None:
        if native_bytes:
            raise LedgerDamaged("multipart_parts", "native parts of no native upload")
        return
    if was_completing:
        # The backend may have made a blob of it, so both forms are got rid of.
        assert upload.storage_key is not None
        discard = Discard(
            backend=upload.backend,
            bucket_id=upload.bucket_id,
            key=upload.key,
            storage_key=upload.storage_key,
            size_bytes=native_bytes,
            reason=UPLOAD_ENDED,
            is_ambiguous=True,
        )
        await enqueue(tx, discard, moves, now_us)
        native_bytes = 0
    await queue_native_abort(
        tx,
        upload,
        upload.backend_upload_id,
        native_bytes,
        is_ambiguous=was_completing or flying_bytes is not None,
        moves=moves,
        now_us=now_us,
    )


async def close_upload(tx: Tx, upload: Upload, state: UploadState) -> None:
    """Note the end; a row that names nothing on a backend is of no more use."""
    changed = await tx.run(
        "end_upload",
        upload_id=upload.upload_id,
        state=state,
        seen_state=upload.state,
    )
    assert changed == 1, "the upload is held"
    await tx.run("remove_unbound_upload", upload_id=upload.upload_id)
