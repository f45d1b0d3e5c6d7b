"""Rows of uploads that nobody of ours wrote: refused, and nobody else suffers."""

import sqlite3
from collections.abc import Iterator

import pytest

from s3o.ledger.audit import audit
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.ledger.uploads import finished_native, stale_uploads
from s3o.model.errors import LedgerDamaged, WriteLost
from tests.ledger.house import NOW_US, ONE, furnish
from tests.ledger.uploading import Uploader, manifest_of


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A database to damage."""
    opened = open_inline(now_us=NOW_US)
    yield opened
    opened.close()


async def uploading(connection: sqlite3.Connection) -> Uploader:
    """Uploads into photos."""
    return Uploader(await furnish(InlineEngine(connection)))


@pytest.mark.parametrize(
    "damage",
    [
        "metadata = '{}'",
        "checksum_algorithm = 'CRC99'",
        "native_part_size = -1",
        "manifest = '[1]'",
        "manifest = '[\"d\", [[1]]]'",
        "manifest = 'no json'",
    ],
)
async def test_a_damaged_upload_is_refused_alone(
    connection: sqlite3.Connection, damage: str
) -> None:
    """Its own requests fail; the services go on with the others."""
    uploader = await uploading(connection)
    bad, good = await uploader.create("bad"), await uploader.create("good")
    await uploader.begin_binding(bad)
    await uploader.begin_binding(good)
    connection.execute(
        f"UPDATE multipart_uploads SET {damage} WHERE object_key = 'bad'"
    )

    with pytest.raises(LedgerDamaged):
        await uploader.look(bad)
    for find in (
        lambda tx: stale_uploads(tx, 2**62, 9),
        lambda tx: finished_native(tx, ONE, 9),
    ):
        found = await uploader.engine.scan(find)
        assert [good.upload_id] == [upload.upload_id for upload in found]


async def test_a_page_of_ended_uploads_is_full_in_spite_of_damage(
    connection: sqlite3.Connection,
) -> None:
    """A short page means the end: damage in it would hide all that come after."""
    uploader = await uploading(connection)
    made = [await uploader.create(key) for key in ("a", "b", "c")]
    for upload in made:
        await uploader.begin_binding(upload)
    connection.execute(
        "UPDATE multipart_uploads SET metadata = '{}' WHERE object_key = 'a'"
    )

    page = await uploader.engine.scan(lambda tx: finished_native(tx, ONE, 2))
    assert [made[1].upload_id, made[2].upload_id] == [
        upload.upload_id for upload in page
    ]


@pytest.mark.parametrize("damage", ["size = -1", "checksum_algorithm = 'CRC99'"])
async def test_a_damaged_part_is_refused(
    connection: sqlite3.Connection, damage: str
) -> None:
    """Nothing is completed from it; the upload can still be aborted."""
    uploader = await uploading(connection)
    upload = await uploader.create()
    part = await uploader.put(upload, 1)
    connection.execute(f"UPDATE multipart_parts SET {damage}")

    with pytest.raises(LedgerDamaged):
        await uploader.begin(upload, manifest_of(part))


@pytest.mark.parametrize("damage", ["size = -1", "part_number = -1", "attempt = 0"])
async def test_the_audit_tells_of_impossible_parts(
    connection: sqlite3.Connection, damage: str
) -> None:
    """No request may ever come near them."""
    uploader = await uploading(connection)
    await uploader.put(await uploader.create(), 1)
    connection.execute(f"UPDATE multipart_parts SET {damage}")

    complaints = await uploader.engine.scan(audit)
    assert any("cannot be" in line for line in complaints)


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM multipart_parts WHERE part_number = 1",
        "DELETE FROM pending_objects",
        "UPDATE pending_objects SET etag = NULL",
        "UPDATE pending_objects SET pinned_blobs = '[7]'",
        "UPDATE multipart_parts SET blob = 9 WHERE part_number = 1",
    ],
)
async def test_a_damaged_completion_publishes_nothing(
    connection: sqlite3.Connection, damage: str
) -> None:
    """Better no object than one with a hole in it."""
    uploader = await uploading(connection)
    upload = await uploader.create()
    parts = [await uploader.put(upload, number) for number in (1, 2)]
    begun = await uploader.begin(upload, manifest_of(*parts))
    connection.execute(damage)
    before = list(connection.iterdump())

    with pytest.raises((LedgerDamaged, WriteLost)):
        await uploader.finish(begun)
    assert before == list(connection.iterdump())
