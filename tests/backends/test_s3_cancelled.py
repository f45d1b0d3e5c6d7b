"""Cancel each call at every point: no slot, no connection and no half blob remains."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from s3o.model import limits
from s3o.model.values import BlobHeaders
from tests.backends.s3_house import NAME, OTHER, S3House, listing
from tests.fakes.scripted_server import render
from tests.fakes.sources import BytesSource, pattern

LONG = pattern(2 * limits.MIB)
MIDDLE = pattern(600_000)


async def put_long(house: S3House) -> None:
    """Watched for an early answer."""
    await house.backend.put(NAME, BytesSource(LONG), BlobHeaders())


async def put_middle(house: S3House) -> None:
    """Several pieces."""
    await house.backend.put(NAME, BytesSource(MIDDLE), BlobHeaders())


async def put_short(house: S3House) -> None:
    """One piece."""
    await house.backend.put(NAME, BytesSource(b"meow"), BlobHeaders())


async def get(house: S3House) -> None:
    """A body of many pieces."""
    house.server.add(render(body=MIDDLE))
    assert MIDDLE == await house.get()


async def delete(house: S3House) -> None:
    """One by one, with workers."""
    house.server.add(render(501))
    await house.backend.delete([NAME, OTHER])


async def list_page(house: S3House) -> None:
    """A document."""
    house.server.add(listing("photos/a"))
    await house.backend.list_page("photos/")


@pytest.mark.parametrize(
    "call", [put_long, put_middle, put_short, get, delete, list_page]
)
async def test_cancelled_call_leaves_nothing_behind(
    nursery: trio.Nursery, call: Callable[[S3House], Awaitable[None]]
) -> None:
    """Every timeout is a cancellation, at a moment that nobody chooses."""
    is_done = False
    turns = 0
    while not is_done:
        turns += 1
        house = S3House(nursery)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                inner.start_soon(_cancel_after, scope, turns)
                await call(house)
                is_done = True
                inner.cancel_scope.cancel()
        await wait_all_tasks_blocked()

        assert limits.BACKEND_CONNECTIONS == house.pool.free_slots
        assert house.pool.idle_connections == house.server.open_connections
        await house.pool.aclose()
    assert turns > 2


async def _cancel_after(scope: trio.CancelScope, turns: int) -> None:
    for _ in range(turns):
        await trio.lowlevel.checkpoint()
    scope.cancel()
