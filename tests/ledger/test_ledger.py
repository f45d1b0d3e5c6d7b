"""The facade: a breaker that opens for outages of the database and nothing else."""

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from s3o.ledger.buckets import list_buckets
from s3o.ledger.ledger import Ledger
from s3o.ledger.seam import Step, T, Tx
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.model.errors import (
    CommitUnknown,
    LedgerError,
    LedgerUnavailable,
    NoSuchBucket,
    Overloaded,
    S3OError,
)
from s3o.model.facts import BreakerChanged
from s3o.model.values import BreakerState
from s3o.policy.breaker import CircuitBreaker
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.observer import RecordingObserver
from tests.ledger.house import NOW_US


class Moody:
    """An Engine that does what it is told."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.calls = 0
        self.stalls = False
        self.connection = open_inline(now_us=NOW_US)
        self.inner = InlineEngine(self.connection)

    async def read(self, step: Step[T]) -> T:
        """Fail, stall or read."""
        self.calls += 1
        if self.stalls:
            await trio.sleep_forever()
        if self.error is not None:
            raise self.error
        return await self.inner.read(step)

    scan = read
    write = read

    async def aclose(self) -> None:
        """Close the disk, too."""
        self.connection.close()


class Scene:
    """A ledger over a moody engine."""

    def __init__(self) -> None:
        self.engine = Moody()
        self.observer = RecordingObserver()
        self.clock = ManualClock()
        self.breaker = CircuitBreaker(failure_threshold=3, open_timeout_s=15.0)
        self.ledger = Ledger(
            self.engine, self.breaker, self.observer, self.clock, SeededEntropy()
        )

    async def fail(self, error: BaseException, times: int) -> None:
        """Let calls fail."""
        self.engine.error = error
        for _ in range(times):
            with pytest.raises(type(error)):
                await self.ledger.write(list_buckets)
        self.engine.error = None

    def changes(self) -> list[tuple[str, str]]:
        """What the observer was told."""
        return [(fact.name, fact.state) for fact in self.observer.of(BreakerChanged)]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """A fresh one."""
    scene = Scene()
    yield scene
    await scene.ledger.aclose()


@pytest.mark.parametrize("error", [LedgerUnavailable("down"), CommitUnknown("torn")])
async def test_outages_open_the_circuit_and_an_answer_closes_it(
    scene: Scene, error: LedgerError
) -> None:
    """While the database is down nobody should wait for it."""
    await scene.fail(error, 3)
    calls = scene.engine.calls
    with pytest.raises(LedgerUnavailable, match="circuit"):
        await scene.ledger.read(list_buckets)
    assert calls == scene.engine.calls

    scene.clock.advance(20.0)
    assert [] == await scene.ledger.read(list_buckets)

    assert [
        ("database", BreakerState.OPEN),
        ("database", BreakerState.HALF_OPEN),
        ("database", BreakerState.CLOSED),
    ] == scene.changes()


@pytest.mark.parametrize("error", [NoSuchBucket("b"), ValueError("bad"), Overloaded()])
async def test_refusals_and_bad_input_never_open_the_circuit(
    scene: Scene, error: S3OError
) -> None:
    """The database answered; it is the request that was wrong."""
    await scene.fail(error, 10)

    assert BreakerState.CLOSED == scene.breaker.state


async def test_cancellations_never_open_the_circuit(
    scene: Scene, autojump_clock: trio.testing.MockClock
) -> None:
    """Three clients that hang up must not stop everybody's writes."""
    scene.engine.stalls = True
    for _ in range(10):
        with trio.CancelScope() as scope:
            scope.cancel()
            await scene.ledger.write(list_buckets)
        with trio.move_on_after(1) as scope:
            await scene.ledger.write(list_buckets)
        assert scope.cancelled_caught

    assert BreakerState.CLOSED == scene.breaker.state
    assert 10 == scene.engine.calls  # who was cancelled before asked nothing


async def test_a_cancelled_probe_lets_the_next_caller_probe(
    scene: Scene, autojump_clock: trio.testing.MockClock
) -> None:
    """A client that hangs up during the probe must not hold the circuit open."""
    await scene.fail(LedgerUnavailable("down"), 3)
    scene.clock.advance(20.0)
    scene.engine.stalls = True
    with trio.move_on_after(1):
        await scene.ledger.read(list_buckets)
    scene.engine.stalls = False
    assert BreakerState.HALF_OPEN == scene.breaker.state  # nothing was proved

    assert [] == await scene.ledger.read(list_buckets)
    assert BreakerState.CLOSED == scene.breaker.state


async def test_a_probe_that_never_ends_is_given_up(scene: Scene) -> None:
    """The watchdog's part."""
    await scene.fail(LedgerUnavailable("down"), 3)
    scene.clock.advance(20.0)
    scene.engine.stalls = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.ledger.read, list_buckets)
        await trio.testing.wait_all_tasks_blocked()
        scene.clock.advance(121.0)
        scene.ledger.expire_probe()
        nursery.cancel_scope.cancel()

    assert BreakerState.OPEN == scene.breaker.state


async def test_a_step_gets_its_engines_transaction(scene: Scene) -> None:
    """The facade adds nothing between a step and its transaction."""

    async def step(tx: Tx) -> int:
        return len(await tx.all("list_buckets"))

    assert 0 == await scene.ledger.scan(step)
