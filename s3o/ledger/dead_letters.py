"""Bytes whose deletion failed ten times: an operator decides, nothing is forgotten."""

from dataclasses import dataclass

from s3o.ledger import rows
from s3o.ledger.cleanup_rows import REPEAT_AFTER_US
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Tx
from s3o.model.names import BackendName, BucketId, ObjectKey, StorageKey


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One row of cleanup_dlq; its bytes are on the quota until it is written off."""

    id: int
    original_id: int
    backend: BackendName
    bucket_id: BucketId
    key: ObjectKey
    storage_key: StorageKey
    reason: str
    stored_bytes: int
    attempts: int
    last_error: str | None
    first_enqueued_at_us: int
    moved_at_us: int
    backend_upload_id: str | None = None  # a multipart upload to abort, no blob


async def list_dead_letters(tx: Tx, limit: int, after: int = 0) -> list[DeadLetter]:
    """Return dead letters by id, those behind after."""
    return [
        DeadLetter(
            id=rows.number(row[0]),
            original_id=rows.number(row[1]),
            backend=rows.backend_name(row[2]),
            bucket_id=BucketId(rows.number(row[3])),
            key=ObjectKey(rows.text(row[4])),
            storage_key=rows.storage_key(row[5]),
            reason=rows.text(row[6]),
            stored_bytes=rows.size(row[7]),
            attempts=rows.size(row[8]),
            last_error=rows.optional_text(row[9]),
            first_enqueued_at_us=rows.number(row[10]),
            moved_at_us=rows.number(row[11]),
            backend_upload_id=rows.optional_text(row[12]),
        )
        for row in await tx.all("list_dead_letters", after=after, max_rows=limit)
    ]


async def retry_dead_letter(tx: Tx, letter_id: int, now_us: int) -> bool:
    """Queue the bytes again, due at once, all attempts before it; False: no such id."""
    revived = await tx.run(
        "revive_dead_letter",
        id=letter_id,
        repeats=len(REPEAT_AFTER_US),
        now_us=now_us,
    )
    if revived:
        await tx.run("remove_dead_letter", id=letter_id)
    return revived == 1


async def write_off(tx: Tx, letter_id: int) -> bool:
    """Believe the operator that the bytes are gone: release them. False: no such id."""
    found = await tx.one("find_dead_letter", id=letter_id)
    if found is None:
        return False
    backend, size = found
    moves = QuotaMoves()
    moves.add(rows.backend_name(backend), orphan=-rows.size(size))
    await tx.run("remove_dead_letter", id=letter_id)
    await moves.apply(tx)
    return True
