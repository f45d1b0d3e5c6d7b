"""An object of many blobs is looked up off the event loop, and read like any other."""

from dataclasses import replace

import pytest
from trio.testing import MockClock

from s3o.ledger.seam import Step, T
from s3o.ledger.sqlite import InlineEngine
from s3o.objects.store import INLINE_ROWS
from tests.fakes.sources import pattern
from tests.objects.house import SMALL_PARTS, open_house
from tests.objects.uploading import Uploading

BLOBS = replace(SMALL_PARTS, has_multipart=False)


class _Counting(InlineEngine):
    """Counts what was asked off the loop."""

    scans = 0

    async def read(self, step: Step[T]) -> T:
        return await super().scan(step)

    async def scan(self, step: Step[T]) -> T:
        type(self).scans += 1
        return await super().scan(step)


@pytest.mark.parametrize("blobs", [INLINE_ROWS, INLINE_ROWS + 1])
async def test_many_blobs_are_found_by_a_scan(
    blobs: int, autojump_clock: MockClock
) -> None:
    """Ten thousand rows on the loop would keep everybody waiting."""
    bodies = [pattern(10, seed=number) for number in range(blobs)]
    async with open_house(make_engine=_Counting, traits=BLOBS) as house:
        upload = Uploading(house)
        await upload.create()
        await upload.parts(bodies)
        await upload.complete()
        _Counting.scans = 0

        body = await house.get()
        middle = await house.get(start=995, stop=1_015)

        assert b"".join(bodies) == body
        assert body[995:1_015] == middle
        assert (2 if blobs > INLINE_ROWS else 0) == _Counting.scans
