"""The SQL, tried on a real PostgreSQL long before the engine for it exists."""

from collections.abc import Iterator

import pytest

from s3o.ledger import queries
from s3o.ledger.sqlite import open_inline
from tests.ledger.house import NOW_US
from tests.ledger.postgres import Server, running

_TABLES_OF_ONE_ENGINE = {"schema_version", "ledger_sequence"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with the schema."""
    with running() as started:
        for migration in queries.load_migrations(queries.POSTGRES):
            started.psql(f"BEGIN;\n{migration.text}\nCOMMIT;")
        yield started


@pytest.mark.real
def test_postgresql_prepares_every_query(server: Server) -> None:
    """A query that only SQLite understands must not wait for its first customer."""
    statements: list[str] = []
    for name, sql in queries.load_queries(queries.POSTGRES).items():
        assert sql is not None, name
        text, _ = queries.numbered(sql)
        statements.append(f"PREPARE {name} AS {text};")
    server.psql("\n".join(statements))

    prepared = server.psql(
        "\n".join(statements) + "\nSELECT name FROM pg_prepared_statements;"
    )

    assert sorted(queries.load_queries(queries.SQLITE)) == sorted(prepared)


@pytest.mark.real
def test_both_engines_have_the_same_columns(server: Server) -> None:
    """A ledger moves between engines; a column in one of them only would be lost."""
    lines = server.psql(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name IN"
        " (SELECT table_name FROM information_schema.tables"
        "  WHERE table_type = 'BASE TABLE');"
    )
    postgres = {tuple(line.split("|")) for line in lines}
    connection = open_inline(now_us=NOW_US)
    sqlite = set(
        connection.execute(
            "SELECT t.name, c.name FROM sqlite_master AS t, pragma_table_info(t.name) c"
            " WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'"
        ).fetchall()
    )
    connection.close()

    assert {row for row in sqlite if row[0] not in _TABLES_OF_ONE_ENGINE} == postgres


@pytest.mark.real
def test_postgresql_orders_keys_by_bytes(server: Server) -> None:
    """A listing in some country's order would skip and repeat keys between pages."""
    keys = ["a", "B", "ä", "a/b", "a-b", "\U0001f600", "￿"]
    values = ", ".join(
        f"(1, '{key}', '{n}', {n}, 0, '', 0, '', '')" for n, key in enumerate(keys)
    )
    found = server.psql(
        "INSERT INTO objects (bucket_id, key, version_id, sequence, size, etag,"
        f" created_at, content_type, storage_class) VALUES {values};"
        "SELECT key FROM objects WHERE bucket_id = 1 ORDER BY key;"
    )

    assert sorted(keys, key=lambda key: key.encode()) == found
