"""The writer thread: many transactions, one fsync, and no outcome before it.

The writer is held at its gate by a step that waits for an event of the test's, so that
what queues behind it becomes one group, every time.
"""

import resource
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from s3o.ledger.buckets import ensure_bucket, find_bucket, list_buckets
from s3o.ledger.seam import Step, Tx
from s3o.ledger.sqlite import SqliteEngine, open_sqlite
from s3o.model.errors import (
    CommitUnknown,
    LedgerUnavailable,
    NoSuchBucket,
    Overloaded,
)
from s3o.model.names import BucketName
from s3o.model.values import Bucket
from tests.ledger.house import NOW_US

Outcome = Bucket | Exception


class Held:
    """An engine whose writer can be held, and what it was told to report."""

    def __init__(self) -> None:
        self.broken: list[str] = []
        self.before_commit: Callable[[], None] = lambda: None
        self.engine: SqliteEngine

    def hook(self) -> None:
        """Run in the writer thread before each COMMIT."""
        self.before_commit()

    @asynccontextmanager
    async def holding(self, nursery: trio.Nursery) -> AsyncIterator[None]:
        """Keep the writer busy while the block runs."""
        entered, release = threading.Event(), threading.Event()

        async def wait(_tx: Tx) -> None:
            entered.set()
            assert release.wait(10)

        nursery.start_soon(self.engine.write, wait)
        await trio.to_thread.run_sync(entered.wait)
        try:
            yield
        finally:
            release.set()

    async def group(self, *steps: Step[Bucket]) -> list[Outcome]:
        """Run steps in one group; return their outcomes."""
        outcomes: list[Outcome] = [NotImplementedError()] * len(steps)

        async def run(position: int, step: Step[Bucket]) -> None:
            try:
                outcomes[position] = await self.engine.write(step)
            except Exception as error:
                outcomes[position] = error

        async with trio.open_nursery() as nursery, self.holding(nursery):
            for position, step in enumerate(steps):
                nursery.start_soon(run, position, step)
                await trio.testing.wait_all_tasks_blocked()
        return outcomes


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[Held]:
    """An empty ledger on disk."""
    held = Held()
    async with open_sqlite(
        tmp_path / "ledger.db",
        now_us=NOW_US,
        on_broken=held.broken.append,
        before_commit=held.hook,
    ) as held.engine:
        yield held


def make(name: str) -> Step[Bucket]:
    """A step that makes a bucket."""
    return lambda tx: ensure_bucket(tx, BucketName(name), NOW_US)


async def refuse(tx: Tx) -> Bucket:
    """Make a bucket, then refuse."""
    bucket = await ensure_bucket(tx, BucketName("refused"), NOW_US)
    raise NoSuchBucket(bucket.name)


async def stumble(tx: Tx) -> Bucket:
    """Make a bucket, then fail as SQLite does on a damaged page."""
    await ensure_bucket(tx, BucketName("stumbled"), NOW_US)
    raise sqlite3.OperationalError("disk I/O error")


def ensure_large(number: int) -> Step[Bucket]:
    """A step that needs many pages, and returns the bucket "before"."""

    async def grow(tx: Tx) -> Bucket:
        await tx.run("put_meta", name=f"large-{number}", value="x" * 100_000)
        return await ensure_bucket(tx, BucketName("before"), NOW_US)

    return grow


def names(outcomes: list[Outcome]) -> list[str]:
    """Buckets by name, errors by class."""
    return [
        outcome.name if isinstance(outcome, Bucket) else type(outcome).__name__
        for outcome in outcomes
    ]


async def bucket_names(engine: SqliteEngine) -> list[str]:
    """What was committed."""
    return [bucket.name for bucket in await engine.read(list_buckets)]


async def test_eight_writers_share_one_commit(held: Held) -> None:
    """An fsync for each PUT would cost ten times the PUT."""
    before = held.engine.commits

    outcomes = await held.group(*[make(f"bucket-{n}") for n in range(8)])

    assert [f"bucket-{n}" for n in range(8)] == names(outcomes)
    assert 2 == held.engine.commits - before  # the holder's and the group's


async def test_a_refusal_undoes_only_itself(held: Held) -> None:
    """One client's 412 must not cost the others their writes."""
    outcomes = await held.group(make("first"), refuse, make("second"), stumble)

    assert ["first", "NoSuchBucket", "second", "LedgerUnavailable"] == names(outcomes)
    assert ["first", "second"] == await bucket_names(held.engine)


