"""Replicator and cleaner: the factor, on distinct backends, and never below it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import MockClock

from s3o.backends.guard import BackendLimits
from s3o.ledger.copies import mark_copy
from s3o.ledger.copy_rows import copies_of
from s3o.model.facts import CopyMade, CopyRemoved, ReplicationFailed
from s3o.model.names import BackendName, VersionId
from s3o.model.values import Location, LocationState, ObjectVersion
from s3o.objects.wanted import CopiesWanted
from s3o.policy.usage import UsageLimits
from s3o.services.over_replication import OverReplicationCleaner
from s3o.services.replicator import ReplicationRules, Replicator
from s3o.services.runner import Runner
from s3o.services.service import NoLeases
from tests.fakes.entropy import SeededEntropy
from tests.fakes.faults import Fault
from tests.objects.house import KEY, House, open_house
from tests.objects.uploading import Uploading

ONE, TWO, THREE = BackendName("one"), BackendName("two"), BackendName("three")
BODY = b"x" * 1000
DOWN_S = 700.0  # longer than the threshold


@dataclass(kw_only=True)
class Keeping:
    """A house whose copies are kept."""

    house: House
    replicator: Replicator
    cleaner: OverReplicationCleaner
    wanted: CopiesWanted
    rules: list[ReplicationRules] = field(default_factory=list)
    may_destroy: list[bool] = field(default_factory=lambda: [True])

    def backend(self, name: str):  # type: ignore[no-untyped-def]
        """One of the memory backends."""
        return self.house.rig.inner[name]

    async def places(self, version: ObjectVersion, blob: int = 0) -> list[Location]:
        """Where a blob lies."""
        found = await self.house.ledger.read(
            lambda tx: copies_of(tx, version.version_id)
        )
        return [place for place in found if place.blob == blob]

    async def good(self, version: ObjectVersion, blob: int = 0) -> set[str]:
        """On which backends a blob has good copies."""
        return {
            place.backend
            for place in await self.places(version, blob)
            if place.state is LocationState.LIVE and place.verified_at_us is not None
        }

    async def mark(
        self, version: ObjectVersion, place: Location, state: LocationState
    ) -> None:
        """Say what is known of a copy."""
        await self.house.ledger.write(
            lambda tx: mark_copy(
                tx,
                version.version_id,
                place.blob,
                place.backend,
                state,
                self.house.rig.clock.now_us(),
                place.storage_key,
            )
        )

    async def lose(self, name: str) -> None:
        """Let a backend fail until its circuit is open."""
        self.backend(name).faults.down = Fault.UNREACHABLE
        guarded = self.house.rig.guarded(name)
        while guarded.opened_at_s is None:
            try:
                await guarded.probe()
            except Exception:
                pass

    async def heal(self, name: str) -> None:
        """Let it come back, and its circuit close."""
        self.backend(name).faults.heal()
        await self.house.rig.guarded(name).probe()

    async def settle(self) -> None:
        """Let the cleaner's queued bytes go, and check everything."""
        await self.house.drain()
        assert self.house.located() == self.house.lying()
        assert [] == await self.house.complaints()


def make(house: House, **changes: object) -> Keeping:
    """Give a house its keepers."""
    rules = [ReplicationRules(**{"factor": 2, **changes})]  # type: ignore[arg-type]
    wanted, may_destroy = CopiesWanted(), [True]
    rig, stopping = house.rig, trio.Event()
    return Keeping(
        house=house,
        replicator=Replicator(
            house.ledger,
            rig.fleet,
            rig.observer,
            rig.clock,
            copier=house.blob_copier,
            wanted=wanted,
            rules=lambda: rules[0],
            stopping=stopping,
        ),
        cleaner=OverReplicationCleaner(
            house.ledger,
            rig.fleet,
            rig.observer,
            rig.clock,
            rules=lambda: rules[0],
            poke_cleanup=house.cleanup.poke,
            stopping=stopping,
            may_destroy=lambda: may_destroy[0],
        ),
        wanted=wanted,
        rules=rules,
        may_destroy=may_destroy,
    )


@pytest.fixture
async def keeping() -> AsyncIterator[Keeping]:
    """Three backends, factor 2."""
    async with open_house(quotas=dict.fromkeys(("one", "two", "three"), 2**30)) as it:
        yield make(it)


