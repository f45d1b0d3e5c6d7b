"""Judge what no backup tells of, and what the backups tell of and nobody has seen.

A candidate is a blob whose bytes were proved. It may be an acknowledged write that came
after the last log; a copy of a known version, or where such a one was moved to; or
garbage that was waiting to be deleted when the ledger was lost. Candidates are kept as
intents until every backend was listed, and only then judged.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from s3o.ledger import rows
from s3o.ledger.cleanup_rows import Discard, enqueue
from s3o.ledger.objects import find_object
from s3o.ledger.pending import IntentKind, IntentRow, intent_of
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.recovery import has_bucket
from s3o.ledger.seam import Tx
from s3o.model.names import BackendName, BucketId, ObjectKey, StorageKey, VersionId
from s3o.model.values import Checksum, LocationState, ObjectFacts, StoredObject

OLDER = "recover_older"
UNKNOWN_PART = "recover_part_of_unknown_upload"
UNREAD = "recover_unread"
INCOMPLETE = "recover_incomplete"
FOR_A_PERSON = frozenset({UNKNOWN_PART, UNREAD, INCOMPLETE})  # no garbage


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A blob that no backup tells of.

    checksum None: it was not read, for its provider names the MD5 that the known blob
    has; then it can only be a copy of that one. is_whole: not of an upload.
    """

    backend: BackendName
    storage_key: StorageKey
    bucket_id: BucketId
    key: ObjectKey
    version_id: VersionId
    sequence: int  # of its intent
    blob: int
    size: int
    md5: str
    checksum: Checksum | None
    facts: ObjectFacts
    created_at_us: int
    is_whole: bool = True


class Fate(StrEnum):
    """What became of a candidate."""

    OBJECT = "object"
    COPY = "copy"
    OLDER = "older"
    DUPLICATE = "duplicate"
    PART = "part of an unknown upload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """How far the backups reach: through; under_way: writes open at that moment.

    through is -1 where there is no backup at all.
    """

    through: int
    under_way: frozenset[StorageKey]

    def is_newer(self, storage_key: StorageKey, sequence: int) -> bool:
        """Whether the write can have been committed after the backups' last word."""
        return sequence > self.through or storage_key in self.under_way


async def add_candidate(tx: Tx, candidate: Candidate) -> None:
    """Note a candidate, to be judged when everything was seen."""
    checksum = candidate.checksum
    await tx.run(
        "insert_candidate",
        storage_key=candidate.storage_key,
        kind=IntentKind.OBJECT if candidate.is_whole else IntentKind.COPY,
        backend_name=candidate.backend,
        bucket_id=candidate.bucket_id,
        key=candidate.key,
        version_id=candidate.version_id,
        sequence=candidate.sequence,
        blob=candidate.blob,
        size=candidate.size,
        stored_bytes=candidate.size,
        content_type=candidate.facts.content_type,
        storage_class=candidate.facts.storage_class,
        headers=rows.pairs_text(candidate.facts.headers),
        metadata=rows.pairs_text(candidate.facts.metadata),
        etag=candidate.md5,
        checksum_algorithm=checksum.algorithm if checksum is not None else None,
        checksum_type=checksum.type if checksum is not None else None,
        checksum_value=checksum.value if checksum is not None else None,
        stored_digest=candidate.md5,
        created_at=candidate.created_at_us,
    )


async def find_known_blob(
    tx: Tx, candidate_of: VersionId, place: tuple[BucketId, ObjectKey], blob: int
) -> tuple[int, str | None] | None:
    """Return size and MD5 of a blob of a version that the backups tell of, or None."""
    stored = await find_object(tx, *place)
    if stored is None or stored.version.version_id != candidate_of:
        return None
    known = [one for one in stored.locations if one.blob == blob]
    if not known:
        return None
    md5 = next((one.stored_md5 for one in known if one.stored_md5), None)
    return known[0].stored_bytes, md5


async def bury(tx: Tx, found: Discard, error: str, now_us: int) -> None:
    """Keep a blob that only a person can judge, as a dead letter."""
    await tx.run(
        "bury_found",
        backend_name=found.backend,
        bucket_id=found.bucket_id,
        key=found.key,
        storage_key=found.storage_key,
        reason=found.reason,
        size_bytes=found.size_bytes,
        error=error,
        now_us=now_us,
    )


async def judge_candidate(
    tx: Tx, storage_key: StorageKey, knowledge: Knowledge, now_us: int
) -> Fate:
    """Make the candidate an object or a copy of one, or queue its bytes."""
    row = await tx.one("take_intent", storage_key=storage_key)
    assert row is not None, "candidates are judged once"
    intent = intent_of(row)
    current = await find_object(tx, intent.bucket_id, intent.key)
    discard = Discard(
        backend=intent.backend,
        bucket_id=intent.bucket_id,
        key=intent.key,
        storage_key=storage_key,
        size_bytes=intent.stored_bytes,
        reason=OLDER,
    )
    if current is not None and current.version.version_id == intent.version_id:
        return await _add_copy(tx, current, intent, discard, now_us)
    if intent.kind is IntentKind.COPY:
        part = replace(discard, reason=UNKNOWN_PART)
        await bury(tx, part, "completed after the last log, or never", now_us)
        return Fate.PART
    sequence = _order(knowledge, intent)
    stands = 0 if current is None else current.version.sequence
    is_newer = sequence is not None and sequence >= stands
    if not await has_bucket(tx, intent.bucket_id):
        wins = False  # it was deleted: another bucket has its name
    else:
        wins = is_newer or (current is not None and not await _is_there(tx, current))
    if not wins or intent.digests is None:
        await enqueue(tx, discard, QuotaMoves(), now_us)
        return Fate.OLDER
    if current is not None:
        await _displace(tx, current, now_us, is_doubtful=not is_newer)
    await _publish(tx, intent, max(sequence or intent.sequence, stands))
    await _locate(tx, intent, discard, now_us)
    return Fate.OBJECT


