"""Intents, commits and deletes: what a client is told is what the ledger holds."""

from collections.abc import Sequence

import pytest

from s3o.ledger.audit import audit
from s3o.ledger.cleanup import CleanupRow, due_rows
from s3o.ledger.commits import Commit, commit_object
from s3o.ledger.deletes import delete_object, delete_objects
from s3o.ledger.intents import (
    Promotion,
    beat,
    list_intents,
    note_digests,
    open_intent,
    promote_intent,
)
from s3o.ledger.objects import find_object, find_version
from s3o.ledger.quotas import object_counts, quota_rows, sync_quotas
from s3o.ledger.rows import conditions_text
from s3o.ledger.seam import Engine, Tx
from s3o.model.errors import (
    NoRoom,
    NoSuchBucket,
    NoSuchKey,
    PreconditionFailed,
    StateError,
    WriteLost,
)
from s3o.model.names import BackendName, BucketId, ObjectKey, StorageKey
from s3o.model.values import Bucket, ObjectVersion, QuotaRow, WriteConditions
from tests.ledger.house import DIGESTS, NOW_US, ONE, TWO, Writer, furnish, in_order

CREATE = WriteConditions(if_none_match_any=True)
DAY_US = 86_400_000_000


async def version(writer: Writer, key: str) -> ObjectVersion | None:
    """What HEAD sees."""
    return await writer.engine.read(
        lambda tx: find_version(tx, writer.bucket.id, ObjectKey(key))
    )


async def quota(writer: Writer, backend: BackendName = ONE) -> QuotaRow:
    """One backend's row."""
    found = await writer.engine.read(quota_rows)
    return next(row for row in found if row.backend == backend)


async def queue(writer: Writer, backend: BackendName = ONE) -> list[CleanupRow]:
    """What is due on a backend."""
    now_us = writer.now_us + DAY_US
    return await writer.engine.scan(lambda tx: due_rows(tx, backend, now_us, 1000))


async def delete(
    writer: Writer, key: str, conditions: WriteConditions | None = None
) -> bool:
    """DELETE one key."""
    writer.now_us += 1000
    return await writer.engine.write(
        lambda tx: delete_object(
            tx,
            writer.bucket,
            ObjectKey(key),
            conditions or WriteConditions(),
            writer.now_us,
        )
    )


async def promote(
    writer: Writer, storage_key: StorageKey, *, proven: bool
) -> Promotion:
    """What the reaper does after a HEAD."""
    digests = DIGESTS if proven else None
    return await writer.engine.write(
        lambda tx: promote_intent(tx, storage_key, digests, writer.now_us)
    )


async def sound(writer: Writer) -> bool:
    """Whether every sum is that of its rows."""
    complaints = await writer.engine.scan(audit)
    assert [] == complaints
    return True


async def test_bytes_move_from_reserved_to_used_to_orphan(writer: Writer) -> None:
    """The quota is what a backend holds, will hold or owes; never less."""
    intent = writer.intent("a", 100)
    await writer.open(intent)
    reserved = await quota(writer)
    await writer.commit(intent.storage_key)
    used = await quota(writer)
    await delete(writer, "a")
    orphan = await quota(writer)

    assert (0, 128, 0) == (
        reserved.used_bytes,
        reserved.reserved_bytes,
        reserved.orphan_bytes,
    )
    assert (128, 0, 0) == (used.used_bytes, used.reserved_bytes, used.orphan_bytes)
    assert (0, 0, 128) == (
        orphan.used_bytes,
        orphan.reserved_bytes,
        orphan.orphan_bytes,
    )
    assert await sound(writer)


async def test_a_full_backend_passes_the_write_on_to_the_next(engine: Engine) -> None:
    """Overflow is the product's main promise."""
    writer = await furnish(engine, {ONE: 200, TWO: 200})

    opened = [(await writer.open(writer.intent("k", 72))).backend for _ in range(4)]
    with pytest.raises(NoRoom):
        await writer.open(writer.intent("k", 1))

    assert [ONE, ONE, TWO, TWO] == opened
    assert await sound(writer)


