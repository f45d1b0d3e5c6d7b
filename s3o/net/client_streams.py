"""Byte streams towards servers, made by httpcore's network backends.

httpcore connects and does TLS, and a test or the simulation passes a network backend
of its own. A plain TCP socket is taken out of httpcore's wrapper afterwards: waiting
for it directly costs a third of what its stream objects cost per call, and most
backends calls are small.

Foreign exceptions end here: connecting raises ConnectFailed, the streams raise
ConnectionBroke. No deadlines here; the caller's scope has them.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import httpcore
import trio

from s3o.net.client_errors import ConnectFailed, ConnectionBroke
from s3o.net.tls import ClientContext

_CLOSE_S = 1.0  # TLS says goodbye; a peer that does not listen must not hold us
_WRITE_BYTES = 64 * 1024  # per write through httpcore, so that progress is seen


class ClientStream(Protocol):
    """One connection's bytes."""

    async def receive_some(self, max_bytes: int) -> bytes:
        """Wait for bytes and return 1..max_bytes of them; b"" is the end."""
        ...

    async def send_some(self, parts: Sequence[bytes | memoryview]) -> int:
        """Send at least one byte of parts, in order; return how many were taken."""
        ...

    def has_news(self) -> bool:
        """Whether bytes or the end wait to be read, which no idle stream should."""
        ...

    async def aclose(self) -> None:
        """Close; never hangs."""
        ...


class _SocketStream:
    """A plain TCP socket, non-blocking, waited for directly."""

    __slots__ = ("_socket",)

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self._socket = connected

    async def receive_some(self, max_bytes: int) -> bytes:
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                return self._socket.recv(max_bytes)
            except (BlockingIOError, InterruptedError):
                continue
            except OSError as exc:
                raise ConnectionBroke(str(exc)) from exc

    async def send_some(self, parts: Sequence[bytes | memoryview]) -> int:
        while True:
            try:
                return self._socket.sendmsg(parts)
            except (BlockingIOError, InterruptedError):
                await trio.lowlevel.wait_writable(self._socket)
            except OSError as exc:
                raise ConnectionBroke(str(exc)) from exc

    def has_news(self) -> bool:
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True
        return True

    async def aclose(self) -> None:
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()


class _NetworkStream:
    """Any stream of httpcore's: TLS, or a test's memory network."""

    __slots__ = ("_stream",)

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def receive_some(self, max_bytes: int) -> bytes:
        try:
            return await self._stream.read(max_bytes)
        except (httpcore.NetworkError, httpcore.TimeoutException) as exc:
            raise ConnectionBroke(str(exc) or type(exc).__name__) from exc

    async def send_some(self, parts: Sequence[bytes | memoryview]) -> int:
        data = bytes(parts[0][:_WRITE_BYTES])
        for part in parts[1:]:
            # What is small goes out together, or TLS makes a record of each.
            data += part[: _WRITE_BYTES - len(data)]
        try:
            await self._stream.write(data)
        except (httpcore.NetworkError, httpcore.TimeoutException) as exc:
            raise ConnectionBroke(str(exc) or type(exc).__name__) from exc
        return len(data)

    def has_news(self) -> bool:
        return bool(self._stream.get_extra_info("is_readable"))

    async def aclose(self) -> None:
        with trio.move_on_after(_CLOSE_S, shield=True):
            await self._stream.aclose()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a pool connects to."""

    host: str
    port: int
    is_tls: bool


class Connector:
    """Opens connections to one origin."""

    def __init__(
        self,
        origin: Origin,
        network: httpcore.AsyncNetworkBackend,
        tls: ClientContext | None = None,
    ) -> None:
        assert (tls is not None) == origin.is_tls
        self.origin = origin
        self._network = network
        self._tls = tls

    async def connect(self) -> ClientStream:
        """Return a new connected stream; raises ConnectFailed."""
        origin = self.origin
        try:
            stream = await self._network.connect_tcp(origin.host, origin.port)
            if self._tls is None:
                return _plain(stream)
            try:
                return _NetworkStream(
                    await stream.start_tls(self._tls, server_hostname=origin.host)
                )
            except BaseException:
                # httpcore leaves the socket open when its handshake is cancelled.
                await _NetworkStream(stream).aclose()
                raise
        except (httpcore.NetworkError, httpcore.TimeoutException) as exc:
            raise ConnectFailed(_reason(exc)) from exc


def _reason(error: BaseException) -> str:
    """Return the first words in a chain: httpcore and trio pass TLS's on as causes."""
    link: BaseException | None = error
    while link is not None and not str(link):
        link = link.__cause__ or link.__context__
    return type(error).__name__ if link is None else str(link)


def _plain(stream: httpcore.AsyncNetworkStream) -> ClientStream:
    connected = stream.get_extra_info("socket")
    if isinstance(connected, trio.socket.SocketType):
        return _SocketStream(socket.socket(fileno=connected.detach()))
    return _NetworkStream(stream)
