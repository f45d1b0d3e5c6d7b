"""Usage flush, heartbeats, breaker watchdog."""

import pytest
import trio
from trio.testing import MockClock

from s3o.backends.guard import BackendLimits
from s3o.ledger.intents import list_intents
from s3o.ledger.usage import read_usage
from s3o.model.errors import BackendUnreachable, LedgerUnavailable
from s3o.model.facts import Happened, QueueObserved, QuotaObserved, UsageObserved
from s3o.model.values import BreakerState, Usage
from s3o.policy.usage import UsageLimits
from s3o.services.breaker_watchdog import BreakerWatchdog
from s3o.services.heartbeats import Heartbeats
from s3o.services.usage_flush import FlushPace, UsageFlush
from tests.fakes.faults import Fault
from tests.ledger.house import ONE, TWO
from tests.services.house import House

MONTH = "2026-01"


def flush_of(house: House, pace: FlushPace | None = None) -> UsageFlush:
    return UsageFlush(
        house.ledger,
        house.rig.fleet,
        house.rig.observer,
        house.rig.clock,
        pace=lambda: pace or FlushPace(),
    )


async def flushed(house: House, period: str = MONTH) -> dict[str, Usage]:
    return dict(await house.ledger.read(lambda tx: read_usage(tx, period)))


async def test_usage_reaches_the_ledger_once(
    house: House, autojump_clock: MockClock
) -> None:
    """Counting twice costs the client's limit, counting none the operator's money."""
    await house.put("cat.jpg")
    flush = flush_of(house)
    report = await flush.run_once()
    await flush.run_once()

    assert {ONE: Usage(1, 0, 38)} == await flushed(house)
    assert Usage(1, 0, 38) == house.rig.counters.of(ONE).effective()
    assert "flushed 1 backends" == report


async def test_failed_flush_loses_no_count(
    house: House, autojump_clock: MockClock
) -> None:
    """The database may be away for an hour; its limits must not forget that hour."""
    await house.put("cat.jpg")
    flush = flush_of(house)
    write = house.ledger.write

    async def fail(_step: object) -> None:
        raise LedgerUnavailable("down")

    house.ledger.write = fail  # type: ignore[method-assign, assignment]
    with pytest.raises(LedgerUnavailable):
        await flush.run_once()
    assert Usage(1, 0, 38) == house.rig.counters.of(ONE).effective()
    house.ledger.write = write  # type: ignore[method-assign]
    await flush.run_once()

    assert {ONE: Usage(1, 0, 38)} == await flushed(house)


async def test_counts_go_to_the_month_they_were_made_in(
    house: House, autojump_clock: MockClock
) -> None:
    """Bills are monthly; the flush that comes after midnight must not shift them."""
    await house.put("cat.jpg")
    house.rig.clock.offset_us += 20 * 86_400 * 1_000_000
    await house.put("dog.jpg")
    await flush_of(house).run_once()

    assert {ONE: Usage(1, 0, 38)} == await flushed(house)
    assert {ONE: Usage(1, 0, 38)} == await flushed(house, "2026-02")


async def test_idle_flush_writes_nothing(
    house: House, autojump_clock: MockClock
) -> None:
    """A write every thirty seconds would keep disks from sleeping."""
    flush = flush_of(house)
    await flush.run_once()

    async def fail(_step: object) -> None:
        raise AssertionError("a write")

    house.ledger.write = fail  # type: ignore[method-assign, assignment]

    assert "" == await flush.run_once()


async def test_other_instances_use_becomes_the_baseline(
    house: House, autojump_clock: MockClock
) -> None:
    """Limits are the month's, whoever used them."""
    async with trio.open_nursery():
        await house.put("cat.jpg")
        await flush_of(house).run_once()
        await house.ledger.write(
            lambda tx: tx.run(
                "add_usage",
                backend_name=ONE,
                period=MONTH,
                api_requests=100,
                egress_bytes=7,
                ingress_bytes=0,
                now_us=0,
            )
        )
        await flush_of(house).run_once()

    assert Usage(101, 7, 38) == house.rig.counters.of(ONE).effective()


