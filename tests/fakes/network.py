"""A network in memory towards servers in memory: httpcore's seam, no socket.

Connections behave like TCP's (s3o.net.memory). Each name and port leads to a handler
that serves one connection; a nursery of the test's runs it.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

import httpcore
import trio

from s3o.net.memory import MemoryStream, memory_stream_pair
from s3o.net.streams import ConnectionBroken

if TYPE_CHECKING:
    from ssl import SSLContext

Serve = Callable[[MemoryStream], Awaitable[None]]
SocketOption = (
    tuple[int, int, int]
    | tuple[int, int, bytes | bytearray]
    | tuple[int, int, None, int]
)


class MemoryNetwork(httpcore.AsyncNetworkBackend):
    """Leads to whoever listens; anything else refuses connections.

    is_blackhole: connecting never ends. connects: every attempt, in order.
    """

    def __init__(self, nursery: trio.Nursery, buffer_bytes: int = 64 * 1024) -> None:
        self._nursery = nursery
        self._buffer_bytes = buffer_bytes
        self._listeners: dict[tuple[str, int], Serve] = {}
        self.connects: list[tuple[str, int]] = []
        self.is_blackhole = False

    def listen(self, host: str, port: int, serve: Serve) -> None:
        """Let connections to host and port be served."""
        self._listeners[host, port] = serve

    def close(self, host: str, port: int) -> None:
        """Refuse further connections."""
        del self._listeners[host, port]

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to a listener."""
        self.connects.append((host, port))
        await trio.lowlevel.checkpoint()
        if self.is_blackhole:
            await trio.sleep_forever()
        serve = self._listeners.get((host, port))
        if serve is None:
            raise httpcore.ConnectError("connection refused")
        ours, theirs = memory_stream_pair(
            server=f"{host}:{port}", buffer_bytes=self._buffer_bytes
        )
        self._nursery.start_soon(_serve, serve, theirs)
        return _MemoryNetworkStream(ours)


async def _serve(serve: Serve, stream: MemoryStream) -> None:
    try:
        await serve(stream)
    except ConnectionBroken:
        pass  # the client left first
    finally:
        await stream.aclose()


class _MemoryNetworkStream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: MemoryStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return await self._stream.receive_some(max_bytes)
        except ConnectionBroken as exc:
            raise httpcore.ReadError(str(exc)) from exc

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            await self._stream.send_vectored([buffer])
        except ConnectionBroken as exc:
            raise httpcore.WriteError(str(exc)) from exc

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: "SSLContext",
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise AssertionError("TLS is not simulated")

    def get_extra_info(self, info: str) -> object:
        return self._stream.has_news() if info == "is_readable" else None
