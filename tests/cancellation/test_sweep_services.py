"""A service's pass may be cancelled at any step; the next one does what is left."""

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from s3o.ledger.usage import read_usage
from s3o.model import limits
from s3o.services.usage_flush import FlushPace, UsageFlush
from tests.cancellation.rules import MAX_STEPS, NEW, OLD, check, put_new
from tests.cancellation.sweep import cancel_at
from tests.fakes.faults import Fault
from tests.fakes.mortal import MortalEngine
from tests.objects.house import House, open_house

Operate = Callable[[House], Awaitable[object]]


pytestmark = pytest.mark.slow


async def _clean(house: House) -> None:
    await house.cleanup.run_once()


async def _reap(house: House) -> None:
    await house.reaper.run_once()


@pytest.mark.parametrize(
    "fault", [None, Fault.ERROR_AFTER, Fault.LOST_ANSWER, Fault.ERROR_BEFORE]
)
async def test_cleanup_cancelled_at_any_step_forgets_nothing(
    fault: Fault | None, autojump_clock: MockClock
) -> None:
    """Bytes stay on the quota until they are gone, whoever was interrupted."""
    for number in range(1, MAX_STEPS):
        async with open_house() as house:
            await house.put(NEW)
            await house.put(OLD)
            await house.put(NEW, "other")
            await house.delete("other")
            await trio.sleep(2)
            house.rig.inner["one"].faults.next("delete", fault)
            outcome = await cancel_at(number, partial(_clean, house), of_all=True)
            await check(house, "done", OLD, OLD, f"step {number}: {outcome}")
        if outcome == "over":
            assert number > 10
            return
    raise AssertionError("the pass does not end")


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.STORE_THEN_HANG, Fault.STORE_PART])
async def test_reaper_cancelled_at_any_step_decides_once(
    fault: Fault, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead write is finished or dropped, never half of either."""
    monkeypatch.setattr(limits, "REPLAY_BYTES", 100_000)
    after = NEW if fault is Fault.STORE_THEN_HANG else OLD
    for number in range(1, MAX_STEPS):
        async with open_house(make_engine=MortalEngine) as house:
            await house.put(OLD)
            house.rig.inner["one"].faults.next("put", fault)
            with trio.move_on_after(5) as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(put_new, house)
                    await trio.sleep(4)
                    MortalEngine.last.is_dead = True
            assert scope.cancelled_caught
            MortalEngine.last.is_dead = False
            await house.reaper.run_once()
            await trio.sleep(301)
            outcome = await cancel_at(number, partial(_reap, house), of_all=True)
            await check(house, "cancelled", OLD, after, f"step {number}: {outcome}")
            assert after == await house.find_body(), f"step {number}: {outcome}"
        if outcome == "over":
            assert number > 3
            return
    raise AssertionError("the pass does not end")


async def test_usage_flush_cancelled_at_any_step_counts_once(
    autojump_clock: MockClock,
) -> None:
    """A request too few costs the operator money, one too many costs him service."""
    for number in range(1, MAX_STEPS):
        async with open_house() as house:
            await house.put(OLD)
            await house.get()
            flush = UsageFlush(
                house.ledger,
                house.rig.fleet,
                house.rig.observer,
                house.rig.clock,
                pace=FlushPace,
            )
            outcome = await cancel_at(number, flush.run_once, of_all=True)
            await house.get()
            await flush.run_once()
            period = house.rig.counters.period()
            flushed = await house.ledger.read(partial(read_usage, period=period))
            used = flushed[house.rig.inner["one"].name]
            counted = (used.api_requests, used.ingress_bytes, used.egress_bytes)
            assert (3, len(OLD), 2 * len(OLD)) == counted, f"step {number}"
            assert used == house.rig.counters.effective()[house.rig.inner["one"].name]
        if outcome == "over":
            assert number > 3
            return
    raise AssertionError("the pass does not end")
