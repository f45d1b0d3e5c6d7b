"""The server: accepting, bounding, draining, over real loopback sockets."""

import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from s3o.net.exchange import Exchange
from s3o.net.listeners import (
    AddressUnusable,
    adopt_listeners,
    open_listeners,
    parse_address,
)
from s3o.net.server import ServerLimits
from s3o.net.streams import ConnectionBroken, SocketStream
from tests.net.listening import Listening, read_answers

GET = b"GET /a HTTP/1.1\r\nHost: s3.test\r\n\r\n"


@asynccontextmanager
async def _serving(listening: Listening) -> AsyncIterator[tuple[str, int]]:
    """Yield the address of a running server; what it left is drained."""
    listeners = await open_listeners("127.0.0.1:0")
    address = listeners[0].getsockname()
    async with trio.open_nursery() as nursery:
        await nursery.start(listening.server.serve, listeners)
        yield address
        nursery.cancel_scope.cancel()


async def _connect(address: tuple[str, int]) -> SocketStream:
    with trio.socket.socket() as connecting:
        await connecting.connect(address)
        return SocketStream(socket.socket(fileno=connecting.detach()), "server:1")


async def _ask(stream: SocketStream) -> bytes:
    await stream.send_vectored([GET])
    return await stream.receive_some(1 << 16)


async def _expect_refused(address: tuple[str, int]) -> None:
    client = await _connect(address)
    with pytest.raises(ConnectionBroken):
        await _ask(client)
    await client.aclose()


async def test_requests_are_served_over_sockets():
    """All the rest is for this."""
    peers: list[str] = []

    async def handler(exchange: Exchange) -> None:
        peers.append(exchange.peer)
        await exchange.respond(200, (), b"meow")

    async with _serving(Listening(handler)) as address:
        for _ in range(3):
            client = await _connect(address)
            assert [(200, b"meow")] == read_answers(await _ask(client), "GET")
            assert [(200, b"meow")] == read_answers(await _ask(client), "GET")
            await client.aclose()

    assert 6 == len(peers)
    assert peers[0].startswith("127.0.0.1:")


async def test_connections_of_one_address_are_bounded():
    """One client must not take every connection there is."""
    listening = Listening(limits=ServerLimits(connections_per_address=2))
    async with _serving(listening) as address:
        first, second = await _connect(address), await _connect(address)
        await _ask(first)
        await _ask(second)
        await _expect_refused(address)
        await first.aclose()
        with trio.fail_after(5):
            while listening.server.open_connections > 1:
                await trio.sleep(0)
        third = await _connect(address)
        assert (await _ask(third)).startswith(b"HTTP/1.1 200 ")
        await second.aclose()
        await third.aclose()


async def test_connections_in_all_are_bounded():
    """File descriptors are also needed for backends and the ledger."""
    listening = Listening(limits=ServerLimits(connections=1))
    async with _serving(listening) as address:
        first = await _connect(address)
        await _ask(first)
        await _expect_refused(address)
        assert (await _ask(first)).startswith(b"HTTP/1.1 200 ")
        await first.aclose()


async def test_drain_ends_idle_connections_and_lets_requests_finish():
    """A restart must cost no client an upload."""
    is_asked, going_on = trio.Event(), trio.Event()

    async def handler(exchange: Exchange) -> None:
        if exchange.head.target == "/slow":
            is_asked.set()
            await going_on.wait()
        await exchange.respond(200, (), b"meow")

    listening = Listening(handler)
    listeners = await open_listeners("127.0.0.1:0")
    address = listeners[0].getsockname()
    async with trio.open_nursery() as nursery:
        await nursery.start(listening.server.serve, listeners)
        idle, fresh, busy = [await _connect(address) for _ in range(3)]
        await _ask(idle)
        await busy.send_vectored([GET.replace(b"/a", b"/slow")])
        await is_asked.wait()
        async with trio.open_nursery() as draining:
            draining.start_soon(listening.server.drain)
            assert b"" == await idle.receive_some(10)
            assert b"" == await fresh.receive_some(10)
            with pytest.raises(OSError):
                await _connect(address)
            assert 1 == listening.server.open_connections
            going_on.set()
            answer = await busy.receive_some(1 << 16)
            assert b"" == await busy.receive_some(10)
            for client in (idle, fresh, busy):
                await client.aclose()

    assert [(200, b"meow")] == read_answers(answer, "GET")
    assert b"\r\nConnection: close\r\n" in answer


