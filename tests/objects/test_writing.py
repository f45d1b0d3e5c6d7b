"""PUT and DELETE among full, failing and racing neighbours."""

import sqlite3

import pytest
import trio
from trio.testing import MockClock

from s3o.ledger.seam import Engine, Step, T
from s3o.ledger.sqlite import InlineEngine
from s3o.model import limits
from s3o.model.errors import (
    BackendsFailed,
    BadDigest,
    CommitUnknown,
    EntityTooLarge,
    NoRoom,
    NoSuchKey,
    PreconditionFailed,
    S3OError,
)
from s3o.model.facts import WriteFailedOver
from s3o.model.values import WriteConditions
from tests.fakes.faults import Fault
from tests.fakes.sources import BytesSource, StalledSource, pattern
from tests.objects.house import GIB, House, open_house

ABSENT = WriteConditions(if_none_match_any=True)
OLD = pattern(70_000, seed=1)
NEW = pattern(90_000, seed=2)


async def _ends_clean(house: House, body: bytes | None) -> None:
    assert body == await house.find_body()
    assert [] == await house.complaints()
    await house.drain()
    assert body == await house.find_body()
    assert [] == await house.complaints()
    assert house.located() == house.lying()
    assert (0, 0, 0) == await house.waiting()


async def test_write_goes_to_the_second_backend_when_the_first_is_full() -> None:
    """Many small free tiers make one large store; that is what it is for."""
    async with open_house(quotas={"one": 100, "two": 1000}) as house:
        await house.put(b"a" * 80, "a")
        await house.put(b"b" * 80, "b")
        await house.put(b"c" * 20, "c")

        assert 100 == house.rig.inner["one"].books.held_bytes
        assert 80 == house.rig.inner["two"].books.held_bytes
        with pytest.raises(NoRoom):
            await house.put(b"d" * 921, "d")
        assert [] == await house.complaints()


async def test_put_waits_for_the_room_that_a_delete_freed(
    autojump_clock: MockClock,
) -> None:
    """Who deletes a file to store another one must not be told that there is none."""
    async with open_house(quotas={"one": 100}) as house, house.cleaning():
        await house.put(b"a" * 80, "a")
        await house.delete("a")
        with trio.fail_after(5):
            await house.put(b"b" * 90, "b")

        assert b"b" * 90 == await house.get("b")
        assert [] == await house.complaints()


async def test_overwrite_of_a_full_backend_is_refused_and_keeps_the_old(
    autojump_clock: MockClock,
) -> None:
    """Old bytes are there until the new ones are: both must fit."""
    async with open_house(quotas={"one": 100}) as house, house.cleaning():
        await house.put(b"a" * 80)
        with pytest.raises(NoRoom):
            await house.put(b"b" * 80)

        assert b"a" * 80 == await house.get()
        assert [] == await house.complaints()


@pytest.mark.parametrize("fail_at", [0, 40_000, 89_999])
async def test_refused_body_leaves_the_old_object(
    house: House, fail_at: int, autojump_clock: MockClock
) -> None:
    """A wrong digest shows with the last piece, when nearly all was sent."""
    await house.put(OLD)
    wrong = BadDigest("md5", "a", "b")
    with pytest.raises(BadDigest):
        await house.put(
            BytesSource(NEW, piece_bytes=20_000, fail_at=fail_at, error=wrong)
        )

    assert house.rig.observer.of(WriteFailedOver) == []
    await _ends_clean(house, OLD)


@pytest.mark.parametrize(
    "fault", [Fault.ERROR_BEFORE, Fault.ERROR_AFTER, Fault.LOST_ANSWER, Fault.HANG]
)
async def test_put_that_fails_everywhere_leaves_the_old_object(
    house: House, fault: Fault, autojump_clock: MockClock
) -> None:
    """Two providers out at once: 503, and what was there is still there."""
    await house.put(OLD)
    for backend in house.rig.inner.values():
        backend.faults.next("put", fault)
    with pytest.raises(BackendsFailed) as failed:
        await house.put(NEW)

    assert 2 == len(failed.value.reasons)
    await _ends_clean(house, OLD)


