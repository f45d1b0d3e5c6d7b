"""One client connection: heads in, exchanges to the handler, and a clean end.

Theory of operation. A connection is a loop of: wait for a head, let the handler answer
it, see whether the next request can be found. What can go wrong, and what follows:

- The head is refused: answer, Connection: close, linger, close. The handler never sees
  it, nor anything behind it: after a framing error nobody knows where a request begins.
- The handler answers without reading the whole body: if the rest has arrived it is
  dropped, else the connection ends. A next request is never read out of a body.
- The client leaves or stalls: ClientGone or ClientTooSlow in the handler.
- The handler fails: this task is one of the three places where anything is caught; the
  crash is reported, the client gets 500, or a reset if its answer has begun.

Lingering: closing a socket with unread bytes resets it, and a reset may overtake our
answer; so an ending connection is half-closed, read for a moment, then closed.

h11 is the authority on what a head means, and lives here only. Source: RFC 9112.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import h11
import trio

from s3o.model.errors import BadRequest, ClientGone, ClientTooSlow, RequestError
from s3o.model.limits import (
    BODY_IDLE_S,
    CONNECTIONS,
    CONNECTIONS_PER_ADDRESS,
    DRAIN_BYTES,
    DRAIN_S,
    HEAD_BYTES,
    HEAD_S,
    PIPELINED_BYTES,
    TLS_HANDSHAKE_S,
)
from s3o.model.numbers import parse_uint
from s3o.net.answer import Answer, DateLine, render_fields, render_head
from s3o.net.exchange import Exchange, Handler
from s3o.net.head import RequestHead, find_head_end, guard, recognise
from s3o.net.incoming import Body, Incoming
from s3o.net.streams import ConnectionBroken, DuplexStream


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """The operator's bounds on one listener.

    Times bound waiting without progress, but for the head, which must be there
    read_header_timeout_s after its first byte.
    """

    read_header_timeout_s: float = HEAD_S
    read_idle_s: float = BODY_IDLE_S
    write_idle_s: float = 300.0
    idle_timeout_s: float = 120.0
    tls_handshake_s: float = TLS_HANDSHAKE_S
    connections: int = CONNECTIONS
    connections_per_address: int = CONNECTIONS_PER_ADDRESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a connection needs of its server.

    refuse: the answer to a request whose handler let a refusal through. refuse_head:
    reports a head that no request can be made of, with the client's address, and
    returns the answer; the last of its connection. crashed: reports an exception
    nobody expected (exchange is None between requests) and returns the answer that is
    sent if none has begun.
    """

    handler: Handler
    refuse: Callable[[RequestError], Answer]
    refuse_head: Callable[[RequestError, str], Answer]
    crashed: Callable[[Exception, Exchange | None], Answer]
    limits: ServerLimits
    dates: DateLine


def parse_with_h11(raw: bytes) -> RequestHead:
    """Return the head as h11 reads it; raises BadRequest."""
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
    try:
        parser.receive_data(raw)
        request = parser.next_event()
    except h11.RemoteProtocolError as exc:
        # Behind the colon stand the client's own bytes, perhaps a credential.
        reason = str(exc).partition(":")[0]
        raise BadRequest(f"malformed request: {reason}") from exc
    if not isinstance(request, h11.Request):
        raise BadRequest("malformed request head")
    headers = tuple(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in request.headers
    )
    fields: dict[str, str] = {}
    for name, value in headers:
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    length = fields.get("content-length")
    is_http10 = request.http_version < b"1.1"
    return RequestHead(
        method=request.method.decode("ascii"),
        target=request.target.decode("ascii"),
        headers=headers,
        fields=fields,
        content_length=None if length is None else parse_uint(length),
        is_chunked="transfer-encoding" in fields,
        expects_continue="expect" in fields and not is_http10,
        is_http10=is_http10,
    )


def read_head(raw: bytes) -> RequestHead:
    """Return the meaning of one complete head.

    Raises: BadRequest, HeadersTooLarge.
    """
    head = recognise(raw)
    if head is None:
        guard(raw)
        head = parse_with_h11(raw)
    return head


