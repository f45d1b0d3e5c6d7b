"""Accept connections, bound them, serve each in a task of its own, and drain.

Rules: a connection over a limit is closed at once rather than left in the backlog, so a
load balancer goes elsewhere; running out of file descriptors pauses accepting and
breaks nothing; draining stops accepting first, then ends idle connections, then waits
for the requests in hand, for as long as the caller allows.
"""

import errno
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import trio

from s3o.model.errors import RequestError
from s3o.model.seams import Clock
from s3o.net.answer import Answer, DateLine
from s3o.net.connection import Connection, ServerLimits, Service
from s3o.net.exchange import Exchange, Handler
from s3o.net.listeners import adopt_listeners, open_listeners
from s3o.net.streams import DuplexStream, SocketStream, render_address
from s3o.net.tls import ServerTls, TlsStream

__all__ = ["Server", "ServerLimits", "adopt_listeners", "open_listeners"]

_BACKOFF_S = 0.1
_ACCEPTS_PER_TURN = 64  # a flood of connections must not starve the open ones
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Server:
    """The connections of one set of listeners."""

    def __init__(
        self,
        handler: Handler,
        limits: ServerLimits,
        clock: Clock,
        *,
        refuse: Callable[[RequestError], Answer],
        refuse_head: Callable[[RequestError, str], Answer],
        crashed: Callable[[Exception, Exchange | None], Answer],
        tls: ServerTls | None = None,
    ) -> None:
        self._service = Service(
            handler=handler,
            refuse=refuse,
            refuse_head=refuse_head,
            crashed=crashed,
            limits=limits,
            dates=DateLine(clock),
        )
        self._tls = tls
        self._connections: set[Connection] = set()
        self._per_address: Counter[str] = Counter()
        self._accepting = trio.CancelScope()
        self._is_draining = False
        self._ended = trio.Event()

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._connections)

    async def serve_stream(
        self,
        stream: DuplexStream,
        is_tls: bool = False,
        *,
        handshake: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Serve one connection until it ends; closes the stream.

        handshake: what has to succeed on the stream before it can be used.
        """
        connection = Connection(
            stream, self._service, is_tls=is_tls, handshake=handshake
        )
        self._connections.add(connection)
        if self._is_draining:
            connection.drain()
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)
            if self._is_draining and not self._connections:
                self._ended.set()

    async def serve(
        self,
        listeners: Sequence[socket.socket],
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept on all listeners until drained or cancelled.

        Owns: the listeners. Returns when drain() was called and no connection is left.
        """
        try:
            async with trio.open_nursery() as connections:
                with self._accepting:
                    async with trio.open_nursery() as loops:
                        for listener in listeners:
                            listener.setblocking(False)
                            loops.start_soon(self._accept, listener, connections)
                        task_status.started()
                _close(listeners)
        finally:
            _close(listeners)

    async def drain(self) -> None:
        """Stop accepting, end idle connections, wait for requests in hand.

        The caller bounds the wait, and then cancels serve().
        """
        self._is_draining = True
        self._accepting.cancel()
        for connection in self._connections:
            connection.drain()
        if self._connections:
            await self._ended.wait()

    async def _accept(self, listener: socket.socket, connections: trio.Nursery) -> None:
        while True:
            await trio.lowlevel.wait_readable(listener)
            for _ in range(_ACCEPTS_PER_TURN):
                try:
                    accepted, address = listener.accept()
                except BlockingIOError:
                    break
                except OSError as exc:
                    # Anything else is one connection that died in the backlog.
                    if exc.errno in _EXHAUSTED:
                        await trio.sleep(_BACKOFF_S)
                    break
                connections.start_soon(self._serve_socket, accepted, address)

    async def _serve_socket(
        self, accepted: socket.socket, address: tuple[object, ...]
    ) -> None:
        limits = self._service.limits
        key = _address_key(address)
        stream = SocketStream(accepted, render_address(address))
        if (
            len(self._connections) >= limits.connections
            or self._per_address[key] >= limits.connections_per_address
        ):
            stream.abort()
            return
        self._per_address[key] += 1
        try:
            if self._tls is None:
                await self.serve_stream(stream)
            else:
                secured = TlsStream(stream, self._tls.context)
                await self.serve_stream(secured, True, handshake=secured.handshake)
        finally:
            self._per_address[key] -= 1
            if not self._per_address[key]:
                del self._per_address[key]


def _address_key(address: tuple[object, ...]) -> str:
    """Return what a client cannot change cheaply: its IPv4 address, or IPv6 /64."""
    host = str(address[0]).removeprefix("::ffff:") if address else ""
    if ":" not in host:
        return host
    return socket.inet_pton(socket.AF_INET6, host.partition("%")[0])[:8].hex()


def _close(listeners: Sequence[socket.socket]) -> None:
    for listener in listeners:
        listener.close()
