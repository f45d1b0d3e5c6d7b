"""The reconciler: what it imports, what it marks, and what it must never conclude."""

from collections.abc import Callable, Coroutine
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from s3o.ledger.audit import audit
from s3o.ledger.copies import CopyProof, NewCopy, commit_copy, open_copy
from s3o.ledger.copy_rows import BlobOf
from s3o.ledger.meta import ensure_cluster_id
from s3o.ledger.reconcile import Finding, find_known, list_findings
from s3o.model.facts import Happened, ReconcileFinished
from s3o.model.names import (
    BucketId,
    ObjectKey,
    StorageKey,
    VersionId,
    WriteId,
    make_storage_key,
)
from s3o.model.values import (
    BlobHeaders,
    BlobPage,
    ListedBlob,
    Location,
    LocationState,
    ObjectFacts,
)
from s3o.policy.breaker import CircuitBreaker
from s3o.policy.importing import map_by_prefix
from s3o.services.ledger_upkeep import LedgerUpkeep
from s3o.services.progress import Progress
from s3o.services.reconcile_counts import Reconciled
from s3o.services.reconciler import ReconcilePace, Reconciler
from s3o.wire.record import Record, plan_blob_headers
from tests.fakes.entropy import SeededEntropy
from tests.fakes.faults import Fault
from tests.fakes.liar import Liar
from tests.fakes.sources import BytesSource
from tests.ledger.house import ONE, PHOTOS, TWO
from tests.services.house import House

DAY_S = 86_400.0
CLUSTER, OTHERS = "ours", "theirs"


class Watched:
    """A reconciler over a house, and the upkeep that counts its time."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.may_destroy = True
        self.pokes = 0
        self.upkeep = LedgerUpkeep(
            house.ledger, house.rig.observer, house.rig.clock, stopping=house.stopping
        )
        self.reconciler = Reconciler(
            house.ledger,
            house.rig.fleet,
            house.rig.observer,
            house.rig.clock,
            SeededEntropy(0, "reconciler"),
            mapper=lambda: map_by_prefix({PHOTOS: house.writer.bucket}),
            count_time=self.upkeep.note_clocks,
            pace=ReconcilePace,
            poke_cleanup=self.poke,
            stopping=house.stopping,
            may_destroy=lambda: self.may_destroy,
        )

    def poke(self) -> None:
        """Something was queued."""
        self.pokes += 1

    async def day(self) -> None:
        """Let a day pass, with the ledger's clock counting."""
        for _ in range(2):
            await trio.sleep(DAY_S / 2)
            await self.upkeep.note_clocks()

    async def look(self, *, at: str = ONE) -> Reconciled:
        """Compare one backend; the books must be right afterwards."""
        done = await self.reconciler.reconcile(self.house.rig.fleet.get(at).name)
        assert [] == await self.house.ledger.scan(audit)
        return done

    async def findings(self, at: str = ONE) -> list[Finding]:
        """What is open."""
        name = self.house.rig.fleet.get(at).name
        return await self.house.ledger.scan(
            lambda tx: list_findings(tx, name, "", 1000)
        )

    async def state(self, storage_key: StorageKey) -> LocationState | None:
        """What is known of a location."""
        known = await self.house.ledger.read(
            lambda tx: find_known(tx, ONE, storage_key)
        )
        return None if known is None else known.state


@pytest.fixture
async def watched(house: House) -> Watched:
    """A house of our cluster whose objects are old enough to be missed."""
    await house.ledger.write(lambda tx: ensure_cluster_id(tx, CLUSTER))
    return Watched(house)


async def put_foreign(house: House, name: str, body: bytes = b"foreign") -> None:
    """Let somebody else put an object on backend one."""
    source = BytesSource(body)
    await house.rig.inner[ONE].put(StorageKey(name), source, BlobHeaders())


async def put_stray(
    house: House,
    key: str,
    *,
    cluster: str = CLUSTER,
    sequence: int = 1,
    write: int = 7,
    with_record: bool = True,
) -> StorageKey:
    """Put a blob of our shape on backend one that the ledger knows nothing of."""
    name = make_storage_key(PHOTOS, ObjectKey(key), WriteId(f"{write:032x}"))
    record = Record(
        cluster_id=cluster,
        bucket_id=BucketId(1),
        version_id=VersionId("0" * 32),
        sequence=sequence,
    )
    headers = plan_blob_headers(
        record, ObjectFacts(), storage_key=name, key=ObjectKey(key)
    )
    await house.rig.inner[ONE].put(
        name, BytesSource(b"stray"), headers if with_record else BlobHeaders()
    )
    return name


