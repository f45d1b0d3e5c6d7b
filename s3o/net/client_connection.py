"""One HTTP/1.1 connection to a server: one exchange after another.

Not httpcore's connection, which costs 140 us of CPU per small request against 15 here
(ADR 0003). Rules:

- `progress_s` bounds every wait for the peer: the first byte of an answer after the
  request was sent, each later piece, each piece sent. A head must be whole within it.
- A server may answer before it has read the whole body (403, 507). A short body's write
  error is put aside and the answer read; beside a long body an answer is watched for.
- A connection is used again only if both messages ended exactly where they said and the
  server did not announce the end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import trio

from s3o.model import limits
from s3o.model.errors import BadRequest, S3OError
from s3o.net.chunked import ChunkedDecoder
from s3o.net.client_errors import BadAnswer, ClientError, ConnectionBroke, Stalled
from s3o.net.client_head import AnswerHead, body_length, parse_head
from s3o.net.client_streams import ClientStream

_READ_BYTES = 64 * 1024  # enough for a head with a small body
_WATCH_BYTES = limits.MIB  # a shorter body fits into the buffers on its way
_HEAD_END = b"\r\n\r\n"


class PieceReader(Protocol):
    """The rest of a request's body."""

    async def read(self) -> Sequence[bytes | memoryview]:
        """Return the next bytes in order, or nothing at the end."""
        ...


@dataclass(slots=True, kw_only=True)
class ClientRequest:
    """One request, ready to be sent.

    head ends with its empty line; first is the body's beginning, rest what follows it
    and rest_bytes how much. note_sent is called before the first byte goes out.
    """

    head: bytes
    first: bytes = b""
    rest: PieceReader | None = None
    rest_bytes: int = 0
    is_head: bool = False
    note_sent: Callable[[], None] | None = None


