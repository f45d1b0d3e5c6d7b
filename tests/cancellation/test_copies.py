"""Copies on a backend may be cut off at any step: a client leaves, the process dies.

Afterwards the books balance, the key answers the old value or the whole new one, and a
day later nothing lies on a backend that the ledger does not know, uploads included.
"""

from dataclasses import replace
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from s3o.model.names import ObjectKey
from s3o.model.seams import Transform
from s3o.model.values import Interval, ObjectFacts, Traits, WriteConditions
from s3o.objects.part_server_copies import PartCopyCall
from s3o.objects.server_copies import CopyCall
from s3o.policy.identity import IdentityTransform
from tests.cancellation.mortal import Died, open_mortal_house, revive
from tests.cancellation.sweep import cancel_at
from tests.fakes.faults import Fault
from tests.fakes.sources import pattern
from tests.fakes.transform import FramingTransform
from tests.objects.house import KEY, SMALL_PARTS, House, open_house
from tests.objects.uploading import Uploading

pytestmark = pytest.mark.slow

SOURCE = ObjectKey("source")
OLD = pattern(3_000, seed=9)
BODIES = [pattern(70_000, seed=1), pattern(1_000, seed=2), pattern(66_000, seed=3)]
WHOLE = b"".join(BODIES)
MAX_STEPS = 300
BLOBS = replace(SMALL_PARTS, has_multipart=False)
LARGE = replace(SMALL_PARTS, max_copy_bytes=50_000)

shapes = pytest.mark.parametrize(
    ("traits", "transform"),
    [
        (SMALL_PARTS, IdentityTransform()),
        (BLOBS, IdentityTransform()),
        (BLOBS, FramingTransform()),
        (LARGE, IdentityTransform()),
    ],
    ids=["one-blob", "blobs", "blobs-framing", "large"],
)
faults = pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("copy_part", Fault.ERROR_AFTER),
        ("complete_upload", Fault.LOST_ANSWER),
        ("complete_upload", Fault.ERROR_BEFORE),
        ("abort_upload", Fault.ERROR_BEFORE),
    ],
)


async def prepare(house: House) -> None:
    """An old object under the key, and a source of three parts."""
    await house.put(OLD)
    upload = Uploading(house, SOURCE)
    await upload.create()
    await upload.parts(BODIES)
    await upload.complete()


async def copy(house: House) -> None:
    """Copy the source onto the key."""
    await house.store.copier.copy(
        CopyCall(
            source_bucket=house.bucket,
            source=await house.store.find(house.bucket, SOURCE),
            bucket=house.bucket,
            key=ObjectKey(KEY),
            facts=ObjectFacts(),
            conditions=WriteConditions(),
        )
    )


async def check_now(house: House, at: str) -> None:
    """The books balance, and the key answers a whole value."""
    assert [] == await house.complaints(), at
    assert await house.find_body() in (OLD, WHOLE), at
    assert WHOLE == await house.find_body(SOURCE), at


async def check_clean(house: House, at: str) -> None:
    """A day later nothing is left of what did not become the object."""
    await house.drain()
    await check_now(house, at)
    await house.delete()
    await house.delete(SOURCE)
    await house.drain()
    assert [] == await house.complaints(), at
    assert [] == house.located() == house.lying(), at
    assert (0, 0, 0) == await house.waiting(), at
    for name, backend in house.rig.inner.items():
        assert 0 == (await house.quota(name)).held_bytes, at
        assert {} == backend.uploads.under_way, at


