"""Streams: sockets and memory behave alike, so tests over memory mean something."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import trio

from s3o.net.memory import memory_stream_pair
from s3o.net.streams import (
    ConnectionBroken,
    ConnectionStalled,
    DuplexStream,
    SocketStream,
    render_address,
)

Pair = tuple[DuplexStream, DuplexStream]
Connect = Callable[[], AbstractAsyncContextManager[Pair]]


@asynccontextmanager
async def _over_memory() -> AsyncIterator[Pair]:
    yield memory_stream_pair()


@asynccontextmanager
async def _over_tcp() -> AsyncIterator[Pair]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    one, two = SocketStream(near, "near:1"), SocketStream(far, "far:1")
    try:
        yield one, two
    finally:
        await one.aclose()
        await two.aclose()


both = pytest.mark.parametrize("connect", [_over_memory, _over_tcp])


@both
async def test_parts_arrive_in_order(connect: Connect):
    """A head and its body are two parts of one answer."""
    async with connect() as (near, far):
        await near.send_vectored([b"head", memoryview(b"body"), b""])
        await near.send_eof()

        assert b"headbody" == await far.receive_some(100)
        assert b"" == await far.receive_some(100)
        await far.send_vectored([b"answer"])
        assert b"answer" == await near.receive_some(100)


@both
async def test_no_more_is_returned_than_asked_for(connect: Connect):
    """What lies behind a body is the next request's."""
    async with connect() as (near, far):
        await near.send_vectored([b"0123456789"])

        assert [b"0123", b"4567", b"89"] == [await far.receive_some(4) for _ in "123"]


@both
async def test_big_writes_wait_for_their_reader_and_arrive_whole(connect: Connect):
    """A short write must go on where it stopped, in whichever part that was."""
    parts = [bytes([number]) * 700_001 for number in range(5)]
    found = bytearray()

    async with connect() as (near, far), trio.open_nursery() as nursery:
        nursery.start_soon(near.send_vectored, parts)
        while len(found) < 5 * 700_001:
            found += await far.receive_some(100_000)

    assert b"".join(parts) == found


@both
async def test_many_parts_are_sent(connect: Connect):
    """The kernel takes only so many at once."""
    async with connect() as (near, far):
        await near.send_vectored([b"x"] * 2000)
        found = b""
        while len(found) < 2000:
            found += await far.receive_some(4096)

    assert b"x" * 2000 == found


@both
async def test_abort_is_seen_as_a_reset(connect: Connect):
    """An answer cut short must not look like a whole one."""
    async with connect() as (near, far):
        near.abort()
        with pytest.raises(ConnectionBroken):
            await far.receive_some(10)


@both
async def test_closing_with_unread_bytes_resets(connect: Connect):
    """This is why a refusing connection lingers."""
    async with connect() as (near, far):
        await near.send_vectored([b"unread"])
        await trio.testing.wait_all_tasks_blocked()
        await far.aclose()
        with pytest.raises(ConnectionBroken):
            await near.receive_some(10)


@both
async def test_closed_end_raises_and_closes_twice(connect: Connect):
    """Clean-up runs on every path, also twice."""
    async with connect() as (near, far):
        await near.aclose()
        await near.aclose()
        near.abort()
        assert b"" == await far.receive_some(10)
        with pytest.raises(ConnectionBroken):
            await near.receive_some(10)
        with pytest.raises(ConnectionBroken):
            await near.send_vectored([b"x"])


@both
async def test_closing_wakes_who_waits(connect: Connect):
    """A reader must not wait for ever on a file descriptor that is gone."""
    async with connect() as (near, _far), trio.open_nursery() as nursery:
        nursery.start_soon(_expect_broken, near)
        await trio.testing.wait_all_tasks_blocked()
        near.abort()


async def _expect_broken(stream: DuplexStream) -> None:
    with pytest.raises(ConnectionBroken):
        await stream.receive_some(10)


async def test_writer_gives_up_on_a_reader_that_takes_nothing(autojump_clock):
    """Time without progress, not time in all."""
    near, far = memory_stream_pair(buffer_bytes=10)
    near.write_idle_s = 5.0
    await near.send_vectored([b"x" * 10])
    began = trio.current_time()
    with pytest.raises(ConnectionStalled):
        await near.send_vectored([b"y"])

    assert 5.0 == trio.current_time() - began
    assert b"x" * 10 == await far.receive_some(100)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (("192.0.2.1", 80), "192.0.2.1:80"),
        (("::ffff:192.0.2.1", 80, 0, 0), "192.0.2.1:80"),
        (("2001:db8::1", 80, 0, 0), "[2001:db8::1]:80"),
        ("", "local:0"),
    ],
)
def test_addresses_read_as_people_write_them(address, expected):
    """They end up in audit lines."""
    assert expected == render_address(address)
