"""The whole service in one process, asked through its front door.

Everything is wired as the daemon wires it; only the world is a test's: memory streams,
memory backends, an inline ledger, the test's clock. Requests are really signed.

    async with open_service() as service:
        answer = await service.ask("PUT", "/photos/a", body=b"hello")
"""

import hashlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import h11
import trio

from s3o.backends.call import CallMeter
from s3o.backends.fleet import Fleet
from s3o.backends.usage import UsageCounters
from s3o.config import settings_from
from s3o.config.settings import Settings
from s3o.daemon.backends import guard
from s3o.daemon.build import (
    BuildFleet,
    House,
    Observed,
    World,
    build_observed,
    open_house,
)
from s3o.daemon.doors import Doors
from s3o.daemon.services import Services
from s3o.ledger.audit import audit
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.model.backup_names import BACKUP_PREFIX
from s3o.model.facts import Crashed, Fact
from s3o.model.names import BackendName, StorageKey
from s3o.model.seams import Clock, Entropy, Observer, Transform
from s3o.net.memory import memory_stream_pair
from s3o.policy.identity import IdentityTransform
from s3o.policy.routing import Strategy
from s3o.wire.sigv4 import RequestSigner, encode_path, encode_query
from tests.fakes.clock import START_US, TrioClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.faults import Fault
from tests.fakes.memory_backend import MemoryBackend, StoredBlob

