"""SQLite without threads: the same SQL and transactions, run by the caller itself.

For tests and the simulation, where a thread would make the schedule depend on the
machine. A step runs between two pauses, neither of which a cancellation can cut short,
because the engine with threads cannot be left half-way, either.
"""

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import trio

from s3o.ledger import queries
from s3o.ledger.seam import Step, T
from s3o.ledger.sqlite.connection import Snapshots, connect, load
from s3o.ledger.sqlite.group import Hook, Member, Transactions, nothing
from s3o.ledger.sqlite.migrate import migrate
from s3o.model.errors import LedgerUnavailable

Pause = Callable[[], Awaitable[None]]


def open_inline(path: Path | str = ":memory:", *, now_us: int) -> sqlite3.Connection:
    """Open and migrate a database that outlives the engines over it.

    One life of a simulated process is one InlineEngine; the connection is the disk.
    """
    connection = connect(path)
    try:
        migrate(connection, queries.load_migrations(queries.SQLITE), now_us)
    except BaseException:
        connection.close()
        raise
    return connection


def _ignore(_reason: str) -> None:
    """Stand in for the process that would stop."""


class InlineEngine:
    """An Engine over one connection; hooks may raise what a fault would.

    before_commit: LedgerUnavailable rolls back; after_commit: CommitUnknown breaks the
    engine; anything else they raise goes through to the caller, as a crash does.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        pause: Pause = trio.lowlevel.checkpoint,
        before_commit: Hook = nothing,
        after_commit: Hook = nothing,
        on_broken: Callable[[str], None] = _ignore,
    ) -> None:
        named = load()
        if connection.in_transaction:  # the life before ended inside a transaction
            connection.execute("ROLLBACK")
        self._transactions = Transactions(
            connection, named, before_commit=before_commit, after_commit=after_commit
        )
        self._snapshots = Snapshots(connection, named)
        self._pause = pause
        self._on_broken = on_broken

    @property
    def commits(self) -> int:
        """How many transactions were committed."""
        return self._transactions.commits

    async def read(self, step: Step[T]) -> T:
        """Run a step that reads, over one snapshot."""
        return await self.scan(step)

    async def scan(self, step: Step[T]) -> T:
        """Run a step that reads, over one snapshot."""
        await self._wait()
        if self._transactions.broken is not None:
            raise LedgerUnavailable(self._transactions.broken)
        return self._snapshots.read(step)

    async def write(self, step: Step[T]) -> T:
        """Run a step as one transaction."""
        await self._wait()
        was_broken = self._transactions.broken
        member = Member(step)
        self._transactions.carry_out([member])
        if self._transactions.broken is not None and was_broken is None:
            self._on_broken(self._transactions.broken)
        await self._wait()
        assert member.result is not None
        # The member carries a Step[object]; what comes out is what step returns.
        return cast("T", member.result.unwrap())

    async def aclose(self) -> None:
        """Leave the connection to whoever opened it."""

    async def _wait(self) -> None:
        with trio.CancelScope(shield=True):
            await self._pause()
