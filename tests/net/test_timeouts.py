"""Waiting has an end, and slow is not dead."""

import trio

from s3o.model.errors import ClientTooSlow
from s3o.model.limits import BODY_BYTES_PER_S, BODY_IDLE_S
from s3o.net.exchange import Exchange
from s3o.net.server import ServerLimits
from s3o.net.streams import ConnectionBroken
from tests.net.listening import Listening, read_answers, receive_all

GET = b"GET /a HTTP/1.1\r\nHost: s3.test\r\n\r\n"
PUT = b"PUT /a HTTP/1.1\r\nHost: s3.test\r\nContent-Length: 100000\r\n\r\n"
LIMITS = ServerLimits(read_header_timeout_s=10.0, idle_timeout_s=120.0)


async def test_slow_head_is_refused_ten_seconds_after_its_first_byte(autojump_clock):
    """Heads that drip in keep connections, and cost an attacker nothing."""
    listening = Listening(limits=LIMITS)
    async with listening.connect() as client:
        await client.send_vectored([GET])
        await client.receive_some(1 << 16)
        await trio.sleep(100)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drip, client, GET, 1.0)
            answer = await receive_all(client)
            waited = trio.current_time() - began
            nursery.cancel_scope.cancel()

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert 10.0 <= waited < 12.0
    assert ["/a"] == listening.targets


async def _drip(client, raw: bytes, every_s: float) -> None:
    try:
        for at in range(len(raw)):
            await client.send_vectored([raw[at : at + 1]])
            await trio.sleep(every_s)
    except ConnectionBroken:
        pass


async def test_idle_connection_is_closed_without_a_word(autojump_clock):
    """An answer nobody asked for would be taken for the next request's."""
    async with Listening(limits=LIMITS).connect() as client:
        began = trio.current_time()
        assert b"" == await receive_all(client)
        assert 10.0 == trio.current_time() - began
    async with Listening(limits=LIMITS).connect() as client:
        await client.send_vectored([GET])
        await client.receive_some(1 << 16)
        began = trio.current_time()
        assert b"" == await receive_all(client)
        assert 120.0 == trio.current_time() - began


async def test_stalled_body_is_refused_after_its_idle_time(autojump_clock):
    """An upload that stands still keeps an intent and quota reserved."""
    seen: list[float] = []

    async def handler(exchange: Exchange) -> None:
        try:
            while await exchange.read():
                pass
        except ClientTooSlow as exc:
            seen.append(exc.idle_s)
            raise

    listening = Listening(handler, limits=ServerLimits(read_idle_s=300.0))
    began = trio.current_time()
    async with listening.connect() as client:
        await client.send_vectored([PUT, b"x"])
        answer = await receive_all(client)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert [BODY_IDLE_S] == seen
    assert BODY_IDLE_S <= trio.current_time() - began <= BODY_IDLE_S + 1
    assert [] == listening.crashes


async def test_operator_may_shorten_the_body_idle_time(autojump_clock):
    """read_timeout bounds the time without progress."""
    listening = Listening(limits=ServerLimits(read_idle_s=5.0))
    began = trio.current_time()
    async with listening.connect() as client:
        await client.send_vectored([PUT])
        await receive_all(client)

    assert 5.0 <= trio.current_time() - began <= 6.0


async def test_body_below_the_minimum_rate_is_refused(autojump_clock):
    """One byte in 20 seconds is progress, and an attack."""
    listening = Listening()
    began = trio.current_time()
    async with listening.connect() as client, trio.open_nursery() as nursery:
        await client.send_vectored([PUT])
        nursery.start_soon(_drip, client, b"x" * 1000, 20.0)
        answer = await receive_all(client)
        waited = trio.current_time() - began
        nursery.cancel_scope.cancel()

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert BODY_IDLE_S <= waited <= 2 * BODY_IDLE_S


async def test_slow_but_steady_body_is_read_for_hours(autojump_clock):
    """Big uploads over thin lines are what people do."""
    listening = Listening()
    piece = b"x" * (BODY_BYTES_PER_S * 40)
    count = 500
    head = PUT.replace(b"100000", b"%d" % (len(piece) * count))
    async with listening.connect() as client:
        await client.send_vectored([head])
        for _ in range(count):
            await client.send_vectored([piece])
            await trio.sleep(29.0)
        answer = await client.receive_some(1 << 16)

    assert [(200, b"PUT /a %d" % (len(piece) * count))] == read_answers(answer, "PUT")


async def test_our_own_slowness_is_not_the_clients(autojump_clock):
    """While a backend stalls, the client cannot send."""

    async def handler(exchange: Exchange) -> None:
        size = 0
        while piece := await exchange.read():
            size += len(piece)
            await trio.sleep(1000)
        await exchange.respond(200, (), b"%d" % size)

    listening = Listening(handler)
    async with listening.connect() as client:
        await client.send_vectored([PUT, b"x" * 60_000])
        await trio.sleep(900)
        await client.send_vectored([b"x" * 40_000])
        answer = await client.receive_some(1 << 16)

    assert [(200, b"100000")] == read_answers(answer, "PUT")


async def test_reader_that_takes_nothing_is_cut_after_the_write_timeout(autojump_clock):
    """A download nobody reads keeps a backend connection."""
    seen: list[float] = []

    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, (), 1 << 30)
        try:
            while True:
                await exchange.send(bytes(1 << 16))
        except ClientTooSlow as exc:
            seen.append(exc.idle_s)
            raise

    listening = Listening(handler, limits=ServerLimits(write_idle_s=60.0))
    async with listening.connect() as client:
        await client.send_vectored([GET])
        for _ in range(10):
            await trio.sleep(59.0)
            assert await client.receive_some(1)
        await trio.sleep(61.0)
        try:
            await receive_all(client)
        except ConnectionBroken:
            pass

    assert [60.0] == seen
    assert [] == listening.crashes


async def test_lingering_ends_after_a_second(autojump_clock):
    """A refused client that neither reads nor closes must not stay."""
    listening = Listening(limits=LIMITS)
    async with listening.connect() as client:
        await client.send_vectored([b"GET a HTTP/1.1\r\n\r\n"])
        await receive_all(client)
        began = trio.current_time()
        while listening.server.open_connections:
            await trio.sleep(0.1)

    assert trio.current_time() - began < 1.5
