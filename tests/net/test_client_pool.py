"""The pool: slots are never lost, connections never reused when in doubt."""

import random
from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from s3o.net.client import ClientRequest, ConnectFailed, NoConnectionFree, Stalled
from tests.fakes.network import MemoryNetwork
from tests.fakes.scripted_server import Scripted, Then, render
from tests.net.client_house import GET, HOST, PROGRESS_S, ClientHouse


@pytest.fixture
async def house(nursery: trio.Nursery) -> AsyncIterator[ClientHouse]:
    """A pool of four connections to a scripted server."""
    house = ClientHouse(MemoryNetwork(nursery))
    yield house
    await house.pool.aclose()


async def test_connection_is_used_again(house: ClientHouse) -> None:
    """A handshake per request would cost more than the request."""
    house.server.add(render(body=b"one"), render(body=b"two"))

    assert [b"one", b"two"] == [await house.get(), await house.get()]
    assert 1 == house.server.connections


async def test_connection_used_last_is_used_first(house: ClientHouse) -> None:
    """So that the ones a burst left behind grow old and are closed."""
    first, second = await house.start(), await house.start()
    for answer in (first, second):
        assert b"" == await answer.read()
        await answer.aclose()
    for _ in range(3):
        await house.get()

    assert [0, 1, 1, 1, 1] == [one.connection for one in house.server.requests]


async def test_slots_are_given_in_the_order_of_asking(
    house: ClientHouse, nursery: trio.Nursery
) -> None:
    """Under load nobody may starve."""
    answers = [await house.start() for _ in range(4)]
    order: list[int] = []

    async def ask(number: int) -> None:
        await house.get()
        order.append(number)

    for number in range(5):
        nursery.start_soon(ask, number)
        await wait_all_tasks_blocked()
    assert [] == order
    await answers[0].aclose()
    await wait_all_tasks_blocked()

    assert [0, 1, 2, 3, 4] == order
    for answer in answers[1:]:
        await answer.aclose()


async def test_never_more_connections_than_the_limit(house: ClientHouse) -> None:
    """A provider may ban who opens too many."""
    house.server.add(*[Scripted(answer=render(body=b"x" * 1000))] * 40)
    peak = 0

    async def ask() -> None:
        nonlocal peak
        await house.get()
        peak = max(peak, house.server.open_connections)

    async with trio.open_nursery() as nursery:
        for _ in range(40):
            nursery.start_soon(ask)

    assert 4 == peak
    assert 4 == house.pool.free_slots
    assert house.pool.idle_connections <= 4


async def test_cancelled_callers_leave_no_slot_behind(nursery: trio.Nursery) -> None:
    """Every timeout is a cancellation; httpcore's pool dies of them (httpcore#1093)."""
    chance = random.Random(1093)
    house = ClientHouse(MemoryNetwork(nursery), limit=5)
    answered = 0

    async def ask() -> None:
        nonlocal answered
        with trio.CancelScope() as scope:
            nursery_of_asks.start_soon(cancel_after, scope, chance.randrange(40))
            assert b"meow" == await house.get()
            answered += 1

    async def cancel_after(scope: trio.CancelScope, checkpoints: int) -> None:
        for _ in range(checkpoints):
            await trio.lowlevel.checkpoint()
        scope.cancel()

    for _ in range(150):
        house.server.add(*[render(body=b"meow")] * 20)
        async with trio.open_nursery() as nursery_of_asks:
            for _ in range(20):
                nursery_of_asks.start_soon(ask)

    assert 5 == house.pool.free_slots
    assert house.pool.idle_connections <= 5
    assert 100 < answered < 2900
    await house.pool.aclose()


async def test_wait_for_a_slot_ends(
    house: ClientHouse, autojump_clock: MockClock
) -> None:
    """A queue without end is an outage that nobody sees."""
    answers = [await house.start() for _ in range(4)]
    began_at = trio.current_time()
    with pytest.raises(NoConnectionFree):
        await house.get()

    assert PROGRESS_S == trio.current_time() - began_at
    for answer in answers:
        await answer.aclose()
    assert 4 == house.pool.free_slots