class Connection:
    """One connection from its first byte to its last. Owns: the stream."""

    __slots__ = (
        "_exchange",
        "_handshake",
        "_idle_scope",
        "_incoming",
        "_is_draining",
        "_is_tls",
        "_is_used",
        "_service",
        "_stream",
    )

    def __init__(
        self,
        stream: DuplexStream,
        service: Service,
        *,
        is_tls: bool = False,
        handshake: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._stream = stream
        self._service = service
        self._is_tls = is_tls
        self._handshake = handshake
        self._incoming = Incoming(stream)
        self._exchange: Exchange | None = None
        self._idle_scope: trio.CancelScope | None = None
        self._is_draining = False
        self._is_used = False
        stream.write_idle_s = service.limits.write_idle_s

    def drain(self) -> None:
        """End at once if idle, else after the request in hand."""
        self._is_draining = True
        if self._exchange is not None:
            self._exchange.is_last = True
        if self._idle_scope is not None:
            self._idle_scope.cancel()

    async def serve(self) -> None:
        """Serve requests until the connection ends; closes the stream."""
        try:
            if self._handshake is None or await self._shake_hands(self._handshake):
                while await self._serve_one():
                    pass
        except (ConnectionBroken, ClientGone, ClientTooSlow):
            pass  # nobody is left to be told
        except Exception as crash:  # noqa: BLE001  the edge of the connection task
            self._stream.abort()
            self._service.crashed(crash, None)
        finally:
            await self._stream.aclose()

    async def _shake_hands(self, handshake: Callable[[], Awaitable[None]]) -> bool:
        """Return whether the handshake was done in time."""
        is_done = False
        with trio.move_on_after(self._service.limits.tls_handshake_s) as scope:
            self._idle_scope = scope  # no request is in hand yet
            await handshake()
            is_done = True
        self._idle_scope = None
        return is_done

    async def _serve_one(self) -> bool:
        """Serve one request; return whether another one may follow."""
        try:
            head = await self._next_head()
        except ClientGone:
            return False
        except RequestError as refusal:
            await self._refuse(refusal)
            return False
        if head is None:
            return False
        body = Body(head, self._incoming, self._service.limits.read_idle_s)
        exchange = Exchange(
            head, body, self._stream, self._service.dates, is_tls=self._is_tls
        )
        exchange.is_last |= self._is_draining
        self._exchange = exchange
        try:
            await self._handle(exchange)
        finally:
            self._exchange = None
        if exchange.is_last and not exchange.is_cut:
            await self._linger()
        return not exchange.is_last

    async def _handle(self, exchange: Exchange) -> None:
        """Run the handler; whatever happens, the exchange is finished or cut."""
        try:
            await self._service.handler(exchange)
            if exchange.is_finished:
                return
            failure: Exception = RuntimeError("handler returned without its answer")
        except Exception as exc:  # noqa: BLE001  the edge of the connection task
            failure = exc
        except BaseExceptionGroup as group:
            # A handler's own nursery may crash and be cancelled at once: the crash ends
            # here, the cancellation goes on.
            _abandon(exchange)
            crash, rest = group.split(Exception)
            if crash is not None:
                self._service.crashed(crash, exchange)
            assert rest is not None
            raise rest from None
        except BaseException:
            _abandon(exchange)
            raise
        await self._settle(exchange, failure)

    async def _settle(self, exchange: Exchange, failure: Exception) -> None:
        """Answer a failed exchange if that is still possible, else cut it."""
        exchange.is_last = True
        answer: Answer | None = None
        if isinstance(failure, RequestError):
            if not isinstance(failure, ClientGone):
                answer = self._service.refuse(failure)
        elif not _is_gone(failure):
            answer = self._service.crashed(failure, exchange)
        if exchange.is_finished or exchange.is_cut:
            return
        if answer is None or exchange.is_answered:
            exchange.cut()
        else:
            await exchange.respond(*answer)

    async def _next_head(self) -> RequestHead | None:
        """Wait for the next head; None if the connection ends before it begins."""
        incoming = self._incoming
        if incoming.buffer:
            await trio.lowlevel.checkpoint()  # pipelining must not starve the others
        elif not await self._wait_first_bytes():
            return None
        end = find_head_end(incoming.buffer)
        if end < 0:
            end = await self._receive_head()
        head = read_head(incoming.buffer[:end])
        incoming.buffer = incoming.buffer[end:]
        return head

    async def _wait_first_bytes(self) -> bool:
        """Wait until a request begins; return whether one does.

        A new connection has as long for that as for a head: who connects has something
        to say.
        """
        if self._is_draining:
            return False
        limits = self._service.limits
        wait_s = (
            limits.idle_timeout_s if self._is_used else limits.read_header_timeout_s
        )
        self._is_used = True
        with trio.move_on_after(wait_s) as self._idle_scope:
            self._incoming.buffer = await self._stream.receive_some(PIPELINED_BYTES)
        self._idle_scope = None
        return bool(self._incoming.buffer)

    async def _receive_head(self) -> int:
        """Receive until the head in the buffer is complete; return where it ends."""
        incoming = self._incoming
        limit_s = self._service.limits.read_header_timeout_s
        with trio.move_on_after(limit_s):
            end = -1
            while end < 0:
                checked = len(incoming.buffer)
                piece = await self._stream.receive_some(PIPELINED_BYTES)
                if not piece:
                    raise ClientGone()
                incoming.buffer += piece
                end = find_head_end(incoming.buffer, checked)
            return end
        raise ClientTooSlow(limit_s)

    async def _refuse(self, refusal: RequestError) -> None:
        """Answer a head that no exchange can be made of, and end."""
        status, headers, body = self._service.refuse_head(refusal, self._stream.peer)
        fields = render_fields(headers)
        date = self._service.dates.render()
        head = render_head(status, fields, date, len(body), is_last=True)
        is_bodiless = self._incoming.buffer.startswith(b"HEAD ")
        await self._stream.send_vectored([head] if is_bodiless else [head, body])
        await self._linger()

    async def _linger(self) -> None:
        """Half-close, and read for a moment so that the answer is not overtaken."""
        with trio.move_on_after(DRAIN_S):
            await self._stream.send_eof()
            drained = 0
            while drained < DRAIN_BYTES:
                piece = await self._stream.receive_some(PIPELINED_BYTES)
                if not piece:
                    break
                drained += len(piece)


def _abandon(exchange: Exchange) -> None:
    """Cut what is unfinished; a finished answer is on its way and may arrive."""
    exchange.is_last = True
    if not exchange.is_finished:
        exchange.cut()


def _is_gone(failure: Exception) -> bool:
    """Whether all that failed is the client's leaving, seen by a handler's nursery."""
    if isinstance(failure, ExceptionGroup):
        return failure.split((ClientGone, ClientTooSlow))[1] is None
    return False
