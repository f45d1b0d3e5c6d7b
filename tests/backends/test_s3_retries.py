"""When a call is sent again, and what is counted of it."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import trio
from trio.testing import MockClock

from s3o.model import limits
from s3o.model.errors import BackendBusy, BackendUnreachable
from s3o.model.values import BlobHeaders, Usage
from s3o.policy.health import Verdict, judge
from tests.backends.s3_house import (
    NAME,
    S3House,
    listing,
)
from tests.fakes.scripted_server import Scripted, Then, render
from tests.fakes.sources import BytesSource, pattern

PLAIN = BlobHeaders()
LONG = pattern(2 * limits.MIB)  # watched for an early answer


@pytest.fixture
async def house(nursery: trio.Nursery) -> AsyncIterator[S3House]:
    """A backend before a scripted provider; no call may keep a slot."""
    house = S3House(nursery)
    yield house
    assert limits.BACKEND_CONNECTIONS == house.pool.free_slots
    await house.backend.aclose()


def sha256(body: bytes) -> str:
    """In hex, as signed."""
    return hashlib.sha256(body).hexdigest()


async def stale(house: S3House) -> None:
    """Leave an idle connection that breaks on its next request."""
    house.server.add(render(length=4), Scripted(reads=0, then=Then.RESET))
    await house.backend.head(NAME)
    house.meter.usage = Usage()
    house.requests.clear()


async def test_calls_on_a_stale_connection_are_sent_again_and_counted(
    house: S3House,
) -> None:
    """A server that restarted must not cost a client its request, nor the count."""
    await stale(house)
    house.server.add(render(body=b"meow"))
    assert b"meow" == await house.get()
    assert Usage(2, 4, 0) == house.meter.usage

    await stale(house)
    house.server.add(render(204))
    (outcome,) = await house.backend.delete([NAME])
    assert outcome.error is None
    assert Usage(2, 0, 0) == house.meter.usage

    await stale(house)
    house.server.add(listing("photos/a"))
    assert 1 == len((await house.backend.list_page("photos/")).blobs)
    assert 2 == house.meter.usage.api_requests


@pytest.mark.parametrize("size", [4, len(LONG)])
async def test_put_on_a_stale_connection_is_sent_again_from_its_start(
    house: S3House, size: int
) -> None:
    """Both attempts' bytes went towards the provider, and are counted."""
    await stale(house)
    house.server.add(render())
    source = BytesSource(LONG[:size])
    await house.backend.put(
        NAME, source, BlobHeaders(stored_sha256=sha256(LONG[:size]))
    )

    assert LONG[:size] == house.requests[-1].body
    assert 2 == house.meter.usage.api_requests
    assert size < house.meter.usage.ingress_bytes <= 2 * size
    assert (1 if size > limits.PIECE_BYTES else 0) == source.rewinds


async def test_put_whose_body_is_gone_is_not_sent_again(house: S3House) -> None:
    """Better an error than half a body."""
    await stale(house)
    with pytest.raises(BackendUnreachable):
        await house.backend.put(NAME, BytesSource(LONG, can_rewind=False), PLAIN)

    assert 1 == house.meter.usage.api_requests


async def test_short_body_is_sent_again_without_rewinding(house: S3House) -> None:
    """It is all here still."""
    await stale(house)
    await house.backend.put(NAME, BytesSource(b"meow", can_rewind=False), PLAIN)

    assert b"meow" == house.requests[-1].body


async def test_second_break_is_an_error(house: S3House) -> None:
    """One retry; a provider that breaks each connection is down."""
    await stale(house)
    house.server.add(Scripted(then=Then.RESET))
    with pytest.raises(BackendUnreachable):
        await house.get()

    assert 2 == house.meter.usage.api_requests


async def test_break_of_a_new_connection_is_not_retried(house: S3House) -> None:
    """It shows a provider in trouble, and other backends wait."""
    house.server.add(Scripted(then=Then.CLOSE))
    with pytest.raises(BackendUnreachable):
        await house.get()

    assert 1 == house.meter.usage.api_requests


async def test_crowd_of_our_own_is_not_the_backends_fault(
    house: S3House, autojump_clock: MockClock
) -> None:
    """The circuit must not open because we ask for more than we allow ourselves."""
    house.server.add(*[render(body=b"meow")] * limits.BACKEND_CONNECTIONS)
    async with AsyncExitStack() as stack:
        for _ in range(limits.BACKEND_CONNECTIONS):
            await stack.enter_async_context(house.backend.open(NAME))
        with pytest.raises(BackendBusy) as caught:
            await house.get()

    assert Verdict.NOTHING == judge(caught.value)
    assert limits.BACKEND_CONNECTIONS == house.meter.usage.api_requests


async def test_connection_that_was_refused_is_not_counted(house: S3House) -> None:
    """The provider's bill knows nothing of it."""
    house.network.close("s3.example", 80)
    with pytest.raises(BackendUnreachable):
        await house.get()

    assert Usage() == house.meter.usage
