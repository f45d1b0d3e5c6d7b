"""Parts: each attempt is announced, then acknowledged or dropped.

An attempt goes into the backend's own upload, or is a blob of its own. Within a native
upload a number is sent at most once, because part numbers are mutable names: a second
attempt, whatever became of the first, is a blob. So is a part for which the bound
backend has no room or, where it wants equal sizes, one of another size. The reservation
of an acknowledged part stays reserved until the upload ends.
"""

from dataclasses import dataclass

from s3o.ledger import rows
from s3o.ledger.accounts import reserve_for_account
from s3o.ledger.buckets import hold_owned_bucket
from s3o.ledger.cleanup_rows import Discard, enqueue
from s3o.ledger.objects import draw_sequence
from s3o.ledger.pending import (
    IntentKind,
    IntentRow,
    intent_of,
    release_taken,
    take_intent,
)
from s3o.ledger.quotas import QuotaMoves, quota_rows, reserve
from s3o.ledger.seam import Tx
from s3o.ledger.upload_rows import LIVE_STATES, part_of
from s3o.ledger.uploads import Choose, hold_upload, require_own
from s3o.model.errors import NoRoom, NoSuchUpload, WriteLost
from s3o.model.multipart import NATIVE_BLOB, Part, Upload, UploadState
from s3o.model.names import (
    BackendName,
    BucketId,
    BucketName,
    ObjectKey,
    StorageKey,
    UploadId,
)
from s3o.model.values import Checksum, ChecksumAlgorithm, ObjectFacts

SUPERSEDED = "part_superseded"
ATTEMPT_FAILED = "attempt_failed"
_NO_FACTS = ObjectFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPart:
    """One attempt of a part that is about to begin; sizes in bytes.

    storage_key: a fresh name, used if the attempt becomes a blob. is_native_wanted: the
    caller could send it into the backend's own upload (bound when it looked, breaker
    closed). needs_equal_parts: of the bound backend's traits.
    """

    upload_id: UploadId
    bucket_id: BucketId
    bucket: BucketName
    key: ObjectKey
    number: int
    size: int
    stored_size: int
    storage_key: StorageKey
    is_native_wanted: bool
    needs_equal_parts: bool = False
    owner: str
    now_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedPart:
    """Where the attempt goes.

    intent_key names its intent, for heartbeats, commit_part and drop_part. storage_key
    is the blob's name, or the native upload's. upload is as it is now.
    """

    backend: BackendName
    sequence: int
    blob: int
    is_native: bool
    storage_key: StorageKey
    intent_key: StorageKey
    upload: Upload


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCommit:
    """What the upload of an attempt has shown.

    checksum is of the upload's algorithm, CRC64NVME where it has none; None where it is
    not known and the upload has no algorithm. extra_failed: intents of earlier attempts
    of the same request, whose bytes may exist.
    """

    intent_key: StorageKey
    upload_id: UploadId
    etag: str
    checksum: Checksum | None
    backend_etag: str | None
    now_us: int
    backend_version: str | None = None
    stored_md5: str | None = None
    extra_failed: tuple[StorageKey, ...] = ()


def native_intent_key(storage_key: StorageKey, number: int) -> StorageKey:
    """Return the name of a native attempt's intent; no blob can have it (the '#')."""
    return StorageKey(f"{storage_key}#{number}")


async def open_part(tx: Tx, part: NewPart, choose: Choose) -> OpenedPart:
    """Reserve room for an attempt and record its intent.

    choose is for a blob: the first of its candidates with room takes it. Raises
    NoSuchBucket, NoSuchUpload (also while it is being completed), QuotaExceeded,
    NoRoom.
    """
    bucket = await hold_owned_bucket(tx, part.bucket_id, part.bucket)
    sequence = await draw_sequence(tx, part.bucket_id, part.key)
    held = await hold_upload(tx, part.upload_id)
    upload = require_own(held, part.bucket_id, part.key, part.upload_id)
    if upload.state not in LIVE_STATES:
        raise NoSuchUpload(part.upload_id)
    await tx.run("touch_upload", upload_id=part.upload_id, now_us=part.now_us)
    await reserve_for_account(tx, bucket.owner, part.size)
    opened = await _open_native(tx, part, upload, sequence)
    if opened is None:
        opened = await _open_blob(tx, part, upload, choose, sequence=sequence)
    await tx.run(
        "insert_part_intent",
        storage_key=opened.intent_key,
        backend_name=opened.backend,
        bucket_id=part.bucket_id,
        key=part.key,
        version_id=upload.version_id,
        sequence=sequence,
        blob=opened.blob,
        size=part.size,
        stored_bytes=part.stored_size,
        content_type=_NO_FACTS.content_type,
        storage_class=_NO_FACTS.storage_class,
        upload_id=part.upload_id,
        part_number=part.number,
        owner=part.owner,
        now_us=part.now_us,
    )
    return opened


