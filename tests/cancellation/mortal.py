"""A process that dies at its n-th call of a seam, and one that comes after it.

From its death on every seam call raises, so that no `finally` can do what a killed
process could not; ledger and providers live on, and the next process finds them.
"""

import inspect
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from s3o.backends.seam import BlobReader
from s3o.ledger.seam import Step, T
from s3o.ledger.sqlite import InlineEngine
from s3o.model.names import StorageKey
from s3o.model.seams import Transform
from s3o.model.values import Interval, Traits
from tests.fakes.memory_backend import MemoryBackend
from tests.objects.house import SMALL_PARTS, House, open_house, succeed


class Died(BaseException):
    """The process is gone; nothing catches it."""


class Mortal:
    """Counts the calls of a process's seams; dies at the number that is set."""

    def __init__(self) -> None:
        self.calls = 0
        self.dies_at: int | None = None
        self.is_dead = False

    def step(self) -> None:
        """One call."""
        self.calls += 1
        self.is_dead |= self.calls == self.dies_at
        if self.is_dead:
            raise Died

    def die_at(self, number: int) -> None:
        """Count from now on, and die at this call."""
        self.calls, self.dies_at = 0, number

    def rise(self) -> None:
        """Another process begins."""
        self.calls, self.dies_at, self.is_dead = 0, None, False


class _Engine(InlineEngine):
    """A ledger whose transactions a death comes before or after."""

    mortal: Mortal

    async def read(self, step: Step[T]) -> T:
        self.mortal.step()
        return await super().read(step)

    async def scan(self, step: Step[T]) -> T:
        self.mortal.step()
        return await super().scan(step)

    async def write(self, step: Step[T]) -> T:
        self.mortal.step()
        answer = await super().write(step)
        self.mortal.step()
        return answer


class _Provider:
    """A provider whose calls a death comes before or after."""

    def __init__(self, inner: MemoryBackend, mortal: Mortal) -> None:
        self._inner = inner
        self._mortal = mortal

    def __getattr__(self, name: str) -> object:
        there = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(there):
            return there

        async def call(*given: object, **more: object) -> object:
            self._mortal.step()
            answer = await there(*given, **more)
            self._mortal.step()
            return answer

        return call

    @asynccontextmanager
    async def open(
        self, storage_key: StorageKey, interval: Interval | None = None
    ) -> AsyncIterator[BlobReader]:
        self._mortal.step()
        async with self._inner.open(storage_key, interval) as reader:
            yield reader


@asynccontextmanager
async def open_mortal_house(
    *,
    transform: Transform | None = None,
    quotas: dict[str, int] | None = None,
    traits: Traits = SMALL_PARTS,
) -> AsyncIterator[tuple[House, Mortal]]:
    """Build a house whose process may die."""
    mortal = Mortal()

    def make_engine(connection: object) -> InlineEngine:
        engine = _Engine(connection)  # type: ignore[arg-type]
        engine.mortal = mortal
        return engine

    opened: AbstractAsyncContextManager[House] = open_house(
        transform=transform, make_engine=make_engine, quotas=quotas, traits=traits
    )
    async with opened as house:
        for name, inner in house.rig.inner.items():
            house.rig.guarded(name)._inner = _Provider(inner, mortal)  # type: ignore[assignment]
        yield house, mortal


def revive(house: House, mortal: Mortal) -> House:
    """Return the house of the process that comes after a death."""
    mortal.rise()
    return succeed(house)
