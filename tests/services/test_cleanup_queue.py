"""Bytes that nothing refers to leave the backends, and only those."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from s3o.ledger.cleanup import CleanupRow, due_rows
from s3o.ledger.cleanup_rows import Discard, enqueue
from s3o.ledger.intents import drop_intent
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Tx
from s3o.model.facts import CleanupProcessed
from s3o.model.names import ObjectKey, StorageKey
from s3o.model.values import BlobHeaders, BreakerState
from s3o.services import deleting
from tests.fakes.faults import Fault
from tests.fakes.sources import BytesSource
from tests.ledger.house import ONE, TWO
from tests.services.house import House, open_house


def statuses(house: House) -> list[str]:
    return [fact.status for fact in house.rig.observer.of(CleanupProcessed)]


async def rows_of(house: House) -> list[CleanupRow]:
    far_us = house.rig.clock.now_us() + 10**15
    return await house.ledger.read(lambda tx: due_rows(tx, ONE, far_us, 10_000))


async def test_deleted_bytes_leave_backend_and_quota(
    house: House, autojump_clock: MockClock
) -> None:
    """A client that deletes expects to get the room back."""
    await house.put("cat.jpg")
    await house.delete("cat.jpg")
    before = await house.quota()
    report = await house.cleanup().run_once()
    after = await house.quota()

    assert (38, 0) == (before.orphan_bytes, after.held_bytes)
    assert [] == house.names()
    assert 0 == (await house.depths()).cleanup_rows
    assert "deleted 1, to be retried 0, dead letters 0, freed 38 bytes" == report
    assert ["success"] == statuses(house)


async def test_nothing_due_is_no_call_and_no_report(
    house: House, autojump_clock: MockClock
) -> None:
    """An idle service must cost the operator neither requests nor log lines."""
    await house.put("cat.jpg")
    house.rig.inner["one"].books.calls.clear()

    assert "" == await house.cleanup().run_once()
    assert [] == house.rig.inner["one"].books.calls


async def test_thousand_names_go_in_one_call(
    house: House, autojump_clock: MockClock
) -> None:
    """Free tiers count requests; deleting must not use them up."""
    async with open_house(one=0, two=0) as roomy:
        for number in range(1100):
            await roomy.put(f"{number}.jpg")
            await roomy.delete(f"{number}.jpg")
        await roomy.cleanup().run_once()
        calls = [call for call, _ in roomy.rig.inner["one"].books.calls]

    assert 2 == calls.count("delete")
    assert [] == roomy.names()


async def test_failures_back_off_and_end_in_the_dead_letters(
    house: House, autojump_clock: MockClock
) -> None:
    """A backend that refuses must neither be hammered nor be forgotten."""
    await house.put("cat.jpg")
    await house.delete("cat.jpg")
    house.rig.inner["one"].faults.down = Fault.FULL  # answers, so no breaker opens
    cleanup = house.cleanup()
    waits = []
    for _ in range(9):
        tried_us = house.rig.clock.now_us()
        await cleanup.run_once()
        (row,) = await rows_of(house)
        waits.append((row.next_retry_us - tried_us) // 60_000_000)
        await cleanup.run_once()  # not due: costs no attempt
        house.rig.clock.offset_us += row.next_retry_us - tried_us
    await cleanup.run_once()

    assert [1, 2, 4, 8, 16, 32, 64, 128, 256] == waits
    assert ["retry"] * 9 + ["exhausted"] == statuses(house)
    depths = await house.depths()
    assert (0, 1) == (depths.cleanup_rows, depths.dead_letters)
    # The bytes are still there, so they stay on the quota.
    assert 38 == (await house.quota()).orphan_bytes


async def test_bytes_being_read_are_kept_until_the_reader_is_done(
    house: House,
    autojump_clock: MockClock,
) -> None:
    """An overwrite must not break the download that began before it."""
    storage_key = await house.put("cat.jpg")
    await house.delete("cat.jpg")
    house.read_now.add(storage_key)
    cleanup = house.cleanup()
    await cleanup.run_once()
    assert [storage_key] == house.names()
    assert 5 == cleanup.interval_s
    house.read_now.clear()
    await cleanup.run_once()

    assert [] == house.names()
    assert 60 == cleanup.interval_s


async def test_young_rows_wait_for_the_reader_grace(
    house: House, autojump_clock: MockClock
) -> None:
    """A read elsewhere may have found its location a moment ago."""
    await house.put("cat.jpg")
    await house.delete("cat.jpg")
    cleanup = house.cleanup(grace_s=60)
    await cleanup.run_once()
    assert 1 == len(house.names())
    await trio.sleep(61)
    await cleanup.run_once()

    assert [] == house.names()


async def test_open_circuit_costs_no_attempt_and_holds_up_nobody(
    house: House,
    autojump_clock: MockClock,
) -> None:
    """A backend that is down for days must not push its rows into the dead letters."""
    await house.put("cat.jpg")
    await house.delete("cat.jpg")
    guarded = house.rig.guarded("one")
    house.rig.inner["one"].faults.down = Fault.UNREACHABLE
    for _ in range(3):
        with pytest.raises(Exception, match="no connection"):
            await guarded.probe()
    assert BreakerState.OPEN is guarded.state
    await house.cleanup().run_once()
    (row,) = await rows_of(house)

    assert 0 == row.attempts
    assert [] == statuses(house)


async def test_one_backend_down_does_not_hold_up_the_other(
    house: House, autojump_clock: MockClock
) -> None:
    """Room on the healthy backend must come back meanwhile."""
    async with open_house(one=60, two=0) as small:
        await small.put("one.jpg")
        second = await small.announce("two.jpg")  # does not fit on the first
        await small.send(second, on=TWO)
        await small.writer.commit(second)
        await small.delete("one.jpg")
        await small.delete("two.jpg")
        small.rig.inner["one"].faults.down = Fault.HANG
        await small.cleanup().run_once()

        assert [] == small.names(TWO)
        assert 1 == len(small.names(ONE))


async def test_writer_without_room_gets_it_from_the_next_pass(
    house: House, autojump_clock: MockClock
) -> None:
    """Deleting one file and storing another into its room must work at once."""
    cleanup = house.cleanup(grace_s=1)
    await house.put("cat.jpg")
    await house.delete("cat.jpg")
    freed = []

    async def wait() -> None:
        freed.append(await cleanup.next_pass())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.sleep(0.5)
        await cleanup.run_once()  # too early: within the grace
        await trio.sleep(0.1)
        assert [] == freed
        assert cleanup.wakeup.is_poked
        await trio.sleep(1)
        await cleanup.run_once()

    assert [38] == freed


async def test_waiting_for_a_pass_that_frees_nothing_ends(
    house: House, autojump_clock: MockClock
) -> None:
    """A full house must answer 507, not hang."""
    cleanup = house.cleanup(grace_s=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cleanup.next_pass)
        await trio.sleep(1.1)
        await cleanup.run_once()

    assert "" == await cleanup.run_once()


async def test_ambiguous_attempts_are_deleted_again_and_again(
    house: House, autojump_clock: MockClock
) -> None:
    """A timed-out PUT may arrive long after its name was deleted."""
    storage_key = await house.announce("cat.jpg")
    await house.ledger.write(
        lambda tx: drop_intent(
            tx, storage_key, "timeout", house.rig.clock.now_us(), is_ambiguous=True
        )
    )
    cleanup = house.cleanup()
    await cleanup.run_once()
    await house.send(storage_key)  # the late one
    orphans = []
    for pause_s in (299, 2, 3600, 86_400):
        orphans.append((await house.quota()).orphan_bytes)
        await trio.sleep(pause_s)
        await cleanup.run_once()

    assert [] == house.names()
    assert [38] * 4 == orphans
    assert 0 == (await house.quota()).orphan_bytes
    assert ["success"] * 4 == statuses(house)


async def test_rows_of_a_clock_that_was_ahead_are_not_stuck(
    house: House, autojump_clock: MockClock
) -> None:
    """Deleted while the clock stood a year ahead: the room comes back this year."""
    clock, year_us = house.rig.clock, 365 * 86_400 * 1_000_000
    for key in ("cat.jpg", "dog.jpg"):
        await house.put(key)
    await house.delete("dog.jpg")
    clock.offset_us = year_us
    faults = house.rig.inner["one"].faults
    faults.down = Fault.FULL
    cleanup = house.cleanup()
    await cleanup.run_once()  # dog.jpg waits for another attempt
    faults.heal()
    await house.delete("cat.jpg")
    clock.offset_us = 0
    await cleanup.run_once()
    await trio.sleep(3601)  # whoever was just set may be wrong
    await cleanup.run_once()
    await trio.sleep(2)
    await cleanup.run_once()
    assert 38 == (await house.quota()).orphan_bytes  # cat.jpg had not failed
    await trio.sleep(86_400)
    await cleanup.run_once()

    assert 0 == (await house.quota()).orphan_bytes
    assert [] == house.names()


async def test_repeats_of_a_clock_that_was_ahead_come_no_earlier(
    house: House, autojump_clock: MockClock
) -> None:
    """What may still be on its way after a day is deleted then, whatever clocks say."""
    storage_key = await house.announce("cat.jpg")
    clock, year_us = house.rig.clock, 365 * 86_400 * 1_000_000
    clock.offset_us = year_us
    await house.ledger.write(
        lambda tx: drop_intent(
            tx, storage_key, "timeout", clock.now_us(), is_ambiguous=True
        )
    )
    cleanup = house.cleanup()
    await cleanup.run_once()
    clock.offset_us = 0
    for pause_s in (0, 3600, 3600, 82_799):
        await trio.sleep(pause_s)
        await cleanup.run_once()
        assert 1 == len(statuses(house))
    await trio.sleep(2)
    await cleanup.run_once()
    assert 2 == len(statuses(house))


async def test_clock_that_was_just_set_back_hurries_no_delete(
    house: House, autojump_clock: MockClock
) -> None:
    """What repeats a delete has to wait for requests that are still on their way."""
    await house.put("cat.jpg")
    await house.delete("cat.jpg")
    house.rig.inner["one"].faults.down = Fault.FULL
    cleanup = house.cleanup()
    await cleanup.run_once()
    (before,) = await rows_of(house)
    await trio.sleep(7200)
    house.rig.clock.offset_us -= 365 * 86_400 * 1_000_000
    for _ in range(3):
        await cleanup.run_once()
        await trio.sleep(600)
    (after,) = await rows_of(house)

    assert before.next_retry_us == after.next_retry_us


async def enqueue_by_hand(
    house: House, storage_key: str, *, is_imported: bool = False
) -> None:
    async def step(tx: Tx) -> None:
        moves = QuotaMoves()
        discard = Discard(
            backend=ONE,
            bucket_id=house.writer.bucket.id,
            key=ObjectKey("cat.jpg"),
            storage_key=StorageKey(storage_key),
            size_bytes=38,
            reason="by hand",
            is_imported=is_imported,
            backend_etag="0" * 32 if is_imported else None,
        )
        await enqueue(tx, discard, moves, house.rig.clock.now_us())
        await moves.apply(tx)

    await house.ledger.write(step)


@pytest.mark.parametrize("name", ["other/backup.tar", "photos/cat.jpg", "../x!0"])
async def test_foreign_name_is_never_deleted(
    house: House, autojump_clock: MockClock, name: str
) -> None:
    """The bucket on the backend may hold somebody else's files."""
    await enqueue_by_hand(house, name)
    await house.put("dog.jpg")
    await house.delete("dog.jpg")
    await house.cleanup().run_once()
    deleted = [
        names for call, names in house.rig.inner["one"].books.calls if call == "delete"
    ]

    assert 1 == len(deleted)
    assert name not in deleted[0]
    assert 1 == (await house.depths()).dead_letters


async def test_imported_bytes_that_changed_are_not_deleted(
    house: House, autojump_clock: MockClock
) -> None:
    """An imported name belongs to whoever writes it now."""
    inner = house.rig.inner["one"]
    name = StorageKey("old/cat.jpg")
    await inner.put(name, BytesSource(b"x" * 38), BlobHeaders())
    await enqueue_by_hand(house, name, is_imported=True)
    await house.cleanup().run_once()

    assert [name] == house.names()
    assert 1 == (await house.depths()).dead_letters


async def test_stop_ends_between_batches(
    house: House, autojump_clock: MockClock
) -> None:
    """What is left is found again after the restart."""
    await house.put("cat.jpg")
    await house.delete("cat.jpg")
    house.stopping.set()

    assert "" == await house.cleanup().run_once()
    assert 1 == len(house.names())


def test_only_one_function_deletes_on_backends() -> None:
    """A second way of deleting would be one without the check of names."""
    root = Path(deleting.__file__).parents[1]
    found = [
        path.name
        for folder in ("services", "objects", "s3api", "admin", "daemon")
        for path in sorted((root / folder).glob("*.py"))
        if "backend.delete(" in path.read_text("utf-8")
    ]

    assert ["deleting.py"] == found
