"""What the client's tests share: a pool over a network in memory."""

from dataclasses import dataclass, field

import trio

from s3o.net.client import Answer, ClientPool, ClientRequest, Origin
from tests.fakes.network import MemoryNetwork
from tests.fakes.scripted_server import ScriptedServer

HOST = "s3.example"
PROGRESS_S = 30.0
GET = b"GET /photo HTTP/1.1\r\nHost: s3.example\r\n\r\n"


class Pieces:
    """A PieceReader over bytes; pause_s is waited before each piece."""

    def __init__(self, *pieces: bytes, pause_s: float = 0.0) -> None:
        self._pieces = list(pieces)
        self._pause_s = pause_s
        self.reads = 0

    async def read(self) -> tuple[bytes, ...]:
        """The next piece, or nothing."""
        self.reads += 1
        if self._pause_s:
            await trio.sleep(self._pause_s)
        await trio.lowlevel.checkpoint()
        return (self._pieces.pop(0),) if self._pieces else ()


def put(
    first: bytes, *rest: bytes, pause_s: float = 0.0
) -> tuple[ClientRequest, Pieces]:
    """A PUT of first and rest."""
    size = len(first) + sum(map(len, rest))
    head = f"PUT /photo HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {size}\r\n\r\n"
    pieces = Pieces(*rest, pause_s=pause_s)
    request = ClientRequest(
        head=head.encode(),
        first=first,
        rest=pieces if rest else None,
        rest_bytes=size - len(first),
    )
    return request, pieces


@dataclass
class ClientHouse:
    """One server, one network, one pool."""

    network: MemoryNetwork
    limit: int = 4
    server: ScriptedServer = field(default_factory=ScriptedServer)

    def __post_init__(self) -> None:
        """Let the server listen."""
        self.network.listen(HOST, 80, self.server.serve)
        self.pool = ClientPool(
            Origin(host=HOST, port=80, is_tls=False),
            self.network,
            progress_s=PROGRESS_S,
            limit=self.limit,
        )

    async def get(self) -> bytes:
        """One whole exchange."""
        answer = await self.start()
        try:
            return await answer.read_all(1 << 20)
        finally:
            await answer.aclose()

    async def start(self) -> Answer:
        """The beginning of one."""
        return await self.pool.start(ClientRequest(head=GET))

    async def send(self, request: ClientRequest) -> tuple[int, bytes]:
        """One whole exchange of a request made elsewhere."""
        answer = await self.pool.start(request)
        try:
            return answer.status, await answer.read_all(1 << 20)
        finally:
            await answer.aclose()
