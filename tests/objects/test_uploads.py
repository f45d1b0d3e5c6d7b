"""Multipart uploads over faulty, full and lost backends: what is made, what is left."""

from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from s3o.model import limits
from s3o.model.errors import (
    BackendsFailed,
    ConditionalConflict,
    NoRoom,
    NoSuchUpload,
)
from s3o.model.facts import Happened
from s3o.model.multipart import UploadState
from s3o.model.names import StorageKey
from s3o.model.seams import Transform
from s3o.model.values import BlobHeaders, Traits, WriteConditions
from s3o.policy.identity import IdentityTransform
from tests.contract.factories import CountingMeter
from tests.fakes.faults import Fault
from tests.fakes.s3_provider import open_provider
from tests.fakes.s3_quirks import PROVIDERS
from tests.fakes.sources import BytesSource, pattern
from tests.fakes.transform import FramingTransform
from tests.objects.house import SMALL_PARTS, House, open_house
from tests.objects.uploading import Uploading

KIB = 1024
PART = 100 * KIB
transforms = pytest.mark.parametrize(
    "transform", [IdentityTransform(), FramingTransform()], ids=["identity", "framing"]
)
everywhere = pytest.mark.parametrize(
    "traits",
    [SMALL_PARTS, replace(SMALL_PARTS, has_multipart=False)],
    ids=["native", "blobs"],
)


def bodies_of(count: int, size: int = PART) -> list[bytes]:
    """Parts that cannot be mistaken for each other."""
    return [pattern(size, seed=number) for number in range(1, count + 1)]


async def check_settled(house: House) -> None:
    """A day later the ledger and the backends tell the same, and nothing waits."""
    await house.drain()
    assert [] == await house.complaints()
    assert house.located() == house.lying()
    assert (0, 0, 0) == await house.waiting()
    rows = house.connection.execute("SELECT SUM(bytes_reserved) FROM backend_quotas")
    assert 0 == rows.fetchone()[0]
    for backend in house.rig.inner.values():
        assert {} == backend.uploads.under_way


