"""Connections: many requests, one after another, and a clean end."""

from itertools import pairwise

import h11
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from s3o.model.limits import HEAD_BYTES, PIPELINED_BYTES
from s3o.net.exchange import Exchange
from tests.net.listening import Listening, read_answers, receive_all

GET = b"GET /photos/cat.jpg HTTP/1.1\r\nHost: s3.test\r\n\r\n"
PUT = b"PUT /photos/dog.jpg HTTP/1.1\r\nHost: s3.test\r\nContent-Length: 4\r\n\r\nwoof"
CHUNKED = (
    b"PUT /photos/owl.jpg HTTP/1.1\r\nHost: s3.test\r\nTransfer-Encoding: chunked\r\n"
    b"\r\n5\r\nhello\r\n3;a=b\r\n...\r\n0\r\nx-a: b\r\n\r\n"
)
EXPECTED = {
    GET: (200, b"GET /photos/cat.jpg 0"),
    PUT: (200, b"PUT /photos/dog.jpg 4"),
    CHUNKED: (200, b"PUT /photos/owl.jpg 8"),
}


async def test_requests_share_one_connection():
    """Opening a connection costs a client more than its request."""
    listening = Listening()
    async with listening.connect() as client:
        for request in (GET, PUT, CHUNKED, GET):
            await client.send_vectored([request])
            answer = await client.receive_some(1 << 16)
            assert [EXPECTED[request]] == read_answers(answer, "POST")

    assert [] == listening.crashes


async def test_pipelined_requests_are_answered_in_order():
    """Some clients send the next request before they have read the answer."""
    requests = [GET, CHUNKED, PUT, PUT, CHUNKED, GET] * 20
    answer = await Listening().talk(b"".join(requests))

    assert [EXPECTED[request] for request in requests] == read_answers(
        answer, *["POST"] * len(requests)
    )


@given(
    requests=st.lists(st.sampled_from([GET, PUT, CHUNKED]), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 800), max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_no_split_of_the_bytes_changes_the_requests(requests, cuts):
    """TCP cuts a stream wherever it likes."""
    raw = b"".join(requests)
    edges = [0, *sorted(cut % len(raw) for cut in cuts), len(raw)]
    pieces = [raw[a:b] for a, b in pairwise(edges) if a < b]
    listening = Listening()
    answer = trio.run(_talk_slowly, listening, pieces)

    assert [EXPECTED[request] for request in requests] == read_answers(
        answer, *["POST"] * len(requests)
    )
    assert [] == listening.crashes


async def _talk_slowly(listening: Listening, pieces: list[bytes]) -> bytes:
    """Send every piece only when the server has used up the last one."""
    async with listening.connect() as client:
        for piece in pieces:
            await client.send_vectored([piece])
            await trio.testing.wait_all_tasks_blocked()
        await client.send_eof()
        return await receive_all(client)


async def test_half_closed_client_still_gets_its_answers():
    """`nc` and some health checks shut their sending side at once."""
    answer = await Listening().talk(GET + PUT)

    assert [EXPECTED[GET], EXPECTED[PUT]] == read_answers(answer, "GET", "PUT")


async def test_connection_close_is_obeyed():
    """The client frames its last answer by our closing."""
    listening = Listening()
    last = GET.replace(b"\r\n\r\n", b"\r\nConnection: Close\r\n\r\n")
    async with listening.connect() as client:
        await client.send_vectored([PUT, last, PUT])
        answer = await receive_all(client)

    assert [EXPECTED[PUT], EXPECTED[GET]] == read_answers(answer, "PUT", "GET", "PUT")
    assert 2 == len(listening.heads)
    assert 1 == answer.count(b"\r\nConnection: close\r\n")


async def test_old_client_gets_one_answer():
    """HTTP/1.0 ends a message by closing."""
    listening = Listening()
    old = GET.replace(b"HTTP/1.1", b"HTTP/1.0")
    async with listening.connect() as client:
        await client.send_vectored([old, GET])
        answer = await receive_all(client)

    assert [EXPECTED[GET]] == read_answers(answer, "GET", "GET")
    assert [True] == [head.is_http10 for head in listening.heads]


async def test_head_cut_off_by_the_end_is_no_request():
    """Half a DELETE must not delete."""
    listening = Listening()
    answer = await listening.talk(GET + PUT[:30])

    assert [EXPECTED[GET]] == read_answers(answer, "GET")
    assert 1 == len(listening.heads)


async def test_little_is_read_ahead_of_a_busy_handler():
    """Pipelining must not be a way to fill our memory."""
    going_on = trio.Event()

    async def handler(exchange: Exchange) -> None:
        await going_on.wait()
        await exchange.respond(200, ())

    listening = Listening(handler)
    async with listening.connect(buffer_bytes=1 << 12) as client:
        taken = 0
        with trio.move_on_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_stop_when_blocked, nursery.cancel_scope)
                while True:
                    await client.send_vectored([GET])
                    taken += len(GET)
        client.abort()
        going_on.set()

    assert taken <= HEAD_BYTES + PIPELINED_BYTES
    assert 1 == len(listening.heads)


async def _stop_when_blocked(scope: trio.CancelScope) -> None:
    await trio.testing.wait_all_tasks_blocked()
    scope.cancel()


async def test_h11_client_and_we_agree_on_a_long_conversation():
    """h11's client is strict where ours are not."""
    client = h11.Connection(h11.CLIENT)
    raw = b""
    for size in (0, 1, 5000, 70_000):
        headers = [("Host", "s3.test"), ("Content-Length", str(size))]
        request = h11.Request(method="PUT", target=f"/{size}", headers=headers)
        raw += client.send(request) or b""
        raw += client.send(h11.Data(data=b"x" * size)) or b""
        client.send(h11.EndOfMessage())
        client = h11.Connection(h11.CLIENT)
    answer = await Listening().talk(raw)

    assert [b"PUT /0 0", b"PUT /1 1", b"PUT /5000 5000", b"PUT /70000 70000"] == [
        body for _, body in read_answers(answer, *["PUT"] * 4)
    ]
