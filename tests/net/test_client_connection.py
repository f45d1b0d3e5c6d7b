"""One exchange: whatever the server does, it ends, and nothing is misread."""

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from s3o.model import limits
from s3o.model.errors import ClientGone
from s3o.net.client import BadAnswer, ClientRequest, ConnectionBroke, Stalled
from tests.fakes.network import MemoryNetwork
from tests.fakes.scripted_server import Scripted, Then, render
from tests.net.client_house import GET, PROGRESS_S, ClientHouse, Pieces, put

MIB = limits.MIB
PIECE = bytes(limits.PIECE_BYTES)


@pytest.fixture
async def house(nursery: trio.Nursery) -> AsyncIterator[ClientHouse]:
    """A pool and a scripted server."""
    house = ClientHouse(MemoryNetwork(nursery))
    yield house
    assert house.limit == house.pool.free_slots, "an exchange kept its slot"
    await house.pool.aclose()


# ---- bodies


@pytest.mark.parametrize("size", [0, 1, 65_000, 65_536, 200_000, 1_000_000])
async def test_body_comes_back_whole(house: ClientHouse, size: int) -> None:
    """In one piece with the head, or in many."""
    body = bytes(range(256)) * (size // 256 + 1)
    house.server.add(render(body=body[:size]))

    assert body[:size] == await house.get()
    await house.get()
    assert 1 == house.server.connections


async def test_chunked_body_comes_back_whole(house: ClientHouse) -> None:
    """Listings and errors are often sent so."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    raw = head + b"4\r\nmeow\r\n5\r\n meow\r\n0\r\n\r\n"
    house.server.add(raw, Scripted(answer=raw, drip=1))

    assert b"meow meow" == await house.get()
    assert b"meow meow" == await house.get()
    assert 1 == house.server.connections


async def test_answer_to_head_has_no_body(house: ClientHouse) -> None:
    """Its Content-Length is that of the blob."""
    house.server.add(render(length=4711))
    request = ClientRequest(head=GET, is_head=True)

    assert (200, b"") == await house.send(request)
    await house.get()
    assert 1 == house.server.connections


@pytest.mark.parametrize("then", [Then.CLOSE, Then.RESET])
async def test_body_that_breaks_off_is_an_error(house: ClientHouse, then: Then) -> None:
    """Half an object must never look like a whole one."""
    house.server.add(Scripted(answer=render(body=b"x" * 10, length=20), then=then))
    with pytest.raises(ConnectionBroke) as caught:
        await house.get()

    assert not caught.value.is_stale


async def test_chunked_body_that_breaks_off_is_an_error(house: ClientHouse) -> None:
    """Without its last chunk a listing would be read as complete."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    house.server.add(Scripted(answer=head + b"4\r\nmeow\r\n", then=Then.CLOSE))
    with pytest.raises(ConnectionBroke):
        await house.get()


async def test_surplus_is_an_error(house: ClientHouse) -> None:
    """A body longer than it says belongs to nobody knows what."""
    house.server.add(render(body=b"x" * 20, length=10))
    with pytest.raises(BadAnswer):
        await house.get()
    await house.get()

    assert 2 == house.server.connections


@pytest.mark.parametrize(
    "chunks", [b"-1\r\n", b"4\nmeow\n", b"2\r\nmeow\r\n", b"0\r\n\r\nHTTP/1.1 200"]
)
async def test_malformed_chunks_are_an_error(house: ClientHouse, chunks: bytes) -> None:
    """Each is read differently by different parsers."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    house.server.add(Scripted(answer=head + chunks, then=Then.HANG))
    with pytest.raises(BadAnswer):
        await house.get()
    await house.get()

    assert 2 == house.server.connections


async def test_document_is_bounded(house: ClientHouse) -> None:
    """An error page of 10 GB must not be collected."""
    head = b"HTTP/1.1 500 No\r\nContent-Length: 10000000000\r\n\r\n"
    house.server.add(Scripted(answer=head + bytes(65536), then=Then.REPEAT))
    answer = await house.start()
    with pytest.raises(BadAnswer):
        await answer.read_all(limits.BACKEND_ERROR_BYTES)
    await answer.aclose()


# ---- heads


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="no length"),
        pytest.param(b"garbage\r\n\r\n", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"a: " + bytes(100_000), id="no end"),
        pytest.param(b"HTTP/1.1 101 Switch\r\n\r\n", id="switch"),
        pytest.param(b"HTTP/1.1 100 Go\r\n\r\n" * 20 + render(), id="1xx flood"),
    ],
)
async def test_answer_we_do_not_understand_is_an_error(
    house: ClientHouse, raw: bytes
) -> None:
    """And its connection is not used again."""
    house.server.add(Scripted(answer=raw, then=Then.HANG))
    with pytest.raises(BadAnswer):
        await house.get()
    await house.get()

    assert 2 == house.server.connections


async def test_endless_head_is_bounded(house: ClientHouse) -> None:
    """10 GB of header fields must not fill the memory."""
    line = b"x-filler: " + b"y" * (65536 - 12) + b"\r\n"
    house.server.add(Scripted(answer=b"HTTP/1.1 200 OK\r\n" + line, then=Then.REPEAT))
    with pytest.raises(BadAnswer):
        await house.get()


async def test_informational_answers_are_passed_over(house: ClientHouse) -> None:
    """Some gateways send 100 Continue unasked."""
    house.server.add(b"HTTP/1.1 100 Continue\r\n\r\n" * 2 + render(body=b"ok"))

    assert b"ok" == await house.get()


# ---- time


async def test_server_that_never_answers_is_given_up(
    house: ClientHouse, autojump_clock: MockClock
) -> None:
    """backend_timeout bounds the first byte."""
    house.server.add(Scripted(then=Then.HANG))
    began_at = trio.current_time()
    with pytest.raises(Stalled):
        await house.get()

    assert PROGRESS_S == trio.current_time() - began_at


async def test_head_must_be_whole_in_time(
    house: ClientHouse, autojump_clock: MockClock
) -> None:
    """A byte now and then could hold a slot for weeks."""
    house.server.add(Scripted(answer=render(), drip=1, pause_s=PROGRESS_S - 1))
    with pytest.raises(Stalled):
        await house.get()


async def test_body_that_stalls_is_given_up(
    house: ClientHouse, autojump_clock: MockClock
) -> None:
    """backend_timeout bounds each gap."""
    house.server.add(Scripted(answer=render(body=b"x", length=9), then=Then.HANG))
    began_at = trio.current_time()
    with pytest.raises(Stalled):
        await house.get()

    assert PROGRESS_S == trio.current_time() - began_at


async def test_slow_body_is_no_stalled_body(
    house: ClientHouse, autojump_clock: MockClock
) -> None:
    """A transfer has no total: 1 TB over a thin line may take a day."""
    body = bytes(10_000)
    house.server.add(
        Scripted(answer=render(body=body), drip=1000, pause_s=PROGRESS_S - 1)
    )

    assert body == await house.get()
    assert trio.current_time() > 5 * PROGRESS_S


async def test_slow_client_is_no_stalled_server(
    house: ClientHouse, autojump_clock: MockClock
) -> None:
    """The wait for the next piece of a body is not the server's fault."""
    request, _ = put(PIECE, *[PIECE] * 7, pause_s=10 * PROGRESS_S)

    assert (200, b"") == await house.send(request)
    assert 8 * len(PIECE) == len(house.server.requests[0].body)


@pytest.mark.parametrize("pieces", [0, 3, 9])
async def test_server_that_stops_reading_is_given_up(
    house: ClientHouse, autojump_clock: MockClock, pieces: int
) -> None:
    """For a body of one piece, of some, and one so long that it is watched."""
    house.server.add(Scripted(reads=0, then=Then.HANG))
    request, _ = put(PIECE, *[PIECE] * pieces)
    began_at = trio.current_time()
    with pytest.raises(Stalled):
        await house.send(request)

    assert PROGRESS_S == trio.current_time() - began_at


@pytest.mark.parametrize("pieces", [0, 2, 9])
async def test_answer_after_the_body_may_take_its_time(
    house: ClientHouse, autojump_clock: MockClock, pieces: int
) -> None:
    """The clock begins when the body was sent, not when the request began."""
    house.server.add(Scripted(answer=render(), pause_s=PROGRESS_S - 1))
    request, _ = put(PIECE, *[PIECE] * pieces, pause_s=10)

    assert (200, b"") == await house.send(request)


# ---- early answers


@pytest.mark.parametrize("status", [403, 507])
async def test_early_answer_to_a_long_body_is_heard_at_once(
    house: ClientHouse, status: int
) -> None:
    """A full or locked backend says so before the 5 GB were sent."""
    early = render(status, body=b"<Error/>")
    house.server.add(Scripted(answer=early, reads=MIB, then=Then.HANG))
    request, pieces = put(PIECE, *[PIECE] * 100)

    assert (status, b"<Error/>") == await house.send(request)
    assert pieces.reads < 20
    await house.get()
    assert 2 == house.server.connections


@pytest.mark.parametrize("pieces", [0, 2])
async def test_early_answer_to_a_short_body_is_not_lost(
    house: ClientHouse, pieces: int
) -> None:
    """The server answers, takes no more, and ends the connection."""
    early = render(403, body=b"<Error/>")
    house.server.add(Scripted(answer=early, reads=200_000, then=Then.HANG))
    request, _ = put(PIECE[:250_000], *[PIECE[:100]] * pieces)

    assert (403, b"<Error/>") == await house.send(request)


async def test_success_before_the_body_was_sent_is_an_error(house: ClientHouse) -> None:
    """Whatever that server stored, it is not what we sent."""
    house.server.add(Scripted(answer=render(200), reads=MIB, then=Then.HANG))
    request, _ = put(PIECE, *[PIECE] * 100)
    with pytest.raises(BadAnswer):
        await house.send(request)


@pytest.mark.parametrize("pieces", [0, 2, 9])
async def test_connection_that_breaks_under_a_body_is_an_error(
    house: ClientHouse, pieces: int
) -> None:
    """Nobody knows what became of the body."""
    house.server.add(Scripted(reads=100_000, then=Then.RESET))
    request, _ = put(PIECE, *[PIECE] * pieces)
    with pytest.raises(ConnectionBroke) as caught:
        await house.send(request)

    assert not caught.value.is_stale


@pytest.mark.parametrize("pieces", [1, 9])
async def test_failing_source_cuts_the_request(house: ClientHouse, pieces: int) -> None:
    """The server must see an incomplete request, or it would store the half."""

    class Failing(Pieces):
        async def read(self) -> tuple[bytes, ...]:
            found = await super().read()
            if not found:
                raise ClientGone
            return found

    request, _ = put(PIECE, *[PIECE] * pieces)
    request.rest = Failing(*[PIECE] * (pieces - 1))
    with pytest.raises(ClientGone):
        await house.send(request)

    assert [] == house.server.requests
    assert 0 == house.pool.idle_connections


# ---- stale connections


@pytest.mark.parametrize("then", [Then.CLOSE, Then.RESET])
async def test_break_of_a_used_connection_before_any_answer_is_called_stale(
    house: ClientHouse, then: Then
) -> None:
    """Then the server most likely never saw the request, and it may be repeated."""
    house.server.add(render(), Scripted(then=then))
    await house.get()
    with pytest.raises(ConnectionBroke) as caught:
        await house.get()

    assert caught.value.is_stale


async def test_break_of_a_new_connection_is_not_called_stale(
    house: ClientHouse,
) -> None:
    """A server that closes every connection would be asked for ever."""
    house.server.add(Scripted(then=Then.CLOSE))
    with pytest.raises(ConnectionBroke) as caught:
        await house.get()

    assert not caught.value.is_stale


async def test_break_after_some_of_the_answer_is_not_called_stale(
    house: ClientHouse,
) -> None:
    """The server did see the request."""
    house.server.add(render(), Scripted(answer=b"HTTP/1.1 2", then=Then.CLOSE))
    await house.get()
    with pytest.raises(ConnectionBroke) as caught:
        await house.get()

    assert not caught.value.is_stale
