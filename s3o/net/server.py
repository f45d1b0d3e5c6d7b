"""Accept connections, bound them, serve each in a task of its own, and drain.

Rules: a connection over a limit is closed at once rather than left in the backlog, so a
load balancer goes elsewhere; running out of file descriptors pauses accepting and
breaks nothing; draining stops accepting first, then ends idle connections, then waits
for the requests in hand, for as long as the caller allows.
"""

import errno
import socket
from collections.abc import Callable, Sequence

import trio

from s3o.model.errors import RequestError
from s3o.model.seams import Clock
from s3o.net.answer import Answer, DateLine
from s3o.net.connection import Connection, ServerLimits, Service
from s3o.net.exchange import Exchange, Handler
from s3o.net.streams import DuplexStream, SocketStream, render_address

__all__ = ["Server", "ServerLimits"]

_BACKOFF_S = 0.1
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Server:
    """One listener's connections."""

    def __init__(
        self,
        handler: Handler,
        limits: ServerLimits,
        clock: Clock,
        *,
        refuse: Callable[[RequestError], Answer],
        crashed: Callable[[Exception, Exchange | None], Answer],
    ) -> None:
        self._service = Service(
            handler=handler,
            refuse=refuse,
            crashed=crashed,
            limits=limits,
            dates=DateLine(clock),
        )
        self._connections: set[Connection] = set()
        self._per_address: dict[str, int] = {}
        self._accepting = trio.CancelScope()
        self._is_draining = False
        self._ended = trio.Event()

    async def serve_stream(self, stream: DuplexStream, is_tls: bool = False) -> None:
        """Serve one connection until it ends; closes the stream."""
        connection = Connection(stream, self._service, is_tls=is_tls)
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

        Owns: the listeners. Returns when draining has begun and no connection is left.
        """
        try:
            async with trio.open_nursery() as connections:
                with self._accepting:
                    async with trio.open_nursery() as loops:
                        for listener in listeners:
                            listener.setblocking(False)
                            loops.start_soon(self._accept, listener, connections)
                        task_status.started()
                for listener in listeners:
                    listener.close()
        finally:
            for listener in listeners:
                listener.close()

    async def drain(self) -> None:
        """Stop accepting, end idle connections, wait for requests in hand."""
        self._is_draining = True
        self._accepting.cancel()
        for connection in tuple(self._connections):
            connection.drain()
        if self._connections:
            await self._ended.wait()

    async def _accept(self, listener: socket.socket, connections: trio.Nursery) -> None:
        while True:
            await trio.lowlevel.wait_readable(listener)
            while True:
                try:
                    accepted, address = listener.accept()
                except BlockingIOError:
                    break
                except OSError as exc:
                    if exc.errno in _EXHAUSTED:
                        await trio.sleep(_BACKOFF_S)
                    break
                connections.start_soon(self._serve_socket, accepted, address)

    async def _serve_socket(
        self, accepted: socket.socket, address: tuple[object, ...]
    ) -> None:
        peer = render_address(address)
        await self.serve_stream(SocketStream(accepted, peer))
