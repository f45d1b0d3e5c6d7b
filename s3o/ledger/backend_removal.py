"""Take every row that names a backend out of the ledger, in bounded transactions.

Each step works only while the backend is `removing`, so it is closed: nothing new can
name it, and what is left only becomes less. A process may die between any two steps;
the next one goes on with what it finds. finish_removal ends it in the transaction that
finds nothing left, so no row can dangle.

Without is_purging a location goes only if another good copy of its blob remains, and
its bytes stay on the backend. With it the bytes are queued, and an object whose last
copy lies here is deleted as its client would delete it, tombstone included.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from s3o.ledger import rows
from s3o.ledger.cleanup_rows import Discard, enqueue
from s3o.ledger.copies import is_good
from s3o.ledger.copy_rows import CopyRow, find_blob, list_copies_by_backend
from s3o.ledger.dead_letters import retry_dead_letter
from s3o.ledger.deletes import delete_object
from s3o.ledger.drains import Drain, DrainState, find_drain, is_empty, list_drains
from s3o.ledger.objects import find_current
from s3o.ledger.pending import intent_of, release_taken, take_intent
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Tx
from s3o.ledger.upload_endings import abort_upload, refuse_complete
from s3o.ledger.uploads import look_up
from s3o.model.errors import DrainConflict, LedgerDamaged, UploadCompleting
from s3o.model.names import BackendName, BucketName, ObjectKey, UploadId
from s3o.model.values import Bucket, Location, LocationState, WriteConditions

REMOVED = "backend_removed"
WHOLE = "whole"  # of ledger_backups


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a removal would take; only_*: of objects without another good copy."""

    objects: int
    stored_bytes: int
    only_copies: int
    only_bytes: int


@dataclass(frozen=True, slots=True)
class LostObject:
    """An object that was deleted because its last copy went."""

    bucket: BucketName
    key: ObjectKey
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationBatch:
    """What one step did; kept: locations that only a purge would take.

    after: where the next step begins; None: there are no more.
    """

    after: str | None
    removed: int = 0
    stored_bytes: int = 0
    kept: int = 0
    lost: tuple[LostObject, ...] = ()


async def begin_removal(
    tx: Tx, backend: BackendName, now_us: int, *, is_purging: bool
) -> Drain | None:
    """Close the backend for good; return what it was before, None for ordinary.

    Raises DrainConflict while it is drained by moving, or is removed already.
    """
    before = await find_drain(tx, backend)
    changed = await tx.run(
        "begin_removal",
        backend_name=backend,
        is_purging=int(is_purging),
        now_us=now_us,
    )
    if not changed:
        assert before is not None
        reason = (
            "the backend is being drained: wait for the end or cancel it"
            if before.state is DrainState.DRAINING
            else "the backend is removed already"
        )
        raise DrainConflict(backend, before.state, reason)
    return before


async def take_back(
    tx: Tx, backend: BackendName, before: Drain | None, now_us: int
) -> None:
    """Undo begin_removal, for a removal that was refused."""
    if before is None:
        await tx.run("end_drain", backend_name=backend, seen_state=DrainState.REMOVING)
        return
    await tx.run(
        "restore_drain",
        backend_name=backend,
        state=before.state,
        is_purging=int(before.is_purging),
        error=before.last_error,
        now_us=now_us,
    )


async def preview_removal(tx: Tx, backend: BackendName) -> Preview:
    """Count what is on the backend; reads many rows, so it is for a scan."""
    row = await tx.one("preview_removal", backend_name=backend)
    assert row is not None
    objects, stored, only, only_bytes = (rows.size(value) for value in row)
    return Preview(
        objects=objects, stored_bytes=stored, only_copies=only, only_bytes=only_bytes
    )


async def remove_locations(
    tx: Tx, backend: BackendName, after: str, limit: int, now_us: int
) -> LocationBatch:
    """Take up to limit locations, by name, those behind after."""
    drain = await _removing(tx, backend)
    if drain is None:
        return LocationBatch(after=None)
    page = await list_copies_by_backend(tx, backend, after, limit)
    moves = QuotaMoves()
    work = _Work(tx, backend, await _leaving(tx), drain.is_purging, moves, now_us)
    # In order of keys, as every transaction locks them.
    for row in sorted(page, key=lambda one: (one.bucket_id, one.key)):
        await work.take(row)
    await moves.apply(tx)
    return LocationBatch(
        after=page[-1].location.storage_key if len(page) == limit else None,
        removed=work.removed,
        stored_bytes=work.stored_bytes,
        kept=work.kept,
        lost=tuple(work.lost),
    )


