"""The whole service over S3 providers of our own, which may have quirks and faults.

The daemon makes the fleet itself, over a network in memory: profile, client, guard and
circuit breakers are those of production.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio
from trio.testing import MockClock

from s3o.backends.fleet import Fleet
from s3o.config.settings import Settings
from s3o.daemon.backends import build_fleet
from s3o.model.seams import Clock, Entropy, Observer
from s3o.net.streams import ConnectionBroken
from tests.behaviour.service import GIB, Answer, Service, configuration, run_service
from tests.fakes.network import MemoryNetwork
from tests.fakes.s3_quirks import Quirks
from tests.fakes.s3_server import S3Server

ACCESS_KEY_ID, SECRET = "AKID", "provider-secret"
# Until what was given up is looked for and deleted for the last time, and until a
# broken upload is aborted: both are days, in which services look around hour by hour.
_HOURS = 50


@dataclass(frozen=True, kw_only=True)
class Provided:
    """A running service, and its providers by name."""

    service: Service
    servers: Mapping[str, S3Server]

    async def ask(
        self, method: str, path: str, query: Any = (), **options: Any
    ) -> Answer:
        """Ask once; an answer that is cut off has the status 0."""
        try:
            return await self.service.ask(method, path, query, **options)
        except ConnectionBroken:
            return Answer(0)

    async def insist(
        self, method: str, path: str, query: Any = (), **options: Any
    ) -> Answer:
        """Ask as an SDK does: again, a minute later, while the answer says so."""
        for _ in range(5):
            answer = await self.ask(method, path, query, **options)
            is_late_error = answer.status == 200 and b"<Error>" in answer.body
            if answer.status not in (0, 500, 503) and not is_late_error:
                break
            await trio.sleep(60.0)
        return answer

    def known(self) -> dict[str, set[str]]:
        """The names that the ledger says lie on each provider."""
        found: dict[str, set[str]] = {name: set() for name in self.servers}
        for backend, storage_key in self.service.connection.execute(
            "SELECT backend_name, storage_key FROM object_locations"
        ):
            found[backend].add(storage_key)
        return found

    async def settle(self, clock: MockClock) -> None:
        """Wait until nothing is left to be done, and look for what was forgotten."""
        # A call that is under way when the clock jumps has timed out.
        slowest_s = max(server.quirks.latency_s for server in self.servers.values())
        for _ in range(_HOURS):
            clock.jump(3600.0)
            await trio.sleep(1.0 + 20 * slowest_s)
        for name, server in self.servers.items():
            held = {
                key for key in server.bucket.versions if not key.startswith(".s3o/")
            }
            assert self.known()[name] == held, "what lies there is what is known"
            assert {} == server.bucket.uploads, "an upload is on the bill"
        assert [] == await self.service.complaints()


@asynccontextmanager
async def open_provided(
    providers: Mapping[str, tuple[str, Quirks]],
    extra: Mapping[str, Any] | None = None,
) -> AsyncIterator[Provided]:
    """Run a service over providers: name -> profile and quirks, in routing order."""
    servers = {
        name: S3Server(access_key_id=ACCESS_KEY_ID, secret=SECRET, quirks=quirks)
        for name, (_, quirks) in providers.items()
    }
    settings = configuration(
        {},
        {
            "backends": [
                {
                    "name": name,
                    "endpoint": f"http://{name}.example",
                    "bucket": "bucket",
                    "access_key_id": ACCESS_KEY_ID,
                    "secret_access_key": SECRET,
                    "force_path_style": True,
                    "profile": profile,
                    "quota_bytes": GIB,
                }
                for name, (profile, _) in providers.items()
            ],
            **(extra or {}),
        },
    )
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork(nursery)
        for name, server in servers.items():
            if server.quirks.refuses_s:
                nursery.start_soon(_listen_later, network, name, server)
            else:
                server.start()
                network.listen(f"{name}.example", 80, server.serve)

        async def build(
            settings: Settings, observer: Observer, clock: Clock, entropy: Entropy
        ) -> Fleet:
            return await build_fleet(settings, observer, clock, entropy, network)

        async with run_service(settings, build, {}) as service:
            yield Provided(service=service, servers=servers)
        nursery.cancel_scope.cancel()


async def _listen_later(network: MemoryNetwork, name: str, server: S3Server) -> None:
    await trio.sleep(server.quirks.refuses_s)
    server.start()
    network.listen(f"{name}.example", 80, server.serve)
