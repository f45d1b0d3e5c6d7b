"""Copies sent while the client uploads: for nothing, and at nobody's expense."""

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from s3o.ledger.copies import CopyProof
from s3o.ledger.copy_rows import copies_of
from s3o.model import limits
from s3o.model.errors import BackendsFailed, NoRoom, PreconditionFailed
from s3o.model.facts import WriteCopied
from s3o.model.names import BackendName
from s3o.model.values import Location, ObjectVersion, WriteConditions
from s3o.objects.write_copies import Window
from s3o.wire.record import parse_record
from tests.fakes.faults import Fault
from tests.fakes.sources import BytesSource
from tests.objects.house import House, open_house

ONE, TWO, THREE = BackendName("one"), BackendName("two"), BackendName("three")
SMALL = b"x" * 1000
LARGE = bytes(range(256)) * 4096 * 12  # 12 MiB: beyond the window


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Three backends, one copy along with each write."""
    async with open_house(quotas=dict.fromkeys(("one", "two", "three"), 2**30)) as it:
        it.write_copies[0] = 1
        yield it


async def places_of(
    house: House, version: ObjectVersion
) -> dict[BackendName, Location]:
    """Where the bytes lie."""
    found = await house.ledger.read(lambda tx: copies_of(tx, version.version_id))
    return {place.backend: place for place in found}


def statuses(house: House) -> list[str]:
    """What became of the copies."""
    return [fact.status for fact in house.rig.observer.of(WriteCopied)]


async def check(house: House) -> None:
    """Nothing is left over, and every sum is right."""
    assert [] == await house.complaints()
    await house.drain()
    assert house.located() == house.lying()
    assert (0, 0, 0) == await house.waiting()
    assert [] == await house.complaints()


@pytest.mark.parametrize("body", [b"", SMALL, LARGE])
@pytest.mark.parametrize("count", [1, 2])
async def test_one_upload_makes_all_copies(
    house: House, body: bytes, count: int, autojump_clock: MockClock
) -> None:
    """Proved, each under its own name and record, and without egress."""
    house.write_copies[0] = count
    version = await house.put(body)

    places = await places_of(house, version)
    assert {ONE, TWO, THREE} >= places.keys()
    assert count + 1 == len(places)
    assert all(place.verified_at_us is not None for place in places.values())
    assert count + 1 == len({place.storage_key for place in places.values()})
    for place in places.values():
        blob = house.rig.inner[place.backend].blobs[place.storage_key]
        recorded = parse_record(blob.info().headers)
        assert body == blob.body
        assert recorded is not None
        assert version.version_id == recorded.record.version_id
        assert 0 == house.rig.counters.of(place.backend).effective().egress_bytes
    assert ["written"] * count == statuses(house)
    await check(house)


@pytest.mark.parametrize(
    "fault",
    [
        Fault.UNREACHABLE,
        Fault.ERROR_AFTER,
        Fault.LOST_ANSWER,
        Fault.REFUSED,
        Fault.HANG,
        Fault.HANG_THEN_STORE,
        Fault.STORE_THEN_HANG,
    ],
)
@pytest.mark.parametrize("body", [SMALL, LARGE])
async def test_a_copy_that_fails_never_fails_the_client(
    house: House, fault: Fault, body: bytes, autojump_clock: MockClock
) -> None:
    """The write stands, and is not held up for long; nothing is left behind."""
    house.rig.inner["two"].faults.next("put", fault)
    began = trio.current_time()

    version = await house.put(body)

    assert trio.current_time() - began < 1.0
    assert [ONE] == list(await places_of(house, version))
    assert statuses(house) in (["failed"], ["lagged"])
    assert body == await house.get()
    await check(house)


async def test_a_backend_that_falls_behind_is_cut_off(
    house: House, autojump_clock: MockClock
) -> None:
    """Memory is bounded, and the client is as fast as the first backend."""
    house.rig.inner["two"].slow_s["put"] = 60.0  # before it reads a byte
    began = trio.current_time()

    version = await house.put(LARGE)

    assert trio.current_time() - began < 1.0
    assert ["lagged"] == statuses(house)
    assert [ONE] == list(await places_of(house, version))
    await check(house)


async def test_a_failed_first_backend_takes_the_copies_with_it(
    house: House, autojump_clock: MockClock
) -> None:
    """The write goes on with the next candidate, and copies of its own."""
    house.rig.inner["one"].faults.next("put", Fault.ERROR_BEFORE)

    version = await house.put(SMALL)

    assert {TWO, THREE} == set(await places_of(house, version))
    await check(house)


async def test_a_write_that_fails_leaves_no_copy(
    house: House, autojump_clock: MockClock
) -> None:
    """A refused write changes nothing anywhere."""
    house.rig.inner["one"].faults.next("put", Fault.REFUSED)
    with pytest.raises(BackendsFailed):
        await house.put(LARGE)

    assert [] == house.located()
    await check(house)


async def test_a_refused_commit_takes_the_copies_back(
    house: House, autojump_clock: MockClock
) -> None:
    """Conditions are decided at the end, too."""
    house.rig.inner["one"].slow_s["put"] = 2.0

    async def race() -> None:
        await trio.sleep(1)
        house.write_copies[0] = 0
        house.rig.inner["one"].slow_s.clear()
        await house.put(b"first")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(race)
        with pytest.raises(PreconditionFailed):
            await house.put(SMALL, conditions=WriteConditions(if_none_match_any=True))

    assert b"first" == await house.get()
    await check(house)


async def test_a_source_that_fails_completes_no_copy(
    house: House, autojump_clock: MockClock
) -> None:
    """The last bytes go out only after the client's digests were verified."""

    class Broken(BytesSource):
        async def read(self) -> bytes:
            piece = await super().read()
            if self.is_at_end:
                raise PreconditionFailed("the digest is wrong")
            return piece

        @property
        def is_at_end(self) -> bool:
            return self._position >= self.size

    with pytest.raises(PreconditionFailed):
        await house.put(Broken(LARGE))

    assert [] == house.lying()
    await check(house)