async def test_a_pass_brings_every_blob_to_the_factor(keeping: Keeping) -> None:
    """Also those of an object of several blobs, on distinct backends each."""
    single = await keeping.house.put(BODY, "single")
    uploading = Uploading(keeping.house)
    await uploading.create()
    await uploading.parts([b"a" * 100, b"x" * 9])
    await uploading.part(2, b"b" * 70)
    await uploading.complete()
    upload = (await keeping.house.store.find(keeping.house.bucket, KEY)).version

    done = await keeping.replicator.cycle()

    blobs = {blob for blob, _, _ in upload.layout}
    assert (3, 3, 0) == (done.created, done.checked, done.failed)
    assert {ONE, TWO} == await keeping.good(single)
    for blob in blobs:
        assert {ONE, TWO} == await keeping.good(upload, blob)
    assert 0 == await keeping.replicator.pending()
    assert [] == await keeping.house.complaints()


async def test_a_second_pass_finds_nothing_to_do(keeping: Keeping) -> None:
    """A pass may be repeated, and costs nothing then."""
    await keeping.house.put(BODY)
    await keeping.replicator.cycle()
    before = len(keeping.backend("one").books.calls)

    done = await keeping.replicator.cycle()

    assert (0, 0, 0) == (done.created, done.checked, done.failed)
    assert before == len(keeping.backend("one").books.calls)


async def test_a_batch_bounds_a_pass_and_the_next_goes_on(keeping: Keeping) -> None:
    """Five objects, two at a time."""
    keeping.rules[0] = ReplicationRules(factor=2, batch=2)
    for number in range(5):
        await keeping.house.put(BODY, f"{number}")

    created = [(await keeping.replicator.cycle()).created for _ in range(3)]

    assert [2, 2, 1] == created


async def test_what_cannot_be_copied_keeps_nothing_waiting(keeping: Keeping) -> None:
    """The reference's batch of fifty failing keys blocked all others for ever."""
    keeping.rules[0] = ReplicationRules(factor=2, batch=2)
    for number in range(3):
        version = await keeping.house.put(BODY, f"a{number}")
        [place] = await keeping.places(version)
        keeping.backend("one").lose(place.storage_key)
    last = await keeping.house.put(BODY, "z")

    done = [await keeping.replicator.cycle() for _ in range(2)]

    assert [0, 1] == [one.created for one in done]
    assert [2, 1] == [one.failed for one in done]
    assert {ONE, TWO} == await keeping.good(last)


def damage(house: House, key: str) -> None:
    """Edit an object's row by hand, badly."""
    house.connection.execute("UPDATE objects SET metadata = 'x' WHERE key = ?", (key,))


@pytest.mark.parametrize("is_fresh", [True, False])
async def test_a_damaged_row_keeps_no_other_object_from_its_copies(
    keeping: Keeping, *, is_fresh: bool
) -> None:
    """One row that cannot be true must not end replication for good."""
    version = await keeping.house.put(BODY, "a")
    last = await keeping.house.put(BODY, "b")
    damage(keeping.house, "a")
    if is_fresh:
        for one in (version, last):
            keeping.wanted.note(one.version_id)
    await keeping.replicator.run_once()

    assert {ONE, TWO} == await keeping.good(last)
    assert {ONE} == await keeping.good(version)


async def test_a_damaged_row_keeps_no_other_surplus_from_going(
    keeping: Keeping,
) -> None:
    """The cleaner goes on behind it, and touches none of its copies."""
    version = await keeping.house.put(BODY, "a")
    last = await keeping.house.put(BODY, "b")
    keeping.rules[0] = ReplicationRules(factor=3)
    await keeping.replicator.cycle()
    keeping.rules[0] = ReplicationRules(factor=2)
    damage(keeping.house, "a")

    done = await keeping.cleaner.cycle()

    assert (1, 1) == (done.removed, done.failed)
    assert 2 == len(await keeping.good(last))
    assert 3 == len(await keeping.good(version))


async def test_a_target_that_fails_is_passed_over(keeping: Keeping) -> None:
    """Another one may have room and serve."""
    version = await keeping.house.put(BODY)
    keeping.backend("two").faults.next("put", Fault.ERROR_BEFORE)

    done = await keeping.replicator.cycle()

    assert 1 == done.created
    assert {ONE, THREE} == await keeping.good(version)


async def test_a_full_backend_is_passed_over_and_none_is_told(
    keeping: Keeping,
) -> None:
    """Quotas hold; the operator hears that there is no room."""
    async with open_house(quotas={"one": 2**30, "two": 10}) as house:
        alone = make(house)
        version = await house.put(BODY)

        done = await alone.replicator.cycle()

        assert (0, 1) == (done.created, done.failed)
        assert {ONE} == await alone.good(version)
        assert 1 == len(house.rig.observer.of(ReplicationFailed))
        assert 1 == await alone.replicator.pending()


