"""All services on one runner, as the daemon runs them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from s3o.model.facts import Crashed, QuotaObserved, ServiceRan
from s3o.services.breaker_watchdog import BreakerWatchdog
from s3o.services.cleanup_queue import LONE_GRACE_S, CleanupQueue
from s3o.services.heartbeats import Heartbeats
from s3o.services.runner import Runner
from s3o.services.service import NoLeases
from s3o.services.usage_flush import FlushPace, UsageFlush
from tests.fakes.entropy import SeededEntropy
from tests.fakes.faults import Fault
from tests.services.house import House


@asynccontextmanager
async def kept_in_order(house: House) -> AsyncIterator[CleanupQueue]:
    rig = house.rig
    cleanup = house.cleanup(grace_s=LONE_GRACE_S)
    flush = UsageFlush(
        house.ledger,
        rig.fleet,
        rig.observer,
        rig.clock,
        pace=lambda: FlushPace(interval_s=600),
    )
    beats = Heartbeats(
        house.ledger, live=lambda: sorted(house.live), min_age_s=lambda: 300.0
    )
    services = [
        flush,
        BreakerWatchdog(house.ledger, rig.fleet),
        cleanup,
        house.reaper(),
        beats,
    ]
    runner = Runner(
        services,
        NoLeases(),
        rig.observer,
        rig.clock,
        SeededEntropy(0),
        stopping=house.stopping,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(runner.run)
        yield cleanup
        house.stopping.set()
    await flush.run_once()


@pytest.mark.slow
async def test_a_day_of_faults_ends_with_books_that_balance(
    house: House, autojump_clock: MockClock
) -> None:
    """Whatever failed meanwhile: names and sums must equal the backend's in the end."""
    inner = house.rig.inner["one"]
    async with kept_in_order(house) as cleanup:
        for number in range(40):
            await house.put(f"{number}.jpg")
            await house.announce(f"lost {number}.jpg")  # its process dies
            if number % 2:
                inner.faults.next("delete", Fault.ERROR_AFTER, Fault.UNREACHABLE)
                await house.delete(f"{number}.jpg")
                cleanup.poke()
            await trio.sleep(120)
        await trio.sleep(26 * 3600)

    quota = await house.quota()
    assert 20 == len(house.names())
    assert (20 * 38, 0, 0) == (
        quota.used_bytes,
        quota.reserved_bytes,
        quota.orphan_bytes,
    )
    depths = await house.depths()
    assert (0, 0, 0) == (depths.cleanup_rows, depths.dead_letters, depths.intents)
    observer = house.rig.observer
    assert [] == observer.of(Crashed)
    assert {"success"} == {fact.status for fact in observer.of(ServiceRan)}
    assert (
        20 * 38
        == [
            fact.used_bytes
            for fact in observer.of(QuotaObserved)
            if fact.backend == "one"
        ][-1]
    )


async def test_full_house_takes_a_new_object_as_soon_as_one_is_deleted(
    house: House, autojump_clock: MockClock
) -> None:
    """The room of a deleted file is there for the next one, without a minute's wait."""
    async with kept_in_order(house) as cleanup:
        await trio.sleep(60)
        await house.put("cat.jpg", b"x" * 999_900)
        await house.delete("cat.jpg")
        with trio.fail_after(3):
            freed = await cleanup.next_pass()

    assert 999_928 == freed
