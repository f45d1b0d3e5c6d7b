"""Exchanges: one answer, whole or visibly broken, and 100 Continue in time."""

import pytest
import trio

from s3o.model.errors import AccessDenied, ClientGone
from s3o.net.answer import UnsafeHeader
from s3o.net.exchange import Exchange
from s3o.net.streams import ConnectionBroken
from tests.net.listening import Listening, read_answers, receive_all

GET = b"GET /a HTTP/1.1\r\nHost: s3.test\r\n\r\n"
HEAD = b"HEAD /a HTTP/1.1\r\nHost: s3.test\r\n\r\n"
EXPECTING = (
    b"PUT /a HTTP/1.1\r\nHost: s3.test\r\nContent-Length: 5\r\n"
    b"Expect: 100-continue\r\n\r\n"
)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_answer_says_its_length_its_date_and_what_the_handler_says():
    """Clients frame by Content-Length and check clocks by Date."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond(200, (("ETag", '"e"'), ("x-a", "\xe9")), b"meow")

    answer = await Listening(handler).talk(GET)

    assert (
        b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:01 GMT\r\n"
        b'ETag: "e"\r\nx-a: \xe9\r\nContent-Length: 4\r\n\r\nmeow'
    ) == answer


async def test_answer_in_pieces_leaves_with_its_head():
    """A head in a segment of its own costs a system call and a wake-up."""
    arrived: list[bytes] = []

    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, (), 6)
        assert not exchange.is_answered
        await exchange.send(b"me")
        assert exchange.is_answered
        await exchange.send(memoryview(b"owme"))
        assert 6 == exchange.bytes_sent
        await exchange.finish()

    async with Listening(handler).connect() as client:
        await client.send_vectored([GET])
        await trio.testing.wait_all_tasks_blocked()
        arrived.append(await client.receive_some(1 << 16))

    assert arrived[0].endswith(b"Content-Length: 6\r\n\r\nmeowme")


async def test_answer_of_unknown_length_goes_in_chunks():
    """A Complete that takes minutes must say something before it knows the end."""

    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, (), None)
        for piece in (b"me", b"", b"o" * 17):
            await exchange.send(piece)
        await exchange.finish()
        assert 19 == exchange.bytes_sent

    answer = await Listening(handler).talk(GET, GET)

    assert b"Transfer-Encoding: chunked\r\n\r\n2\r\nme\r\n11\r\nooo" in answer
    assert b"Content-Length" not in answer
    assert [(200, b"me" + b"o" * 17)] * 2 == read_answers(answer, "GET", "GET")


async def test_answer_of_unknown_length_ends_with_an_old_connection():
    """HTTP/1.0 knows no chunks: they would be read as part of the document."""

    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, (), None)
        await exchange.send(b"me")
        await exchange.send(b"ow")
        await exchange.finish()

    answer = await Listening(handler).talk(GET.replace(b"1.1", b"1.0"))

    assert answer.endswith(b"Connection: close\r\n\r\nmeow")
    assert b"Transfer-Encoding" not in answer


async def test_failure_before_the_first_piece_becomes_an_error_answer():
    """A backend may fail after the ledger has said yes."""

    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, (("ETag", '"e"'),), 6)
        await exchange.respond(503, (), b"later")

    answer = await Listening(handler).talk(GET)

    assert [(503, b"later")] == read_answers(answer, "GET")
    assert b"ETag" not in answer


async def test_head_is_answered_with_the_length_and_no_body():
    """A body would be read as the next answer."""

    async def handler(exchange: Exchange) -> None:
        headers = (("content-length", "1234"),) if exchange.head.target == "/a" else ()
        await exchange.respond(200, headers, b"meow")

    answer = await Listening(handler).talk(HEAD, HEAD.replace(b"/a", b"/b"))

    first, second = answer.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert first.endswith(b"Content-Length: 1234\r\n\r\n")
    assert second.endswith(b"Content-Length: 4\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
async def test_bodiless_status_has_neither_length_nor_body(status):
    """Clients stop reading at the empty line, whatever we say."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond(status, (), b"meow")

    answer = await Listening(handler).talk(GET, GET)

    assert [(status, b"")] * 2 == read_answers(answer, "GET", "GET")
    assert b"Content-Length" not in answer


