"""Uploads in progress, page by page: order, groups, markers, and what a page costs."""

import random

import pytest

from s3o.ledger.seam import Engine, Row, Tx, Value
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.ledger.upload_listing import UploadPage, list_uploads
from s3o.model.multipart import Upload
from s3o.model.names import UploadId, make_upload_id
from tests.ledger.house import NOW_US, Writer, furnish
from tests.ledger.uploading import Uploader, manifest_of

KEYS = ["a", "a", "b/1", "b/1", "b/2", "b0", "c/d/e", "c/d/f", "ä", "ä/x"]


@pytest.fixture
def uploader(writer: Writer) -> Uploader:
    """Uploads into photos."""
    return Uploader(writer)


class Counting:
    """A transaction that counts the rows it hands out."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self.rows = 0

    async def one(self, query: str, /, **values: Value) -> Row | None:
        """Hand through."""
        return await self.tx.one(query, **values)

    async def all(self, query: str, /, **values: Value) -> list[Row]:
        """Hand through and count."""
        found = await self.tx.all(query, **values)
        self.rows += len(found)
        return found

    async def run(self, query: str, /, **values: Value) -> int:
        """Hand through."""
        return await self.tx.run(query, **values)


async def page_of(
    uploader: Uploader,
    *,
    prefix: str = "",
    delimiter: str = "",
    marker: tuple[str, str] = ("", ""),
    limit: int = 100,
) -> UploadPage:
    """One page."""
    return await uploader.engine.scan(
        lambda tx: list_uploads(
            tx,
            uploader.writer.bucket.id,
            prefix=prefix,
            delimiter=delimiter,
            key_marker=marker[0],
            upload_id_marker=marker[1],
            limit=limit,
        )
    )


def names(page: UploadPage) -> list[str]:
    """Keys, and groups in brackets."""
    return [
        entry.key if isinstance(entry, Upload) else f"[{entry}]"
        for entry in page.entries
    ]


async def test_uploads_are_in_order_of_keys_then_of_initiation(
    uploader: Uploader,
) -> None:
    """S3's order; two uploads of one key are two entries."""
    made = [await uploader.create(key) for key in reversed(KEYS)]

    page = await page_of(uploader)
    assert sorted(made, key=lambda one: (one.key.encode(), one.created_at_us)) == list(
        page.entries
    )
    assert page.next_key_marker is None


@pytest.mark.parametrize(
    ("prefix", "delimiter", "expected"),
    [
        ("", "/", ["a", "a", "[b/]", "b0", "[c/]", "ä", "[ä/]"]),
        ("b", "/", ["[b/]", "b0"]),
        ("b/", "/", ["b/1", "b/1", "b/2"]),
        ("c/", "/", ["[c/d/]"]),
        ("c/", "", ["c/d/e", "c/d/f"]),
        ("x", "/", []),
    ],
)
async def test_groups_and_prefixes(
    uploader: Uploader, prefix: str, delimiter: str, expected: list[str]
) -> None:
    """As in a listing of objects; any page size gives the same whole."""
    for key in KEYS:
        await uploader.create(key)

    assert expected == names(
        await page_of(uploader, prefix=prefix, delimiter=delimiter)
    )
    for limit in (1, 2, 3):
        collected: list[str] = []
        marker: tuple[str, str] | None = ("", "")
        while marker is not None:
            page = await page_of(
                uploader,
                prefix=prefix,
                delimiter=delimiter,
                marker=marker,
                limit=limit,
            )
            assert len(page.entries) <= limit
            collected += names(page)
            marker = (
                None
                if page.next_key_marker is None
                else (page.next_key_marker, page.next_upload_id_marker)
            )
        assert expected == collected


async def test_markers(uploader: Uploader) -> None:
    """A key marker alone is behind all its uploads; one inside a group skips it."""
    first, second, *_ = [await uploader.create(key) for key in KEYS]

    async def behind(key: str, upload_id: str, delimiter: str = "") -> list[str]:
        return names(
            await page_of(uploader, delimiter=delimiter, marker=(key, upload_id))
        )[:2]

    assert ["b/1", "b/1"] == await behind("a", "")
    assert ["a", "b/1"] == await behind("a", first.upload_id)
    assert ["b/1", "b/1"] == await behind("a", second.upload_id)
    assert ["a", "a"] == await behind("A", "z")
    assert ["b0", "[c/]"] == await behind("b/1", "", "/")
    assert ["b0", "[c/]"] == await behind("b/", "", "/")
    assert [] == names(await page_of(uploader, prefix="a", marker=("b", "")))
    assert UploadPage((), None, "") == await page_of(uploader, limit=0)


