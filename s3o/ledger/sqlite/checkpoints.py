"""Move the log into the database file, off the committing connection.

A PASSIVE checkpoint a second does not hold up anybody. Under a load that never pauses
it always leaves a remainder, and the log would grow without end: above a bound the
last remainder is moved while the writer waits at the gate, so that it starts again at
the log's beginning. A failed write or fsync here leaves the file in an unknown state,
exactly like one in COMMIT.
"""

import sqlite3
import threading
from collections.abc import Callable

_PERIOD_S = 1.0
_LOG_PAGES = 16384  # 64 MiB
_HARMLESS = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
_PRIMARY_CODE = 0xFF


class Checkpoints:
    """The checkpoint thread; gate is held by the writer around each transaction."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        on_failure: Callable[[str], None],
        log_pages: int = _LOG_PAGES,
    ) -> None:
        self.gate = threading.Lock()
        self._log_pages = log_pages
        self._connection = connection
        self._on_failure = on_failure
        self._commits = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(
            target=self._work, name="ledger-checkpoints", daemon=True
        )
        self._thread.start()

    def note_commits(self, commits: int) -> None:
        """Say how many commits there were; without new ones nothing is done."""
        self._commits = commits

    def close(self) -> None:
        """End the thread; blocks for at most one checkpoint."""
        self._closing.set()
        self._thread.join()

    def checkpoint(self) -> bool:
        """Move what the log holds; False: it failed, and on_failure knows."""
        try:
            if self._passive() > self._log_pages:
                with self.gate:
                    self._passive()
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_IOERR)
            if code & _PRIMARY_CODE not in _HARMLESS:
                self._on_failure(f"checkpoint failed: {error}")
                return False
        return True

    def _work(self) -> None:
        done, is_sound = 0, True
        while is_sound and not self._closing.wait(_PERIOD_S):
            commits = self._commits
            if commits != done:
                done = commits
                is_sound = self.checkpoint()

    def _passive(self) -> int:
        """Return how many pages the log has."""
        row = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return int(row[1])
