"""Drains: everything leaves, nothing is lost, and it ends or says why not."""

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from s3o.ledger.backups import NewBackup, finish_backup, open_backup
from s3o.ledger.copy_rows import find_blob
from s3o.model.backup_names import parse_backup_name
from s3o.model.errors import DrainConflict, NoSuchBackend
from s3o.model.facts import DrainChanged, DrainMoved
from s3o.model.names import BackendName, StorageKey
from s3o.model.values import BlobHeaders
from s3o.services.drains import AGAIN_S, FIRST_PAUSE_S, IDLE_S
from tests.fakes.faults import Fault
from tests.fakes.sources import BytesSource, pattern
from tests.objects.house import GIB, House, open_house, succeed
from tests.objects.uploading import Uploading
from tests.services.moving import ONE, TWO, Movers, tables_naming


@pytest.fixture
async def movers() -> AsyncIterator[Movers]:
    """Three backends; everything is written to the first one."""
    async with open_house(quotas={"one": GIB, "two": GIB, "three": GIB}) as house:
        yield Movers(house=house)


async def fill(house: House, count: int = 5) -> dict[str, bytes]:
    """Store some objects."""
    bodies = {f"k{number}": f"body {number}".encode() for number in range(count)}
    for key, body in bodies.items():
        await house.put(body, key)
    return bodies


