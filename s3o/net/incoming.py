"""What arrives on a connection: bytes read ahead, and the body cut out of them.

HTTP gives the same bytes three meanings (head, body, next request); this is the one
place that moves the border. Rules: a body never reads past its own end from a stream,
so what is read ahead stays within one read; waits are about progress, not duration, and
cost nothing while bytes are there. Source: RFC 9112 section 6.
"""

import trio

from s3o.model.errors import BadRequest, ClientGone, ClientTooSlow
from s3o.model.limits import BODY_BYTES_PER_S, BODY_IDLE_S, PIECE_BYTES, PIPELINED_BYTES
from s3o.net.chunked import ChunkedDecoder
from s3o.net.head import RequestHead
from s3o.net.streams import ConnectionBroken, DuplexStream


class Incoming:
    """The receiving side of one connection and what was read ahead of its use."""

    __slots__ = ("buffer", "stream")

    def __init__(self, stream: DuplexStream) -> None:
        self.stream = stream
        self.buffer = b""

    async def receive(self, max_bytes: int, wait_s: float) -> bytes:
        """Wait at most wait_s for bytes; b"" is the end.

        Raises: ClientTooSlow, ClientGone.
        """
        try:
            with trio.move_on_after(wait_s) as scope:
                return await self.stream.receive_some(max_bytes)
        except ConnectionBroken as exc:
            raise ClientGone() from exc
        assert scope.cancelled_caught
        raise ClientTooSlow(wait_s)


class Body:
    """One request's body, its framing removed."""

    __slots__ = (
        "_decoder",
        "_idle_s",
        "_incoming",
        "_received_bytes",
        "_remaining",
        "_waited_s",
        "is_broken",
    )

    def __init__(self, head: RequestHead, incoming: Incoming, idle_s: float) -> None:
        self._incoming = incoming
        self._decoder = ChunkedDecoder() if head.is_chunked else None
        self._remaining = head.content_length or 0
        self._idle_s = min(idle_s, BODY_IDLE_S)
        self._received_bytes = 0
        self._waited_s = 0.0
        self.is_broken = False

    @property
    def received_bytes(self) -> int:
        """How many bytes of the body were returned."""
        return self._received_bytes

    @property
    def is_complete(self) -> bool:
        """Whether the next request begins where this body's reader stands."""
        if self.is_broken:
            return False
        return (
            self._remaining == 0 if self._decoder is None else self._decoder.is_complete
        )

    @property
    def has_begun(self) -> bool:
        """Whether bytes of it have arrived (so nobody waits for 100 Continue)."""
        return self._received_bytes > 0 or bool(self._incoming.buffer)

    async def read(self) -> bytes:
        """Return the next piece, or b"" at the end.

        Raises: BadRequest, ClientGone, ClientTooSlow; after that it stays broken.
        """
        while not self.is_complete:
            if self.is_broken:
                raise ClientGone()
            self.is_broken = True  # until this step has succeeded
            raw = self._take_buffered() or await self._receive()
            piece = self._unframe(raw)
            self.is_broken = False
            if piece:
                self._received_bytes += len(piece)
                return piece
        return b""

    def skip_buffered(self) -> bool:
        """Drop what of the body has already arrived; return whether that was all."""
        while not self.is_complete and not self.is_broken:
            raw = self._take_buffered()
            if not raw:
                return False
            try:
                self._unframe(raw)
            except BadRequest:
                self.is_broken = True
        return self.is_complete

    def _take_buffered(self) -> bytes:
        buffer = self._incoming.buffer
        if not buffer:
            return b""
        size = PIECE_BYTES if self._decoder else min(self._remaining, PIECE_BYTES)
        if len(buffer) <= size:
            self._incoming.buffer = b""
            return buffer
        self._incoming.buffer = buffer[size:]
        return buffer[:size]

    async def _receive(self) -> bytes:
        """Wait for bytes within idle time and minimum rate.

        Only time spent waiting for the client counts against the rate: while our own
        side is slow, the client cannot send.
        """
        credit_s = BODY_IDLE_S + self._received_bytes / BODY_BYTES_PER_S
        wait_s = max(0.0, min(self._idle_s, credit_s - self._waited_s))
        began_s = trio.current_time()
        # Behind a chunked body lies the next request, so less is read ahead there.
        limit = PIPELINED_BYTES if self._decoder else min(self._remaining, PIECE_BYTES)
        raw = await self._incoming.receive(limit, wait_s)
        self._waited_s += trio.current_time() - began_s
        if not raw:
            raise ClientGone()
        return raw

    def _unframe(self, raw: bytes) -> bytes:
        if self._decoder is None:
            self._remaining -= len(raw)
            return raw
        piece = self._decoder.feed(raw)
        if self._decoder.is_complete:
            # What was taken from the buffer may have been only its beginning.
            self._incoming.buffer = self._decoder.rest + self._incoming.buffer
        return piece
