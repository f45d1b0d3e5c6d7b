"""Lifecycle rules at work: what ends, what stays, whatever the clock does."""

from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from s3o.ledger.tags import put_tags
from s3o.model.facts import Happened, LifecycleExpired, LifecycleRan
from s3o.model.names import ObjectKey
from s3o.model.tenants import BucketConfig, LifecycleRule
from s3o.model.values import Bucket
from s3o.policy.lifecycle import Expiry
from s3o.services import lifecycle
from s3o.services.lifecycle import INTERVAL_S, Lifecycle, file_expiries
from tests.services.house import House

DAY_S = 86_400.0
YEAR_S = 365 * DAY_S


class Rules:
    """The rules in force, and the service over them."""

    def __init__(self, house: House, *rules: LifecycleRule) -> None:
        self.house = house
        self.rules = rules
        self.of_file: list[Expiry] = []
        self.may_destroy = True
        self.pokes = 0
        self.service = self.make()

    def make(self) -> Lifecycle:
        """A process's service."""
        house = self.house
        return Lifecycle(
            house.ledger,
            house.rig.observer,
            house.rig.clock,
            buckets=self.buckets,
            file_rules=lambda _bucket: self.of_file,
            batch=lambda: 2,
            poke_cleanup=self.poke,
            stopping=house.stopping,
            may_destroy=lambda: self.may_destroy,
        )

    def buckets(self) -> tuple[Bucket, ...]:
        """The one bucket, as its owner has configured it."""
        config = BucketConfig(lifecycle=self.rules)
        return (replace(self.house.writer.bucket, config=config),)

    def poke(self) -> None:
        """The cleanup queue would run."""
        self.pokes += 1

    async def rest(self, days: float) -> None:
        """Let time pass without a pass, after one."""
        await self.service.run_once()
        await trio.sleep(days * DAY_S)

    async def pass_days(self, days: float) -> None:
        """Let time pass with a pass every hour."""
        for _ in range(round(days * 24)):
            await trio.sleep(INTERVAL_S)
            await self.service.run_once()


def rule(**terms: object) -> LifecycleRule:
    """An enabled rule of one day, but for what terms say."""
    return LifecycleRule(**{"id": "r", "is_enabled": True, "expire_days": 1, **terms})


async def keys(house: House, *names: str) -> set[str]:
    """Those of names that are still there."""
    return {name for name in names if await house.find(name) is not None}


async def test_what_is_old_enough_ends_and_nothing_else(
    house: House, autojump_clock: MockClock
) -> None:
    """By prefix, with all that a delete does; every one is told of."""
    rules = Rules(house, rule(prefix="tmp/"))
    for name in ("tmp/a", "tmp/b", "tmp/c", "tmq", "TMP/a"):
        await house.put(name)
    await rules.pass_days(1.9)
    await house.put("tmp/young")
    await rules.pass_days(0.2)

    left = await keys(house, "tmp/a", "tmp/b", "tmp/c", "tmq", "TMP/a", "tmp/young")
    told = house.rig.observer.of(LifecycleExpired)
    assert {"tmq", "TMP/a", "tmp/young"} == left
    assert ["tmp/a", "tmp/b", "tmp/c"] == sorted(fact.key for fact in told)
    assert {("photos", "r", "tmp/", 1)} == {
        (fact.bucket, fact.rule, fact.prefix, fact.expiration_days) for fact in told
    }
    assert 3 == sum(fact.deleted for fact in house.rig.observer.of(LifecycleRan))
    assert 3 == (await house.depths()).cleanup_rows
    assert (await house.quota()).orphan_bytes == 3 * 38
    assert rules.pokes


async def test_rules_of_the_file_count_exact_days(
    house: House, autojump_clock: MockClock
) -> None:
    """Documented: objects older than expiration_days, found by the hourly pass."""
    rules = Rules(house)
    rules.of_file = file_expiries([("tmp/", 1)])
    await house.put("tmp/a")
    await rules.pass_days(1)
    assert {"tmp/a"} == await keys(house, "tmp/a")
    await rules.pass_days(1 / 24)

    assert set() == await keys(house, "tmp/a")