async def test_cancelled_put_leaves_the_old_object(
    house: House, autojump_clock: MockClock
) -> None:
    """The client hangs up in the middle of its body."""
    await house.put(OLD)
    source = StalledSource(90_000, [NEW[:40_000]])
    with trio.move_on_after(3) as scope:
        await house.put(source)

    assert scope.cancelled_caught
    await _ends_clean(house, OLD)


@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.ERROR_AFTER, Fault.FULL])
async def test_small_body_is_replayed_on_the_next_backend(
    house: House, fault: Fault, autojump_clock: MockClock
) -> None:
    """One sick provider costs nothing but a moment."""
    house.rig.inner["one"].faults.next("put", fault)
    await house.put(BytesSource(NEW, piece_bytes=20_000, can_rewind=False))

    assert [("two", NEW)] == [
        (name, house.rig.inner[name].blobs[key].body) for name, key in house.located()
    ]
    failed = house.rig.observer.of(WriteFailedOver)
    assert ["one"] == [fact.failed_backend for fact in failed]
    await _ends_clean(house, NEW)


@pytest.mark.parametrize(
    ("fault", "repeats"), [(Fault.REFUSED, 0), (Fault.ERROR_AFTER, 3)]
)
async def test_only_bytes_that_may_still_come_are_looked_for_again(
    house: House, fault: Fault, repeats: int, autojump_clock: MockClock
) -> None:
    """A full provider refuses every PUT: its room must not count as owed for a day."""
    inner = house.rig.inner["one"]
    inner.faults.next("put", fault)
    await house.put(NEW)
    assert len(NEW) == (await house.quota("one")).orphan_bytes
    await trio.sleep(61)  # the readers' grace
    await house.cleanup.run_once()
    held = (await house.quota("one")).orphan_bytes
    await house.drain()

    assert (len(NEW) if repeats else 0) == held
    deletes = [names for call, names in inner.books.calls if call == "delete"]
    assert 1 + repeats == len(deletes)
    await _ends_clean(house, NEW)


async def test_large_body_fails_with_its_backend(
    house: House, autojump_clock: MockClock
) -> None:
    """What was not kept cannot be sent again; the client has to, so it is told 503."""
    body = pattern(limits.REPLAY_BYTES + limits.PIECE_BYTES)
    await house.put(OLD)
    house.rig.inner["one"].faults.next("put", Fault.ERROR_AFTER)
    with pytest.raises(BackendsFailed):
        await house.put(body)

    assert [] == house.rig.inner["two"].names()
    await _ends_clean(house, OLD)


async def test_object_over_the_operators_limit_leaves_no_trace(house: House) -> None:
    """Refused before a byte is read or reserved."""
    source = StalledSource(GIB + 1)
    with pytest.raises(EntityTooLarge):
        await house.put(source)

    assert (0, 0, 0) == await house.waiting()


async def test_one_of_many_racing_creators_wins(
    house: House, autojump_clock: MockClock
) -> None:
    """If-None-Match is how clients take a lock: two winners would be two owners."""
    won: list[int] = []
    lost: list[S3OError] = []

    async def create(number: int) -> None:
        source = BytesSource(b"%02d" % number, piece_bytes=1)
        try:
            await house.put(source, conditions=ABSENT)
        except PreconditionFailed as error:
            lost.append(error)
        else:
            won.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(32):
            nursery.start_soon(create, number)

    assert (1, 31) == (len(won), len(lost))
    await _ends_clean(house, b"%02d" % won[0])


async def test_condition_is_decided_at_commit_not_at_the_start(
    house: House, autojump_clock: MockClock
) -> None:
    """What was created while a body was under way must not be overwritten by it."""
    slow = BytesSource(NEW, piece_bytes=30_000, pause_s=1.0)
    async with trio.open_nursery() as nursery:

        async def put_later() -> None:
            await trio.sleep(0.5)
            await house.put(OLD)

        nursery.start_soon(put_later)
        with pytest.raises(PreconditionFailed):
            await house.put(slow, conditions=ABSENT)

    await _ends_clean(house, OLD)


