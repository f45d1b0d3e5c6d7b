"""Writes on a condition, deletes of many keys, writes that wait: cancelled anywhere."""

import hashlib
from contextlib import suppress
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from s3o.model.errors import PreconditionFailed
from s3o.model.names import ObjectKey
from s3o.model.values import WriteConditions
from s3o.objects.store import Delete
from tests.cancellation.rules import MAX_STEPS, NEW, OLD, check, sweep
from tests.cancellation.sweep import cancel_at
from tests.fakes.sources import BytesSource, pattern
from tests.objects.house import KEY, House, open_house

pytestmark = pytest.mark.slow


ABSENT = WriteConditions(if_none_match_any=True)
SAME = WriteConditions(if_match=(hashlib.md5(OLD, usedforsecurity=False).hexdigest(),))
OTHER = "dog.jpg"
RIVAL = pattern(1_000, seed=3)


async def _put_when(house: House, conditions: WriteConditions) -> None:
    source = BytesSource(NEW, piece_bytes=40_000)
    with suppress(PreconditionFailed):
        await house.put(source, conditions=conditions)


@pytest.mark.parametrize(
    ("conditions", "before", "after"),
    [(ABSENT, None, NEW), (SAME, OLD, NEW), (ABSENT, OLD, OLD), (SAME, RIVAL, RIVAL)],
    ids=["create", "exchange", "create in vain", "exchange in vain"],
)
async def test_conditional_put_cancelled_at_any_step_keeps_its_condition(
    conditions: WriteConditions,
    before: bytes | None,
    after: bytes,
    autojump_clock: MockClock,
) -> None:
    """Neither the writer's leaving nor the reaper may overwrite what it should not."""
    operate = partial(_put_when, conditions=conditions)
    outcomes = await sweep(operate, before=before, after=after)

    # A refusal comes with the first transaction, which nothing interrupts.
    assert (before != after) == ("cancelled" in outcomes)


class _RivalSource(BytesSource):
    """A body during which somebody else writes the same key."""

    def __init__(self, house: House) -> None:
        super().__init__(NEW, piece_bytes=40_000)
        self._house = house

    async def read(self) -> bytes:
        if not self.reads:
            with trio.CancelScope(shield=True):
                await self._house.put(RIVAL)
        return await super().read()


async def test_refused_commit_cancelled_at_any_step_leaves_the_rival(
    autojump_clock: MockClock,
) -> None:
    """The condition fails after the upload; the uploaded bytes must be given up."""

    async def lose(house: House) -> None:
        with suppress(PreconditionFailed):
            await house.put(_RivalSource(house), conditions=ABSENT)

    assert "cancelled" in await sweep(lose, before=None, after=RIVAL)


async def test_delete_of_many_cancelled_at_any_step_deletes_all_or_none(
    autojump_clock: MockClock,
) -> None:
    """DeleteObjects is one commit."""

    async def delete_both(house: House) -> None:
        wanted = [
            Delete(key=ObjectKey(key), conditions=WriteConditions())
            for key in (KEY, OTHER)
        ]
        assert [None, None] == list(await house.store.delete_many(house.bucket, wanted))

    for number in range(1, MAX_STEPS):
        async with open_house() as house:
            await house.put(OLD)
            await house.put(OLD, OTHER)
            outcome = await cancel_at(number, partial(delete_both, house))
            left = await house.find_body(), await house.find_body(OTHER)
            assert left in [(OLD, OLD), (None, None)], f"step {number}"
            await check(house, outcome, OLD, None, f"step {number}: {outcome}")
        if outcome == "over":
            return
    raise AssertionError("the operation does not end")


async def test_put_that_waits_for_room_may_be_cancelled_at_any_step(
    autojump_clock: MockClock,
) -> None:
    """Who gives up waiting must not keep the room that he was waiting for."""
    outcomes: list[str] = []
    for number in range(1, MAX_STEPS):
        async with open_house(quotas={"one": len(NEW) + 1_000}) as house:
            await house.put(OLD)
            await house.delete()
            async with house.cleaning(is_cut_off=True):
                put = partial(house.put, BytesSource(NEW, piece_bytes=40_000))
                outcome = await cancel_at(number, put)
            await check(house, outcome, None, NEW, f"step {number}: {outcome}")
        outcomes.append(outcome)
        if outcome == "over":
            break
    assert outcomes.count("cancelled") > 10
    assert "over" == outcomes[-1]
