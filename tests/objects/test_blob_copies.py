"""Copies of blobs from backend to backend, whatever fails on the way."""

import hashlib
from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from s3o.backends.guard import BackendLimits
from s3o.ledger.copies import CopyOutcome
from s3o.ledger.copy_rows import BlobOf, copies_of, find_blob
from s3o.model.errors import (
    BackendError,
    BackendOverUsage,
    BackendsFailed,
    BlobDamaged,
    NoRoom,
)
from s3o.model.names import BackendName, ObjectKey
from s3o.model.values import Location, LocationState, ObjectVersion, Usage
from s3o.policy.usage import UsageLimits
from s3o.wire.record import parse_record
from tests.fakes.faults import Fault
from tests.objects.house import KEY, SINGLE_PUT_BYTES, House, open_house
from tests.objects.uploading import Uploading

ONE, TWO, THREE = BackendName("one"), BackendName("two"), BackendName("three")
BODY = bytes(range(256)) * 4096  # four pieces


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Three backends."""
    async with open_house(quotas=dict.fromkeys(("one", "two", "three"), 2**30)) as it:
        yield it


async def blob_of(house: House, version: ObjectVersion, blob: int = 0):
    """Whose bytes, and where they lie."""
    found = await house.ledger.read(lambda tx: find_blob(tx, version.version_id, blob))
    assert found is not None
    return found


async def copy(
    house: House,
    version: ObjectVersion,
    target: BackendName = TWO,
    *,
    blob: int = 0,
    takes_from: BackendName | None = None,
    verify: bool = True,
) -> CopyOutcome:
    """Copy a blob of the version."""
    of, places = await blob_of(house, version, blob)
    return await house.blob_copier.copy(
        of, places, target, reason="test", takes_from=takes_from, verify=verify
    )


async def places_of(
    house: House, version: ObjectVersion
) -> dict[BackendName, Location]:
    """Where blob 0 lies."""
    found = await house.ledger.read(lambda tx: copies_of(tx, version.version_id))
    return {place.backend: place for place in found if place.blob == 0}


async def test_a_copy_serves_when_the_first_backend_is_gone(house: House) -> None:
    """That is what it is for."""
    version = await house.put(BODY)

    outcome = await copy(house, version)

    places = await places_of(house, version)
    assert CopyOutcome.COPIED == outcome
    assert places[TWO].verified_at_us is not None
    assert places[ONE].storage_key != places[TWO].storage_key
    house.rig.inner["one"].faults.next("open", Fault.UNREACHABLE)
    assert BODY == await house.get()
    assert house.located() == house.lying()
    assert [] == await house.complaints()


async def test_a_copy_carries_a_record_and_headers_of_its_own(house: House) -> None:
    """Recovery without the ledger must find every copy, by its own name."""
    version = await house.put(BODY)
    await copy(house, version)

    place = (await places_of(house, version))[TWO]
    blob = house.rig.inner["two"].blobs[place.storage_key]
    recorded = parse_record(blob.info().headers)
    assert recorded is not None
    assert (version.version_id, 0, True, len(BODY), version.etag) == (
        recorded.record.version_id,
        recorded.record.blob,
        recorded.record.is_whole,
        recorded.record.stored_bytes,
        recorded.record.stored_md5,
    )
    assert version.facts.content_type == blob.headers.content_type
    # Drawn later, it would beat a write that began before the copy and ended after it.
    assert version.sequence == recorded.record.sequence


async def test_every_blob_of_an_upload_can_be_copied(house: House) -> None:
    """Copies act on blobs: an object may be several."""
    uploading = Uploading(house)
    await uploading.create()
    await uploading.parts([b"a" * 100, b"x" * 9, b"c" * 9])
    await uploading.part(2, b"b" * 70)
    await uploading.complete()
    version = (await house.store.find(house.bucket, KEY)).version
    blobs = {blob for blob, _, _ in version.layout}

    outcomes = [await copy(house, version, blob=blob) for blob in sorted(blobs)]

    assert 2 == len(blobs)
    assert [CopyOutcome.COPIED] * 2 == outcomes
    house.rig.inner["one"].faults.next("open", *[Fault.UNREACHABLE] * 3)
    assert b"a" * 100 + b"b" * 70 + b"c" * 9 == await house.get()
    assert [] == await house.complaints()


async def test_an_empty_blob_is_copied(house: House) -> None:
    """Nothing to read is not nothing to do."""
    version = await house.put(b"")

    assert CopyOutcome.COPIED == await copy(house, version)
    assert house.located() == house.lying()


async def test_a_source_that_breaks_off_is_resumed_on_the_next(house: House) -> None:
    """Bytes that were paid for as egress are not read twice."""
    version = await house.put(BODY)
    await copy(house, version)
    house.rig.inner["one"].faults.next("open", Fault.TRUNCATED)
    before = house.rig.counters.of(TWO).effective().egress_bytes

    outcome = await copy(house, version, THREE)

    read = house.rig.counters.of(TWO).effective().egress_bytes - before
    assert CopyOutcome.COPIED == outcome
    assert len(BODY) // 2 == read
    assert LocationState.LIVE == (await places_of(house, version))[ONE].state
    assert [] == await house.complaints()


@pytest.mark.parametrize("fault", [Fault.FLIPPED, Fault.SWAPPED, Fault.MISSING])
async def test_a_bad_source_is_marked_and_another_one_serves(
    house: House, fault: Fault
) -> None:
    """A damaged copy must never become a good-looking one, nor be deleted."""
    version = await house.put(BODY)
    await house.put(b"other" * 1000, "other")
    await copy(house, version)
    house.rig.inner["one"].faults.next("open", fault)

    outcome = await copy(house, version, THREE)

    places = await places_of(house, version)
    assert CopyOutcome.COPIED == outcome
    assert LocationState.SUSPECT == places[ONE].state
    assert places[ONE].storage_key in house.rig.inner["one"].blobs
    blob = house.rig.inner["three"].blobs[places[THREE].storage_key]
    assert BODY == blob.body
    assert [] == await house.complaints()


async def test_the_only_source_stays_when_it_is_bad(
    house: House, autojump_clock: MockClock
) -> None:
    """Nothing is copied, nothing is lost; a person may still help."""
    version = await house.put(BODY)
    house.rig.inner["one"].faults.next("open", Fault.FLIPPED)

    with pytest.raises(BackendsFailed):
        await copy(house, version)

    places = await places_of(house, version)
    assert [ONE] == list(places)
    assert LocationState.SUSPECT == places[ONE].state
    await house.drain()
    assert house.located() == house.lying()
    assert [] == await house.complaints()


@pytest.mark.parametrize(
    "fault",
    [
        Fault.UNREACHABLE,
        Fault.ERROR_AFTER,
        Fault.LOST_ANSWER,
        Fault.STORE_PART,
        Fault.HANG_THEN_STORE,
        Fault.REFUSED,
    ],
)
async def test_a_target_that_fails_leaves_nothing_behind(
    house: House, autojump_clock: MockClock, fault: Fault
) -> None:
    """Bytes that may have arrived are on the quota until they are gone."""
    version = await house.put(BODY)
    house.rig.inner["two"].faults.next("put", fault)

    with pytest.raises(BackendError):
        await copy(house, version)

    assert [ONE] == list(await places_of(house, version))
    assert [] == await house.complaints()
    await house.drain()
    assert house.located() == house.lying()
    assert (0, 0, 0) == await house.waiting()
    assert CopyOutcome.COPIED == await copy(house, version)


async def test_a_target_that_stores_other_bytes_is_found_out(house: House) -> None:
    """A copy counts only when it is proved."""
    version = await house.put(BODY)
    two = house.rig.inner["two"]
    two._etag_is_md5 = False
    two.faults.next("open", Fault.FLIPPED)

    with pytest.raises(BlobDamaged):
        await copy(house, version)

    assert [ONE] == list(await places_of(house, version))


async def test_a_copy_without_proof_is_read_back_or_recorded_as_unverified(
    house: House,
) -> None:
    """Unverified copies never count when another one is to be deleted."""
    version = await house.put(BODY)
    for name in ("two", "three"):
        house.rig.inner[name]._etag_is_md5 = False
    await copy(house, version, TWO)
    await copy(house, version, THREE, verify=False)

    places = await places_of(house, version)
    assert places[TWO].verified_at_us is not None
    assert places[THREE].verified_at_us is None
    assert len(BODY) == house.rig.counters.of(TWO).effective().egress_bytes
    assert 0 == house.rig.counters.of(THREE).effective().egress_bytes


async def test_a_copy_of_bytes_that_nobody_has_proved_proves_nothing(
    house: House,
) -> None:
    """Where no digest is known, a faithful copy of rotten bytes is rotten."""
    version = await house.put(BODY)
    house.connection.execute(
        "UPDATE object_locations SET stored_digest = NULL, verified_at = NULL"
    )
    await copy(house, version, TWO)

    places = await places_of(house, version)
    assert {ONE, TWO} == set(places)
    assert {None} == {place.verified_at_us for place in places.values()}
    # Its digest would be held against the right bytes, and they would lose.
    assert {None} == {place.stored_md5 for place in places.values()}


async def test_a_full_target_refuses_before_a_byte_is_read(house: House) -> None:
    """The quota holds for copies as for clients."""
    async with open_house(quotas={"one": 2**30, "two": len(BODY) - 1}) as house:
        version = await house.put(BODY)

        with pytest.raises(NoRoom):
            await copy(house, version)

        assert 0 == house.rig.counters.of(ONE).effective().egress_bytes
        assert [] == await house.complaints()


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("one", UsageLimits(egress_bytes=len(BODY) - 1)),
        ("two", UsageLimits(ingress_bytes=len(BODY) - 1)),
    ],
)
async def test_a_copy_over_a_monthly_limit_is_refused(
    house: House, name: str, usage: UsageLimits
) -> None:
    """Background work must not run up a bill that clients may not."""
    version = await house.put(BODY)
    house.rig.guarded(name).limits = BackendLimits(usage=usage)

    with pytest.raises(BackendOverUsage):
        await copy(house, version)

    assert [ONE] == list(await places_of(house, version))
    assert (0 if name == "one" else 1) == (await house.waiting())[0]


async def test_copies_are_counted_on_both_sides(house: House) -> None:
    """The provider counts them, too."""
    version = await house.put(BODY)
    before = house.rig.counters.of(ONE).effective()

    await copy(house, version)

    after = house.rig.counters.of(ONE).effective()
    assert Usage(before.api_requests + 1, len(BODY), before.ingress_bytes) == after
    assert Usage(1, 0, len(BODY)) == house.rig.counters.of(TWO).effective()


async def test_an_overwrite_meanwhile_makes_the_copy_obsolete(
    house: House, autojump_clock: MockClock
) -> None:
    """The new bytes win, and the old ones go."""
    version = await house.put(BODY)
    house.rig.inner["two"].slow_s["put"] = 5.0
    outcomes: list[CopyOutcome] = []

    async def work() -> None:
        outcomes.append(await copy(house, version))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
        await trio.sleep(1)
        await house.put(b"new")

    assert [CopyOutcome.OBSOLETE] == outcomes
    assert b"new" == await house.get()
    await house.drain()
    assert house.located() == house.lying()
    assert [] == await house.complaints()


async def test_a_move_takes_its_source(house: House, autojump_clock: MockClock) -> None:
    """Rebalancing and drains leave one copy, and the bytes of the other go."""
    version = await house.put(BODY)

    outcome = await copy(house, version, takes_from=ONE)

    assert CopyOutcome.MOVED == outcome
    assert [TWO] == list(await places_of(house, version))
    await house.drain()
    assert house.located() == house.lying()
    assert BODY == await house.get()
    assert [] == await house.complaints()


async def test_a_blob_too_large_for_one_put_goes_in_parts(house: House) -> None:
    """Uploads may make blobs that no provider takes at once; ETags still prove them."""
    body = bytes(range(251)) * (SINGLE_PUT_BYTES // 251 + 1000)
    version = await house.put(body)

    outcome = await copy(house, version)

    places = await places_of(house, version)
    blob = house.rig.inner["two"].blobs[places[TWO].storage_key]
    assert CopyOutcome.COPIED == outcome
    assert body == blob.body
    assert hashlib.md5(body).hexdigest() == places[TWO].stored_md5
    assert places[TWO].verified_at_us is not None
    assert 0 == house.rig.counters.of(TWO).effective().egress_bytes
    assert [] == await house.complaints()


@pytest.mark.parametrize("operation", ["create_upload", "upload_part"])
async def test_a_failed_upload_of_a_copy_is_aborted(
    house: House, autojump_clock: MockClock, operation: str
) -> None:
    """Parts of it would be paid for, for ever."""
    version = await house.put(bytes(SINGLE_PUT_BYTES + 1))
    two = house.rig.inner["two"]
    two.faults.next(operation, Fault.ERROR_BEFORE)

    with pytest.raises(BackendError):
        await copy(house, version)

    await house.drain()
    assert house.located() == house.lying()
    assert () == (await two.list_uploads("")).uploads
    assert [] == await house.complaints()


async def test_a_copy_that_dies_is_dropped_by_the_reaper(
    house: House, autojump_clock: MockClock
) -> None:
    """Nobody else knows what became of it."""
    version = await house.put(BODY)
    house.rig.inner["two"].faults.next("put", Fault.STORE_THEN_HANG)
    real_drop = house.blob_copier._announcer.drop

    async def die(*_: object, **__: object) -> None:
        await trio.lowlevel.checkpoint()

    house.blob_copier._announcer.drop = die  # type: ignore[method-assign]
    with trio.move_on_after(5):
        await copy(house, version)
    house.blob_copier._announcer.drop = real_drop  # type: ignore[method-assign]

    assert 1 == (await house.waiting())[2]
    await house.drain()
    assert (0, 0, 0) == await house.waiting()
    assert house.located() == house.lying()
    assert [] == await house.complaints()


async def test_who_copies_is_told_that_the_version_is_gone(house: House) -> None:
    """A plan may be old."""
    version = await house.put(BODY)
    of, places = await blob_of(house, version)
    await house.delete()

    outcome = await house.blob_copier.copy(of, places, TWO, reason="test")

    assert CopyOutcome.OBSOLETE == outcome
    assert isinstance(of, BlobOf)
    assert ObjectKey(KEY) == of.key
