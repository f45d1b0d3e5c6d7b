"""Backends on their way out: closed at once, emptied, and no row names them."""

import pytest

from s3o.ledger.audit import audit
from s3o.ledger.drains import (
    DrainState,
    begin_drain,
    cancel_drain,
    change_drain,
    count_remaining,
    find_drain,
    finish_drain,
    forget_unconfigured,
    list_drains,
    note_drain,
)
from s3o.ledger.quotas import quota_rows, sync_quotas
from s3o.ledger.seam import Engine
from s3o.ledger.usage import add_usage, read_usage
from s3o.model.errors import DrainConflict, NoRoom
from s3o.model.values import Usage
from tests.ledger.house import NOW_US, ONE, TWO, Writer


async def begin(engine: Engine) -> None:
    await engine.write(lambda tx: begin_drain(tx, ONE, NOW_US))


async def make_removed(engine: Engine) -> None:
    await begin(engine)
    for seen, state in (
        (DrainState.DRAINING, DrainState.DRAINED),
        (DrainState.DRAINED, DrainState.REMOVING),
        (DrainState.REMOVING, DrainState.REMOVED),
    ):
        assert await engine.write(
            lambda tx, seen=seen, state=state: change_drain(
                tx, ONE, seen, state, NOW_US
            )
        )


async def test_a_closed_backend_takes_nothing(engine: Engine, writer: Writer) -> None:
    """Also from a process that has not heard of the drain: the ledger refuses it."""
    first = writer.intent("a")
    assert ONE == (await writer.open(first)).backend
    await begin(engine)
    second = writer.intent("b")

    assert TWO == (await writer.open(second)).backend
    await writer.commit(first.storage_key)
    remaining = await engine.scan(lambda tx: count_remaining(tx, ONE))
    assert (1, 38, 0) == (
        remaining.locations,
        remaining.stored_bytes,
        remaining.intents,
    )
    assert [] == await engine.scan(audit)


async def test_a_write_without_another_backend_finds_no_room(
    engine: Engine, writer: Writer
) -> None:
    """Better refused than stored where it would be taken away."""
    await engine.write(lambda tx: begin_drain(tx, ONE, NOW_US))
    await engine.write(lambda tx: begin_drain(tx, TWO, NOW_US))

    with pytest.raises(NoRoom):
        await writer.put("a")


async def test_a_drain_ends_when_nothing_is_left(
    engine: Engine, writer: Writer
) -> None:
    """A write that was announced before it still lands there, and must not be lost."""
    intent = writer.intent("a")
    await writer.open(intent)
    await begin(engine)

    assert not await engine.write(lambda tx: finish_drain(tx, ONE, NOW_US))
    await writer.drop(intent.storage_key)
    remaining = await engine.scan(lambda tx: count_remaining(tx, ONE))
    assert remaining
    assert ("blobs waiting to be deleted", 1) in remaining.others()
    assert not await engine.write(lambda tx: finish_drain(tx, ONE, NOW_US))
    await engine.write(lambda tx: tx.run("remove_cleanup", id=1))
    assert not await engine.scan(lambda tx: count_remaining(tx, ONE))
    assert await engine.write(lambda tx: finish_drain(tx, ONE, NOW_US))
    found = await engine.read(lambda tx: find_drain(tx, ONE))
    assert found is not None
    assert DrainState.DRAINED is found.state


async def test_a_drain_is_begun_once_and_cancelled_at_any_time(
    engine: Engine, writer: Writer
) -> None:
    """Cancelled, the backend is an ordinary one again."""
    await begin(engine)
    with pytest.raises(DrainConflict):
        await begin(engine)
    await engine.write(
        lambda tx: note_drain(
            tx, ONE, objects=2, stored_bytes=76, error="no room", now_us=NOW_US + 1
        )
    )
    [drain] = await engine.read(list_drains)

    assert (2, 76, "no room") == (
        drain.moved_objects,
        drain.moved_bytes,
        drain.last_error,
    )
    assert DrainState.DRAINING is await engine.write(lambda tx: cancel_drain(tx, ONE))
    assert await engine.write(lambda tx: cancel_drain(tx, ONE)) is None
    assert ONE == (await writer.open(writer.intent("a"))).backend


async def test_a_removed_backend_does_not_come_back_by_a_restart(
    engine: Engine, writer: Writer
) -> None:
    """Nor does its use; only when the configuration has let go of it is it new."""
    await make_removed(engine)
    await engine.write(lambda tx: tx.run("remove_quota", backend_name=ONE))

    async def start(*configured: str) -> list[str]:
        limits = dict.fromkeys(configured, 0)
        await engine.write(lambda tx: forget_unconfigured(tx, limits))
        await engine.write(lambda tx: sync_quotas(tx, limits))
        return [row.backend for row in await engine.read(quota_rows)]

    assert [TWO] == await start(ONE, TWO)
    await engine.write(lambda tx: add_usage(tx, "2026-01", {ONE: Usage(1, 1, 1)}))
    assert {} == await engine.read(lambda tx: read_usage(tx, "2026-01"))
    assert [TWO] == await start(TWO)
    assert [] == await engine.read(list_drains)
    assert [ONE, TWO] == await start(ONE, TWO)
