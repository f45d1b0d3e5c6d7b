"""A client that signs its requests and speaks HTTP over streams in memory."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import h11
import trio

from s3o.net.memory import MemoryStream
from s3o.net.streams import ConnectionBroken
from s3o.wire.sigv4 import RequestSigner, encode_path, encode_query
from tests.fakes.clock import TrioClock
from tests.simulation.client_network import Line

HOST = "s3.test"
SLOW_PIECE_BYTES = 4096
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Who owns a bucket. canary: stands in every body of the bucket, nowhere else."""

    bucket: str
    access_key: str
    secret: str

    @property
    def canary(self) -> str:
        """What nobody else may see."""
        return f"canary-of-{self.bucket}"


PHOTOS = Tenant(bucket="photos", access_key="photoskey", secret="photossecret")
LETTERS = Tenant(bucket="letters", access_key="letterskey", secret="letterssecret")


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One kept-alive connection at a time; raises ConnectionBroken."""

    def __init__(
        self,
        connect: Callable[[], MemoryStream],
        tenant: Tenant = PHOTOS,
        over: Callable[[MemoryStream], Line] = Line,
    ) -> None:
        """over: what the network makes of a new connection."""
        self.is_sent = False  # whether the last request went out whole
        self._connect = connect
        self._over = over
        self._signer = RequestSigner(tenant.access_key, tenant.secret, "us-east-1")
        self.clock = TrioClock()
        self._line: Line | None = None
        self._http = h11.Connection(h11.CLIENT)

    def hang_up(self) -> None:
        """Reset the connection."""
        if self._line is not None:
            self._line.stream.abort()
            self._line = None

    def connected(self) -> MemoryStream:
        """Return the connection that the next request goes over."""
        return self._connected().stream

    def _connected(self) -> Line:
        if self._line is None:
            self._line = self._over(self._connect())
            self._http = h11.Connection(h11.CLIENT)
        return self._line

    async def ask(
        self,
        method: str,
        path: str,
        query: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        headers: Headers = (),
        pause_s: float = 0.0,
        is_signed: bool = True,
    ) -> Answered:
        """Send one request; return the whole answer.

        pause_s: waited before each piece of the body, which then goes in small ones.
        """
        self.is_sent = False
        line = self._connected()
        path = encode_path(path.encode())
        given = [("host", HOST), *headers]
        if method in ("PUT", "POST"):
            given.append(("content-length", str(len(body))))
        signed = tuple(given)
        if is_signed:
            signed = self._signer.sign(
                method,
                path,
                query,
                signed,
                hashlib.sha256(body).hexdigest(),
                self.clock.now_us(),
            )
        target = f"{path}?{encode_query(query)}" if query else path
        request = h11.Request(method=method, target=target, headers=list(signed))
        is_whole = False
        try:
            answer = await self._exchange(line, request, body, pause_s)
            is_whole = True
        finally:
            if not is_whole:
                self.hang_up()
        if self._http.our_state is h11.MUST_CLOSE or line.is_ended:
            self.hang_up()
        else:
            self._http.start_next_cycle()
        return answer

    async def _exchange(
        self, line: Line, request: h11.Request, body: bytes, pause_s: float
    ) -> Answered:
        http = self._http
        await line.send(http.send(request))
        step = SLOW_PIECE_BYTES if pause_s else max(len(body), 1)
        for start in range(0, len(body), step):
            await trio.sleep(pause_s)
            piece = h11.Data(data=body[start : start + step])
            await line.send(http.send(piece))
        http.send(h11.EndOfMessage())
        self.is_sent = True
        await line.say_end()
        status, headers, pieces = 0, {}, []
        while not isinstance(event := http.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                data = await line.receive()
                if not data and http.their_state is h11.SEND_RESPONSE:
                    raise ConnectionBroken("ended before the answer")
                try:
                    http.receive_data(data)
                except h11.RemoteProtocolError as error:
                    raise ConnectionBroken(str(error)) from None
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers = {
                    name.decode(): value.decode() for name, value in event.headers
                }
            elif isinstance(event, h11.Data):
                pieces.append(bytes(event.data))
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionBroken("closed")
        return Answered(status, headers, b"".join(pieces))
