"""What was put is what is read, in whole and in part, from whichever copy lives."""

import pytest

from s3o.model.errors import BackendsFailed
from s3o.model.facts import ReadFailedOver
from s3o.model.seams import Transform
from s3o.policy.identity import IdentityTransform
from tests.fakes.faults import Fault
from tests.fakes.sources import BytesSource, pattern
from tests.fakes.transform import FramingTransform
from tests.objects.house import House, open_house

KIB = 1024
SIZES = (0, 1, 64 * KIB, 1024 * KIB + 7)
transforms = pytest.mark.parametrize(
    "transform", [IdentityTransform(), FramingTransform()], ids=["identity", "framing"]
)


@transforms
@pytest.mark.parametrize("size", SIZES)
async def test_object_comes_back_as_it_was_put(size: int, transform: Transform) -> None:
    """The one promise of a store; sizes on both sides of frame and piece borders."""
    body = pattern(size)
    async with open_house(transform=transform) as house:
        version = await house.put(BytesSource(body, piece_bytes=50_000))

        assert body == await house.get()
        assert size == version.size
        assert transform.stored_size(size) == (await house.quota()).used_bytes
        assert house.located() == house.lying()
        assert [] == await house.complaints()


@transforms
@pytest.mark.parametrize("size", SIZES[1:])
async def test_every_range_is_the_slice_of_the_body(
    size: int, transform: Transform
) -> None:
    """Seeking in a film must not show another film's frame."""
    body = pattern(size)
    middle = size // 2
    ranges = [(0, 1), (size - 1, size), (0, size), (middle, size)]
    if size > 1:
        ranges += [(0, size - 1), (1, size), (middle - 1, middle + 1)]
    if size > 64 * KIB:
        ranges += [(64 * KIB - 1, 64 * KIB + 1), (64 * KIB, 128 * KIB), (100, 300_000)]
    async with open_house(transform=transform) as house:
        await house.put(body)
        for start, stop in ranges:
            assert body[start:stop] == await house.get(start=start, stop=stop)


@transforms
@pytest.mark.parametrize("start", [0, 70_001])
async def test_read_goes_on_at_the_second_copy(
    start: int, transform: Transform
) -> None:
    """A backend that dies half-way through a download is not the client's trouble."""
    body = pattern(1024 * KIB + 7)
    async with open_house(transform=transform) as house:
        await house.put(body)
        await house.add_copy("two")
        for fault in (Fault.TRUNCATED, Fault.ERROR_BEFORE, Fault.MISSING):
            house.rig.observer.clear()
            house.rig.inner["one"].faults.next("open", fault)

            assert body[start:] == await house.get(start=start)
            failed = house.rig.observer.of(ReadFailedOver)
            assert ["one"] == [fact.failed_backend for fact in failed]


async def test_changed_frame_is_read_from_the_second_copy() -> None:
    """A flipped bit on one disk must neither reach the client nor fail the read."""
    body = pattern(200 * KIB)
    async with open_house(transform=FramingTransform()) as house:
        await house.put(body)
        await house.add_copy("two")
        house.rig.inner["one"].faults.next("open", Fault.FLIPPED)

        assert body == await house.get()


async def test_read_without_a_living_copy_fails_as_backends_failed(
    house: House,
) -> None:
    """It is 503 and to be retried: the object exists, nobody may answer 404."""
    await house.put(b"meow")
    house.rig.inner["one"].faults.next("open", Fault.MISSING)

    with pytest.raises(BackendsFailed):
        await house.get()
    assert b"meow" == await house.get()
