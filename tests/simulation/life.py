"""One life of the service's process, over a disk and providers that outlive it.

A crash is a BaseException from the n-th call of a seam, or a cancellation at a moment;
from then on every seam call of the dead process raises, so that no `finally` can do
what a killed process could not. Its connections are reset. The disk is an SQLite
connection that is kept; what was not committed is rolled back by the next life.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from random import Random
from typing import TypeVar

import outcome
import trio

from s3o.backends.call import CallMeter
from s3o.backends.fleet import Fleet
from s3o.backends.usage import UsageCounters
from s3o.config.backends import S3BackendSettings
from s3o.config.diff import plan_reload
from s3o.config.settings import Settings
from s3o.daemon.backends import _open, guard
from s3o.daemon.build import House, Observed, World, build_observed, open_house
from s3o.daemon.doors import Doors
from s3o.daemon.reload import Reloader
from s3o.daemon.run import FLUSH_S
from s3o.daemon.sdnotify import Notifier
from s3o.daemon.services import Services
from s3o.ledger.seam import Engine
from s3o.ledger.sqlite import InlineEngine
from s3o.model.errors import (
    CommitUnknown,
    LedgerError,
    LedgerUnavailable,
    S3OError,
)
from s3o.model.limits import CHECKED_TOTAL_BYTES
from s3o.model.names import BackendName
from s3o.model.seams import Clock, Entropy, Observer
from s3o.net.memory import MemoryStream, memory_stream_pair
from s3o.net.streams import ConnectionBroken
from s3o.policy.identity import IdentityTransform
from s3o.policy.routing import Strategy
from s3o.services.service import Service
from tests.fakes.clock import TrioClock
from tests.fakes.entropy import SeededEntropy
from tests.simulation.network import TroubledNetwork
from tests.simulation.outside import (
    AFTER,
    BEFORE,
    BUSY,
    SLOW,
    UNAVAILABLE,
    Outside,
    unflushed,
)
from tests.simulation.reached import Reached, SimCrash, SimulatedEngine
from tests.simulation.watcher import Watcher

__all__ = ["AFTER", "BEFORE", "BUSY", "SLOW", "UNAVAILABLE", "Life"]

T = TypeVar("T")
CLEANERS = {"pending-reaper", "cleanup-queue"}
PAUSE_S = 0.01
LONG_PAUSE_S = 60.0


class Life:
    """One process. die() kills it; stop() asks it to end in order."""

    def __init__(
        self,
        outside: Outside,
        settings: Settings,
        name: str,
        *,
        crash_at_call: int | None = None,
        crash_after_s: float | None = None,
        rest_s: float | None = None,
        instance: str | None = None,
        skew_us: int = 0,
    ) -> None:
        self.is_dead = False
        self.is_struck = False  # crash_in or fail_commit_in has happened
        self.calls = 0
        self.commits = 0
        self.reaped_at_call = 0
        self.ready = trio.Event()
        self._outside = outside
        self._settings = settings
        self._name = name
        self._crash_at_call = crash_at_call
        self._crash_after_s = crash_after_s
        self._failing_commit: tuple[int, str] | None = None
        self._instance = instance  # None: alone on its ledger
        self._rest_s = rest_s  # interval of the CLEANERS; None: as it is
        self._chance = Random(f"{name}/ledger faults")
        self._stop = trio.Event()
        self._streams: list[MemoryStream] = []
        self._clients: list[MemoryStream] = []
        self._scope = trio.CancelScope()
        self._serve: Callable[[MemoryStream], None] | None = None
        self.house: House | None = None
        self.services: Services | None = None
        self._nursery: trio.Nursery | None = None
        self._thawed: trio.Event | None = None
        self.network: TroubledNetwork | None = None
        self.clock = TrioClock()
        self.clock.offset_us = skew_us
        self._reloader: Reloader | None = None
        self._counters: UsageCounters | None = None
        self.left_over: list[str] = []  # of a process that ended in order

    def seam(self) -> None:
        """Be called by every seam; the process dies here when its time has come."""
        if not self.is_dead:
            self.calls += 1
            if self.calls == self._crash_at_call:
                self.is_struck = True
                self._outside.sometimes["process ended at call"] += 1
                self.die()
        if self.is_dead:
            raise SimCrash

    def crash_in(self, calls: int) -> None:
        """Let the process die at the calls-th seam call from now on."""
        self._crash_at_call = self.calls + calls

    def spare(self) -> None:
        """Let nothing more happen to the process."""
        self._crash_at_call = self._failing_commit = None

    def fail_commit_in(self, commits: int, fault: str) -> None:
        """Let the commits-th commit from now on meet BEFORE or AFTER."""
        self._failing_commit = self.commits + commits, fault

    def die(self) -> None:
        """Kill the process."""
        if self._counters in self._outside.counting:
            self._outside.counting.remove(self._counters)
            self._outside.forgotten.update(unflushed(self._counters))
        self.is_dead = True
        if self._thawed is not None:
            self._thawed.set()
        for stream in self._streams:
            stream.abort()
        if self.network is not None:
            self.network.reset()
        self._scope.cancel()

    def stop(self) -> None:
        """Ask for an end in order."""
        self._stop.set()

    def connect(self) -> MemoryStream:
        """Return a client's end of a new connection; raises ConnectionBroken."""
        if self.is_dead or self._serve is None:
            raise ConnectionBroken("connection refused")
        client, served = memory_stream_pair()
        self._streams.append(served)
        self._clients.append(client)
        self._serve(served)
        return client

    async def freeze(self, seconds: float) -> None:
        """Stop the process (SIGSTOP): time goes on, and it does nothing outside."""
        self._thawed = trio.Event()
        try:
            await trio.sleep(seconds)
        finally:
            self._thawed.set()

    async def thawed(self) -> None:
        """Wait until the process is not stopped; every seam asks before it acts."""
        if self._thawed is not None and not self._thawed.is_set():
            with trio.CancelScope(shield=True):
                await self._thawed.wait()

    async def order_drain(self, name: BackendName, *, is_start: bool) -> None:
        """Let an operator start or call off a drain."""

        async def order() -> None:
            assert self.services is not None
            assert self.house is not None
            drains = self.services.drains
            try:
                if is_start:
                    await drains.start(name, self.house.world.clock.now_us())
                else:
                    await drains.cancel(name)
            except S3OError:
                return  # a refusal is an answer

        await self.inside(order)

    async def reload(self, settings: Settings) -> None:
        """Put another configuration into force, as SIGHUP does."""

        async def put_into_force() -> None:
            assert self.house is not None
            assert self._reloader is not None
            plan = plan_reload(self.house.live.current, settings)
            if await self._reloader._put_into_force(plan.settings):
                self._outside.sometimes["configuration reloaded"] += 1

        await self.inside(put_into_force)

    def carried(self, stream: object) -> bool:
        """Whether a client's end of a connection leads here."""
        return any(stream is one for one in self._clients)

    async def inside(self, act: Callable[[], Awaitable[T]]) -> T | None:
        """Let the process do something; None: it died of it, or was dead.

        Raises what act raises.
        """
        if self.is_dead or self._nursery is None:
            return None
        done: list[outcome.Outcome[T]] = []
        over = trio.Event()

        async def carry_out() -> None:
            try:
                done.append(await outcome.acapture(act))
            finally:
                over.set()
            if self.is_dead:
                raise SimCrash

        self._nursery.start_soon(carry_out)
        await over.wait()
        return done[0].unwrap() if done and not self.is_dead else None

    async def run_service(self, name: str) -> str | None:
        """Make one pass of a service; None: the process died of it, or was dead."""

        async def run_now() -> str:
            assert self.services is not None
            return await self.services.runner.run_now(name)

        return await self.inside(run_now)

    async def run(self) -> None:
        """Live until stopped or dead."""
        world = World(
            clock=self.clock,
            entropy=SeededEntropy(self._name),
            open_engine=self._open_engine,
            build_fleet=self._build_fleet,
            transform=IdentityTransform(),
            log_sink=lambda _lines: None,
            instance=self._instance,
        )
        observed = build_observed(world, self._settings)
        observed = replace(
            observed, observer=Watcher(observed.observer, self, self._outside)
        )
        try:
            with self._scope:
                await self._live(world, observed)
                self._look_for_leftovers()
        except* SimCrash:
            pass
        except* LedgerError:
            # Not opened, or broken: the supervisor starts the next process.
            if self.ready.is_set() and not self.is_dead:
                raise
        finally:
            self.die()

    async def _live(self, world: World, observed: Observed) -> None:
        async with open_house(
            world, self._settings, observed, lambda _reason: self.die()
        ) as house:
            doors, services = Doors(house), Services(house)
            self.house, self.services = house, services
            self._reloader = Reloader(house, doors, services, "", _no_supervisor())
            if self._rest_s is not None:
                for name, loop in services.runner._loops.items():
                    rest_s = self._rest_s * (1 if name in CLEANERS else 10)
                    loop.service = _Resting(loop.service, rest_s)
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                await services.start(nursery)
                doors.serve_in_memory()
                async with trio.open_nursery() as serving:
                    self._serve = lambda stream: serving.start_soon(
                        doors.server.serve_stream, stream
                    )
                    self.ready.set()
                    if self._crash_after_s is not None:
                        serving.start_soon(self._crash_later, self._crash_after_s)
                    await self._stop.wait()
                    doors.begin_drain()
                    with trio.move_on_after(30):
                        await doors.drain()
                    self._serve = None
                    serving.cancel_scope.cancel()
                services.stop()
            self._nursery = None  # no more orders
            # As daemon/run does it: what is not written now is lost.
            with trio.move_on_after(FLUSH_S), suppress(LedgerError):
                await services.flush_usage()

    def _look_for_leftovers(self) -> None:
        """Note what a process still holds that has nothing to do any more."""
        assert self.house is not None
        if self.is_dead:
            return
        held = {
            "blobs being read": len(self.house.reads._readers),
            "bytes being judged": CHECKED_TOTAL_BYTES - self.house.reads._free_bytes,
            "writes under way": len(self.house.writes.storage_keys()),
            "clients' connections": sum(not one._is_closed for one in self._streams),
            "backends' connections": self.network.count_open() if self.network else 0,
        }
        # A ledger that fails, or pauses for minutes, may cost the last flush.
        is_calm = not (self._outside.rates or self._outside.windows.rates)
        if is_calm and self._counters is not None:
            calls = sum(unflushed(self._counters).values())
            held["calls that are not written down"] = calls
        self.left_over = [f"{many} {what}" for what, many in held.items() if many]

    async def _crash_later(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self.die()

    @asynccontextmanager
    async def _open_engine(
        self, _settings: Settings, _clock: Clock, on_broken: Callable[[str], None]
    ) -> AsyncIterator[Engine]:
        inner = InlineEngine(
            self._outside.connection,
            pause=self._pause,
            before_commit=self._before_commit,
            after_commit=self._after_commit,
            on_broken=on_broken,
        )
        yield SimulatedEngine(inner, self._outside.windows, self._begins, self.thawed)

    async def _pause(self) -> None:
        self.seam()
        longest_s = LONG_PAUSE_S if self._strikes(SLOW) else PAUSE_S
        await trio.sleep(self._chance.uniform(0, longest_s))
        self.seam()

    def _begins(self) -> None:
        """Let a transaction begin, or raise LedgerUnavailable."""
        for fault in (UNAVAILABLE, BUSY):
            if self._strikes(fault):
                raise LedgerUnavailable(fault)

    def _before_commit(self) -> None:
        self.seam()
        self.commits += 1
        if self._strikes(BEFORE):
            raise LedgerUnavailable("the disk is full")

    def _after_commit(self) -> None:
        self.seam()
        if self._strikes(AFTER):
            self._outside.sometimes["ambiguous commit"] += 1
            raise CommitUnknown("the disk does not say")

    def _strikes(self, fault: str) -> bool:
        if self._failing_commit == (self.commits, fault):
            self.is_struck = True
            return True
        rate = self._outside.rates.get(fault, 0.0)
        does = self.ready.is_set() and rate > 0 and self._chance.random() < rate
        if does:
            self._outside.sometimes[f"ledger {fault}"] += 1
        return does

    def _connected(self) -> TroubledNetwork:
        """Return this process's network."""
        if self.network is None:
            assert self._outside.nursery is not None
            self.network = TroubledNetwork(
                self._outside.nursery,
                self._outside,
                Random(f"{self._name}/network"),
                self._breathe,
            )
        return self.network

    def _breathe(self) -> None:
        if self.is_dead:
            raise SimCrash

    async def _build_fleet(
        self, settings: Settings, observer: Observer, clock: Clock, entropy: Entropy
    ) -> Fleet:
        counters = UsageCounters(list(self._outside.backends), clock)
        self._counters = counters
        self._outside.counting.append(counters)
        guarded = []
        for backend in settings.backends:
            meter = CallMeter(counters.of(backend.name))
            inner = self._outside.backends[backend.name]
            if isinstance(backend, S3BackendSettings):
                # As in production, from the settings to the connection.
                progress_s = settings.server.backend_timeout
                inner = await _open(
                    backend, meter, clock, entropy, self._connected(), progress_s
                )
            provider = Reached(inner, self.seam, self._outside, self.thawed)
            if not isinstance(backend, S3BackendSettings):
                provider.meter = meter
            guarded.append(
                guard(provider, meter, settings, backend, observer, clock, entropy)
            )
        strategy = Strategy(settings.routing_strategy)
        return Fleet(guarded, strategy=strategy, counters=counters)


def _no_supervisor() -> Notifier:
    return Notifier({}, 1, lambda _address, _message: None, TrioClock())


class _Resting:
    """A service that wakes rarely, or when poked."""

    def __init__(self, service: Service, interval_s: float) -> None:
        self._service = service
        self.interval_s = interval_s

    def __getattr__(self, name: str) -> object:
        return getattr(self._service, name)
