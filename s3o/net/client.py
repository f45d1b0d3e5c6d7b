"""A pool of HTTP/1.1 connections to one origin.

Our own, because httpcore's pool loses its slots when a cancelled caller waits for one
(encode/httpcore#1093) and its cost grows with the square of its connections (ADR 0003);
httpcore still connects. Rules:

- A slot is the right to one exchange. Slots are handed on in order of asking; a caller
  that is cancelled while it waits leaves no trace, for the semaphore wakes only the
  waiter that then owns the slot.
- An idle connection holds no slot. The one used last is used first, so that surplus
  ones grow old and are closed.
- Redirects are answers like any other; nothing is followed, decoded or repeated here.
"""

from collections import deque
from collections.abc import Mapping

import httpcore
import trio

from s3o.model import limits
from s3o.net.client_connection import ClientConnection, ClientRequest, PieceReader
from s3o.net.client_errors import (
    BadAnswer,
    ClientError,
    ConnectFailed,
    ConnectionBroke,
    NoConnectionFree,
    Stalled,
)
from s3o.net.client_head import AnswerHead
from s3o.net.client_streams import Connector, Origin
from s3o.net.tls import ClientContext

__all__ = [
    "Answer",
    "BadAnswer",
    "ClientError",
    "ClientPool",
    "ClientRequest",
    "ConnectFailed",
    "ConnectionBroke",
    "Network",
    "NoConnectionFree",
    "Origin",
    "PieceReader",
    "Stalled",
    "system_network",
]

# What a pool connects with; a test or the simulation passes its own.
Network = httpcore.AsyncNetworkBackend


def system_network() -> Network:
    """Return the network of this machine."""
    return httpcore.TrioBackend()


class Answer:
    """One answer: its head, and its body once. Owns a slot until aclose()."""

    __slots__ = ("_connection", "_pool", "fields", "status")

    def __init__(
        self, pool: "ClientPool", connection: ClientConnection, head: AnswerHead
    ) -> None:
        self._pool = pool
        self._connection: ClientConnection | None = connection
        #: the status code, 200 to 999
        self.status: int = head.status
        #: the header fields, names in lower case
        self.fields: Mapping[str, str] = head.fields

    async def read(self) -> bytes:
        """Return the body's next piece, or b"" at its end; raises ClientError."""
        assert self._connection is not None
        return await self._connection.read()

    async def read_all(self, limit_bytes: int) -> bytes:
        """Return the whole body; raises BadAnswer above limit_bytes."""
        first = await self.read()
        if not first:
            return b""
        body = bytearray(first)
        while len(body) <= limit_bytes and (piece := await self.read()):
            body += piece
        if len(body) > limit_bytes:
            raise BadAnswer("the body of the answer is too long")
        return bytes(body)

    async def aclose(self) -> None:
        """Give the slot back, and the connection if it is fit for another exchange."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._pool.take_back(connection)


class ClientPool:
    """Connections to one origin, at most limit of them."""

    def __init__(
        self,
        origin: Origin,
        network: Network,
        *,
        progress_s: float,
        tls: ClientContext | None = None,
        limit: int = limits.BACKEND_CONNECTIONS,
    ) -> None:
        self._connector = Connector(origin, network, tls)
        self._progress_s = progress_s
        self._limit = limit
        self._slots = trio.Semaphore(limit, max_value=limit)
        self._idle: deque[ClientConnection] = deque()  # the one used last on the right
        self._is_closed = False

    @property
    def free_slots(self) -> int:
        """How many exchanges could begin now."""
        return self._slots.value

    @property
    def idle_connections(self) -> int:
        """How many connections wait to be used again."""
        return len(self._idle)

    async def start(self, request: ClientRequest, *, is_fresh: bool = False) -> Answer:
        """Send request and return its answer once the head is here.

        is_fresh: on a new connection. Raises ClientError, and what request.rest raises.
        Owns: nothing; the answer owns its slot until its aclose().
        """
        await self._take_slot()
        connection: ClientConnection | None = None
        try:
            if not is_fresh:
                connection = await self._take_idle()
            if connection is None:
                connection = await self._connect()
            head = await connection.start(request)
        except BaseException:
            self._slots.release()
            if connection is not None:
                await connection.aclose()
            raise
        return Answer(self, connection, head)

    async def take_back(self, connection: ClientConnection) -> None:
        """End one exchange. Only Answer calls this."""
        doomed: list[ClientConnection] = []
        now_s = trio.current_time()
        is_young = now_s - connection.made_at_s < limits.BACKEND_CONNECTION_AGE_S
        if connection.is_reusable and is_young and not self._is_closed:
            connection.idle_since_s = now_s
            self._idle.append(connection)
        else:
            doomed.append(connection)
        while self._idle and self._is_expired(self._idle[0], now_s):
            doomed.append(self._idle.popleft())
        self._slots.release()
        for old in doomed:
            await old.aclose()

    async def aclose(self) -> None:
        """Close the idle connections; those in use close when they come back."""
        self._is_closed = True
        while self._idle:
            await self._idle.pop().aclose()

    async def _take_slot(self) -> None:
        try:
            self._slots.acquire_nowait()
        except trio.WouldBlock:
            pass
        else:
            return
        # Reading cancelled_caught would be wrong here: a slot may arrive in the very
        # moment in which the deadline passes, and then it is ours.
        is_ours = False
        with trio.move_on_after(self._progress_s):
            await self._slots.acquire()
            is_ours = True
        if not is_ours:
            raise NoConnectionFree(f"all {self._limit} connections are in use")

    async def _take_idle(self) -> ClientConnection | None:
        """Return the connection used last that is still good; close others met."""
        while self._idle:
            connection = self._idle.pop()
            now_s = trio.current_time()
            if not self._is_expired(connection, now_s) and not connection.is_stale():
                return connection
            await connection.aclose()
        return None

    async def _connect(self) -> ClientConnection:
        with trio.move_on_after(self._progress_s):
            stream = await self._connector.connect()
            return ClientConnection(stream, self._progress_s)
        raise Stalled("no connection in time")

    @staticmethod
    def _is_expired(connection: ClientConnection, now_s: float) -> bool:
        return now_s - connection.idle_since_s > limits.BACKEND_IDLE_S
