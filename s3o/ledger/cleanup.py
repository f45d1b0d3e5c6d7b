"""The queue of bytes to delete: what is due, and what became of it.

Rules: nothing is forgotten. A confirmed row leaves and its bytes leave the quota; a row
of an ambiguous attempt is repeated first, because a request still on its way may bring
the bytes back, and only the last confirmation releases them. A failed row waits, and
after ten failures lies with the dead letters, its bytes on the quota all along.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

from s3o.ledger import rows
from s3o.ledger.cleanup_rows import REPEAT_AFTER_US
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Row, Tx
from s3o.model.errors import LedgerDamaged
from s3o.model.names import BackendName, BucketId, ObjectKey, StorageKey

#: No row waits longer than a day: for its last repeat, or for its next attempt.
LONGEST_WAIT_US = REPEAT_AFTER_US[-1]
_STRANDED_US = LONGEST_WAIT_US + 3_600_000_000  # clocks of instances differ


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupRow:
    """One blob to delete, or one multipart upload of the backend's own to abort.

    With backend_upload_id, storage_key names that upload, and there are no bytes of
    that name. Imported bytes are only deleted while a HEAD still shows stored_bytes and
    backend_etag. attempts counts failures since the last confirmation.
    """

    id: int
    backend: BackendName
    bucket_id: BucketId
    key: ObjectKey
    storage_key: StorageKey
    backend_version: str | None
    backend_etag: str | None
    is_imported: bool
    reason: str
    stored_bytes: int
    is_ambiguous: bool
    repeats_left: int
    attempts: int
    last_error: str | None
    next_retry_us: int
    created_at_us: int
    backend_upload_id: str | None = None


@dataclass(frozen=True, slots=True)
class Depths:
    """How many rows wait."""

    cleanup_rows: int
    dead_letters: int
    intents: int


async def due_rows(
    tx: Tx, backend: BackendName, now_us: int, limit: int
) -> list[CleanupRow]:
    """Return what is due on backend, longest due first; unreadable rows left out."""
    due: list[CleanupRow] = []
    for row in await tx.all(
        "due_cleanups", backend_name=backend, now_us=now_us, max_rows=limit
    ):
        with contextlib.suppress(LedgerDamaged):
            due.append(_row_of(row))
    return due


async def has_stranded(tx: Tx, backend: BackendName, now_us: int) -> bool:
    """Whether rows wait that were queued by a clock far ahead of now_us."""
    found = await tx.one(
        "find_stranded", backend_name=backend, longest_us=now_us + _STRANDED_US
    )
    return found is not None


async def recall_stranded(tx: Tx, backend: BackendName, now_us: int) -> int:
    """Bring such rows back to this clock, none before its time; return how many."""
    return await tx.run(
        "recall_stranded",
        backend_name=backend,
        repeats=len(REPEAT_AFTER_US),
        now_us=now_us,
        wait_until_us=now_us + LONGEST_WAIT_US,
        longest_us=now_us + _STRANDED_US,
    )


async def confirm(tx: Tx, ids: Iterable[int], now_us: int) -> int:
    """Note that the provider has no such bytes any more; return the bytes released."""
    moves = QuotaMoves()
    released = 0
    for row_id in ids:
        found = await tx.one("find_cleanup", id=row_id)
        if found is None:
            continue  # somebody else confirmed it
        backend, size, repeats_left, _ = found
        left = rows.size(repeats_left)
        if left:
            after_us = REPEAT_AFTER_US[-left]
            await tx.run("repeat_cleanup", id=row_id, next_us=now_us + after_us)
        else:
            await tx.run("remove_cleanup", id=row_id)
            moves.add(rows.backend_name(backend), orphan=-rows.size(size))
            released += rows.size(size)
    await moves.apply(tx)
    return released


async def retry(tx: Tx, row_id: int, error: str, next_us: int, now_us: int) -> None:
    """Note a failure; the row is due again at next_us."""
    assert next_us >= now_us
    await tx.run("retry_cleanup", id=row_id, error=error, next_us=next_us)


async def exhaust(tx: Tx, row_id: int, error: str, now_us: int) -> bool:
    """Move the row to the dead letters; its bytes stay on the quota. False: gone."""
    if await tx.run("bury_cleanup", id=row_id, error=error, now_us=now_us) == 0:
        return False
    await tx.run("remove_cleanup", id=row_id)
    return True


async def depths(tx: Tx) -> Depths:
    """Count the rows that wait."""
    row = await tx.one("count_rows")
    assert row is not None
    queue, dead, intents = row
    return Depths(rows.size(queue), rows.size(dead), rows.size(intents))


def _row_of(row: Row) -> CleanupRow:
    try:
        return CleanupRow(
            id=rows.number(row[0]),
            backend=rows.backend_name(row[1]),
            bucket_id=BucketId(rows.number(row[2])),
            key=ObjectKey(rows.text(row[3])),
            storage_key=rows.storage_key(row[4]),
            backend_version=rows.optional_text(row[5]),
            backend_etag=rows.optional_text(row[6]),
            is_imported=rows.text(row[7]) == rows.IMPORTED,
            reason=rows.text(row[8]),
            stored_bytes=rows.size(row[9]),
            is_ambiguous=rows.flag(row[10]),
            repeats_left=rows.size(row[11]),
            attempts=rows.size(row[12]),
            last_error=rows.optional_text(row[13]),
            next_retry_us=rows.number(row[14]),
            created_at_us=rows.number(row[15]),
            backend_upload_id=rows.optional_text(row[16]),
        )
    except ValueError as error:
        raise LedgerDamaged("cleanup_queue", str(error)) from None