def _order(knowledge: Knowledge, intent: IntentRow) -> int | None:
    """Return where the write stands among commits; None: before the last log."""
    if not knowledge.is_newer(intent.storage_key, intent.sequence):
        return None
    return max(intent.sequence, knowledge.through)


async def _publish(tx: Tx, intent: IntentRow, sequence: int) -> None:
    assert intent.digests is not None, "it was read"
    content_type, storage_class, headers, metadata, tags = intent.facts_columns
    await tx.run(
        "put_object",
        bucket_id=intent.bucket_id,
        key=intent.key,
        version_id=intent.version_id,
        sequence=sequence,
        size=intent.size,
        etag=intent.digests.md5,
        now_us=intent.created_at_us,
        content_type=content_type,
        storage_class=storage_class,
        headers=headers,
        metadata=metadata,
        tags=tags,
        **rows.checksum_columns(intent.digests.checksum),
        content_hash=None,
        part_sizes=None,
        layout=None,
        part_checksums=None,
        encryption_header=None,
        wrapped_key=None,
        key_id=None,
    )


def is_readable(stored: StoredObject) -> bool:
    """Whether every blob of the version was seen on some backend."""
    needed = {place.blob for place in stored.locations}
    there = {
        place.blob for place in stored.locations if place.state is LocationState.LIVE
    }
    return bool(needed) and needed == there


async def _is_there(tx: Tx, stored: StoredObject) -> bool:
    """Whether the version can be read, or more of its bytes wait to be judged."""
    if is_readable(stored):
        return True
    more = await tx.one("find_candidate", version_id=stored.version.version_id)
    return more is not None


async def _add_copy(
    tx: Tx, stored: StoredObject, intent: IntentRow, found: Discard, now_us: int
) -> Fate:
    """Record one more copy of a blob, in the place of one that nobody has seen."""
    known = [place for place in stored.locations if place.blob == intent.blob]
    holders = {place.backend for place in known if place.state is LocationState.LIVE}
    sizes = {place.stored_bytes for place in known}
    digests = {place.stored_md5 for place in known} - {None}
    is_other = sizes != {found.size_bytes} or bool(digests - {intent.stored_md5})
    if found.backend in holders or is_other:
        await enqueue(tx, found, QuotaMoves(), now_us)
        return Fate.DUPLICATE
    version_id = stored.version.version_id
    await tx.run(
        "forget_location",
        version_id=version_id,
        blob=intent.blob,
        backend_name=found.backend,
    )
    await _locate(tx, intent, found, now_us)
    return Fate.COPY


async def _locate(tx: Tx, intent: IntentRow, found: Discard, now_us: int) -> None:
    await tx.run(
        "restore_location",
        version_id=intent.version_id,
        blob=intent.blob,
        backend_name=found.backend,
        storage_key=found.storage_key,
        backend_version=None,
        backend_etag=None,
        stored_bytes=found.size_bytes,
        stored_digest=intent.stored_md5,
        origin=rows.OWN,
        state=LocationState.LIVE,
        created_at=now_us,
        verified_at=now_us,
    )


async def _displace(
    tx: Tx, stored: StoredObject, now_us: int, *, is_doubtful: bool
) -> None:
    """Queue what was seen of a version that another one replaces.

    is_doubtful: by an older one, for want of bytes; what there is stays for a person.
    """
    version = stored.version
    for place in stored.locations:
        if place.state is LocationState.LOST or place.is_imported:
            continue
        discard = Discard(
            backend=place.backend,
            bucket_id=version.bucket_id,
            key=version.key,
            storage_key=place.storage_key,
            size_bytes=place.stored_bytes,
            reason=OLDER,
        )
        if is_doubtful:
            rest = replace(discard, reason=INCOMPLETE)
            await bury(tx, rest, "other bytes of its object are missing", now_us)
        else:
            await enqueue(tx, discard, QuotaMoves(), now_us)
    await tx.run("forget_locations", version_id=version.version_id)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object of the backups whose bytes are not there; is_gone: none of them."""

    bucket_id: BucketId
    key: ObjectKey
    is_gone: bool


async def settle_objects(
    tx: Tx, after: tuple[BucketId, ObjectKey], limit: int
) -> tuple[list[Unreadable], tuple[BucketId, ObjectKey] | None]:
    """Go through the versions behind after: forget copies that nobody has seen.

    A version of which nothing was seen was deleted after the last log, or is lost: its
    row goes and is reported. Returns the reports, and where to go on.
    """
    found = await tx.all(
        "dump_objects", after_bucket_id=after[0], after_key=after[1], max_rows=limit
    )
    reports: list[Unreadable] = []
    for row in found:
        bucket_id = BucketId(rows.number(row[0]))
        key, version_id = ObjectKey(rows.text(row[1])), rows.text(row[2])
        states = await tx.all("list_location_states", version_id=version_id)
        needed = {blob for blob, _, _ in states}
        there = {blob for blob, _, state in states if state != LocationState.LOST}
        if not there:
            await tx.run("delete_object", bucket_id=bucket_id, key=key)
            await tx.run("forget_locations", version_id=version_id)
        elif there == needed:
            for blob, backend, state in states:
                if state == LocationState.LOST:
                    await tx.run(
                        "forget_location",
                        version_id=version_id,
                        blob=blob,
                        backend_name=backend,
                    )
        if there != needed:
            reports.append(Unreadable(bucket_id, key, not there))
    if len(found) < limit:
        return reports, None
    return reports, (
        BucketId(rows.number(found[-1][0])),
        ObjectKey(rows.text(found[-1][1])),
    )
