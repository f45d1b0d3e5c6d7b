"""Multipart uploads may be cut off at any step: the client leaves, the process dies.

Afterwards the books balance; the key answers the old value or the whole new one; and
the upload can be completed or aborted, by its client or by nobody but the reaper.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from s3o.model.errors import NoSuchUpload
from s3o.model.seams import Transform
from s3o.model.values import Traits
from s3o.policy.identity import IdentityTransform
from tests.cancellation.mortal import Died, open_mortal_house, revive
from tests.cancellation.sweep import cancel_at
from tests.fakes.faults import Fault
from tests.fakes.sources import BytesSource, pattern
from tests.fakes.transform import FramingTransform
from tests.objects.house import SMALL_PARTS, House, open_house
from tests.objects.uploading import Uploading

pytestmark = pytest.mark.slow

OLD = pattern(3_000, seed=9)
BODIES = [pattern(70_000, seed=1), pattern(1_000, seed=2), pattern(66_000, seed=3)]
WHOLE = b"".join(BODIES)
MAX_STEPS = 300
BLOBS = replace(SMALL_PARTS, has_multipart=False)
# One backend for the old object and two parts only: native parts and a blob.
MIXED = {"one": 75_000, "two": 1 << 30}

shapes = pytest.mark.parametrize(
    ("traits", "quotas", "transform"),
    [
        (SMALL_PARTS, None, IdentityTransform()),
        (SMALL_PARTS, None, FramingTransform()),
        (SMALL_PARTS, MIXED, IdentityTransform()),
        (BLOBS, None, IdentityTransform()),
    ],
    ids=["native", "native-framing", "mixed", "blobs"],
)

Recover = Callable[[Uploading], Awaitable[None]]


async def retry(upload: Uploading) -> None:
    """The client repeats its Complete."""
    await upload.complete()
    assert WHOLE == await upload.house.get()


async def wait(upload: Uploading) -> None:
    """Nobody does anything but the services; then the client looks again."""
    await upload.house.drain()
    await retry(upload)


async def give_up(upload: Uploading) -> None:
    """The services finish what has begun; what has not, the client aborts."""
    await upload.house.drain()
    try:
        await upload.abort()
    except NoSuchUpload:
        assert WHOLE == await upload.house.get()


recoveries = pytest.mark.parametrize("recover", [retry, wait, give_up])


async def prepare(house: House, sent: int = len(BODIES)) -> Uploading:
    """An old object, and an upload of its key with parts."""
    await house.put(OLD)
    upload = Uploading(house)
    await upload.create()
    await upload.parts(BODIES[:sent])
    return upload


async def check(house: House, at: str) -> None:
    """The books balance, and the key answers a whole value."""
    assert [] == await house.complaints(), at
    assert await house.find_body() in (OLD, WHOLE), at


async def check_clean(house: House, at: str) -> None:
    """Once the key is deleted and a day is over, nothing is left anywhere."""
    await house.delete()
    await house.drain()
    for _ in range(3):
        await house.sweep.run_once()
        await trio.sleep(3601)
    await house.drain()
    assert [] == await house.complaints(), at
    assert [] == house.located() == house.lying(), at
    assert (0, 0, 0) == await house.waiting(), at
    for name, backend in house.rig.inner.items():
        quota = await house.quota(name)
        assert 0 == quota.held_bytes, at
        assert {} == backend.uploads.under_way, at
    [left] = house.connection.execute("SELECT COUNT(*) FROM multipart_uploads")
    assert 0 == left[0], at


@shapes
@recoveries
async def test_death_at_any_step_of_complete(
    traits: Traits,
    quotas: dict[str, int] | None,
    transform: Transform,
    recover: Recover,
    autojump_clock: MockClock,
) -> None:
    """Whoever comes next makes the same object, or the upload is as it was."""
    for number in range(1, MAX_STEPS):
        async with open_mortal_house(
            traits=traits, quotas=quotas, transform=transform
        ) as (house, mortal):
            upload = await prepare(house)
            mortal.die_at(number)
            is_over = False
            try:
                await upload.complete()
                is_over = True
            except Died:
                pass
            upload.house = house = revive(house, mortal)
            at = f"step {number}"
            await check(house, at)
            await recover(upload)
            await check(house, at)
            await check_clean(house, at)
        if is_over:
            assert number > 3
            return
    raise AssertionError("it does not end")


@recoveries
@pytest.mark.parametrize(
    "fault", [Fault.ERROR_BEFORE, Fault.ERROR_AFTER, Fault.LOST_ANSWER]
)
async def test_death_at_any_step_of_a_complete_that_fails(
    fault: Fault, recover: Recover, autojump_clock: MockClock
) -> None:
    """While it finds out what the backend did, and does it once more."""
    for number in range(1, MAX_STEPS):
        async with open_mortal_house() as (house, mortal):
            upload = await prepare(house)
            house.rig.inner["one"].faults.next("complete_upload", fault)
            mortal.die_at(number)
            is_over = False
            try:
                await upload.complete()
                is_over = True
            except Died:
                pass
            house.rig.inner["one"].faults.heal()
            upload.house = house = revive(house, mortal)
            await check(house, f"step {number}")
            await recover(upload)
            await check_clean(house, f"step {number}")
        if is_over:
            return
    raise AssertionError("it does not end")


@shapes
async def test_death_at_any_step_of_a_part(
    traits: Traits,
    quotas: dict[str, int] | None,
    transform: Transform,
    autojump_clock: MockClock,
) -> None:
    """The first part, with its binding: the client goes on with the same upload."""
    for number in range(1, MAX_STEPS):
        async with open_mortal_house(
            traits=traits, quotas=quotas, transform=transform
        ) as (house, mortal):
            upload = await prepare(house, sent=0)
            mortal.die_at(number)
            is_over = False
            try:
                await upload.part(1, BODIES[0])
                is_over = True
            except Died:
                pass
            upload.house = house = revive(house, mortal)
            at = f"step {number}"
            await check(house, at)
            await upload.parts(BODIES)
            await upload.complete()
            assert WHOLE == await house.get(), at
            await check_clean(house, at)
        if is_over:
            return
    raise AssertionError("it does not end")


async def test_death_at_any_step_of_an_abort(autojump_clock: MockClock) -> None:
    """The upload is there as before, or gone with all its bytes."""
    for number in range(1, MAX_STEPS):
        async with open_mortal_house() as (house, mortal):
            upload = await prepare(house)
            mortal.die_at(number)
            is_over = False
            try:
                await upload.abort()
                is_over = True
            except Died:
                pass
            upload.house = house = revive(house, mortal)
            await check(house, f"step {number}")
            if not is_over:
                await give_up_quietly(upload)
            assert OLD == await house.find_body()
            await check_clean(house, f"step {number}")
        if is_over:
            return
    raise AssertionError("it does not end")


async def give_up_quietly(upload: Uploading) -> None:
    """Abort once more."""
    try:
        await upload.abort()
    except NoSuchUpload:
        pass


@shapes
async def test_cancelling_complete_at_any_step(
    traits: Traits,
    quotas: dict[str, int] | None,
    transform: Transform,
    autojump_clock: MockClock,
) -> None:
    """A shutdown does that; the client's retry or the reaper goes on."""
    for number in range(1, MAX_STEPS):
        async with open_house(
            traits=traits, quotas=quotas, transform=transform
        ) as house:
            upload = await prepare(house)
            outcome = await cancel_at(number, upload.complete)
            at = f"step {number}: {outcome}"
            await check(house, at)
            await retry(upload)
            await check_clean(house, at)
        if outcome == "over":
            return
    raise AssertionError("it does not end")


@shapes
async def test_cancelling_a_part_at_any_step(
    traits: Traits,
    quotas: dict[str, int] | None,
    transform: Transform,
    autojump_clock: MockClock,
) -> None:
    """A client that breaks off sends the part again."""
    for number in range(1, MAX_STEPS):
        async with open_house(
            traits=traits, quotas=quotas, transform=transform
        ) as house:
            upload = await prepare(house, sent=0)
            body = BytesSource(BODIES[0], piece_bytes=40_000)

            async def send(
                upload: Uploading = upload, body: BytesSource = body
            ) -> None:
                await upload.part(1, body)

            outcome = await cancel_at(number, send)
            at = f"step {number}: {outcome}"
            await check(house, at)
            await upload.parts(BODIES)
            await upload.complete()
            assert WHOLE == await house.get(), at
            await check_clean(house, at)
        if outcome == "over":
            return
    raise AssertionError("it does not end")
