"""One SQLite connection, and the transaction a step sees on it.

Rules: isolation_level=None, so that only our own BEGIN and COMMIT count; WAL with
synchronous=FULL, asserted, because NORMAL loses acknowledged commits with the power;
wal_autocheckpoint=0, because a checkpoint inside COMMIT stalls it for tens of
milliseconds. sqlite3.Error is translated here and in group.py, nowhere else.
"""

import sqlite3
from collections.abc import Callable, Mapping
from operator import itemgetter
from pathlib import Path

from s3o.ledger.queries import SQLITE, load_queries, positional
from s3o.ledger.seam import Row, Step, T, Value
from s3o.model.errors import LedgerUnavailable

_BUSY_TIMEOUT_MS = 5000
_CACHE_KIB = 16384
_STATEMENTS = 256
_FULL = 2

Bind = Callable[[Mapping[str, Value]], tuple[Value, ...]]
Queries = Mapping[str, tuple[str, Bind]]


def load() -> Queries:
    """Return the queries by name, ready to execute; "" where there is nothing to do."""
    found: dict[str, tuple[str, Bind]] = {}
    for name, text in load_queries(SQLITE).items():
        sql, names = positional(text or "")
        found[name] = (sql, _binder(names))
    return found


def _binder(names: tuple[str, ...]) -> Bind:
    """Return what turns values by name into values by position, in C if it can.

    sqlite3 binds by position in half the time that it needs by name.
    """
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: tuple(values[name] for name in names)


def connect(
    path: Path | str, *, is_read_only: bool = False, cache_kib: int = _CACHE_KIB
) -> sqlite3.Connection:
    """Open path with our settings; raises LedgerUnavailable."""
    try:
        connection = sqlite3.connect(
            path,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS,
        )
        try:
            _set_up(connection, is_read_only, cache_kib)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise LedgerUnavailable(f"cannot open {path}: {error}") from error
    return connection


def _set_up(connection: sqlite3.Connection, is_read_only: bool, cache_kib: int) -> None:
    for pragma in (
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "wal_autocheckpoint=0",
        f"cache_size=-{cache_kib}",
        "temp_store=MEMORY",
        "secure_delete=FAST",
        f"query_only={int(is_read_only)}",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    assert connection.execute("PRAGMA synchronous").fetchone() == (_FULL,)
    mode = connection.execute("PRAGMA journal_mode").fetchone()
    assert mode in (("wal",), ("memory",)), mode


class SqliteTx:
    """The Tx that steps get; its methods never suspend."""

    __slots__ = ("_execute", "_queries")

    def __init__(self, connection: sqlite3.Connection, queries: Queries) -> None:
        self._execute = connection.execute
        self._queries = queries

    async def one(self, query: str, /, **values: Value) -> Row | None:
        """Run a named query; return its only row, or None if it has none."""
        sql, bind = self._queries[query]
        found: list[Row] = self._execute(sql, bind(values)).fetchall() if sql else []
        assert len(found) < 2, f"{query} found {len(found)} rows"
        return found[0] if found else None

    async def all(self, query: str, /, **values: Value) -> list[Row]:
        """Run a named query; return its rows in order."""
        sql, bind = self._queries[query]
        return self._execute(sql, bind(values)).fetchall() if sql else []

    async def run(self, query: str, /, **values: Value) -> int:
        """Run a named query; return how many rows it changed."""
        sql, bind = self._queries[query]
        return self._execute(sql, bind(values)).rowcount if sql else 0


def drive(step: Step[T], tx: SqliteTx) -> T:
    """Run a step to its end at once."""
    coroutine = step(tx)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    coroutine.close()
    raise AssertionError("a ledger step waited for something outside its transaction")


def is_bug(error: sqlite3.Error) -> bool:
    """Whether our code is wrong, not the database unable; a bug is no outage."""
    return isinstance(
        error,
        sqlite3.IntegrityError
        | sqlite3.ProgrammingError
        | sqlite3.DataError
        | sqlite3.InterfaceError,
    )


class Snapshots:
    """Reads on one connection, each over one snapshot."""

    def __init__(self, connection: sqlite3.Connection, queries: Queries) -> None:
        self._connection = connection
        self._tx = SqliteTx(connection, queries)

    def read(self, step: Step[T]) -> T:
        """Run a step over one snapshot; raises LedgerUnavailable."""
        try:
            self._connection.execute("BEGIN")
            try:
                return drive(step, self._tx)
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            if is_bug(error):
                raise
            raise LedgerUnavailable(f"reading failed: {error}") from error
