"""A house with its admin API, spoken to as an operator does, without sockets."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from s3o.admin.action import Action
from s3o.admin.actions import ACTIONS
from s3o.admin.api import AdminApi
from s3o.admin.desk import Desk
from s3o.daemon.admin import make_admin
from s3o.model.facts import AdminActed
from s3o.net.memory import MemoryStream, memory_stream_pair
from s3o.net.streams import ConnectionBroken
from tests.daemon.house import Running, running

TOKEN = "a-long-admin-token"
OPERATOR = "192.0.2.1:40000"


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(kw_only=True)
class Office:
    """A running house and its admin API."""

    one: Running
    desk: Desk
    nursery: trio.Nursery

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        token: str | None = TOKEN,
        peer: str = OPERATOR,
        headers: Mapping[str, str] | None = None,
        is_chunked: bool = False,
    ) -> Reply:
        """Send one request to the S3 listener."""
        fields = {"host": "localhost:9000", "connection": "close", **(headers or {})}
        if token is not None:
            fields["x-admin-token"] = token
        if is_chunked:
            fields["transfer-encoding"] = "chunked"
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        elif body or method in ("PUT", "POST"):
            fields.setdefault("content-length", str(len(body)))
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        client, served = memory_stream_pair(client=peer)
        self.nursery.start_soon(self.one.doors.server.serve_stream, served)
        head = f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()
        self.nursery.start_soon(_send, client, [head, body] if body else [head])
        answer = b""
        while piece := await client.receive_some(65536):
            answer += piece
        await client.aclose()
        head_text, _, payload = answer.partition(b"\r\n\r\n")
        first, *rest = head_text.decode().split("\r\n")
        pairs = (line.partition(": ") for line in rest)
        return Reply(
            int(first.split()[1]), {n.lower(): v for n, _, v in pairs}, payload
        )

    async def admin(self, method: str, path: str, document: object = None) -> Reply:
        """Ask the admin API for an action; document is sent as JSON."""
        body = b"" if document is None else json.dumps(document).encode()
        return await self.ask(method, f"/admin/api{path}", body)

    async def put(self, key: str, body: bytes = b"bytes") -> None:
        """Store an object as photos' client does."""
        reply = await self.ask(
            "PUT", f"/photos/{key}", body, headers={"x-proxy-token": "long-token"}
        )
        assert reply.status == 200, reply

    async def delete(self, key: str) -> None:
        """Delete an object as photos' client does."""
        reply = await self.ask(
            "DELETE", f"/photos/{key}", headers={"x-proxy-token": "long-token"}
        )
        assert reply.status == 204, reply

    @property
    def acts(self) -> list[AdminActed]:
        """What the audit would tell."""
        return self.one.observer.of(AdminActed)


async def _send(client: MemoryStream, parts: Sequence[bytes]) -> None:
    with suppress(ConnectionBroken):  # it may be refused half-way
        await client.send_vectored(parts)


def configured(folder: Path, **ui: str) -> Running:
    """A house to be opened, its admin API protected by TOKEN or as ui says."""
    one = Running(folder)
    one.config["ui"] = ui or {"admin_key": "admin", "admin_token": TOKEN}
    return one


@asynccontextmanager
async def opened(one: Running, actions: Sequence[Action] = ()) -> AsyncIterator[Office]:
    """Open the house with its admin API; actions come on top of the real ones."""
    async with running(one), trio.open_nursery() as nursery:
        desk, api = make_admin(one.house, one.services)
        if actions:
            entropy = one.house.world.entropy
            api = AdminApi(desk, (*ACTIONS, *actions), entropy, token=lambda: TOKEN)
        one.doors.connect(api)
        await nursery.start(desk.jobs.run)
        yield Office(one=one, desk=desk, nursery=nursery)
        nursery.cancel_scope.cancel()
