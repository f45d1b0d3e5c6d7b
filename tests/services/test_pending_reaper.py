"""Writes whose process died are finished or dropped; live ones are left alone."""

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from s3o.ledger.intents import beat
from s3o.model.facts import IntentResolved
from s3o.model.names import StorageKey
from s3o.model.values import WriteConditions
from s3o.services.pending_reaper import PendingReaper
from tests.fakes.faults import Fault
from tests.ledger.house import ONE, TWO
from tests.services.house import House


def outcomes(house: House) -> list[str]:
    return [
        fact.outcome
        for fact in house.rig.observer.of(IntentResolved)
        if fact.is_by_reaper
    ]


async def reap(house: House, reaper: PendingReaper | None = None) -> str:
    """Let a reaper see the intents, wait, and look again."""
    reaper = reaper or house.reaper()
    await reaper.run_once()
    await trio.sleep(301)
    return await reaper.run_once()


async def test_complete_write_is_promoted(
    house: House, autojump_clock: MockClock
) -> None:
    """The bytes are there and proven: the object appears, nothing is uploaded twice."""
    storage_key = await house.announce("cat.jpg")
    await house.send(storage_key)
    report = await reap(house)
    found = await house.find("cat.jpg")

    assert "promoted 1" == report
    assert ["promoted"] == outcomes(house)
    assert found is not None
    assert (storage_key, 10) == (found.locations[0].storage_key, found.version.size)
    quota = await house.quota()
    assert (38, 0, 0) == (quota.used_bytes, quota.reserved_bytes, quota.orphan_bytes)


async def test_write_without_bytes_is_dropped_and_its_name_queued(
    house: House,
    autojump_clock: MockClock,
) -> None:
    """The bytes may still arrive, so the name must be deleted again later."""
    await house.announce("cat.jpg")
    report = await reap(house)
    quota = await house.quota()

    assert "dropped 1" == report
    assert None is await house.find("cat.jpg")
    assert (0, 38) == (quota.reserved_bytes, quota.orphan_bytes)
    assert 1 == (await house.depths()).cleanup_rows


@pytest.mark.parametrize("body", [b"012345678", b"012345678X", b"0123456789A"])
async def test_other_bytes_than_announced_are_dropped(
    house: House, autojump_clock: MockClock, body: bytes
) -> None:
    """A truncated or damaged upload must never become an object."""
    storage_key = await house.announce("cat.jpg")
    await house.send(storage_key, body)

    assert "dropped 1" == await reap(house)
    assert None is await house.find("cat.jpg")


async def test_write_without_digests_is_dropped(
    house: House, autojump_clock: MockClock
) -> None:
    """Without them the version row could not be written truthfully."""
    storage_key = await house.announce("cat.jpg", with_digests=False)
    await house.send(storage_key)

    assert "dropped 1" == await reap(house)


async def test_silence_is_judged_by_our_own_monotonic_clock(
    house: House, autojump_clock: MockClock
) -> None:
    """Clocks that jump or differ between machines must not kill an upload."""
    await house.announce("cat.jpg")
    reaper = house.reaper()
    await reaper.run_once()
    house.rig.clock.offset_us += 10**12
    await reaper.run_once()
    await trio.sleep(299)
    await reaper.run_once()
    assert [] == outcomes(house)
    await trio.sleep(2)
    await reaper.run_once()

    assert ["dropped"] == outcomes(house)


async def test_beating_write_lives_for_hours(
    house: House, autojump_clock: MockClock
) -> None:
    """A slow upload of a large file is not dead."""
    storage_key = await house.announce("cat.jpg")
    reaper = house.reaper()
    for _ in range(60):
        await trio.sleep(120)
        await house.ledger.write(lambda tx: beat(tx, [storage_key]))
        await reaper.run_once()

    assert [] == outcomes(house)
    assert 1 == (await house.depths()).intents


async def test_own_live_write_is_never_touched(
    house: House, autojump_clock: MockClock
) -> None:
    """If heartbeats cannot be written for long, the writer still knows it lives."""
    house.live.add(await house.announce("cat.jpg"))

    assert "" == await reap(house)


