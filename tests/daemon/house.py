"""The daemon's parts wired as in a process, over a ledger in memory and a folder."""

import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import trio
import trustme

from s3o.backends.fleet import Fleet
from s3o.config import Settings, settings_from
from s3o.daemon.backends import build_fleet
from s3o.daemon.build import House, World, build_observed, open_house
from s3o.daemon.doors import Doors
from s3o.daemon.reload import Reloader
from s3o.daemon.sdnotify import Notifier
from s3o.daemon.services import Services
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.model.errors import LedgerUnavailable
from s3o.model.seams import Clock, Entropy, Observer
from s3o.net.client import system_network
from s3o.policy.identity import IdentityTransform
from tests.fakes.clock import START_US, TrioClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.observer import RecordingObserver


class Running:
    """A service without its sockets, and what a test may do to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.observer = RecordingObserver()
        self.lines: list[str] = []
        self.before_commit: Callable[[], None] = lambda: None
        self.ledger_error: LedgerUnavailable | None = None
        self.config: dict[str, Any] = {
            "server": {"listen_addr": "127.0.0.1:0"},
            "buckets": [{"name": "photos", "credentials": [{"token": "long-token"}]}],
            "backends": [
                {
                    "name": "one",
                    "type": "directory",
                    "path": str(folder / "one"),
                    "quota_bytes": 1000,
                }
            ],
        }
        self.house: House
        self.doors: Doors
        self.services: Services
        self.reloader: Reloader

    @property
    def file(self) -> Path:
        """The configuration file."""
        return self.folder / "config.yaml"

    def write_config(self) -> None:
        """Write the configuration as it is now."""
        self.file.write_text(json.dumps(self.config))

    def use_certificate(self) -> None:
        """Serve TLS; again: renew the certificate's files."""
        certificate = trustme.CA().issue_cert("localhost")
        cert_file, key_file = self.folder / "cert.pem", self.folder / "key.pem"
        cert_file.write_bytes(b"".join(p.bytes() for p in certificate.cert_chain_pems))
        key_file.write_bytes(certificate.private_key_pem.bytes())
        files = {"cert_file": str(cert_file), "key_file": str(key_file)}
        self.config["server"]["tls"] = files

    async def _pause(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.ledger_error is not None:
            raise self.ledger_error

    def world(self, connection: sqlite3.Connection) -> World:
        """What the process would get from outside."""

        @asynccontextmanager
        async def open_engine(
            _settings: Settings, _clock: Clock, on_broken: Callable[[str], None]
        ) -> AsyncIterator[InlineEngine]:
            yield InlineEngine(
                connection,
                pause=self._pause,
                before_commit=lambda: self.before_commit(),
                on_broken=on_broken,
            )

        async def build(
            settings: Settings, observer: Observer, clock: Clock, entropy: Entropy
        ) -> Fleet:
            return await build_fleet(
                settings, observer, clock, entropy, system_network()
            )

        return World(
            clock=TrioClock(),
            entropy=SeededEntropy(),
            open_engine=open_engine,
            build_fleet=build,
            transform=IdentityTransform(),
            log_sink=lambda lines: self.lines.extend(lines.decode().splitlines()),
        )


@asynccontextmanager
async def running(running: Running) -> AsyncIterator[Running]:
    """Open the house and wire doors, services and the reloader; nothing runs yet."""
    running.write_config()
    settings = settings_from(running.config)
    connection = open_inline(now_us=START_US)
    world = running.world(connection)
    observed = build_observed(world, settings)
    observed = replace(observed, observer=running.observer)
    try:
        async with open_house(world, settings, observed, _never_broken) as house:
            running.house = house
            running.doors = Doors(house)
            running.services = Services(house)
            running.reloader = Reloader(
                house,
                running.doors,
                running.services,
                str(running.file),
                Notifier({}, 1, lambda _address, _payload: None, world.clock),
            )
            yield running
    finally:
        connection.close()


def _never_broken(reason: str) -> None:
    raise AssertionError(reason)
