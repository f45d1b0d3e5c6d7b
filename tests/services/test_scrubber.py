"""The scrubber: every copy has its turn, bad ones are repaired, last ones are kept.

Of the reference: it sampled (and reached 6 % of the objects), deleted a mismatching
copy even if it was the last one, and left its row.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import trio

from s3o.model.facts import CopiesObserved, CopyJudged, CorruptionFound, ScrubRoundEnded
from s3o.model.names import BackendName, ObjectKey, StorageKey
from s3o.model.seams import Transform
from s3o.model.values import LocationState
from s3o.objects.integrity import IntegrityRules
from s3o.policy.identity import IdentityTransform
from s3o.services.progress import Progress
from s3o.services.scrubber import RETRY_S, Scrubbed, ScrubPace
from tests.fakes.faults import Fault
from tests.fakes.sources import pattern
from tests.fakes.transform import FramingTransform
from tests.objects.house import KEY, House, open_house
from tests.objects.uploading import Uploading
from tests.services.scrubbing import HOURLY, Scrubbing, open_scrubbing

BODY = pattern(100_000)
LIVE, SUSPECT = LocationState.LIVE, LocationState.SUSPECT


@pytest.fixture
async def scrubbing() -> AsyncIterator[Scrubbing]:
    """A house with a scrubber and one object on two backends."""
    async with open_house() as house:
        built = open_scrubbing(house)
        await house.put(BODY)
        await built.copy_to("two")
        yield built


def _judged(house: House) -> list[tuple[str, str]]:
    return [(one.judgement, one.backend) for one in house.rig.observer.of(CopyJudged)]


def _opened(house: House, backend: str) -> list[str]:
    calls = house.rig.inner[backend].books.calls
    return [subject for operation, subject in calls if operation == "open"]


async def _agrees(house: House) -> bool:
    """Whether ledger and backends hold the same names once the queue is empty."""
    await house.drain()
    return house.located() == house.lying() and not await house.complaints()


@pytest.mark.parametrize(
    "transform", [IdentityTransform(), FramingTransform()], ids=["identity", "framing"]
)
async def test_proof_is_written_down(transform: Transform) -> None:
    """The age of the oldest proof is what an operator may rely on."""
    async with open_house(transform=transform) as house:
        scrubbing = open_scrubbing(house)
        await house.put(BODY)
        house.connection.execute(
            "UPDATE object_locations SET verified_at = NULL, stored_digest = NULL"
        )
        done = await scrubbing.scrubber.cycle()

        [place] = (await scrubbing.places()).values()
        lying = house.rig.inner["one"].blobs[place.storage_key].body
        assert Scrubbed(checked=1) == done
        assert place.verified_at_us is not None
        assert hashlib.md5(lying).hexdigest() == place.stored_md5


async def test_bad_copy_is_replaced_from_a_good_one(
    scrubbing: Scrubbing, autojump_clock: object
) -> None:
    """Two copies again, by themselves; the bad bytes are deleted afterwards."""
    house = scrubbing.house
    bad = await scrubbing.spoil("one")
    done = await scrubbing.scrubber.cycle()

    assert (1, 1) == (done.failed, done.repaired)
    places = await scrubbing.places()
    assert {"one": LIVE, "two": LIVE} == await scrubbing.states()
    assert bad != places["one"].storage_key
    assert all(place.verified_at_us is not None for place in places.values())
    assert [("repaired", "one")] == _judged(house)
    assert 1 == len(house.rig.observer.of(CorruptionFound))
    assert BODY == await house.get()
    assert await _agrees(house)
    assert bad not in house.rig.inner["one"].blobs


@pytest.mark.parametrize("backend", ["one", "two"])
async def test_last_bad_copy_is_quarantined_and_kept(
    autojump_clock: object, backend: str
) -> None:
    """Half an object is better than none; a person decides, not a machine."""
    async with open_house(quotas={backend: 1 << 30}) as house:
        scrubbing = open_scrubbing(house)
        await house.put(BODY)
        bad = await scrubbing.spoil(backend)
        done = await scrubbing.scrubber.cycle()
        await scrubbing.scrubber.cycle()

        assert 1 == done.quarantined
        assert {backend: LocationState.QUARANTINED} == await scrubbing.states()
        assert [("quarantined", backend)] == _judged(house)
        await house.drain()
        assert bad in house.rig.inner[backend].blobs
        assert await _agrees(house)


async def test_all_copies_bad_are_all_kept(scrubbing: Scrubbing) -> None:
    """Two bad copies may still make one good file, byte by byte."""
    await scrubbing.spoil("one")
    await scrubbing.spoil("two")
    await scrubbing.scrubber.cycle()

    assert {LocationState.QUARANTINED} == set((await scrubbing.states()).values())
    assert 2 == len(scrubbing.house.lying())


async def test_copy_that_proves_itself_is_live_again(scrubbing: Scrubbing) -> None:
    """One wrong read may be a line's fault, or that of memory here."""
    house = scrubbing.house
    house.rig.inner["one"].faults.next("open", Fault.FLIPPED)
    assert BODY == await house.get()
    assert SUSPECT == (await scrubbing.states())["one"]
    await scrubbing.scrubber.run_once()

    assert {"one": LIVE, "two": LIVE} == await scrubbing.states()
    assert [("cleared", "one")] == _judged(house)
    assert 2 == len(house.lying())


