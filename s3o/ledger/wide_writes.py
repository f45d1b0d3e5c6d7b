"""Writes that make their copies while the client sends: announced and ended together.

One transaction announces the object and, where there is room, its copies; one makes the
object current and records the copies that were proved. A copy that was not is dropped
in the same transaction: the object never waits for it, and the replicator makes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from s3o.ledger.commits import Commit, Committed, commit_object
from s3o.ledger.copies import CopyProof, commit_copy
from s3o.ledger.intents import (
    Choose,
    NewIntent,
    OpenedIntent,
    drop_intent,
    open_intent,
)
from s3o.ledger.quotas import quota_rows, reserve
from s3o.ledger.seam import Tx
from s3o.model.names import BackendName, StorageKey

COPY_FAILED = "write_copy_failed"


@dataclass(frozen=True, slots=True)
class OpenedSide:
    """Where one of the copies goes."""

    storage_key: StorageKey
    backend: BackendName


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedSide:
    """What became of one copy; proof None: it is not to be recorded.

    is_ambiguous: its bytes may still arrive.
    """

    storage_key: StorageKey
    proof: CopyProof | None = None
    is_ambiguous: bool = True


async def open_wide(
    tx: Tx,
    intent: NewIntent,
    choose: Choose,
    side_keys: Sequence[StorageKey],
    choose_sides: Choose,
) -> tuple[OpenedIntent, list[OpenedSide]]:
    """Announce an object and a copy per side key, as far as backends have room.

    choose_sides: like choose, the backends that may take a copy. Raises what
    open_intent raises; for want of a place for a copy nothing.
    """
    opened = await open_intent(tx, intent, choose)
    if not side_keys:
        return opened, []
    places = [
        name for name in choose_sides(await quota_rows(tx)) if name != opened.backend
    ]
    sides: list[OpenedSide] = []
    for backend in places:
        if len(sides) == len(side_keys):
            break
        if not await reserve(tx, backend, intent.stored_size):
            continue
        side = OpenedSide(side_keys[len(sides)], backend)
        sides.append(side)
        await tx.run(
            "insert_copy_intent",
            storage_key=side.storage_key,
            backend_name=backend,
            bucket_id=intent.bucket_id,
            key=intent.key,
            version_id=intent.version_id,
            sequence=opened.sequence,
            blob=0,
            stored_bytes=intent.stored_size,
            stored_md5=None,
            owner=intent.owner,
            now_us=intent.now_us,
        )
    return opened, sides


async def commit_wide(tx: Tx, commit: Commit, sides: Sequence[EndedSide]) -> Committed:
    """Make the object current with those of its copies that were proved.

    Raises what commit_object raises; then nothing has changed.
    """
    committed = await commit_object(tx, commit)
    for side in sides:
        if side.proof is not None:
            await commit_copy(tx, side.storage_key, side.proof, commit.now_us)
        else:
            await _drop(tx, side, COPY_FAILED, commit.now_us)
    return committed


async def drop_wide(
    tx: Tx,
    storage_key: StorageKey,
    sides: Sequence[EndedSide],
    reason: str,
    now_us: int,
    is_ambiguous: bool,
) -> bool:
    """Give an object and its copies up. False: the object's intent is gone."""
    for side in sides:
        await _drop(tx, side, reason, now_us)
    return await drop_intent(tx, storage_key, reason, now_us, is_ambiguous)


async def _drop(tx: Tx, side: EndedSide, reason: str, now_us: int) -> None:
    await drop_intent(tx, side.storage_key, reason, now_us, side.is_ambiguous)
