"""Tags: a column of the current row, changed only where there is one."""

import pytest

from s3o.ledger.deletes import delete_object
from s3o.ledger.objects import find_version
from s3o.ledger.seam import Engine
from s3o.ledger.tags import put_tags
from s3o.model.errors import NoSuchBucket, NoSuchKey
from s3o.model.names import BucketId, ObjectKey
from s3o.model.values import Bucket, ObjectVersion, Pairs, WriteConditions
from tests.ledger.house import NOW_US, PHOTOS, Writer, furnish

KEY = ObjectKey("cat.jpg")
TAGS = (("b", "1"), ("a", "é"))


async def set_tags(writer: Writer, tags: Pairs, key: ObjectKey = KEY) -> None:
    """Put a tag set."""
    await writer.engine.write(lambda tx: put_tags(tx, writer.bucket, key, tags))


async def find(writer: Writer) -> ObjectVersion | None:
    """Read the current version."""
    return await writer.engine.read(lambda tx: find_version(tx, writer.bucket.id, KEY))


async def test_tags_change_nothing_else(engine: Engine) -> None:
    """Same version, same sequence, same date: nothing was written."""
    writer = await furnish(engine)
    put = (await writer.put(KEY)).version
    await set_tags(writer, TAGS)
    tagged = await find(writer)
    await set_tags(writer, ())
    bare = await find(writer)

    assert tagged is not None
    assert TAGS == tagged.facts.tags
    assert (put.version_id, put.sequence, put.created_at_us) == (
        tagged.version_id,
        tagged.sequence,
        tagged.created_at_us,
    )
    assert put == bare


async def test_tags_end_with_their_version(engine: Engine) -> None:
    """An overwrite has the tags that came with it, and no others."""
    writer = await furnish(engine)
    await writer.put(KEY)
    await set_tags(writer, TAGS)
    await writer.put(KEY)
    found = await find(writer)

    assert found is not None
    assert () == found.facts.tags


async def test_tags_do_not_bring_an_object_back(engine: Engine) -> None:
    """A client that tags what another one deletes is told."""
    writer = await furnish(engine)
    with pytest.raises(NoSuchKey):
        await set_tags(writer, TAGS)
    await writer.put(KEY)
    await writer.engine.write(
        lambda tx: delete_object(tx, writer.bucket, KEY, WriteConditions(), NOW_US)
    )

    for tags in (TAGS, ()):
        with pytest.raises(NoSuchKey):
            await set_tags(writer, tags)
    assert await find(writer) is None


async def test_tags_need_a_live_bucket(engine: Engine) -> None:
    """A bucket of the same name that was made anew is another one."""
    writer = await furnish(engine)
    await writer.put(KEY)
    ghost = Bucket(id=BucketId(999), name=PHOTOS, created_at_us=NOW_US)

    with pytest.raises(NoSuchBucket):
        await engine.write(lambda tx: put_tags(tx, ghost, KEY, TAGS))
