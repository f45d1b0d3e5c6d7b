"""When services run, and what becomes of a pass that fails."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
import trio

from s3o.model.errors import LedgerUnavailable
from s3o.model.facts import Crashed, Happened, ServiceRan
from s3o.observe.correlation import request_id
from s3o.services.runner import Runner
from s3o.services.service import Leases, NoLeases, Wakeup
from tests.fakes.clock import TrioClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.observer import RecordingObserver


@dataclass
class Counting:
    """A service that notes when it ran."""

    name: str = "counting"
    interval_s: float = 60.0
    gather_s: float = 0.0
    is_exclusive: bool = False
    wakeup: Wakeup = field(default_factory=Wakeup)
    began: list[float] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    work: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint

    async def run_once(self) -> str:
        self.began.append(trio.current_time())
        self.ids.append(request_id.get())
        await self.work()
        return f"pass {len(self.began)}"


class NoJitter(SeededEntropy):
    """Chance that always says the lowest."""

    def uniform(self, low: float, high: float) -> float:
        return low


@dataclass
class Fixture:
    """One runner over one service."""

    service: Counting
    leases: Leases = field(default_factory=NoLeases)
    entropy: SeededEntropy = field(default_factory=NoJitter)
    observer: RecordingObserver = field(default_factory=RecordingObserver)
    stopping: trio.Event = field(default_factory=trio.Event)

    def __post_init__(self) -> None:
        self.runner = Runner(
            [self.service],
            self.leases,
            self.observer,
            TrioClock(),
            self.entropy,
            stopping=self.stopping,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            await nursery.start(self.runner.run)
            yield
            nursery.cancel_scope.cancel()

    @property
    def statuses(self) -> list[str]:
        return [fact.status for fact in self.observer.of(ServiceRan)]


async def test_runs_on_its_tick_with_a_fresh_id_each_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Everything a pass causes must be found under one id in the log."""
    fixture = Fixture(Counting())
    async with fixture.running():
        await trio.sleep(130)

    assert [0.0, 60.0, 120.0] == fixture.service.began
    assert 3 == len(set(fixture.service.ids))
    assert all(len(one) == 32 for one in fixture.service.ids)
    reports = [fact.report for fact in fixture.observer.of(ServiceRan)]
    assert ["pass 1", "pass 2", "pass 3"] == reports


