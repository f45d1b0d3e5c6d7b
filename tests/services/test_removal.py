"""Removing a backend: every row that names it goes, and nothing goes silently."""

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from s3o.ledger.quotas import sync_quotas
from s3o.ledger.seam import Step
from s3o.ledger.usage import add_usage
from s3o.model.errors import (
    DrainConflict,
    NoSuchBackend,
    NoSuchKey,
    OnlyCopies,
    WriteLost,
)
from s3o.model.facts import BackendRemoved, Happened, ObjectPurged
from s3o.model.names import BackendName
from s3o.model.values import Usage
from tests.fakes.faults import Fault
from tests.fakes.sources import BytesSource
from tests.objects.house import GIB, House, open_house, succeed
from tests.objects.uploading import Uploading
from tests.services.moving import ONE, Movers, tables_naming

KEPT = {"backend_drains": 1}  # the mark of one that is still configured


@pytest.fixture
async def movers() -> AsyncIterator[Movers]:
    """Three backends; everything is written to the first one."""
    async with open_house(quotas={"one": GIB, "two": GIB, "three": GIB}) as house:
        yield Movers(house=house)


async def fill_with_everything(movers: Movers) -> tuple[Uploading, Uploading]:
    """Let every table name the first backend; return its uploads under way."""
    house = movers.house
    await house.put(b"alone", "alone")
    await house.put(b"both", "both")
    await movers.add_copy("two", "both")
    native, parts = Uploading(house), Uploading(house)
    for upload in (native, parts):
        await upload.create()
        await upload.part(1, b"part")
    await parts.part(1, b"once more")  # a blob of its own
    done = Uploading(house)
    await done.create()
    await done.part(1, b"done")
    await done.complete()
    await house.put(b"deleted", "deleted")
    await house.delete("deleted")
    await house.ledger.write(
        lambda tx: add_usage(tx, "2026-01", {ONE: Usage(1, 2, 3)}, 0)
    )
    house.connection.executescript(
        """
        INSERT INTO reconcile_findings VALUES ('one', 'x', 'missing', 1, NULL, 1, 1, 1);
        INSERT INTO read_pins VALUES ('me', 'one', 'x', 0);
        INSERT INTO ledger_backups VALUES
            ('one', '.s3o/x', 'log', 'whole', 0, 1, 10, NULL, 1);
        INSERT INTO cleanup_dlq (original_id, backend_name, bucket_id, object_key,
            storage_key, reason, size_bytes, attempts, first_enqueued_at, moved_at)
            VALUES (99, 'one', 1, 'x', 'photos/x!00000000000000000000000000000099',
            'test', 5, 10, 1, 1);
        UPDATE backend_quotas SET bytes_used = bytes_used + 10,
            orphan_bytes = orphan_bytes + 5 WHERE backend_name = 'one';
        """
    )
    return native, parts