@transforms
async def test_forty_parts_over_three_backends_come_back(
    transform: Transform, autojump_clock: MockClock
) -> None:
    """An upload must not fail while there is room somewhere; nobody sees the seams."""
    bodies = bodies_of(40)
    whole = b"".join(bodies)
    room = 15 * transform.stored_size(PART)
    quotas = {"one": room, "two": room, "three": room}
    async with open_house(transform=transform, quotas=quotas) as house:
        upload = Uploading(house)
        await upload.create()
        parts = await upload.parts(bodies)
        completed = await upload.complete()

        per_backend = [part.backend for part in parts]
        assert ["one"] * 15 + ["two"] * 15 + ["three"] * 10 == per_backend
        assert [True] * 15 + [False] * 25 == [part.is_native for part in parts]
        assert completed.etag.endswith("-40")
        assert whole == await house.get()
        seams = range(PART, len(whole), PART)
        for seam in seams:
            for start, stop in ((seam - 1, seam + 1), (seam - PART // 2, seam + PART)):
                stop = min(stop, len(whole))
                assert whole[start:stop] == await house.get(start=start, stop=stop)
        assert whole[PART + 7 : 39 * PART] == await house.get(
            start=PART + 7, stop=39 * PART
        )
        for name in quotas:
            quota = await house.quota(name)
            assert 0 == quota.reserved_bytes
        await check_settled(house)
        await house.delete()
        await check_settled(house)
        assert [] == house.lying()


@transforms
@everywhere
async def test_read_goes_on_at_another_copy_of_each_blob(
    transform: Transform, traits: Traits, autojump_clock: MockClock
) -> None:
    """Each blob fails over for itself, in the middle of it, too."""
    bodies = bodies_of(3, 200 * KIB)
    async with open_house(transform=transform, traits=traits) as house:
        upload = Uploading(house)
        await upload.create()
        await upload.parts(bodies)
        await upload.complete()
        stored = await house.store.find(house.bucket, upload.key)
        first, second = house.rig.inner["one"], house.rig.inner["two"]
        for place in stored.locations:
            assert "one" == place.backend
            second.blobs[place.storage_key] = first.blobs[place.storage_key]
            house.connection.execute(
                "INSERT INTO object_locations (version_id, blob, backend_name,"
                " storage_key, stored_bytes, created_at) VALUES (?, ?, 'two', ?, ?, 0)",
                (
                    stored.version.version_id,
                    place.blob,
                    place.storage_key,
                    place.stored_bytes,
                ),
            )
        for fault in (Fault.TRUNCATED, Fault.ERROR_BEFORE, Fault.MISSING):
            first.faults.next("open", *[fault] * len(stored.locations))
            assert b"".join(bodies) == await house.get()


async def test_unused_number_goes_native_and_a_used_one_does_not(
    house: House, autojump_clock: MockClock
) -> None:
    """Part numbers are mutable names: a late request must not change what counts."""
    upload = Uploading(house)
    await upload.create()
    house.rig.inner["one"].faults.next("upload_part", Fault.LOST_ANSWER)

    lost = await upload.part(1, b"first")
    other = await upload.part(2, b"second")
    again = await upload.part(2, b"third")

    assert (False, "two") == (lost.is_native, lost.backend)
    assert (True, False) == (other.is_native, again.is_native)
    await upload.complete()
    assert b"firstthird" == await house.get()
    await check_settled(house)


async def test_parts_of_other_sizes_are_blobs_where_sizes_must_be_equal(
    autojump_clock: MockClock,
) -> None:
    """R2 refuses to join parts of different sizes, after all were uploaded."""
    traits = replace(SMALL_PARTS, needs_equal_parts=True)
    async with open_house(traits=traits) as house:
        upload = Uploading(house)
        await upload.create()
        sizes = (1000, 1000, 999, 1000, 5)
        parts = await upload.parts([pattern(size, seed=size) for size in sizes])
        await upload.complete()

        assert [True, True, False, True, False] == [part.is_native for part in parts]
        assert b"".join(pattern(size, seed=size) for size in sizes) == await house.get()
        await check_settled(house)


async def test_parts_of_other_sizes_never_reach_r2s_upload() -> None:
    """The S3 client, R2's profile and a provider that refuses unequal parts."""
    minimum = limits.PART_MIN_BYTES
    async with (
        open_provider(CountingMeter(), "r2", PROVIDERS["r2"], name="one") as provider,
        open_house(instead={"one": provider.backend}) as house,
    ):
        upload = Uploading(house)
        await upload.create()
        sizes = (minimum, minimum + 1, minimum, 7)
        parts = await upload.parts([pattern(size, seed=size) for size in sizes])
        await upload.complete()

        assert [True, False, True, False] == [part.is_native for part in parts]
        assert ["one"] * 4 == [part.backend for part in parts]
        assert 1 == provider.server.count("CompleteMultipartUpload")
        assert {} == provider.server.bucket.uploads
        assert 3 == len(provider.server.bucket.current())
        assert b"".join(pattern(size, seed=size) for size in sizes) == await house.get()


async def test_parts_over_the_backends_highest_number_are_blobs(
    autojump_clock: MockClock,
) -> None:
    """Swift's last part is number 1000; S3's clients go on to 10000."""
    traits = replace(SMALL_PARTS, max_part_number=2)
    async with open_house(traits=traits) as house:
        upload = Uploading(house)
        await upload.create()
        parts = await upload.parts(bodies_of(4, 1000))
        await upload.complete()

        assert [True, True, False, False] == [part.is_native for part in parts]
        assert ["one"] * 4 == [part.backend for part in parts]
        calls = house.rig.inner["one"].books.calls
        assert 2 == sum(operation == "upload_part" for operation, _ in calls)
        assert b"".join(bodies_of(4, 1000)) == await house.get()
        await check_settled(house)


@pytest.mark.parametrize(
    "fault",
    [Fault.ERROR_BEFORE, Fault.ERROR_AFTER, Fault.LOST_ANSWER, Fault.HANG],
)
async def test_upload_goes_on_without_the_backends_own(
    house: House, fault: Fault, autojump_clock: MockClock
) -> None:
    """A Create that fails, or whose answer is lost, costs nobody anything for long."""
    house.rig.inner["one"].faults.next("create_upload", fault)
    upload = Uploading(house)
    await upload.create()

    parts = await upload.parts(bodies_of(3))
    await upload.complete()

    assert [False] * 3 == [part.is_native for part in parts]
    assert b"".join(bodies_of(3)) == await house.get()
    for _ in range(2):
        await house.sweep.run_once()
        await trio.sleep(3601)
    await house.sweep.run_once()
    await check_settled(house)


async def test_parts_at_the_same_time_share_one_binding(
    house: House, autojump_clock: MockClock
) -> None:
    """SDKs send ten parts at once, and the first of them are all first."""
    upload = Uploading(house)
    await upload.create()
    house.rig.inner["one"].slow_s["create_upload"] = 0.01
    bodies = bodies_of(10, 1000)
    async with trio.open_nursery() as nursery:
        for number, body in enumerate(bodies, 1):
            nursery.start_soon(upload.part, number, body)
    await upload.complete()

    calls = house.rig.inner["one"].books.calls
    assert 1 == sum(operation == "create_upload" for operation, _ in calls)
    assert 10 == sum(operation == "upload_part" for operation, _ in calls)
    assert b"".join(bodies) == await house.get()
    await check_settled(house)


@everywhere
async def test_failed_part_leaves_the_upload_as_it_was(
    traits: Traits, autojump_clock: MockClock
) -> None:
    """A client that breaks off sends the part again, and pays for it once."""
    async with open_house(traits=traits) as house:
        upload = Uploading(house)
        await upload.create()
        await upload.part(1, b"one")
        error = ValueError("the client is gone")
        with pytest.raises(ValueError, match="gone"):
            await upload.part(2, BytesSource(pattern(1000), fail_at=500, error=error))
        await upload.part(2, b"two")
        await upload.complete()

        assert b"onetwo" == await house.get()
        await check_settled(house)


async def test_large_part_that_cannot_be_sent_again_fails_alone(
    house: House, autojump_clock: MockClock
) -> None:
    """What was read past the replay window is gone; the client repeats the part."""
    upload = Uploading(house)
    await upload.create()
    await upload.part(1, b"one")
    big = pattern(9 << 20)
    house.rig.inner["one"].faults.next("upload_part", Fault.ERROR_AFTER)
    with pytest.raises(BackendsFailed):
        await upload.part(2, big)

    await upload.part(2, big)
    await upload.complete()
    assert b"one" + big == await house.get()
    await check_settled(house)


async def test_upload_without_room_anywhere_waits_for_none(
    autojump_clock: MockClock,
) -> None:
    """507 for the part; what was uploaded stays, and may be completed."""
    async with open_house(quotas={"one": 1000, "two": 1000}) as house:
        upload = Uploading(house)
        await upload.create()
        await upload.part(1, pattern(900))
        await upload.part(2, pattern(900))
        with pytest.raises(NoRoom):
            await upload.part(3, pattern(900))
        await upload.complete()

        assert pattern(900) * 2 == await house.get()
        await check_settled(house)


async def test_abort_frees_the_room_for_another_upload(
    autojump_clock: MockClock,
) -> None:
    """The next part waits for the cleanup that the abort asked for."""
    async with (
        open_house(quotas={"one": 1000}) as house,
        house.cleaning(),
    ):
        first, second = Uploading(house), Uploading(house)
        await first.create()
        await first.part(1, pattern(900))
        await first.abort()
        await second.create()
        await second.part(1, pattern(900, seed=5))
        await second.complete()

        assert pattern(900, seed=5) == await house.get()
        assert [] == await house.complaints()


@pytest.mark.parametrize(
    "fault",
    [
        Fault.UNREACHABLE,
        Fault.ERROR_BEFORE,
        Fault.ERROR_AFTER,
        Fault.LOST_ANSWER,
        Fault.HANG,
        Fault.STORE_THEN_HANG,
    ],
)
async def test_complete_finds_out_what_the_backend_did(
    house: House, fault: Fault, autojump_clock: MockClock
) -> None:
    """An answer that is lost decides nothing: the blob or the parts are there."""
    upload = Uploading(house)
    await upload.create()
    await upload.parts(bodies_of(3))
    house.rig.inner["one"].faults.next("complete_upload", fault)

    await upload.complete()

    assert b"".join(bodies_of(3)) == await house.get()
    await check_settled(house)


async def test_refused_complete_opens_the_upload_again(
    house: House, autojump_clock: MockClock
) -> None:
    """After a definite refusal the client may complete later, or abort."""
    upload = Uploading(house)
    await upload.create()
    await upload.parts(bodies_of(3))
    house.rig.inner["one"].faults.next("complete_upload", Fault.FORBIDDEN)

    with pytest.raises(BackendsFailed):
        await upload.complete()
    assert UploadState.OPEN is (await upload.find()).state
    await upload.part(4, b"more")
    await upload.complete()

    assert b"".join(bodies_of(3)) + b"more" == await house.get()
    await check_settled(house)


async def test_backend_that_lost_the_upload_is_not_guessed_about(
    house: House, autojump_clock: MockClock
) -> None:
    """Neither blob nor parts: the upload stays, and an operator hears of it."""
    upload = Uploading(house)
    await upload.create()
    await upload.parts(bodies_of(3))
    house.rig.inner["one"].uploads.under_way.clear()

    for _ in range(2):
        with pytest.raises(BackendsFailed):
            await upload.complete()
    assert UploadState.COMPLETING is (await upload.find()).state
    assert [] == await house.complaints()


async def test_object_that_may_not_become_current_ends_its_upload(
    house: House, autojump_clock: MockClock
) -> None:
    """Its condition held at first; somebody wrote the key while the backend worked."""
    upload = Uploading(house)
    await upload.create()
    await upload.parts(bodies_of(3))
    begun = await house.store.uploads.begin_complete(
        upload.call(WriteConditions(if_none_match_any=True))
    )
    await house.put(b"theirs")
    with pytest.raises(ConditionalConflict):
        await house.store.uploads.finish_complete(begun)

    assert b"theirs" == await house.get()
    with pytest.raises(NoSuchUpload):
        await upload.find()
    for _ in range(2):
        await house.sweep.run_once()
        await check_settled(house)


async def test_reaper_finishes_what_a_dead_process_began(
    house: House, autojump_clock: MockClock
) -> None:
    """Nobody repeats the Complete: the object is made all the same, or not at all."""
    upload = Uploading(house)
    await upload.create()
    await upload.parts(bodies_of(3))
    await house.store.uploads.begin_complete(upload.call())

    await check_settled(house)

    assert b"".join(bodies_of(3)) == await house.get()


async def test_reaper_does_not_undo_a_later_write(
    house: House, autojump_clock: MockClock
) -> None:
    """Whoever wrote later was acknowledged; the dead Complete never was."""
    upload = Uploading(house)
    await upload.create()
    await upload.parts(bodies_of(3))
    await house.store.uploads.begin_complete(upload.call())
    await house.put(b"later")

    await check_settled(house)

    assert b"later" == await house.get()


async def test_stale_upload_is_aborted_and_a_living_one_is_not(
    house: House, autojump_clock: MockClock
) -> None:
    """By idle time, not by age: an upload may take days."""
    stale, living = Uploading(house), Uploading(house)
    for upload in (stale, living):
        await upload.create()
        await upload.part(1, b"x")
    for number in range(2, 30):
        await trio.sleep(3601)
        await living.part(number, b"y")
        await house.sweep.run_once()

    with pytest.raises(NoSuchUpload):
        await stale.find()
    await living.complete()
    assert b"x" + b"y" * 28 == await house.get()
    for _ in range(2):
        await house.sweep.run_once()
        await check_settled(house)
        await trio.sleep(3601)
    await house.sweep.run_once()
    rows = house.connection.execute("SELECT COUNT(*) FROM multipart_uploads")
    assert 0 == rows.fetchone()[0]


async def test_jump_of_the_clock_aborts_no_upload_in_progress(
    house: House, autojump_clock: MockClock
) -> None:
    """A wall clock that leaps a year must not throw away what is being sent."""
    upload = Uploading(house)
    await upload.create()
    await upload.part(1, b"one")
    house.connection.execute("UPDATE multipart_uploads SET active_at = 0")

    await house.sweep.run_once()
    await upload.part(2, b"two")
    await trio.sleep(3601)
    await house.sweep.run_once()

    await upload.complete()
    assert b"onetwo" == await house.get()


async def test_hundreds_of_stale_uploads_end_within_hours(
    house: House, autojump_clock: MockClock
) -> None:
    """A client in a loop leaves more behind in an hour than a page of the ledger."""
    for _ in range(600):
        await Uploading(house).create()
    await trio.sleep(86_401)
    await house.sweep.run_once()
    await trio.sleep(3600)
    await house.sweep.run_once()

    rows = house.connection.execute("SELECT COUNT(*) FROM multipart_uploads")
    assert 0 == rows.fetchone()[0]


async def test_more_stale_uploads_than_one_pass_looks_at_come_next(
    house: House, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a pass leaves is looked at as soon as it has ended some."""
    monkeypatch.setattr("s3o.services.multipart_cleanup.STALE_UPLOADS", 2)
    for _ in range(6):
        await Uploading(house).create()
    await trio.sleep(86_401)
    for _ in range(4):  # the first hour only sees that nothing moves
        await house.sweep.run_once()
        while house.sweep.wakeup.is_poked:
            house.sweep.wakeup.take()
            await house.sweep.run_once()
        await trio.sleep(3600)

    rows = house.connection.execute("SELECT COUNT(*) FROM multipart_uploads")
    assert 0 == rows.fetchone()[0]


@pytest.mark.parametrize("is_filled", [True, False])
async def test_upload_of_a_clock_that_was_ahead_ends_this_year(
    house: House, autojump_clock: MockClock, *, is_filled: bool
) -> None:
    """By the clock of today it is to come; a day without a sign of life ends it."""
    house.rig.clock.offset_us = 365 * 86_400 * 1_000_000
    upload = Uploading(house)
    await upload.create()
    await upload.part(1, b"one")
    house.rig.clock.offset_us = 0
    for _ in range(24):
        await house.sweep.run_once()
        await trio.sleep(3600)
    assert "one" == (await upload.find()).backend
    if is_filled:
        await upload.part(2, b"two")
    await trio.sleep(1)
    await house.sweep.run_once()

    if is_filled:
        assert "one" == (await upload.find()).backend
    else:
        with pytest.raises(NoSuchUpload):
            await upload.find()


@pytest.mark.parametrize("jump_s", [90_000, 365 * 86_400])
async def test_clock_set_ahead_ends_no_upload_early(
    house: House, autojump_clock: MockClock, jump_s: int
) -> None:
    """A client that pauses for a few hours goes on; one that is gone ends in a day."""
    upload, left = Uploading(house), Uploading(house)
    for one in (upload, left):
        await one.create()
        await one.part(1, b"one")
    await house.sweep.run_once()
    house.rig.clock.offset_us = jump_s * 1_000_000
    for _ in range(20):
        await trio.sleep(3600)
        await house.sweep.run_once()
    await upload.part(2, b"two")
    for _ in range(6):
        await trio.sleep(3600)
        await house.sweep.run_once()
    await upload.complete()

    assert b"onetwo" == await house.get()
    with pytest.raises(NoSuchUpload):
        await left.find()


async def test_clock_set_ahead_forgets_no_complete_early(
    house: House, autojump_clock: MockClock
) -> None:
    """Whoever got no answer to a Complete may repeat it for a day."""
    upload = Uploading(house)
    await upload.create()
    await upload.part(1, b"one")
    await house.sweep.run_once()
    await upload.complete()
    house.rig.clock.offset_us = 365 * 86_400 * 1_000_000
    for _ in range(20):
        await trio.sleep(3600)
        await house.sweep.run_once()
    await upload.complete()
    for _ in range(6):
        await trio.sleep(3600)
        await house.sweep.run_once()

    with pytest.raises(NoSuchUpload):
        await upload.complete()


async def test_a_machine_that_sleeps_every_night_forgets_completes(
    house: House, autojump_clock: MockClock
) -> None:
    """Its own clock stands still meanwhile: each morning the wall clock has leapt."""
    upload = Uploading(house)
    await upload.create()
    await upload.part(1, b"one")
    await upload.complete()
    for _ in range(5):
        for _ in range(12):
            await house.sweep.run_once()
            await trio.sleep(3600)
        house.rig.clock.offset_us += 12 * 3600 * 1_000_000

    found = house.connection.execute("SELECT COUNT(*) FROM completed_uploads")
    assert 0 == found.fetchone()[0]


async def test_a_damaged_part_keeps_no_other_upload(
    house: House, autojump_clock: MockClock
) -> None:
    """A row that cannot be true: its upload waits for a person, the others end."""
    damaged, stale = Uploading(house), Uploading(house)
    for upload in (damaged, stale):
        await upload.create()
        await upload.part(1, b"x")
    house.connection.execute(
        "UPDATE multipart_parts SET size = -5 WHERE upload_id = ?",
        (damaged.upload_id,),
    )
    await trio.sleep(86_401)
    await house.sweep.run_once()
    await trio.sleep(3601)
    await house.sweep.run_once()

    with pytest.raises(NoSuchUpload):
        await stale.find()
    await damaged.find()


async def test_clock_set_back_ends_no_upload_early(
    house: House, autojump_clock: MockClock
) -> None:
    """By a clock that is a year behind, all uploads are to come."""
    upload = Uploading(house)
    await upload.create()
    await upload.part(1, b"one")
    house.rig.clock.offset_us = -365 * 86_400 * 1_000_000
    for _ in range(20):
        await house.sweep.run_once()
        await trio.sleep(3600)
    await upload.complete()

    assert b"one" == await house.get()


async def test_uploads_under_way_are_known_however_many_there_are(
    house: House, autojump_clock: MockClock
) -> None:
    """A warning that is wrong teaches operators to read none."""
    for _ in range(5):
        await Uploading(house).create()
    upload = Uploading(house)
    await upload.create()
    await upload.part(1, b"one")
    for _ in range(4):  # the backend is listed as long as one has ended
        ended = Uploading(house)
        await ended.create()
        await ended.part(1, b"one")
        await ended.abort()
        await house.sweep.run_once()
        await trio.sleep(3601)

    told = [fact.message for fact in house.rig.observer.of(Happened)]
    assert not [message for message in told if "not known here" in message]


async def test_an_upload_that_a_backend_keeps_holds_no_other_back(
    house: House, autojump_clock: MockClock
) -> None:
    """Its provider refuses to abort one: the others are ended, and forgotten."""
    backend = house.rig.guarded("one")
    names: list[StorageKey] = []
    for _ in range(3):
        upload = Uploading(house)
        await upload.create()
        await upload.part(1, b"one")
        found = await upload.find()
        assert found.storage_key is not None
        names.append(found.storage_key)
        await upload.abort()
    await house.drain()
    for name in names[:2]:  # a Create that arrived late
        await backend.create_upload(name, BlobHeaders())
    await house.sweep.run_once()
    await trio.sleep(3601)
    house.rig.inner["one"].faults.next("abort_upload", Fault.ERROR_BEFORE)
    report = await house.sweep.run_once()

    assert "ended 1 on backends" == report
    assert 1 == len(house.rig.inner["one"].uploads.under_way)
    rows = house.connection.execute("SELECT COUNT(*) FROM multipart_uploads")
    assert 2 == rows.fetchone()[0]  # what was clean is forgotten


async def test_foreign_uploads_on_a_backend_are_left_alone(
    house: House, autojump_clock: MockClock
) -> None:
    """The bucket there may hold more than ours; what is unknown is only reported."""
    backend = house.rig.guarded("one")
    for name in ("their/file", f"photos/unknown!{'0' * 32}"):
        await backend.create_upload(StorageKey(name), BlobHeaders())
    upload = Uploading(house)
    await upload.create()
    await upload.part(1, b"one")
    await upload.abort()
    for _ in range(4):
        await house.sweep.run_once()
        await trio.sleep(3601)
    await house.drain()

    assert 2 == len(house.rig.inner["one"].uploads.under_way)