async def test_quarantine_ends_when_the_bytes_are_right_again(
    scrubbing: Scrubbing,
) -> None:
    """An operator who restores the file needs no command."""
    house = scrubbing.house
    names = {name: await scrubbing.spoil(name) for name in ("one", "two")}
    await scrubbing.scrubber.cycle()
    blobs = house.rig.inner["one"].blobs
    blobs[names["one"]] = replace(blobs[names["one"]], body=BODY)
    await scrubbing.scrubber.cycle()

    assert LIVE == (await scrubbing.states())["one"]
    assert BODY == await house.get()


async def test_missing_copy_is_lost_when_others_are_good(
    scrubbing: Scrubbing,
) -> None:
    """The replicator makes another one in its place."""
    await scrubbing.lose("one")
    await scrubbing.scrubber.cycle()

    assert {"one": LocationState.LOST, "two": LIVE} == await scrubbing.states()
    assert [("lost", "one")] == _judged(scrubbing.house)
    assert BODY == await scrubbing.house.get()


async def test_object_that_no_backend_has_keeps_its_row(scrubbing: Scrubbing) -> None:
    """A backend that has it again tomorrow serves it; until then an alarm and 503."""
    await scrubbing.lose("one")
    await scrubbing.lose("two")
    await scrubbing.scrubber.cycle()

    assert {"one", "two"} == set(await scrubbing.states())
    assert ("last_lost", "two") in _judged(scrubbing.house)
    # The one that was found last is still asked.
    assert SUSPECT in (await scrubbing.states()).values()


@pytest.mark.parametrize(
    "fault", [Fault.UNREACHABLE, Fault.FORBIDDEN, Fault.THROTTLED, Fault.TRUNCATED]
)
async def test_failing_backend_proves_nothing(
    scrubbing: Scrubbing, fault: Fault
) -> None:
    """Expired credentials must not cost a single copy."""
    house = scrubbing.house
    before = await scrubbing.places()
    house.rig.inner["one"].faults.next("open", fault)
    done = await scrubbing.scrubber.cycle()

    assert 0 == done.failed
    after = await scrubbing.places()
    assert before["one"] == after["one"]
    assert [] == _judged(house)


async def test_repair_waits_for_a_backend_that_is_down(
    scrubbing: Scrubbing, autojump_clock: object
) -> None:
    """Its copy may be the good one, so nothing is given up meanwhile."""
    house = scrubbing.house
    await scrubbing.spoil("one")
    house.connection.execute(
        "UPDATE object_locations SET verified_at = NULL WHERE backend_name = 'two'"
    )
    house.rig.inner["two"].faults.down = Fault.UNREACHABLE
    await scrubbing.scrubber.cycle()
    assert SUSPECT == (await scrubbing.states())["one"]

    scrubbing.paces.append(ScrubPace())
    house.rig.inner["two"].faults.heal()
    await scrubbing.scrubber.run_once()
    assert SUSPECT == (await scrubbing.states())["one"]  # too soon
    await trio.sleep(RETRY_S)
    await scrubbing.scrubber.run_once()
    assert {"one": LIVE, "two": LIVE} == await scrubbing.states()