def is_death(error: BaseException) -> bool:
    """Whether the process died, in whichever of its tasks."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_death(one) for one in error.exceptions)
    return isinstance(error, Died)


@shapes
async def test_death_at_any_step(
    traits: Traits, transform: Transform, autojump_clock: MockClock
) -> None:
    """The next process gives up what was begun, or finds the copy made."""
    for number in range(1, MAX_STEPS):
        async with open_mortal_house(traits=traits, transform=transform) as (
            house,
            mortal,
        ):
            await prepare(house)
            mortal.die_at(number)
            is_over = False
            try:
                await copy(house)
                is_over = True
            except BaseException as error:
                if not is_death(error):
                    raise
            house = revive(house, mortal)
            await check_now(house, f"step {number}")
            await check_clean(house, f"step {number}")
        if is_over:
            assert number > 5
            return
    raise AssertionError("it does not end")


@faults
async def test_death_at_any_step_of_a_large_copy_that_fails(
    operation: str, fault: Fault, autojump_clock: MockClock
) -> None:
    """Also while it ends its upload, and while the bytes pass through here."""
    for number in range(1, MAX_STEPS):
        async with open_mortal_house(traits=LARGE) as (house, mortal):
            await prepare(house)
            if operation == "abort_upload":
                house.rig.inner["one"].faults.next("copy_part", Fault.ERROR_BEFORE)
            house.rig.inner["one"].faults.next(operation, fault)
            mortal.die_at(number)
            is_over = False
            try:
                await copy(house)
                is_over = True
            except BaseException as error:
                if not is_death(error):
                    raise
            house.rig.inner["one"].faults.heal()
            house = revive(house, mortal)
            await check_now(house, f"step {number}")
            await check_clean(house, f"step {number}")
        if is_over:
            return
    raise AssertionError("it does not end")


@shapes
async def test_cancelling_at_any_step(
    traits: Traits, transform: Transform, autojump_clock: MockClock
) -> None:
    """The client leaves."""
    outcomes = []
    for number in range(1, MAX_STEPS):
        async with open_house(traits=traits, transform=transform) as house:
            await prepare(house)
            outcome = await cancel_at(number, partial(copy, house), of_all=True)
            await check_now(house, f"step {number}: {outcome}")
            await check_clean(house, f"step {number}: {outcome}")
        outcomes.append(outcome)
        if outcome == "over":
            assert "cancelled" in outcomes
            return
    raise AssertionError("it does not end")


# ---- parts that the backend copies


async def begin(house: House) -> Uploading:
    """An old object, a source, and an upload of the key without parts."""
    await prepare(house)
    upload = Uploading(house)
    await upload.create()
    return upload


async def copy_part(upload: Uploading) -> None:
    """Make part 1 of the source's second half."""
    house = upload.house
    found = await upload.find()
    part = await house.store.part_copier.copy(
        PartCopyCall(
            source_bucket=house.bucket,
            source=await house.store.find(house.bucket, SOURCE),
            interval=Interval(70_000, len(WHOLE)),
            bucket=house.bucket,
            upload=found,
            number=1,
        )
    )
    upload.etags[1] = part.etag


async def finish(upload: Uploading, at: str) -> None:
    """The client asks for its part once more, and the upload is completed."""
    house = upload.house
    assert [] == await house.complaints(), at
    assert OLD == await house.find_body(), at
    await copy_part(upload)
    await upload.complete()
    assert WHOLE[70_000:] == await house.get(), at
    await house.delete()
    await house.delete(SOURCE)
    await house.drain()
    for _ in range(3):
        await house.sweep.run_once()
        await trio.sleep(3601)
    await house.drain()
    assert [] == await house.complaints(), at
    assert [] == house.located() == house.lying(), at
    assert (0, 0, 0) == await house.waiting(), at
    for name, backend in house.rig.inner.items():
        assert 0 == (await house.quota(name)).held_bytes, at
        assert {} == backend.uploads.under_way, at


part_faults = pytest.mark.parametrize(
    "fault", [None, Fault.ERROR_AFTER, Fault.MISSING], ids=str
)


@part_faults
async def test_death_at_any_step_of_a_part(
    fault: Fault | None, autojump_clock: MockClock
) -> None:
    """The next process goes on with the same upload."""
    for number in range(1, MAX_STEPS):
        async with open_mortal_house() as (house, mortal):
            upload = await begin(house)
            house.rig.inner["one"].faults.next("copy_part", fault)
            mortal.die_at(number)
            is_over = False
            try:
                await copy_part(upload)
                is_over = True
            except Died:
                pass
            house.rig.inner["one"].faults.heal()
            upload.house = revive(house, mortal)
            await finish(upload, f"step {number}")
        if is_over:
            assert number > 5
            return
    raise AssertionError("it does not end")


@part_faults
async def test_cancelling_a_part_at_any_step(
    fault: Fault | None, autojump_clock: MockClock
) -> None:
    """The client leaves, and asks again."""
    outcomes = []
    for number in range(1, MAX_STEPS):
        async with open_house() as house:
            upload = await begin(house)
            house.rig.inner["one"].faults.next("copy_part", fault)
            outcome = await cancel_at(number, partial(copy_part, upload))
            house.rig.inner["one"].faults.heal()
            await finish(upload, f"step {number}: {outcome}")
        outcomes.append(outcome)
        if outcome == "over":
            assert "cancelled" in outcomes
            return
    raise AssertionError("it does not end")
