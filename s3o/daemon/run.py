"""The nursery tree of the service, from the first line of log to the exit code.

    async with observed, ledger, backends:                  # closed in reverse
      exporters            log lines, metrics listener       # die last
        services           one task per background service
          listeners        accept loops, one task per connection; jobs of the admin API
            wait for SIGTERM or SIGINT; SIGHUP reloads in place
            readiness off; shutdown_delay; stop accepting; idle connections close
          requests in flight finish until the drain deadline, then a scrape
        services finish the item in hand until their deadline
      final usage flush; then exporters end

Exit codes: 0 stopped as asked, 1 a failure (it is in the log).
"""

import os
import traceback
from functools import partial

import trio

from s3o import __version__
from s3o.admin.jobs import Jobs
from s3o.config import advise, load
from s3o.config.settings import Settings
from s3o.daemon.admin import make_admin
from s3o.daemon.advice import advise_on_profiles
from s3o.daemon.build import House, Observed, World, build_observed, open_house
from s3o.daemon.doors import Doors
from s3o.daemon.environment import send_datagram
from s3o.daemon.reload import Reloader
from s3o.daemon.sdnotify import Notifier
from s3o.daemon.services import Services
from s3o.daemon.signals import receive_signals
from s3o.daemon.world import real_world
from s3o.model.errors import LedgerError, S3OError
from s3o.model.facts import Crashed, Happened
from s3o.net.listeners import AddressUnusable
from s3o.net.tls import CertificateUnusable
from s3o.services.runner import RELEASE_S, STOP_S

EXIT_STOPPED, EXIT_FAILED = 0, 1
DRAIN_S = 30.0
SCRAPE_S = 2.0  # for a scrape in flight, after the requests

# What an operator can mend: told in one line, without a traceback.
KNOWN_FAILURES = (S3OError, OSError, AddressUnusable, CertificateUnusable)
FLUSH_S = 5.0
# From the end of shutdown_delay: requests, scrape, services, counters, and the ledger's
# last checkpoint. contrib/systemd allows as much.
END_S = DRAIN_S + SCRAPE_S + STOP_S + RELEASE_S + FLUSH_S + 10.0


def run_service(settings_path: str) -> int:
    """Run the service until it is told to stop; return the exit code.

    Raises ConfigError, before anything is opened.
    """
    settings = load(settings_path, os.environ)
    world = real_world()
    observed = build_observed(world, settings)
    try:
        return trio.run(serve_house, world, settings, observed, settings_path)
    except Exception as error:  # noqa: BLE001 - the process's edge
        return _report_failure(observed, error)


def _report_failure(observed: Observed, error: Exception) -> int:
    """Say why the service ended; a domain error in a line, a surprise in full."""
    known = _only_domain_error(error)
    if known is not None:
        fact = Happened(
            level="error",
            message="service failed",
            fields=(("error", type(known).__name__), ("reason", str(known))),
        )
        observed.observer.note(fact)
    else:
        text = "".join(traceback.format_exception(error))
        observed.observer.note(Crashed(where="service", traceback=text))
    observed.lines.flush()
    return EXIT_FAILED


def _only_domain_error(error: BaseException) -> BaseException | None:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, KNOWN_FAILURES) else None


class Stop:
    """What the signals ask for: first a drain, then an end at once."""

    def __init__(self, observed: Observed) -> None:
        self._observed = observed
        self.asked = trio.Event()
        self.at_once = trio.CancelScope()
        self.has_failed = False

    def drain(self, signal_name: str) -> None:
        """Begin to drain."""
        self._say("stopping: requests in flight finish", signal_name)
        self.asked.set()

    def stop_now(self, signal_name: str) -> None:
        """Cancel whatever still runs."""
        self._say("stopping at once", signal_name)
        self.at_once.cancel()

    def ledger_broke(self, reason: str) -> None:
        """Only a restart can tell what the ledger holds: go down at once."""
        fields = (("reason", reason),)
        self._observed.observer.note(
            Happened(level="error", message="the ledger is broken", fields=fields)
        )
        self.has_failed = True
        self.at_once.cancel()

    def _say(self, message: str, signal_name: str) -> None:
        fields = (("signal", signal_name),)
        self._observed.observer.note(
            Happened(level="info", message=message, fields=fields)
        )


async def serve_house(
    world: World, settings: Settings, observed: Observed, settings_path: str
) -> int:
    """Open the house, serve until the first signal, drain, close."""
    notifier = Notifier(os.environ, os.getpid(), send_datagram, world.clock)
    stop = Stop(observed)
    async with open_house(world, settings, observed, stop.ledger_broke) as house:
        doors = Doors(house)
        services = Services(house)
        desk, admin = make_admin(house, services)
        doors.connect(admin)
        reloader = Reloader(house, doors, services, settings_path, notifier)
        with stop.at_once:
            async with trio.open_nursery() as exporters:
                await exporters.start(observed.lines.run)
                exporters.start_soon(notifier.run_watchdog)
                exporters.start_soon(reloader.run)
                await exporters.start(
                    partial(
                        receive_signals,
                        drain=stop.drain,
                        stop_now=stop.stop_now,
                        reload=reloader.ask,
                    )
                )
                await _serve(house, doors, services, desk.jobs, notifier, stop)
                exporters.cancel_scope.cancel()
        with trio.move_on_after(FLUSH_S, shield=True):
            try:
                await services.flush_usage()
            except LedgerError as error:
                # The provider's bill goes on; what was not written is lost with us.
                observed.observer.note(
                    Happened(
                        level="error",
                        message="usage counters were not written",
                        fields=(("reason", str(error)),),
                    )
                )
    say_stopped(observed)
    return EXIT_FAILED if stop.has_failed else EXIT_STOPPED


async def _serve(
    house: House,
    doors: Doors,
    services: Services,
    jobs: Jobs,
    notifier: Notifier,
    stop: Stop,
) -> None:
    """Run services and listeners until asked to stop; drain from the outside in."""
    server = house.live.current.server
    async with trio.open_nursery() as background:
        await services.start(background)
        async with trio.open_nursery() as listening:
            await listening.start(jobs.run)
            await doors.open(listening)
            notifier.ready()
            say_started(house)
            await stop.asked.wait()
            doors.begin_drain()
            notifier.stopping(server.shutdown_delay + END_S)
            await trio.sleep(server.shutdown_delay)
            with trio.move_on_after(DRAIN_S):
                await doors.drain()
            with trio.move_on_after(SCRAPE_S):
                await doors.drain_metrics()
            listening.cancel_scope.cancel()
        services.stop()


def say_started(house: House) -> None:
    """Log what is served."""
    settings = house.live.current
    for advice in (*advise(settings), *advise_on_profiles(settings)):
        house.observed.observer.note(Happened(level="warning", message=str(advice)))
    fields = (
        ("version", __version__),
        ("listen_addr", settings.server.listen_addr),
        ("buckets", len(settings.buckets)),
        ("backends", len(settings.backends)),
        ("routing_strategy", str(settings.routing_strategy)),
    )
    house.observed.observer.note(
        Happened(level="info", message="S3 Orchestrator started", fields=fields)
    )


def say_stopped(observed: Observed) -> None:
    """Log the last line."""
    observed.observer.note(Happened(level="info", message="S3 Orchestrator stopped"))
    observed.lines.flush()
