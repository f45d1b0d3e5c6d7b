"""Multipart uploads: begun, bound to a backend's own upload, found, forgotten.

An upload is a row before anything happens on a backend. The first part binds it: the
row is `opening`, with the name the backend's upload will have, before the backend is
asked, so that whatever a dead process left there can be found by that name. An upload
whose binding failed stays `opening` and takes its parts as blobs of their own.
"""

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from s3o.ledger import rows
from s3o.ledger.buckets import hold_bucket
from s3o.ledger.cleanup_rows import Discard, enqueue
from s3o.ledger.objects import draw_sequence
from s3o.ledger.quotas import QuotaMoves, quota_rows
from s3o.ledger.readable import readable_page
from s3o.ledger.seam import Tx
from s3o.ledger.upload_rows import upload_of
from s3o.model.errors import LedgerDamaged, NoSuchUpload, TooManyUploads
from s3o.model.multipart import Upload, UploadState
from s3o.model.names import (
    BackendName,
    BucketId,
    BucketName,
    ObjectKey,
    StorageKey,
    UploadId,
    VersionId,
)
from s3o.model.values import (
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    ObjectFacts,
    QuotaRow,
)

Choose = Callable[[Sequence[QuotaRow]], Sequence[BackendName]]

UPLOAD_ENDED = "multipart_ended"
_ENDED = frozenset({UploadState.DONE, UploadState.ABORTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUpload:
    """One upload that a client begins; upload_id from names.make_upload_id."""

    upload_id: UploadId
    bucket_id: BucketId
    bucket: BucketName
    key: ObjectKey
    version_id: VersionId
    facts: ObjectFacts
    checksum_algorithm: ChecksumAlgorithm | None
    checksum_type: ChecksumType | None
    initiator: str
    now_us: int


@dataclass(frozen=True, slots=True)
class Binding:
    """Where the backend is to begin its own upload; the sequence is for the record."""

    backend: BackendName
    storage_key: StorageKey
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedUpload:
    """What a Complete was answered, for whoever repeats it."""

    version_id: VersionId
    etag: str
    checksum: Checksum | None
    manifest_digest: str
    completed_at_us: int


async def create_upload(tx: Tx, upload: NewUpload, max_uploads: int) -> Upload:
    """Record an upload that no backend knows of yet; max_uploads 0 is no limit.

    Raises NoSuchBucket, TooManyUploads.
    """
    await hold_bucket(tx, upload.bucket_id, upload.bucket)
    if max_uploads:
        # No object has an empty key: this lock is the bucket's count of uploads.
        await tx.run("lock_key", bucket_id=upload.bucket_id, key="")
        row = await tx.one(
            "count_bucket_uploads", bucket_id=upload.bucket_id, max_rows=max_uploads
        )
        assert row is not None
        if rows.size(row[0]) >= max_uploads:
            raise TooManyUploads(upload.bucket, max_uploads)
    facts = upload.facts
    await tx.run(
        "insert_upload",
        upload_id=upload.upload_id,
        bucket_id=upload.bucket_id,
        key=upload.key,
        version_id=upload.version_id,
        content_type=facts.content_type,
        storage_class=facts.storage_class,
        headers=rows.pairs_text(facts.headers),
        metadata=rows.pairs_text(facts.metadata),
        tags=rows.pairs_text(facts.tags),
        checksum_algorithm=upload.checksum_algorithm,
        checksum_type=upload.checksum_type,
        initiator=upload.initiator,
        now_us=upload.now_us,
    )
    return await find_upload(tx, upload.bucket_id, upload.key, upload.upload_id)


async def find_upload(
    tx: Tx, bucket_id: BucketId, key: ObjectKey, upload_id: str
) -> Upload:
    """Return the upload if it has not ended; upload_id may be anything a client sent.

    Raises NoSuchUpload, also when it is another bucket's or another key's.
    """
    row = await tx.one("find_upload", upload_id=upload_id)
    upload = None if row is None else upload_of(row)
    return require_own(upload, bucket_id, key, upload_id)


def require_own(
    upload: Upload | None, bucket_id: BucketId, key: ObjectKey, upload_id: str
) -> Upload:
    """Return upload if it is in progress and of that bucket and key."""
    if (
        upload is None
        or upload.state in _ENDED
        or (upload.bucket_id, upload.key) != (bucket_id, key)
    ):
        raise NoSuchUpload(upload_id)
    return upload


async def look_up(tx: Tx, upload_id: UploadId) -> Upload | None:
    """Return the upload in whatever state, for services."""
    row = await tx.one("find_upload", upload_id=upload_id)
    return None if row is None else upload_of(row)


async def hold_upload(tx: Tx, upload_id: str) -> Upload | None:
    """Return the upload, which no other transaction changes until this one ends."""
    row = await tx.one("hold_upload", upload_id=upload_id)
    return None if row is None else upload_of(row)


async def begin_binding(
    tx: Tx, upload: Upload, choose: Choose, storage_key: StorageKey
) -> Binding | None:
    """Bind an unbound upload to the first of choose's candidates.

    None: it is bound already, has ended, or there is no candidate; parts are then blobs
    of their own. choose is pure and names only backends with multipart uploads.
    """
    await tx.run("lock_key", bucket_id=upload.bucket_id, key=upload.key)
    for backend in choose(await quota_rows(tx)):
        bound = await tx.run(
            "bind_upload",
            upload_id=upload.upload_id,
            backend_name=backend,
            storage_key=storage_key,
        )
        if not bound:
            return None
        sequence = await draw_sequence(tx, upload.bucket_id, upload.key)
        return Binding(backend, storage_key, sequence)
    return None


async def finish_binding(
    tx: Tx, upload_id: UploadId, backend_upload_id: str, now_us: int
) -> bool:
    """Note the backend's answer: parts may go into its upload from now on.

    False: the upload was completed or aborted meanwhile. The backend's upload is then
    queued to be aborted.
    """
    opened = await tx.run(
        "open_native_upload", upload_id=upload_id, backend_upload_id=backend_upload_id
    )
    if opened:
        return True
    upload = await hold_upload(tx, upload_id)
    if upload is not None and upload.backend_upload_id is None:
        moves = QuotaMoves()
        await queue_native_abort(
            tx,
            upload,
            backend_upload_id,
            0,
            is_ambiguous=False,
            moves=moves,
            now_us=now_us,
        )
        await moves.apply(tx)
    return False


async def queue_native_abort(
    tx: Tx,
    upload: Upload,
    backend_upload_id: str,
    stored_bytes: int,
    *,
    is_ambiguous: bool,
    moves: QuotaMoves,
    now_us: int,
) -> None:
    """Queue a backend's own upload to be aborted.

    is_ambiguous: a part of it may still arrive, so the abort is repeated later and its
    bytes count until then. Otherwise they are gone once the backend has confirmed, and
    their room is free at once.
    """
    if upload.backend is None or upload.storage_key is None:
        raise LedgerDamaged("multipart_uploads", "an upload without its backend")
    discard = Discard(
        backend=upload.backend,
        bucket_id=upload.bucket_id,
        key=upload.key,
        storage_key=upload.storage_key,
        size_bytes=stored_bytes,
        reason=UPLOAD_ENDED,
        is_ambiguous=is_ambiguous,
        backend_upload_id=backend_upload_id,
    )
    await enqueue(tx, discard, moves, now_us)


async def find_completed(
    tx: Tx, bucket_id: BucketId, key: ObjectKey, upload_id: str
) -> CompletedUpload | None:
    """Return what a Complete of the last day was answered."""
    row = await tx.one(
        "find_completed_upload", upload_id=upload_id, bucket_id=bucket_id, key=key
    )
    if row is None:
        return None
    try:
        return CompletedUpload(
            version_id=VersionId(rows.text(row[0])),
            etag=rows.text(row[1]),
            checksum=rows.checksum_of(row[2:5]),
            manifest_digest=rows.text(row[5]),
            completed_at_us=rows.number(row[6]),
        )
    except ValueError as error:
        raise LedgerDamaged("completed_uploads", str(error)) from None


async def expire_completed(tx: Tx, before_us: int) -> int:
    """Forget Completes from before before_us; return how many."""
    return await tx.run("expire_completed_uploads", before_us=before_us)


async def stale_uploads(
    tx: Tx, idle_before_us: int, limit: int, to_come_us: int = 1 << 62
) -> list[Upload]:
    """Return uploads without a sign of life since then, the idlest first.

    At the end those whose last one is later than to_come_us: a clock has been set back.
    One that is being completed is never stale: it ends by its own rules. One that
    cannot be read is left out, so that the others are served; fsck reports it.
    """
    found = await tx.all(
        "stale_uploads",
        before_us=idle_before_us,
        after_us=to_come_us,
        max_rows=limit,
    )
    uploads: list[Upload] = []
    for row in found:
        with contextlib.suppress(LedgerDamaged):
            uploads.append(upload_of(row))
    return uploads


async def find_upload_names(
    tx: Tx, backend: BackendName, names: Sequence[StorageKey]
) -> frozenset[str]:
    """Return those of names under which anything was begun here, or is to be ended."""
    found = await tx.all(
        "find_upload_names", backend_name=backend, names=json.dumps(names)
    )
    return frozenset(rows.text(row[0]) for row in found)


async def finished_native(
    tx: Tx, backend: BackendName, limit: int, after: str = ""
) -> list[Upload]:
    """Return uploads under whose storage_key backend should have no upload of its own.

    By upload id, those behind after: done, aborted, or still `opening` (whoever asks
    decides by active_at_us whether its binder may be at work). They are kept until a
    listing of the backend shows none of their name; then forget_upload. One that cannot
    be read is left out: there is no evidence, so nothing is aborted.
    """
    return await readable_page(
        tx,
        "finished_native_uploads",
        upload_of,
        after,
        limit,
        backend_name=backend,
    )


async def forget_upload(tx: Tx, upload_id: UploadId) -> bool:
    """Remove the row of an ended upload; False: it is gone, or has not ended."""
    return await tx.run("forget_upload", upload_id=upload_id) == 1
