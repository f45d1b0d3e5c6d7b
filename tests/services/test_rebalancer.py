"""Rebalancing: the quotas even out or fill up, and then it rests."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from s3o.backends.guard import BackendLimits
from s3o.model.facts import (
    RebalanceFinished,
    RebalanceMoved,
    RebalanceSkipped,
    RebalanceStarted,
)
from s3o.policy.routing import Strategy
from s3o.policy.usage import UsageLimits
from s3o.services.rebalancer import HELD_BACK, Rebalanced
from tests.fakes.faults import Fault
from tests.objects.house import open_house
from tests.services.moving import ONE, PACE, THREE, TWO, Movers

BODY = b"0123456789"


@pytest.fixture
async def movers() -> AsyncIterator[Movers]:
    """Three small backends; six objects, all on the first one."""
    async with open_house(quotas={"one": 100, "two": 100, "three": 100}) as house:
        for number in range(6):
            await house.put(BODY, f"k{number}")
        yield Movers(house=house)


def counts(movers: Movers) -> list[int]:
    """How many blobs lie on each backend."""
    return [len(movers.on(name)) for name in ("one", "two", "three")]


async def test_spread_evens_out_and_rests(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Every object is where it can be read, before and after."""
    house = movers.house
    done = await movers.rebalancer.cycle()
    await movers.cleaned()
    again = await movers.rebalancer.cycle()

    assert Rebalanced(moved=4, planned=4) == done
    assert [2, 2, 2] == counts(movers)
    assert Rebalanced(skipped="threshold") == again
    for number in range(6):
        assert BODY == await house.get(f"k{number}")
    assert [] == await house.complaints()
    [started] = house.rig.observer.of(RebalanceStarted)
    assert ("spread", 100, 0.1, 4) == (
        started.strategy,
        started.batch_size,
        started.threshold,
        started.planned,
    )
    moved = house.rig.observer.of(RebalanceMoved)
    assert {(ONE, TWO), (ONE, THREE)} == {(one.source, one.target) for one in moved}
    [finished] = house.rig.observer.of(RebalanceFinished)
    assert ("success", 4, 4) == (finished.status, finished.moved, finished.planned)
    [skipped] = house.rig.observer.of(RebalanceSkipped)
    assert "threshold" == skipped.reason


async def test_pack_brings_everything_to_the_front(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """The batch bounds what one run costs."""
    await movers.rebalancer.cycle()
    await movers.cleaned()
    movers.pace = replace(PACE, strategy=Strategy.PACK, threshold=0.0, batch=3)
    first = await movers.rebalancer.cycle()
    second = await movers.rebalancer.cycle()
    await movers.cleaned()

    assert (3, 1) == (first.moved, second.moved)
    assert [6, 0, 0] == counts(movers)
    assert "empty_plan" == (await movers.rebalancer.cycle()).skipped
    assert [] == await movers.house.complaints()


async def test_bytes_not_deleted_yet_are_not_moved_again(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """The cleanup queue may be slow; the source's share is what it will be."""
    await movers.rebalancer.cycle()

    assert "threshold" == (await movers.rebalancer.cycle()).skipped


async def test_switched_off_it_does_nothing_by_itself(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Moves cost egress: only whoever asks for them pays."""
    movers.pace = replace(PACE, is_enabled=False)

    assert "" == await movers.rebalancer.run_once()
    assert 4 == (await movers.rebalancer.cycle()).moved
    movers.pace = PACE
    assert "" == await movers.rebalancer.run_once()
    assert PACE.interval_s == movers.rebalancer.interval_s


async def test_monthly_limits_bound_what_is_moved(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """A schedule must not burn the egress of a free tier."""
    house = movers.house
    limits = {backend.name: backend.limits for backend in house.rig.fleet}
    used = house.rig.counters.of(ONE).effective()
    limits[ONE] = BackendLimits(
        quota_bytes=100, usage=UsageLimits(egress_bytes=used.egress_bytes + 25)
    )
    house.rig.fleet.replace_limits(limits)
    done = await movers.rebalancer.cycle()

    assert Rebalanced(moved=2, planned=2) == done
    spent = house.rig.counters.of(ONE).effective().egress_bytes - used.egress_bytes
    assert 20 == spent
    assert "empty_plan" == (await movers.rebalancer.cycle()).skipped


async def test_a_failed_move_changes_nothing(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """The source goes only when the copy is proved."""
    house = movers.house
    for name in ("two", "three"):
        house.rig.inner[name].faults.next("put", Fault.LOST_ANSWER, Fault.LOST_ANSWER)
    done = await movers.rebalancer.cycle()

    assert Rebalanced(moved=0, planned=4, failed=4) == done
    for number in range(6):
        assert BODY == await house.get(f"k{number}")
    errors = [fact.error for fact in house.rig.observer.of(RebalanceMoved)]
    assert all(errors)
    await house.drain()
    assert [6, 0, 0] == counts(movers)
    assert [] == await house.complaints()


async def test_a_move_keeps_the_number_of_copies(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Never onto a backend that has one, never one less."""
    house = movers.house
    for number in range(6):
        await movers.add_copy("two", f"k{number}")
    movers.pace = replace(PACE, factor=2)
    await movers.rebalancer.cycle()
    await movers.cleaned()

    assert [4, 4, 4] == counts(movers)
    shared = house.connection.execute(
        "SELECT version_id FROM object_locations GROUP BY version_id "
        "HAVING COUNT(DISTINCT backend_name) <> 2"
    ).fetchall()
    assert [] == shared
    assert [] == await house.complaints()


async def test_an_overwrite_during_a_move_wins(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """The new bytes stay where they were written."""
    house = movers.house
    house.rig.inner["one"].faults.next("open", *[Fault.SLOW] * 4)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(movers.rebalancer.cycle)
        await trio.sleep(1)
        for number in range(6):
            await house.put(b"new", f"k{number}")
    await house.drain()

    assert ["new"] * 6 == [
        body for name in ("one", "two", "three") for body in movers.on(name)
    ]
    assert [] == await house.complaints()


async def test_imported_and_unproved_copies_stay(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Their bytes are not ours to delete, or nobody knows what they are."""
    movers.house.connection.execute(
        "UPDATE object_locations SET origin = 'imported' "
        "WHERE storage_key < 'photos/k3'"
    )
    movers.house.connection.execute(
        "UPDATE object_locations SET verified_at = NULL WHERE origin = 'own'"
    )

    assert "empty_plan" == (await movers.rebalancer.cycle()).skipped


async def test_nothing_moves_while_the_ledger_may_be_an_old_one(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Its sources would go by rows that another ledger has changed since."""
    movers.may_destroy = False
    held = await movers.rebalancer.cycle()

    assert Rebalanced(skipped=HELD_BACK) == held
    assert [6, 0, 0] == counts(movers)


async def test_a_damaged_row_keeps_the_others_from_nothing(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """An object whose row cannot be true stays where it is."""
    movers.house.connection.execute(
        "UPDATE objects SET metadata = 'x' WHERE key = 'k0'"
    )
    done = await movers.rebalancer.cycle()

    assert Rebalanced(moved=4, planned=4) == done
