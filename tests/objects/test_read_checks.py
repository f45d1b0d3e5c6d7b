"""Verify on read: the client never gets a complete wrong body, and nothing is lost.

Of the reference: it hashed whatever was read and deleted the copy on a mismatch, also
for ranges, clients that left and 304s.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from s3o.model import limits
from s3o.model.errors import BackendsFailed
from s3o.model.facts import CorruptionFound, IntegrityChecked
from s3o.model.names import ObjectKey
from s3o.model.values import Digests, Interval, LocationState
from s3o.objects.integrity import IntegrityRules
from tests.fakes.faults import Fault
from tests.fakes.sources import BytesSource, pattern
from tests.objects.house import KEY, House, open_house
from tests.objects.uploading import Uploading

CHECKED = IntegrityRules(is_enabled=True, verifies_reads=True)
SMALL = pattern(300_000)
LARGE = pattern(limits.CHECKED_BYTES + 300_000)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A house that verifies what is read."""
    async with open_house() as built:
        built.rules.append(CHECKED)
        yield built


class _Undigested(BytesSource):
    """A body of which nobody has computed a SHA-256."""

    @property
    def digests(self) -> Digests:
        """The other digests."""
        return replace(super().digests, sha256=None)


async def _states(house: House) -> dict[str, LocationState]:
    stored = await house.store.find(house.bucket, ObjectKey(KEY))
    return {place.backend: place.state for place in stored.locations}


def spoil(house: House, backend: str) -> None:
    """Change one bit of everything that lies on a backend, for good."""
    inner = house.rig.inner[backend]
    for name, blob in inner.blobs.items():
        inner.blobs[name] = replace(
            blob, body=bytes([blob.body[0] ^ 1]) + blob.body[1:]
        )


@pytest.mark.parametrize("is_enabled", [True, False])
async def test_sha256_is_computed_only_where_it_is_asked_for(
    house: House, *, is_enabled: bool
) -> None:
    """It costs CPU on every write; whoever wants none pays none."""
    house.rules.append(IntegrityRules(is_enabled=is_enabled))
    version = await house.put(_Undigested(SMALL))

    expected = hashlib.sha256(SMALL).hexdigest() if is_enabled else None
    assert expected == version.sha256
    stored = await house.store.find(house.bucket, ObjectKey(KEY))
    assert expected == stored.version.sha256


async def test_sha256_survives_a_failover(house: House) -> None:
    """The body is replayed to the second backend; it is hashed once."""
    house.rig.inner["one"].faults.next("put", Fault.UNREACHABLE)
    version = await house.put(_Undigested(SMALL))

    assert hashlib.sha256(SMALL).hexdigest() == version.sha256


@pytest.mark.parametrize("fault", [Fault.FLIPPED, Fault.SWAPPED])
async def test_next_copy_answers_for_a_small_wrong_one(
    house: House, fault: Fault
) -> None:
    """The client of a rotten disk sees the right bytes, and nothing else."""
    await house.put(SMALL)
    await house.put(b"another", "other")
    await house.add_copy("two")
    house.rig.inner["one"].faults.next("open", fault)

    assert SMALL == await house.get()
    assert {"one": LocationState.SUSPECT, "two": LocationState.LIVE} == (
        await _states(house)
    )
    [found] = house.rig.observer.of(CorruptionFound)
    assert ("read", "one", KEY) == (found.operation, found.backend, found.key)
    assert 2 == len(house.rig.observer.of(IntegrityChecked))
    assert 3 == len(house.lying())  # nothing was deleted


async def test_suspect_copy_is_asked_last(house: House) -> None:
    """It may be right, so it serves when nothing else does; until then it rests."""
    await house.put(SMALL)
    await house.add_copy("two")
    spoil(house, "one")
    await house.get()
    house.rig.inner["one"].books.calls.clear()

    assert SMALL[5:9] == await house.get(start=5, stop=9)
    assert [] == house.rig.inner["one"].books.calls


async def test_small_wrong_body_without_another_copy_is_refused_whole(
    house: House,
) -> None:
    """503 instead of wrong bytes; the copy stays, for a person or a better day."""
    await house.put(SMALL)
    spoil(house, "one")
    with pytest.raises(BackendsFailed):
        await house.get()

    assert {"one": LocationState.SUSPECT} == await _states(house)
    assert 1 == len(house.lying())
    assert (0, 0, 0) == await house.waiting()


