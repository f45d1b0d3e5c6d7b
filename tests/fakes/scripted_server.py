"""An HTTP server that answers from a script, as badly as the script says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import trio

from s3o.net.memory import MemoryStream
from s3o.net.streams import ConnectionBroken

ENDLESS = 64 * 1024


class Then(StrEnum):
    """What the server does after an answer."""

    KEEP = "keep"  # waits for the next request
    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"  # keeps the connection and does nothing
    REPEAT = "repeat"  # sends the answer's last 64 KiB again and again


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """One reaction to one request.

    reads: how much of the body is read before answering (None: all of it). pause_s:
    waited before answering. drip: bytes per send, with pause_s between them;
    is_head_whole: the answer's head is not dripped.
    """

    answer: bytes = b""
    reads: int | None = None
    pause_s: float = 0.0
    drip: int | None = None
    is_head_whole: bool = False
    then: Then = Then.KEEP


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request as the server saw it."""

    method: str
    target: str
    fields: Mapping[str, str]
    body: bytes
    connection: int
    head: bytes = field(repr=False)


def render(
    status: int = 200,
    fields: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    length: int | None = None,
) -> bytes:
    """Return an answer with a Content-Length, by default the right one."""
    lines = [f"HTTP/1.1 {status} Scripted"]
    lines += [f"{name}: {value}" for name, value in (fields or {}).items()]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class ScriptedServer:
    """Serves connections; reactions are used up in order over all of them.

    A request beyond the script gets 200 without a body.
    """

    def __init__(self, script: Iterable[Scripted | bytes] = ()) -> None:
        self._script = list(script)
        self.requests: list[Received] = []
        self.connections = 0
        self.open_connections = 0

    def add(self, *reactions: Scripted | bytes) -> None:
        """Lengthen the script."""
        self._script += reactions

    async def serve(self, stream: MemoryStream) -> None:
        """Serve one connection to its end."""
        number = self.connections
        self.connections += 1
        self.open_connections += 1
        try:
            await self._serve(stream, number)
        finally:
            self.open_connections -= 1

    async def _serve(self, stream: MemoryStream, number: int) -> None:
        rest = b""
        while True:
            while b"\r\n\r\n" not in rest:
                data = await stream.receive_some(65536)
                if not data:
                    return
                rest += data
            head, _, rest = rest.partition(b"\r\n\r\n")
            reaction = self._script.pop(0) if self._script else render()
            if isinstance(reaction, bytes):
                reaction = Scripted(answer=reaction)
            rest = await self._receive(stream, number, head, rest, reaction)
            if not await self._react(stream, reaction):
                return

    async def _receive(
        self,
        stream: MemoryStream,
        number: int,
        head: bytes,
        rest: bytes,
        reaction: Scripted,
    ) -> bytes:
        line, *lines = head.decode("latin-1").split("\r\n")
        pairs = [one.partition(":") for one in lines]
        fields = {name.lower(): value.strip() for name, _, value in pairs}
        length = int(fields.get("content-length", "0"))
        wanted = length if reaction.reads is None else min(reaction.reads, length)
        body = bytearray(rest[:wanted])
        rest = rest[len(body) :]
        while len(body) < wanted:
            data = await stream.receive_some(wanted - len(body))
            if not data:
                raise ConnectionBroken("the client left in the middle of its body")
            body += data
        method, target, _ = line.split(" ")
        self.requests.append(
            Received(
                method=method,
                target=target,
                fields=fields,
                body=bytes(body),
                connection=number,
                head=head,
            )
        )
        return rest

    async def _react(self, stream: MemoryStream, reaction: Scripted) -> bool:
        answer = reaction.answer
        if reaction.is_head_whole:
            head, end, answer = answer.partition(b"\r\n\r\n")
            await stream.send_vectored([head + end])
        step = reaction.drip or len(answer) or 1
        for at in range(0, len(answer), step):
            if reaction.pause_s:
                await trio.sleep(reaction.pause_s)
            await stream.send_vectored([answer[at : at + step]])
        match reaction.then:
            case Then.KEEP:
                return True
            case Then.CLOSE:
                return False
            case Then.RESET:
                stream.abort()
                return False
            case Then.HANG:
                await trio.sleep_forever()
            case Then.REPEAT:
                while True:
                    await stream.send_vectored([reaction.answer[-ENDLESS:]])
        return False