async def remove_strays(tx: Tx, backend: BackendName, limit: int) -> int:
    """Take locations of versions that are gone; return how many."""
    if await _removing(tx, backend) is None:
        return 0
    found = await tx.all("take_stray_locations", backend_name=backend, max_rows=limit)
    moves = QuotaMoves()
    for (size,) in found:
        moves.add(backend, used=-rows.size(size))
    await moves.apply(tx)
    return len(found)


async def end_uploads(
    tx: Tx, backend: BackendName, after: str, limit: int, now_us: int
) -> tuple[int, str | None]:
    """Abort uploads that have anything here; return how many, and where to go on.

    One that is being completed is only ended by a purge: it may become an object.
    """
    drain = await _removing(tx, backend)
    if drain is None:
        return 0, None
    found = await tx.all(
        "list_uploads_on_backend", backend_name=backend, after=after, max_rows=limit
    )
    count = 0
    for (value,) in found:
        upload_id = UploadId(rows.text(value))
        count += await _end_upload(tx, upload_id, drain.is_purging, now_us)
    return count, rows.text(found[-1][0]) if len(found) == limit else None


async def drop_intents(
    tx: Tx, backend: BackendName, after: str, limit: int, now_us: int
) -> tuple[int, str | None]:
    """Give up announced writes; whoever carries one out finds it lost."""
    if await _removing(tx, backend) is None:
        return 0, None
    found = await tx.all(
        "list_backend_intents", backend_name=backend, after=after, max_rows=limit
    )
    moves = QuotaMoves()
    count = 0
    for (value,) in found:
        storage_key = rows.storage_key(value)
        row = await tx.one("find_intent", storage_key=storage_key)
        if row is None or intent_of(row).is_native_part:
            continue  # ends with its upload
        intent = await take_intent(tx, storage_key)
        assert intent is not None
        await release_taken(tx, intent, moves, REMOVED, now_us, is_ambiguous=True)
        count += 1
    await moves.apply(tx)
    return count, rows.text(found[-1][0]) if len(found) == limit else None


async def forget_queues(tx: Tx, backend: BackendName, limit: int) -> int:
    """Leave up to limit queued blobs and dead letters on the backend for ever."""
    if await _removing(tx, backend) is None:
        return 0
    moves = QuotaMoves()
    count = 0
    for query in ("drop_cleanups", "drop_dead_letters"):
        for (size,) in await tx.all(query, backend_name=backend, max_rows=limit):
            moves.add(backend, orphan=-rows.size(size))
            count += 1
    await moves.apply(tx)
    return count


async def revive_dead_letters(
    tx: Tx, backend: BackendName, limit: int, now_us: int
) -> int:
    """Queue dead letters once more, for an operator who asks; return how many."""
    found = await tx.all(
        "list_backend_dead_letters", backend_name=backend, max_rows=limit
    )
    for (letter_id,) in found:
        await retry_dead_letter(tx, rows.number(letter_id), now_us)
    return len(found)


async def forget_backups(tx: Tx, backend: BackendName, limit: int) -> int:
    """Forget backups of the ledger there, bytes and all; others are written soon."""
    if await _removing(tx, backend) is None:
        return 0
    found = await tx.all("take_backend_backups", backend_name=backend, max_rows=limit)
    moves = QuotaMoves()
    for state, value in found:
        size = rows.size(value)
        if state == WHOLE:
            moves.add(backend, used=-size)
        else:
            moves.add(backend, reserved=-size)
    await moves.apply(tx)
    return len(found)


async def forget_ended_uploads(tx: Tx, backend: BackendName, limit: int) -> int:
    """Forget uploads that have ended; nobody will list the backend for them."""
    if await _removing(tx, backend) is None:
        return 0
    return await tx.run("forget_ended_uploads", backend_name=backend, max_rows=limit)


