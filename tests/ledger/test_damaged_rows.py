"""A database that somebody edited: refused copies, honest errors, no crash."""

import sqlite3
from collections.abc import AsyncIterator

import pytest

from s3o.ledger.audit import audit
from s3o.ledger.cleanup import due_rows
from s3o.ledger.intents import list_intents
from s3o.ledger.objects import find_object
from s3o.ledger.seam import Step, T
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.model.errors import LedgerDamaged
from s3o.model.names import ObjectKey
from tests.ledger.house import NOW_US, ONE, TWO, Writer, furnish


@pytest.fixture
async def disk() -> AsyncIterator[tuple[sqlite3.Connection, Writer]]:
    """A ledger with one object in two places and one intent."""
    connection = open_inline(now_us=NOW_US)
    writer = await furnish(InlineEngine(connection))
    await writer.put("a")
    await writer.open(writer.intent("b"))
    connection.execute(
        "INSERT INTO object_locations SELECT version_id, blob, 'two', 'copy', NULL,"
        " NULL, stored_bytes, NULL, 'own', 'live', created_at + 1, NULL"
        " FROM object_locations"
    )
    connection.execute(
        "UPDATE backend_quotas SET bytes_used = 38, object_count = 1"
        " WHERE backend_name = 'two'"
    )
    connection.execute("PRAGMA ignore_check_constraints = 1")
    yield connection, writer
    connection.close()


async def read(writer: Writer, step: Step[T]) -> T:
    """Run a step that reads."""
    return await writer.engine.read(step)


@pytest.mark.parametrize(
    "damage",
    ["stored_bytes = -5", "blob = -1", "created_at = 1 << 62", "verified_at = 1 << 60"],
)
async def test_a_damaged_location_is_left_to_the_other_copy(
    disk: tuple[sqlite3.Connection, Writer], damage: str
) -> None:
    """One bad row must not cost an object that has another copy."""
    connection, writer = disk
    connection.execute(
        f"UPDATE object_locations SET {damage} WHERE backend_name = 'one'"
    )

    found = await read(
        writer, lambda tx: find_object(tx, writer.bucket.id, ObjectKey("a"))
    )

    assert found is not None
    assert [TWO] == [at.backend for at in found.locations]


@pytest.mark.parametrize(
    "damage",
    [
        "size = -1",
        "headers = 'no json'",
        "headers = '[1]'",
        "metadata = '[[\"a\", 5]]'",
        "tags = '{}'",
        "checksum_algorithm = 'CRC99'",
        "checksum_type = NULL",
        "part_sizes = '[-1]'",
        "layout = '[[0, 1]]'",
        "created_at = 1 << 60",
        "created_at = -1",
    ],
)
async def test_a_damaged_version_is_refused(
    disk: tuple[sqlite3.Connection, Writer], damage: str
) -> None:
    """Better an error than a wrong answer."""
    connection, writer = disk
    connection.execute(f"UPDATE objects SET {damage} WHERE key = 'a'")

    with pytest.raises(LedgerDamaged):
        await read(writer, lambda tx: find_object(tx, writer.bucket.id, ObjectKey("a")))


@pytest.mark.parametrize(
    "damage", ["kind = 'other'", "conditions = '[[], 1]'", "stored_bytes = -1"]
)
async def test_a_damaged_intent_does_not_stop_the_reaper(
    disk: tuple[sqlite3.Connection, Writer], damage: str
) -> None:
    """One bad row is for fsck; the other uploads still have to be ended."""
    connection, writer = disk
    connection.execute(f"UPDATE pending_objects SET {damage}")
    good = writer.intent("c")
    await writer.open(good)

    found = await read(writer, lambda tx: list_intents(tx, 10))
    complaints = await read(writer, audit)

    assert [good.storage_key] == [row.storage_key for row in found]
    assert any("cannot be read" in line for line in complaints)


async def test_a_page_of_intents_is_full_in_spite_of_damage(
    disk: tuple[sqlite3.Connection, Writer],
) -> None:
    """A short page means the end: damage in it would hide all that come after."""
    connection, writer = disk
    keys = []
    for name in ("x1", "x2", "x3", "x4"):
        intent = writer.intent(name)
        await writer.open(intent)
        keys.append(intent.storage_key)
    connection.execute(
        "UPDATE pending_objects SET kind = 'other' WHERE storage_key IN (?, ?)",
        (keys[0], keys[1]),
    )

    page = await read(writer, lambda tx: list_intents(tx, 2, "photos/x"))
    rest = await read(writer, lambda tx: list_intents(tx, 2, keys[3]))

    assert [keys[2], keys[3]] == [row.storage_key for row in page]
    assert [] == rest


async def test_a_damaged_queue_row_does_not_stop_the_cleanup(
    disk: tuple[sqlite3.Connection, Writer],
) -> None:
    """The others' bytes are on the quota until they are deleted."""
    connection, writer = disk
    await writer.put("a")
    connection.execute("UPDATE cleanup_queue SET size_bytes = -1 WHERE id = 1")

    found = await read(writer, lambda tx: due_rows(tx, TWO, writer.now_us, 10))
    damaged = await read(writer, lambda tx: due_rows(tx, ONE, writer.now_us, 10))

    assert ["copy"] == [row.storage_key for row in found]
    assert [] == damaged


async def test_a_damaged_version_cannot_be_overwritten_into_wrong_sums(
    disk: tuple[sqlite3.Connection, Writer],
) -> None:
    """A location with an impossible size has no sum that could be right."""
    connection, writer = disk
    connection.execute("UPDATE object_locations SET stored_bytes = -5")

    with pytest.raises(LedgerDamaged):
        await writer.put("a")
