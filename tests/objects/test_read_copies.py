"""Reads of what lies on several backends: one of them dies, the client reads on."""

from collections.abc import AsyncIterator

import pytest

from s3o.ledger.copies import mark_copy
from s3o.ledger.copy_rows import copies_of, find_blob
from s3o.model.errors import BackendsFailed
from s3o.model.names import BackendName
from s3o.model.values import Location, LocationState, ObjectVersion
from tests.fakes.faults import Fault
from tests.objects.house import KEY, House, open_house
from tests.objects.uploading import Uploading

ONE, TWO = BackendName("one"), BackendName("two")
BODY = bytes(range(256)) * 4096  # four pieces


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Two backends."""
    async with open_house() as it:
        yield it


async def replicate(house: House, version: ObjectVersion) -> list[Location]:
    """Give every blob a copy on the second backend; return all locations."""
    for place in await places_of(house, version):
        found = await house.ledger.read(
            lambda tx, blob=place.blob: find_blob(tx, version.version_id, blob)
        )
        assert found is not None
        await house.blob_copier.copy(*found, TWO, reason="test")
    return await places_of(house, version)


async def places_of(house: House, version: ObjectVersion) -> list[Location]:
    """Where all blobs lie."""
    return await house.ledger.read(lambda tx: copies_of(tx, version.version_id))


def egress(house: House, name: BackendName) -> int:
    """How many bytes a backend has sent."""
    return house.rig.counters.of(name).effective().egress_bytes


async def test_a_backend_that_dies_mid_body_is_resumed_at_the_byte(
    house: House,
) -> None:
    """The client notices nothing, and no byte is paid for twice."""
    version = await house.put(BODY)
    await replicate(house, version)
    before = egress(house, TWO)
    house.rig.inner["one"].faults.next("open", Fault.TRUNCATED)

    body = await house.get()

    assert BODY == body
    assert len(BODY) // 2 == egress(house, TWO) - before


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 1), (1, 700_000), (262_143, 262_145), (300_000, len(BODY))],
)
async def test_a_range_is_resumed_too(house: House, start: int, stop: int) -> None:
    """Players and backup programs read ranges."""
    version = await house.put(BODY)
    await replicate(house, version)
    house.rig.inner["one"].faults.next("open", Fault.TRUNCATED)

    assert BODY[start:stop] == await house.get(start=start, stop=stop)


async def test_every_blob_of_an_upload_is_resumed(house: House) -> None:
    """Each blob fails over for itself."""
    uploading = Uploading(house)
    await uploading.create()
    parts = [b"a" * 600_000, b"b" * 600_000, b"c" * 600_000]
    await uploading.parts([parts[0], b"x" * 10, parts[2]])
    await uploading.part(2, parts[1])
    await uploading.complete()
    version = (await house.store.find(house.bucket, KEY)).version
    await replicate(house, version)
    house.rig.inner["one"].faults.next("open", *[Fault.TRUNCATED] * 3)
    house.rig.inner["two"].faults.next("open", Fault.TRUNCATED)

    with pytest.raises(BackendsFailed):
        await house.get()  # both of one blob
    house.rig.inner["one"].faults.heal()
    house.rig.inner["one"].faults.next("open", *[Fault.TRUNCATED] * 3)
    body = await house.get()

    assert b"".join(parts) == body
    house.rig.inner["one"].faults.heal()
    house.rig.inner["one"].faults.next("open", *[Fault.TRUNCATED] * 3)
    whole = b"".join(parts)
    assert whole[599_990:1_200_010] == await house.get(start=599_990, stop=1_200_010)


async def test_both_copies_dead_is_an_error_and_never_a_short_body(
    house: House,
) -> None:
    """A body that ends early must not look complete."""
    version = await house.put(BODY)
    await replicate(house, version)
    for name in ("one", "two"):
        house.rig.inner[name].faults.next("open", Fault.TRUNCATED)

    with pytest.raises(BackendsFailed):
        await house.get()


@pytest.mark.parametrize("state", [LocationState.SUSPECT, LocationState.LOST])
async def test_a_bad_copy_is_asked_last_or_not_at_all(
    house: House, state: LocationState
) -> None:
    """What is known to be wrong costs no client time."""
    version = await house.put(BODY)
    first, second = await replicate(house, version)
    await house.ledger.write(
        lambda tx: mark_copy(
            tx,
            version.version_id,
            0,
            first.backend,
            state,
            house.rig.clock.now_us() + 1,
            first.storage_key,
        )
    )
    before = egress(house, ONE)

    body = await house.get()
    house.rig.inner["two"].faults.next("open", Fault.UNREACHABLE)

    assert BODY == body
    assert 0 == egress(house, ONE) - before
    assert TWO == second.backend
    if state is LocationState.SUSPECT:
        assert BODY == await house.get()  # better than nothing
    else:
        with pytest.raises(BackendsFailed):
            await house.get()
