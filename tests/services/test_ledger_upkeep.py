"""The ledger's clocks and its tombstones, whatever the wall clock does."""

import pytest
import trio
from trio.testing import MockClock

from s3o.ledger.meta import high_water_us
from s3o.ledger.tombstones import list_expired_tombstones
from s3o.model.facts import Happened
from s3o.services.ledger_upkeep import DAY_S, INTERVAL_S, LedgerUpkeep
from tests.services.house import House

YEAR_S = 365 * DAY_S
FAR_US = 1 << 62


def upkeep_of(house: House) -> LedgerUpkeep:
    """A process's service over this house."""
    return LedgerUpkeep(
        house.ledger, house.rig.observer, house.rig.clock, stopping=house.stopping
    )


def jump(house: House, seconds: float) -> None:
    """Set the wall clock."""
    house.rig.clock.offset_us += round(seconds * 1_000_000)


async def remembered(house: House) -> list[str]:
    """The keys that have a tombstone."""
    found = await house.ledger.scan(
        lambda tx: list_expired_tombstones(tx, FAR_US, limit=10_000)
    )
    return [one.key for one in found]


async def pass_time(upkeep: LedgerUpkeep, days: float) -> None:
    """Let time pass with a pass every half day."""
    for _ in range(round(days * 2)):
        await trio.sleep(DAY_S / 2)
        await upkeep.run_once()


async def test_deletes_are_forgotten_after_a_month(
    house: House, autojump_clock: MockClock
) -> None:
    """Not before: a rebuild would bring the key back. And not never."""
    upkeep = upkeep_of(house)
    await upkeep.note_clocks()
    await house.delete("cat.jpg")
    await pass_time(upkeep, 30)
    assert ["cat.jpg"] == await remembered(house)
    await trio.sleep(2 * DAY_S)
    await pass_time(upkeep, 1)

    assert [] == await remembered(house)


async def test_pass_says_what_it_did(house: House, autojump_clock: MockClock) -> None:
    """The line in the log is all that an operator sees of it."""
    upkeep = upkeep_of(house)
    assert "" == await upkeep.run_once()
    for number in range(1100):  # more than two pages
        await house.delete(f"{number}.jpg")
    reports = set()
    for _ in range(33):
        await trio.sleep(DAY_S)
        reports.add(await upkeep.run_once())

    assert {"", "forgot 1100 deletes"} == reports


async def test_stopping_ends_a_pass(house: House, autojump_clock: MockClock) -> None:
    """A table of millions must not delay the end."""
    upkeep = upkeep_of(house)
    await upkeep.note_clocks()
    await house.delete("cat.jpg")
    for _ in range(33):
        await trio.sleep(DAY_S)
        await upkeep.note_clocks()
    house.stopping.set()

    assert "" == await upkeep.run_once()


@pytest.mark.parametrize("seconds", [YEAR_S, -YEAR_S, 10 * YEAR_S])
async def test_jump_of_the_wall_clock_makes_no_tombstone_old(
    house: House, autojump_clock: MockClock, seconds: float
) -> None:
    """A dead battery or a typing error must not undo deletes."""
    upkeep = upkeep_of(house)
    await upkeep.note_clocks()
    await house.delete("before.jpg")
    await pass_time(upkeep, 1)
    jump(house, seconds)
    await house.delete("during.jpg")
    await pass_time(upkeep, 1)
    jump(house, -seconds)
    await house.delete("after.jpg")
    await pass_time(upkeep, 27)

    assert ["after.jpg", "before.jpg", "during.jpg"] == await remembered(house)


@pytest.mark.parametrize("seconds", [YEAR_S, -YEAR_S])
async def test_jump_between_two_processes_makes_no_tombstone_old(
    house: House, autojump_clock: MockClock, seconds: float
) -> None:
    """After a start nobody can tell a jump from time that passed."""
    first = upkeep_of(house)
    await first.note_clocks()
    await house.delete("before.jpg")
    jump(house, seconds)
    second = upkeep_of(house)
    await second.note_clocks()
    await house.delete("during.jpg")
    jump(house, -seconds)
    third = upkeep_of(house)
    await pass_time(third, 29)

    assert ["before.jpg", "during.jpg"] == await remembered(house)


async def test_passes_that_failed_make_no_tombstone_old(
    house: House, autojump_clock: MockClock
) -> None:
    """With the wall clock behind, tombstones get the last time that was written."""
    upkeep = upkeep_of(house)
    await upkeep.note_clocks()
    jump(house, -YEAR_S)
    await trio.sleep(60 * DAY_S)
    await house.delete("cat.jpg")
    await upkeep.run_once()
    await pass_time(upkeep, 29)

    assert ["cat.jpg"] == await remembered(house)


async def test_several_processes_count_time_once(
    house: House, autojump_clock: MockClock
) -> None:
    """Two instances that add their hours up would make a month of a fortnight."""
    one, two = upkeep_of(house), upkeep_of(house)
    await one.note_clocks()
    await house.delete("cat.jpg")
    for _ in range(60):
        await trio.sleep(DAY_S / 2)
        await one.run_once()
        await two.run_once()

    assert ["cat.jpg"] == await remembered(house)


async def test_clock_behind_the_high_water_mark_is_warned_of_at_start(
    house: House, autojump_clock: MockClock
) -> None:
    """Signatures fail and ages are wrong until somebody sets the clock."""
    await upkeep_of(house).note_clocks()
    jump(house, -3600)
    restarted = upkeep_of(house)
    await restarted.note_clocks()
    await restarted.run_once()
    (warning,) = house.rig.observer.of(Happened)

    assert ("warning", (("behind_s", 3600),)) == (warning.level, warning.fields)
    jump(house, 3600)
    await restarted.run_once()
    jump(house, -90)
    await restarted.run_once()
    assert 2 == len(house.rig.observer.of(Happened))


async def test_high_water_mark_is_written(
    house: House, autojump_clock: MockClock
) -> None:
    """A restart long after must know how late it was."""
    upkeep = upkeep_of(house)
    await upkeep.note_clocks()
    await trio.sleep(INTERVAL_S)
    await upkeep.run_once()

    assert house.rig.clock.now_us() == await house.ledger.read(high_water_us)


async def test_small_corrections_are_no_news(
    house: House, autojump_clock: MockClock
) -> None:
    """NTP steps clocks by seconds."""
    upkeep = upkeep_of(house)
    await upkeep.note_clocks()
    jump(house, -59)
    await upkeep.note_clocks()

    assert [] == house.rig.observer.of(Happened)