async def test_a_shrunken_quota_refuses_writes_and_keeps_bytes(writer: Writer) -> None:
    """An operator may lower a limit below what is there."""
    await writer.put("a", 1000)
    await writer.engine.write(lambda tx: sync_quotas(tx, {ONE: 10, TWO: 10}))

    with pytest.raises(NoRoom):
        await writer.open(writer.intent("b", 100))

    assert 1028 == (await quota(writer)).used_bytes
    assert await sound(writer)


async def test_a_candidate_without_a_quota_is_passed_over(writer: Writer) -> None:
    """A backend that the ledger does not know cannot be accounted for."""
    opened = await writer.engine.write(
        lambda tx: open_intent(
            tx, writer.intent("a"), lambda _rows: [BackendName("unknown"), TWO]
        )
    )

    assert TWO == opened.backend


async def test_an_overwrite_queues_exactly_the_displaced_bytes(writer: Writer) -> None:
    """Every deletion names one write's bytes; nothing else may ever be deleted."""
    first = await writer.put("a", 10)
    second = await writer.put("a", 20)

    assert () == first.displaced
    assert [at.storage_key for at in second.displaced] == [
        row.storage_key for row in await queue(writer)
    ]
    assert (await quota(writer)).used_bytes == 48
    assert (await quota(writer)).orphan_bytes == 38
    assert {ONE: 1, TWO: 0} == await writer.engine.read(object_counts)
    assert await sound(writer)


async def test_the_later_commit_wins_whoever_began_first(writer: Writer) -> None:
    """Commit order is what clients see; a slow upload is not dropped for being slow."""
    slow, quick = writer.intent("a", 1), writer.intent("a", 2)
    await writer.open(slow)
    await writer.open(quick)
    before = await writer.commit(quick.storage_key)
    after = await writer.commit(slow.storage_key)

    found = await version(writer, "a")
    assert found is not None
    assert slow.version_id == found.version_id
    assert before.version.sequence < after.version.sequence
    assert await sound(writer)


async def test_a_commit_without_its_intent_is_lost(writer: Writer) -> None:
    """The reaper may have dropped it; then its bytes are queued, not current."""
    intent = writer.intent("a")
    await writer.open(intent)
    await writer.drop(intent.storage_key)

    with pytest.raises(WriteLost):
        await writer.commit(intent.storage_key)

    assert await version(writer, "a") is None
    assert await sound(writer)


async def test_a_commit_happens_once(writer: Writer) -> None:
    """A repeated commit must not count the bytes twice."""
    intent = writer.intent("a")
    await writer.open(intent)
    await writer.commit(intent.storage_key)

    with pytest.raises(WriteLost):
        await writer.commit(intent.storage_key)
    assert await sound(writer)


async def test_failed_attempts_are_queued_with_the_commit(writer: Writer) -> None:
    """Their requests may still bring bytes, so each delete is repeated later."""
    failed, good = writer.intent("a"), writer.intent("a")
    await writer.open(failed)
    await writer.open(good)
    commit = Commit(
        storage_key=good.storage_key,
        digests=DIGESTS,
        etag="e",
        now_us=NOW_US,
        extra_failed=(failed.storage_key,),
    )
    await writer.engine.write(lambda tx: commit_object(tx, commit))

    assert [(failed.storage_key, True, 3)] == [
        (row.storage_key, row.is_ambiguous, row.repeats_left)
        for row in await queue(writer)
    ]
    assert [] == await writer.engine.read(lambda tx: list_intents(tx, 10))
    assert await sound(writer)


async def test_create_only_is_refused_before_the_upload(writer: Writer) -> None:
    """If-None-Match: * should not cost a transfer that cannot succeed."""
    await writer.put("a")

    with pytest.raises(PreconditionFailed):
        await writer.open(writer.intent("a", conditions=CREATE))


