"""Copies of blobs: announced, recorded, judged and taken away, each in one transaction.

Rule 1: nothing is recorded for a version that is gone, nor twice on one backend: what
is true in the recording transaction decides (compare-and-set on the version). Rule 2: a
location leaves its version only if enough *other* live and verified copies of the blob
remain, decided in the transaction that takes it; the last good copy is never taken.
Rule 3: a bad copy (suspect, lost) does not keep its backend from getting a good one,
which takes its place.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from s3o.ledger import rows
from s3o.ledger.buckets import hold_bucket
from s3o.ledger.cleanup_rows import Discard, enqueue
from s3o.ledger.copy_rows import BlobIdentity, find_kept_version, places_of_blob
from s3o.ledger.objects import draw_sequence
from s3o.ledger.pending import IntentKind, IntentRow, release_taken, take_intent
from s3o.ledger.quotas import QuotaMoves, reserve
from s3o.ledger.seam import Tx
from s3o.model.errors import CopyObsolete, NoRoom, NoSuchBucket
from s3o.model.names import (
    BackendName,
    BucketId,
    ObjectKey,
    StorageKey,
    VersionId,
)
from s3o.model.values import Location, LocationState, ObjectFacts

# How much later than an observation a proof that came between may be: minutes, and
# what the clocks of instances differ.
FAR_AHEAD_US = 3_600_000_000
OBSOLETE = "copy_obsolete"
REPLACED = "copy_replaced"
MOVED = "copy_moved"

# In whose place a good copy may come; a quarantined one is kept for a person.
_REPLACEABLE = frozenset({LocationState.SUSPECT, LocationState.LOST})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCopy:
    """One copy to one backend that is about to begin.

    stored_bytes and stored_md5 (hex) are the blob's; None: nobody knows the digest.
    """

    storage_key: StorageKey
    backend: BackendName
    of: BlobIdentity
    stored_bytes: int
    stored_md5: str | None
    owner: str
    now_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedCopy:
    """What the copy's record and headers are made of; is_whole: not of an upload.

    sequence: the version's. A copy of an older version must never look like a newer
    write to whoever has only the records.
    """

    backend: BackendName
    sequence: int
    facts: ObjectFacts
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyProof:
    """What the transfer has shown; is_verified: the right bytes are proved to be there.

    stored_md5 (hex) is of what was sent; None: nobody has proved that those were the
    right bytes, and their digest must never be held against another copy.
    """

    stored_md5: str | None
    backend_etag: str | None = None
    backend_version: str | None = None
    is_verified: bool = False


class CopyOutcome(StrEnum):
    """What became of a copy."""

    COPIED = "copied"  # recorded; a source that was to be taken is still there
    MOVED = "moved"  # recorded, and its source taken away
    OBSOLETE = "obsolete"  # not recorded: the version is gone, or has it there already


async def open_copy(tx: Tx, copy: NewCopy) -> OpenedCopy:
    """Reserve room for a copy on its backend and record the intent.

    Raises CopyObsolete when the version is gone or has a good copy of the blob there,
    and NoRoom.
    """
    of = copy.of
    try:
        await hold_bucket(tx, of.bucket_id, of.bucket)
    except NoSuchBucket:
        raise CopyObsolete(of.version_id, copy.backend) from None
    sequence = await draw_sequence(tx, of.bucket_id, of.key)
    version = await find_kept_version(tx, of.version_id)
    places = await places_of_blob(tx, of.version_id, of.blob)
    there = _on(places, copy.backend)
    is_taken = there is not None and there.state not in _REPLACEABLE
    if version is None or not places or is_taken:
        raise CopyObsolete(of.version_id, copy.backend)
    if not await reserve(tx, copy.backend, copy.stored_bytes):
        raise NoRoom(copy.stored_bytes)
    await tx.run(
        "insert_copy_intent",
        storage_key=copy.storage_key,
        backend_name=copy.backend,
        bucket_id=of.bucket_id,
        key=of.key,
        version_id=of.version_id,
        sequence=sequence,
        blob=of.blob,
        stored_bytes=copy.stored_bytes,
        stored_md5=copy.stored_md5,
        owner=copy.owner,
        now_us=copy.now_us,
    )
    return OpenedCopy(
        backend=copy.backend,
        sequence=version.sequence,
        facts=version.facts,
        is_whole=version.is_whole,
    )


async def note_copy_upload(
    tx: Tx, storage_key: StorageKey, backend_upload_id: str
) -> bool:
    """Write down that the copy goes into a native upload; False: its intent is gone."""
    changed = await tx.run(
        "note_copy_upload",
        storage_key=storage_key,
        backend_upload_id=backend_upload_id,
    )
    return changed == 1


async def commit_copy(
    tx: Tx,
    storage_key: StorageKey,
    proof: CopyProof,
    now_us: int,
    *,
    takes_from: BackendName | None = None,
    factor: int = 1,
    counted: Collection[BackendName] | None = None,
    reason: str = MOVED,
) -> CopyOutcome:
    """Make a copy's intent a location of its version, if that still makes sense.

    takes_from: the backend whose location goes in exchange, if at least factor other
    live and verified copies remain, the new one among them. counted: the backends
    whose copies count for that; None is all. What is not recorded is queued.
    """
    intent = await take_intent(tx, storage_key)
    if intent is None:
        return CopyOutcome.OBSOLETE
    assert intent.kind is IntentKind.COPY, intent.kind
    await tx.run("lock_key", bucket_id=intent.bucket_id, key=intent.key)
    moves = QuotaMoves()
    places = await places_of_blob(tx, intent.version_id, intent.blob)
    version = await find_kept_version(tx, intent.version_id)
    if version is None or not _is_wanted(intent, proof, places):
        await release_taken(tx, intent, moves, OBSOLETE, now_us, is_ambiguous=False)
        await moves.apply(tx)
        return CopyOutcome.OBSOLETE
    owner = _Owner(intent.version_id, intent.bucket_id, intent.key)
    if (worse := _on(places, intent.backend)) is not None:
        await _take(tx, owner, worse, moves, REPLACED, now_us)
    await _put_location(tx, intent, proof, moves, now_us)
    if not version.is_whole:
        await _tell(tx, owner)
    source = _on(places, takes_from) if takes_from is not None else None
    outcome = CopyOutcome.COPIED
    if source is not None and source.backend != intent.backend:
        others = await places_of_blob(tx, intent.version_id, intent.blob)
        if _good_without(others, source.backend, counted) >= max(factor, 1):
            await _take(tx, owner, source, moves, reason, now_us)
            outcome = CopyOutcome.MOVED
    await moves.apply(tx)
    return outcome


async def remove_copy(
    tx: Tx,
    version_id: VersionId,
    blob: int,
    backend: BackendName,
    *,
    keep: int,
    reason: str,
    now_us: int,
    counted: Collection[BackendName] | None = None,
) -> bool:
    """Take one location from its version and queue its bytes; say whether it went.

    Only if at least keep (and one) *other* live and verified copies of the blob remain
    on the backends that are counted (None: on any).
    """
    version = await find_kept_version(tx, version_id)
    if version is None:
        return False
    await tx.run("lock_key", bucket_id=version.bucket_id, key=version.key)
    places = await places_of_blob(tx, version_id, blob)
    place = _on(places, backend)
    if place is None or _good_without(places, backend, counted) < max(keep, 1):
        return False
    moves = QuotaMoves()
    owner = _Owner(version_id, version.bucket_id, version.key)
    await _take(tx, owner, place, moves, reason, now_us)
    await moves.apply(tx)
    return True


async def mark_copy(
    tx: Tx,
    version_id: VersionId,
    blob: int,
    backend: BackendName,
    state: LocationState,
    now_us: int,
    expect: StorageKey,
) -> bool:
    """Write down what is known of a location's bytes; False: it is another one by now.

    now_us: when that was observed; a later proof stands against it, unless its time is
    so far ahead that its clock was wrong. The location is
    unverified from then on, also when it is live again.
    """
    changed = await tx.run(
        "mark_location",
        version_id=version_id,
        blob=blob,
        backend_name=backend,
        state=state,
        now_us=now_us,
        far_ahead_us=now_us + FAR_AHEAD_US,
        storage_key=expect,
    )
    if changed:  # whoever recovers the ledger must doubt the bytes as well
        await tx.run("touch_version", version_id=version_id)
    return changed == 1


async def note_verified(
    tx: Tx,
    version_id: VersionId,
    blob: int,
    backend: BackendName,
    storage_key: StorageKey,
    now_us: int,
    stored_md5: str,
) -> bool:
    """Write down that a location's bytes were proved; it is live.

    stored_md5 (hex) is of the bytes that are there. False: the location is another one
    by now, or its digest is another one.
    """
    changed = await tx.run(
        "verify_location",
        version_id=version_id,
        blob=blob,
        backend_name=backend,
        storage_key=storage_key,
        now_us=now_us,
        stored_md5=stored_md5,
    )
    return changed == 1


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose locations they are."""

    version_id: VersionId
    bucket_id: BucketId
    key: ObjectKey


