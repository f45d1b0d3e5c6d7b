"""The point of no return: one transaction makes an intent the current version.

Everything is decided against what is true now, not when the upload began: the bucket
live, the intent there, the conditions against the current row. Whoever commits draws
the higher sequence and wins; a live upload is never dropped because another write came
first. A refusal raises and changes nothing: the caller then drops the intent in a
transaction of its own, before it answers.
"""

from dataclasses import dataclass

from s3o.ledger import rows
from s3o.ledger.buckets import hold_bucket
from s3o.ledger.displacing import displace
from s3o.ledger.objects import draw_sequence, find_current
from s3o.ledger.pending import IntentKind, IntentRow, release_taken, take_intent
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Tx
from s3o.model.errors import WriteLost
from s3o.model.names import StorageKey
from s3o.model.values import Digests, Location, ObjectVersion
from s3o.policy.conditional import check_write

OVERWRITTEN = "overwrite_displaced"
ATTEMPT_FAILED = "attempt_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What the upload has shown; the intent holds the rest.

    extra_failed: intents of earlier attempts of the same write, whose bytes may exist.
    is_verified: the provider has proved that it holds the right bytes.
    """

    storage_key: StorageKey
    digests: Digests
    etag: str
    now_us: int
    stored_md5: str | None = None
    backend_version: str | None = None
    extra_failed: tuple[StorageKey, ...] = ()
    backend_etag: str | None = None
    is_verified: bool = False


@dataclass(frozen=True, slots=True)
class Committed:
    """The new current version, and the locations it displaced (queued by now)."""

    version: ObjectVersion
    displaced: tuple[Location, ...]


async def commit_object(tx: Tx, commit: Commit) -> Committed:
    """Make the intent of commit.storage_key its key's current version.

    Raises WriteLost if the intent is gone, NoSuchBucket, PreconditionFailed, NoSuchKey.
    """
    intent = await take_intent(tx, commit.storage_key)
    if intent is None:
        raise WriteLost(commit.storage_key)
    assert intent.kind is IntentKind.OBJECT, intent.kind
    moves = QuotaMoves()
    committed = await publish(tx, intent, commit, moves)
    for storage_key in sorted(commit.extra_failed):
        failed = await take_intent(tx, storage_key)
        if failed is not None:
            await release_taken(
                tx, failed, moves, ATTEMPT_FAILED, commit.now_us, is_ambiguous=True
            )
    await moves.apply(tx)
    return committed


async def publish(
    tx: Tx, intent: IntentRow, commit: Commit, moves: QuotaMoves
) -> Committed:
    """Make a taken intent of one blob current; the caller applies moves."""
    committed = await swap_version(tx, intent, commit, moves)
    await _put_location(tx, intent, commit, moves)
    return committed


async def swap_version(
    tx: Tx, intent: IntentRow, commit: Commit, moves: QuotaMoves
) -> Committed:
    """Swap the current row for a taken intent's version, whose locations follow.

    Refuses before the first change. Raises NoSuchBucket, PreconditionFailed, NoSuchKey.
    """
    fallback = intent.storage_key.partition("/")[0]
    bucket = await hold_bucket(tx, intent.bucket_id, fallback)
    sequence = await draw_sequence(tx, intent.bucket_id, intent.key)
    current = await find_current(tx, intent.bucket_id, intent.key)
    check_write(intent.conditions, current, bucket, intent.key)
    displaced: tuple[Location, ...] = ()
    if current is not None:
        displaced = await displace(tx, current, moves, OVERWRITTEN, commit.now_us)
    await _put_version(tx, intent, commit, sequence)
    version = ObjectVersion(
        bucket_id=intent.bucket_id,
        key=intent.key,
        version_id=intent.version_id,
        sequence=sequence,
        size=intent.size,
        etag=commit.etag,
        created_at_us=commit.now_us,
        facts=intent.facts,
        checksum=commit.digests.checksum,
        sha256=commit.digests.sha256,
        part_sizes=intent.part_sizes,
        layout=intent.layout,
        part_checksums=intent.part_checksums,
    )
    return Committed(version, displaced)


async def _put_version(
    tx: Tx, intent: IntentRow, commit: Commit, sequence: int
) -> None:
    content_type, storage_class, headers, metadata, tags = intent.facts_columns
    await tx.run(
        "put_object",
        bucket_id=intent.bucket_id,
        key=intent.key,
        version_id=intent.version_id,
        sequence=sequence,
        size=intent.size,
        etag=commit.etag,
        now_us=commit.now_us,
        content_type=content_type,
        storage_class=storage_class,
        headers=headers,
        metadata=metadata,
        tags=tags,
        **rows.checksum_columns(commit.digests.checksum),
        content_hash=commit.digests.sha256,
        part_sizes=rows.list_text(intent.part_sizes),
        layout=rows.list_text(intent.layout),
        part_checksums=rows.list_text(intent.part_checksums),
        encryption_header=None,
        wrapped_key=None,
        key_id=None,
    )


async def _put_location(
    tx: Tx, intent: IntentRow, commit: Commit, moves: QuotaMoves
) -> None:
    await tx.run(
        "insert_location",
        version_id=intent.version_id,
        blob=0,
        backend_name=intent.backend,
        storage_key=intent.storage_key,
        backend_version=commit.backend_version,
        backend_etag=commit.backend_etag,
        stored_bytes=intent.stored_bytes,
        stored_digest=commit.stored_md5,
        now_us=commit.now_us,
        verified_us=commit.now_us if commit.is_verified else None,
    )
    moves.add(
        intent.backend,
        reserved=-intent.stored_bytes,
        used=intent.stored_bytes,
        objects=1,
    )