async def test_everything_leaves_and_the_drain_ends(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Then the backend can be taken away, and no client has noticed."""
    house = movers.house
    bodies = await fill(house)
    await movers.drains.start(ONE)
    before = await movers.drains.status(ONE)
    await movers.drained()
    after = await movers.drains.status(ONE)

    assert (True, "draining", 5, 30) == (
        before.active,
        before.state,
        before.objects_remaining,
        before.bytes_remaining,
    )
    assert (False, "drained", 0, 0, 5, 30, "") == (
        after.active,
        after.state,
        after.objects_remaining,
        after.bytes_remaining,
        after.objects_moved,
        after.bytes_moved,
        after.error,
    )
    assert [] == movers.on("one")
    assert [body.decode() for body in bodies.values()] == movers.on("two")
    assert [] == await house.complaints()
    for key, body in bodies.items():
        assert body == await house.get(key)
    changes = [fact.change for fact in house.rig.observer.of(DrainChanged)]
    assert ["start", "complete"] == changes
    assert 5 == len(house.rig.observer.of(DrainMoved))
    await house.put(b"new", "new")
    assert [] == movers.on("one")


async def test_a_move_is_counted_as_egress_and_ingress(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Moves cost what reads and writes cost."""
    house = movers.house
    await house.put(b"0123456789")
    await movers.drains.start(ONE)
    used = house.rig.counters.of(ONE).effective()
    await movers.drains.run_once()

    assert 10 == house.rig.counters.of(ONE).effective().egress_bytes - used.egress_bytes
    assert 10 == house.rig.counters.of(TWO).effective().ingress_bytes


async def test_a_drain_goes_on_in_the_next_process(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Its state is in the ledger, not in the memory of who began it."""
    await fill(movers.house)
    await movers.drains.start(ONE)
    movers.house.rig.fleet.set_draining([])  # what a new process knows
    heir = Movers(house=succeed(movers.house))
    await heir.drained()

    assert [] == heir.on("one")
    assert heir.house.rig.fleet.draining == {ONE}
    assert [] == await heir.house.complaints()


async def test_a_copy_goes_where_enough_others_are_proved(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """No byte moves for it."""
    house = movers.house
    await house.put(b"cat")
    await movers.add_copy("two")
    await movers.drains.start(ONE)
    await movers.drained()

    assert (["cat"], []) == (movers.on("two"), movers.on("three"))
    [moved] = house.rig.observer.of(DrainMoved)
    assert "" == moved.target
    assert [] == await house.complaints()


async def test_the_replication_factor_holds_throughout(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """A drain is no reason to have fewer copies than were asked for."""
    house = movers.house
    movers.factor = 2
    await house.put(b"cat")
    await movers.add_copy("two")
    await movers.drains.start(ONE)
    await movers.drained()

    assert (["cat"], ["cat"]) == (movers.on("two"), movers.on("three"))


async def test_an_unproved_copy_is_read_before_it_is_relied_on(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """The row alone says nothing: bytes may have rotted, or never have arrived."""
    house = movers.house
    await house.put(b"cat", "good")
    await house.put(b"dog", "bad")
    for key in ("good", "bad"):
        await movers.add_copy("two", key)
    house.connection.execute(
        "UPDATE object_locations SET verified_at = NULL WHERE backend_name = 'two'"
    )
    rotten = next(
        name
        for name, blob in house.rig.inner["two"].blobs.items()
        if blob.body == b"dog"
    )
    blobs = house.rig.inner["two"].blobs
    blobs[rotten] = next(blob for blob in blobs.values() if blob.body == b"cat")
    await movers.drains.start(ONE)
    await movers.drained()

    assert b"dog" == await house.get("bad")
    assert b"cat" == await house.get("good")
    assert [] == movers.on("one")
    assert [] == await house.complaints()


async def test_nothing_moves_when_nothing_can_and_it_says_why(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Rests, longer each time; goes on by itself when something can."""
    house = movers.house
    await fill(house)
    await movers.drains.start(ONE)
    assert IDLE_S == movers.drains.interval_s
    house.connection.execute(
        "UPDATE backend_quotas SET bytes_limit = 1 WHERE backend_name <> 'one'"
    )
    pauses = []
    for _ in range(9):
        await movers.drains.run_once()
        pauses.append(movers.drains.interval_s)
    status = await movers.drains.status(ONE)

    assert [AGAIN_S, FIRST_PAUSE_S, 10.0, 20.0] == pauses[:4]
    assert 300.0 == pauses[-1]
    assert status.active
    assert "no backend may take" in status.error
    assert 5 == status.objects_remaining
    house.connection.execute("UPDATE backend_quotas SET bytes_limit = 0")
    await movers.drained()
    assert "" == (await movers.drains.status(ONE)).error


async def test_a_failing_target_is_no_reason_to_stop(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """The next candidate takes the blob."""
    house = movers.house
    await house.put(b"cat")
    house.rig.inner["two"].faults.next("put", Fault.ERROR_BEFORE)
    await movers.drains.start(ONE)
    await movers.drains.run_once()

    assert ["cat"] == movers.on("three")
    assert b"cat" == await house.get()


async def test_cancelled_it_is_an_ordinary_backend_again(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """What has moved stays where it is."""
    house = movers.house
    await house.put(b"cat")
    await movers.drains.start(ONE)
    with pytest.raises(DrainConflict):
        await movers.drains.start(ONE)
    await movers.drains.run_once()
    await movers.drains.cancel(ONE)
    await movers.drains.cancel(ONE)  # once more is no harm
    await house.put(b"dog", "dog")
    status = await movers.drains.status(ONE)

    assert (False, "", 1) == (status.active, status.state, status.objects_remaining)
    assert frozenset() == house.rig.fleet.draining
    for ask in (movers.drains.start, movers.drains.status, movers.drains.cancel):
        with pytest.raises(NoSuchBackend):
            await ask(BackendName("nobody"))


async def test_while_the_ledger_may_be_old_it_waits_but_not_for_long(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Every start begins like that; the drain goes on seconds after the all-clear."""
    house = movers.house
    await house.put(b"cat")
    await movers.drains.start(ONE)
    movers.may_destroy = False
    await movers.drains.run_once()

    assert FIRST_PAUSE_S == movers.drains.interval_s
    assert ["cat"] == movers.on("one")
    movers.may_destroy = True
    await movers.drained()


async def test_an_upload_under_way_keeps_the_drain_waiting(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Its parts cannot move; new ones go elsewhere, and the whole object moves."""
    house = movers.house
    upload = Uploading(house)
    await upload.create()
    await upload.part(1, b"first ")
    await movers.drains.start(ONE)
    await upload.part(2, b"second")
    for _ in range(3):
        await movers.drains.run_once()
    status = await movers.drains.status(ONE)

    assert status.active
    assert ("multipart uploads under way", 1) in status.waiting
    assert ("parts of uploads", 1) in status.waiting
    await upload.complete()
    assert b"first second" == await house.get()
    for _ in range(2):  # bytes that a provider joined are proved before they move
        await movers.drains.run_once()
    assert 0 == (await movers.drains.status(ONE)).objects_remaining
    assert b"first second" == await house.get()
    assert [] == await house.complaints()


async def test_an_overwrite_during_a_move_wins(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """The move was planned for bytes that nobody wants any more."""
    house = movers.house
    await house.put(b"old")
    await movers.drains.start(ONE)
    house.rig.inner["one"].faults.next("open", Fault.SLOW)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(movers.drains.run_once)
        await trio.sleep(1)
        await house.put(b"new")
    await movers.drained()

    assert b"new" == await house.get()
    assert [] == movers.on("one")
    assert ["new"] == [*movers.on("two"), *movers.on("three")]
    assert [] == await house.complaints()


def import_all(house: House) -> None:
    """Let what lies on the first backend have been there before us."""
    blobs = house.rig.inner["one"].blobs
    for name in list(blobs):
        bare = StorageKey(name.partition("!")[0])
        blobs[bare] = blobs.pop(name)
        house.connection.execute(
            "UPDATE object_locations SET storage_key = ?, origin = 'imported', "
            "backend_etag = ? WHERE storage_key = ?",
            (bare, blobs[bare].etag, name),
        )


async def test_imported_bytes_leave_only_if_nobody_has_changed_them(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """What a HEAD does not recognise is a person's to decide."""
    house = movers.house
    await house.put(b"cat", "same")
    await house.put(b"dog", "changed")
    import_all(house)
    await movers.drains.start(ONE)
    await movers.drains.run_once()
    blobs = house.rig.inner["one"].blobs
    changed = StorageKey("photos/changed")
    blobs[changed] = blobs[StorageKey("photos/same")]
    await movers.cleaned()
    await movers.drains.run_once()
    status = await movers.drains.status(ONE)

    assert [changed] == list(blobs)
    assert (("dead letters", 1),) == status.waiting
    assert status.active
    for key, body in (("same", b"cat"), ("changed", b"dog")):
        assert body == await house.get(key)


async def test_the_ledgers_backups_leave_too(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Where nobody else has a segment, a snapshot elsewhere comes first."""
    house = movers.house
    names = {
        "one": ("log-00000001-000000000000000001-000000000000000002", "snapshot"),
        "two": ("log-00000001-000000000000000001-000000000000000002",),
    }
    for number, (backend, begin) in enumerate(
        (backend, begin) for backend, found in names.items() for begin in found
    ):
        await add_backup(house, backend, begin, number)
    await movers.drains.start(ONE)
    await movers.drained()

    assert 1 == movers.snapshots
    assert {"ledger_backups": 1} == {
        table: count
        for table, count in tables_naming(house, "two").items()
        if table == "ledger_backups"
    }
    assert ["backend_drains", "backend_quotas"] == sorted(tables_naming(house, "one"))
    assert [] == await house.complaints()


async def add_backup(house: House, backend: str, begin: str, number: int) -> None:
    """Let a backend hold one segment of a backup."""
    if begin == "snapshot":
        begin = "snapshot-00000001-000000000000000000-000000000000000001"
    name = f".s3o/cluster/{begin}-{0:012x}-{0:06d}l!{number:032x}"
    body = BytesSource(b"segment")
    await house.rig.guarded(backend).put(StorageKey(name), body, BlobHeaders())
    new = NewBackup(
        name=parse_backup_name(name),
        storage_key=StorageKey(name),
        stored_bytes=7,
        stored_md5="",
        now_us=number,
    )
    chosen = BackendName(backend)
    await house.ledger.write(lambda tx: open_backup(tx, new, lambda _: [chosen]))
    await house.ledger.write(lambda tx: finish_backup(tx, chosen, StorageKey(name), 7))


async def test_a_damaged_row_keeps_no_other_object_on_the_backend(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """What can leave leaves, and the operator is told what cannot."""
    house = movers.house
    await house.put(b"cat", "a")
    await house.put(b"dog", "b")
    house.connection.execute("UPDATE objects SET metadata = 'x' WHERE key = 'a'")
    await movers.drains.start(ONE)
    for _ in range(3):
        await movers.drains.run_once()
        await movers.cleaned()
    status = await movers.drains.status(ONE)

    assert ["cat"] == movers.on("one")
    assert 1 == status.objects_remaining
    assert "LedgerDamaged" in status.error


@pytest.mark.parametrize("leaving", [ONE, TWO])
@pytest.mark.parametrize("verify", [False, True])
async def test_bytes_copied_wrong_before_any_proof_never_win(
    movers: Movers, autojump_clock: MockClock, leaving: BackendName, *, verify: bool
) -> None:
    """A provider joined the parts, so nobody knew a digest when the copy was made."""
    house = movers.house
    body = pattern(5000)
    version = await house.put(body)
    house.connection.execute(
        "UPDATE object_locations SET stored_digest = NULL, verified_at = NULL"
    )
    found = await house.ledger.read(lambda tx: find_blob(tx, version.version_id, 0))
    assert found is not None
    house.rig.inner["one"].faults.next("open", Fault.FLIPPED)
    await house.blob_copier.copy(*found, TWO, reason="replicated", verify=verify)
    await movers.drains.start(leaving)
    await movers.drained(leaving)

    assert body == await house.get()
    assert [] == await house.complaints()
