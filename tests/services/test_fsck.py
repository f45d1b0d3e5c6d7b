"""fsck: every difference between ledger and backends is found, and explained."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from s3o.ledger.intents import NewIntent, open_intent
from s3o.model.names import StorageKey
from s3o.model.values import ObjectFacts, WriteConditions
from s3o.services.fsck import Difference, Fsck, FsckReport, Kind
from s3o.services.fsck.deep import DeepCheck
from s3o.services.fsck.difference import ADVICE
from tests.fakes.clock import START_US
from tests.fakes.faults import Fault
from tests.fakes.memory_backend import StoredBlob
from tests.fakes.sources import pattern
from tests.objects.house import House, open_house
from tests.objects.uploading import Uploading

BODY = pattern(1000)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A house with objects of every make, and nothing wrong."""
    async with open_house() as built:
        await built.put(BODY)
        await built.put(b"", "nothing")
        await built.put(BODY, "deleted")
        await built.delete("deleted")
        for inner in built.rig.inner.values():
            inner.traits = replace(inner.traits, has_multipart=False)
        upload = Uploading(built, key="parts")
        await upload.create()
        await upload.parts([BODY, BODY[:300]])
        await upload.complete()
        under_way = Uploading(built, key="under way")
        await under_way.create()
        await under_way.part(1, BODY)
        yield built


async def _fsck(
    house: House, *, is_deep: bool = False
) -> tuple[FsckReport, list[Difference]]:
    told: list[Difference] = []
    deep = DeepCheck(house.ledger, house.blob_checker) if is_deep else None
    report = await Fsck(house.ledger, house.rig.fleet, told.append, deep=deep).run()
    return report, told


def _name(house: House, key: str = "cat.jpg") -> StorageKey:
    [found] = {name for _, name in house.located() if key in name}
    return StorageKey(found)


@pytest.mark.parametrize("is_deep", [False, True])
async def test_ledger_and_backends_that_agree_are_clean(
    house: House, *, is_deep: bool
) -> None:
    """Bytes that wait to be deleted are no difference, and neither are parts."""
    report, told = await _fsck(house, is_deep=is_deep)

    assert [] == told
    assert report.is_clean
    assert 3 == report.objects
    assert 1 == report.waiting.cleanup_rows
    assert (4 if is_deep else 0) == report.read_blobs
    assert 0 == report.unproved_blobs


async def test_write_that_was_announced_is_no_difference(house: House) -> None:
    """The reaper settles it at the next start, whatever became of its bytes."""
    name = StorageKey(f"photos/new!{'0' * 32}")
    intent = NewIntent(
        storage_key=name,
        bucket_id=house.bucket.id,
        bucket=house.bucket.name,
        key="new",  # type: ignore[arg-type]
        version_id="v",  # type: ignore[arg-type]
        size=5,
        stored_size=5,
        facts=ObjectFacts(),
        conditions=WriteConditions(),
        now_us=START_US,
        owner="me",
    )
    await house.ledger.write(
        lambda tx: open_intent(tx, intent, lambda _rows: list(house.rig.fleet.names))
    )
    one = house.rig.inner["one"]
    one.blobs[name] = replace(one.blobs[_name(house)], body=b"12345")
    report, told = await _fsck(house)

    assert [] == told
    assert 1 == report.waiting.intents


def _lose(house: House) -> None:
    del house.rig.inner["one"].blobs[_name(house)]


def _shorten(house: House) -> None:
    blobs = house.rig.inner["one"].blobs
    blobs[_name(house)] = replace(blobs[_name(house)], body=BODY[:-1])


def _replace(house: House) -> None:
    blobs = house.rig.inner["one"].blobs
    blobs[_name(house)] = replace(blobs[_name(house)], etag="0" * 32)


def _leave(name: str) -> None:
    return lambda house: _put_there(house, name)  # type: ignore[return-value]


def _put_there(house: House, name: str) -> None:
    one = house.rig.inner["one"]
    blob: StoredBlob = one.blobs[_name(house)]
    one.blobs[StorageKey(name)] = blob


def _sql(statement: str) -> None:
    return lambda house: house.connection.execute(  # type: ignore[return-value]
        statement
    )


BACKUP = (
    f".s3o/{'c' * 32}/log-00000001-000000000000000000-000000000000000007"
    f"-000000000000-000000l!{'0' * 32}"
)
LOCATION = "object_locations SET"
OF_CAT = "WHERE storage_key LIKE '%cat.jpg%'"
DAMAGES = {
    "lost": (_lose, [Kind.LAST_MISSING]),
    "shortened": (_shorten, [Kind.WRONG_SIZE]),
    "replaced": (_replace, [Kind.CHANGED]),
    "leftover": (_leave(f"photos/x!{'0' * 32}"), [Kind.UNKNOWN_BLOB]),
    "backup of another ledger": (_leave(BACKUP), [Kind.UNKNOWN_BACKUP]),
    "foreign": (_leave("holiday/\x1b[2Jpicture.jpg"), [Kind.FOREIGN]),
    "suspect": (_sql(f"UPDATE {LOCATION} state='suspect' {OF_CAT}"), [Kind.SUSPECT]),
    "quarantined": (
        _sql(f"UPDATE {LOCATION} state='quarantined' {OF_CAT}"),
        [Kind.QUARANTINED],
    ),
    "called lost": (_sql(f"UPDATE {LOCATION} state='lost' {OF_CAT}"), [Kind.LOST]),
    "state of nonsense": (
        _sql(f"UPDATE {LOCATION} state='fine' {OF_CAT}"),
        [Kind.DAMAGED_ROW],
    ),
    "absurd time": (
        _sql("UPDATE objects SET created_at = -5 WHERE key = 'cat.jpg'"),
        [Kind.LEDGER, Kind.DAMAGED_ROW],
    ),
    "time without a date": (
        _sql("UPDATE objects SET created_at = 1 << 60 WHERE key = 'cat.jpg'"),
        [Kind.DAMAGED_ROW],
    ),
    "negative size": (
        _sql("UPDATE objects SET size = -5 WHERE key = 'nothing'"),
        [Kind.LEDGER, Kind.LEDGER, Kind.DAMAGED_ROW],
    ),
    "layout of nonsense": (
        _sql("UPDATE objects SET layout = '[1]' WHERE key = 'parts'"),
        [Kind.DAMAGED_ROW],
    ),
    "layout of another size": (
        _sql("UPDATE objects SET layout = '[[1,0,1000]]' WHERE key = 'parts'"),
        [Kind.DAMAGED_ROW],
    ),
    "sum that drifted": (
        _sql("UPDATE backend_quotas SET bytes_used = 7 WHERE backend_name = 'one'"),
        [Kind.LEDGER],
    ),
}