async def test_bad_copy_is_not_repaired_from_an_unproved_one(
    scrubbing: Scrubbing,
) -> None:
    """A copy nobody has proved is proved first; if it is bad, too, it repairs none."""
    house = scrubbing.house
    await scrubbing.spoil("one")
    spoiled = await scrubbing.spoil("two")
    house.connection.execute("UPDATE object_locations SET verified_at = NULL")
    house.connection.execute("UPDATE object_locations SET stored_digest = NULL")
    await scrubbing.scrubber.cycle()

    places = await scrubbing.places()
    assert spoiled == places["two"].storage_key
    assert {LocationState.QUARANTINED} == set((await scrubbing.states()).values())


async def test_blobs_beyond_repair_hold_no_other_back(
    scrubbing: Scrubbing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that died takes many objects along; what can be repaired still is."""
    monkeypatch.setattr("s3o.services.scrubber.REPAIR_BATCH", 2)
    house = scrubbing.house
    for number in range(4):
        await house.put(BODY, key=f"late {number}")
        await scrubbing.copy_to("two", f"late {number}")
    for key in (KEY, "late 0", "late 1"):
        await scrubbing.lose("one", key)
        await scrubbing.lose("two", key)
    for key in ("late 2", "late 3"):
        await scrubbing.spoil("one", key)
    house.connection.execute(
        "UPDATE object_locations SET state = 'suspect' WHERE backend_name = 'one'"
    )
    scrubbing.paces.append(ScrubPace())
    reports = []
    scrubbing.scrubber.poke()
    while scrubbing.scrubber.wakeup.is_poked:
        scrubbing.scrubber.wakeup.take()
        reports.append(await scrubbing.scrubber.run_once())

    assert 3 == len(reports)  # five blobs, two at a time, each of them once
    assert {"one": LIVE, "two": LIVE} == await scrubbing.states("late 2")
    assert {"one": LIVE, "two": LIVE} == await scrubbing.states("late 3")
    assert SUSPECT == (await scrubbing.states())["one"]
    scrubbing.scrubber.poke()
    await scrubbing.scrubber.run_once()
    assert 3 == sum(word == "last_lost" for word, _ in _judged(house)) / 2


async def test_proof_of_a_clock_that_was_ahead_protects_no_bad_copy(
    scrubbing: Scrubbing, autojump_clock: object
) -> None:
    """Bytes proved next year may be wrong today, and are repaired today."""
    house = scrubbing.house
    house.rig.clock.offset_us = 365 * 86_400 * 1_000_000
    await house.put(BODY, "ahead")
    await scrubbing.copy_to("two", "ahead")
    house.rig.clock.offset_us = 0
    bad = await scrubbing.spoil("one", "ahead")
    done = await scrubbing.scrubber.cycle()

    assert (1, 1) == (done.failed, done.repaired)
    assert bad != (await scrubbing.places("ahead"))["one"].storage_key


@pytest.mark.parametrize("may_destroy", [True, False])
async def test_bad_copy_makes_room_where_there_is_none(*, may_destroy: bool) -> None:
    """A full backend cannot hold both; the bad one goes, as one proved copy stays."""
    async with open_house(quotas={"one": 150_000, "two": 1 << 30}) as house:
        scrubbing = open_scrubbing(house)
        scrubbing.may_destroy.append(may_destroy)
        await house.put(BODY)
        await scrubbing.copy_to("two")
        await scrubbing.spoil("one")
        await scrubbing.scrubber.cycle()

        expected = {"two": LIVE} if may_destroy else {"one": SUSPECT, "two": LIVE}
        assert expected == await scrubbing.states()
        assert BODY == await house.get()
        assert [] == await house.complaints()


async def test_walk_reaches_every_copy_before_it_begins_anew(
    autojump_clock: object,
) -> None:
    """Not a sample: with a batch of 3, 20 objects on 2 backends take 14 passes."""
    async with open_house() as house:
        scrubbing = open_scrubbing(house)
        for number in range(20):
            await house.put(BODY[:number], f"key {number}")
            await scrubbing.copy_to("two", f"key {number}")
        for inner in house.rig.inner.values():
            inner.books.calls.clear()
        passes = 0
        while len(house.rig.observer.of(ScrubRoundEnded)) < 2:
            await scrubbing.scrubber.cycle(batch=3)
            passes += 1

        assert passes <= 15
        for backend in ("one", "two"):
            first = _opened(house, backend)[:20]
            assert sorted(first) == sorted(
                name for where, name in house.located() if where == backend
            )


async def test_walk_goes_on_after_a_restart(scrubbing: Scrubbing) -> None:
    """A process that is restarted every hour must not check the first hour for ever."""
    house = scrubbing.house
    for number in range(4):
        await house.put(BODY[:9], f"key {number}")
    await scrubbing.scrubber.cycle(batch=4)
    seen = set(_opened(house, "one"))
    house.rig.inner["one"].books.calls.clear()
    again = open_scrubbing(house)
    await again.scrubber.cycle(batch=4)

    assert not seen & set(_opened(house, "one")[:2])


async def test_a_copy_that_never_answers_holds_nobody_up(
    scrubbing: Scrubbing, autojump_clock: object
) -> None:
    """Two passes wait for it, then the walk goes on without it."""
    house = scrubbing.house
    await house.put(BODY, "later")
    faults = house.rig.inner["one"].faults
    faults.next("open", Fault.ERROR_BEFORE)
    await scrubbing.scrubber.cycle()
    faults.next("open", Fault.ERROR_BEFORE)
    house.rig.inner["one"].books.calls.clear()
    await scrubbing.scrubber.cycle()

    assert 2 == len(_opened(house, "one"))


async def test_monthly_limit_is_honoured(scrubbing: Scrubbing) -> None:
    """Scrubbing is egress, and a free tier is not to be spent on it."""
    house = scrubbing.house
    guarded = house.rig.fleet.get(house.rig.fleet.names[0])
    usage = replace(guarded.limits.usage, egress_bytes=10)
    guarded.limits = replace(guarded.limits, usage=usage)
    house.rig.inner["one"].books.calls.clear()
    await scrubbing.scrubber.cycle()

    assert [] == _opened(house, "one")
    assert [] != _opened(house, "two")


async def test_pokes_repair_and_do_not_walk(
    scrubbing: Scrubbing, autojump_clock: object
) -> None:
    """A thousand reads of a bad object must not scrub a thousand batches."""
    house = scrubbing.house
    await scrubbing.scrubber.run_once()
    calls = house.rig.inner["one"].books.calls
    calls.clear()
    scrubbing.scrubber.poke()
    assert "" == await scrubbing.scrubber.run_once()
    assert [] == calls

    await trio.sleep(HOURLY.interval_s)
    await scrubbing.scrubber.run_once()
    assert [] != calls


async def test_nothing_is_read_unless_it_is_asked_for(scrubbing: Scrubbing) -> None:
    """Interval 0, or integrity off: no walk; what is suspect is repaired."""
    for pace in (ScrubPace(), ScrubPace(is_enabled=True), ScrubPace(interval_s=9.0)):
        scrubbing.paces.append(pace)
        assert "" == await scrubbing.scrubber.run_once()
        assert scrubbing.scrubber.interval_s > 0
    bad = await scrubbing.spoil("one")
    assert BODY == await scrubbing.house.get()
    await scrubbing.scrubber.run_once()

    assert bad != (await scrubbing.places())["one"].storage_key


async def test_coverage_is_told(scrubbing: Scrubbing) -> None:
    """How many copies are in doubt, and since when the oldest was not proved."""
    await scrubbing.spoil("one")
    await scrubbing.spoil("two")
    await scrubbing.scrubber.cycle()

    told = scrubbing.house.rig.observer.of(CopiesObserved)[-1]
    assert (0, 0, 0, 2) == (told.live, told.suspect, told.lost, told.quarantined)
    assert told.oldest_proof_s >= 0


@pytest.mark.parametrize("damage", ["not json", "[1]", '{"one": 5}'])
async def test_damaged_cursor_begins_anew(scrubbing: Scrubbing, damage: str) -> None:
    """An edited ledger must not end the walk for good."""
    scrubbing.house.connection.execute(
        "INSERT OR REPLACE INTO meta VALUES ('scrub_cursor', ?)", (damage,)
    )
    assert 2 == (await scrubbing.scrubber.cycle()).checked


async def _upload(house: House, traits: list[bool]) -> None:
    """Put an object of two parts, each native or not."""
    upload = Uploading(house, key=ObjectKey("parts"))
    await upload.create()
    for number, is_native in enumerate(traits, 1):
        for inner in house.rig.inner.values():
            inner.traits = replace(inner.traits, has_multipart=is_native)
        await upload.part(number, BODY[: 1000 * number])
    await upload.complete()


@pytest.mark.parametrize(
    "traits", [[True, True], [False, False], [True, False]], ids=str
)
async def test_multipart_objects_are_proved(
    scrubbing: Scrubbing, traits: list[bool]
) -> None:
    """A provider joined its parts, so that nobody knows the digest of the whole."""
    house = scrubbing.house
    await _upload(house, traits)
    expected = BODY[:1000] + BODY[:2000]
    done = await scrubbing.scrubber.cycle()
    stored = await house.store.find(house.bucket, ObjectKey("parts"))

    assert 0 == done.failed
    assert all(place.verified_at_us is not None for place in stored.locations)
    assert all(place.stored_md5 is not None for place in stored.locations)
    if len(stored.locations) == 1:
        assert hashlib.sha256(expected).hexdigest() == stored.version.sha256
    place = stored.locations[0]
    blobs = house.rig.inner[place.backend].blobs
    blobs[place.storage_key] = replace(
        blobs[place.storage_key], body=b"?" * place.stored_bytes
    )
    assert 1 == (await scrubbing.scrubber.cycle()).failed


async def test_walk_does_not_wait_for_the_backend_of_another_blob(
    scrubbing: Scrubbing,
) -> None:
    """Copies on a good backend are read although another one is over its limit."""
    house = scrubbing.house
    await _upload(house, [True, False])
    await house.put(BODY, "quite late")
    for name, backend in _move_second_blob(house):
        inner = house.rig.inner
        inner["two"].blobs[name] = inner[backend].blobs.pop(name)
    guarded = house.rig.fleet.get(BackendName("two"))
    usage = replace(guarded.limits.usage, egress_bytes=10)
    guarded.limits = replace(guarded.limits, usage=usage)
    await scrubbing.scrubber.cycle()
    await scrubbing.scrubber.cycle()

    late = (await scrubbing.places("quite late"))["one"]
    assert late.storage_key in _opened(house, "one")


def _move_second_blob(house: House) -> list[tuple[StorageKey, str]]:
    connection = house.connection
    moved = connection.execute(
        "SELECT storage_key, backend_name FROM object_locations WHERE blob = 1"
    ).fetchall()
    connection.execute(
        "UPDATE object_locations SET backend_name = 'two' WHERE blob = 1"
    )
    connection.execute(
        "UPDATE object_locations SET stored_digest = NULL "
        "WHERE blob = 0 AND storage_key LIKE '%/parts!%'"
    )
    return moved


async def test_backfill_hashes_every_version_and_proves_it(
    scrubbing: Scrubbing,
) -> None:
    """Over more pages than one, wrong copies and all."""
    house = scrubbing.house
    for number in range(7):
        await house.put(BODY[: number * 7], f"key {number}")
    await _upload(house, [True, False])
    house.connection.execute("UPDATE objects SET content_hash = NULL")
    await scrubbing.spoil("one")
    progress = Progress()
    count = await scrubbing.scrubber.backfill(2, progress)

    assert 9 == count
    assert {"processed": 9, "failed": 0} == progress.snapshot()
    stored = await house.store.find(house.bucket, ObjectKey(KEY))
    assert hashlib.sha256(BODY).hexdigest() == stored.version.sha256
    assert SUSPECT == (await scrubbing.states())["one"]
    parts = await house.store.find(house.bucket, ObjectKey("parts"))
    expected = BODY[:1000] + BODY[:2000]
    assert hashlib.sha256(expected).hexdigest() == parts.version.sha256
    assert 0 == await scrubbing.scrubber.backfill(2, None)


async def test_backfill_never_believes_wrong_bytes(scrubbing: Scrubbing) -> None:
    """A SHA-256 of wrong bytes would make them right for ever."""
    house = scrubbing.house
    house.connection.execute("UPDATE objects SET content_hash = NULL")
    await scrubbing.spoil("one")
    await scrubbing.spoil("two")
    progress = Progress()

    assert 0 == await scrubbing.scrubber.backfill(10, progress)
    assert 1 == progress.snapshot()["failed"]
    stored = await house.store.find(house.bucket, ObjectKey(KEY))
    assert stored.version.sha256 is None


async def test_scrub_works_without_integrity_for_reads(scrubbing: Scrubbing) -> None:
    """Each of the two is a choice of its own."""
    scrubbing.house.rules.append(IntegrityRules(is_enabled=True))
    await scrubbing.spoil("two")

    assert 1 == (await scrubbing.scrubber.cycle()).repaired
