"""The world of a real process: system clock, chance, SQLite, backends, stdout."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from s3o.backends.fleet import Fleet
from s3o.config.settings import Settings
from s3o.daemon.backends import build_fleet
from s3o.daemon.build import World
from s3o.daemon.environment import LineOutput, SystemClock, SystemEntropy
from s3o.ledger.seam import Engine
from s3o.ledger.sqlite import open_sqlite
from s3o.model.seams import Clock, Entropy, Observer
from s3o.net.client import system_network
from s3o.policy.identity import IdentityTransform


def real_world() -> World:
    """Return the World of a daemon."""
    return World(
        clock=SystemClock(),
        entropy=SystemEntropy(),
        open_engine=open_engine,
        build_fleet=build_system_fleet,
        transform=IdentityTransform(),
        log_sink=LineOutput(1).write,
    )


@asynccontextmanager
async def open_engine(
    settings: Settings, clock: Clock, on_broken: Callable[[str], None]
) -> AsyncIterator[Engine]:
    """Open the configured ledger."""
    path = Path(settings.database.path)
    async with open_sqlite(path, now_us=clock.now_us(), on_broken=on_broken) as engine:
        yield engine


async def build_system_fleet(
    settings: Settings, observer: Observer, clock: Clock, entropy: Entropy
) -> Fleet:
    """Make the configured backends over the system's network."""
    return await build_fleet(settings, observer, clock, entropy, system_network())
