"""Providers and ledger as one process reaches them: not at all once it is dead.

Every call of a provider is two of the process's: sent, and answered. Between the calls
a process may stand still (windows).
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import trio

from s3o.backends.seam import Backend, BlobReader, Meter
from s3o.ledger.seam import Engine, Step
from s3o.model.names import StorageKey
from s3o.model.values import Interval
from tests.simulation.outside import Outside
from tests.simulation.windows import Windows

T = TypeVar("T")


class SimCrash(BaseException):
    """The process was killed here."""


class Reached:
    """A Backend that one process calls."""

    def __init__(
        self,
        inner: Backend,
        seam: Callable[[], None],
        outside: Outside,
        thawed: Callable[[], Awaitable[None]],
    ) -> None:
        self._inner = inner
        self._seam = seam
        self._outside = outside
        self._thawed = thawed
        #: of this process; None: the provider counts for itself, over HTTP
        self.meter: Meter | None = None

    def __getattr__(self, name: str) -> object:
        there = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(there):
            return there

        async def call(*given: object, **more: object) -> object:
            await self._outside.windows.pause(f"before {name}")
            await self._thawed()
            self._seam()
            if name == "delete":
                self._outside.check_delete(self._inner.name, list(given[0]))
            self._count_here()
            if name == "put":
                answer = await self._put(*given, **more)
            else:
                answer = await there(*given, **more)
            await self._thawed()
            self._seam()
            await self._outside.windows.pause(f"after {name}")
            return answer

        return call

    def _count_here(self) -> None:
        """Let the request that is made now be counted by this process."""
        if self.meter is not None:
            self._inner._meter = self.meter

    async def _put(self, storage_key: StorageKey, *given: object) -> object:
        writing = self._outside.writing
        writing.add(storage_key)
        try:
            return await self._inner.put(storage_key, *given)
        finally:
            writing.discard(storage_key)

    @asynccontextmanager
    async def open(
        self, storage_key: StorageKey, interval: Interval | None = None
    ) -> AsyncIterator[BlobReader]:
        """Open a blob."""
        await self._outside.windows.pause("before open")
        await self._thawed()
        self._seam()
        self._count_here()
        async with self._inner.open(storage_key, interval) as reader:
            await self._outside.windows.pause("after open")
            yield reader

    async def aclose(self) -> None:
        """Close connections; leave the provider to the other processes."""
        await trio.lowlevel.checkpoint()
        if self.meter is None:
            await self._inner.aclose()


class SimulatedEngine:
    """An Engine that may not begin; its caller may stand still before and after."""

    def __init__(
        self,
        inner: Engine,
        windows: Windows,
        begins: Callable[[], None],
        thawed: Callable[[], Awaitable[None]],
    ) -> None:
        self._inner = inner
        self._windows = windows
        self._begins = begins
        self._thawed = thawed

    async def read(self, step: Step[T]) -> T:
        """Read a little."""
        return await self._after("after read", self._inner.read, step)

    async def scan(self, step: Step[T]) -> T:
        """Read much."""
        return await self._after("after read", self._inner.scan, step)

    async def write(self, step: Step[T]) -> T:
        """Carry out one transaction."""
        await self._windows.pause("before write")
        return await self._after("after write", self._inner.write, step)

    async def _after(
        self, window: str, call: Callable[[Step[T]], object], step: Step[T]
    ) -> T:
        await self._thawed()
        self._begins()
        done = await call(step)
        # The outcome is there; no cancellation takes it away from who asked.
        with trio.CancelScope(shield=True):
            await self._windows.pause(window)
        return done

    async def aclose(self) -> None:
        """Leave the disk to the other processes."""
        await self._inner.aclose()
