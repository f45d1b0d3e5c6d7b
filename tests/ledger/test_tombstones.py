"""Tombstones: what is forgotten, and what must not be."""

from collections.abc import Awaitable, Callable

import pytest

from s3o.ledger.cleanup import confirm, due_rows, exhaust
from s3o.ledger.deletes import delete_object
from s3o.ledger.meta import count_time
from s3o.ledger.seam import Tx
from s3o.ledger.tombstones import (
    START,
    Tombstone,
    forget_tombstones,
    list_expired_tombstones,
)
from s3o.model.names import ObjectKey
from s3o.model.values import WriteConditions
from tests.ledger.house import NOW_US, ONE, Writer

DAY_US = 86_400_000_000
LATER_US = NOW_US + 31 * DAY_US


async def delete(writer: Writer, key: str, now_us: int = NOW_US) -> None:
    """DELETE one key."""
    await writer.engine.write(
        lambda tx: delete_object(
            tx, writer.bucket, ObjectKey(key), WriteConditions(), now_us
        )
    )


async def expired(
    writer: Writer,
    before_us: int = LATER_US,
    limit: int = 100,
    after: Tombstone = START,
) -> list[str]:
    """The keys whose tombstones may go."""
    found = await writer.engine.scan(
        lambda tx: list_expired_tombstones(tx, before_us, limit, after)
    )
    return [one.key for one in found]


async def queued_ids(tx: Tx) -> list[int]:
    """All rows of the cleanup queue on the first backend."""
    return [row.id for row in await due_rows(tx, ONE, LATER_US, 100)]


async def keep_queued(_writer: Writer) -> None:
    """The bytes wait in the queue."""


async def keep_buried(writer: Writer) -> None:
    """The bytes are dead letters."""

    async def bury(tx: Tx) -> None:
        for row in await queued_ids(tx):
            await exhaust(tx, row, "denied", NOW_US)

    await writer.engine.write(bury)


async def keep_announced(writer: Writer) -> None:
    """A write of the key is under way."""
    await confirm_all(writer)
    await writer.open(writer.intent("a"))


async def keep_imported(writer: Writer) -> None:
    """The key came back with bytes under a name that is not ours."""
    await confirm_all(writer)
    await writer.put("a")

    async def pretend(tx: Tx) -> None:
        tx._execute(  # type: ignore[attr-defined]
            "UPDATE object_locations SET origin = 'imported', storage_key = 'bare'"
        )

    await writer.engine.write(pretend)


async def confirm_all(writer: Writer) -> None:
    """The provider has deleted everything that was queued."""

    async def settle(tx: Tx) -> None:
        await confirm(tx, await queued_ids(tx), LATER_US)

    await writer.engine.write(settle)


@pytest.mark.parametrize(
    "keep", [keep_queued, keep_buried, keep_announced, keep_imported]
)
async def test_tombstones_stay_while_their_bytes_do(
    writer: Writer, keep: Callable[[Writer], Awaitable[None]]
) -> None:
    """A forgotten delete is one that a rebuild undoes."""
    await writer.put("a")
    await delete(writer, "a")
    await delete(writer, "nothing there")
    await keep(writer)

    assert ["nothing there"] == await expired(writer)


async def test_young_tombstones_stay(writer: Writer) -> None:
    """Whoever lists a backend may be a month late."""
    await delete(writer, "a")

    assert [] == await expired(writer, NOW_US)
    assert ["a"] == await expired(writer, NOW_US + 1)


async def test_tombstones_go_when_their_bytes_are_gone(writer: Writer) -> None:
    """Else the table grows with every key that ever was."""
    await writer.put("a")
    await delete(writer, "a")
    await confirm_all(writer)

    assert ["a"] == await expired(writer)


async def test_tombstones_come_page_by_page(writer: Writer) -> None:
    """A million of them must not be one answer."""
    for key in "cab":
        await delete(writer, key)
    second = Tombstone(writer.bucket.id, ObjectKey("b"))

    assert ["a", "b"] == await expired(writer, limit=2)
    assert ["c"] == await expired(writer, after=second)


async def test_a_delete_between_search_and_removal_counts(writer: Writer) -> None:
    """The key was written and deleted again: that delete is young."""
    for key in "ab":
        await delete(writer, key)
    found = await writer.engine.scan(
        lambda tx: list_expired_tombstones(tx, NOW_US + 1, 10)
    )
    await delete(writer, "a", NOW_US + 1)

    assert 1 == await writer.engine.write(
        lambda tx: forget_tombstones(tx, found, NOW_US + 1)
    )
    assert ["a"] == await expired(writer)


async def test_tombstone_is_never_older_than_the_counted_clock(
    writer: Writer,
) -> None:
    """Deletes made while the wall clock stood a year behind must not look old."""
    await writer.engine.write(lambda tx: count_time(tx, None, NOW_US))
    await delete(writer, "a", NOW_US - 365 * DAY_US)

    assert [] == await expired(writer, NOW_US)
    assert ["a"] == await expired(writer, NOW_US + 1)