async def test_empty_answer_in_pieces_is_answered():
    """An object may have no bytes."""

    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, (), 0)
        await exchange.finish()

    answer = await Listening(handler).talk(GET)

    assert [(200, b"")] == read_answers(answer, "GET")


@pytest.mark.parametrize(
    "header",
    [
        ("x-a", "b\r\nSet-Cookie: c"),
        ("x-a", "b\r\n\r\nHTTP/1.1 200 OK"),
        ("x-a", "b\nSet-Cookie: c"),
        ("x-a", "b\rc"),
        ("x-a", "\x00"),
        ("x-a", "\x1b[2J"),
        ("x-a", "\x7f"),
        ("x-a", "\u010a"),
        ("x-a", "\u560a"),
        ("x-a: b\r\nx-c", "d"),
        ("x a", "b"),
        ("", "b"),
        ("Content-Length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("connection", "close"),
    ],
)
async def test_answer_cannot_be_split(header):
    """Metadata of an object is a client's text; it must not become ours."""
    refused: list[Exception] = []

    async def handler(exchange: Exchange) -> None:
        try:
            await exchange.respond(200, (("x-ok", "1"), header), b"meow")
        except UnsafeHeader as exc:
            refused.append(exc)
            await exchange.respond(500, ())

    answer = await Listening(handler).talk(GET)

    assert 1 == len(refused)
    assert [(500, b"")] == read_answers(answer, "GET")


async def test_continue_is_sent_when_the_handler_reads():
    """The client waits with its upload until the request is accepted."""
    async with Listening().connect() as client:
        await client.send_vectored([EXPECTING])
        assert CONTINUE == await client.receive_some(1 << 16)
        await client.send_vectored([b"hello"])
        answer = await client.receive_some(1 << 16)

    assert [(200, b"PUT /a 5")] == read_answers(answer, "PUT")


async def test_refusal_costs_no_upload():
    """A gigabyte sent for a 403 is what Expect exists to avoid."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond(403, (), b"no")

    async with Listening(handler).connect() as client:
        await client.send_vectored([EXPECTING])
        answer = await receive_all(client)

    assert CONTINUE not in answer
    assert b"Connection: close\r\n" in answer
    assert [(403, b"no")] == read_answers(answer, "PUT")


async def test_continue_is_not_sent_when_the_body_has_begun():
    """Such a client did not wait; RFC 9110 lets us save the line."""
    answer = await Listening().talk(EXPECTING + b"he", b"llo")

    assert CONTINUE not in answer
    assert [(200, b"PUT /a 5")] == read_answers(answer, "PUT")


async def test_continue_is_sent_once_and_not_for_an_empty_body():
    """A second 100 would be taken for the next answer."""
    empty = EXPECTING.replace(b"Length: 5", b"Length: 0")
    answer = await Listening().talk(empty, empty)

    assert CONTINUE not in answer
    assert 2 == answer.count(b"HTTP/1.1 200 OK")


async def test_old_client_is_never_sent_continue():
    """HTTP/1.0 has no such status."""
    answer = await Listening().talk(
        EXPECTING.replace(b"HTTP/1.1", b"HTTP/1.0"), b"hello"
    )

    assert answer.startswith(b"HTTP/1.1 200 OK")


async def test_cut_answer_is_a_reset():
    """A client must not take half an object for a whole one."""

    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, (), 6)
        await exchange.send(b"me")
        exchange.cut()

    async with Listening(handler).connect() as client:
        await client.send_vectored([GET])
        with pytest.raises(ConnectionBroken):
            await receive_all(client)


async def test_crash_is_answered_and_reported_and_ends_the_connection():
    """Nobody knows what state a crashed handler left behind."""

    async def handler(exchange: Exchange) -> None:
        raise KeyError(exchange.head.target)

    listening = Listening(handler)
    answer = await listening.talk(GET + GET)

    assert [(500, b"crashed")] == read_answers(answer, "GET")
    assert ["'/a'"] == [str(crash) for crash in listening.crashes]
    assert ["/a"] == listening.targets


async def test_crash_amid_an_answer_is_a_reset():
    """Half an object and then an error document is neither."""

    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, (), 6)
        await exchange.send(b"me")
        raise KeyError("x")

    listening = Listening(handler)
    async with listening.connect() as client:
        await client.send_vectored([GET])
        with pytest.raises(ConnectionBroken):
            await receive_all(client)

    assert 1 == len(listening.crashes)


@pytest.mark.parametrize("sent", [b"", b"me"])
async def test_incomplete_answer_is_a_crash(sent):
    """A handler that forgets to answer would hang its client for ever."""

    async def handler(exchange: Exchange) -> None:
        if sent:
            await exchange.start(200, (), 6)
            await exchange.send(sent)

    listening = Listening(handler)
    async with listening.connect() as client:
        await client.send_vectored([GET])
        if sent:
            with pytest.raises(ConnectionBroken):
                await receive_all(client)
        else:
            assert (await receive_all(client)).startswith(b"HTTP/1.1 500 ")

    assert 1 == len(listening.crashes)


async def test_crash_in_a_handlers_own_nursery_is_a_crash():
    """Groups must not slip through to the nursery of all connections."""

    async def fail() -> None:
        raise KeyError("x")

    async def handler(exchange: Exchange) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            nursery.start_soon(trio.sleep_forever)

    listening = Listening(handler)
    answer = await listening.talk(GET)

    assert [(500, b"crashed")] == read_answers(answer, "GET")
    assert 1 == len(listening.crashes)


async def test_crash_together_with_a_cancellation_is_still_a_crash():
    """At shutdown both happen at once; the other connections must not see it."""
    crashing = trio.Event()

    async def fail() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError("x")

    async def handler(exchange: Exchange) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            nursery.start_soon(trio.sleep_forever)
            crashing.set()

    listening = Listening(handler)
    async with trio.open_nursery() as outer, listening.connect() as client:
        await client.send_vectored([GET])
        await crashing.wait()
        outer.cancel_scope.cancel()

    assert 1 == len(listening.crashes)


async def test_refusal_that_the_handler_lets_out_is_answered_as_one():
    """The client's doing is not our crash."""

    async def handler(exchange: Exchange) -> None:
        raise AccessDenied()

    listening = Listening(handler)
    answer = await listening.talk(GET)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert [] == listening.crashes


async def test_client_that_leaves_amid_its_body_is_gone():
    """Half an upload must never look like a whole one."""
    seen: list[BaseException] = []

    async def handler(exchange: Exchange) -> None:
        try:
            while await exchange.read():
                pass
        except ClientGone as exc:
            seen.append(exc)
            assert 2 == exchange.bytes_received
            raise

    listening = Listening(handler)
    head = b"PUT /a HTTP/1.1\r\nHost: s3.test\r\n"
    async with listening.connect() as client:
        await client.send_vectored([head, b"Content-Length: 5\r\n\r\nhe"])
    async with listening.connect() as client:
        await client.send_vectored([head, b"Transfer-Encoding: chunked\r\n\r\n"])
        await client.send_vectored([b"2\r\nhe\r\n"])

    assert 2 == len(seen)
    assert [] == listening.crashes


async def test_client_that_leaves_amid_the_answer_is_gone():
    """The handler learns it, so that it stops asking backends for more."""
    seen: list[BaseException] = []

    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, (), 1 << 30)
        try:
            while True:
                await exchange.send(bytes(1 << 16))
        except ClientGone as exc:
            seen.append(exc)
            raise

    listening = Listening(handler)
    async with listening.connect() as client:
        await client.send_vectored([GET])
        await client.receive_some(1000)

    assert 1 == len(seen)
    assert [] == listening.crashes
