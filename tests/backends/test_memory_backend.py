"""The fake misbehaves exactly as announced; else tests over it prove nothing."""

from random import Random

import pytest
import trio
import trio.testing

from s3o.model.errors import (
    BackendError,
    BackendFull,
    BackendProtocolError,
    BackendRefused,
    BackendThrottled,
    BackendUnreachable,
    BlobMissing,
)
from s3o.model.names import StorageKey
from s3o.model.values import BlobHeaders
from tests.fakes.faults import FITTING, Fault, FaultPlan
from tests.fakes.memory_backend import MemoryBackend
from tests.fakes.sources import BytesSource, pattern

KEY = StorageKey("photos/cat.jpg!" + "0" * 32)
OTHER = StorageKey("photos/dog.jpg!" + "1" * 32)


async def put(
    backend: MemoryBackend, body: bytes = b"meow", key: StorageKey = KEY
) -> None:
    """Store one blob."""
    await backend.put(key, BytesSource(body), BlobHeaders())


async def get(backend: MemoryBackend, key: StorageKey = KEY) -> bytes:
    """Read one blob."""
    pieces = []
    async with backend.open(key) as reader:
        while piece := await reader.read():
            pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize(
    ("fault", "error", "is_stored"),
    [
        (Fault.UNREACHABLE, BackendUnreachable, False),
        (Fault.ERROR_BEFORE, BackendRefused, False),
        (Fault.FORBIDDEN, BackendRefused, False),
        (Fault.THROTTLED, BackendThrottled, False),
        (Fault.FULL, BackendFull, False),
        (Fault.ERROR_AFTER, BackendRefused, True),
        (Fault.LOST_ANSWER, BackendUnreachable, True),
    ],
)
async def test_put_fails_before_or_after_storing(
    fault: Fault, error: type[BackendError], is_stored: bool
) -> None:
    """The difference is what makes a failed write ambiguous."""
    backend = MemoryBackend()
    backend.faults.next("put", fault)
    with pytest.raises(error):
        await put(backend)

    assert is_stored == (backend.names() == [KEY])


@pytest.mark.parametrize(
    ("fault", "at_once", "later"),
    [
        (Fault.HANG, False, False),
        (Fault.STORE_THEN_HANG, True, True),
        (Fault.HANG_THEN_STORE, False, True),
    ],
)
async def test_hanging_put_is_stored_at_its_time(
    fault: Fault, at_once: bool, later: bool, autojump_clock: trio.testing.MockClock
) -> None:
    """A late PUT arrives after everybody has given it up."""
    backend = MemoryBackend(late_s=400)
    backend.faults.next("put", fault)
    with trio.move_on_after(45) as scope:
        await put(backend)

    assert scope.cancelled_caught
    assert at_once == (backend.names() == [KEY])
    await trio.sleep(400)
    assert later == (backend.names() == [KEY])


async def test_wrong_bytes_have_the_right_length() -> None:
    """Only digests can tell."""
    backend = MemoryBackend()
    body = pattern(1000)
    await put(backend, body)
    await put(backend, b"other", OTHER)
    backend.faults.next("open", Fault.FLIPPED, Fault.SWAPPED)
    flipped, swapped = await get(backend), await get(backend)

    assert 1 == sum(a != b for a, b in zip(body, flipped, strict=True))
    assert (b"other" * 200) == swapped
    assert body == await get(backend)


async def test_missing_truncated_and_lying() -> None:
    """404 for what exists, a body cut off, a delete that never was."""
    backend = MemoryBackend()
    await put(backend, pattern(1000))
    backend.faults.next("open", Fault.MISSING, Fault.TRUNCATED)
    backend.faults.next("delete", Fault.DELETE_LIES)
    with pytest.raises(BlobMissing):
        await get(backend)
    with pytest.raises(BackendProtocolError):
        await get(backend)
    (outcome,) = await backend.delete([KEY])

    assert outcome.error is None
    assert [KEY] == backend.names()


async def test_listing_lags_drops_and_repeats(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A listing is hearsay."""
    backend = MemoryBackend(list_lag_s=60, faults=FaultPlan(Random(1)))
    names = [StorageKey(f"photos/{number}") for number in range(8)]
    for name in names:
        await put(backend, key=name)
    assert () == (await backend.list_page("")).blobs
    await trio.sleep(61)
    backend.faults.next("list_page", None, Fault.LIST_DROPS, Fault.LIST_REPEATS)

    assert 8 == len((await backend.list_page("")).blobs)
    assert 8 > len((await backend.list_page("")).blobs)
    assert 9 == len((await backend.list_page("")).blobs)


async def test_books_tell_of_quota_and_names_broken() -> None:
    """At every instant, not only at the end."""
    backend = MemoryBackend(quota_bytes=10)
    await put(backend, b"x" * 10)
    await backend.delete([KEY])
    assert [] == backend.books.violations
    await put(backend, b"x" * 6, OTHER)
    await put(backend, b"x" * 5, StorageKey("photos/new"))
    await put(backend, b"x", KEY)

    assert 12 == backend.books.peak_bytes
    assert [
        "11 bytes held, quota 10",
        f"written twice: {KEY}",
        "12 bytes held, quota 10",
    ] == backend.books.violations


async def test_equal_seeds_give_equal_faults() -> None:
    """A failing seed must fail again."""

    async def run(seed: int) -> list[tuple[str, Fault]]:
        rates = dict.fromkeys((Fault.UNREACHABLE, Fault.ERROR_AFTER, Fault.FULL), 0.2)
        backend = MemoryBackend(faults=FaultPlan(Random(seed), rates))
        for number in range(50):
            try:
                await put(backend, key=StorageKey(f"photos/{number}"))
            except BackendError:
                pass
        return backend.faults.struck

    assert await run(7) == await run(7)
    assert await run(7) != await run(8)
    assert await run(7)


def test_every_fault_strikes_somewhere() -> None:
    """A fault that fits no operation would never be tested."""
    assert set(Fault) == {fault for faults in FITTING.values() for fault in faults}