@pytest.mark.parametrize(("damage", "expected"), DAMAGES.values(), ids=DAMAGES)
async def test_every_difference_is_told(
    house: House, damage: object, expected: list[Kind]
) -> None:
    """One damage, its own explanation, and no other complaint."""
    damage(house)  # type: ignore[operator]
    report, told = await _fsck(house)

    assert expected == [each.kind for each in told]
    assert bool(expected) == (not report.is_clean)
    assert all(each.advice for each in told)
    assert all(text.isprintable() for each in told for text in (each.text,))


async def test_object_without_some_of_its_blobs_is_told(house: House) -> None:
    """A row alone is no object."""
    house.connection.execute(
        "DELETE FROM object_locations WHERE blob = 2 AND storage_key LIKE '%parts%'"
    )
    _, told = await _fsck(house)

    kinds = {each.kind for each in told}
    assert Kind.INCOMPLETE_OBJECT in kinds
    assert Kind.UNKNOWN_BLOB in kinds


async def test_backend_that_left_the_configuration_is_told(house: House) -> None:
    """Its objects are unreachable, and nothing else says why."""
    house.connection.execute(
        "INSERT INTO backend_quotas (backend_name, stripe, bytes_limit, bytes_used,"
        " object_count) SELECT 'gone', 0, 0, bytes_used, object_count"
        " FROM backend_quotas WHERE backend_name = 'one'"
    )
    house.connection.execute("UPDATE object_locations SET backend_name = 'gone'")
    _, told = await _fsck(house)

    [left] = [each for each in told if each.kind is Kind.UNKNOWN_BACKEND]
    assert "4 locations are on 'gone'" in left.text


async def test_copy_elsewhere_is_told_with_a_missing_one(house: House) -> None:
    """Whether it is a disaster or a chore is the first thing to know."""
    await house.add_copy("two")
    _lose(house)
    _, told = await _fsck(house)

    [missing] = [each for each in told if each.kind is Kind.MISSING]
    assert "good copies elsewhere: 1" in missing.text


async def test_listing_that_leaves_names_out_is_not_believed(house: House) -> None:
    """Providers' listings lag; each name it does not show is asked for by itself."""
    house.rig.inner["one"].faults.next("list_page", Fault.LIST_DROPS)
    report, told = await _fsck(house)

    assert [] == told
    assert report.is_clean


@pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.LIST_REPEATS])
async def test_backend_that_cannot_be_compared_is_no_success(
    house: House, fault: Fault
) -> None:
    """Exit 0 says that everything was looked at."""
    house.rig.inner["one"].faults.next("list_page", fault)
    report, told = await _fsck(house)

    assert [] == told
    assert ["one"] == list(report.unable)
    assert not report.is_clean


async def test_only_reading_finds_other_bytes_of_the_same_size(house: House) -> None:
    """A rotten disk lists its files as ever."""
    blobs = house.rig.inner["one"].blobs
    name = _name(house)
    blobs[name] = replace(blobs[name], body=BODY[:-1] + b"?")

    assert [] == (await _fsck(house))[1]
    [wrong] = (await _fsck(house, is_deep=True))[1]
    assert (Kind.WRONG_BYTES, "cat.jpg") == (wrong.kind, wrong.key)


async def test_fsck_changes_nothing(house: House) -> None:
    """Whoever only looks must not make it worse."""
    _lose(house)
    before = list(house.connection.iterdump())
    await _fsck(house, is_deep=True)

    assert before == list(house.connection.iterdump())


async def test_pages_meet_without_a_gap(house: House) -> None:
    """More names than one page of listing or ledger holds, and one of them missing."""
    one = house.rig.inner["one"]
    body = one.blobs[_name(house)]
    rows = [
        (f"{number:032x}", f"photos/k{number:05}!{'0' * 32}") for number in range(1200)
    ]
    for _, name in rows:
        one.blobs[StorageKey(name)] = body
    house.connection.executemany(
        "INSERT INTO object_locations (version_id, blob, backend_name, storage_key,"
        " stored_bytes, created_at) VALUES (?, 0, 'one', ?, 1000, 0)",
        rows,
    )
    del one.blobs[StorageKey(rows[999][1])]
    report, told = await _fsck(house)

    names = [each for each in told if each.kind is Kind.LAST_MISSING]
    assert [rows[999][1]] == [each.storage_key for each in names]
    assert 1200 < report.names["one"]


def test_each_kind_has_advice() -> None:
    """A difference without a way out only frightens."""
    assert set(Kind) == set(ADVICE)