async def test_create_only_is_decided_in_the_commit(writer: Writer) -> None:
    """Of two racing creators exactly one may be told that it created."""
    first = writer.intent("a", conditions=CREATE)
    second = writer.intent("a", conditions=CREATE)
    await writer.open(first)
    await writer.open(second)
    await writer.commit(second.storage_key)

    with pytest.raises(PreconditionFailed):
        await writer.commit(first.storage_key)
    await writer.drop(first.storage_key)

    found = await version(writer, "a")
    assert found is not None
    assert second.version_id == found.version_id
    assert [first.storage_key] == [row.storage_key for row in await queue(writer)]
    assert await sound(writer)


async def test_if_match_is_decided_in_the_commit(writer: Writer) -> None:
    """Optimistic locking: the loser of a race is told so."""
    await writer.put("a")
    match = WriteConditions(if_match=(DIGESTS.md5,))
    intent = writer.intent("a", conditions=match)
    await writer.open(intent)
    await delete(writer, "a")

    with pytest.raises(NoSuchKey):
        await writer.commit(intent.storage_key)


async def test_a_conditional_delete_spares_another_version(writer: Writer) -> None:
    """DELETE with If-Match of an old ETag must not hit the new object."""
    await writer.put("a")

    with pytest.raises(PreconditionFailed):
        await delete(writer, "a", WriteConditions(if_match=("old",)))
    kept = await version(writer, "a")
    existed = await delete(writer, "a", WriteConditions(if_match=(DIGESTS.md5,)))

    assert kept is not None
    assert existed
    assert await version(writer, "a") is None
    assert await sound(writer)


async def test_a_batch_deletes_what_it_may_and_names_the_rest(writer: Writer) -> None:
    """DeleteObjects: one refused key does not save the others."""
    for key in ("a", "b", "c"):
        await writer.put(key)
    wanted = [
        (ObjectKey("c"), WriteConditions()),
        (ObjectKey("b"), WriteConditions(if_match=("other",))),
        (ObjectKey("none"), WriteConditions()),
        (ObjectKey("a"), WriteConditions()),
        (ObjectKey("a"), WriteConditions()),
    ]

    outcomes = await writer.engine.write(
        lambda tx: delete_objects(tx, writer.bucket, wanted, writer.now_us)
    )

    refused: list[type[StateError] | None] = [
        type(outcome) if outcome else None for outcome in outcomes
    ]
    assert [None, PreconditionFailed, None, None, None] == refused
    assert await version(writer, "b") is not None
    assert await version(writer, "a") is None
    assert 2 == len(await queue(writer))
    assert await sound(writer)


async def test_a_write_to_a_bucket_that_is_gone_is_refused(writer: Writer) -> None:
    """A bucket made anew has another id; ghosts of the old one stay out."""
    writer.bucket = Bucket(
        id=BucketId(99), name=writer.bucket.name, created_at_us=NOW_US
    )

    with pytest.raises(NoSuchBucket):
        await writer.open(writer.intent("a"))
    with pytest.raises(NoSuchBucket):
        await delete(writer, "a")


async def test_a_dropped_intent_keeps_its_bytes_on_the_quota(writer: Writer) -> None:
    """The bytes may be there; until the provider says otherwise they count."""
    intent = writer.intent("a", 100)
    await writer.open(intent)

    assert await writer.drop(intent.storage_key, is_ambiguous=True)
    assert not await writer.drop(intent.storage_key)
    row = await quota(writer)
    assert (0, 0, 128) == (row.used_bytes, row.reserved_bytes, row.orphan_bytes)
    assert await sound(writer)


async def test_the_reaper_finishes_a_write_that_proved_itself(writer: Writer) -> None:
    """A crash between the upload and the commit need not lose the upload."""
    intent = writer.intent("a")
    await writer.open(intent)
    await writer.engine.write(
        lambda tx: note_digests(tx, intent.storage_key, DIGESTS, "f00d")
    )

    outcome = await promote(writer, intent.storage_key, proven=False)

    found = await writer.engine.read(
        lambda tx: find_object(tx, writer.bucket.id, ObjectKey("a"))
    )
    assert Promotion.PROMOTED == outcome
    assert found is not None
    assert DIGESTS.md5 == found.version.etag
    assert DIGESTS.checksum == found.version.checksum
    assert "f00d" == found.locations[0].stored_md5
    assert Promotion.RESOLVED == await promote(writer, intent.storage_key, proven=True)
    assert await sound(writer)


