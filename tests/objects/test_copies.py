"""CopyObject and UploadPartCopy without the ledger: refused, and told of."""

import sqlite3

import pytest

from s3o.model.errors import LedgerUnavailable
from s3o.model.facts import DegradedWriteRejected
from s3o.model.names import ObjectKey
from s3o.model.values import Interval, ObjectFacts, WriteConditions
from s3o.objects.part_server_copies import PartCopyCall
from s3o.objects.server_copies import CopyCall
from tests.objects.house import KEY, open_house
from tests.objects.test_tagging import ReadOnlyEngine
from tests.objects.uploading import Uploading


async def test_copies_are_refused_without_the_ledger() -> None:
    """There is no other place for them, and the operator sees that they failed."""
    engines: list[ReadOnlyEngine] = []

    def make(connection: sqlite3.Connection) -> ReadOnlyEngine:
        engines.append(ReadOnlyEngine(connection))
        return engines[-1]

    async with open_house(make_engine=make) as house:
        await house.put(b"meow")
        upload = Uploading(house, ObjectKey("b"))
        await upload.create()
        source = await house.store.find(house.bucket, KEY)
        found = await upload.find()
        engines[0].is_read_only = True

        with pytest.raises(LedgerUnavailable):
            await house.store.copier.copy(
                CopyCall(
                    source_bucket=house.bucket,
                    source=source,
                    bucket=house.bucket,
                    key=ObjectKey("b"),
                    facts=ObjectFacts(),
                    conditions=WriteConditions(),
                )
            )
        with pytest.raises(LedgerUnavailable):
            await house.store.part_copier.copy(
                PartCopyCall(
                    source_bucket=house.bucket,
                    source=source,
                    interval=Interval(0, 4),
                    bucket=house.bucket,
                    upload=found,
                    number=1,
                )
            )

        told = house.rig.observer.of(DegradedWriteRejected)
        assert ["CopyObject", "UploadPartCopy"] == [fact.operation for fact in told]
        assert not [name for name, _ in house.rig.inner["one"].books.calls][1:]
