"""Where backups of the ledger lie, and the quota that they take.

A segment is announced like every write: its row reserves the bytes on one backend
before the first of them goes there, and whoever finds a row that is still `writing`
after its pass knows what to delete.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from s3o.ledger import rows
from s3o.ledger.cleanup_rows import Discard, enqueue
from s3o.ledger.quotas import QuotaMoves, quota_rows, reserve
from s3o.ledger.seam import Tx
from s3o.model.backup_names import BackupName, parse_backup_name
from s3o.model.errors import LedgerDamaged
from s3o.model.names import BackendName, BucketId, ObjectKey, StorageKey
from s3o.model.values import QuotaRow

NO_BUCKET, NO_KEY = BucketId(0), ObjectKey("")
WHOLE = "whole"

Order = Callable[[Sequence[QuotaRow]], Sequence[BackendName]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBackup:
    """One copy of one segment, about to be written."""

    name: BackupName
    storage_key: StorageKey
    stored_bytes: int
    stored_md5: str
    now_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupCopy:
    """One copy of one segment on one backend."""

    backend: BackendName
    storage_key: StorageKey
    name: BackupName
    is_whole: bool
    stored_bytes: int
    created_at_us: int


async def open_backup(tx: Tx, new: NewBackup, order: Order) -> BackendName | None:
    """Announce a copy on the first backend with room; None: there is none."""
    for backend in order(await quota_rows(tx)):
        if not await reserve(tx, backend, new.stored_bytes):
            continue
        await tx.run(
            "insert_backup",
            backend_name=backend,
            storage_key=new.storage_key,
            kind=new.name.kind,
            after_sequence=new.name.after,
            through_sequence=new.name.through,
            stored_bytes=new.stored_bytes,
            stored_digest=new.stored_md5,
            now_us=new.now_us,
        )
        return backend
    return None


async def finish_backup(
    tx: Tx, backend: BackendName, storage_key: StorageKey, size: int
) -> bool:
    """Note that the backend holds the copy; False: somebody has dropped it."""
    changed = await tx.run(
        "finish_backup", backend_name=backend, storage_key=storage_key
    )
    if not changed:
        return False
    moves = QuotaMoves()
    moves.add(backend, reserved=-size, used=size)
    await moves.apply(tx)
    return True


async def drop_backups(
    tx: Tx, copies: Sequence[BackupCopy], reason: str, now_us: int
) -> int:
    """Forget copies and queue their bytes; return how many there were."""
    moves = QuotaMoves()
    count = 0
    for copy in copies:
        taken = await tx.one(
            "take_backup", backend_name=copy.backend, storage_key=copy.storage_key
        )
        if taken is None:
            continue
        count += 1
        is_whole, size = taken[0] == WHOLE, rows.size(taken[1])
        moves.add(
            copy.backend,
            used=-size if is_whole else 0,
            reserved=0 if is_whole else -size,
        )
        discard = Discard(
            backend=copy.backend,
            bucket_id=NO_BUCKET,
            key=NO_KEY,
            storage_key=copy.storage_key,
            size_bytes=size,
            reason=reason,
            is_ambiguous=not is_whole,
        )
        await enqueue(tx, discard, moves, now_us)
    await moves.apply(tx)
    return count


async def list_backups(tx: Tx) -> list[BackupCopy]:
    """Return every copy of every segment, in order of what it tells."""
    try:
        return [
            BackupCopy(
                backend=rows.backend_name(row[0]),
                storage_key=rows.storage_key(row[1]),
                name=parse_backup_name(rows.text(row[1])),
                is_whole=row[3] == WHOLE,
                stored_bytes=rows.size(row[6]),
                created_at_us=rows.number(row[7]),
            )
            for row in await tx.all("list_backups")
        ]
    except ValueError as error:
        raise LedgerDamaged("ledger_backups", str(error)) from None


async def last_completed_us(tx: Tx) -> int | None:
    """Return when an upload was completed last, of those still remembered."""
    row = await tx.one("last_completed")
    return None if row is None or row[0] is None else rows.number(row[0])
