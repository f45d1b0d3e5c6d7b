"""`s3-orchestrator fsck`: ledger and backends compared while nobody serves.

The ledger is opened as the service opens it, so it is locked meanwhile; one that a
service has open is refused. A ledger of an older version is upgraded, as a start would.
What the comparison asks of the backends is counted like everything else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import trio

from s3o.config import load
from s3o.config.settings import Settings
from s3o.daemon.build import World
from s3o.daemon.offline import Deaf, ledger_on
from s3o.daemon.world import real_world
from s3o.ledger.meta import cluster_id
from s3o.model.errors import LedgerUnavailable
from s3o.objects.blob_check import BlobChecker
from s3o.objects.live import LiveReads
from s3o.services.fsck import Difference, Fsck, FsckReport
from s3o.services.fsck.deep import DeepCheck
from s3o.services.usage_flush import FlushPace, UsageFlush


@dataclass(frozen=True, slots=True, kw_only=True)
class FsckWish:
    """What the person asks for; see the command's flags."""

    config_path: str
    is_deep: bool = False


def run_fsck(
    wish: FsckWish,
    environment: Mapping[str, str],
    tell: Callable[[Difference], None],
) -> FsckReport:
    """Compare; raises ConfigError, S3OError, OSError."""
    settings = load(wish.config_path, environment)
    path = Path(settings.database.path)
    if not path.exists():
        raise LedgerUnavailable(f"there is no ledger at {path}")
    return trio.run(compare, settings, real_world(), wish, tell)


async def compare(
    settings: Settings,
    world: World,
    wish: FsckWish,
    tell: Callable[[Difference], None],
) -> FsckReport:
    """Compare the ledger of these settings with its backends; see run_fsck."""
    observer = Deaf()
    broken: list[str] = []
    async with world.open_engine(settings, world.clock, broken.append) as engine:
        ledger = ledger_on(engine, world)
        await ledger.read(cluster_id)  # a file that is no ledger of ours ends here
        fleet = await world.build_fleet(settings, observer, world.clock, world.entropy)
        try:
            usage = UsageFlush(ledger, fleet, observer, world.clock, pace=FlushPace)
            await usage.run_once()
            deep = None
            if wish.is_deep:
                checker = BlobChecker(fleet, world.transform, LiveReads())
                deep = DeepCheck(ledger, checker)
            report = await Fsck(ledger, fleet, tell, deep=deep).run()
            await usage.run_once()
        finally:
            await fleet.aclose()
    if broken:
        raise LedgerUnavailable(broken[0])
    return report