async def test_if_match_replaces_only_what_the_client_saw(
    house: House, autojump_clock: MockClock
) -> None:
    """A lost update is what If-Match is asked to prevent."""
    first = await house.put(OLD)
    same = WriteConditions(if_match=(first.etag,))
    with pytest.raises(NoSuchKey):
        await house.put(NEW, "dog.jpg", same)
    await house.put(NEW, conditions=same)
    with pytest.raises(PreconditionFailed):
        await house.put(OLD, conditions=same)

    await _ends_clean(house, NEW)


async def test_delete_on_a_condition_deletes_only_what_the_client_saw(
    house: House, autojump_clock: MockClock
) -> None:
    """Neither a newer object nor one of another size goes."""
    seen = await house.put(OLD)
    await house.put(NEW)
    for wrong in (
        WriteConditions(if_match=(seen.etag,)),
        WriteConditions(if_match_size=len(OLD)),
    ):
        with pytest.raises(PreconditionFailed):
            await house.delete(conditions=wrong)
    assert NEW == await house.get()

    await house.delete(conditions=WriteConditions(if_match=("*",)))
    await house.delete()  # of nothing: no error
    await _ends_clean(house, None)


class _SlowEngine:
    """An engine that tells before a write and cannot be cancelled, like the real."""

    def __init__(self, inner: InlineEngine) -> None:
        self._inner = inner
        self.before_write = [lambda: None]
        self.after_write = [lambda: None]

    async def read(self, step: Step[T]) -> T:
        return await self._inner.read(step)

    async def scan(self, step: Step[T]) -> T:
        return await self._inner.scan(step)

    async def write(self, step: Step[T]) -> T:
        self.before_write[-1]()
        result = await self._inner.write(step)
        self.after_write[-1]()
        return result

    async def aclose(self) -> None:
        await self._inner.aclose()


@pytest.mark.parametrize("when", ["before_write", "after_write"])
async def test_put_cancelled_during_its_commit_is_there(
    when: str, autojump_clock: MockClock
) -> None:
    """A commit that has begun is not undone by a client that stops waiting for it."""
    engines: list[_SlowEngine] = []

    def make(connection: sqlite3.Connection) -> Engine:
        engines.append(_SlowEngine(InlineEngine(connection)))
        return engines[0]

    async with open_house(make_engine=make) as house:
        await house.put(OLD)
        writes = 0
        with trio.CancelScope() as scope:

            def cancel_at_commit() -> None:
                nonlocal writes
                writes += 1
                if writes == 2:  # the first one opens the intent
                    scope.cancel()

            getattr(engines[0], when)[0] = cancel_at_commit
            await house.put(NEW)

        assert 2 == writes
        await _ends_clean(house, NEW)


@pytest.mark.parametrize("is_committed", [False, True])
async def test_unknown_commit_keeps_the_bytes_until_the_reaper_knows(
    is_committed: bool, autojump_clock: MockClock
) -> None:
    """Nobody may delete on doubt: the row that refers to the bytes may be there."""
    engines: list[_SlowEngine] = []

    def make(connection: sqlite3.Connection) -> Engine:
        engines.append(_SlowEngine(InlineEngine(connection)))
        return engines[0]

    async with open_house(make_engine=make) as house:
        await house.put(OLD)
        writes = 0

        def lose_the_answer() -> None:
            nonlocal writes
            writes += 1
            if writes == 2:
                raise CommitUnknown("the answer was lost")

        hooks = engines[0].after_write if is_committed else engines[0].before_write
        hooks[0] = lose_the_answer
        with pytest.raises(CommitUnknown):
            await house.put(NEW)

        assert 2 == len(house.lying())
        await _ends_clean(house, NEW if is_committed else OLD)
