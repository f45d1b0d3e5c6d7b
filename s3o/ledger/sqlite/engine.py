"""SQLite to serve with: one writer thread, one reader thread, one for checkpoints.

Reads of a few rows run on the loop's own connection, because a hop to a thread costs
ten times the query. Writes queue for the writer thread, which takes all that wait, up
to a bound, into one transaction and one fsync. Exactly one process serves from a file:
the lock file beside it is held until the end.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import outcome
import trio

from s3o.ledger import queries
from s3o.ledger.seam import Step, T
from s3o.ledger.sqlite.checkpoints import Checkpoints
from s3o.ledger.sqlite.connection import Queries, Snapshots, connect, load
from s3o.ledger.sqlite.group import Hook, Member, Transactions, nothing
from s3o.ledger.sqlite.lane import Lane
from s3o.ledger.sqlite.migrate import migrate
from s3o.model import limits
from s3o.model.errors import LedgerUnavailable

_CLOSE_S = 10.0
_CHECKPOINT_CACHE_KIB = 512


@asynccontextmanager
async def open_sqlite(
    path: Path,
    *,
    now_us: int,
    on_broken: Callable[[str], None],
    before_commit: Hook = nothing,
) -> AsyncIterator["SqliteEngine"]:
    """Open, lock, migrate and serve the ledger at path; close it at the end.

    on_broken is called once, on the loop, when the process should stop and recover by
    restart; before_commit is a test's way into the writer thread.
    Raises LedgerUnavailable (also when another process has it) and SchemaUnusable.
    """
    lock = await trio.to_thread.run_sync(_lock, path)
    try:
        connections = await trio.to_thread.run_sync(_open_all, path, now_us)
        engine = SqliteEngine(
            connections, on_broken=on_broken, before_commit=before_commit
        )
        try:
            yield engine
        finally:
            await engine.aclose()
    finally:
        os.close(lock)


@asynccontextmanager
async def hold_sqlite(path: Path) -> AsyncIterator[None]:
    """Keep every process from serving from path; raises LedgerUnavailable if one does.

    For who replaces the file.
    """
    lock = await trio.to_thread.run_sync(_lock, path)
    try:
        yield
    finally:
        os.close(lock)


class SqliteEngine:
    """An Engine over one file. Made by open_sqlite, inside trio."""

    def __init__(
        self,
        connections: Sequence[sqlite3.Connection],
        *,
        on_broken: Callable[[str], None],
        before_commit: Hook,
    ) -> None:
        writer, loop, reader, checkpointer = connections
        named = load()
        self._connections = connections
        self._token = trio.lowlevel.current_trio_token()
        self._on_broken = on_broken
        self._is_reported = False
        self._transactions = Transactions(writer, named, before_commit=before_commit)
        self._loop_reads = Snapshots(loop, named)
        self._checkpoints = Checkpoints(checkpointer, self._break)
        self._scans = Lane(
            "ledger-reader",
            _ScanOne(reader, named),
            group_members=1,
            queue_members=limits.LEDGER_QUEUE,
        )
        self._writes = Lane(
            "ledger-writer",
            self._carry_out,
            group_members=limits.GROUP_COMMIT_MEMBERS,
            queue_members=limits.LEDGER_QUEUE,
        )

    @property
    def commits(self) -> int:
        """How many transactions were committed."""
        return self._transactions.commits

    async def read(self, step: Step[T]) -> T:
        """Run a step that reads at most a few rows, at once, on the loop."""
        self._check()
        return self._loop_reads.read(step)

    async def scan(self, step: Step[T]) -> T:
        """Run a step that may read many rows, in the reader thread."""
        self._check()
        return await self._scans.submit(step)

    async def write(self, step: Step[T]) -> T:
        """Run a step as one transaction, committed together with others."""
        self._check()
        return await self._writes.submit(step)

    async def aclose(self) -> None:
        """Finish what was accepted, then close every connection."""
        await self._writes.aclose()
        await self._scans.aclose()
        with trio.move_on_after(_CLOSE_S, shield=True):
            await trio.to_thread.run_sync(self._close, abandon_on_cancel=True)

    def _check(self) -> None:
        if self._transactions.broken is not None:
            raise LedgerUnavailable(self._transactions.broken)

    def _carry_out(self, members: Sequence[Member]) -> None:
        """In the writer thread."""
        try:
            with self._checkpoints.gate:
                self._transactions.carry_out(members)
        except BaseException as error:
            self._break(f"the ledger's writer failed: {error!r}")
            raise
        self._checkpoints.note_commits(self._transactions.commits)
        if self._transactions.broken is not None:
            self._break(self._transactions.broken)

    def _break(self, reason: str) -> None:
        """In any thread: nothing is written or read any more, the process must stop."""
        self._transactions.broken = self._transactions.broken or reason
        self._token.run_sync_soon(self._report, reason, idempotent=True)

    def _report(self, reason: str) -> None:
        if not self._is_reported:
            self._is_reported = True
            self._on_broken(reason)

    def _close(self) -> None:
        self._checkpoints.close()
        for connection in self._connections:
            connection.close()


class _ScanOne:
    """The reader thread's handler."""

    def __init__(self, connection: sqlite3.Connection, named: Queries) -> None:
        self._snapshots = Snapshots(connection, named)

    def __call__(self, members: Sequence[Member]) -> None:
        for member in members:
            member.result = outcome.capture(self._snapshots.read, member.step)


def _lock(path: Path) -> int:
    """Lock path against other processes; return the descriptor that holds the lock."""
    try:
        descriptor = os.open(
            f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
    except OSError as error:
        raise LedgerUnavailable(f"cannot open {path}.lock: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise LedgerUnavailable(f"another process serves from {path}") from error
    return descriptor


def _open_all(path: Path, now_us: int) -> Sequence[sqlite3.Connection]:
    """Create (readable by us only), migrate, and open one connection per purpose."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise LedgerUnavailable(f"cannot open {path}: {error.strerror}") from error
    with contextlib.ExitStack() as opened:
        writer = opened.enter_context(closing(connect(path)))
        migrate(writer, queries.load_migrations(queries.SQLITE), now_us)
        loop, reader = (
            opened.enter_context(closing(connect(path, is_read_only=True)))
            for _ in range(2)
        )
        checkpointer = connect(path, cache_kib=_CHECKPOINT_CACHE_KIB)
        opened.pop_all()
    return writer, loop, reader, checkpointer