async def test_connection_closed_while_idle_is_not_used(house: ClientHouse) -> None:
    """Servers close idle connections whenever they like."""
    house.server.add(Scripted(answer=render(), then=Then.CLOSE), render(body=b"ok"))
    await house.get()
    await wait_all_tasks_blocked()

    assert b"ok" == await house.get()
    assert 2 == house.server.connections


async def test_connection_that_speaks_unasked_is_not_used(
    house: ClientHouse, autojump_clock: MockClock
) -> None:
    """What it said would be taken for the answer to somebody's request."""
    one, unasked = render(body=b"a"), render(body=b"unasked")
    house.server.add(
        Scripted(answer=one + unasked, drip=len(one), pause_s=0.5), render(body=b"ok")
    )
    await house.get()
    await trio.sleep(1)

    assert b"ok" == await house.get()


async def test_idle_connections_expire(
    house: ClientHouse, autojump_clock: MockClock
) -> None:
    """Load balancers forget idle connections without a word."""
    first, second = await house.start(), await house.start()
    for answer in (first, second):
        await answer.read()
        await answer.aclose()
    await trio.sleep(61)
    await house.get()
    await wait_all_tasks_blocked()

    assert 3 == house.server.connections
    assert 1 == house.server.open_connections


async def test_surplus_connections_expire_under_load(
    house: ClientHouse, autojump_clock: MockClock
) -> None:
    """A burst's connections must not stay for ever because one is always in use."""
    answers = [await house.start() for _ in range(4)]
    for answer in answers:
        await answer.read()
        await answer.aclose()
    for _ in range(7):
        await trio.sleep(10)
        await house.get()
    await wait_all_tasks_blocked()

    assert 1 == house.server.open_connections
    assert 1 == house.pool.idle_connections


async def test_old_connections_are_made_anew(
    house: ClientHouse, autojump_clock: MockClock
) -> None:
    """One that is always in use would never notice that the address changed."""
    for _ in range(16):
        await house.get()
        await trio.sleep(45)

    assert 2 == house.server.connections


@pytest.mark.parametrize(
    "reaction",
    [
        pytest.param(render(body=b"x" * 100), id="unread body"),
        pytest.param(render(fields={"Connection": "close"}), id="announced end"),
    ],
)
async def test_connection_in_doubt_is_not_used_again(
    house: ClientHouse, reaction: bytes
) -> None:
    """Only one whose messages ended cleanly can begin another exchange."""
    house.server.add(reaction)
    answer = await house.start()
    await answer.aclose()
    await house.get()

    assert 2 == house.server.connections
    assert 4 == house.pool.free_slots


async def test_refused_connection_says_so(house: ClientHouse) -> None:
    """Nothing was sent, so nothing can have happened."""
    house.network.close(HOST, 80)
    sent = []
    request = ClientRequest(head=GET, note_sent=lambda: sent.append(1))
    with pytest.raises(ConnectFailed):
        await house.pool.start(request)

    assert [] == sent
    assert 4 == house.pool.free_slots


async def test_connecting_is_bounded(
    house: ClientHouse, autojump_clock: MockClock
) -> None:
    """A dead address answers nothing at all."""
    house.network.is_blackhole = True
    began_at = trio.current_time()
    with pytest.raises(Stalled):
        await house.start()

    assert PROGRESS_S == trio.current_time() - began_at
    assert 4 == house.pool.free_slots


async def test_closed_pool_keeps_nothing(house: ClientHouse) -> None:
    """Connections that come back after the end would never be closed."""
    used = await house.start()
    await house.get()
    await house.pool.aclose()
    await used.read()
    await used.aclose()
    await wait_all_tasks_blocked()

    assert 0 == house.pool.idle_connections
    assert 0 == house.server.open_connections


async def test_fresh_connection_is_made_on_request(house: ClientHouse) -> None:
    """A retry must not meet another stale connection."""
    await house.get()
    answer = await house.pool.start(ClientRequest(head=GET), is_fresh=True)
    await answer.aclose()

    assert 2 == house.server.connections
