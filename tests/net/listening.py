"""A listener over memory streams, and a client that speaks raw bytes to it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h11
import trio

from s3o.model.errors import ClientTooSlow, HeadersTooLarge, RequestError
from s3o.net.answer import Answer
from s3o.net.exchange import Exchange, RequestHead
from s3o.net.memory import MemoryStream, memory_stream_pair
from s3o.net.server import Server, ServerLimits

Responder = Callable[[Exchange, bytes], Awaitable[None]]


class FixedClock:
    """Always Thursday."""

    def now_us(self) -> int:
        """Return one moment of 1970."""
        return 1_000_000

    def monotonic_s(self) -> float:
        """Return zero."""
        return 0.0


def refuse(refusal: RequestError) -> Answer:
    """Name the refusal's class, as the S3 door would its code."""
    status = 408 if isinstance(refusal, ClientTooSlow) else 400
    if isinstance(refusal, HeadersTooLarge):
        status = 431
    return status, (("x-refusal", type(refusal).__name__),), b"refused"


async def echo(exchange: Exchange) -> None:
    """Answer with method, target and the body's length."""
    size = 0
    while piece := await exchange.read():
        size += len(piece)
    text = f"{exchange.head.method} {exchange.head.target} {size}"
    await exchange.respond(200, (), text.encode())


@dataclass
class Listening:
    """One server whose handler may be replaced, and what it has seen."""

    handler: Callable[[Exchange], Awaitable[None]] = echo
    limits: ServerLimits = field(default_factory=ServerLimits)
    heads: list[RequestHead] = field(default_factory=list)
    crashes: list[Exception] = field(default_factory=list)
    refused: list[tuple[RequestError, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Build the server around the handler."""
        self.server = Server(
            self._handle,
            self.limits,
            FixedClock(),
            refuse=refuse,
            refuse_head=self._refuse_head,
            crashed=self._crashed,
        )

    async def _handle(self, exchange: Exchange) -> None:
        self.heads.append(exchange.head)
        await self.handler(exchange)

    def _refuse_head(self, refusal: RequestError, peer: str) -> Answer:
        self.refused.append((refusal, peer))
        return refuse(refusal)

    def _crashed(self, crash: Exception, exchange: Exchange | None) -> Answer:
        self.crashes.append(crash)
        return 500, (), b"crashed"

    @property
    def targets(self) -> list[str]:
        """What was asked for, in order."""
        return [head.target for head in self.heads]

    @asynccontextmanager
    async def connect(self, buffer_bytes: int = 1 << 16) -> AsyncIterator[MemoryStream]:
        """Yield the client's end of a served connection."""
        client, served = memory_stream_pair(buffer_bytes=buffer_bytes)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.server.serve_stream, served)
            yield client
            await client.aclose()

    async def talk(self, *pieces: bytes) -> bytes:
        """Send pieces, then the end; return all that comes back."""
        async with self.connect() as client:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_send, client, pieces)
                answer = await receive_all(client)
                nursery.cancel_scope.cancel()
            return answer


async def _send(client: MemoryStream, pieces: tuple[bytes, ...]) -> None:
    for piece in pieces:
        await client.send_vectored([piece])
    await client.send_eof()


async def receive_all(client: MemoryStream) -> bytes:
    """Return everything up to the end."""
    found = []
    while piece := await client.receive_some(1 << 16):
        found.append(piece)
    return b"".join(found)


def read_answers(raw: bytes, *methods: str) -> list[tuple[int, bytes]]:
    """Return status and body of each answer, as h11's client reads them."""
    answers = []
    connection = h11.Connection(h11.CLIENT)
    connection.receive_data(raw)
    connection.receive_data(b"")
    for method in methods:
        connection.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        connection.send(h11.EndOfMessage())
        status, body = 0, b""
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
        answers.append((status, body))
        if connection.our_state is h11.MUST_CLOSE:
            break
        connection.start_next_cycle()
    return answers
