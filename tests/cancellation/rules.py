"""What must hold after an operation was cancelled anywhere, and how to try it.

The books balance, the key answers a whole value, old or new, and a day later nothing
lies on a backend that the ledger does not know.
"""

from collections.abc import Awaitable, Callable, Collection
from functools import partial

from s3o.model.seams import Transform
from tests.cancellation.sweep import cancel_at
from tests.fakes.sources import BytesSource, pattern
from tests.objects.house import House, open_house

OLD = pattern(70_000, seed=1)
NEW = pattern(200_000, seed=2)
MAX_STEPS = 500

Prepare = Callable[[House], None]
Operate = Callable[[House], Awaitable[object]]


def nothing(_house: House) -> None:
    """Prepare nothing."""


async def put_new(house: House) -> None:
    """Store NEW in several pieces."""
    await house.put(BytesSource(NEW, piece_bytes=40_000))


async def get_old(house: House) -> None:
    """Read OLD."""
    assert OLD == await house.get()


async def delete_key(house: House) -> None:
    """Delete the key."""
    await house.delete()


async def sweep(
    operate: Operate,
    *,
    before: bytes | None,
    after: bytes | None,
    transform: Transform | None = None,
    prepare: Prepare = nothing,
) -> Collection[str]:
    """Cancel operate at every step of a house of its own; say how it ended."""
    outcomes: list[str] = []
    for number in range(1, MAX_STEPS):
        async with open_house(transform=transform) as house:
            if before is not None:
                await house.put(before)
            prepare(house)
            outcome = await cancel_at(number, partial(operate, house))
            await check(house, outcome, before, after, f"step {number}: {outcome}")
        outcomes.append(outcome)
        if outcome == "over":
            return outcomes
    raise AssertionError("the operation does not end")


async def check(
    house: House, outcome: str, before: bytes | None, after: bytes | None, at: str
) -> None:
    """Hold a house against the rules, now and a day later."""
    wanted = (before, after) if outcome == "cancelled" else (after,)
    assert [] == await house.complaints(), at
    answered = await house.find_body()
    assert answered in wanted, at
    await house.drain()
    assert [] == await house.complaints(), at
    found = await house.find_body()
    # What the reaper proves complete may still become the key's value.
    assert found in (answered, after), at
    assert (0, 0, 0) == await house.waiting(), at
    assert house.located() == house.lying(), at
    held = sum([(await house.quota(name)).used_bytes for name in house.rig.inner])
    kept = sum(b.books.held_bytes for b in house.rig.inner.values())
    assert held == kept, at
