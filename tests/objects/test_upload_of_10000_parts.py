"""The largest upload there is: what it costs at the provider, and in memory."""

import tracemalloc
from collections import Counter
from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from s3o.model import limits
from s3o.model.names import BackendName, StorageKey
from s3o.model.seams import ByteSource
from s3o.model.values import BlobHeaders, PutReceipt, Traits
from tests.fakes.sources import BytesSource
from tests.objects.house import SMALL_PARTS, House
from tests.objects.uploading import Uploading

MIB = 1 << 20
PART = 16 * 1024
MEMORY_LIMIT = 48 * MIB


class Counting:
    """A store that counts what it is asked for and keeps nothing."""

    def __init__(self) -> None:
        self.name = BackendName("one")
        self.traits: Traits = SMALL_PARTS
        self.calls: Counter[str] = Counter()
        self.received_bytes = 0
        self.joined = 0

    async def create_upload(self, storage_key: StorageKey, headers: BlobHeaders) -> str:
        self.calls["create"] += 1
        await trio.lowlevel.checkpoint()
        return "an upload"

    async def upload_part(
        self, storage_key: StorageKey, upload_id: str, number: int, source: ByteSource
    ) -> PutReceipt:
        self.calls["part"] += 1
        while piece := await source.read():
            self.received_bytes += len(piece)
        return PutReceipt(etag=f"{number:032x}")

    async def complete_upload(
        self, storage_key: StorageKey, upload_id: str, parts: Sequence[tuple[int, str]]
    ) -> PutReceipt:
        self.calls["complete"] += 1
        self.joined = len(parts)
        await trio.lowlevel.checkpoint()
        return PutReceipt(etag=f"joined-{len(parts)}")


@pytest.mark.slow
async def test_ten_thousand_parts_cost_two_calls_more(
    house: House, autojump_clock: MockClock
) -> None:
    """Complete moves no bytes: N + 2 calls, and memory that does not grow with N."""
    backend = Counting()
    house.rig.guarded("one")._inner = backend  # type: ignore[assignment]
    upload = Uploading(house)
    await upload.create()
    body = b"x" * PART
    await upload.part(1, body)  # whatever is made once is made by now
    tracemalloc.start()
    for number in range(2, limits.PARTS + 1):
        await upload.part(number, BytesSource(body))
        house.rig.observer.clear()
    parts_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    completed = await upload.complete()
    complete_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert {"create": 1, "part": limits.PARTS, "complete": 1} == backend.calls
    assert limits.PARTS * PART == backend.received_bytes
    assert limits.PARTS == backend.joined
    assert completed.etag.endswith(f"-{limits.PARTS}")
    stored = await house.store.find(house.bucket, upload.key)
    assert limits.PARTS * PART == stored.version.size
    assert 1 == len(stored.locations)
    print(f"parts {parts_bytes / MIB:.1f} MiB, complete {complete_bytes / MIB:.1f} MiB")
    assert parts_bytes < 8 * MIB
    assert complete_bytes < MEMORY_LIMIT
