"""Reload in place: read the file again, check all of it, then change all at once.

Rules: an unusable file changes nothing; what may fail is done before anything changes,
the certificate read and checked first, then one transaction of the ledger; the change
itself has no await in it, so a request sees one configuration. Settings that need a
restart are named in the log and keep their old value.
"""

import os

import trio

from s3o.backends.guard import BackendLimits
from s3o.config import ConfigError, load
from s3o.config.diff import plan_reload
from s3o.config.settings import Settings
from s3o.daemon.backends import backend_limits
from s3o.daemon.build import House, enter_settings
from s3o.daemon.doors import Doors
from s3o.daemon.sdnotify import Notifier
from s3o.daemon.services import Services
from s3o.daemon.tenants import tenants_of
from s3o.model.errors import BucketAlreadyExists, LedgerError
from s3o.model.facts import Happened
from s3o.model.names import BackendName
from s3o.net.tls import CertificateUnusable


class Reloader:
    """Waits for SIGHUP and carries it out, one reload at a time."""

    def __init__(
        self,
        house: House,
        doors: Doors,
        services: Services,
        settings_path: str,
        notifier: Notifier,
    ) -> None:
        self._house = house
        self._doors = doors
        self._services = services
        self._path = settings_path
        self._notifier = notifier
        self._asked = trio.Event()

    def ask(self) -> None:
        """Reload soon; several asks become one reload."""
        self._asked.set()

    async def run(self) -> None:
        """Reload whenever asked, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked = trio.Event()
            self._notifier.reloading()
            await self.reload()
            self._notifier.ready()

    async def reload(self) -> bool:
        """Read the file and put it into force; say whether that was possible."""
        self._say("info", "reloading configuration", path=self._path)
        try:
            wanted = await trio.to_thread.run_sync(load, self._path, os.environ)
            plan = plan_reload(self._house.live.current, wanted)
        except ConfigError as error:
            self._say("error", "reload failed, nothing changed", reason=str(error))
            return False
        for name in plan.needs_restart:
            self._say("warning", "setting needs a restart", field=name)
        return await self._put_into_force(plan.settings)

    async def _put_into_force(self, settings: Settings) -> bool:
        house = self._house
        async with house.buckets.changing:
            return await self._put_all_into_force(settings)

    async def _put_all_into_force(self, settings: Settings) -> bool:
        house = self._house
        try:
            certificate = await trio.to_thread.run_sync(self._doors.read_certificate)
            rows = await enter_settings(house.ledger, house.world.clock, settings)
        except (CertificateUnusable, LedgerError, BucketAlreadyExists) as error:
            self._say("error", "reload failed, nothing changed", reason=str(error))
            return False
        limits: dict[BackendName, BackendLimits] = {
            backend.name: backend_limits(backend) for backend in settings.backends
        }
        # No await from here on: a request sees all of it or nothing.
        house.live.current = settings
        house.buckets.use(tenants_of(settings), rows)
        house.fleet.replace_limits(limits)
        house.observed.log.set_level(settings.server.log_level)
        self._doors.use(settings, certificate)
        self._services.runner.reconsider()
        self._say(
            "info",
            "configuration reloaded",
            buckets=len(settings.buckets),
            backends=len(settings.backends),
        )
        return True

    def _say(self, level: str, message: str, **fields: str | int) -> None:
        self._house.observed.observer.note(
            Happened(level=level, message=message, fields=tuple(fields.items()))
        )
