"""A client may go away at any instant: PUT, GET and DELETE, at every step."""

from collections.abc import Collection
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from s3o.model import limits
from s3o.model.errors import BackendsFailed, LedgerError
from s3o.model.facts import IntentResolved
from s3o.model.seams import Transform
from s3o.policy.identity import IdentityTransform
from tests.cancellation.rules import (
    MAX_STEPS,
    NEW,
    OLD,
    Prepare,
    check,
    delete_key,
    get_old,
    nothing,
    put_new,
    sweep,
)
from tests.cancellation.sweep import cancel_at
from tests.fakes.faults import Fault
from tests.fakes.mortal import MortalEngine
from tests.fakes.transform import FramingTransform
from tests.objects.house import KEY, House, open_house

transforms = pytest.mark.parametrize(
    "transform", [IdentityTransform(), FramingTransform()], ids=["identity", "framing"]
)


pytestmark = pytest.mark.slow


@transforms
@pytest.mark.parametrize("before", [None, OLD], ids=["put", "overwrite"])
async def test_put_cancelled_at_any_step_leaves_old_or_new(
    before: bytes | None, transform: Transform, autojump_clock: MockClock
) -> None:
    """No step of a write may lose the old object or keep bytes nobody pays for."""
    outcomes = await sweep(put_new, before=before, after=NEW, transform=transform)

    assert 10 < len(outcomes)
    assert "cancelled" in outcomes


async def test_tagging_cancelled_at_any_step_leaves_old_or_new_tags(
    autojump_clock: MockClock,
) -> None:
    """One transaction: the set is the old one or the new one, the object the same."""
    tags = (("a", "1"),)
    for number in range(1, MAX_STEPS):
        async with open_house() as house:
            version = await house.put(OLD)
            outcome = await cancel_at(
                number, partial(house.store.put_tags, house.bucket, KEY, tags)
            )
            found = await house.store.head(house.bucket, KEY)
            assert found.version_id == version.version_id
            allowed = [(), tags] if outcome == "cancelled" else [tags]
            assert found.facts.tags in allowed, f"step {number}: {outcome}"
            await check(house, outcome, OLD, OLD, f"step {number}: {outcome}")
        if outcome == "over":
            return
    raise AssertionError("the operation does not end")


async def test_large_put_cancelled_at_any_step_leaves_old_or_new(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the replay window the digests are noted first: more steps to break at."""
    monkeypatch.setattr(limits, "REPLAY_BYTES", 100_000)
    await sweep(put_new, before=OLD, after=NEW)


@pytest.mark.parametrize(
    "fault", [Fault.ERROR_BEFORE, Fault.ERROR_AFTER, Fault.LOST_ANSWER]
)
async def test_put_that_fails_over_may_be_cancelled_at_any_step(
    fault: Fault, autojump_clock: MockClock
) -> None:
    """Two attempts, two names: neither may be forgotten."""

    def fail_once(house: House) -> None:
        house.rig.inner["one"].faults.next("put", fault)

    await sweep(put_new, before=OLD, after=NEW, prepare=fail_once)


@pytest.mark.parametrize("fault", [Fault.HANG_THEN_STORE, Fault.STORE_THEN_HANG])
async def test_late_bytes_of_a_cancelled_put_are_deleted(
    fault: Fault, autojump_clock: MockClock
) -> None:
    """A provider may store what it was sent long after the client has gone."""
    async with open_house() as house:
        await house.put(OLD)
        house.rig.inner["one"].faults.next("put", fault)
        with trio.move_on_after(5):
            await house.put(NEW)

        await check(house, "cancelled", OLD, OLD, str(fault))


@transforms
async def test_get_cancelled_at_any_step_changesnothing(
    transform: Transform, autojump_clock: MockClock
) -> None:
    """A reader who leaves must release the bytes, or they are never cleaned up."""
    outcomes = await sweep(get_old, before=OLD, after=OLD, transform=transform)
    assert "cancelled" in outcomes


async def test_bytes_of_a_cancelled_reader_can_be_deleted(
    autojump_clock: MockClock,
) -> None:
    """Whatever step the reader left at, a later delete frees the room."""
    for number in range(1, MAX_STEPS):
        async with open_house() as house:
            await house.put(OLD)
            outcome = await cancel_at(number, partial(get_old, house))
            await house.delete()
            await trio.sleep(2)
            await house.cleanup.run_once()
            assert [] == house.lying(), f"step {number}"
        if outcome == "over":
            return
    raise AssertionError("the operation does not end")


async def test_delete_cancelled_at_any_step_deletes_or_does_not(
    autojump_clock: MockClock,
) -> None:
    """A delete is one commit: there is no half of it."""
    await sweep(delete_key, before=OLD, after=None)


async def _sweep_dying(
    prepare: Prepare = nothing, transform: Transform | None = None
) -> Collection[str]:
    """Let the database go away with the client at every step; what the reaper did."""
    reaped: list[str] = []
    for number in range(1, MAX_STEPS):
        async with open_house(make_engine=MortalEngine, transform=transform) as house:
            await house.put(OLD)
            prepare(house)
            engine = MortalEngine.last

            def die(engine: MortalEngine = engine) -> None:
                engine.is_dead = True

            try:
                outcome = await cancel_at(number, partial(put_new, house), die)
            except (LedgerError, BackendsFailed):
                outcome = "cancelled"
            is_over = not engine.is_dead
            engine.is_dead = False
            await check(house, outcome, OLD, NEW, f"step {number}: {outcome}")
            facts = house.rig.observer.of(IntentResolved)
            reaped += [fact.outcome for fact in facts if fact.is_by_reaper]
        if is_over:
            return reaped
    raise AssertionError("the operation does not end")


async def test_put_that_cannot_even_be_dropped_is_left_to_the_reaper(
    autojump_clock: MockClock,
) -> None:
    """The client leaves, and the database with it: as if the process had died."""
    assert {"dropped"} == set(await _sweep_dying())


@transforms
async def test_large_put_that_was_whole_is_finished_by_the_reaper(
    transform: Transform, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours of upload are not thrown away for an answer that could not be given."""

    def lose_the_answer(house: House) -> None:
        house.rig.inner["one"].faults.next("put", Fault.STORE_THEN_HANG)

    monkeypatch.setattr(limits, "REPLAY_BYTES", 100_000)
    reaped = await _sweep_dying(lose_the_answer, transform)

    assert {"dropped", "promoted"} == set(reaped)


async def test_get_that_fails_over_may_be_cancelled_at_any_step(
    autojump_clock: MockClock,
) -> None:
    """Two blobs were opened one after the other; neither may stay held."""
    for number in range(1, MAX_STEPS):
        async with open_house() as house:
            await house.put(OLD)
            await house.add_copy("two")
            house.rig.inner["one"].faults.next("open", Fault.TRUNCATED)
            outcome = await cancel_at(number, partial(get_old, house))
            for name, storage_key in house.located():
                assert not house.reads.is_being_read(storage_key), f"{number} on {name}"
        if outcome == "over":
            return
    raise AssertionError("the operation does not end")
