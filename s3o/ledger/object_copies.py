"""Make a copied object current: its blobs were copied one by one, each by its intent.

The intents are those of an ordinary write, so whatever becomes of the process, each is
dropped by itself and its bytes are queued. The version appears with all its blobs, in
one transaction, or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from s3o.ledger.commits import Commit, Committed, swap_version
from s3o.ledger.intents import drop_intent
from s3o.ledger.pending import IntentKind, IntentRow, take_intent
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Tx
from s3o.model.errors import WriteLost
from s3o.model.names import StorageKey
from s3o.model.values import Digests, ObjectVersion

Layout = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedBlob:
    """One blob that a backend has copied; storage_key names its intent.

    is_verified: the provider has proved that it holds the right bytes.
    """

    storage_key: StorageKey
    stored_md5: str | None
    backend_version: str | None
    backend_etag: str | None
    is_verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyCommit:
    """A copied object; blobs in order of their numbers, the first has its facts.

    source: whose size, layout and parts are the copy's.
    """

    source: ObjectVersion
    blobs: tuple[CopiedBlob, ...]
    digests: Digests
    now_us: int


async def commit_object_copy(tx: Tx, commit: CopyCommit) -> Committed:
    """Make the blobs the current version of their key.

    A refusal changes nothing, and the caller drops the intents. Raises WriteLost if one
    of them is gone, NoSuchBucket, PreconditionFailed, NoSuchKey.
    """
    intents = [await _take(tx, blob) for blob in commit.blobs]
    source, first = commit.source, commit.blobs[0]
    whole = replace(
        intents[0],
        size=source.size,
        part_sizes=source.part_sizes,
        part_checksums=source.part_checksums,
        layout=source.layout,
    )
    assert sum(intent.size for intent in intents) == source.size, "as accounted"
    moves = QuotaMoves()
    swap = Commit(
        storage_key=first.storage_key,
        digests=commit.digests,
        etag=commit.digests.md5,
        now_us=commit.now_us,
    )
    committed = await swap_version(tx, whole, swap, moves)
    moves.add(intents[0].backend, objects=1)
    for blob, intent in zip(commit.blobs, intents, strict=True):
        await _locate(tx, blob, intent, moves, now_us=commit.now_us)
    await moves.apply(tx)
    return committed


async def drop_object_copy(
    tx: Tx, storage_keys: Sequence[StorageKey], reason: str, now_us: int
) -> None:
    """Give up blobs that were copied; their bytes are queued."""
    for storage_key in storage_keys:
        await drop_intent(tx, storage_key, reason, now_us, is_ambiguous=False)


async def _take(tx: Tx, blob: CopiedBlob) -> IntentRow:
    intent = await take_intent(tx, blob.storage_key)
    if intent is None:
        raise WriteLost(blob.storage_key)
    assert intent.kind is IntentKind.OBJECT, intent.kind
    return intent


async def _locate(
    tx: Tx, blob: CopiedBlob, intent: IntentRow, moves: QuotaMoves, *, now_us: int
) -> None:
    await tx.run(
        "insert_location",
        version_id=intent.version_id,
        blob=intent.blob,
        backend_name=intent.backend,
        storage_key=intent.storage_key,
        backend_version=blob.backend_version,
        backend_etag=blob.backend_etag,
        stored_bytes=intent.stored_bytes,
        stored_digest=blob.stored_md5,
        now_us=now_us,
        verified_us=now_us if blob.is_verified else None,
    )
    moves.add(intent.backend, reserved=-intent.stored_bytes, used=intent.stored_bytes)
