"""Listing: every key once, in byte order, at a cost that follows the page."""

import random
import sqlite3
from collections.abc import Callable, Iterator

import pytest
import trio

from s3o.ledger.listing import Page, list_page, successor
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.model.names import BucketId
from s3o.model.values import ObjectVersion
from tests.ledger.house import NOW_US, Writer

_ALPHABET = ["a", "b", "/", "-", ".", "é", "\ud7ff", "\ue000", "\U0010ffff", "\x7f"]


def insert_keys(connection: sqlite3.Connection, keys: list[str]) -> None:
    """Fill bucket 1 without ceremony."""
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO objects (bucket_id, key, version_id, sequence, size, etag,"
        " created_at, content_type, storage_class)"
        " VALUES (1, ?, '', 0, 1, '', 0, 'text/plain', 'STANDARD')",
        ((key,) for key in keys),
    )
    connection.execute("COMMIT")


def names(page: Page) -> list[str]:
    """The keys and common prefixes of a page."""
    return [
        entry.key if isinstance(entry, ObjectVersion) else entry
        for entry in page.entries
    ]


def expected(keys: list[str], prefix: str, delimiter: str) -> list[str]:
    """What S3 lists, by brute force."""
    found: list[str] = []
    for key in sorted(keys, key=str.encode):
        if key.startswith(prefix):
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            name = key if at < 0 else key[: at + len(delimiter)]
            if not found or found[-1] != name:
                found.append(name)
    return found


async def walk(
    engine: InlineEngine, prefix: str, delimiter: str, limit: int
) -> list[str]:
    """List to the end, page by page."""
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = await page_of(engine, prefix, delimiter, after, limit)
        assert limit >= len(page.entries)
        found += names(page)
        after = page.next_after
    return found


async def page_of(
    engine: InlineEngine, prefix: str, delimiter: str, after: str, limit: int
) -> Page:
    """One page of bucket 1."""
    return await engine.scan(
        lambda tx: list_page(
            tx,
            BucketId(1),
            prefix=prefix,
            delimiter=delimiter,
            after=after,
            limit=limit,
        )
    )


@pytest.mark.parametrize("seed", range(20))
async def test_pages_of_any_size_show_every_entry_once(seed: int) -> None:
    """A key that two pages show, or none, breaks every sync tool there is."""
    chance = random.Random(seed)
    keys = list(
        {
            "".join(chance.choices(_ALPHABET, k=chance.randrange(1, 6)))
            for _ in range(chance.choice([0, 5, 80]))
        }
    )
    connection = open_inline(now_us=NOW_US)
    insert_keys(connection, keys)
    engine = InlineEngine(connection)
    for _ in range(25):
        prefix = "".join(chance.choices(_ALPHABET, k=chance.randrange(3)))
        delimiter = chance.choice(["", "/", "-", "a/", "\U0010ffff", "é"])
        limit = chance.choice([1, 2, 3, 7, 1000])

        found = await walk(engine, prefix, delimiter, limit)

        assert expected(keys, prefix, delimiter) == found, (prefix, delimiter, limit)
    connection.close()


@pytest.mark.parametrize("seed", range(10))
async def test_any_start_point_lists_what_is_behind_it(seed: int) -> None:
    """start-after and marker need not exist, nor lie within the prefix."""
    chance = random.Random(seed)
    keys = list(
        {
            "".join(chance.choices(_ALPHABET, k=chance.randrange(1, 5)))
            for _ in range(60)
        }
    )
    connection = open_inline(now_us=NOW_US)
    insert_keys(connection, keys)
    engine = InlineEngine(connection)
    for _ in range(40):
        prefix = "".join(chance.choices(_ALPHABET, k=chance.randrange(3)))
        delimiter = chance.choice(["", "/", "a"])
        after = "".join(chance.choices(_ALPHABET, k=chance.randrange(1, 5)))

        page = await page_of(engine, prefix, delimiter, after, 1000)

        behind = [
            name
            for name in expected(keys, prefix, delimiter)
            # A start inside a common prefix skips it.
            if name.encode() > after.encode()
            and not (delimiter and name.endswith(delimiter) and after.startswith(name))
        ]
        assert behind == names(page), (prefix, delimiter, after)
    connection.close()


async def test_an_inclusive_start_lists_the_start_itself(writer: Writer) -> None:
    """A cursor that names the next key, instead of the last one, must not lose it."""
    for key in ("a", "b/1", "b/2", "c"):
        await writer.put(key)

    page = await writer.engine.scan(
        lambda tx: list_page(
            tx,
            writer.bucket.id,
            prefix="",
            delimiter="/",
            after="b/2",
            limit=10,
            is_after_inclusive=True,
        )
    )

    assert ["b/", "c"] == names(page)


async def test_a_page_of_nothing_is_not_truncated(writer: Writer) -> None:
    """max-keys=0 answers an empty, complete listing."""
    await writer.put("a")

    page = await writer.engine.scan(
        lambda tx: list_page(
            tx, writer.bucket.id, prefix="", delimiter="", after="", limit=0
        )
    )

    assert Page((), None) == page


@pytest.mark.parametrize(
    ("prefix", "above"),
    [
        ("a", "b"),
        ("a/", "a0"),
        ("\ud7ff", "\ue000"),
        ("a\U0010ffff", "b"),
        ("é\U0010ffff\U0010ffff", "ê"),
    ],
)
def test_the_successor_is_the_lowest_text_above_a_prefix(
    prefix: str, above: str
) -> None:
    """Too low loses keys, too high lists the neighbours' keys."""
    assert above == successor(prefix)


def test_nothing_is_above_the_highest_prefix() -> None:
    """A prefix of the last character still has an end."""
    assert successor("\U0010ffff") == successor("")
    assert ("\U0010ffff" * 256).encode() < successor("").encode()


class Steps:
    """Counts the virtual machine's steps of a connection, in tens."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.count = 0
        connection.set_progress_handler(self._note, 10)

    def _note(self) -> int:
        self.count += 1
        return 0


@pytest.fixture(scope="module")
def steps_of() -> Iterator[Callable[[int, str, str], int]]:
    """Count the steps of one page of 1000 among any number of keys."""
    engines: dict[int, tuple[InlineEngine, Steps]] = {}
    connections: list[sqlite3.Connection] = []

    def make(count: int) -> tuple[InlineEngine, Steps]:
        connection = open_inline(now_us=NOW_US)
        connections.append(connection)
        folder = count // 2000  # 2000 folders, so that a page of folders is full
        insert_keys(
            connection, [f"data/{n // folder:05d}/{n:07d}" for n in range(count)]
        )
        return InlineEngine(connection), Steps(connection)

    def count_steps(count: int, prefix: str, delimiter: str) -> int:
        if count not in engines:
            engines[count] = make(count)
        engine, steps = engines[count]
        before = steps.count
        page = trio.run(page_of, engine, prefix, delimiter, "data/00500/", 1000)
        assert len(page.entries) == 1000
        assert page.next_after is not None
        return steps.count - before

    yield count_steps
    for connection in connections:
        connection.close()


@pytest.mark.slow
@pytest.mark.parametrize(("prefix", "delimiter"), [("", ""), ("data/", "/")])
def test_a_page_costs_the_same_in_a_bucket_fifty_times_as_large(
    steps_of: Callable[[int, str, str], int], prefix: str, delimiter: str
) -> None:
    """Listing that gets slower with every upload ends in time-outs."""
    small = steps_of(10_000, prefix, delimiter)
    large = steps_of(500_000, prefix, delimiter)

    assert large <= 2 * small, (small, large)
