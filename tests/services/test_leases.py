"""Leases between instances that share a ledger."""

import pytest
import trio
from trio.testing import MockClock

from s3o.model.errors import LedgerUnavailable
from s3o.services.leases import LedgerLeases
from tests.services.house import House

NAME = "cleanup-queue"


def leases_of(house: House, holder: str) -> LedgerLeases:
    return LedgerLeases(house.ledger, house.rig.clock, holder)


async def test_one_holder_at_a_time_and_epochs_rise(house: House) -> None:
    """The epoch is the fence: who acts under an old one is refused by the ledger."""
    first, second = leases_of(house, "a"), leases_of(house, "b")
    epoch = await first.take(NAME)
    assert epoch is not None
    assert None is await second.take(NAME)
    await first.release(NAME, epoch)
    later = await second.take(NAME)

    assert later is not None
    assert later > epoch


async def test_silent_holder_loses_its_lease(
    house: House, autojump_clock: MockClock
) -> None:
    """A process that was killed must not keep a service from running for ever."""
    dead, heir = leases_of(house, "dead"), leases_of(house, "heir")
    epoch = await dead.take(NAME)
    assert epoch is not None
    assert None is await heir.take(NAME)
    await trio.sleep(59)
    assert None is await heir.take(NAME)
    await trio.sleep(2)

    assert epoch + 1 == await heir.take(NAME)
    await dead.release(NAME, epoch)  # it was only asleep: changes nothing
    assert None is await leases_of(house, "third").take(NAME)


async def test_a_lease_that_could_not_be_released_is_taken_again_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database was away at the end of a pass: the next one need not wait."""
    leases = leases_of(house, "a")
    epoch = await leases.take(NAME)
    assert epoch is not None

    async def fail(_step: object) -> None:
        raise LedgerUnavailable("down")

    monkeypatch.setattr(house.ledger, "write", fail)
    with pytest.raises(LedgerUnavailable):
        await leases.release(NAME, epoch)
    monkeypatch.undo()

    assert epoch + 1 == await leases.take(NAME)
    assert None is await leases_of(house, "b").take(NAME)


async def test_beating_holder_keeps_it(house: House, autojump_clock: MockClock) -> None:
    """A long pass is not a dead one."""
    busy, other = leases_of(house, "busy"), leases_of(house, "other")
    epoch = await busy.take(NAME)
    assert epoch is not None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(busy.keep, NAME, epoch)
        for _ in range(10):
            await trio.sleep(30)
            assert None is await other.take(NAME)
        nursery.cancel_scope.cancel()


async def test_holder_that_was_replaced_notices(
    house: House, autojump_clock: MockClock
) -> None:
    """It must stop before it does what its heir does already."""
    slow, heir = leases_of(house, "slow"), leases_of(house, "heir")
    epoch = await slow.take(NAME)
    assert epoch is not None
    await heir.take(NAME)
    await trio.sleep(61)
    await heir.take(NAME)
    with trio.fail_after(11):
        await slow.keep(NAME, epoch)


async def test_holder_that_cannot_beat_gives_up_before_others_take_over(
    house: House, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off from the ledger, it cannot know whether it still holds the lease."""
    leases = leases_of(house, "cut off")
    epoch = await leases.take(NAME)
    assert epoch is not None

    async def fail(_step: object) -> None:
        raise LedgerUnavailable("down")

    monkeypatch.setattr(house.ledger, "write", fail)
    started = trio.current_time()
    with trio.fail_after(59):
        await leases.keep(NAME, epoch)

    assert 30 == trio.current_time() - started