async def test_backend_that_does_not_answer_leaves_the_question_open(
    house: House,
    autojump_clock: MockClock,
) -> None:
    """Guessing would either lose bytes from the books or resurrect them."""
    storage_key = await house.announce("cat.jpg")
    await house.send(storage_key)
    reaper = house.reaper()
    house.rig.inner["one"].faults.down = Fault.UNREACHABLE
    assert "" == await reap(house, reaper)
    house.rig.inner["one"].faults.heal()

    assert "promoted 1" == await reaper.run_once()


async def test_newer_write_wins_over_a_dead_one(
    house: House, autojump_clock: MockClock
) -> None:
    """The client was told that the second write succeeded."""
    first = await house.announce("cat.jpg", b"0123456789")
    await house.send(first)
    second = await house.put("cat.jpg", b"9876543210")
    await reap(house)
    found = await house.find("cat.jpg")

    assert found is not None
    assert second == found.locations[0].storage_key
    assert ["superseded"] == outcomes(house)
    assert 0 == (await house.depths()).intents
    assert 1 == (await house.depths()).cleanup_rows


async def test_deletion_wins_over_a_dead_write(
    house: House, autojump_clock: MockClock
) -> None:
    """A deleted object must not come back by itself."""
    storage_key = await house.announce("cat.jpg")
    await house.send(storage_key)
    await house.delete("cat.jpg")
    await reap(house)

    assert None is await house.find("cat.jpg")
    assert ["superseded"] == outcomes(house)


async def test_condition_that_no_longer_holds_drops_the_write(
    house: House, autojump_clock: MockClock
) -> None:
    """If-None-Match: * was a promise not to overwrite anything."""
    conditions = WriteConditions(if_none_match_any=True)
    first = await house.announce("cat.jpg", conditions=conditions)
    await house.send(first)
    await house.put("cat.jpg")
    await reap(house)
    found = await house.find("cat.jpg")

    assert found is not None
    assert first != found.locations[0].storage_key
    assert 0 == (await house.depths()).intents


async def test_backend_that_left_the_configuration_ends_the_wait(
    house: House, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can ever look for those bytes; the client was not told of success."""
    await house.announce("cat.jpg")
    find: Callable[[str], object] = lambda name: (  # noqa: E731
        None if name == ONE else house.rig.guarded(TWO)
    )
    monkeypatch.setattr(house.rig.fleet, "find", find)

    assert "dropped 1" == await reap(house)


async def test_batch_bounds_a_pass(house: House, autojump_clock: MockClock) -> None:
    """A crash amid a thousand uploads must not stall the ledger afterwards."""
    keys: list[StorageKey] = [await house.announce(f"{n}.jpg") for n in range(60)]
    reaper = house.reaper()

    assert "dropped 50" == await reap(house, reaper)
    assert "dropped 10" == await reaper.run_once()
    assert 60 == len(set(keys))


async def test_what_cannot_be_resolved_holds_nothing_else_back(
    house: House, autojump_clock: MockClock
) -> None:
    """A backend that is down must not keep the others' dead writes for ever."""
    first, second = [await house.announce(f"{n}.jpg") for n in range(2)]
    reaper = house.reaper(batch=1)
    house.rig.inner[ONE].faults.next("head", Fault.ERROR_BEFORE)

    assert "" == await reap(house, reaper)
    assert "dropped 1" == await reaper.run_once()
    [resolved] = house.rig.observer.of(IntentResolved)
    assert (first < second, second) == (True, resolved.storage_key)
    assert "dropped 1" == await reaper.run_once()


async def test_key_whose_row_is_damaged_holds_no_other_write_back(
    house: House, autojump_clock: MockClock
) -> None:
    """Somebody edited a row: the dead writes of all other keys are settled."""
    await house.put("0.jpg")
    keys = [await house.announce(f"{n}.jpg") for n in range(3)]
    for storage_key in keys:
        await house.send(storage_key)
    house.connection.execute("UPDATE objects SET size = -5 WHERE key = '0.jpg'")
    report = await reap(house)

    assert "promoted 2" == report
    assert None is not await house.find("1.jpg")
    assert None is not await house.find("2.jpg")
    assert 1 == (await house.depths()).intents