async def test_without_room_for_a_copy_the_write_stands(
    autojump_clock: MockClock,
) -> None:
    """Quotas hold for copies, and no client is told 507 for them."""
    async with open_house(quotas={"one": 10_000, "two": 500}) as house:
        house.write_copies[0] = 1
        version = await house.put(SMALL)

        assert [ONE] == list(await places_of(house, version))
        with pytest.raises(NoRoom):
            await house.put(b"x" * 20_000, "large")
        await check(house)


async def test_a_copy_that_its_backend_does_not_prove_is_left_to_the_replicator(
    house: House, autojump_clock: MockClock
) -> None:
    """Only proved copies are recorded."""
    house.rig.inner["two"]._etag_is_md5 = False

    version = await house.put(SMALL)

    assert ["unproved"] == statuses(house)
    assert [ONE] == list(await places_of(house, version))
    await check(house)


async def test_memory_for_copies_is_bounded_over_all_writes(
    house: House, autojump_clock: MockClock
) -> None:
    """Many large uploads at once must not take the machine down."""
    taken = house.store._writer._windows.take
    windows = limits.REPLAY_TOTAL_BYTES // limits.REPLAY_BYTES
    assert [limits.REPLAY_BYTES] * windows == [taken(2**30) for _ in range(windows)]

    version = await house.put(LARGE)

    assert [ONE] == list(await places_of(house, version))
    assert [] == statuses(house)


async def test_the_window_keeps_a_bounded_number_of_bytes() -> None:
    """A reader that never reads costs no more than the window."""
    body = LARGE[: 2 * 2**20]
    window = Window(BytesSource(body), 2**20)
    side, lazy = window.open_side(), window.open_side()
    read = []
    while piece := await window.primary.read():
        assert window._kept_bytes <= 2**20
        read.append(piece)
        while piece := window.piece_at(side.next):
            side.next += 1

    assert body == b"".join(read)
    assert (False, True) == (side.is_cut_off, lazy.is_cut_off)
    assert not window.primary.rewind()
    with pytest.raises(BackendsFailed):
        await lazy.read()
    assert side.is_complete
    assert CopyProof(stored_md5="x").is_verified is False