async def test_foreign_objects_become_objects(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """Under configured buckets only; everything else on the backend stays alone."""
    house = watched.house
    for name in ("photos/cat.jpg", "photos/2024/", "other/x", "loose", "photos/../y"):
        await put_foreign(house, name)
    done = await watched.look()
    again = await watched.look()

    assert (2, 3, 14, 1, ()) == (
        done.imported,
        done.skipped,
        done.imported_bytes,
        done.backends_scanned,
        done.errors,
    )
    assert (0, 3) == (again.imported, again.skipped)
    stored = await house.find("cat.jpg")
    assert stored is not None
    assert "photos/cat.jpg" == stored.locations[0].storage_key
    assert 14 == (await house.quota()).used_bytes


async def test_own_names_are_never_imported(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """Nor those of another cluster, nor the ledger's backups."""
    house = watched.house
    await put_stray(house, "cat.jpg", cluster=OTHERS)
    await put_foreign(house, ".s3o/ours/snapshot-1")
    known = await house.put("dog.jpg")
    await watched.look()
    watched_findings = await watched.findings()

    assert await house.find("cat.jpg") is None
    assert [known] == [place.storage_key for place in (await found(house, "dog.jpg"))]
    assert 1 == len(watched_findings)


async def found(house: House, key: str) -> tuple[Location, ...]:
    """The locations of an object that must exist."""
    stored = await house.find(key)
    assert stored is not None
    return stored.locations


async def test_deleted_object_is_not_resurrected(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """Its bytes may lie there for weeks, while its delete is tried in vain."""
    house = watched.house
    await put_foreign(house, "photos/cat.jpg")
    await watched.look()
    await house.delete("cat.jpg")
    waiting = await watched.look()
    await house.cleanup().run_once()
    assert [] == house.names()
    await put_foreign(house, "photos/dog.jpg")  # a late copy of a key that has gone
    await trio.sleep(3600.0)
    await house.delete("dog.jpg")
    late = await watched.look()

    assert (0, 0) == (waiting.imported, late.imported)
    assert await house.find("cat.jpg") is None
    assert await house.find("dog.jpg") is None


async def test_emptied_backend_changes_findings_only(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """One listing is no proof: it may be another bucket, or a lie."""
    house = watched.house
    name = await house.put("cat.jpg")
    await watched.day()
    house.rig.inner[ONE].lose(name)
    for _ in range(3):
        done = await watched.look()
        assert (1, 0, 0) == (done.missing, done.removed, done.lost)

    assert LocationState.LIVE is await watched.state(name)
    assert [("missing", 3)] == [
        (str(one.kind), one.sightings) for one in await watched.findings()
    ]


async def test_loss_is_confirmed_after_a_day_and_keeps_the_row(
    watched: Watched,
    autojump_clock: MockClock,
) -> None:
    """The last copy's row tells that there was an object; an operator is alarmed."""
    house = watched.house
    name = await house.put("cat.jpg")
    await watched.day()
    house.rig.inner[ONE].lose(name)
    await watched.look()
    await watched.day()
    done = await watched.look()

    assert (1, 0) == (done.lost, done.missing)
    assert LocationState.LOST is await watched.state(name)
    assert await house.find("cat.jpg") is not None
    assert [] == await watched.findings()
    alarms = [one for one in house.rig.observer.of(Happened) if one.level == "error"]
    assert [("first", name)] == [one.fields[-1] for one in alarms]


async def copy_to_two(house: House, key: str) -> None:
    """Record a verified copy on backend two, as the replicator does."""
    stored = await house.find(key)
    assert stored is not None
    place, now_us = stored.locations[0], house.rig.clock.now_us()
    name = make_storage_key(PHOTOS, ObjectKey(key), WriteId("e" * 32))
    copy = NewCopy(
        storage_key=name,
        backend=TWO,
        of=BlobOf(
            version_id=stored.version.version_id,
            blob=0,
            bucket_id=house.writer.bucket.id,
            bucket=PHOTOS,
            key=ObjectKey(key),
        ),
        stored_bytes=place.stored_bytes,
        stored_md5=place.stored_md5,
        owner="me",
        now_us=now_us,
    )
    await house.ledger.write(lambda tx: open_copy(tx, copy))
    proof = CopyProof(stored_md5="0" * 32, is_verified=True)
    await house.ledger.write(lambda tx: commit_copy(tx, name, proof, now_us))


async def test_lost_copy_goes_where_another_makes_up_for_it(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """So that its backend gets a good one; its name is deleted once more, and paid."""
    house = watched.house
    name = await house.put("cat.jpg")
    await copy_to_two(house, "cat.jpg")
    await watched.day()
    house.rig.inner[ONE].lose(name)
    await watched.look()
    await watched.day()
    done = await watched.look()

    assert (1, 0) == (done.removed, done.lost)
    assert [TWO] == [place.backend for place in await found(house, "cat.jpg")]
    await house.cleanup().run_once()
    quota = await house.quota()
    assert (0, 0) == (quota.used_bytes, quota.orphan_bytes)


async def test_clock_that_jumps_confirms_nothing(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """The day between two listings is counted, not read off a wall clock."""
    house = watched.house
    name = await house.put("cat.jpg")
    await watched.day()
    house.rig.inner[ONE].lose(name)
    await watched.look()
    house.rig.clock.offset_us += 10 * 86_400_000_000
    await watched.look()

    assert LocationState.LIVE is await watched.state(name)


async def test_name_that_is_listed_again_clears_the_finding(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """And the day begins anew with the next one that misses it."""
    house = watched.house
    name = await house.put("cat.jpg")
    await watched.day()
    blob = house.rig.inner[ONE].blobs.pop(name)
    await watched.look()
    house.rig.inner[ONE].blobs[name] = blob
    await watched.day()
    await watched.look()
    assert [] == await watched.findings()
    house.rig.inner[ONE].blobs.pop(name)
    await watched.look()

    assert LocationState.LIVE is await watched.state(name)


async def test_head_has_the_last_word(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """A listing may leave out what is there, twice."""
    house = watched.house
    name = await house.put("cat.jpg")
    await watched.day()
    lying = house.rig.inner[ONE]
    lying._list_lag_s = 10 * DAY_S
    await watched.look()
    await watched.day()
    done = await watched.look()

    assert (0, 0) == (done.lost, done.missing)
    assert LocationState.LIVE is await watched.state(name)


async def test_lost_bytes_that_come_back_are_to_be_checked(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """A disk that was mounted again: good or not, the scrubber will say."""
    house = watched.house
    name = await house.put("cat.jpg")
    await watched.day()
    blob = house.rig.inner[ONE].blobs.pop(name)
    await watched.look()
    await watched.day()
    await watched.look()
    house.rig.inner[ONE].blobs[name] = blob
    done = await watched.look()

    assert 1 == done.changed
    assert LocationState.SUSPECT is await watched.state(name)


async def test_blob_of_another_size_becomes_suspect(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """It is reported and left to the scrubber; nothing is removed."""
    house = watched.house
    name = await house.put("cat.jpg")
    await house.put("dog.jpg")
    inner = house.rig.inner[ONE]
    inner.lose(name)
    inner._store(name, inner._blob(b"truncated", BlobHeaders()))
    done = await watched.look()
    again = await watched.look()

    assert (1, 0, 0) == (done.changed, done.missing, again.changed)
    assert LocationState.SUSPECT is await watched.state(name)


async def test_garbage_of_ours_is_queued_after_two_listings(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """Bytes that came too late for every delete; the quota counts them until then."""
    house = watched.house
    await house.put("cat.jpg")
    await trio.sleep(3600.0)
    stray = await put_stray(house, "late.jpg")
    first = await watched.look()
    assert (1, 0) == (first.unknown, first.removed)
    await watched.day()
    second = await watched.look()

    assert (0, 1, 1) == (second.unknown, second.removed, watched.pokes)
    assert 5 == (await house.quota()).orphan_bytes
    await house.cleanup().run_once()
    assert stray not in house.names()
    assert 0 == (await house.quota()).orphan_bytes


@pytest.mark.parametrize("kind", ["theirs", "no record", "ahead", "gate closed"])
async def test_bytes_that_may_be_somebodys_are_left_alone(
    watched: Watched, autojump_clock: MockClock, kind: str
) -> None:
    """Another cluster's, nobody's, or those of a ledger that knew more than this."""
    house = watched.house
    await house.put("cat.jpg")
    await trio.sleep(3600.0)
    stray = await put_stray(
        house,
        "late.jpg",
        cluster=OTHERS if kind == "theirs" else CLUSTER,
        sequence=1000 if kind == "ahead" else 1,
        with_record=kind != "no record",
    )
    watched.may_destroy = kind != "gate closed"
    for _ in range(3):
        done = await watched.look()
        await watched.day()

    assert (1, 0) == (done.unknown, done.removed)
    assert stray in house.names()
    assert 0 == (await house.depths()).cleanup_rows


async def test_bytes_of_a_forgotten_life_of_the_ledger_are_left_alone(
    watched: Watched,
    autojump_clock: MockClock,
) -> None:
    """A restored ledger has drawn their sequence again by now, for a younger object."""
    house = watched.house
    lost = await put_stray(house, "acknowledged.jpg", sequence=9)
    await watched.day()
    for number in range(6):
        await house.put(f"{number}.jpg")
    for _ in range(3):
        done = await watched.look()
        await watched.day()

    assert (1, 0) == (done.unknown, done.removed)
    assert lost in house.names()


async def test_ledger_that_may_be_old_imports_nothing(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """It has forgotten the deletes since: what it does not know may be dead."""
    await put_foreign(watched.house, "photos/cat.jpg")
    watched.may_destroy = False
    closed = await watched.look()
    watched.may_destroy = True
    opened = await watched.look()

    assert (0, 1) == (closed.imported, opened.imported)


async def test_announced_write_is_not_unknown(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """Nor bytes that wait to be deleted."""
    house = watched.house
    storage_key = await house.announce("cat.jpg")
    await house.send(storage_key)
    gone = await house.put("dog.jpg")
    await house.delete("dog.jpg")
    assert gone in house.names()

    assert 0 == (await watched.look()).unknown


async def test_failing_listing_concludes_nothing(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """What it showed before it broke off neither counts nor clears anything."""
    house = watched.house
    name = await house.put("cat.jpg")
    await watched.day()
    house.rig.inner[ONE].lose(name)
    await watched.look()
    await watched.day()
    house.rig.inner[ONE].faults.next("list_page", Fault.FORBIDDEN)
    done = await watched.look()

    assert (0, 1) == (done.backends_scanned, len(done.errors))
    assert [1] == [one.sightings for one in await watched.findings()]
    assert LocationState.LIVE is await watched.state(name)
    told = house.rig.observer.of(ReconcileFinished)[-1]
    assert told.error


@pytest.mark.parametrize("is_damaged", [True, False])
async def test_a_name_that_cannot_be_judged_holds_no_other_back(
    watched: Watched, autojump_clock: MockClock, *, is_damaged: bool
) -> None:
    """Its provider fails for one object, or somebody edited its row, day after day."""
    house = watched.house
    names = [await house.put(key) for key in ("cat.jpg", "dog.jpg")]
    await watched.day()
    for name in names:
        house.rig.inner[ONE].lose(name)
    await watched.look()
    await watched.day()
    if is_damaged:
        house.connection.execute(
            "UPDATE objects SET size = -1, metadata = 'x' WHERE key = 'cat.jpg'"
        )
        done = await watched.reconciler.reconcile(ONE)
    else:
        house.rig.inner[ONE].faults.next("head", Fault.ERROR_BEFORE)
        done = await watched.look()

    assert (1, 0) == (done.backends_scanned, len(done.errors))
    assert LocationState.LOST is await watched.state(names[1])
    if not is_damaged:
        assert LocationState.LIVE is await watched.state(names[0])
        assert [names[0]] == [one.storage_key for one in await watched.findings()]


async def test_blobs_proved_by_a_clock_that_was_ahead_are_judged_today(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """What was verified next year, and is lost or another one today, is told today."""
    house = watched.house
    clock = house.rig.clock
    await house.put("old.jpg")
    clock.offset_us = 365 * 86_400 * 1_000_000
    gone, changed = [await house.put(key) for key in ("cat.jpg", "dog.jpg")]
    clock.offset_us += round(2 * DAY_S * 1_000_000)
    await watched.look()
    clock.offset_us = 0
    blobs = house.rig.inner[ONE].blobs
    blobs[changed] = replace(blobs[changed], body=b"short")
    await watched.look()

    assert LocationState.SUSPECT is await watched.state(changed)
    house.rig.inner[ONE].lose(gone)
    for _ in range(3):
        await watched.look()
        await watched.day()

    assert LocationState.LOST is await watched.state(gone)


async def test_a_changed_blob_that_cannot_be_asked_about_waits(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """The listing is compared to its end all the same."""
    house = watched.house
    names = [await house.put(key) for key in ("cat.jpg", "dog.jpg")]
    blobs = house.rig.inner[ONE].blobs
    for name in names:
        blobs[name] = replace(blobs[name], body=b"short")
    house.rig.inner[ONE].faults.next("head", Fault.ERROR_BEFORE)
    done = await watched.look()

    assert (1, 1) == (done.backends_scanned, done.changed)
    assert LocationState.SUSPECT is await watched.state(names[1])


async def test_a_backend_that_fails_for_every_name_is_left_alone(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """Each HEAD may take as long as its timeout, and no circuit may be configured."""
    house = watched.house
    names = [await house.put(f"{number:02}.jpg") for number in range(30)]
    blobs = house.rig.inner[ONE].blobs
    for name in names:
        blobs[name] = replace(blobs[name], body=b"short")
    for _ in range(15):
        house.rig.inner[ONE].faults.next("head", Fault.ERROR_BEFORE)
    guarded = house.rig.guarded("one")
    guarded._breaker = CircuitBreaker(failure_threshold=0, open_timeout_s=0.0)
    house.rig.inner[ONE].books.calls.clear()
    done = await watched.look()

    heads = [call for call, _ in house.rig.inner[ONE].books.calls if call == "head"]
    assert guarded.may_call()
    assert (0, 1) == (done.backends_scanned, len(done.errors))
    assert 10 == len(heads)


@pytest.mark.parametrize(
    ("pages", "token", "most_calls"),
    [
        ([["a"], ["b"], ["a"]], "", 3),  # steps back, or begins again
        ([["a"]], "", 2),  # repeats a page with ever new tokens
        ([["a"], ["b"], ["c"]], "same", 2),
        ([[]], "", 1000),  # nothing, without an end
        ([["a", "a"]], "", 1),
    ],
)
async def test_lying_listing_ends_and_concludes_nothing(
    watched: Watched,
    autojump_clock: MockClock,
    pages: list[list[str]],
    token: str,
    most_calls: int,
) -> None:
    """A hostile provider costs a bounded number of calls, and no row."""
    house = watched.house
    name = await house.put("cat.jpg")
    await watched.day()
    await watched.look()
    liar = Liar(house.rig.inner[ONE], pages, token=token)
    for _ in range(2):
        done = await watched.look()
        await watched.day()

    assert 1 == len(done.errors)
    assert liar.calls <= 2 * most_calls
    assert LocationState.LIVE is await watched.state(name)
    assert [] == [one for one in await watched.findings() if one.sightings]


async def test_hostile_names_and_sizes_are_counted_and_skipped(
    watched: Watched,
    autojump_clock: MockClock,
) -> None:
    """Control bytes, dots, names without end, sizes that no column holds."""
    house = watched.house
    names = ["photos/\x01", "photos/..", "photos/" + "x" * 5000, "photos/big"]
    house.rig.inner[ONE].list_page = _one_page(  # type: ignore[method-assign]
        [ListedBlob(name=name, stored_bytes=(1 << 63) - 1) for name in sorted(names)]
    )
    done = await watched.look()

    assert (0, 4, ()) == (done.imported, done.skipped, done.errors)


def _one_page(
    blobs: list[ListedBlob],
) -> Callable[..., Coroutine[object, None, BlobPage]]:
    async def list_page(
        prefix: str, token: str | None = None, limit: int = 1000
    ) -> BlobPage:
        await trio.lowlevel.checkpoint()
        return BlobPage(blobs=tuple(blobs), next_token=None)

    return list_page


async def test_one_failing_backend_does_not_hide_the_others(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """All are asked, each for itself; one that is being emptied is left alone."""
    house = watched.house
    house.rig.inner[ONE].faults.next("list_page", Fault.FORBIDDEN)
    done = await watched.reconciler.reconcile(None)
    house.rig.fleet.set_draining([TWO])
    drained = await watched.reconciler.reconcile(TWO)

    assert (1, 1) == (done.backends_scanned, len(done.errors))
    assert (0, 1) == (drained.backends_scanned, len(drained.errors))


async def test_progress_is_told_and_a_stop_ends_the_pass(
    watched: Watched, autojump_clock: MockClock
) -> None:
    """Whoever asked sees how far it is; the end of the service does not wait."""
    house = watched.house
    await put_foreign(house, "photos/cat.jpg")
    progress = Progress()
    await watched.reconciler.reconcile(ONE, progress)
    house.stopping.set()
    done = await watched.reconciler.reconcile(None)

    assert 1 == progress.snapshot()["listed"]
    assert (0, ()) == (done.backends_scanned, done.errors)
