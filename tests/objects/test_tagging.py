"""Tags at the object store: what is kept, what is told, what a dead ledger means."""

import sqlite3

import pytest
import trio

from s3o.ledger.seam import Step, T
from s3o.ledger.sqlite import InlineEngine
from s3o.model.errors import LedgerUnavailable, NoSuchKey
from s3o.model.facts import DegradedWriteRejected, OperationFinished
from s3o.model.names import ObjectKey
from tests.objects.house import KEY, House, open_house

TAGS = (("b", "1"), ("a", "é"))


async def test_tags_move_no_bytes(house: House) -> None:
    """The backends are not even asked."""
    put = await house.put(b"meow")
    asked = [list(backend.books.calls) for backend in house.rig.inner.values()]
    await house.store.put_tags(house.bucket, KEY, TAGS)
    tagged = await house.store.head(house.bucket, KEY)

    assert TAGS == tagged.facts.tags
    assert (put.version_id, put.etag) == (tagged.version_id, tagged.etag)
    assert asked == [list(backend.books.calls) for backend in house.rig.inner.values()]
    assert b"meow" == await house.get()
    assert [] == await house.complaints()


async def test_tagging_is_in_the_audit_log(house: House) -> None:
    """Each call by its name, the failed ones too."""
    await house.put(b"meow")
    house.rig.observer.clear()
    await house.store.put_tags(house.bucket, KEY, TAGS)
    await house.store.head(house.bucket, KEY, operation="GetObjectTagging")
    await house.store.put_tags(house.bucket, KEY, ())
    with pytest.raises(NoSuchKey):
        await house.store.put_tags(house.bucket, ObjectKey("none"), TAGS)

    assert [
        ("PutObjectTagging", "success"),
        ("GetObjectTagging", "success"),
        ("DeleteObjectTagging", "success"),
        ("PutObjectTagging", "error"),
    ] == [
        (fact.operation, fact.status)
        for fact in house.rig.observer.of(OperationFinished)
    ]


class ReadOnlyEngine(InlineEngine):
    """An engine that takes no write once it is told so."""

    is_read_only = False

    async def write(self, step: Step[T]) -> T:
        """As Engine."""
        if self.is_read_only:
            await trio.lowlevel.checkpoint()
            raise LedgerUnavailable("read only")
        return await super().write(step)


async def test_tags_are_refused_without_the_ledger() -> None:
    """There is no other place for them, and the operator sees that they failed."""
    engines: list[ReadOnlyEngine] = []

    def make(connection: sqlite3.Connection) -> ReadOnlyEngine:
        engines.append(ReadOnlyEngine(connection))
        return engines[-1]

    async with open_house(make_engine=make) as house:
        await house.put(b"meow")
        engines[0].is_read_only = True
        for tags, name in ((TAGS, "PutObjectTagging"), ((), "DeleteObjectTagging")):
            with pytest.raises(LedgerUnavailable):
                await house.store.put_tags(house.bucket, KEY, tags)
            assert name == house.rig.observer.of(DegradedWriteRejected)[-1].operation
