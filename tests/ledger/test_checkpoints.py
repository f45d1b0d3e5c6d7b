"""Checkpoints: the log does not grow for ever, and a failed one is not survived."""

import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3o.ledger.sqlite.checkpoints import Checkpoints
from s3o.ledger.sqlite.connection import connect


@pytest.fixture
def other(tmp_path: Path, writer: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """The checkpoints' own connection."""
    connection = connect(tmp_path / "ledger.db")
    yield connection
    connection.close()


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that has written some pages."""
    connection = connect(tmp_path / "ledger.db")
    connection.execute("CREATE TABLE a (x)")
    fill(connection)
    yield connection
    connection.close()


def fill(connection: sqlite3.Connection) -> None:
    """Commit about 25 pages."""
    connection.execute("INSERT INTO a VALUES (zeroblob(100000))")


def test_a_checkpoint_moves_commits_into_the_database(
    tmp_path: Path, writer: sqlite3.Connection, other: sqlite3.Connection
) -> None:
    """Else every start reads a log that only ever grew."""
    failures: list[str] = []
    checkpoints = Checkpoints(other, failures.append)

    assert checkpoints.checkpoint()
    (tmp_path / "copy.db").write_bytes((tmp_path / "ledger.db").read_bytes())

    copy = sqlite3.connect(tmp_path / "copy.db")
    assert [(100000,)] == copy.execute("SELECT length(x) FROM a").fetchall()
    copy.close()
    checkpoints.close()
    assert [] == failures


def test_a_log_over_its_bound_starts_again_at_its_beginning(
    tmp_path: Path, writer: sqlite3.Connection, other: sqlite3.Connection
) -> None:
    """Under a load that never pauses a PASSIVE checkpoint alone never catches up."""
    log = tmp_path / "ledger.db-wal"
    gates: list[bool] = []

    class Watched(Checkpoints):
        """Writes while the first pass runs, as a busy writer does."""

        def _passive(self) -> int:
            pages = super()._passive()
            gates.append(self.gate.locked())
            if not self.gate.locked():
                fill(writer)
            return pages

    checkpoints = Watched(other, print, log_pages=10)
    assert checkpoints.checkpoint()
    size = log.stat().st_size
    fill(writer)
    checkpoints.close()

    assert [False, True] == gates
    assert size == log.stat().st_size


def test_a_failed_checkpoint_stops_the_process(other: sqlite3.Connection) -> None:
    """What the file holds after a failed write is not known."""
    failures: list[str] = []
    checkpoints = Checkpoints(other, failures.append)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        assert not checkpoints.checkpoint()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    checkpoints.close()

    assert ["checkpoint failed: disk I/O error"] == failures