async def test_the_reaper_drops_a_write_that_proves_nothing(writer: Writer) -> None:
    """Without digests the bytes could be anything."""
    intent = writer.intent("a")
    await writer.open(intent)

    assert Promotion.DROPPED == await promote(writer, intent.storage_key, proven=False)
    assert await version(writer, "a") is None
    assert [True] == [row.is_ambiguous for row in await queue(writer)]
    assert await sound(writer)


@pytest.mark.parametrize("later", ["put", "delete", "delete of nothing", "put+delete"])
async def test_the_reaper_never_undoes_a_later_write(
    writer: Writer, later: str
) -> None:
    """An unacknowledged write may vanish; an acknowledged one may not."""
    if later == "delete":
        await writer.put("a")
    intent = writer.intent("a", 77)
    await writer.open(intent)
    if later.startswith("put"):
        await writer.put("a", 1)
    if "delete" in later:
        await delete(writer, "a")

    outcome = await promote(writer, intent.storage_key, proven=True)

    found = await version(writer, "a")
    assert Promotion.SUPERSEDED == outcome
    assert (None if "delete" in later else 1) == (found and found.size)
    assert await sound(writer)


async def test_the_reaper_keeps_the_conditions(writer: Writer) -> None:
    """A create-only write that lost must not win by crashing."""
    intent = writer.intent("a", conditions=CREATE)
    await writer.open(intent)
    await _rewrite_conditions(
        writer, intent.storage_key, WriteConditions(if_match=("other",))
    )

    assert Promotion.DROPPED == await promote(writer, intent.storage_key, proven=True)
    assert await version(writer, "a") is None
    assert await sound(writer)


async def _rewrite_conditions(
    writer: Writer, storage_key: StorageKey, conditions: WriteConditions
) -> None:
    """Set conditions that would have been refused when the intent was made."""

    async def rewrite(tx: Tx) -> None:
        tx._execute(  # type: ignore[attr-defined]
            "UPDATE pending_objects SET conditions = ? WHERE storage_key = ?",
            (conditions_text(conditions), storage_key),
        )

    await writer.engine.write(rewrite)


async def test_intents_are_listed_with_all_that_finishes_them(writer: Writer) -> None:
    """The reaper lives in another process than the upload did."""
    conditions = WriteConditions(
        if_match=("a", "*"), if_match_size=3, if_match_last_modified_us=5
    )
    await writer.put("k", 3)
    intents = [writer.intent("b"), writer.intent("c")]
    for intent in intents:
        await writer.open(intent)
    await writer.engine.write(lambda tx: beat(tx, [intents[0].storage_key]))
    await _rewrite_conditions(writer, intents[1].storage_key, conditions)

    first = await writer.engine.scan(lambda tx: list_intents(tx, 1))
    rest = await writer.engine.scan(
        lambda tx: list_intents(tx, 10, after=first[0].storage_key)
    )

    assert [intent.storage_key for intent in intents] == [
        row.storage_key for row in first + rest
    ]
    assert [1, 0] == [row.heartbeat for row in first + rest]
    assert conditions == rest[0].conditions
    assert (intents[0].version_id, 10, 38, "me", None) == (
        first[0].version_id,
        first[0].size,
        first[0].stored_bytes,
        first[0].owner,
        first[0].digests,
    )


async def test_choose_sees_the_quota_as_it_is_now(writer: Writer) -> None:
    """Spread needs the current fill, not yesterday's."""
    await writer.put("a", 100)
    seen: list[QuotaRow] = []

    def choose(rows: Sequence[QuotaRow]) -> Sequence[BackendName]:
        seen.extend(rows)
        return in_order(rows)

    await writer.engine.write(lambda tx: open_intent(tx, writer.intent("b"), choose))

    assert [(ONE, 128), (TWO, 0)] == [(row.backend, row.held_bytes) for row in seen]