async def _open_native(
    tx: Tx, part: NewPart, upload: Upload, sequence: int
) -> OpenedPart | None:
    """Reserve on the bound backend, if the part may go into its upload."""
    is_open = upload.state is UploadState.OPEN and upload.is_native
    if not is_open or not part.is_native_wanted:
        return None
    assert upload.backend is not None
    assert upload.storage_key is not None
    wanted_size = upload.native_part_size or part.stored_size
    if part.needs_equal_parts and part.stored_size != wanted_size:
        return None
    intent_key = native_intent_key(upload.storage_key, part.number)
    used = await tx.one(
        "find_native_use",
        storage_key=intent_key,
        upload_id=upload.upload_id,
        part_number=part.number,
    )
    if used is not None or not await reserve(tx, upload.backend, part.stored_size):
        return None
    await tx.run(
        "note_native_part_size",
        upload_id=upload.upload_id,
        stored_bytes=part.stored_size,
    )
    return OpenedPart(
        backend=upload.backend,
        sequence=sequence,
        blob=NATIVE_BLOB,
        is_native=True,
        storage_key=upload.storage_key,
        intent_key=intent_key,
        upload=upload,
    )


async def _open_blob(
    tx: Tx, part: NewPart, upload: Upload, choose: Choose, *, sequence: int
) -> OpenedPart:
    for backend in choose(await quota_rows(tx)):
        if await reserve(tx, backend, part.stored_size):
            break
    else:
        raise NoRoom(part.stored_size)
    row = await tx.one("draw_blob", upload_id=upload.upload_id)
    assert row is not None
    return OpenedPart(
        backend=backend,
        sequence=sequence,
        blob=rows.size(row[0]),
        is_native=False,
        storage_key=part.storage_key,
        intent_key=part.storage_key,
        upload=upload,
    )


async def commit_part(tx: Tx, commit: PartCommit) -> Part:
    """Acknowledge an attempt: it is the part from now on; an older blob is queued.

    A refusal changes nothing, the caller then drops its intents by drop_part. Raises
    NoSuchUpload (it has ended or is being completed), WriteLost (the intent is gone).
    """
    upload = await hold_upload(tx, commit.upload_id)
    if upload is None or upload.state not in LIVE_STATES:
        raise NoSuchUpload(commit.upload_id)
    intent = await take_intent(tx, commit.intent_key)
    if intent is None or intent.upload_id != commit.upload_id:
        raise WriteLost(commit.intent_key)
    wanted = upload.checksum_algorithm or ChecksumAlgorithm.CRC64NVME
    known = commit.checksum.algorithm if commit.checksum is not None else None
    assert known is wanted or known is upload.checksum_algorithm, "of the upload's"
    await tx.run("touch_upload", upload_id=commit.upload_id, now_us=commit.now_us)
    part = await _insert(tx, upload, intent, commit)
    moves = QuotaMoves()
    await _queue_superseded(tx, upload, part, moves, now_us=commit.now_us)
    for intent_key in sorted(commit.extra_failed):
        await _release_failed(tx, intent_key, moves, commit.now_us)
    await moves.apply(tx)
    return part


