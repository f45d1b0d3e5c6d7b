"""Queue bytes for deletion: the one way in which bytes leave the ledger.

The bytes stay on the backend's quota as orphan bytes until the provider confirms that
they are gone. After an attempt whose outcome is not known, a request that is still on
its way may bring the bytes back, so the delete is repeated later.
"""

from dataclasses import dataclass

from s3o.ledger import rows
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Tx
from s3o.model.names import BackendName, BucketId, ObjectKey, StorageKey

#: How long after a confirmed delete an ambiguous one is repeated, first to last.
REPEAT_AFTER_US = (300_000_000, 3_600_000_000, 86_400_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discard:
    """Bytes that nothing refers to any more; size_bytes as stored.

    With backend_upload_id it is the backend's own multipart upload of that name, to be
    aborted: its parts are the bytes.
    """

    backend: BackendName
    bucket_id: BucketId
    key: ObjectKey
    storage_key: StorageKey
    size_bytes: int
    reason: str
    is_ambiguous: bool = False
    is_imported: bool = False
    backend_version: str | None = None
    backend_etag: str | None = None
    backend_upload_id: str | None = None


async def enqueue(tx: Tx, discard: Discard, moves: QuotaMoves, now_us: int) -> None:
    """Queue the bytes, due at once, and note them as orphans."""
    moves.add(discard.backend, orphan=discard.size_bytes)
    await tx.run(
        "enqueue_cleanup",
        backend_name=discard.backend,
        bucket_id=discard.bucket_id,
        key=discard.key,
        storage_key=discard.storage_key,
        backend_version=discard.backend_version,
        backend_etag=discard.backend_etag,
        backend_upload_id=discard.backend_upload_id,
        origin=rows.IMPORTED if discard.is_imported else rows.OWN,
        reason=discard.reason,
        size_bytes=discard.size_bytes,
        is_ambiguous=int(discard.is_ambiguous),
        repeats_left=len(REPEAT_AFTER_US) if discard.is_ambiguous else 0,
        next_us=now_us,
        now_us=now_us,
    )