async def test_drain_is_bounded_by_its_caller(autojump_clock):
    """A request that never ends must not keep the process."""

    async def handler(exchange: Exchange) -> None:
        await trio.sleep_forever()

    listening = Listening(handler)
    async with trio.open_nursery() as nursery, listening.connect() as client:
        await client.send_vectored([GET])
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(30) as scope:
            await listening.server.drain()
        with trio.move_on_after(1) as again:
            await listening.server.drain()
        nursery.cancel_scope.cancel()

    assert scope.cancelled_caught
    assert again.cancelled_caught


async def test_drain_waits_for_a_head_that_has_begun(autojump_clock):
    """Its client has already sent a request, as far as it knows."""
    listening = Listening()
    async with listening.connect() as client:
        await client.send_vectored([GET[:20]])
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listening.server.drain)
            await trio.testing.wait_all_tasks_blocked()
            await client.send_vectored([GET[20:]])
            answer = await client.receive_some(1 << 16)
            await client.aclose()

    assert [(200, b"GET /a 0")] == read_answers(answer, "GET")
    assert b"\r\nConnection: close\r\n" in answer


async def test_drain_of_nothing_returns():
    """A server that never had a client stops, too."""
    listening = Listening()
    with trio.fail_after(5):
        await listening.server.drain()
        await listening.server.serve(await open_listeners("127.0.0.1:0"))


class _FailingListener:
    """A listening socket whose accept fails first."""

    def __init__(self, real: socket.socket, failures: list[OSError]) -> None:
        self._real = real
        self._failures = failures

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        """Fail as long as failures are left."""
        if self._failures:
            raise self._failures.pop()
        return self._real.accept()

    def fileno(self) -> int:
        """Return the real one's."""
        return self._real.fileno()

    def setblocking(self, is_blocking: bool) -> None:
        """Pass it on."""
        self._real.setblocking(is_blocking)

    def close(self) -> None:
        """Close the real one."""
        self._real.close()


async def test_running_out_of_descriptors_pauses_accepting():
    """An accept loop that ends leaves a dead server with a bound port."""
    failures = [
        OSError(errno.EMFILE, "too many open files"),
        OSError(errno.ECONNABORTED, "gone"),
    ]
    listening = Listening()
    real = (await open_listeners("127.0.0.1:0"))[0]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listening.server.serve, [_FailingListener(real, failures)])
        client = await _connect(real.getsockname())
        answer = await _ask(client)
        await client.aclose()
        nursery.cancel_scope.cancel()

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert [] == failures


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (":9000", ("", 9000)),
        ("0.0.0.0:9000", ("0.0.0.0", 9000)),
        ("[::]:9000", ("::", 9000)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_addresses_parse_as_documented(address, expected):
    """They are the first thing an operator writes."""
    assert expected == parse_address(address)


@pytest.mark.parametrize(
    "address",
    ["", "9000", "host", "host:", "host:x", "host:65536", "::1:9000", "a:1:2"],
)
def test_malformed_address_is_refused(address):
    """A port that is silently another one is found by the clients."""
    with pytest.raises(AddressUnusable):
        parse_address(address)


async def test_sockets_of_the_service_manager_are_served():
    """With socket activation a restart refuses no connection."""
    (opened,) = await open_listeners("127.0.0.1:0")
    address = opened.getsockname()
    listeners = adopt_listeners(opened.detach(), 1)
    async with trio.open_nursery() as nursery:
        await nursery.start(Listening().server.serve, listeners)
        client = await _connect(address)
        answer = await _ask(client)
        await client.aclose()
        nursery.cancel_scope.cancel()

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_address_in_use_is_an_error_that_names_it():
    """Two instances on one port is a common mistake."""
    (listener,) = await open_listeners("127.0.0.1:0")
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(AddressUnusable, match=address):
        await open_listeners(address)
    listener.close()


async def test_wildcard_address_is_reached_over_ipv4():
    """`:9000` means every address there is."""
    listeners = await open_listeners(":0")
    port = listeners[0].getsockname()[1]
    async with trio.open_nursery() as nursery:
        await nursery.start(Listening().server.serve, listeners)
        client = await _connect(("127.0.0.1", port))
        answer = await _ask(client)
        await client.aclose()
        nursery.cancel_scope.cancel()

    assert answer.startswith(b"HTTP/1.1 200 ")
