"""Opening a database: ours, of this version, whole, and by one process only."""

import sqlite3
import threading
from pathlib import Path

import pytest

from s3o.ledger.queries import SQLITE, MigrationFile, load_migrations
from s3o.ledger.sqlite import open_inline, open_sqlite
from s3o.ledger.sqlite.connection import connect
from s3o.ledger.sqlite.migrate import migrate
from s3o.model.errors import LedgerUnavailable, SchemaUnusable
from tests.ledger.house import NOW_US

ONE = MigrationFile(version=1, name="one", text="CREATE TABLE a (x);\n")
TWO = MigrationFile(
    version=2, name="two", text="CREATE TABLE b (x);\nCREATE TABLE c (x);\n"
)
HALF = MigrationFile(
    version=2, name="two", text="CREATE TABLE b (x);\nCREATE TABLE a (x);\n"
)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Where the database will be."""
    return tmp_path / "ledger.db"


def tables(connection: sqlite3.Connection) -> list[str]:
    """The tables that exist."""
    return sorted(
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        )
    )


def test_an_old_database_is_upgraded_in_place(disk: Path) -> None:
    """An upgrade of the program must need no other tool."""
    connection = connect(disk)

    assert 1 == migrate(connection, [ONE], NOW_US)
    assert 1 == migrate(connection, [ONE, TWO], NOW_US)
    assert 0 == migrate(connection, [ONE, TWO], NOW_US)
    assert ["a", "b", "c", "schema_version"] == tables(connection)
    connection.close()


def test_a_migration_that_fails_half_way_leaves_nothing_and_resumes(disk: Path) -> None:
    """A crash in the middle of an upgrade must not need an expert at night."""
    connection = connect(disk)
    migrate(connection, [ONE], NOW_US)

    with pytest.raises(LedgerUnavailable):
        migrate(connection, [ONE, HALF], NOW_US)

    assert ["a", "schema_version"] == tables(connection)
    assert 1 == migrate(connection, [ONE, TWO], NOW_US)
    connection.close()


def test_a_newer_schema_is_refused(disk: Path) -> None:
    """The old program does not know what the new one promised."""
    connection = connect(disk)
    migrate(connection, [ONE, TWO], NOW_US)

    with pytest.raises(SchemaUnusable, match="schema version 2"):
        migrate(connection, [ONE], NOW_US)
    connection.close()


def test_a_migration_with_another_text_is_refused(disk: Path) -> None:
    """Somebody edited history; what the tables look like is anybody's guess."""
    connection = connect(disk)
    migrate(connection, [ONE], NOW_US)
    edited = MigrationFile(version=1, name="one", text="CREATE TABLE a (y);\n")

    with pytest.raises(SchemaUnusable, match="another text"):
        migrate(connection, [edited], NOW_US)
    connection.close()


def test_a_gap_in_the_versions_is_refused(disk: Path) -> None:
    """A version that is missing was never applied, or was deleted by hand."""
    connection = connect(disk)
    migrate(connection, [ONE, TWO], NOW_US)
    connection.execute("DELETE FROM schema_version WHERE version = 1")

    with pytest.raises(SchemaUnusable, match="version 1 is missing"):
        migrate(connection, [ONE, TWO], NOW_US)
    connection.close()


def test_tables_without_a_version_are_refused(disk: Path) -> None:
    """A half-made or foreign database must not be built upon."""
    connection = connect(disk)
    connection.execute("CREATE TABLE objects (x)")

    with pytest.raises(SchemaUnusable, match="objects"):
        migrate(connection, [ONE], NOW_US)
    connection.close()


def test_a_file_that_is_no_database_is_refused(disk: Path) -> None:
    """And stays as it is."""
    disk.write_bytes(b"not a database at all" * 1000)

    with pytest.raises(LedgerUnavailable):
        open_inline(disk, now_us=NOW_US)

    assert b"not a database at all" * 1000 == disk.read_bytes()


def test_of_two_starters_one_migrates_and_the_other_finds_it_done(disk: Path) -> None:
    """Two daemons started at once must not apply a migration twice."""
    connections = [connect(disk), connect(disk)]
    applied: list[int] = []

    def start(connection: sqlite3.Connection) -> None:
        applied.append(migrate(connection, [ONE, TWO], NOW_US))

    threads = [threading.Thread(target=start, args=(one,)) for one in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 2 == sum(applied)
    assert ["a", "b", "c", "schema_version"] == tables(connections[0])
    for connection in connections:
        connection.close()


def test_the_schema_of_this_program_applies() -> None:
    """Every table of the design exists from the first day."""
    connection = open_inline(now_us=NOW_US)

    assert {
        "buckets",
        "objects",
        "noncurrent_versions",
        "object_locations",
        "pending_objects",
        "tombstones",
        "multipart_uploads",
        "multipart_parts",
        "completed_uploads",
        "backend_quotas",
        "backend_usage",
        "cleanup_queue",
        "cleanup_dlq",
        "read_pins",
        "notification_outbox",
        "service_locks",
        "account_usage",
        "meta",
        "schema_version",
    } <= set(tables(connection))
    assert [1, 2, 3, 4, 5, 6] == [one.version for one in load_migrations(SQLITE)]
    connection.close()


async def test_a_second_process_is_refused_while_the_first_serves(disk: Path) -> None:
    """Two writers' idea of a quota would both be wrong."""
    async with open_sqlite(disk, now_us=NOW_US, on_broken=print):
        with pytest.raises(LedgerUnavailable, match="another process"):
            async with open_sqlite(disk, now_us=NOW_US, on_broken=print):
                raise AssertionError("two serve")

    async with open_sqlite(disk, now_us=NOW_US, on_broken=print):
        pass


async def test_the_database_is_for_its_owner_only(disk: Path) -> None:
    """It holds every key's name and, later, wrapped data keys."""
    async with open_sqlite(disk, now_us=NOW_US, on_broken=print):
        modes = {
            path.name: path.stat().st_mode & 0o777 for path in disk.parent.iterdir()
        }

    assert {0o600} == set(modes.values()), modes


async def test_commits_are_synced_in_full(disk: Path) -> None:
    """NORMAL loses acknowledged writes with the power."""
    connection = connect(disk)

    assert (2,) == connection.execute("PRAGMA synchronous").fetchone()
    assert ("wal",) == connection.execute("PRAGMA journal_mode").fetchone()
    assert (0,) == connection.execute("PRAGMA wal_autocheckpoint").fetchone()
    connection.close()
