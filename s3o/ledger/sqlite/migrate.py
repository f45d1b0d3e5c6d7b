"""Bring a database to the schema of this code, one numbered migration at a time.

Each migration and its row in schema_version are one transaction: a crash in the middle
leaves the version before, and the next start resumes. What cannot have come about that
way is refused: a newer schema, a gap, a migration whose text is not ours, tables
without a version. Two starters: BEGIN IMMEDIATE lets one in, the other then finds
nothing left to do.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence

from s3o.ledger.queries import MigrationFile
from s3o.model.errors import LedgerUnavailable, SchemaUnusable

_VERSION_TABLE = (
    "CREATE TABLE IF NOT EXISTS schema_version ("
    " version INTEGER NOT NULL PRIMARY KEY,"
    " name TEXT NOT NULL,"
    " checksum TEXT NOT NULL,"
    " applied_at INTEGER NOT NULL"
    ") STRICT"
)


def checksum(migration: MigrationFile) -> str:
    """Return what schema_version keeps of a migration's text."""
    return hashlib.sha256(migration.text.encode("utf-8")).hexdigest()


def migrate(
    connection: sqlite3.Connection, migrations: Sequence[MigrationFile], now_us: int
) -> int:
    """Apply what is missing; return how many were applied.

    Raises SchemaUnusable when the database is none of ours or newer than this code.
    """
    applied = 0
    try:
        while True:
            connection.execute("BEGIN IMMEDIATE")
            try:
                done = _applied(connection)
                _check(done, migrations)
                missing = migrations[len(done) : len(done) + 1]
                for migration in missing:
                    _apply(connection, migration, now_us)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            if not missing:
                return applied
            applied += 1
    except sqlite3.DatabaseError as error:
        raise LedgerUnavailable(f"cannot migrate: {error}") from error


def _applied(connection: sqlite3.Connection) -> list[tuple[int, str]]:
    tables = {
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        )
        if not name.startswith("sqlite_")
    }
    if "schema_version" not in tables:
        if tables:
            raise SchemaUnusable(f"tables without a schema version: {sorted(tables)}")
        connection.execute(_VERSION_TABLE)
    return connection.execute(
        "SELECT version, checksum FROM schema_version ORDER BY version"
    ).fetchall()


def _check(
    done: Sequence[tuple[int, str]], migrations: Sequence[MigrationFile]
) -> None:
    if len(done) > len(migrations):
        raise SchemaUnusable(
            f"the database has schema version {done[-1][0]},"
            f" this program knows {len(migrations)}"
        )
    for (version, found), migration in zip(done, migrations, strict=False):
        if version != migration.version:
            raise SchemaUnusable(f"schema version {migration.version} is missing")
        if found != checksum(migration):
            raise SchemaUnusable(f"migration {version} was applied with another text")


def _apply(
    connection: sqlite3.Connection, migration: MigrationFile, now_us: int
) -> None:
    for statement in _statements(migration.text):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO schema_version (version, name, checksum, applied_at)"
        " VALUES (?, ?, ?, ?)",
        (migration.version, migration.name, checksum(migration), now_us),
    )


def _statements(text: str) -> Iterator[str]:
    """Split text into statements; executescript would commit before it begins."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    assert not statement.strip(), f"an unfinished statement: {statement}"