async def test_first_pass_comes_within_half_an_interval(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Instances started together must not all reach for the ledger at once."""
    began = set()
    for seed in range(10):
        fixture = Fixture(Counting(), entropy=SeededEntropy(seed))
        start = trio.current_time()
        async with fixture.running():
            await trio.sleep(31)
        began.add(fixture.service.began[0] - start)

    assert 10 == len(began)
    assert max(began) <= 30


async def test_pokes_coalesce_and_one_during_a_pass_causes_another(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A thousand deletes are one pass; none may be forgotten while one runs."""

    async def slow() -> None:
        await trio.sleep(5)

    fixture = Fixture(Counting(interval_s=1000, gather_s=2, work=slow))
    async with fixture.running():
        await trio.sleep(10)  # the first pass is over
        for _ in range(1000):
            fixture.runner.poke("counting")
        await trio.sleep(3)  # within the second pass, which began after 2 s
        fixture.runner.poke("counting")
        await trio.sleep(100)

    assert [0.0, 12.0, 19.0] == fixture.service.began


async def test_poke_while_a_pass_gathers_gets_its_own_full_wait(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What was queued a moment ago is not due yet: a pass too early is no pass."""
    fixture = Fixture(Counting(interval_s=1000, gather_s=2))
    async with fixture.running():
        await trio.sleep(10)
        fixture.runner.poke("counting")
        await trio.sleep(1.5)  # the pass at 12.0 comes too early for this one
        fixture.runner.poke("counting")
        await trio.sleep(100)

    assert [0.0, 12.0, 14.0] == fixture.service.began


async def test_changed_interval_counts_after_a_reload(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """An operator who shortens a day to a minute does not want to wait the day."""
    fixture = Fixture(Counting(interval_s=86_400))
    async with fixture.running():
        await trio.sleep(100)
        fixture.service.interval_s = 60
        await trio.sleep(100)
        assert [0.0] == fixture.service.began
        fixture.runner.reconsider()
        await trio.sleep(1)

    assert [0.0, 200.0] == fixture.service.began


async def test_failed_pass_is_repeated_with_growing_delay(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """An outage must not be hammered, nor cost a whole interval after it ends."""

    async def fail() -> None:
        raise LedgerUnavailable("down")

    fixture = Fixture(Counting(interval_s=1000, work=fail))
    async with fixture.running():
        await trio.sleep(100)
        fixture.service.work = trio.lowlevel.checkpoint
        await trio.sleep(1100)

    began = fixture.service.began
    gaps = [later - earlier for earlier, later in pairwise(began)]
    assert [1, 2, 4, 8, 16, 30, 30, 30, 1000] == gaps
    assert "LedgerUnavailable: reason='down'" == (
        fixture.observer.of(ServiceRan)[0].report
    )
    assert [] == fixture.observer.of(Crashed)


async def test_unexpected_error_leaves_its_traceback_and_the_service_lives(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A bug in one pass must be loud, and must not end the service for ever."""

    async def crash() -> None:
        async with trio.open_nursery():
            raise ZeroDivisionError

    fixture = Fixture(Counting(work=crash))
    async with fixture.running():
        await trio.sleep(0.5)
        fixture.service.work = trio.lowlevel.checkpoint
        await trio.sleep(1)

    assert ["error", "success"] == fixture.statuses
    crashed = fixture.observer.of(Crashed)
    assert ["service counting"] == [fact.where for fact in crashed]
    assert "ZeroDivisionError" in crashed[0].traceback


async def test_stop_lets_the_pass_in_hand_finish(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A half-done delete is repeated after the restart; better to finish it."""

    async def slow() -> None:
        await trio.sleep(5)

    fixture = Fixture(Counting(work=slow))
    async with fixture.running():
        await trio.sleep(1)
        fixture.stopping.set()
        await trio.sleep(6)
        fixture.runner.poke("counting")
        await trio.sleep(100)

    assert ["success"] == fixture.statuses


async def test_stop_has_a_deadline(autojump_clock: trio.testing.MockClock) -> None:
    """A backend that hangs must not hold the process."""
    fixture = Fixture(Counting(work=trio.sleep_forever))
    started = trio.current_time()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(fixture.runner.run)
            await trio.sleep(1)
            fixture.stopping.set()

    assert 11 == trio.current_time() - started
    assert ["cancelled"] == fixture.statuses


class Contended(NoLeases):
    """A lease that others hold or take away."""

    def __init__(self) -> None:
        self.is_free = False
        self.lost = trio.Event()
        self.released: list[int] = []

    async def take(self, name: str) -> int | None:
        return 7 if self.is_free else None

    async def keep(self, name: str, epoch: int) -> None:
        await self.lost.wait()

    async def release(self, name: str, epoch: int) -> None:
        self.released.append(epoch)


async def test_stop_hides_no_failure_and_is_no_crash(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A pass is given up at the deadline, and a part of it fails to tidy up."""

    async def fail_in_the_end() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise LedgerUnavailable("the database is gone")

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(fail_in_the_end)

    one = Fixture(Counting(work=work))
    async with trio.open_nursery() as nursery:
        await nursery.start(one.runner.run)
        await trio.sleep(1)
        one.stopping.set()

    assert ["cancelled"] == one.statuses
    (told,) = one.observer.of(Happened)
    assert ("where", "service counting") in told.fields
    assert "the database is gone" in str(told.fields)


async def test_exclusive_service_skips_while_another_instance_runs_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Two cleaners at once would only do the same work twice."""
    leases = Contended()
    fixture = Fixture(Counting(is_exclusive=True), leases)
    async with fixture.running():
        await trio.sleep(1)
        leases.is_free = True
        await trio.sleep(60)

    assert ["skipped", "success"] == fixture.statuses
    assert [7] == leases.released


async def test_a_poke_is_kept_while_another_instance_runs_the_service(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Whoever poked waits for a pass that knows of it, not for the next tick."""
    leases = Contended()
    fixture = Fixture(Counting(is_exclusive=True), leases)
    async with fixture.running():
        await trio.sleep(1)
        fixture.service.wakeup.poke()
        await trio.sleep(20)
        assert [] == fixture.service.began
        leases.is_free = True
        await trio.sleep(6)

    assert 1 == len(fixture.service.began)


async def test_lost_lease_ends_the_pass(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Who was silent too long must assume that somebody else is at work."""
    leases = Contended()
    leases.is_free = True
    fixture = Fixture(Counting(is_exclusive=True, work=trio.sleep_forever), leases)
    async with fixture.running():
        await trio.sleep(1)
        leases.lost.set()
        await trio.sleep(1)

    assert ["skipped"] == fixture.statuses
    assert [7] == leases.released


async def test_pass_by_hand_waits_for_the_one_in_hand(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """An operator's command must not run into the scheduled pass."""

    async def slow() -> None:
        await trio.sleep(5)

    fixture = Fixture(Counting(work=slow))
    async with fixture.running():
        await trio.sleep(1)
        report = await fixture.runner.run_now("counting")

    assert "pass 2" == report
    assert [0.0, 5.0] == fixture.service.began


def test_unknown_service_cannot_be_poked() -> None:
    """A typo in wiring must show at once."""
    with pytest.raises(KeyError):
        Fixture(Counting()).runner.poke("other")