async def test_an_object_overwritten_after_the_listing_survives(
    house: House, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference deleted by key: it ended what had just been written."""
    rules = Rules(house, rule())
    await house.put("cat.jpg")
    await house.put("dog.jpg")
    await rules.rest(3)
    expire = lifecycle.expire_versions

    async def overwrite_first(tx, **given):
        return await expire(tx, **given)

    write = house.ledger.write
    is_first = True

    async def overtaken(step):
        nonlocal is_first
        if is_first and getattr(step, "func", None) is overwrite_first:
            is_first = False
            await house.put("cat.jpg", b"newer")
        return await write(step)

    monkeypatch.setattr(lifecycle, "expire_versions", overwrite_first)
    monkeypatch.setattr(house.ledger, "write", overtaken)
    done = await rules.service.cycle()

    assert not is_first
    assert (1, {"cat.jpg"}) == (done.deleted, await keys(house, "cat.jpg", "dog.jpg"))


async def test_an_object_tagged_anew_after_the_listing_survives(
    house: House, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taking the tag away is how a client says: keep it."""
    rules = Rules(house, rule(tags=(("keep", "no"),)))
    bucket, key = house.writer.bucket, ObjectKey("cat.jpg")
    await house.put("cat.jpg")
    await house.put("dog.jpg")
    for name in ("cat.jpg", "dog.jpg"):
        await house.ledger.write(
            lambda tx, name=name: put_tags(
                tx, bucket, ObjectKey(name), (("keep", "no"),)
            )
        )
    await rules.rest(3)
    scan = house.ledger.scan

    async def overtaken(step):
        page = await scan(step)
        await house.ledger.write(
            lambda tx: put_tags(tx, bucket, key, (("keep", "yes"),))
        )
        return page

    monkeypatch.setattr(house.ledger, "scan", overtaken)
    done = await rules.service.cycle()

    assert (1, {"cat.jpg"}) == (done.deleted, await keys(house, "cat.jpg", "dog.jpg"))


async def test_pages_and_batches_leave_nothing_out(
    house: House, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket is longer than a page."""
    monkeypatch.setattr(lifecycle, "LIFECYCLE_PAGE", 3)
    rules = Rules(house, rule(prefix="a"), rule(prefix="ab", size_above=0))
    names = [f"a{number:02}" for number in range(10)] + ["ab", "b"]
    for name in names:
        await house.put(name)
    await rules.rest(3)

    assert 11 == (await rules.service.cycle()).deleted
    assert {"b"} == await keys(house, *names)


@pytest.mark.parametrize("jump_s", [YEAR_S, 30 * YEAR_S])
async def test_a_clock_that_jumps_ahead_ends_nothing_at_once(
    house: House, autojump_clock: MockClock, jump_s: float
) -> None:
    """A battery dies, a time server lies: there must be days to notice."""
    rules = Rules(house, rule(expire_days=30))
    await house.put("cat.jpg")
    await rules.pass_days(1)
    house.rig.clock.offset_us += round(jump_s * 1_000_000)
    await rules.pass_days(4)
    assert {"cat.jpg"} == await keys(house, "cat.jpg")
    warnings = house.rig.observer.of(Happened)
    house.rig.clock.offset_us = 0
    await rules.pass_days(20)
    assert {"cat.jpg"} == await keys(house, "cat.jpg")
    await rules.pass_days(8)

    assert set() == await keys(house, "cat.jpg")
    assert 1 == len([fact for fact in warnings if "far ahead" in fact.message])


async def test_the_first_pass_of_all_does_not_believe_a_clock_ahead(
    house: House, autojump_clock: MockClock
) -> None:
    """A rule is set, and in that hour the clock stands a year ahead."""
    rules = Rules(house, rule())
    await house.put("cat.jpg")
    await trio.sleep(600)
    house.rig.clock.offset_us = round(YEAR_S * 1_000_000)
    await rules.service.run_once()
    house.rig.clock.offset_us = 0
    await rules.pass_days(1)
    assert {"cat.jpg"} == await keys(house, "cat.jpg")
    await rules.pass_days(1)

    assert set() == await keys(house, "cat.jpg")


async def test_a_clock_set_back_ends_nothing(
    house: House, autojump_clock: MockClock
) -> None:
    """By such a clock everything is young."""
    rules = Rules(house, rule())
    await house.put("cat.jpg")
    await rules.pass_days(1)
    house.rig.clock.offset_us -= round(YEAR_S * 1_000_000)
    await rules.pass_days(3)

    assert {"cat.jpg"} == await keys(house, "cat.jpg")


@pytest.mark.parametrize("column", ["metadata = 'x'", "tags = 'x'"])
async def test_a_damaged_row_keeps_no_other_object_alive(
    house: House, autojump_clock: MockClock, column: str
) -> None:
    """Somebody edited a row: it stays for a person, and the pass counts it."""
    rules = Rules(house, rule())
    names = [f"{number}.jpg" for number in range(5)]
    for name in names:
        await house.put(name)
    house.connection.execute(f"UPDATE objects SET {column} WHERE key = '1.jpg'")
    await rules.pass_days(2.5)
    done = await rules.service.cycle()

    left = house.connection.execute("SELECT key FROM objects").fetchall()
    assert [("1.jpg",)] == left
    assert (0, 1) == (done.deleted, done.failed)


@pytest.mark.parametrize("years", [1, 56])
async def test_a_clock_set_back_for_a_while_costs_no_more_than_that_while(
    house: House, autojump_clock: MockClock, years: int
) -> None:
    """A machine without a battery starts in 1970, until it has asked for the time."""
    rules = Rules(house, rule(expire_days=7))
    await house.put("cat.jpg")
    await rules.pass_days(6)
    house.rig.clock.offset_us = -round(years * YEAR_S * 1_000_000)
    rules.service = rules.make()
    await rules.pass_days(2 / 24)
    assert {"cat.jpg"} == await keys(house, "cat.jpg")
    house.rig.clock.offset_us = 0
    await rules.pass_days(2)

    assert set() == await keys(house, "cat.jpg")
    told = [fact.message for fact in house.rig.observer.of(Happened)]
    assert not [message for message in told if "far ahead" in message]


async def test_nights_switched_off_are_caught_up_with(
    house: House, autojump_clock: MockClock
) -> None:
    """A machine that runs eight hours a day still expires by days."""
    rules = Rules(house, rule(expire_days=7))
    await house.put("cat.jpg")
    for _ in range(9):
        rules.service = rules.make()
        await rules.pass_days(8 / 24)
        await trio.sleep(16 * 3600)
    rules.service = rules.make()
    await rules.pass_days(8 / 24)

    assert set() == await keys(house, "cat.jpg")


async def test_nothing_is_deleted_while_the_gate_is_closed(
    house: House, autojump_clock: MockClock
) -> None:
    """An old ledger takes for current what was replaced long ago."""
    rules = Rules(house, rule())
    await house.put("cat.jpg")
    await rules.rest(3)
    rules.may_destroy = False
    assert "" == await rules.service.run_once()
    rules.may_destroy = True

    assert "expired 1 objects" == await rules.service.run_once()


async def test_without_rules_the_ledger_is_not_asked(house: House) -> None:
    """Documented: an empty list is off."""
    rules = Rules(house, rule(is_enabled=False))

    assert "" == await rules.service.run_once()
    assert [] == house.rig.observer.of(LifecycleRan)
