"""The cleanup queue: bytes count until they are gone, and nothing is forgotten."""

from s3o.ledger.audit import audit
from s3o.ledger.cleanup import Depths, confirm, depths, due_rows, exhaust, retry
from s3o.ledger.dead_letters import list_dead_letters, retry_dead_letter, write_off
from s3o.ledger.quotas import quota_rows
from s3o.ledger.seam import Tx
from tests.ledger.house import NOW_US, ONE, TWO, Writer

MINUTE_US = 60_000_000
DAY_US = 86_400_000_000


async def orphans(writer: Writer) -> int:
    """Orphan bytes on the first backend."""
    return next(
        row.orphan_bytes
        for row in await writer.engine.read(quota_rows)
        if row.backend == ONE
    )


async def due(writer: Writer, now_us: int) -> list[int]:
    """The ids that are due."""
    found = await writer.engine.scan(lambda tx: due_rows(tx, ONE, now_us, 100))
    return [row.id for row in found]


async def discard(writer: Writer, key: str, is_ambiguous: bool = False) -> None:
    """Leave 38 bytes to the queue."""
    intent = writer.intent(key, 10)
    await writer.open(intent)
    await writer.drop(intent.storage_key, is_ambiguous)


async def test_a_confirmed_row_releases_its_bytes(writer: Writer) -> None:
    """Freed room must be usable at once."""
    await discard(writer, "a")
    await discard(writer, "b")
    ids = await due(writer, writer.now_us)

    released = await writer.engine.write(
        lambda tx: confirm(tx, [*ids, *ids, 4711], writer.now_us)
    )

    assert 76 == released
    assert 0 == await orphans(writer)
    assert [] == await due(writer, writer.now_us + DAY_US)
    assert [] == await writer.engine.scan(audit)


async def test_an_ambiguous_row_is_deleted_four_times(writer: Writer) -> None:
    """A PUT that hung may store its bytes hours after we gave it up."""
    await discard(writer, "a", is_ambiguous=True)
    now_us = writer.now_us
    held: list[int] = []

    for wait_us in (0, 5 * MINUTE_US, 60 * MINUTE_US, DAY_US):
        assert [] == await due(writer, now_us + wait_us - 1)
        now_us += wait_us
        ids = await due(writer, now_us)
        assert 1 == len(ids)
        await writer.engine.write(lambda tx, at=now_us, ids=ids: confirm(tx, ids, at))
        held.append(await orphans(writer))

    assert [38, 38, 38, 0] == held
    assert Depths(0, 0, 0) == await writer.engine.scan(depths)
    assert [] == await writer.engine.scan(audit)


async def test_a_failed_row_waits_its_turn(writer: Writer) -> None:
    """A backend that is down is not asked about the same blob in a loop."""
    await discard(writer, "a")
    (row_id,) = await due(writer, writer.now_us)
    next_us = writer.now_us + MINUTE_US

    await writer.engine.write(
        lambda tx: retry(tx, row_id, "refused", next_us, writer.now_us)
    )
    (row,) = await writer.engine.scan(lambda tx: due_rows(tx, ONE, next_us, 10))

    assert [] == await due(writer, next_us - 1)
    assert (1, "refused", False, 38) == (
        row.attempts,
        row.last_error,
        row.is_ambiguous,
        row.stored_bytes,
    )
    assert 38 == await orphans(writer)


async def test_a_dead_letter_keeps_its_bytes_until_an_operator_decides(
    writer: Writer,
) -> None:
    """Writing bytes off that are still there would overcommit the backend."""
    await discard(writer, "a", is_ambiguous=True)
    await discard(writer, "b")
    for row_id in await due(writer, writer.now_us):
        assert await writer.engine.write(
            lambda tx, row_id=row_id: exhaust(tx, row_id, "no", NOW_US)
        )
        assert not await writer.engine.write(
            lambda tx, row_id=row_id: exhaust(tx, row_id, "no", NOW_US)
        )
    first, second = await writer.engine.scan(lambda tx: list_dead_letters(tx, 10))
    buried = await writer.engine.scan(depths)
    assert 76 == await orphans(writer)
    assert [] == await writer.engine.scan(audit)

    assert await writer.engine.write(lambda tx: write_off(tx, second.id))
    assert not await writer.engine.write(lambda tx: write_off(tx, second.id))
    assert await writer.engine.write(lambda tx: retry_dead_letter(tx, first.id, NOW_US))
    (row,) = await writer.engine.scan(lambda tx: due_rows(tx, ONE, NOW_US, 10))

    assert Depths(0, 2, 0) == buried
    assert ("a", 1, "no", 38) == (
        first.key,
        first.attempts,
        first.last_error,
        first.stored_bytes,
    )
    assert (0, 3, True) == (row.attempts, row.repeats_left, row.is_ambiguous)
    assert 38 == await orphans(writer)
    assert Depths(1, 0, 0) == await writer.engine.scan(depths)
    assert [] == await writer.engine.scan(audit)


async def test_a_row_id_is_never_used_again(writer: Writer) -> None:
    """A late answer about one row must not confirm another one."""
    await discard(writer, "a")
    first = await due(writer, writer.now_us)
    await writer.engine.write(lambda tx: confirm(tx, first, writer.now_us))
    await discard(writer, "b")

    assert first != await due(writer, writer.now_us)


async def test_one_backends_queue_does_not_hide_another_ones(writer: Writer) -> None:
    """A provider that is down for days must not stop the others' cleanup."""
    for n in range(5):
        await discard(writer, f"k{n}")
    await writer.put("big", 999_782)  # fills the first backend
    await discard(writer, "on the second")

    found = await writer.engine.scan(lambda tx: due_rows(tx, TWO, writer.now_us, 1))

    assert ["on the second"] == [row.key for row in found]


async def test_imported_bytes_carry_what_they_must_still_look_like(
    writer: Writer,
) -> None:
    """Bytes that were there before us are deleted only if they are still those."""
    await writer.put("a")

    async def pretend(tx: Tx) -> None:
        tx._execute(  # type: ignore[attr-defined]
            "UPDATE object_locations SET origin = 'imported', storage_key = 'bare',"
            " backend_etag = 'e', backend_version = 'v'"
        )

    await writer.engine.write(pretend)
    await writer.put("a", 20)
    (row,) = await writer.engine.scan(lambda tx: due_rows(tx, ONE, writer.now_us, 10))

    assert (True, "bare", "e", "v", 38) == (
        row.is_imported,
        row.storage_key,
        row.backend_etag,
        row.backend_version,
        row.stored_bytes,
    )
