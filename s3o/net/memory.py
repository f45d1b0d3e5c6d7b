"""Byte streams in memory: the network of tests and of the simulation.

They behave like two TCP ends, not like a friendlier thing, because what they forgive
no test will find: buffers are bounded, so a writer waits for its reader; closing an end
that still has unread bytes resets the connection, so a refusal without lingering is
lost; a reset drops what was on its way. Nothing here asks for time or chance.
"""

from collections.abc import Sequence

import trio

from s3o.model.limits import KIB
from s3o.net.streams import ConnectionBroken, ConnectionStalled

BUFFER_BYTES = 64 * KIB


class _Pipe:
    """One direction: a bounded buffer with at most one reader and one writer."""

    __slots__ = ("_capacity", "_changed", "buffer", "is_ended", "is_reset", "is_unread")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._changed = trio.lowlevel.ParkingLot()
        self.buffer = bytearray()
        self.is_ended = False  # the writer has said its last byte
        self.is_unread = False  # the reader's end was closed
        self.is_reset = False

    @property
    def room(self) -> int:
        return self._capacity - len(self.buffer)

    async def wait_changed(self) -> None:
        await self._changed.park()

    def note_changed(self) -> None:
        self._changed.unpark_all()

    def reset(self) -> None:
        self.buffer.clear()
        self.is_reset = True
        self.note_changed()


class MemoryStream:
    """One end of a pair made by memory_stream_pair()."""

    def __init__(self, peer: str, incoming: _Pipe, outgoing: _Pipe) -> None:
        self._peer = peer
        self._incoming = incoming
        self._outgoing = outgoing
        self._is_closed = False
        self.write_idle_s = 300.0

    @property
    def peer(self) -> str:
        """The peer's address, `host:port`."""
        return self._peer

    async def receive_some(self, max_bytes: int) -> bytes:
        """Wait for bytes and return 1..max_bytes of them; b"" is the end."""
        await trio.lowlevel.checkpoint()
        pipe = self._incoming
        while not pipe.buffer:
            self._raise_if_broken(pipe)
            if pipe.is_ended:
                return b""
            await pipe.wait_changed()
        self._raise_if_broken(pipe)
        piece = bytes(pipe.buffer[:max_bytes])
        del pipe.buffer[:max_bytes]
        pipe.note_changed()
        return piece

    def has_news(self) -> bool:
        """Whether receive_some() would return, or raise, without waiting."""
        pipe = self._incoming
        return bool(pipe.buffer) or pipe.is_ended or pipe.is_reset or self._is_closed

    async def send_vectored(self, parts: Sequence[bytes | memoryview]) -> None:
        """Send all parts in order; waits while the peer's buffer is full."""
        await trio.lowlevel.checkpoint()
        pipe = self._outgoing
        assert not pipe.is_ended or self._is_closed, "sent after the end"
        for part in parts:
            rest = memoryview(part)
            while rest:
                if pipe.is_unread:
                    pipe.is_reset = True
                self._raise_if_broken(pipe)
                if pipe.room <= 0:
                    await self._wait_taken(pipe)
                    continue
                taken = rest[: pipe.room]
                pipe.buffer += taken
                rest = rest[len(taken) :]
                pipe.note_changed()

    async def _wait_taken(self, pipe: _Pipe) -> None:
        with trio.move_on_after(self.write_idle_s) as scope:
            await pipe.wait_changed()
        if scope.cancelled_caught:
            raise ConnectionStalled(f"no byte taken for {self.write_idle_s} s")

    def _raise_if_broken(self, pipe: _Pipe) -> None:
        if self._is_closed:
            raise ConnectionBroken("closed by this end")
        if pipe.is_reset:
            raise ConnectionBroken("reset by peer")

    async def send_eof(self) -> None:
        """Close the sending side; receiving goes on."""
        self._outgoing.is_ended = True
        self._outgoing.note_changed()

    def abort(self) -> None:
        """Reset the connection: what was on its way is lost, both ends break."""
        if not self._is_closed:
            self._is_closed = True
            self._incoming.reset()
            self._outgoing.reset()

    async def aclose(self) -> None:
        """Close at once; with bytes unread the peer sees a reset, as with TCP."""
        if self._is_closed:
            return
        if self._incoming.buffer:
            self.abort()
            return
        self._is_closed = True
        self._incoming.is_unread = True
        self._outgoing.is_ended = True
        self._incoming.note_changed()
        self._outgoing.note_changed()


def memory_stream_pair(
    *,
    client: str = "192.0.2.1:40000",
    server: str = "192.0.2.9:9000",
    buffer_bytes: int = BUFFER_BYTES,
) -> tuple[MemoryStream, MemoryStream]:
    """Return (client's end, server's end) of a new connection."""
    up, down = _Pipe(buffer_bytes), _Pipe(buffer_bytes)
    return MemoryStream(server, down, up), MemoryStream(client, up, down)