async def test_a_lost_transaction_runs_all_again(held: Held) -> None:
    """SQLite may roll the whole group back by itself; then nobody was committed."""
    runs: list[str] = []

    async def lose(tx: Tx) -> Bucket:
        runs.append("lose")
        tx._execute("ROLLBACK")  # type: ignore[attr-defined]
        raise sqlite3.OperationalError("database or disk is full")

    async def count(tx: Tx) -> Bucket:
        runs.append("count")
        return await ensure_bucket(tx, BucketName("counted"), NOW_US)

    outcomes = await held.group(count, lose, make("last"))

    assert ["counted", "LedgerUnavailable", "last"] == names(outcomes)
    assert ["count", "lose", "count", "lose"] == runs
    assert ["counted", "last"] == await bucket_names(held.engine)
    assert [] == held.broken


async def test_no_outcome_leaves_before_the_commit(held: Held) -> None:
    """A refusal over a row that a crash then undoes would have been a lie."""
    left: list[str] = []
    reached, release = threading.Event(), threading.Event()
    commits: list[int] = []

    def pause_in_second() -> None:
        commits.append(1)
        if len(commits) == 2:
            reached.set()
            assert release.wait(10)

    async def run(step: Step[Bucket]) -> None:
        try:
            left.append((await held.engine.write(step)).name)
        except NoSuchBucket:
            left.append("refused")

    held.before_commit = pause_in_second
    async with trio.open_nursery() as nursery:
        async with held.holding(nursery):
            nursery.start_soon(run, make("first"))
            nursery.start_soon(run, refuse)
            await trio.testing.wait_all_tasks_blocked()
        await trio.to_thread.run_sync(reached.wait)
        await trio.testing.wait_all_tasks_blocked()
        left_before_commit = list(left)
        release.set()

    assert [] == left_before_commit
    assert ["first", "refused"] == sorted(left)


async def test_an_io_error_from_commit_stops_everything(held: Held) -> None:
    """After a failed fsync the page cache shows what the disk may not have."""

    def fail() -> None:
        raise sqlite3.OperationalError("disk I/O error")

    held.before_commit = fail
    with pytest.raises(CommitUnknown):
        await held.engine.write(make("first"))
    held.before_commit = lambda: None
    await trio.testing.wait_all_tasks_blocked()

    assert ["commit failed: disk I/O error"] == held.broken
    with pytest.raises(LedgerUnavailable):
        await held.engine.write(make("later"))
    with pytest.raises(LedgerUnavailable):
        await bucket_names(held.engine)


async def test_every_member_of_a_failed_commit_is_told_that_nobody_knows(
    held: Held,
) -> None:
    """Refusals included: what they read was never durable."""
    commits: list[int] = []

    def fail_second() -> None:
        commits.append(1)
        if len(commits) == 2:
            raise sqlite3.OperationalError("disk I/O error")

    held.before_commit = fail_second
    outcomes = await held.group(make("first"), refuse, make("second"))

    assert ["CommitUnknown"] * 3 == names(outcomes)
    assert 1 == len(held.broken)


