"""What the listener refuses, the handler never sees, nor anything behind it."""

import pytest

from s3o.model.errors import BadRequest
from s3o.model.limits import DRAIN_BYTES, MIB
from s3o.net.connection import parse_with_h11
from s3o.net.exchange import Exchange
from tests.net.heads import ACCEPTED, REFUSED, SMUGGLED, TOO_LARGE
from tests.net.listening import Listening, read_answers

CHUNKED = b"PUT /a HTTP/1.1\r\nHost: s3.test\r\nTransfer-Encoding: chunked\r\n\r\n"

# Bodies that h11 0.16 decodes; a proxy before us might end them elsewhere.
BAD_BODIES: dict[str, bytes] = {
    "trailing blank after chunk size": b"5 \r\nhello\r\n0\r\n\r\n",
    "bare CR in chunk extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "blank in chunk extension": b"5; a=b\r\nhello\r\n0\r\n\r\n",
    "unfinished chunk extension": b"5;\r\nhello\r\n0\r\n\r\n",
    "20 hexadecimal digits": b"0" * 19 + b"5\r\nhello\r\n0\r\n\r\n",
    "signed chunk size": b"+5\r\nhello\r\n0\r\n\r\n",
    "prefixed chunk size": b"0x5\r\nhello\r\n0\r\n\r\n",
    "underscored chunk size": b"0_5\r\nhello\r\n0\r\n\r\n",
    "no chunk size": b"\r\nhello\r\n0\r\n\r\n",
    "bare LF after chunk size": b"5\nhello\r\n0\r\n\r\n",
    "bare LF after chunk": b"5\r\nhello\n0\r\n\r\n",
    "chunk longer than its size": b"5\r\nhello!\r\n0\r\n\r\n",
    "content-length in trailer": b"0\r\nContent-Length: 9\r\n\r\n",
    "transfer-encoding in trailer": b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "host in trailer": b"0\r\nHost: evil\r\n\r\n",
    "authorization in trailer": b"0\r\nAuthorization: x\r\n\r\n",
    "folded trailer": b"0\r\nX-A: b\r\n c\r\n\r\n",
    "bare LF in trailer": b"0\r\nX-A: b\n\r\n",
    "control byte in trailer": b"0\r\nX-A: \x01\r\n\r\n",
    "trailers over the limit": b"0\r\n" + b"X-A: bbbbbbbb\r\n" * 2000 + b"\r\n",
    "extensions over the limit": b"1;" + b"a" * 5000 + b"\r\nh\r\n0\r\n\r\n",
    "extensions flooding": b"1;aaaaaaaa\r\nh\r\n" * 1000 + b"0\r\n\r\n",
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
async def test_ambiguous_head_is_answered_and_nothing_behind_it_runs(raw):
    """The request behind it is what the attacker wants us to run."""
    listening = Listening()
    answer = await listening.talk(raw + SMUGGLED)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nConnection: close\r\n" in answer
    assert 1 == answer.count(b"HTTP/1.1 ")
    assert [] == listening.targets
    assert [] == listening.crashes
    assert 1 == len(listening.refused)


@pytest.mark.parametrize("raw", TOO_LARGE.values(), ids=TOO_LARGE.keys())
async def test_oversized_head_is_answered_and_nothing_behind_it_runs(raw):
    """A head without bound is memory without bound."""
    listening = Listening()
    answer = await listening.talk(raw, SMUGGLED)

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert 1 == answer.count(b"HTTP/1.1 ")
    assert [] == listening.targets


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
async def test_byte_by_byte_makes_no_difference(raw):
    """A guard that sees only whole heads is passed by sending slowly."""
    listening = Listening()
    whole = raw + SMUGGLED
    answer = await listening.talk(*(whole[at : at + 1] for at in range(len(whole))))

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert [] == listening.targets


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
async def test_ambiguous_body_is_answered_and_nothing_behind_it_runs(body):
    """Where a chunked body ends is where the next request begins."""
    listening = Listening()
    answer = await listening.talk(CHUNKED + body + SMUGGLED)

    assert [(400, b"refused")] == read_answers(answer, "PUT", "GET")
    assert ["/a"] == listening.targets
    assert [] == listening.crashes


@pytest.mark.parametrize("raw", ACCEPTED.values(), ids=ACCEPTED.keys())
async def test_lawful_heads_reach_the_handler(raw):
    """Refusing what real clients send would be an outage."""
    listening = Listening()
    body = b"0\r\n\r\n" if b"hunked" in raw else b"hello" if b"Length" in raw else b""
    answer = await listening.talk(raw + body)

    assert b"HTTP/1.1 200 OK\r\n" in answer
    assert 1 == len(listening.heads)


async def test_refusal_of_head_has_no_body():
    """The body would be read as the beginning of the next answer."""
    listening = Listening()
    answer = await listening.talk(b"HEAD /a HTTP/1.1\r\nHost: a/b\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"\r\n\r\n")


async def test_refusal_reaches_a_client_that_is_still_sending():
    """A reset that overtakes the answer looks like a broken server."""

    async def refuse(exchange: Exchange) -> None:
        await exchange.respond(403, (), b"no")

    listening = Listening(refuse)
    head = b"PUT /a HTTP/1.1\r\nHost: s3.test\r\nContent-Length: %d\r\n\r\n"
    answer = await listening.talk(head % MIB + b"x" * (DRAIN_BYTES // 2), b"x" * 1000)

    assert [(403, b"no")] == read_answers(answer, "PUT")
    assert b"\r\nConnection: close\r\n" in answer


async def test_unread_body_is_never_taken_for_a_request():
    """A body may look like a request; only its sender knows that it is none."""

    async def refuse(exchange: Exchange) -> None:
        await exchange.respond(403, (), b"no")

    listening = Listening(refuse)
    head = b"PUT /a HTTP/1.1\r\nHost: s3.test\r\nContent-Length: %d\r\n\r\n"
    await listening.talk(head % 100_000, SMUGGLED * 30)

    assert ["/a"] == listening.targets


async def test_small_unread_body_that_has_arrived_is_skipped():
    """A refused small PUT should not cost the client its connection."""

    async def refuse(exchange: Exchange) -> None:
        await exchange.respond(403, (), b"no")

    listening = Listening(refuse)
    head = b"PUT /a HTTP/1.1\r\nHost: s3.test\r\nContent-Length: 5\r\n\r\nhello"
    chunked = CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"
    answer = await listening.talk(head + chunked + SMUGGLED)

    assert [(403, b"no")] * 3 == read_answers(answer, "PUT", "PUT", "GET")
    assert ["/a", "/a", "/stolen"] == listening.targets


def test_what_a_client_sent_is_not_repeated_in_the_refusal():
    """A header that is broken in the middle of a credential ends up in the log."""
    with pytest.raises(BadRequest) as caught:
        parse_with_h11(b"GET / HTTP/1.1\r\nHost: a\r\nAuthori zation: s3cr3t\r\n\r\n")

    assert "malformed request: illegal header line" == caught.value.reason