async def test_limits_of_the_month_hold_for_copies(keeping: Keeping) -> None:
    """Background work must not run up the bill."""
    version = await keeping.house.put(BODY)
    keeping.house.rig.guarded("one").limits = BackendLimits(
        usage=UsageLimits(egress_bytes=len(BODY) - 1)
    )

    done = await keeping.replicator.cycle()

    assert (0, 1) == (done.created, done.failed)
    assert {ONE} == await keeping.good(version)
    assert 0 == keeping.house.rig.counters.of(ONE).effective().egress_bytes


async def test_a_short_outage_starts_no_copies(
    keeping: Keeping, autojump_clock: MockClock
) -> None:
    """Egress is money."""
    version = await keeping.house.put(BODY)
    await keeping.replicator.cycle()
    await keeping.lose("two")

    done = await keeping.replicator.cycle()

    assert 0 == done.created
    assert {ONE, TWO} == await keeping.good(version)


async def test_a_long_outage_is_replaced_and_the_surplus_goes_when_it_is_over(
    keeping: Keeping, autojump_clock: MockClock
) -> None:
    """Two reachable copies all the time, two copies in the end."""
    version = await keeping.house.put(BODY)
    await keeping.replicator.cycle()
    await keeping.lose("two")
    await trio.sleep(DOWN_S)

    done = await keeping.replicator.cycle()
    during = await keeping.good(version)
    await keeping.heal("two")
    pending = await keeping.cleaner.pending()
    cleaned = await keeping.cleaner.cycle()

    made = keeping.house.rig.observer.of(CopyMade)
    assert (1, {ONE, TWO, THREE}) == (done.created, during)
    assert [False, True] == [one.is_for_health for one in made]
    assert (1, 1, 0) == (pending, cleaned.removed, await keeping.cleaner.pending())
    assert 2 == len(await keeping.good(version))
    assert 1 == len(keeping.house.rig.observer.of(CopyRemoved))
    await keeping.settle()


async def test_a_broken_backends_copy_goes_first(
    keeping: Keeping, autojump_clock: MockClock
) -> None:
    """The copies that can be reached stay."""
    version = await keeping.house.put(BODY)
    keeping.rules[0] = ReplicationRules(factor=3)
    await keeping.replicator.cycle()
    keeping.rules[0] = ReplicationRules(factor=2)
    await keeping.lose("one")

    done = await keeping.cleaner.cycle()

    assert 1 == done.removed
    assert {TWO, THREE} == await keeping.good(version)


async def test_the_cleaner_asks_the_backends_that_stay(keeping: Keeping) -> None:
    """A row whose bytes are gone is no reason to delete bytes that are there."""
    version = await keeping.house.put(BODY)
    keeping.rules[0] = ReplicationRules(factor=3)
    await keeping.replicator.cycle()
    keeping.rules[0] = ReplicationRules(factor=2)
    for place in await keeping.places(version):
        if place.backend in (ONE, TWO):
            keeping.backend(place.backend).lose(place.storage_key)

    done = await keeping.cleaner.cycle()

    assert (0, 1) == (done.removed, done.failed)
    assert {THREE} <= await keeping.good(version)


async def test_the_cleaner_rests_while_the_ledger_may_be_an_old_one(
    keeping: Keeping,
) -> None:
    """What looks like surplus may be all there is."""
    version = await keeping.house.put(BODY)
    keeping.rules[0] = ReplicationRules(factor=3)
    await keeping.replicator.cycle()
    keeping.rules[0] = ReplicationRules(factor=2)
    keeping.may_destroy[0] = False

    done = await keeping.cleaner.cycle()

    assert 0 == done.removed
    assert 3 == len(await keeping.good(version))


async def test_the_cleaner_does_not_spin_while_it_may_remove_nothing(
    keeping: Keeping,
) -> None:
    """The gate closes in the middle of its tour: it waits for its next tick."""
    for number in range(3):
        await keeping.house.put(BODY, f"{number}")
    keeping.rules[0] = ReplicationRules(factor=3)
    await keeping.replicator.cycle()
    keeping.rules[0] = ReplicationRules(factor=2, batch=1)
    await keeping.cleaner.run_once()
    assert keeping.cleaner.wakeup.is_poked
    keeping.cleaner.wakeup.take()
    keeping.may_destroy[0] = False
    await keeping.cleaner.run_once()

    assert not keeping.cleaner.wakeup.is_poked