async def test_gauges_show_what_the_ledger_holds(
    house: House, autojump_clock: MockClock
) -> None:
    """The operator's dashboard is fed by this and nothing else."""
    await house.put("cat.jpg")
    await house.put("dog.jpg")
    await house.delete("dog.jpg")
    await house.announce("bird.jpg")
    await flush_of(house).run_once()
    observer = house.rig.observer
    quota = next(fact for fact in observer.of(QuotaObserved) if fact.backend == ONE)

    assert (1_000_000, 38, 38, 1) == (
        quota.limit_bytes,
        quota.used_bytes,
        quota.orphan_bytes,
        quota.objects,
    )
    assert [QueueObserved(cleanup_rows=1, dead_letters=0, intents=1)] == observer.of(
        QueueObserved
    )
    assert {ONE, TWO} == {fact.backend for fact in observer.of(UsageObserved)}


async def test_capacity_is_warned_of_once_until_it_recovers(
    house: House, autojump_clock: MockClock
) -> None:
    """A warning every thirty seconds is one that nobody reads."""
    await house.put("cat.jpg", b"x" * 900_000)
    flush = flush_of(house)
    await flush.run_once()
    await flush.run_once()
    warnings = house.rig.observer.of(Happened)

    assert ["backend approaching capacity"] == [fact.message for fact in warnings]
    await house.delete("cat.jpg")
    await house.cleanup().run_once()
    await flush.run_once()
    await house.put("dog.jpg", b"x" * 900_000)
    await flush.run_once()
    assert 2 == len(house.rig.observer.of(Happened))


async def test_pace_quickens_near_a_limit(
    house: House, autojump_clock: MockClock
) -> None:
    """Other instances' use is only known as of the last flush."""
    pace = FlushPace(interval_s=30, fast_interval_s=5, fast_threshold=0.8)
    flush = flush_of(house, pace)
    assert 30 == flush.interval_s
    limits = UsageLimits(api_requests=10)
    house.rig.guarded(ONE).limits = BackendLimits(usage=limits)
    for _ in range(8):
        await house.rig.guarded(ONE).probe()

    assert 5 == flush.interval_s
    assert 30 == flush_of(house).interval_s


async def test_heartbeats_count_for_live_writes_only(
    house: House, autojump_clock: MockClock
) -> None:
    """A dead process's intents must fall silent with it."""
    live = await house.announce("cat.jpg")
    await house.announce("dog.jpg")
    beats = Heartbeats(house.ledger, live=lambda: [live], min_age_s=lambda: 300.0)
    await beats.run_once()
    await beats.run_once()
    rows = await house.ledger.read(lambda tx: list_intents(tx, 10))
    counts = {row.storage_key == live: row.heartbeat for row in rows}

    assert counts[True] == counts[False] + 2
    assert 30 == beats.interval_s


@pytest.mark.parametrize(("min_age_s", "interval_s"), [(300, 30), (60, 12), (0.1, 1)])
def test_several_beats_fit_into_the_silence(
    min_age_s: float, interval_s: float
) -> None:
    """One beat that fails must not kill a write."""
    beats = Heartbeats(
        None,  # type: ignore[arg-type]
        live=list,
        min_age_s=lambda: min_age_s,
    )

    assert interval_s == beats.interval_s


async def test_watchdog_probes_an_open_circuit_that_nobody_calls(
    house: House,
    autojump_clock: MockClock,
) -> None:
    """Not ready means no traffic, and no traffic means no probe: it must recover."""
    guarded = house.rig.guarded(ONE)
    house.rig.inner["one"].faults.down = Fault.UNREACHABLE
    for _ in range(3):
        with pytest.raises(BackendUnreachable):
            await guarded.probe()
    watchdog = BreakerWatchdog(house.ledger, house.rig.fleet)
    house.rig.inner["one"].faults.heal()
    await watchdog.run_once()
    assert BreakerState.OPEN is guarded.state
    await trio.sleep(400)
    await watchdog.run_once()

    assert BreakerState.CLOSED is guarded.state


async def test_watchdog_leaves_a_failing_backend_open(
    house: House, autojump_clock: MockClock
) -> None:
    """A probe that fails is no failure of the service."""
    guarded = house.rig.guarded(ONE)
    house.rig.inner["one"].faults.down = Fault.HANG
    for _ in range(3):
        with pytest.raises(Exception, match="reason"):
            await guarded.probe()
    await trio.sleep(400)

    assert "" == await BreakerWatchdog(house.ledger, house.rig.fleet).run_once()
    assert BreakerState.OPEN is guarded.state


async def test_watchdog_calls_no_healthy_backend(
    house: House, autojump_clock: MockClock
) -> None:
    """Probes are requests on the operator's bill."""
    await BreakerWatchdog(house.ledger, house.rig.fleet).run_once()

    assert [] == house.rig.inner["one"].books.calls