async def _insert(
    tx: Tx, upload: Upload, intent: IntentRow, commit: PartCommit
) -> Part:
    assert intent.part_number is not None
    last = await tx.one(
        "last_attempt", upload_id=upload.upload_id, part_number=intent.part_number
    )
    assert last is not None
    storage_key = upload.storage_key if intent.is_native_part else intent.storage_key
    assert storage_key is not None
    checksum = commit.checksum
    part = Part(
        number=intent.part_number,
        attempt=rows.size(last[0]) + 1,
        is_native=intent.is_native_part,
        blob=intent.blob,
        backend=intent.backend,
        storage_key=storage_key,
        backend_etag=commit.backend_etag,
        backend_version=commit.backend_version,
        size=intent.size,
        stored_bytes=intent.stored_bytes,
        stored_md5=commit.stored_md5,
        etag=commit.etag,
        checksum=commit.checksum,
        created_at_us=commit.now_us,
    )
    await tx.run(
        "insert_part",
        upload_id=upload.upload_id,
        part_number=part.number,
        attempt=part.attempt,
        is_native=int(part.is_native),
        blob=part.blob,
        backend_name=part.backend,
        storage_key=part.storage_key,
        backend_version=part.backend_version,
        backend_etag=part.backend_etag,
        size=part.size,
        stored_bytes=part.stored_bytes,
        etag=part.etag,
        checksum_algorithm=checksum.algorithm if checksum is not None else None,
        checksum_value=checksum.value if checksum is not None else None,
        stored_digest=part.stored_md5,
        now_us=part.created_at_us,
    )
    return part


async def _queue_superseded(
    tx: Tx, upload: Upload, part: Part, moves: QuotaMoves, *, now_us: int
) -> None:
    for row in await tx.all(
        "take_superseded_parts",
        upload_id=upload.upload_id,
        part_number=part.number,
        attempt=part.attempt,
    ):
        await queue_part(tx, upload, part_of(row), moves, SUPERSEDED, now_us=now_us)


async def queue_part(
    tx: Tx,
    upload: Upload,
    part: Part,
    moves: QuotaMoves,
    reason: str,
    *,
    now_us: int,
) -> None:
    """Turn the reservation of a part's own blob into orphan bytes, queue its name."""
    assert not part.is_native
    moves.add(part.backend, reserved=-part.stored_bytes)
    moves.charge(upload.bucket_id, -part.size)
    discard = Discard(
        backend=part.backend,
        bucket_id=upload.bucket_id,
        key=upload.key,
        storage_key=part.storage_key,
        size_bytes=part.stored_bytes,
        reason=reason,
        backend_version=part.backend_version,
    )
    await enqueue(tx, discard, moves, now_us)


async def _release_failed(
    tx: Tx, intent_key: StorageKey, moves: QuotaMoves, now_us: int
) -> None:
    if await _is_native(tx, intent_key):
        return
    intent = await take_intent(tx, intent_key)
    if intent is not None:
        await release_taken(
            tx, intent, moves, ATTEMPT_FAILED, now_us, is_ambiguous=True
        )


async def _is_native(tx: Tx, intent_key: StorageKey) -> bool:
    row = await tx.one("find_intent", storage_key=intent_key)
    if row is None:
        return False
    intent = intent_of(row)
    assert intent.kind is IntentKind.PART, intent.kind
    return intent.is_native_part


async def drop_part(
    tx: Tx,
    intent_key: StorageKey,
    reason: str,
    now_us: int,
    *,
    is_ambiguous: bool,
    was_started: bool,
) -> bool:
    """Give an attempt up; say whether its intent was removed by this.

    was_started False is a proof that no byte was sent: the reservation is free at once.
    Otherwise a blob's name is queued, and a native attempt's intent stays as long as
    its upload, because the number must not be sent again and its bytes may be there.
    """
    if was_started and await _is_native(tx, intent_key):
        return False
    intent = await take_intent(tx, intent_key)
    if intent is None:
        return False
    assert intent.kind is IntentKind.PART, intent.kind
    moves = QuotaMoves()
    if was_started:
        await release_taken(
            tx, intent, moves, reason, now_us, is_ambiguous=is_ambiguous
        )
    else:
        moves.add(intent.backend, reserved=-intent.stored_bytes)
        moves.charge(intent.bucket_id, -intent.size)
    await moves.apply(tx)
    return True


async def list_parts(tx: Tx, upload_id: UploadId, after: int, limit: int) -> list[Part]:
    """Return the latest attempts by part number, those behind after."""
    found = await tx.all("list_parts", upload_id=upload_id, after=after, max_rows=limit)
    return [part_of(row) for row in found]
