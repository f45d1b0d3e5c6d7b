"""Objects of thousands of blobs: one read costs what the object has, not its square."""

import json
import sqlite3
from collections.abc import Iterator

import pytest

from s3o.ledger.objects import Wide, find_narrow_object, find_object
from s3o.ledger.seam import Row, Tx
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.model.names import BucketId, ObjectKey
from tests.ledger.house import NOW_US

KEY = ObjectKey("wide")
PARTS = 500
WIDE_COLUMNS = (14, 15, 16)  # part_sizes, layout, part_checksums


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A ledger with one object of many blobs, each on two backends."""
    found = open_inline(now_us=NOW_US)
    found.execute("BEGIN")
    found.execute(
        "INSERT INTO objects (bucket_id, key, version_id, sequence, size, etag,"
        " created_at, content_type, storage_class, part_sizes, layout, part_checksums,"
        " checksum_algorithm, checksum_type, checksum_value)"
        " VALUES (1, ?, 'v', 1, ?, 'e', 1, 't', 'STANDARD', ?, ?, ?, 'CRC32',"
        " 'COMPOSITE', 'x-500')",
        (
            KEY,
            8 * PARTS,
            json.dumps([8] * PARTS),
            json.dumps([[number + 1, 0, 8] for number in range(PARTS)]),
            json.dumps(["AAAAAA=="] * PARTS),
        ),
    )
    found.executemany(
        "INSERT INTO object_locations (version_id, blob, backend_name, storage_key,"
        " stored_bytes, created_at) VALUES ('v', ?, ?, ?, 8, 1)",
        [
            (number + 1, backend, f"photos/wide!{number:032x}")
            for number in range(PARTS)
            for backend in ("two", "one")
        ],
    )
    found.execute("COMMIT")
    yield found
    found.close()


async def test_every_location_of_a_wide_object_is_found(
    connection: sqlite3.Connection,
) -> None:
    """In the order of its blobs, with all that was kept of its parts."""
    engine = InlineEngine(connection)
    stored = await engine.read(lambda tx: find_object(tx, BucketId(1), KEY))

    assert stored is not None
    assert (8,) * PARTS == stored.version.part_sizes
    assert ("AAAAAA==",) * PARTS == stored.version.part_checksums
    assert PARTS == len(stored.version.layout)
    assert [
        (number + 1, backend) for number in range(PARTS) for backend in ("one", "two")
    ] == [(place.blob, place.backend) for place in stored.locations]


async def test_what_is_long_is_read_once(connection: sqlite3.Connection) -> None:
    """Ten thousand blobs, each with the list of all parts, would be gigabytes."""

    async def read(tx: Tx) -> list[Row]:
        return await tx.all("find_object", bucket_id=1, key=KEY, max_rows=2 * PARTS)

    found = await InlineEngine(connection).read(read)
    long = [
        sum(len(str(row[column])) for column in WIDE_COLUMNS if row[column] is not None)
        for row in found
    ]

    assert 2 * PARTS == len(long)
    assert long[0] > 0
    assert sum(long) <= 2 * long[0]


@pytest.mark.parametrize("most", [0, 1, 2 * PARTS - 1, 2 * PARTS, 2 * PARTS + 1])
async def test_a_read_ends_where_a_scan_should_begin(
    connection: sqlite3.Connection, most: int
) -> None:
    """Whoever holds the event loop asks for few rows, and is told if there are more."""
    engine = InlineEngine(connection)

    found = await engine.read(lambda tx: find_narrow_object(tx, BucketId(1), KEY, most))
    whole = await engine.scan(lambda tx: find_object(tx, BucketId(1), KEY))

    if most < 2 * PARTS:
        assert isinstance(found, Wide)
    else:
        assert whole == found


async def test_what_is_not_there_is_not_wide(connection: sqlite3.Connection) -> None:
    """No row is no object."""
    nothing = await InlineEngine(connection).read(
        lambda tx: find_narrow_object(tx, BucketId(1), ObjectKey("none"), 0)
    )
    assert nothing is None