async def finish_removal(
    tx: Tx, backend: BackendName, now_us: int, *, is_configured: bool
) -> bool:
    """Take the last rows if nothing else is left; say whether the backend is gone.

    One that the configuration still has keeps a mark, so that no restart makes it a
    target of writes again.
    """
    if await _removing(tx, backend) is None or not await is_empty(tx, backend):
        return False
    for query in ("remove_findings", "remove_pins", "remove_usage", "remove_quota"):
        await tx.run(query, backend_name=backend)
    if is_configured:
        await tx.run(
            "change_drain",
            backend_name=backend,
            seen_state=DrainState.REMOVING,
            state=DrainState.REMOVED,
            now_us=now_us,
        )
    else:
        await tx.run("end_drain", backend_name=backend, seen_state=DrainState.REMOVING)
    return True


async def _removing(tx: Tx, backend: BackendName) -> Drain | None:
    """Return the removal if it goes on; somebody may have cancelled it."""
    drain = await find_drain(tx, backend)
    if drain is None or drain.state is not DrainState.REMOVING:
        return None
    return drain


async def _leaving(tx: Tx) -> frozenset[BackendName]:
    return frozenset(
        drain.backend
        for drain in await list_drains(tx)
        if drain.state is DrainState.REMOVING
    )


async def _end_upload(
    tx: Tx, upload_id: UploadId, is_purging: bool, now_us: int
) -> bool:
    upload = await look_up(tx, upload_id)
    if upload is None:
        return False
    try:
        await abort_upload(tx, upload.bucket_id, upload.key, upload_id, now_us)
    except UploadCompleting:
        return is_purging and await refuse_complete(tx, upload_id, now_us)
    return True


class _Work:
    """One step over some locations, and what became of them."""

    def __init__(
        self,
        tx: Tx,
        backend: BackendName,
        leaving: frozenset[BackendName],
        is_purging: bool,
        moves: QuotaMoves,
        now_us: int,
    ) -> None:
        self._tx = tx
        self._backend = backend
        self._leaving = leaving
        self._is_purging = is_purging
        self._moves = moves
        self._now_us = now_us
        self.removed = 0
        self.stored_bytes = 0
        self.kept = 0
        self.lost: list[LostObject] = []

    async def take(self, row: CopyRow) -> None:
        """Take one location, if it may go."""
        await self._tx.run("lock_key", bucket_id=row.bucket_id, key=row.key)
        try:
            found = await find_blob(self._tx, row.version_id, row.blob)
        except LedgerDamaged:
            self.kept += 1
            return  # for a person: nobody can say what would be lost
        if found is None:
            return  # its object went with another blob, or is a stray
        _, places = found
        others = [
            place
            for place in places
            if place.backend != self._backend and place.backend not in self._leaving
        ]
        if self._is_enough(others):
            await self._take_location(row)
        elif not self._is_purging or not await self._delete_object(row):
            self.kept += 1
            return
        self.removed += 1
        self.stored_bytes += row.location.stored_bytes

    def _is_enough(self, others: Sequence[Location]) -> bool:
        if self._is_purging:
            # A doubtful copy is for the scrubber and a person to judge, not for us.
            return any(place.state is not LocationState.LOST for place in others)
        return any(is_good(place) for place in others)

    async def _take_location(self, row: CopyRow) -> None:
        tx, place = self._tx, row.location
        lowest = await tx.one("find_lowest_blob", version_id=row.version_id)
        taken = await tx.all(
            "take_location",
            version_id=row.version_id,
            blob=row.blob,
            backend_name=self._backend,
        )
        assert len(taken) == 1, "it was read in this transaction"
        is_first = lowest is not None and lowest[0] == row.blob
        self._moves.add(self._backend, used=-place.stored_bytes, objects=-int(is_first))
        await tx.run("touch_object", bucket_id=row.bucket_id, key=row.key)
        if self._is_purging:
            discard = Discard(
                backend=self._backend,
                bucket_id=row.bucket_id,
                key=row.key,
                storage_key=place.storage_key,
                size_bytes=place.stored_bytes,
                reason=REMOVED,
                is_imported=place.is_imported,
                backend_version=place.backend_version,
                backend_etag=place.backend_etag,
            )
            await enqueue(tx, discard, self._moves, self._now_us)

    async def _delete_object(self, row: CopyRow) -> bool:
        """Delete the object as its client would; False: it is not the current one."""
        current = await find_current(self._tx, row.bucket_id, row.key)
        if current is None or current.version_id != row.version_id:
            return False
        bucket = Bucket(id=row.bucket_id, name=row.bucket, created_at_us=0)
        await delete_object(self._tx, bucket, row.key, WriteConditions(), self._now_us)
        self.lost.append(LostObject(row.bucket, row.key, current.size))
        return True