def _on(places: Sequence[Location], backend: BackendName) -> Location | None:
    return next((place for place in places if place.backend == backend), None)


def is_good(place: Location) -> bool:
    """Whether a copy counts: nothing speaks against it, and its bytes were proved."""
    return place.state is LocationState.LIVE and place.verified_at_us is not None


def _good_without(
    places: Sequence[Location],
    backend: BackendName,
    counted: Collection[BackendName] | None,
) -> int:
    return sum(
        is_good(place)
        and place.backend != backend
        and (counted is None or place.backend in counted)
        for place in places
    )


def _is_wanted(intent: IntentRow, proof: CopyProof, places: Sequence[Location]) -> bool:
    """Whether the copy may be recorded beside the blob's other locations."""
    if not places:
        return False
    known = {one.stored_md5 for one in places if is_good(one)} - {None}
    if known - {proof.stored_md5}:
        return False  # bytes of something else, whoever is wrong
    there = _on(places, intent.backend)
    return there is None or (proof.is_verified and there.state in _REPLACEABLE)


async def _put_location(
    tx: Tx, intent: IntentRow, proof: CopyProof, moves: QuotaMoves, now_us: int
) -> None:
    await tx.run(
        "insert_location",
        version_id=intent.version_id,
        blob=intent.blob,
        backend_name=intent.backend,
        storage_key=intent.storage_key,
        backend_version=proof.backend_version,
        backend_etag=proof.backend_etag,
        stored_bytes=intent.stored_bytes,
        stored_digest=proof.stored_md5,
        now_us=now_us,
        verified_us=now_us if proof.is_verified else None,
    )
    moves.add(
        intent.backend,
        reserved=-intent.stored_bytes,
        used=intent.stored_bytes,
        objects=int(intent.blob == await _lowest_blob(tx, intent.version_id)),
    )


