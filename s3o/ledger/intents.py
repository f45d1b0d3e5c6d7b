"""Announce a write before its first byte leaves, and finish or drop it afterwards."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from s3o.ledger import rows
from s3o.ledger.accounts import reserve_for_account
from s3o.ledger.buckets import hold_owned_bucket
from s3o.ledger.commits import Commit, publish
from s3o.ledger.objects import draw_sequence, find_current
from s3o.ledger.pending import (
    CHARGED_KINDS,
    IntentKind,
    IntentRow,
    intent_of,
    release_taken,
    take_intent,
)
from s3o.ledger.quotas import QuotaMoves, quota_rows, reserve
from s3o.ledger.readable import readable_page
from s3o.ledger.seam import Tx
from s3o.model.errors import NoRoom, StateError
from s3o.model.names import (
    BackendName,
    BucketId,
    BucketName,
    ObjectKey,
    StorageKey,
    VersionId,
)
from s3o.model.values import Digests, ObjectFacts, QuotaRow, WriteConditions
from s3o.policy.conditional import check_write

Choose = Callable[[Sequence[QuotaRow]], Sequence[BackendName]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIntent:
    """One write to one backend that is about to begin; sizes in bytes.

    blob: which one of the version's; of several, none is ever promoted by itself.
    """

    storage_key: StorageKey
    bucket_id: BucketId
    bucket: BucketName
    key: ObjectKey
    version_id: VersionId
    size: int
    stored_size: int
    facts: ObjectFacts
    conditions: WriteConditions
    now_us: int
    owner: str
    kind: str = IntentKind.OBJECT
    blob: int = 0


@dataclass(frozen=True, slots=True)
class OpenedIntent:
    """Where the write goes; the sequence is for the record and the reaper."""

    backend: BackendName
    sequence: int


class Promotion(StrEnum):
    """What became of an intent that the reaper wanted to finish."""

    PROMOTED = "promoted"
    SUPERSEDED = "superseded"  # something of the key was committed later
    DROPPED = "dropped"  # its conditions do not hold, or it proves too little
    RESOLVED = "already_resolved"


async def open_intent(tx: Tx, intent: NewIntent, choose: Choose) -> OpenedIntent:
    """Reserve room on the first of choose's candidates that has it; record the intent.

    choose runs inside the transaction: it is pure, and candidates without a quota row
    are passed over. Raises NoSuchBucket, QuotaExceeded, NoRoom, PreconditionFailed,
    NoSuchKey.
    """
    bucket = await hold_owned_bucket(tx, intent.bucket_id, intent.bucket)
    if intent.conditions:
        current = await find_current(tx, intent.bucket_id, intent.key)
        check_write(intent.conditions, current, intent.bucket, intent.key)
    # Rows are locked in one order everywhere: bucket, key, account, backends.
    sequence = await draw_sequence(tx, intent.bucket_id, intent.key)
    if intent.kind in CHARGED_KINDS:
        await reserve_for_account(tx, bucket.owner, intent.size)
    backend = await _reserve(tx, intent.stored_size, choose)
    await tx.run(
        "insert_intent",
        storage_key=intent.storage_key,
        kind=intent.kind,
        backend_name=backend,
        bucket_id=intent.bucket_id,
        key=intent.key,
        version_id=intent.version_id,
        sequence=sequence,
        blob=intent.blob,
        size=intent.size,
        stored_bytes=intent.stored_size,
        conditions=rows.conditions_text(intent.conditions),
        content_type=intent.facts.content_type,
        storage_class=intent.facts.storage_class,
        headers=rows.pairs_text(intent.facts.headers),
        metadata=rows.pairs_text(intent.facts.metadata),
        tags=rows.pairs_text(intent.facts.tags),
        owner=intent.owner,
        now_us=intent.now_us,
    )
    return OpenedIntent(backend, sequence)


async def _reserve(tx: Tx, size: int, choose: Choose) -> BackendName:
    for backend in choose(await quota_rows(tx)):
        if await reserve(tx, backend, size):
            return backend
    raise NoRoom(size)


async def note_digests(
    tx: Tx, storage_key: StorageKey, digests: Digests, stored_md5: str
) -> bool:
    """Write final digests into the intent, so that it can be promoted; False: gone."""
    changed = await tx.run(
        "note_digests",
        storage_key=storage_key,
        etag=digests.md5,
        **rows.checksum_columns(digests.checksum),
        content_hash=digests.sha256,
        stored_digest=stored_md5,
    )
    return changed == 1


async def beat(tx: Tx, storage_keys: Iterable[StorageKey]) -> None:
    """Count one heartbeat of uploads that still make progress."""
    for storage_key in storage_keys:
        await tx.run("beat_intent", storage_key=storage_key)


async def drop_intent(
    tx: Tx, storage_key: StorageKey, reason: str, now_us: int, is_ambiguous: bool
) -> bool:
    """Give an intent up: reservation to orphan bytes, name queued. False: it is gone.

    is_ambiguous: the attempt may still bring bytes to the backend later.
    """
    intent = await take_intent(tx, storage_key)
    if intent is None:
        return False
    moves = QuotaMoves()
    await release_taken(tx, intent, moves, reason, now_us, is_ambiguous=is_ambiguous)
    await moves.apply(tx)
    return True


async def list_intents(tx: Tx, limit: int, after: str = "") -> list[IntentRow]:
    """Return intents by storage key, those behind after.

    One that cannot be read is left out, so that the reaper serves the others; fsck
    reports it.
    """
    return await readable_page(tx, "list_intents", intent_of, after, limit)


async def promote_intent(
    tx: Tx, storage_key: StorageKey, digests: Digests | None, now_us: int
) -> Promotion:
    """Finish a write whose caller is gone, or drop it; both are safe.

    The caller has seen the complete blob on the backend, right in size and checksum.
    digests: what that proved, where the intent holds none itself. Nothing of the key,
    tombstones included, may have been committed after the intent was made.
    """
    intent = await take_intent(tx, storage_key)
    if intent is None:
        return Promotion.RESOLVED
    moves = QuotaMoves()
    outcome = await _promote(tx, intent, digests or intent.digests, now_us, moves)
    if outcome is not Promotion.PROMOTED:
        await release_taken(tx, intent, moves, outcome, now_us, is_ambiguous=True)
    await moves.apply(tx)
    return outcome


async def _promote(
    tx: Tx, intent: IntentRow, digests: Digests | None, now_us: int, moves: QuotaMoves
) -> Promotion:
    of_uploads = (IntentKind.PART, IntentKind.COMPLETE)
    assert intent.kind not in of_uploads, "ends by its upload's rules"
    if digests is None or intent.kind is not IntentKind.OBJECT:
        return Promotion.DROPPED
    if await is_superseded(tx, intent):
        return Promotion.SUPERSEDED
    commit = Commit(
        storage_key=intent.storage_key,
        digests=digests,
        etag=digests.md5,
        now_us=now_us,
        stored_md5=intent.stored_md5,
        is_verified=True,
    )
    try:
        await publish(tx, intent, commit, moves)
    except StateError:  # decided before the first change
        return Promotion.DROPPED
    return Promotion.PROMOTED


async def is_superseded(tx: Tx, intent: IntentRow) -> bool:
    """Whether anything of the key, tombstones included, was committed later."""
    await tx.run("lock_key", bucket_id=intent.bucket_id, key=intent.key)
    current = await find_current(tx, intent.bucket_id, intent.key)
    if current is not None and current.sequence > intent.sequence:
        return True
    row = await tx.one("find_tombstone", bucket_id=intent.bucket_id, key=intent.key)
    return row is not None and rows.size(row[0]) > intent.sequence
