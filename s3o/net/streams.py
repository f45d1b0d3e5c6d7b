"""A byte stream over one TCP socket, and what the listener asks of any stream.

trio.SocketStream costs 18 us per small request where wait_readable over a raw
non-blocking socket costs 10, so this is the latter. Rules:

- One task reads and one task writes at a time; nobody else knows the socket.
- A read waits before it asks the kernel unless the last read was full: after an answer
  there is nearly never a next request yet, so asking first would be a wasted call.
- Writing gathers all parts into one sendmsg and only waits on a short write; the wait
  is bounded by time *without progress*, so a slow client is not a dead one.
- Operating system errors become ConnectionBroken here and are not seen above.
"""

import socket
import struct
from collections.abc import Sequence
from typing import Protocol

import trio

from s3o.model.limits import KIB
from s3o.model.seams import ByteStream

Parts = Sequence[bytes | memoryview]

_GATHER_PARTS = 64  # more are joined first; the kernel's own bound is 1024
_YIELD_BYTES = 64 * KIB  # a bigger write gives other tasks a turn
_LINGER_OFF = struct.pack("ii", 1, 0)


class ConnectionBroken(Exception):
    """The peer is gone, or this end was closed or aborted while waiting."""


class ConnectionStalled(ConnectionBroken):
    """The peer took no byte for the stream's write_idle_s."""


class DuplexStream(ByteStream, Protocol):
    """A ByteStream as the listener needs it.

    write_idle_s: the longest wait for the peer to take one more byte; when it is over
    send_vectored raises ConnectionStalled.
    """

    write_idle_s: float

    def abort(self) -> None:
        """Close at once so that the peer sees a reset, never an orderly end."""
        ...


def render_address(address: tuple[object, ...] | str) -> str:
    """Return `host:port` of a socket address; IPv4 in IPv6 is shown as IPv4."""
    if isinstance(address, str) or len(address) < 2:
        return "local:0"
    host, port = str(address[0]).removeprefix("::ffff:"), address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class SocketStream:
    """One connected stream socket. Owns: the socket."""

    __slots__ = ("_is_closed", "_may_have_more", "_peer", "_socket", "write_idle_s")

    def __init__(
        self, connected: socket.socket, peer: str, *, write_idle_s: float = 300.0
    ) -> None:
        connected.setblocking(False)
        if connected.family in (socket.AF_INET, socket.AF_INET6):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._peer = peer
        self._may_have_more = False
        self._is_closed = False
        self.write_idle_s = write_idle_s

    @property
    def peer(self) -> str:
        """The peer's address, `host:port`."""
        return self._peer

    async def receive_some(self, max_bytes: int) -> bytes:
        """Wait for bytes and return 1..max_bytes of them; b"" is the end."""
        self._raise_if_closed()
        try:
            if self._may_have_more:
                await trio.lowlevel.checkpoint()
            else:
                await trio.lowlevel.wait_readable(self._socket)
            while True:
                try:
                    piece = self._socket.recv(max_bytes)
                except BlockingIOError:
                    await trio.lowlevel.wait_readable(self._socket)
                else:
                    self._may_have_more = len(piece) == max_bytes
                    return piece
        except (OSError, trio.ClosedResourceError) as exc:
            raise ConnectionBroken(str(exc)) from exc

    async def send_vectored(self, parts: Parts) -> None:
        """Send all parts in order, in as few segments as possible."""
        if len(parts) > _GATHER_PARTS:
            parts = (b"".join(parts),)
        self._raise_if_closed()
        total = sum(map(len, parts))
        try:
            try:
                sent = self._socket.sendmsg(parts)
            except BlockingIOError:
                sent = 0
            if sent < total:
                await self._send_rest(parts, sent)
            elif total > _YIELD_BYTES:
                await trio.lowlevel.checkpoint()
        except (OSError, trio.ClosedResourceError) as exc:
            raise ConnectionBroken(str(exc)) from exc

    def _raise_if_closed(self) -> None:
        if self._is_closed:
            raise ConnectionBroken("closed by this end")

    async def _send_rest(self, parts: Parts, sent: int) -> None:
        for part in parts:
            if sent >= len(part):
                sent -= len(part)
                continue
            rest = memoryview(part)[sent:]
            sent = 0
            while rest:
                try:
                    rest = rest[self._socket.send(rest) :]
                except BlockingIOError:
                    await self._wait_writable()

    async def _wait_writable(self) -> None:
        with trio.move_on_after(self.write_idle_s) as scope:
            await trio.lowlevel.wait_writable(self._socket)
        if scope.cancelled_caught:
            raise ConnectionStalled(f"no byte taken for {self.write_idle_s} s")

    async def send_eof(self) -> None:
        """Close the sending side; receiving goes on."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the peer was faster; whoever reads next will see it

    def abort(self) -> None:
        """Close at once so that the peer sees a reset, never an orderly end."""
        if not self._is_closed:
            try:
                self._socket.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF
                )
            except OSError:
                pass  # not a TCP socket, or already reset by the peer
            self._close()

    async def aclose(self) -> None:
        """Close at once; safe to call twice and under cancellation."""
        self._close()

    def _close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