async def test_only_uploads_in_progress_of_this_bucket(uploader: Uploader) -> None:
    """Finished and aborted ones are history, completing ones are not."""
    done = await uploader.bind(await uploader.create("done"))
    part = await uploader.put(done, 1)
    await uploader.finish(await uploader.begin(done, manifest_of(part)))
    await uploader.abort(await uploader.bind(await uploader.create("aborted")))
    completing = await uploader.create("completing")
    part = await uploader.put(completing, 1)
    await uploader.begin(completing, manifest_of(part))
    opening = await uploader.create("opening")
    await uploader.begin_binding(opening)

    assert ["completing", "opening"] == names(await page_of(uploader))
    uploader.writer.bucket = type(uploader.writer.bucket)(
        id=uploader.writer.bucket.id + 1,
        name=uploader.writer.bucket.name,
        created_at_us=0,
    )
    assert [] == names(await page_of(uploader))


@pytest.mark.parametrize("seed", range(10))
async def test_every_page_size_tells_the_same(seed: int) -> None:
    """Random keys, prefixes and delimiters against a plain computation."""
    chance = random.Random(seed)
    connection = open_inline(now_us=NOW_US)
    uploader = Uploader(await furnish(InlineEngine(connection)))
    keys = ["".join(chance.choices("ab/", k=chance.randrange(1, 5))) for _ in range(40)]
    for key in keys:
        await uploader.create(key)
    for _ in range(20):
        prefix = "".join(chance.choices("ab/", k=chance.randrange(3)))
        delimiter = chance.choice(["", "/", "a"])
        expected = _plain(keys, prefix, delimiter)
        collected: list[str] = []
        marker: tuple[str, str] | None = ("", "")
        while marker is not None:
            page = await page_of(
                uploader,
                prefix=prefix,
                delimiter=delimiter,
                marker=marker,
                limit=chance.randrange(1, 6),
            )
            collected += names(page)
            marker = (
                None
                if page.next_key_marker is None
                else (page.next_key_marker, page.next_upload_id_marker)
            )
        assert expected == collected, (prefix, delimiter)
    connection.close()


def _plain(keys: list[str], prefix: str, delimiter: str) -> list[str]:
    """List as the S3 documentation describes it."""
    entries: list[str] = []
    for key in sorted(key for key in keys if key.startswith(prefix)):
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = key if at < 0 else f"[{key[: at + len(delimiter)]}]"
        if at < 0 or entry not in entries:
            entries.append(entry)
    return entries


async def test_a_page_costs_what_it_shows(engine: Engine) -> None:
    """A thousand uploads below one common prefix are one row of work."""
    uploader = Uploader(await furnish(engine))
    for number in range(300):
        await uploader.create(f"a/{number}")
    await uploader.create("b")

    async def count(tx: Tx) -> tuple[UploadPage, int]:
        counting = Counting(tx)
        page = await list_uploads(
            counting,
            uploader.writer.bucket.id,
            prefix="",
            delimiter="/",
            key_marker="",
            upload_id_marker="",
            limit=10,
        )
        return page, counting.rows

    page, rows = await engine.scan(count)
    assert ["[a/]", "b"] == names(page)
    assert rows <= 4


def test_the_index_serves_the_page() -> None:
    """A scan of all uploads per page would make a listing quadratic."""
    connection = open_inline(now_us=NOW_US)
    found = connection.execute(
        "EXPLAIN QUERY PLAN SELECT upload_id FROM multipart_uploads"
        " WHERE bucket_id = 1 AND object_key < 'b'"
        " AND (object_key, upload_id) > ('a', '')"
        " AND state IN ('opening', 'open', 'completing')"
        " ORDER BY object_key, upload_id LIMIT 5"
    ).fetchall()
    connection.close()

    details = [str(row[-1]) for row in found]
    assert any("multipart_uploads_key (bucket_id=? AND" in line for line in details)
    assert not any("TEMP B-TREE" in line for line in details)


def test_ids_are_in_order_of_time() -> None:
    """What the order of initiation rests upon."""
    ids: list[UploadId] = [
        make_upload_id(NOW_US + milliseconds * 1000, bytes([255 - milliseconds] * 16))
        for milliseconds in range(5)
    ]
    assert sorted(ids) == ids
    assert {44} == {len(one) for one in ids}