class ClientConnection:
    """A connected stream and where its current exchange stands."""

    __slots__ = (
        "_chunks",
        "_has_answered",
        "_head",
        "_is_open",
        "_is_request_sent",
        "_left",
        "_progress_s",
        "_send_scope",
        "_stream",
        "_tail",
        "_watch_error",
        "exchanges",
        "idle_since_s",
        "made_at_s",
    )

    def __init__(self, stream: ClientStream, progress_s: float) -> None:
        self._stream = stream
        self._progress_s = progress_s
        self._tail = b""  # received, not yet handed out
        self._left: int | None = 0  # body bytes to come; None while chunked
        self._chunks: ChunkedDecoder | None = None
        self._head: AnswerHead | None = None
        self._has_answered = False  # at least one byte of the current answer came
        self._is_request_sent = False
        self._is_open = True
        self._send_scope: trio.CancelScope | None = None
        self._watch_error: ClientError | None = None
        self.exchanges = 0
        self.idle_since_s = 0.0
        self.made_at_s = trio.current_time()

    @property
    def is_reusable(self) -> bool:
        """Whether another exchange may follow."""
        return (
            self._is_open
            and self._is_request_sent
            and self._left == 0
            and not self._tail
            and self._head is not None
            and not self._head.is_last
        )

    def is_stale(self) -> bool:
        """Whether the server ended the connection, or spoke unasked, while idle."""
        return self._stream.has_news()

    async def aclose(self) -> None:
        """Close at once."""
        self._is_open = False
        await self._stream.aclose()

    async def start(self, request: ClientRequest) -> AnswerHead:
        """Send request and return the head of its answer; the body follows by read().

        Raises ClientError, and what request.rest raises.
        """
        self._head = None
        self._has_answered = False
        self._is_request_sent = False
        self._left = None
        self._chunks = None
        self._watch_error = None
        if request.note_sent is not None:
            request.note_sent()
        try:
            if request.rest is None:
                head = await self._start_short(request)
            elif len(request.first) + request.rest_bytes <= _WATCH_BYTES:
                head = await self._start_unwatched(request, request.rest)
            else:
                head = await self._start_watched(request, request.rest)
        except ConnectionBroke as broke:
            is_stale = self.exchanges > 0 and not self._has_answered
            raise ConnectionBroke(str(broke), is_stale=is_stale) from broke
        self._begin_body(head, is_head=request.is_head)
        self.exchanges += 1
        return head

    def _begin_body(self, head: AnswerHead, *, is_head: bool) -> None:
        self._head = head
        self._left = body_length(head, is_head=is_head)
        if self._left is None:
            self._chunks = ChunkedDecoder()
        if not self._is_request_sent and head.status < 400:
            raise BadAnswer("success was answered before the body was sent")

    # ---- sending

    async def _start_short(self, request: ClientRequest) -> AnswerHead:
        parts = [request.head, request.first] if request.first else [request.head]
        scope = trio.CancelScope(deadline=self._deadline())
        with scope:
            return await self._send_and_receive(parts, scope)
        raise Stalled("no progress in the answer")

    async def _send_and_receive(
        self, parts: list[bytes], scope: trio.CancelScope
    ) -> AnswerHead:
        try:
            await self._send_parts(parts, scope)
            self._is_request_sent = True
        except ConnectionBroke as broke:
            try:
                return await self._receive_head(scope)
            except ConnectionBroke:
                raise broke from None
        return await self._receive_head(scope)

    async def _start_unwatched(
        self, request: ClientRequest, rest: PieceReader
    ) -> AnswerHead:
        broken: ConnectionBroke | None = None
        try:
            await self._send_body(request, rest)
        except ConnectionBroke as broke:
            broken = broke
        scope = trio.CancelScope(deadline=self._deadline())
        with scope:
            try:
                return await self._receive_head(scope)
            except ConnectionBroke as broke:
                raise (broken or broke) from None
        raise Stalled("no progress in the answer")

    async def _start_watched(
        self, request: ClientRequest, rest: PieceReader
    ) -> AnswerHead:
        watch = trio.CancelScope()
        failure: S3OError | ClientError | None = None
        broken: ConnectionBroke | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, watch)
            try:
                await self._send_body(request, rest)
            except ConnectionBroke as broke:
                broken = broke
            except (S3OError, ClientError) as exc:
                # Kept out of the nursery, which would wrap it into a group.
                failure = exc
                nursery.cancel_scope.cancel()
            # Now, and no earlier, the server owes us its answer.
            watch.deadline = self._deadline()
        if failure is not None:
            raise failure
        if self._head is not None:
            return self._head
        raise broken or self._watch_error or Stalled("no progress in the answer")

    async def _watch(self, scope: trio.CancelScope) -> None:
        """Receive the answer's head beside the sending of a long body."""
        try:
            with scope:
                self._head = await self._receive_head(scope)
        except ClientError as exc:
            self._watch_error = exc
        if self._send_scope is not None:
            self._send_scope.cancel()

    async def _send_body(self, request: ClientRequest, rest: PieceReader) -> None:
        """Send head and body; returns early once an answer or its failure is here."""
        parts: Sequence[bytes | memoryview] = [request.head, request.first]
        while True:
            scope = self._send_scope = trio.CancelScope(deadline=self._deadline())
            with scope:
                await self._send_parts(parts, scope)
            self._send_scope = None
            if self._is_answered():
                return
            if scope.cancelled_caught:
                raise Stalled("no progress in sending the body")
            parts = await rest.read()
            if not parts:
                self._is_request_sent = True
                return
            if self._is_answered():
                return

    def _is_answered(self) -> bool:
        """Whether the watcher has met an answer, or its failure."""
        return self._head is not None or self._watch_error is not None

    async def _send_parts(
        self, parts: Sequence[bytes | memoryview], scope: trio.CancelScope
    ) -> None:
        left = list(parts)
        while left:
            sent = await self._stream.send_some(left)
            while left and sent >= len(left[0]):
                sent -= len(left[0])
                del left[0]
            if left:
                left[0] = memoryview(left[0])[sent:]
                scope.deadline = self._deadline()

    # ---- receiving

    async def _receive_head(self, scope: trio.CancelScope) -> AnswerHead:
        """Return the final answer's head; a few informational ones may precede it."""
        received = bytearray(self._tail)
        searched = 0
        informational = 0
        while True:
            end = received.find(_HEAD_END, searched)
            if end >= 0:
                head = parse_head(bytes(received[: end + 4]))
                del received[: end + 4]
                if head.status >= 200:
                    self._tail = bytes(received)
                    return head
                informational += 1
                if head.status == 101 or informational > limits.BACKEND_INFORMATIONAL:
                    raise BadAnswer("unasked informational answers")
                searched = 0
                if scope.deadline != float("inf"):
                    scope.deadline = self._deadline()
                continue
            if len(received) > limits.BACKEND_HEAD_BYTES:
                raise BadAnswer("the head of the answer is too long")
            searched = max(0, len(received) - 3)
            data = await self._stream.receive_some(_READ_BYTES)
            if not data:
                raise ConnectionBroke("the server closed the connection")
            self._has_answered = True
            received += data

    async def read(self) -> bytes:
        """Return the body's next piece, or b"" at its end; raises ClientError."""
        while self._left != 0:
            data = self._tail
            self._tail = b""
            if not data:
                data = await self._receive()
            piece = self._take(data) if self._chunks is None else self._unchunk(data)
            if piece:
                return piece
        if self._tail:
            raise BadAnswer("bytes follow the end of the answer")
        return b""

    async def _receive(self) -> bytes:
        wanted = limits.PIECE_BYTES if self._left is None else self._left
        with trio.CancelScope(deadline=self._deadline()) as scope:
            data = await self._stream.receive_some(min(wanted, limits.PIECE_BYTES))
        if scope.cancelled_caught:
            raise Stalled("no progress in the answer's body")
        if not data:
            raise ConnectionBroke("the answer broke off")
        return data

    def _take(self, data: bytes) -> bytes:
        assert self._left is not None
        if len(data) > self._left:
            self._tail = data[self._left :]
            data = data[: self._left]
        self._left -= len(data)
        return data

    def _unchunk(self, data: bytes) -> bytes:
        assert self._chunks is not None
        try:
            piece = self._chunks.feed(data)
        except BadRequest as error:
            raise BadAnswer(error.reason) from None
        if self._chunks.is_complete:
            self._left = 0
            self._tail = self._chunks.rest
        return piece

    def _deadline(self) -> float:
        return trio.current_time() + self._progress_s