HOST = "s3.test"
GIB = 1 << 30
Query = tuple[tuple[str, str], ...]
SECRETS = {"photoskey": "photossecret", "otherskey": "otherssecret"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, whole; body is empty and status 0 when the connection just ended."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    was_continued: bool = False

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def code(self) -> str:
        """The S3 error code in the body, or ""."""
        found = self.text.partition("<Code>")[2].partition("</Code>")[0]
        return found if self.text.startswith("<?xml") else ""


@dataclass(kw_only=True)
class Service:
    """A running service and all that a test may look at."""

    house: House
    doors: Doors
    services: Services
    backends: dict[str, MemoryBackend]
    connection: sqlite3.Connection
    nursery: trio.Nursery
    crashed: list[Crashed] = field(default_factory=list)

    async def ask(
        self,
        method: str,
        path: str,
        query: Query = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        who: str | None = "photoskey",
    ) -> Answer:
        """Send one request, signed by who (None: not at all); return its answer."""
        return await self.send(
            self.request(method, path, query, headers, body, who=who), method
        )

    def request(
        self,
        method: str,
        path: str,
        query: Query = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        who: str | None = "photoskey",
    ) -> bytes:
        """Return one whole signed request as it goes over the wire."""
        path = encode_path(path.encode())
        given = {"host": HOST, **(headers or {})}
        if body or method in ("PUT", "POST"):
            given.setdefault("content-length", str(len(body)))
        fields: Iterable[tuple[str, str]] = given.items()
        if who is not None:
            fields = RequestSigner(who, SECRETS[who], "us-east-1").sign(
                *(method, path, query, tuple(given.items())),
                hashlib.sha256(body).hexdigest(),
                TrioClock().now_us(),
            )
        target = f"{path}?{encode_query(query)}" if query else path
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body

    async def send(self, raw: bytes, method: str = "GET") -> Answer:
        """Send bytes on a connection of their own; return the first final answer."""
        client, served = memory_stream_pair(buffer_bytes=1 << 26)
        self.nursery.start_soon(self.doors.server.serve_stream, served)
        try:
            await client.send_vectored([raw])
            return await receive(client, method)
        finally:
            await client.aclose()

    def blobs(self) -> dict[tuple[str, str], bytes]:
        """Backend, name and bytes of every object's blob; not the ledger's backups."""
        return {
            (name, storage_key): blob.body
            for name, backend in self.backends.items()
            for storage_key, blob in backend.blobs.items()
            if not storage_key.startswith(BACKUP_PREFIX)
        }

    def rows(self, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of tables, to be compared before and after."""
        return {
            table: sorted(self.connection.execute(f"SELECT * FROM {table}"), key=repr)
            for table in tables
        }

    async def complaints(self) -> list[str]:
        """What the ledger's audit and the backends' books find wrong."""
        found = list(await self.house.ledger.scan(audit))
        for backend in self.backends.values():
            found += backend.books.violations
        return found


async def receive(client: Any, method: str) -> Answer:
    """Return the next final answer on a client's stream."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method=method, target="/", headers=[("Host", HOST)]))
    parser.send(h11.EndOfMessage())
    was_continued = False
    status, headers, pieces = 0, {}, []
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            data = await client.receive_some(1 << 20)
            if not data and parser.their_state is h11.SEND_RESPONSE:
                return Answer(0)
            parser.receive_data(data)
        elif isinstance(event, h11.InformationalResponse):
            was_continued = True
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = {
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in event.headers
            }
        elif isinstance(event, h11.Data):
            pieces.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            return Answer(status, headers, b"".join(pieces), was_continued)
        else:
            return Answer(0)


def configuration(quotas: Mapping[str, int], extra: Mapping[str, Any]) -> Settings:
    """Return settings with buckets photos and others, one credential each."""
    buckets = [
        {
            "name": name,
            "credentials": [
                {"access_key_id": f"{name}key", "secret_access_key": f"{name}secret"}
            ],
        }
        for name in ("photos", "others")
    ]
    return settings_from(
        {
            "server": {"listen_addr": "127.0.0.1:0", "domains": ["s3.example"]},
            "buckets": buckets,
            "backends": [
                {
                    "name": name,
                    "type": "directory",
                    "path": f"/nowhere/{name}",
                    "quota_bytes": quota,
                }
                for name, quota in quotas.items()
            ],
            **extra,
        }
    )


@asynccontextmanager
async def open_service(
    *,
    quotas: Mapping[str, int] | None = None,
    extra: Mapping[str, Any] | None = None,
    transform: Transform | None = None,
    blobs: Mapping[str, Mapping[StorageKey, StoredBlob]] | None = None,
    cluster_id: str | None = None,
    down: Iterable[str] = (),
) -> AsyncIterator[Service]:
    """Run a service over memory backends named in quotas (default: one of 1 GiB).

    blobs: what lies there already. cluster_id: whose ledger it is. down: backends that
    cannot be reached from the start.
    """
    quotas = quotas or {"one": GIB}
    backends = {
        name: MemoryBackend(name, quota_bytes=quota) for name, quota in quotas.items()
    }
    for name, held in (blobs or {}).items():
        backends[name].blobs.update(held)
    for name in down:
        backends[name].faults.down = Fault.UNREACHABLE
    async with run_service(
        configuration(quotas, extra or {}),
        _fleet_builder(backends),
        backends,
        transform=transform,
        cluster_id=cluster_id,
    ) as service:
        yield service


@asynccontextmanager
async def run_service(
    settings: Settings,
    build_fleet: BuildFleet,
    backends: Mapping[str, MemoryBackend],
    *,
    transform: Transform | None = None,
    cluster_id: str | None = None,
) -> AsyncIterator[Service]:
    """Run a service over what build_fleet makes; backends: what of it is in memory."""
    connection = open_inline(now_us=START_US)
    if cluster_id is not None:
        connection.execute("INSERT INTO meta VALUES ('cluster_id', ?)", (cluster_id,))
    world = World(
        clock=TrioClock(),
        entropy=SeededEntropy(0, "service"),
        open_engine=_engine_opener(connection),
        build_fleet=build_fleet,
        transform=transform or IdentityTransform(),
        log_sink=lambda _lines: None,
    )
    crashed: list[Crashed] = []
    observed = build_observed(world, settings)
    watched = replace(observed, observer=_Watcher(observed, crashed))
    try:
        async with (
            open_house(world, settings, watched, _must_not_break) as house,
            trio.open_nursery() as nursery,
        ):
            doors, services = Doors(house), Services(house)
            await services.start(nursery)
            doors.serve_in_memory()
            yield Service(
                house=house,
                doors=doors,
                services=services,
                backends=dict(backends),
                connection=connection,
                nursery=nursery,
                crashed=crashed,
            )
            nursery.cancel_scope.cancel()
    finally:
        connection.close()
    assert not crashed, crashed


def _must_not_break(reason: str) -> None:
    raise AssertionError(reason)


def _engine_opener(connection: sqlite3.Connection) -> Any:
    @asynccontextmanager
    async def open_engine(
        _settings: Settings, _clock: Clock, on_broken: Callable[[str], None]
    ) -> AsyncIterator[InlineEngine]:
        yield InlineEngine(connection, on_broken=on_broken)

    return open_engine


def _fleet_builder(backends: Mapping[str, MemoryBackend]) -> Any:
    async def build_fleet(
        settings: Settings, observer: Observer, clock: Clock, entropy: Entropy
    ) -> Fleet:
        await trio.lowlevel.checkpoint()
        counters = UsageCounters([BackendName(name) for name in backends], clock)
        guarded = []
        for backend in settings.backends:
            meter = CallMeter(counters.of(backend.name))
            inner = backends[backend.name]
            inner._meter = meter
            guarded.append(
                guard(inner, meter, settings, backend, observer, clock, entropy)
            )
        strategy = Strategy(settings.routing_strategy)
        return Fleet(guarded, strategy=strategy, counters=counters)

    return build_fleet


class _Watcher:
    """The daemon's observer; keeps what the service thought impossible."""

    def __init__(self, observed: Observed, crashed: list[Crashed]) -> None:
        self._observer = observed.observer
        self._crashed = crashed

    def note(self, fact: Fact) -> None:
        if isinstance(fact, Crashed):
            self._crashed.append(fact)
        self._observer.note(fact)
