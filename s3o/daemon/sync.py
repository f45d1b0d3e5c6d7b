"""`s3-orchestrator sync`: take what lies on one backend into one bucket.

The service must be stopped: the ledger's lock is held throughout, as by a start, which
also enters the configuration's names and limits. Whatever is imported stays imported
when a listing breaks off or a person interrupts; a second run goes on. --dry-run only
counts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import trio

from s3o.backends.guard import Guarded
from s3o.config import load
from s3o.config.settings import Settings
from s3o.daemon.build import House, World, build_observed, open_house
from s3o.daemon.world import real_world
from s3o.ledger.drains import list_drains
from s3o.model.errors import LedgerUnavailable, NoSuchBucket
from s3o.model.names import BackendName
from s3o.policy.importing import map_into
from s3o.services.importing import ImportCounts, Importer
from s3o.services.ledger_check import LedgerCheck
from s3o.services.listing import Listing
from s3o.services.safety import Safety
from s3o.services.usage_flush import FlushPace, UsageFlush

Say = Callable[[str], None]


class SyncError(Exception):
    """Why nothing, or not everything, was taken; for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncWish:
    """What the person asks for; see the command's flags."""

    config_path: str
    backend: str
    bucket: str
    prefix: str = ""
    is_dry: bool = False


def run_sync(wish: SyncWish, environment: Mapping[str, str], say: Say) -> ImportCounts:
    """Import; raises ConfigError, SyncError, S3OError, OSError."""
    settings = load(wish.config_path, environment)
    return trio.run(sync, settings, real_world(), wish, say)


async def sync(
    settings: Settings, world: World, wish: SyncWish, say: Say
) -> ImportCounts:
    """Import from one backend of these settings; see run_sync."""
    if wish.backend not in {one.name for one in settings.backends}:
        raise SyncError(f"there is no backend {wish.backend!r} in the configuration")
    broken: list[str] = []
    observed = build_observed(world, settings)
    async with open_house(world, settings, observed, broken.append) as house:
        counts = await _import_all(house, wish, say)
    if broken:
        raise LedgerUnavailable(broken[0])
    return counts


async def _import_all(house: House, wish: SyncWish, say: Say) -> ImportCounts:
    backend = house.fleet.get(BackendName(wish.backend))
    drains = await house.ledger.read(list_drains)
    if backend.name in {drain.backend for drain in drains}:
        raise SyncError(f"backend {backend.name!r} is being emptied or removed")
    await _refuse_stale(house)
    try:
        return await _import_pages(house, backend, wish, say)
    finally:
        if not wish.is_dry:
            await _flush_usage(house)


async def _refuse_stale(house: House) -> None:
    """Raise SyncError for a ledger that may be old: it has forgotten deletes."""
    safety = Safety()
    check = LedgerCheck(
        house.ledger,
        house.fleet,
        house.observed.observer,
        safety,
        copies=lambda: house.live.current.ledger_backup.copies,
        poke=lambda: None,
    )
    await check.run_once()
    if not safety.may_destroy:
        raise SyncError(safety.reason)


async def _import_pages(
    house: House, backend: Guarded, wish: SyncWish, say: Say
) -> ImportCounts:
    try:
        find = map_into(house.buckets.find(wish.bucket))
    except NoSuchBucket:
        raise SyncError(f"there is no bucket {wish.bucket!r}") from None
    world, counts, pages = house.world, ImportCounts(), 0
    importer = Importer(house.ledger, world.clock, world.entropy)
    listing = Listing(backend, wish.prefix)
    while not listing.is_over:
        page = await listing.next_page()
        await importer.take_page(backend, page, find, counts, is_dry_run=wish.is_dry)
        pages += 1
        say(f"page {pages}: {_words(counts, wish)}")
    return counts


def _words(counts: ImportCounts, wish: SyncWish) -> str:
    verb = "would import" if wish.is_dry else "imported"
    return f"{verb} {counts.imported}, skipped {counts.skipped}"


async def _flush_usage(house: House) -> None:
    """Write down what the calls count for on the provider's bill."""
    flush = UsageFlush(
        house.ledger,
        house.fleet,
        house.observed.observer,
        house.world.clock,
        pace=FlushPace,
    )
    await flush.run_once()
