"""Imports: what a foreign name may become, and what stands against it."""

import pytest

from s3o.ledger.audit import audit
from s3o.ledger.cleanup import due_rows
from s3o.ledger.deletes import delete_object
from s3o.ledger.imports import (
    NOT_FETCHED,
    SKEW_US,
    Import,
    Verdict,
    import_blobs,
    put_imported_facts,
)
from s3o.ledger.objects import find_object
from s3o.ledger.quotas import quota_rows
from s3o.ledger.seam import Engine
from s3o.model.names import BucketId, ObjectKey, StorageKey, VersionId
from s3o.model.values import Bucket, ObjectFacts, StoredObject, WriteConditions
from tests.ledger.house import NOW_US, ONE, TWO, Writer, furnish


def foreign(
    writer: Writer,
    key: str,
    *,
    name: str = "",
    size: int = 10,
    modified_us: int | None = NOW_US,
    bucket: Bucket | None = None,
) -> Import:
    """Bytes that somebody else put on backend one."""
    writer.count += 1
    return Import(
        backend=ONE,
        name=StorageKey(name or f"photos/{key}"),
        bucket=bucket or writer.bucket,
        key=ObjectKey(key),
        version_id=VersionId(f"{writer.count:032x}"),
        stored_bytes=size,
        etag="its-etag",
        backend_etag="its-etag",
        modified_at_us=modified_us,
    )


async def take(writer: Writer, *imports: Import) -> list[Verdict]:
    """Import them in one transaction; the books must be right afterwards."""
    found = await writer.engine.write(
        lambda tx: import_blobs(tx, ONE, imports, writer.now_us)
    )
    assert [] == await writer.engine.scan(audit)
    return found


async def find(writer: Writer, key: str) -> StoredObject | None:
    """What a client would be given."""
    bucket_id = writer.bucket.id
    return await writer.engine.read(
        lambda tx: find_object(tx, bucket_id, ObjectKey(key))
    )


async def delete(writer: Writer, key: str) -> None:
    """Delete as a client does, now."""
    await writer.engine.write(
        lambda tx: delete_object(
            tx, writer.bucket, ObjectKey(key), WriteConditions(), writer.now_us
        )
    )


async def test_import_is_a_version_like_any_other(engine: Engine) -> None:
    """Its bytes keep their name, its time is the backend's, and it is accounted for."""
    writer = await furnish(engine)
    one = foreign(writer, "cat.jpg", size=7, modified_us=NOW_US - 5_000_000)

    assert [Verdict.IMPORTED] == await take(writer, one)
    stored = await find(writer, "cat.jpg")
    assert stored is not None
    version, (place,) = stored.version, stored.locations
    assert (7, "its-etag", NOW_US - 5_000_000, NOT_FETCHED) == (
        version.size,
        version.etag,
        version.created_at_us,
        version.facts.content_type,
    )
    assert ("photos/cat.jpg", 7, "its-etag", True, None) == (
        place.storage_key,
        place.stored_bytes,
        place.backend_etag,
        place.is_imported,
        place.verified_at_us,
    )


async def test_import_may_exceed_the_quota(engine: Engine) -> None:
    """The bytes are there already; leaving them out would only hide them."""
    writer = await furnish(engine, {ONE: 100, TWO: 0})

    assert [Verdict.IMPORTED] == await take(writer, foreign(writer, "a", size=1000))
    quota = (await engine.read(quota_rows))[0]
    assert (1000, 100) == (quota.used_bytes, quota.limit_bytes)


async def test_key_with_a_version_keeps_it(engine: Engine) -> None:
    """Whether written here or imported before, under whatever name."""
    writer = await furnish(engine)
    await writer.put("own")
    await take(writer, foreign(writer, "twice"))

    assert [Verdict.TAKEN, Verdict.KNOWN, Verdict.TAKEN] == await take(
        writer,
        foreign(writer, "own"),
        foreign(writer, "twice"),
        foreign(writer, "twice", name="photos/twice-too"),
    )


