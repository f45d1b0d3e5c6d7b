"""One request and its answer, as the listener hands it to a handler.

The handler reads the body, answers once, and returns. Rules: nothing is sent before
the first byte of the answer is known (start() only keeps the head, so a failure before
the first piece can still become an error answer); "100 Continue" goes out with the
first read, so a refusal costs the client no upload; an answer that cannot be completed
is cut, never ended early as if it were whole.
"""

from collections.abc import Awaitable, Callable, Sequence

from s3o.model.errors import ClientGone, ClientTooSlow
from s3o.model.numbers import parse_uint
from s3o.net.answer import (
    CONTINUE,
    LAST_CHUNK,
    Answer,
    DateLine,
    Headers,
    render_fields,
    render_head,
)
from s3o.net.head import RequestHead
from s3o.net.incoming import Body
from s3o.net.streams import ConnectionBroken, ConnectionStalled, DuplexStream

__all__ = ["Answer", "Exchange", "Handler", "RequestHead"]

_BODILESS = frozenset({204, 304})


class Exchange:
    """One request and its answer.

    head: what was asked. peer: `host:port` of the client. is_tls: whether the bytes
    travelled encrypted. is_answered: whether any byte of the answer was sent. is_last:
    whether the connection ends after it; may be set until the answer begins.
    """

    __slots__ = (
        "_body",
        "_dates",
        "_fields",
        "_is_chunked",
        "_length",
        "_must_continue",
        "_status",
        "_stream",
        "bytes_sent",
        "head",
        "is_answered",
        "is_cut",
        "is_finished",
        "is_last",
        "is_tls",
    )

    def __init__(
        self,
        head: RequestHead,
        body: Body,
        stream: DuplexStream,
        dates: DateLine,
        *,
        is_tls: bool = False,
    ) -> None:
        self.head = head
        self.is_tls = is_tls
        self.is_answered = False
        self.is_finished = False
        self.is_cut = False
        self.is_last = head.wants_close
        self.bytes_sent = 0
        self._body = body
        self._stream = stream
        self._dates = dates
        self._must_continue = head.expects_continue
        self._status = 0
        self._fields = ""
        self._length: int | None = 0  # None: known at the end only
        self._is_chunked = False

    @property
    def peer(self) -> str:
        """The client's address, `host:port`."""
        return self._stream.peer

    @property
    def bytes_received(self) -> int:
        """Body bytes received so far, framing removed."""
        return self._body.received_bytes

    async def read(self) -> bytes:
        """Return the next piece of the body, b"" at the end.

        Read until b"": only then is a chunked body known to be whole, and only then can
        the connection be used again. Raises: BadRequest, ClientGone, ClientTooSlow.
        """
        if self._must_continue:
            self._must_continue = False
            if not self._body.is_complete and not self._body.has_begun:
                await self._write([CONTINUE])
        return await self._body.read()

    async def respond(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """Send a whole answer; sets Content-Length.

        The answer to HEAD has no body: its length is that of a Content-Length among the
        headers, else of body. 204 and 304 have neither. Raises: ClientGone,
        ClientTooSlow, UnsafeHeader.
        """
        length = len(body)
        if self.head.method == "HEAD":
            body = b""
            for name, value in headers:
                if name.lower() == "content-length":
                    length = parse_uint(value)
            headers = [pair for pair in headers if pair[0].lower() != "content-length"]
        self._prepare(status, headers, length)
        await self._send_head(body if status not in _BODILESS else b"")
        self.is_finished = True

    async def start(
        self, status: int, headers: Headers, content_length: int | None
    ) -> None:
        """Begin an answer of content_length bytes; its head leaves with a piece.

        None: the length is known at the end only, so the body goes in chunks (to
        HTTP/1.0 until the connection ends). Until the first piece respond() or start()
        may still replace the answer.
        """
        self._prepare(status, headers, content_length)

    async def send(self, piece: bytes | memoryview) -> None:
        """Send the next piece of the body. Raises: ClientGone, ClientTooSlow."""
        size = len(piece)
        assert self._status, "send() before start()"
        assert self.head.method != "HEAD", "the answer to HEAD has no body"
        assert not self.is_finished, "send() after the end"
        if self._length is not None:
            assert self.bytes_sent + size <= self._length, "more than content_length"
        if not size:
            return
        if self.is_answered:
            await self._write(self._frame(piece))
            self.bytes_sent += size
        else:
            await self._send_head(piece)

    async def finish(self) -> None:
        """End the answer; all its bytes must have been sent."""
        assert self._status, "finish() before start()"
        if not self.is_answered:
            await self._send_head(b"")
        if self._length is not None:
            expected = 0 if self.head.method == "HEAD" else self._length
            assert self.bytes_sent == expected, "less than content_length"
        elif self._is_chunked:
            await self._write([LAST_CHUNK])
        self.is_finished = True

    def cut(self) -> None:
        """Reset the connection: the answer cannot be completed."""
        self.is_cut = True
        self.is_last = True
        self._stream.abort()

    def _prepare(self, status: int, headers: Headers, length: int | None) -> None:
        assert not self.is_answered, "answered twice"
        if length is None:
            assert self.head.method != "HEAD", "the answer to HEAD has no body"
            assert status not in _BODILESS, "no body to find the length of"
        self._fields = render_fields(headers)
        self._status = status
        self._length = length
        self._is_chunked = length is None and not self.head.is_http10

    def _frame(self, piece: bytes | memoryview) -> Sequence[bytes | memoryview]:
        if not self._is_chunked:
            return [piece]
        return [b"%x\r\n" % len(piece), piece, b"\r\n"]

    async def _send_head(self, piece: bytes | memoryview) -> None:
        # Whether the next request can be found is known only now: what is left of this
        # one's body must be here already, or the connection ends.
        if not self._body.skip_buffered():
            self.is_last = True
        length = None if self._status in _BODILESS else self._length
        head = render_head(
            self._status,
            self._fields,
            self._dates.render(),
            length,
            is_chunked=self._is_chunked,
            is_last=self.is_last,
        )
        self.is_answered = True
        await self._write([head, *self._frame(piece)] if piece else [head])
        self.bytes_sent += len(piece)

    async def _write(self, parts: Sequence[bytes | memoryview]) -> None:
        try:
            await self._stream.send_vectored(parts)
        except ConnectionStalled as exc:
            self.cut()
            raise ClientTooSlow(self._stream.write_idle_s) from exc
        except ConnectionBroken as exc:
            self.cut()
            raise ClientGone() from exc


Handler = Callable[[Exchange], Awaitable[None]]