async def test_a_real_write_error_at_commit_breaks_the_engine(held: Held) -> None:
    """The same, from the operating system: the log cannot grow."""
    await held.engine.write(make("before"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(CommitUnknown):
            await held.engine.write(make("after"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await trio.testing.wait_all_tasks_blocked()

    assert 1 == len(held.broken)


async def test_a_full_disk_changes_nothing_and_breaks_nothing(held: Held) -> None:
    """A full disk answers 503 and heals; it must not send the process into a loop."""

    def fill() -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    held.before_commit = fill
    with pytest.raises(LedgerUnavailable):
        await held.engine.write(make("first"))
    held.before_commit = lambda: None
    await held.engine.write(make("second"))

    assert ["second"] == await bucket_names(held.engine)
    assert [] == held.broken


async def test_a_database_that_cannot_grow_refuses_writes_and_reads_on(
    held: Held,
) -> None:
    """A really full database, in the middle of a statement, and then room again."""
    await held.engine.write(make("before"))
    execute = held.engine._transactions._execute
    execute("PRAGMA max_page_count = 1").fetchall()
    large = [ensure_large(n) for n in range(3)]

    outcomes = await held.group(*large, refuse)
    listed = await bucket_names(held.engine)
    execute("PRAGMA max_page_count = 1000000").fetchall()
    healed = await held.group(*large)

    assert [*["LedgerUnavailable"] * 3, "NoSuchBucket"] == names(outcomes)
    assert ["before"] == listed
    assert ["before"] * 3 == names(healed)
    assert [] == held.broken


async def test_a_cancelled_writer_learns_its_outcome(held: Held) -> None:
    """A commit cannot be left half-way: it happened, and the caller must know."""
    told: list[str] = []

    async def write_and_tell(scope: trio.CancelScope) -> None:
        with scope:
            told.append((await held.engine.write(make("kept"))).name)
            await trio.lowlevel.checkpoint()
            told.append("never")

    scope = trio.CancelScope()
    async with trio.open_nursery() as nursery, held.holding(nursery):
        nursery.start_soon(write_and_tell, scope)
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert [] == told

    assert ["kept"] == told
    assert scope.cancelled_caught
    assert ["kept"] == await bucket_names(held.engine)


async def test_a_step_that_waits_for_something_else_is_a_bug(held: Held) -> None:
    """It would hold up every writer of the process."""

    async def sleepy(_tx: Tx) -> None:
        await trio.lowlevel.checkpoint()

    with pytest.raises(AssertionError, match="waited"):
        await held.engine.write(sleepy)

    assert "a" == (await held.engine.write(make("a"))).name


async def test_a_bug_in_a_step_reaches_its_caller(held: Held) -> None:
    """And only its caller; the writer lives on."""

    async def wrong(_tx: Tx) -> Bucket:
        raise KeyError("a bug")

    outcomes = await held.group(make("first"), wrong)

    assert ["first", "KeyError"] == names(outcomes)


async def test_a_failure_of_the_writer_itself_breaks_the_engine(held: Held) -> None:
    """Nobody knows what a transaction is worth that ended in a bug of ours."""

    def fail() -> None:
        raise KeyError("a bug")

    held.before_commit = fail
    with pytest.raises(CommitUnknown):
        await held.engine.write(make("first"))
    await trio.testing.wait_all_tasks_blocked()

    assert 1 == len(held.broken)
    with pytest.raises(LedgerUnavailable):
        await held.engine.write(make("second"))


async def test_a_violated_constraint_is_a_bug_and_no_outage(held: Held) -> None:
    """Else one wrong request opens the circuit for everybody."""

    async def wrong(tx: Tx) -> None:
        await tx.run("insert_bucket", name=None, owner="", config=None, now_us=NOW_US)

    with pytest.raises(sqlite3.IntegrityError):
        await held.engine.write(wrong)
    assert "a" == (await held.engine.write(make("a"))).name


async def test_the_queue_is_bounded(held: Held) -> None:
    """A disk that stalls must not collect requests until memory ends."""
    held.engine._writes._queue_members = 3
    outcomes: list[str] = []

    async def run(name: str) -> None:
        try:
            outcomes.append((await held.engine.write(make(name))).name)
        except Overloaded:
            outcomes.append("overloaded")

    async with trio.open_nursery() as nursery, held.holding(nursery):
        for name in ("one", "two", "three"):
            nursery.start_soon(run, name)
            await trio.testing.wait_all_tasks_blocked()

    assert ["one", "overloaded", "two"] == sorted(outcomes)


async def test_readers_see_a_commit_as_soon_as_its_writer_does(held: Held) -> None:
    """A GET after an acknowledged PUT finds it, on every kind of read."""
    for n in range(20):
        name = BucketName(f"bucket-{n}")
        made = await held.engine.write(make(name))

        find = partial(find_bucket, name=name)

        assert made == await held.engine.read(find)
        assert made == await held.engine.scan(find)


async def test_closing_finishes_what_was_accepted(tmp_path: Path) -> None:
    """A write that was queued before the end is durable after it."""
    path = tmp_path / "ledger.db"
    async with (
        trio.open_nursery() as nursery,
        open_sqlite(path, now_us=NOW_US, on_broken=print) as engine,
    ):
        for n in range(5):
            nursery.start_soon(engine.write, make(f"bucket-{n}"))
        await trio.testing.wait_all_tasks_blocked()
    async with open_sqlite(path, now_us=NOW_US, on_broken=print) as engine:
        assert 5 == len(await bucket_names(engine))
    with pytest.raises(LedgerUnavailable):
        await engine.write(make("late"))