@pytest.mark.parametrize("state", [LocationState.SUSPECT, LocationState.LOST])
async def test_a_bad_copy_is_replaced_in_its_place(
    keeping: Keeping, state: LocationState
) -> None:
    """With as many backends as copies there is no other place."""
    async with open_house() as house:
        pair = make(house)
        version = await house.put(BODY)
        await pair.replicator.cycle()
        for place in await pair.places(version):
            if place.backend == TWO:
                await pair.mark(version, place, state)

        done = await pair.replicator.cycle()

        assert 1 == done.created
        assert {ONE, TWO} == await pair.good(version)
        assert [] == await house.complaints()


async def test_the_only_copy_is_rescued_when_it_was_suspected_wrongly(
    keeping: Keeping,
) -> None:
    """Its digest proves it while it is copied."""
    version = await keeping.house.put(BODY)
    [place] = await keeping.places(version)
    await keeping.mark(version, place, LocationState.SUSPECT)

    done = await keeping.replicator.cycle()

    assert (1, 0) == (done.created, done.failed)
    assert {ONE, TWO} == await keeping.good(version)


async def test_an_unproved_copy_is_proved_instead_of_made_again(
    keeping: Keeping,
) -> None:
    """Where the provider's ETag proves nothing it is read; elsewhere asked for."""
    for name in ("one", "two"):
        keeping.backend(name)._etag_is_md5 = False
    version = await keeping.house.put(BODY)
    keeping.rules[0] = ReplicationRules(factor=2, verifies=False)
    unproved = await keeping.good(version)

    done = await keeping.replicator.cycle()

    assert set() == unproved
    assert (1, 0) == (done.created, done.failed)
    assert {ONE, TWO} == await keeping.good(version)


async def test_factor_one_does_nothing(keeping: Keeping) -> None:
    """Replication is off by default."""
    keeping.rules[0] = ReplicationRules(factor=1)
    await keeping.house.put(BODY)

    assert "" == await keeping.replicator.run_once()
    assert "" == await keeping.cleaner.run_once()
    assert 300.0 == keeping.replicator.interval_s
    assert 0 == await keeping.replicator.pending()


async def test_a_write_gets_its_copy_within_seconds_and_the_tour_the_rest(
    keeping: Keeping, autojump_clock: MockClock
) -> None:
    """Redundancy that begins after five minutes protects nothing new."""
    house = keeping.house
    old = await house.put(BODY, "old")
    keeping.wanted.connect(keeping.replicator.poke, lambda: keeping.replicator.is_on)
    stopping = trio.Event()
    runner = Runner(
        [keeping.replicator],
        NoLeases(),
        house.rig.observer,
        house.rig.clock,
        SeededEntropy(0, "runner"),
        stopping=stopping,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(runner.run)
        await trio.sleep(10)
        first = await keeping.good(old)
        new = await house.put(BODY, "new")
        keeping.wanted.note(new.version_id)
        await trio.sleep(2)
        second = await keeping.good(new)
        lost = await house.put(BODY, "nobody told")
        await trio.sleep(310)
        third = await keeping.good(lost)
        stopping.set()

    assert {ONE, TWO} == first == second == third


async def test_a_tour_looks_at_a_bounded_number_of_rows_at_a_time(
    keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger of millions must not be held for seconds; nothing is passed over."""
    monkeypatch.setattr("s3o.ledger.copy_scan.COPY_SCAN_ROWS", 2)
    versions = [await keeping.house.put(BODY, f"{number}") for number in range(9)]

    done = await keeping.replicator.cycle()

    assert 9 == done.created
    assert [{ONE, TWO}] * 9 == [await keeping.good(one) for one in versions]
    assert 9 == (await _surplus(keeping)).checked


async def _surplus(keeping: Keeping):  # type: ignore[no-untyped-def]
    keeping.rules[0] = ReplicationRules(factor=3)
    await keeping.replicator.cycle()
    keeping.rules[0] = ReplicationRules(factor=2)
    return await keeping.cleaner.cycle()


async def test_what_was_written_is_kept_in_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A burst beyond memory is found by the tour."""
    monkeypatch.setattr("s3o.objects.wanted.WANTED_COPIES", 2)
    pokes: list[int] = []
    wanted = CopiesWanted()
    for name in "ab":
        wanted.note(VersionId(name))
    unconnected = wanted.is_empty
    wanted.connect(lambda: pokes.append(1), lambda: True)
    for name in "abbc":
        wanted.note(VersionId(name))

    assert unconnected
    assert 4 == len(pokes)
    assert ["a", "b"] == wanted.take(5)
    assert wanted.is_empty