@pytest.mark.parametrize(
    ("modified_us", "verdict"),
    [
        (None, Verdict.DELETED),
        (-1, Verdict.DELETED),
        (SKEW_US, Verdict.DELETED),
        (SKEW_US + 1, Verdict.IMPORTED),
    ],
)
async def test_deleted_key_is_not_brought_back(
    engine: Engine, modified_us: int | None, verdict: Verdict
) -> None:
    """Only bytes that were certainly put there after the delete are another object."""
    writer = await furnish(engine)
    await delete(writer, "cat.jpg")
    when = None if modified_us is None else writer.now_us + modified_us
    one = foreign(writer, "cat.jpg", modified_us=when)
    writer.now_us += 2 * SKEW_US

    assert [verdict] == await take(writer, one)


async def test_names_that_wait_to_be_deleted_are_not_imported(engine: Engine) -> None:
    """Not those in the queue, not dead letters, not announced writes."""
    writer = await furnish(engine)
    await take(writer, foreign(writer, "cat.jpg"))
    await delete(writer, "cat.jpg")
    writer.now_us += 2 * SKEW_US
    again = foreign(writer, "cat.jpg", modified_us=writer.now_us)
    announced = writer.intent("dog.jpg")
    await writer.open(announced)

    assert [Verdict.KNOWN, Verdict.KNOWN] == await take(
        writer, again, foreign(writer, "x", name=announced.storage_key)
    )


async def test_bucket_that_is_gone_gets_nothing(engine: Engine) -> None:
    """Also one that was made anew since: it is another one."""
    writer = await furnish(engine)
    gone = Bucket(id=BucketId(99), name=writer.bucket.name, created_at_us=0)

    assert [Verdict.UNFIT] == await take(writer, foreign(writer, "a", bucket=gone))


async def test_overwritten_import_is_queued_with_what_a_head_must_show(
    engine: Engine,
) -> None:
    """Bytes that somebody has replaced meanwhile are not ours to delete."""
    writer = await furnish(engine)
    await take(writer, foreign(writer, "cat.jpg", size=7))
    await writer.put("cat.jpg")

    (row,) = await engine.scan(lambda tx: due_rows(tx, ONE, writer.now_us, 10))
    assert (True, "photos/cat.jpg", 7, "its-etag") == (
        row.is_imported,
        row.storage_key,
        row.stored_bytes,
        row.backend_etag,
    )
    assert [] == await engine.scan(audit)


async def test_time_of_the_backend_is_not_believed_into_the_future(
    engine: Engine,
) -> None:
    """Nor before 1970: clients and lifecycle rules count from it."""
    writer = await furnish(engine)
    await take(
        writer,
        foreign(writer, "late", modified_us=writer.now_us + 10),
        foreign(writer, "early", modified_us=-10),
        foreign(writer, "unknown", modified_us=None),
    )
    times = []
    for key in ("late", "early", "unknown"):
        stored = await find(writer, key)
        assert stored is not None
        times.append(stored.version.created_at_us)

    assert [writer.now_us, 0, writer.now_us] == times


async def test_headers_are_noted_once_and_for_that_version(engine: Engine) -> None:
    """A client's overwrite, or an answer that comes late, must not be overwritten."""
    writer = await furnish(engine)
    one = foreign(writer, "cat.jpg")
    await take(writer, one)
    jpeg = ObjectFacts(
        content_type="image/jpeg",
        headers=(("cache-control", "no-store"),),
        metadata=(("a", "b"),),
    )
    other = ObjectFacts(content_type="text/plain")

    async def note(version_id: VersionId, facts: ObjectFacts) -> bool:
        return await engine.write(
            lambda tx: put_imported_facts(
                tx, writer.bucket.id, one.key, version_id, facts
            )
        )

    assert not await note(VersionId("f" * 32), other)
    assert await note(one.version_id, jpeg)
    assert not await note(one.version_id, other)
    stored = await find(writer, "cat.jpg")
    assert stored is not None
    assert jpeg == stored.version.facts
