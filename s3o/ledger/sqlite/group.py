"""Carry out many steps in one transaction, and answer none before it is durable.

Theory of what can go wrong. A step may refuse (a domain error) or fail: its savepoint
is rolled back, the others go on. SQLite itself may end the whole transaction on a full
disk, a failed read or lack of memory: then nobody has committed and each member runs
again alone. An error from COMMIT leaves open whether the commit is on the disk, and
asking would only show the page cache: every member gets CommitUnknown, this connection
never works again, and the process is asked to stop and to recover by restart. A full
or busy disk is the exception: then the commit record, which is written last, is not in
the log, so nothing was changed.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import outcome
import trio

from s3o.ledger.seam import Step
from s3o.ledger.sqlite.connection import Queries, SqliteTx, drive, is_bug
from s3o.model.errors import CommitUnknown, LedgerUnavailable

_NOT_COMMITTED = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY)
_PRIMARY_CODE = 0xFF

Result = outcome.Value[object] | outcome.Error
Hook = Callable[[], None]


@dataclass(slots=True, eq=False)
class Member:
    """One step that waits for its group; task is None where nobody sleeps."""

    step: Step[object]
    task: trio.lowlevel.Task | None = None
    result: Result | None = None


def nothing() -> None:
    """Stand in for a hook."""


class Transactions:
    """The writing connection. All methods run in the thread that writes."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        queries: Queries,
        *,
        before_commit: Hook = nothing,
        after_commit: Hook = nothing,
    ) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._tx = SqliteTx(connection, queries)
        self._before_commit = before_commit
        self._after_commit = after_commit
        self.broken: str | None = None
        self.commits = 0

    def carry_out(self, members: Sequence[Member]) -> None:
        """Give every member its result, each in a transaction that is durable."""
        if self._try_group(members):
            return
        assert len(members) > 1, "a lone member always gets its result"
        for member in members:
            ended = self._try_group([member])
            assert ended

    def _try_group(self, members: Sequence[Member]) -> bool:
        """Return whether the members have results; False: their transaction is gone."""
        if self.broken is not None:
            _fail(members, LedgerUnavailable(self.broken))
            return True
        try:
            self._execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            _fail(members, LedgerUnavailable(f"cannot begin: {error}"))
            return True
        if len(members) == 1:
            return self._run_alone(members[0])
        for member in members:
            member.result = self._in_savepoint(member)
            if not self._connection.in_transaction:
                return False
        self._commit(members)
        return True

    def _run_alone(self, member: Member) -> bool:
        member.result = self._attempt(member)
        if isinstance(member.result, outcome.Error):
            self._roll_back()
        else:
            self._commit([member])
        return True

    def _in_savepoint(self, member: Member) -> Result:
        self._execute("SAVEPOINT member")
        result = self._attempt(member)
        if not self._connection.in_transaction:
            return result
        if isinstance(result, outcome.Error):
            self._execute("ROLLBACK TO member")
        self._execute("RELEASE member")
        return result

    def _attempt(self, member: Member) -> Result:
        result = outcome.capture(drive, member.step, self._tx)
        if isinstance(result, outcome.Error):
            error = result.error
            if isinstance(error, sqlite3.Error) and not is_bug(error):
                return _refusal(f"a statement failed: {error}", error)
        return result

    def _commit(self, members: Sequence[Member]) -> None:
        try:
            self._before_commit()
            self._execute("COMMIT")
        except sqlite3.Error as error:
            self._commit_failed(members, error)
            return
        except LedgerUnavailable as error:
            self._roll_back()
            _fail(members, error)
            return
        except BaseException:
            self._roll_back()
            raise
        self.commits += 1
        try:
            self._after_commit()
        except CommitUnknown as error:
            self.broken = error.reason
            _fail(members, error)

    def _commit_failed(self, members: Sequence[Member], error: sqlite3.Error) -> None:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_IOERR)
        if code & _PRIMARY_CODE in _NOT_COMMITTED:
            self._roll_back()
            _fail(members, LedgerUnavailable(f"commit refused: {error}"))
            return
        self.broken = f"commit failed: {error}"
        _fail(members, CommitUnknown(self.broken))

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._execute("ROLLBACK")


def _fail(members: Sequence[Member], error: LedgerUnavailable | CommitUnknown) -> None:
    """Give every member an error of its own, so that tracebacks do not mix."""
    for member in members:
        member.result = outcome.Error(type(error)(error.reason))


def _refusal(reason: str, cause: sqlite3.Error) -> outcome.Error:
    error = LedgerUnavailable(reason)
    error.__cause__ = cause
    return outcome.Error(error)
