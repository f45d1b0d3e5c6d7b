"""Complete: pin what was listed, let the backend do its part, make it current.

begin_complete decides everything about the object and records it with a `complete`
intent; from there client retry and reaper do the same. finish_complete is the point of
no return: conditions are decided against the row current now, pinned blobs become the
version's locations, everything else of the upload is queued. Whoever comes second finds
the same answer in completed_uploads.
"""

from dataclasses import dataclass

from s3o.ledger import rows
from s3o.ledger.buckets import hold_bucket
from s3o.ledger.commits import Commit, Committed, swap_version
from s3o.ledger.intents import is_superseded
from s3o.ledger.objects import draw_sequence, find_current
from s3o.ledger.pending import IntentRow, intent_of, take_intent
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Tx
from s3o.ledger.upload_endings import (
    close_upload,
    complete_intent_key,
    release_attempts,
)
from s3o.ledger.upload_parts import list_parts, queue_part
from s3o.ledger.upload_rows import LIVE_STATES, manifest_text, part_of
from s3o.ledger.uploads import (
    UPLOAD_ENDED,
    hold_upload,
    look_up,
    queue_native_abort,
    require_own,
)
from s3o.model import limits
from s3o.model.errors import (
    ConditionalConflict,
    EntityTooLarge,
    LedgerDamaged,
    NoSuchKey,
    PreconditionFailed,
    UploadCompleting,
    WriteLost,
)
from s3o.model.multipart import (
    NATIVE_BLOB,
    Completion,
    Manifest,
    Part,
    PinnedManifest,
    Upload,
    UploadState,
)
from s3o.model.names import BucketId, BucketName, ObjectKey, StorageKey, UploadId
from s3o.model.values import Digests, PutReceipt, WriteConditions
from s3o.policy.conditional import check_write
from s3o.policy.multipart import ChecksumMath, manifest_digest, plan_completion
from s3o.wire.digests import checksum_of_bytes, combine_crcs

