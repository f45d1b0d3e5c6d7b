"""Usage, locks, meta and buckets: small tables, each with one promise."""

from s3o.ledger.buckets import ensure_bucket, find_bucket, list_buckets
from s3o.ledger.locks import (
    LockWatch,
    SeenLock,
    beat_lock,
    holds_lock,
    read_lock,
    release_lock,
    take_lock,
)
from s3o.ledger.meta import (
    cluster_id,
    count_time,
    ensure_cluster_id,
    high_water_us,
    ledger_epoch,
    note_time,
)
from s3o.ledger.seam import Engine
from s3o.ledger.usage import add_usage, read_usage
from s3o.model.names import BucketName
from s3o.model.values import Usage
from tests.ledger.house import NOW_US, ONE, TWO


async def test_usage_adds_up_within_a_month(engine: Engine) -> None:
    """A monthly limit that forgets a flush is paid for in money."""
    for period in ("2026-01", "2026-01", "2026-02"):
        await engine.write(
            lambda tx, period=period: add_usage(
                tx, period, {TWO: Usage(1, 2, 3), ONE: Usage(10, 0, 0)}, NOW_US
            )
        )

    assert {ONE: Usage(20, 0, 0), TWO: Usage(2, 4, 6)} == await engine.read(
        lambda tx: read_usage(tx, "2026-01")
    )
    assert {} == await engine.read(lambda tx: read_usage(tx, "2025-12"))


async def test_a_bucket_is_made_once(engine: Engine) -> None:
    """Two starts, one bucket, one id."""
    first = await engine.write(lambda tx: ensure_bucket(tx, BucketName("b"), NOW_US))
    again = await engine.write(lambda tx: ensure_bucket(tx, BucketName("b"), 5))
    other = await engine.write(lambda tx: ensure_bucket(tx, BucketName("a"), NOW_US))

    assert first == again
    assert [other, first] == await engine.read(list_buckets)
    assert await engine.read(lambda tx: find_bucket(tx, BucketName("c"))) is None


async def test_a_lock_has_one_holder_and_a_rising_epoch(engine: Engine) -> None:
    """The epoch is what fences off a holder that was asleep."""
    assert await engine.read(lambda tx: read_lock(tx, "cleanup")) is None
    first = await engine.write(lambda tx: take_lock(tx, "cleanup", "one"))
    refused = await engine.write(lambda tx: take_lock(tx, "cleanup", "two"))
    assert await engine.write(lambda tx: release_lock(tx, "cleanup", "one", 1))
    second = await engine.write(lambda tx: take_lock(tx, "cleanup", "two"))

    assert [1, None, 2] == [first, refused, second]
    assert not await engine.write(lambda tx: beat_lock(tx, "cleanup", "one", 1))
    assert not await engine.write(lambda tx: release_lock(tx, "cleanup", "one", 1))
    assert not await engine.write(lambda tx: holds_lock(tx, "cleanup", 1))
    assert await engine.write(lambda tx: holds_lock(tx, "cleanup", 2))


async def test_a_silent_lock_is_taken_over_and_a_beating_one_is_not(
    engine: Engine,
) -> None:
    """Judged by the observer's own clock, so that skew cannot steal a lock."""
    watch = LockWatch(30.0)
    await engine.write(lambda tx: take_lock(tx, "reaper", "one"))
    seen = await engine.read(lambda tx: read_lock(tx, "reaper"))
    assert SeenLock(1, "one", 0) == seen
    assert not watch.is_abandoned(seen, 100.0)
    await engine.write(lambda tx: beat_lock(tx, "reaper", "one", 1))
    too_late = await engine.write(lambda tx: take_lock(tx, "reaper", "two", seen))
    beaten = await engine.read(lambda tx: read_lock(tx, "reaper"))
    assert beaten is not None

    assert too_late is None
    assert not watch.is_abandoned(beaten, 200.0)
    assert not watch.is_abandoned(beaten, 229.9)
    assert watch.is_abandoned(beaten, 230.0)
    assert 2 == await engine.write(lambda tx: take_lock(tx, "reaper", "two", beaten))


async def test_the_cluster_keeps_its_first_id(engine: Engine) -> None:
    """It stands in every record on every backend."""
    first = await engine.write(lambda tx: ensure_cluster_id(tx, "aaaa"))
    again = await engine.write(lambda tx: ensure_cluster_id(tx, "bbbb"))

    assert ["aaaa", "aaaa"] == [first, again]
    assert "aaaa" == await engine.read(cluster_id)
    assert 0 == await engine.read(ledger_epoch)


async def test_the_high_water_clock_never_falls(engine: Engine) -> None:
    """A clock that jumped back must not make young things old."""
    for now_us in (NOW_US, NOW_US - 5, NOW_US + 7):
        await engine.write(lambda tx, now_us=now_us: note_time(tx, now_us))

    assert NOW_US + 7 == await engine.read(high_water_us)


async def test_the_counted_clock_starts_once_and_never_falls(engine: Engine) -> None:
    """Ages are told by it, and several instances raise it."""
    counted = [
        await engine.write(lambda tx, at=at, now=now: count_time(tx, at, now))
        for at, now in ((None, 100), (None, 999), (150, 0), (120, 0))
    ]

    assert [100, 100, 150, 150] == counted