async def test_only_copies_are_not_forgotten(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """The operator is told how many, and nothing has changed."""
    house = movers.house
    await house.put(b"alone", "alone")
    await house.put(b"both", "both")
    await movers.add_copy("two", "both")
    preview = await movers.removal.preview(ONE)

    assert (2, 9, 1, 5) == (
        preview.objects,
        preview.stored_bytes,
        preview.only_copies,
        preview.only_bytes,
    )
    with pytest.raises(OnlyCopies) as refused:
        await movers.removal.remove(ONE, purge=False)
    assert (1, 5) == (refused.value.objects, refused.value.stored_bytes)
    assert [] == await movers.list_drains()
    assert frozenset() == house.rig.fleet.draining
    await house.put(b"still here")
    assert "still here" in movers.on("one")


async def test_an_unproved_copy_elsewhere_is_no_good_copy(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """A row that nobody has looked behind is not worth the last known bytes."""
    await movers.house.put(b"cat")
    await movers.add_copy("two")
    movers.house.connection.execute(
        "UPDATE object_locations SET verified_at = NULL WHERE backend_name = 'two'"
    )

    with pytest.raises(OnlyCopies):
        await movers.removal.remove(ONE, purge=False)


async def test_without_a_purge_rows_go_and_bytes_stay(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """The bytes may be wanted: a person takes the backend away, not the service."""
    house = movers.house
    await house.put(b"cat")
    await movers.add_copy("two")
    status = await movers.removal.remove(ONE, purge=False)
    await movers.cleaned()

    assert status.is_removed
    assert KEPT == tables_naming(house, "one")
    assert ["cat"] == movers.on("one")
    assert b"cat" == await house.get()
    assert [] == await house.complaints()
    [removed] = house.rig.observer.of(BackendRemoved)
    assert (ONE, False, 1, 3) == (
        removed.backend,
        removed.is_purged,
        removed.objects,
        removed.stored_bytes,
    )


async def test_a_purge_takes_everything_and_says_what(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Rows of every table, bytes, uploads; a client finds its object deleted."""
    house = movers.house
    uploads = await fill_with_everything(movers)
    status = await movers.removal.remove(ONE, purge=True)

    assert status.is_removed
    assert KEPT == tables_naming(house, "one")
    assert [] == movers.on("one")
    assert not (await house.rig.guarded("one").list_uploads("")).uploads
    assert [] == await house.complaints()
    assert b"both" == await house.get("both")
    with pytest.raises(NoSuchKey):
        await house.get("alone")
    purged = {fact.key for fact in house.rig.observer.of(ObjectPurged)}
    assert {"alone", "cat.jpg"} == purged
    graves = house.connection.execute("SELECT key FROM tombstones").fetchall()
    assert {"alone", "cat.jpg", "deleted"} == {key for (key,) in graves}
    [removed] = house.rig.observer.of(BackendRemoved)
    assert removed.is_purged
    for upload in uploads:
        await upload.create()  # and another one may begin, elsewhere
        await upload.part(1, b"part")
    assert [] == movers.on("one")


async def test_a_write_on_its_way_is_lost_not_dangling(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Its client hears 503 and tries again; nothing of it stays behind."""
    house = movers.house
    lost: list[bool] = []

    async def put() -> None:
        try:
            await house.put(BytesSource(b"late", pause_s=5.0))
        except WriteLost:
            lost.append(True)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(put)
        await trio.sleep(1)
        await movers.removal.remove(ONE, purge=False)

    assert [True] == lost
    assert KEPT == tables_naming(house, "one")
    assert [] == await house.complaints()


async def test_a_backend_that_does_not_let_go_keeps_the_removal(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Waited for; a removal without a purge leaves the bytes behind and ends it."""
    house = movers.house
    await house.put(b"cat")
    house.rig.inner["one"].faults.down = Fault.ERROR_BEFORE
    status = await movers.removal.remove(ONE, purge=True)
    report = await movers.removal.run_once()

    assert not status.is_removed
    assert "one: being removed" == report
    assert (("blobs waiting to be deleted", 1),) == status.waiting
    [drain] = await movers.list_drains()
    assert "1 blobs waiting" in (drain.last_error or "")
    assert (await movers.removal.remove(ONE, purge=False)).is_removed
    assert KEPT == tables_naming(house, "one")
    assert [] == await house.complaints()


async def test_a_cancelled_removal_is_not_called_done(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """The backend is an ordinary one again, with what is left on it."""
    house = movers.house
    await house.put(b"cat")
    house.rig.inner["one"].faults.down = Fault.ERROR_BEFORE
    outcome: list[bool] = []

    async def remove() -> None:
        status = await movers.removal.remove(ONE, purge=True)
        outcome.append(status.is_removed)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(remove)
        await trio.sleep(5)
        await movers.drains.cancel(ONE)

    assert [False] == outcome
    assert "" == (await movers.drains.status(ONE)).state
    assert [] == await house.complaints()


async def test_a_removal_goes_on_in_the_next_process(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Half a removal is a state of the ledger like any other."""
    house = movers.house
    await fill_with_everything(movers)
    house.rig.inner["one"].faults.down = Fault.UNREACHABLE
    await movers.removal.remove(ONE, purge=True)
    house.rig.inner["one"].faults.heal()
    house.rig.fleet.set_draining([])
    heir = Movers(house=succeed(house))
    await heir.removal.run_once()
    assert {ONE} == house.rig.fleet.draining
    for _ in range(3):  # the circuit's probe first; each failure makes a row wait
        await trio.sleep(100_000)
        await heir.cleaned()
    await heir.removal.run_once()

    assert KEPT == tables_naming(house, "one")
    assert [] == await house.complaints()


async def test_a_removed_backend_stays_closed_and_may_come_back(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """A restart is no decision; a cancel is."""
    house = movers.house
    await movers.removal.remove(ONE, purge=False)
    limits = {row.name: GIB for row in house.rig.fleet}
    await house.ledger.write(lambda tx: sync_quotas(tx, limits))
    heir = Movers(house=succeed(house))
    await heir.removal.run_once()
    await heir.removal.run_once()
    await house.put(b"cat")

    assert KEPT == tables_naming(house, "one")
    assert ["cat"] == movers.on("two")
    warnings = list(house.rig.observer.of(Happened))
    assert 1 == len(warnings)
    assert "still configured" in warnings[0].message
    with pytest.raises(DrainConflict):
        await heir.removal.remove(ONE, purge=True)
    await heir.drains.cancel(ONE)
    await house.put(b"dog", "dog")
    assert ["dog"] == movers.on("one")
    assert [] == await house.complaints()


async def test_who_may_be_removed(movers: Movers, autojump_clock: MockClock) -> None:
    """Not one that is just being emptied, and not one that nobody knows."""
    await movers.drains.start(ONE)
    with pytest.raises(DrainConflict):
        await movers.removal.remove(ONE, purge=True)
    await movers.drained()
    assert (await movers.removal.remove(ONE, purge=False)).is_removed
    for ask in (
        movers.removal.preview(BackendName("nobody")),
        movers.removal.remove(BackendName("nobody"), purge=True),
    ):
        with pytest.raises(NoSuchBackend):
            await ask


async def test_a_backend_that_is_configured_no_more_leaves_no_trace(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Its provider may be gone for good; rows go, whatever was wanted of the bytes."""
    house = movers.house
    gone = BackendName("gone")
    await house.ledger.write(lambda tx: sync_quotas(tx, {gone: 0}))
    await house.put(b"cat")
    for table in ("object_locations", "backend_quotas"):
        house.connection.execute(
            f"UPDATE {table} SET backend_name = 'gone' WHERE backend_name = 'one'"
            if table == "object_locations"
            else "UPDATE backend_quotas SET bytes_used = 3, object_count = 1 "
            "WHERE backend_name = 'gone'"
        )
    house.connection.execute(
        "UPDATE backend_quotas SET bytes_used = 0, object_count = 0 "
        "WHERE backend_name = 'one'"
    )
    status = await movers.removal.remove(gone, purge=True)

    assert status.is_removed
    assert {} == tables_naming(house, "gone")
    with pytest.raises(NoSuchKey):
        await house.get()
    assert [] == await house.complaints()


async def test_nothing_is_removed_while_the_ledger_may_be_old(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """An old ledger does not know what it would take."""
    house: House = movers.house
    await house.put(b"cat")
    movers.may_destroy = False

    with pytest.raises(DrainConflict):
        await movers.removal.remove(ONE, purge=True)
    assert [] == await movers.list_drains()


class _Closing:
    """A gate that closes after it was asked a few times."""

    def __init__(self, times: int) -> None:
        self._left = times

    def __bool__(self) -> bool:
        self._left -= 1
        return self._left >= 0


async def test_a_purge_stops_where_the_ledger_turns_out_to_be_old(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """A backend may answer late, and know more than the ledger."""
    house = movers.house
    await house.put(b"cat")
    movers.may_destroy = _Closing(2)  # type: ignore[assignment]
    status = await movers.removal.remove(ONE, purge=True)

    assert not status.is_removed
    assert b"cat" == await house.get()
    assert [] == await house.complaints()


async def test_a_damaged_row_keeps_no_other_object(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """A purge takes what it can, and says what it waits for."""
    house = movers.house
    await house.put(b"cat", "a")
    await house.put(b"dog", "b")
    house.connection.execute("UPDATE objects SET metadata = 'x' WHERE key = 'a'")
    status = await movers.removal.remove(ONE, purge=True)

    assert not status.is_removed
    assert (("objects", 1),) == status.waiting
    assert ["cat"] == movers.on("one")


async def test_a_refused_removal_has_changed_nothing(
    movers: Movers, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's pass comes while only copies are counted: it must not begin."""
    house = movers.house
    await house.put(b"cat", "a")
    await house.put(b"dog", "b")
    await movers.add_copy("two", "a")
    before = house.located()
    scan = house.ledger.scan

    async with trio.open_nursery() as nursery:

        async def scan_slowly(step: Step[object]) -> object:
            nursery.start_soon(movers.removal.run_once)
            await wait_all_tasks_blocked()
            return await scan(step)

        monkeypatch.setattr(house.ledger, "scan", scan_slowly)
        with pytest.raises(OnlyCopies):
            await movers.removal.remove(ONE, purge=False)
        monkeypatch.undo()

    assert before == house.located()
    assert [] == await movers.list_drains()
    assert [] == await house.complaints()


async def test_the_service_goes_on_soon_with_what_was_not_finished(
    movers: Movers, autojump_clock: MockClock
) -> None:
    """Who was told that the removal goes on must not wait for an idle tick."""
    house = movers.house
    await house.put(b"cat")
    house.rig.inner["one"].faults.down = Fault.FULL
    status = await movers.removal.remove(ONE, purge=True)

    assert not status.is_removed
    assert movers.removal.wakeup.is_poked
    await movers.removal.run_once()
    assert 10 == movers.removal.interval_s