SUPERSEDED = "superseded"
_CHECKSUMS = ChecksumMath(combine=combine_crcs, compute=checksum_of_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteRequest:
    """One Complete as a client asks for it.

    min_part_bytes: what every part but the last must have, in the client's bytes.
    max_bytes: what the object may have, 0 is no limit.
    """

    bucket_id: BucketId
    bucket: BucketName
    key: ObjectKey
    upload_id: str
    manifest: Manifest
    conditions: WriteConditions
    min_part_bytes: int
    max_bytes: int = 0
    owner: str
    now_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunCompletion:
    """An upload that is being completed, and the object it will be.

    intent_key is for heartbeats. is_new: by this very call; otherwise somebody began
    before, and may be at it or be dead.
    """

    upload: Upload
    completion: Completion
    intent_key: StorageKey
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """What the backend has shown; receipt is None if no native part is pinned.

    is_unattended: no client waits (the reaper), so a later write of the key wins.
    """

    upload: Upload
    bucket: BucketName
    receipt: PutReceipt | None
    now_us: int
    is_unattended: bool = False


async def begin_complete(tx: Tx, request: CompleteRequest) -> BegunCompletion:
    """Pin the listed parts; nothing but a completion or reopen() changes them now.

    A repetition with the same manifest joins in. A refusal changes nothing. Raises
    NoSuchBucket, NoSuchUpload (perhaps it is done: find_completed), UploadCompleting
    (with another manifest), EntityTooLarge, PreconditionFailed, NoSuchKey, and what
    plan_completion raises.
    """
    await hold_bucket(tx, request.bucket_id, request.bucket)
    sequence = await draw_sequence(tx, request.bucket_id, request.key)
    held = await hold_upload(tx, request.upload_id)
    upload = require_own(held, request.bucket_id, request.key, request.upload_id)
    digest = manifest_digest(request.manifest)
    if upload.state not in LIVE_STATES:
        if upload.manifest is None or upload.manifest.digest != digest:
            raise UploadCompleting(request.upload_id)
        return await _join(tx, upload)
    parts = await list_parts(tx, upload.upload_id, 0, limits.PARTS)
    completion = plan_completion(
        upload, parts, request.manifest, request.min_part_bytes, _CHECKSUMS
    )
    if request.max_bytes and completion.size > request.max_bytes:
        raise EntityTooLarge(completion.size, request.max_bytes)
    current = await find_current(tx, request.bucket_id, request.key)
    check_write(request.conditions, current, request.bucket, request.key)
    pinned = tuple((part.number, part.attempt) for part in completion.pinned)
    changed = await tx.run(
        "pin_manifest",
        upload_id=upload.upload_id,
        manifest=manifest_text(PinnedManifest(digest, pinned)),
        now_us=request.now_us,
    )
    assert changed == 1, "the upload is held"
    await _insert_intent(tx, request, upload, completion, sequence=sequence)
    pinned_upload = await look_up(tx, upload.upload_id)
    assert pinned_upload is not None
    return BegunCompletion(
        upload=pinned_upload,
        completion=completion,
        intent_key=complete_intent_key(upload.upload_id),
        is_new=True,
    )


async def _insert_intent(
    tx: Tx,
    request: CompleteRequest,
    upload: Upload,
    completion: Completion,
    *,
    sequence: int,
) -> None:
    """Record everything that finish_complete needs; it reserves nothing itself."""
    blobs = sorted({part.blob for part in completion.pinned})
    await tx.run(
        "insert_complete_intent",
        storage_key=complete_intent_key(upload.upload_id),
        backend_name=completion.pinned[0].backend,
        sequence=sequence,
        size=completion.size,
        conditions=rows.conditions_text(request.conditions),
        etag=completion.etag,
        **rows.checksum_columns(completion.checksum),
        part_sizes=rows.list_text(completion.part_sizes),
        layout=rows.list_text(completion.layout),
        part_checksums=rows.list_text(completion.part_checksums),
        upload_id=upload.upload_id,
        pinned_blobs=rows.list_text(blobs),
        owner=request.owner,
        now_us=request.now_us,
    )


async def find_completion(tx: Tx, upload_id: UploadId) -> BegunCompletion | None:
    """Return the completion in progress of an upload, for whoever resumes it."""
    upload = await look_up(tx, upload_id)
    if upload is None or upload.state is not UploadState.COMPLETING:
        return None
    return await _join(tx, upload)


async def _join(tx: Tx, upload: Upload) -> BegunCompletion:
    intent_key = complete_intent_key(upload.upload_id)
    row = await tx.one("find_intent", storage_key=intent_key)
    if row is None:
        raise LedgerDamaged("multipart_uploads", "completing without an intent")
    intent = intent_of(row)
    digests = _digests_of(intent)
    pinned, _ = await _split_attempts(tx, upload)
    completion = Completion(
        pinned=tuple(pinned),
        etag=digests.md5,
        checksum=digests.checksum,
        size=intent.size,
        part_sizes=intent.part_sizes,
        part_checksums=intent.part_checksums,
        layout=intent.layout,
    )
    return BegunCompletion(
        upload=upload, completion=completion, intent_key=intent_key, is_new=False
    )


async def finish_complete(tx: Tx, finish: Finish) -> Committed:
    """Make the completed upload its key's current version.

    A refusal changes nothing, and the caller then ends the upload by refuse_complete
    before it answers. Raises ConditionalConflict (a condition that held at the begin
    does not any more; or unattended, and something of the key was committed later),
    NoSuchBucket, WriteLost (somebody else finished or ended it: find_completed).
    """
    seen, now_us = finish.upload, finish.now_us
    await hold_bucket(tx, seen.bucket_id, finish.bucket)
    await tx.run("lock_key", bucket_id=seen.bucket_id, key=seen.key)
    upload = await hold_upload(tx, seen.upload_id)
    intent_key = complete_intent_key(seen.upload_id)
    intent = await take_intent(tx, intent_key)
    if upload is None or intent is None:
        raise WriteLost(intent_key)
    assert upload.state is UploadState.COMPLETING, "an intent says so"
    if finish.is_unattended and await is_superseded(tx, intent):
        raise ConditionalConflict(SUPERSEDED)
    commit = Commit(
        storage_key=intent_key,
        digests=_digests_of(intent),
        etag=_digests_of(intent).md5,
        now_us=now_us,
    )
    moves = QuotaMoves()
    try:
        committed = await swap_version(tx, intent, commit, moves)
    except PreconditionFailed as failed:
        raise ConditionalConflict(failed.condition) from failed
    except NoSuchKey as gone:
        raise ConditionalConflict("If-Match") from gone
    pinned = await _settle_parts(tx, upload, finish, moves)
    if {part.blob for part in pinned} != set(intent.pinned_blobs):
        raise LedgerDamaged("multipart_parts", "not the blobs that were pinned")
    await _note_completed(tx, upload, intent, commit)
    await close_upload(tx, upload, UploadState.DONE)
    await moves.apply(tx)
    return committed


async def reopen(tx: Tx, upload_id: UploadId, now_us: int) -> bool:
    """Undo begin_complete after the backend's definite refusal; False: nothing to undo.

    The parts are as they were; the client may complete otherwise, or abort.
    """
    upload = await hold_upload(tx, upload_id)
    if upload is None or upload.state is not UploadState.COMPLETING:
        return False
    await take_intent(tx, complete_intent_key(upload_id))
    return await tx.run("reopen_upload", upload_id=upload_id, now_us=now_us) == 1


async def _settle_parts(
    tx: Tx, upload: Upload, finish: Finish, moves: QuotaMoves
) -> list[Part]:
    """Make pinned blobs locations, queue the others; return the pinned parts.

    The account goes on paying for the pinned ones: their sizes are the object's.
    """
    now_us = finish.now_us
    pinned, others = await _split_attempts(tx, upload)
    flying_bytes = await release_attempts(tx, upload, moves, now_us)
    native_bytes = flying_bytes or 0
    for part in others:
        if part.is_native:
            moves.add(part.backend, reserved=-part.stored_bytes)
            moves.charge(upload.bucket_id, -part.size)
            native_bytes += part.stored_bytes
        else:
            await queue_part(tx, upload, part, moves, UPLOAD_ENDED, now_us=now_us)
        await tx.run(
            "remove_attempt",
            upload_id=upload.upload_id,
            part_number=part.number,
            attempt=part.attempt,
        )
    await tx.run("locate_parts", upload_id=upload.upload_id, now_us=now_us)
    await tx.run("remove_parts", upload_id=upload.upload_id)
    for part in pinned:
        moves.add(part.backend, reserved=-part.stored_bytes, used=part.stored_bytes)
    first = min(pinned, key=lambda part: part.blob)
    moves.add(first.backend, objects=1)
    native = [part for part in pinned if part.is_native]
    if native:
        # The backend joined the pinned parts and forgot the others with its upload.
        await _locate_native(tx, upload, native, finish)
    elif upload.backend_upload_id is not None:
        await queue_native_abort(
            tx,
            upload,
            upload.backend_upload_id,
            native_bytes,
            is_ambiguous=flying_bytes is not None,
            moves=moves,
            now_us=now_us,
        )
    return pinned


async def _split_attempts(tx: Tx, upload: Upload) -> tuple[list[Part], list[Part]]:
    """Return the pinned parts in order, and all other attempts."""
    wanted = set(upload.manifest.parts) if upload.manifest is not None else set()
    pinned: list[Part] = []
    others: list[Part] = []
    for row in await tx.all("list_attempts", upload_id=upload.upload_id):
        part = part_of(row)
        is_pinned = (part.number, part.attempt) in wanted
        (pinned if is_pinned else others).append(part)
    if not pinned or len(pinned) != len(wanted):
        raise LedgerDamaged("multipart_parts", "not the parts that were pinned")
    return pinned, others


async def _locate_native(
    tx: Tx, upload: Upload, native: list[Part], finish: Finish
) -> None:
    receipt = finish.receipt
    assert receipt is not None, "the backend completed its upload"
    await tx.run(
        "insert_location",
        version_id=upload.version_id,
        blob=NATIVE_BLOB,
        backend_name=upload.backend,
        storage_key=upload.storage_key,
        backend_version=receipt.backend_version,
        backend_etag=receipt.etag or None,
        stored_bytes=sum(part.stored_bytes for part in native),
        stored_digest=None,
        now_us=finish.now_us,
        verified_us=None,
    )


async def _note_completed(
    tx: Tx, upload: Upload, intent: IntentRow, commit: Commit
) -> None:
    assert upload.manifest is not None, "it was split by its manifest"
    await tx.run(
        "insert_completed_upload",
        upload_id=upload.upload_id,
        bucket_id=upload.bucket_id,
        key=upload.key,
        version_id=intent.version_id,
        etag=commit.etag,
        **rows.checksum_columns(commit.digests.checksum),
        manifest_digest=upload.manifest.digest,
        now_us=commit.now_us,
    )


def _digests_of(intent: IntentRow) -> Digests:
    """Return what begin_complete noted; md5 is the multipart ETag."""
    if intent.digests is None:
        raise LedgerDamaged("pending_objects", "a completion without its facts")
    return intent.digests