async def test_large_wrong_body_is_cut_before_its_last_byte(house: House) -> None:
    """Its first bytes are with the client already; a complete answer must not be."""
    await house.put(LARGE)
    await house.add_copy("two")
    spoil(house, "one")
    stored = await house.store.find(house.bucket, ObjectKey(KEY))
    got: list[bytes] = []

    async def download() -> None:
        whole = Interval(0, len(LARGE))
        async with house.store.open(house.bucket, stored, whole) as reader:
            while piece := await reader.read():
                got.append(piece)

    with pytest.raises(BackendsFailed):
        await download()

    assert 0 < sum(map(len, got)) < len(LARGE)
    assert LocationState.SUSPECT == (await _states(house))["one"]
    assert LARGE == await house.get()


async def test_body_is_checked_at_its_end_when_memory_is_short(house: House) -> None:
    """A thousand readers of small objects must not hold a gibibyte."""
    await house.put(SMALL)
    await house.add_copy("two")
    spoil(house, "one")
    while house.reads.take_memory(limits.CHECKED_BYTES):
        pass
    with pytest.raises(BackendsFailed):
        await house.get()

    assert SMALL == await house.get()


async def test_memory_is_given_back(house: House) -> None:
    """Else the hundredth read would be the last one that is repaired on the way."""
    await house.put(SMALL)
    for _ in range(limits.CHECKED_TOTAL_BYTES // len(SMALL) + 2):
        assert SMALL == await house.get()

    assert limits.CHECKED_BYTES == house.reads.take_memory(limits.CHECKED_BYTES)
    assert [] == house.rig.observer.of(CorruptionFound)


async def test_a_range_proves_nothing(house: House) -> None:
    """Its digest is another one, and no copy may be accused for that."""
    await house.put(SMALL)
    spoil(house, "one")
    await house.get(start=0, stop=len(SMALL) - 1)
    await house.get(start=1)

    assert [] == house.rig.observer.of(IntegrityChecked)
    assert {"one": LocationState.LIVE} == await _states(house)


async def test_a_client_that_leaves_proves_nothing(house: House) -> None:
    """The bytes that it did not wait for are not missing."""
    await house.put(LARGE)
    stored = await house.store.find(house.bucket, ObjectKey(KEY))
    async with house.store.open(
        house.bucket, stored, Interval(0, len(LARGE))
    ) as reader:
        await reader.read()

    assert [] == house.rig.observer.of(IntegrityChecked)
    assert {"one": LocationState.LIVE} == await _states(house)


async def test_right_body_over_two_copies_accuses_nobody(house: House) -> None:
    """A backend that breaks off is a backend that breaks off."""
    await house.put(LARGE)
    await house.add_copy("two")
    house.rig.inner["one"].faults.next("open", Fault.TRUNCATED)

    assert LARGE == await house.get()
    assert [] == house.rig.observer.of(CorruptionFound)


@pytest.mark.parametrize("is_native", [True, False])
async def test_multipart_body_is_proved_by_its_etag(
    house: House, *, is_native: bool
) -> None:
    """Its SHA-256 is not known, but the MD5s of its parts are."""
    for inner in house.rig.inner.values():
        inner.traits = replace(inner.traits, has_multipart=is_native)
    upload = Uploading(house)
    await upload.create()
    await upload.parts([SMALL[:100_000], SMALL[100_000:]])
    await upload.complete()
    assert SMALL == await house.get()
    house.rig.inner["one"].faults.next("open", Fault.FLIPPED)
    with pytest.raises(BackendsFailed):
        await house.get()

    stored = await house.store.find(house.bucket, ObjectKey(KEY))
    states = [place.state for place in stored.locations]
    # Of two blobs only the wrong one is accused.
    assert [LocationState.SUSPECT, LocationState.LIVE][: len(states)] == states


async def test_nothing_is_checked_unless_it_is_asked_for(house: House) -> None:
    """verify_on_read is a choice of its own."""
    house.rules.append(IntegrityRules(is_enabled=True))
    await house.put(SMALL)
    spoil(house, "one")

    assert SMALL != await house.get()


@pytest.mark.parametrize("state", ["lost", "quarantined"])
async def test_lost_and_quarantined_copies_never_answer(
    house: House, state: str
) -> None:
    """There is nothing there, or it is wrong; 503 says that a person must look."""
    await house.put(SMALL)
    house.connection.execute("UPDATE object_locations SET state = ?", (state,))
    with pytest.raises(BackendsFailed):
        await house.get(start=3, stop=4)

    assert not [call for call in house.rig.inner["one"].books.calls if "open" in call]
