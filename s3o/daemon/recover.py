"""`s3-orchestrator recover`: a new ledger in place of a lost or stale one.

The service must be stopped: the ledger's lock is held throughout. The new ledger grows
in a file of its own beside the old one and takes its place only when it is whole and
its audit is clean; the old one is kept under another name. --dry-run ends before that.
"""

import contextlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import trio

from s3o.config import load
from s3o.config.settings import Settings
from s3o.daemon.build import World
from s3o.daemon.offline import Deaf, ledger_on
from s3o.daemon.world import real_world
from s3o.ledger.sqlite import hold_sqlite, open_sqlite
from s3o.model.names import BackendName
from s3o.services.recovery import Recovery, RecoveryError, RecoveryReport
from s3o.services.recovery.base import Say

_SUFFIXES = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the person asks for; see the command's flags."""

    config_path: str
    is_dry: bool = False
    cluster_id: str | None = None
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The report, and where the ledger is now; kept_as: where the old one went."""

    report: RecoveryReport
    ledger_path: str
    kept_as: str | None


def run_recovery(wish: Wish, environment: Mapping[str, str], say: Say) -> Outcome:
    """Recover; raises ConfigError, RecoveryError, S3OError, OSError."""
    settings = load(wish.config_path, environment)
    return trio.run(recover, settings, real_world(), wish, say)


async def recover(settings: Settings, world: World, wish: Wish, say: Say) -> Outcome:
    """Recover the ledger of these settings; see run_recovery."""
    known = {backend.name for backend in settings.backends}
    for name in wish.without:
        if name not in known:
            raise RecoveryError(f"there is no backend {name!r} in the configuration")
    path = Path(settings.database.path)
    growing = path.with_name(f"{path.name}.recovering")
    async with hold_sqlite(path):
        _remove(growing)
        try:
            report = await _fill(settings, world, wish, growing, say)
            if report.complaints:
                raise RecoveryError(
                    "the new ledger contradicts itself: " + report.complaints[0]
                )
            kept_as = None
            if not wish.is_dry:
                kept_as = put_in_place(path, growing, world.clock.now_us())
        finally:
            _remove(growing)
    return Outcome(
        report=report,
        ledger_path=str(path),
        kept_as=None if kept_as is None else str(kept_as),
    )


async def _fill(
    settings: Settings, world: World, wish: Wish, growing: Path, say: Say
) -> RecoveryReport:
    observer = Deaf()
    broken: list[str] = []
    fleet = await world.build_fleet(settings, observer, world.clock, world.entropy)
    try:
        async with open_sqlite(
            growing, now_us=world.clock.now_us(), on_broken=broken.append
        ) as engine:
            without: Collection[BackendName] = [
                BackendName(name) for name in wish.without
            ]
            recovery = Recovery(
                ledger_on(engine, world),
                fleet,
                world.clock,
                limits={one.name: one.quota_bytes for one in settings.backends},
                without=without,
                say=say,
            )
            report = await recovery.run(wish.cluster_id)
    finally:
        await fleet.aclose()
    if broken:
        raise RecoveryError(f"the new ledger broke: {broken[0]}")
    return report


def put_in_place(path: Path, growing: Path, now_us: int) -> Path | None:
    """Put the new ledger in the old one's place; return where the old one went.

    The file itself goes first: who dies in between leaves no ledger at all, which the
    next start notices, and never one without its log, which would be an older one.
    """
    kept = path.with_name(f"{path.name}.before-recovery-{now_us // 1_000_000}")
    has_kept = False
    for suffix in _SUFFIXES:
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}{suffix}", f"{kept}{suffix}")
            has_kept = True
    os.rename(growing, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return kept if has_kept else None


def _remove(growing: Path) -> None:
    for suffix in (*_SUFFIXES, ".lock"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{growing}{suffix}")