async def _take(
    tx: Tx,
    owner: _Owner,
    place: Location,
    moves: QuotaMoves,
    reason: str,
    now_us: int,
) -> None:
    """Remove a location that is not the blob's last one; its bytes become orphans."""
    lowest = await _lowest_blob(tx, owner.version_id)
    taken = await tx.one(
        "take_location",
        version_id=owner.version_id,
        blob=place.blob,
        backend_name=place.backend,
    )
    assert taken is not None, "it was read in this transaction"
    moves.add(
        place.backend, used=-place.stored_bytes, objects=-int(place.blob == lowest)
    )
    discard = Discard(
        backend=place.backend,
        bucket_id=owner.bucket_id,
        key=owner.key,
        storage_key=place.storage_key,
        size_bytes=place.stored_bytes,
        reason=reason,
        is_imported=place.is_imported,
        backend_version=place.backend_version,
        backend_etag=place.backend_etag,
    )
    await enqueue(tx, discard, moves, now_us)
    await _tell(tx, owner)


async def _tell(tx: Tx, owner: _Owner) -> None:
    """Have the next log of the ledger say where the bytes are now.

    The record of a piece of an upload does not say it all, and a recovery that looks
    for bytes where they were would take the object for lost.
    """
    await tx.run("touch_object", bucket_id=owner.bucket_id, key=owner.key)


async def _lowest_blob(tx: Tx, version_id: VersionId) -> int | None:
    row = await tx.one("find_lowest_blob", version_id=version_id)
    return None if row is None or row[0] is None else rows.size(row[0])
