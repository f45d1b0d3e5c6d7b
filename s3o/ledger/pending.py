"""The rows of pending_objects: announced writes that hold a reservation.

Exactly one transaction takes a row: the commit, the reaper's promotion or a drop. A
dropped intent's bytes may exist, so its reservation becomes orphan bytes and its name
is queued; they stay on the quota until the provider confirms that they are gone.
"""

from dataclasses import dataclass
from enum import StrEnum

from s3o.ledger import rows
from s3o.ledger.cleanup_rows import Discard, enqueue
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Row, Tx, Value
from s3o.model.errors import LedgerDamaged
from s3o.model.multipart import NATIVE_BLOB
from s3o.model.names import (
    BackendName,
    BucketId,
    ObjectKey,
    StorageKey,
    UploadId,
    VersionId,
)
from s3o.model.values import Digests, ObjectFacts, WriteConditions


class IntentKind(StrEnum):
    """What an announced write becomes; only the first two become a version."""

    OBJECT = "object"
    COMPLETE = "complete"
    PART = "part"
    COPY = "copy"


# Whose bytes an account pays for; those of a completed upload are its parts'.
CHARGED_KINDS = frozenset({IntentKind.OBJECT, IntentKind.PART})


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentRow:
    """One intent, with everything that is needed to finish or drop it."""

    storage_key: StorageKey
    kind: IntentKind
    backend: BackendName
    bucket_id: BucketId
    key: ObjectKey
    version_id: VersionId
    sequence: int
    size: int
    stored_bytes: int
    conditions: WriteConditions
    facts: ObjectFacts
    facts_columns: tuple[Value, ...]  # as stored, to be copied into the version
    digests: Digests | None  # None until note_digests
    stored_md5: str | None
    owner: str
    heartbeat: int
    created_at_us: int
    blob: int = 0
    part_sizes: tuple[int, ...] = ()
    part_checksums: tuple[str, ...] = ()
    layout: tuple[tuple[int, int, int], ...] = ()
    upload_id: UploadId | None = None  # of parts and completions; of copies: a native
    part_number: int | None = None
    pinned_blobs: tuple[int, ...] = ()

    @property
    def is_native_part(self) -> bool:
        """Whether it announces a part of a backend's own upload: no name to delete."""
        return self.kind is IntentKind.PART and self.blob == NATIVE_BLOB


async def take_intent(tx: Tx, storage_key: StorageKey) -> IntentRow | None:
    """Remove the intent from the table and return it; None if it is gone."""
    row = await tx.one("take_intent", storage_key=storage_key)
    return None if row is None else intent_of(row)


async def release_taken(
    tx: Tx,
    intent: IntentRow,
    moves: QuotaMoves,
    reason: str,
    now_us: int,
    *,
    is_ambiguous: bool,
) -> None:
    """Turn a taken intent's reservation into orphan bytes and queue its name."""
    assert not intent.is_native_part, "ends with its upload"
    assert intent.kind is not IntentKind.COMPLETE, "names no blob of its own"
    moves.add(intent.backend, reserved=-intent.stored_bytes)
    if intent.kind in CHARGED_KINDS:
        moves.charge(intent.bucket_id, -intent.size)
    discard = Discard(
        backend=intent.backend,
        bucket_id=intent.bucket_id,
        key=intent.key,
        storage_key=intent.storage_key,
        size_bytes=intent.stored_bytes,
        reason=reason,
        is_ambiguous=is_ambiguous,
        # A copy that went into a native upload: the backend's own id of it.
        backend_upload_id=intent.upload_id if intent.kind is IntentKind.COPY else None,
    )
    await enqueue(tx, discard, moves, now_us)


def intent_of(row: Row) -> IntentRow:
    """Read the columns of take_intent and list_intents."""
    try:
        return IntentRow(
            storage_key=rows.storage_key(row[0]),
            kind=IntentKind(rows.text(row[1])),
            backend=rows.backend_name(row[2]),
            bucket_id=BucketId(rows.number(row[3])),
            key=ObjectKey(rows.text(row[4])),
            version_id=VersionId(rows.text(row[5])),
            sequence=rows.size(row[6]),
            size=rows.size(row[8]),
            stored_bytes=rows.size(row[9]),
            conditions=rows.conditions_of(row[10]),
            facts=rows.facts_of(row[11:16]),
            facts_columns=row[11:16],
            digests=_digests_of(row),
            stored_md5=rows.optional_text(row[21]),
            owner=rows.text(row[27]),
            heartbeat=rows.number(row[28]),
            created_at_us=rows.number(row[29]),
            blob=rows.size(row[7]),
            part_sizes=rows.sizes_of(row[22]),
            layout=rows.layout_of(row[23]),
            part_checksums=rows.texts_of(row[30]),
            upload_id=rows.optional_upload_id(row[31]),
            part_number=None if row[32] is None else rows.size(row[32]),
            pinned_blobs=rows.sizes_of(row[33]),
        )
    except ValueError as error:
        raise LedgerDamaged("pending_objects", str(error)) from None


def _digests_of(row: Row) -> Digests | None:
    md5, sha256 = row[16], row[20]
    if md5 is None:
        return None
    return Digests(
        md5=rows.text(md5),
        checksum=rows.checksum_of(row[17:20]),
        sha256=rows.optional_text(sha256),
    )
