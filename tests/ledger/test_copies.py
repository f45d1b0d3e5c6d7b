"""Copies of blobs: recorded for what is there now, removed only while others remain."""

from collections.abc import Collection

import pytest

from s3o.ledger.audit import audit
from s3o.ledger.cleanup import CleanupRow, due_rows
from s3o.ledger.copies import (
    CopyOutcome,
    CopyProof,
    NewCopy,
    OpenedCopy,
    commit_copy,
    mark_copy,
    note_copy_upload,
    note_verified,
    open_copy,
    remove_copy,
)
from s3o.ledger.copy_rows import BlobOf, copies_of, find_blob, list_copies_by_backend
from s3o.ledger.deletes import delete_object
from s3o.ledger.intents import drop_intent
from s3o.ledger.quotas import object_counts, quota_rows
from s3o.ledger.seam import Engine
from s3o.model.errors import CopyObsolete, NoRoom
from s3o.model.names import (
    BackendName,
    ObjectKey,
    StorageKey,
    VersionId,
    WriteId,
    make_storage_key,
)
from s3o.model.values import (
    Location,
    LocationState,
    ObjectFacts,
    ObjectVersion,
    QuotaRow,
    WriteConditions,
)
from tests.ledger.house import DIGESTS, ONE, TWO, Writer, furnish

THREE = BackendName("three")
KEY = ObjectKey("cat.jpg")
MD5 = "0123456789abcdef0123456789abcdef"
GOOD = CopyProof(stored_md5=MD5, backend_etag=MD5, is_verified=True)
DAY_US = 86_400_000_000
SIZE = 38  # stored bytes of what Writer.put writes


@pytest.fixture
async def writer(engine: Engine) -> Writer:
    """A ledger with three backends; the second holds at most two of the blobs."""
    return await furnish(engine, {ONE: 1_000_000, TWO: 2 * SIZE, THREE: 0})


class Copies:
    """Copies one object's only blob."""

    def __init__(self, writer: Writer, version: ObjectVersion) -> None:
        self.writer = writer
        self.version = version

    def of(self, blob: int = 0) -> BlobOf:
        """Whose bytes."""
        return BlobOf(
            version_id=self.version.version_id,
            blob=blob,
            bucket_id=self.version.bucket_id,
            bucket=self.writer.bucket.name,
            key=self.version.key,
        )

    async def open(self, backend: BackendName) -> StorageKey:
        """Announce a copy."""
        opened, name = await self.opened(backend)
        assert backend == opened.backend
        return name

    async def opened(self, backend: BackendName) -> tuple[OpenedCopy, StorageKey]:
        """Announce a copy, and show what it is to be made of."""
        self.writer.count += 1
        name = make_storage_key(
            self.writer.bucket.name,
            self.version.key,
            WriteId(f"{self.writer.count:032x}"),
        )
        new = NewCopy(
            storage_key=name,
            backend=backend,
            of=self.of(),
            stored_bytes=SIZE,
            stored_md5=MD5,
            owner="me",
            now_us=self.now_us(),
        )
        return await self.writer.engine.write(lambda tx: open_copy(tx, new)), name

    async def commit(
        self,
        name: StorageKey,
        proof: CopyProof = GOOD,
        *,
        takes_from: BackendName | None = None,
        factor: int = 1,
        counted: Collection[BackendName] | None = None,
    ) -> CopyOutcome:
        """Record a copy."""
        now_us = self.now_us()
        return await self.writer.engine.write(
            lambda tx: commit_copy(
                tx,
                name,
                proof,
                now_us,
                takes_from=takes_from,
                factor=factor,
                counted=counted,
            )
        )

    async def put(self, backend: BackendName, proof: CopyProof = GOOD) -> StorageKey:
        """Announce and record a copy."""
        name = await self.open(backend)
        assert CopyOutcome.COPIED == await self.commit(name, proof)
        return name

    async def remove(
        self,
        backend: BackendName,
        *,
        keep: int,
        counted: Collection[BackendName] | None = None,
    ) -> bool:
        """Take a copy away."""
        now_us = self.now_us()
        return await self.writer.engine.write(
            lambda tx: remove_copy(
                tx,
                self.version.version_id,
                0,
                backend,
                keep=keep,
                reason="surplus",
                now_us=now_us,
                counted=counted,
            )
        )

    async def mark(
        self, place: Location, state: LocationState, at_us: int | None = None
    ) -> bool:
        """Say what is known of a copy."""
        now_us = at_us or self.now_us()
        return await self.writer.engine.write(
            lambda tx: mark_copy(
                tx,
                self.version.version_id,
                place.blob,
                place.backend,
                state,
                now_us,
                place.storage_key,
            )
        )

    async def verify(self, place: Location, md5: str = MD5) -> bool:
        """Say that a copy's bytes were proved."""
        now_us = self.now_us()
        return await self.writer.engine.write(
            lambda tx: note_verified(
                tx,
                self.version.version_id,
                place.blob,
                place.backend,
                place.storage_key,
                now_us,
                md5,
            )
        )

    async def places(self) -> dict[BackendName, Location]:
        """Where the blob lies."""
        found = await self.writer.engine.read(
            lambda tx: copies_of(tx, self.version.version_id)
        )
        return {place.backend: place for place in found}

    def now_us(self) -> int:
        """A later time each time."""
        self.writer.now_us += 1000
        return self.writer.now_us

    async def overwrite(self) -> ObjectVersion:
        """Write the key anew."""
        return (await self.writer.put(self.version.key)).version


async def stored(writer: Writer, *, verified: bool = True) -> Copies:
    """An object on backend one."""
    intent = writer.intent(KEY, facts=ObjectFacts(content_type="image/jpeg"))
    await writer.open(intent)
    copies = Copies(writer, (await writer.commit(intent.storage_key)).version)
    if verified:
        assert await copies.verify((await copies.places())[ONE])
    return copies


async def queued(writer: Writer, backend: BackendName) -> list[CleanupRow]:
    """What is due on a backend."""
    now_us = writer.now_us + DAY_US
    return await writer.engine.scan(lambda tx: due_rows(tx, backend, now_us, 1000))


async def quota(writer: Writer, backend: BackendName) -> QuotaRow:
    """One backend's row."""
    found = await writer.engine.read(quota_rows)
    return next(row for row in found if row.backend == backend)


async def complaints(writer: Writer) -> list[str]:
    """What the audit finds."""
    return await writer.engine.scan(audit)


async def test_a_recorded_copy_is_a_location_and_its_reservation_is_used(
    writer: Writer,
) -> None:
    """A copy that the quota does not know fills a backend unseen."""
    copies = await stored(writer)
    opened, name = await copies.opened(TWO)
    reserved = await quota(writer, TWO)

    outcome = await copies.commit(name)

    place = (await copies.places())[TWO]
    assert SIZE == reserved.reserved_bytes
    assert ("image/jpeg", True) == (opened.facts.content_type, opened.is_whole)
    assert CopyOutcome.COPIED == outcome
    assert (name, MD5, SIZE) == (
        place.storage_key,
        place.stored_md5,
        place.stored_bytes,
    )
    assert place.verified_at_us is not None
    assert (SIZE, 0) == (
        (await quota(writer, TWO)).used_bytes,
        (await quota(writer, TWO)).reserved_bytes,
    )
    assert {ONE: 1, TWO: 1, THREE: 0} == dict(await writer.engine.read(object_counts))
    assert [] == await complaints(writer)


async def test_a_copy_of_an_overwritten_version_is_not_recorded(
    writer: Writer,
) -> None:
    """Else the old bytes would answer for the new object."""
    copies = await stored(writer)
    name = await copies.open(TWO)
    new = Copies(writer, await copies.overwrite())

    outcome = await copies.commit(name)

    assert CopyOutcome.OBSOLETE == outcome
    assert {} == await copies.places()
    assert [ONE] == list(await new.places())
    assert [name] == [row.storage_key for row in await queued(writer, TWO)]
    assert SIZE == (await quota(writer, TWO)).orphan_bytes
    assert [] == await complaints(writer)


async def test_a_copy_of_a_deleted_object_is_not_recorded(writer: Writer) -> None:
    """A deleted object must not come back by its copy."""
    copies = await stored(writer)
    name = await copies.open(TWO)
    await writer.engine.write(
        lambda tx: delete_object(
            tx, writer.bucket, KEY, WriteConditions(), writer.now_us
        )
    )

    outcome = await copies.commit(name)

    assert CopyOutcome.OBSOLETE == outcome
    assert [name] == [row.storage_key for row in await queued(writer, TWO)]
    assert [] == await complaints(writer)


async def test_a_copy_is_announced_only_where_it_is_wanted_and_fits(
    writer: Writer,
) -> None:
    """No byte goes out for nothing, and none over a quota."""
    copies = await stored(writer)
    await copies.put(TWO)
    first = Copies(writer, (await writer.put("other")).version)
    await first.open(TWO)
    second = Copies(writer, (await writer.put("third")).version)

    with pytest.raises(CopyObsolete):
        await copies.open(TWO)
    with pytest.raises(NoRoom):
        await second.open(TWO)
    await copies.overwrite()
    with pytest.raises(CopyObsolete):
        await copies.open(THREE)
    assert [] == await complaints(writer)


async def test_of_two_copies_to_one_backend_one_is_recorded(writer: Writer) -> None:
    """Replicator and drain may want the same thing at the same time."""
    copies = await stored(writer)
    first, second = await copies.open(THREE), await copies.open(THREE)

    outcomes = [await copies.commit(second), await copies.commit(first)]

    assert [CopyOutcome.COPIED, CopyOutcome.OBSOLETE] == outcomes
    assert second == (await copies.places())[THREE].storage_key
    assert [first] == [row.storage_key for row in await queued(writer, THREE)]
    assert [] == await complaints(writer)


async def test_a_copy_whose_intent_was_dropped_is_not_recorded(
    writer: Writer,
) -> None:
    """The reaper took its owner for dead; the name is on its way to be deleted."""
    copies = await stored(writer)
    name = await copies.open(TWO)
    await writer.drop(name)

    outcome = await copies.commit(name)

    assert CopyOutcome.OBSOLETE == outcome
    assert [ONE] == list(await copies.places())
    assert [] == await complaints(writer)


async def test_a_copy_of_other_bytes_is_not_recorded(writer: Writer) -> None:
    """Two verified copies of one blob never differ."""
    copies = await stored(writer)
    name = await copies.open(TWO)

    outcome = await copies.commit(
        name, CopyProof(stored_md5="f" * 32, is_verified=True)
    )

    assert CopyOutcome.OBSOLETE == outcome
    assert [] == await complaints(writer)


async def test_a_move_takes_the_source_in_the_same_transaction(
    writer: Writer,
) -> None:
    """There is no moment in which a moved blob is counted twice or not at all."""
    copies = await stored(writer)
    source = (await copies.places())[ONE]
    name = await copies.open(THREE)

    outcome = await copies.commit(name, takes_from=ONE)

    assert CopyOutcome.MOVED == outcome
    assert [THREE] == list(await copies.places())
    assert [source.storage_key] == [
        row.storage_key for row in await queued(writer, ONE)
    ]
    assert {ONE: 0, TWO: 0, THREE: 1} == dict(await writer.engine.read(object_counts))
    assert [] == await complaints(writer)


@pytest.mark.parametrize("proof", [GOOD, CopyProof(stored_md5=MD5)])
async def test_a_move_keeps_the_source_while_too_few_others_are_good(
    writer: Writer, proof: CopyProof
) -> None:
    """An unproved copy is no reason to delete a proved one."""
    copies = await stored(writer)
    name = await copies.open(THREE)
    factor = 2 if proof.is_verified else 1

    outcome = await copies.commit(name, proof, takes_from=ONE, factor=factor)

    assert CopyOutcome.COPIED == outcome
    assert {ONE, THREE} == set(await copies.places())
    assert [] == await queued(writer, ONE)
    assert [] == await complaints(writer)


async def test_a_copy_is_removed_only_while_enough_others_are_good(
    writer: Writer,
) -> None:
    """The last good copy is never deleted by a machine."""
    copies = await stored(writer)
    alone = await copies.remove(ONE, keep=1)
    none = await copies.remove(ONE, keep=0)
    await copies.put(TWO, CopyProof(stored_md5=MD5))
    beside_unverified = await copies.remove(ONE, keep=1)
    await copies.verify((await copies.places())[TWO])
    uncounted = await copies.remove(ONE, keep=1, counted={ONE, THREE})
    too_few = await copies.remove(ONE, keep=2)
    good = await copies.remove(ONE, keep=1, counted={TWO})
    last = await copies.remove(TWO, keep=1)

    assert [False, False, False, False, False, True, False] == [
        alone,
        none,
        beside_unverified,
        uncounted,
        too_few,
        good,
        last,
    ]
    assert [TWO] == list(await copies.places())
    assert 1 == len(await queued(writer, ONE))
    assert [] == await complaints(writer)


async def test_a_copy_of_a_version_that_is_gone_is_not_removed(
    writer: Writer,
) -> None:
    """A stale plan must not touch the new version."""
    copies = await stored(writer)
    await copies.put(TWO)
    new = Copies(writer, await copies.overwrite())

    assert not await copies.remove(ONE, keep=1)
    assert [ONE] == list(await new.places())


@pytest.mark.parametrize("state", [LocationState.SUSPECT, LocationState.LOST])
async def test_a_good_copy_takes_a_bad_ones_place(
    writer: Writer, state: LocationState
) -> None:
    """With as many backends as copies a damaged one could never be repaired else."""
    copies = await stored(writer)
    old = await copies.put(THREE)
    await copies.mark((await copies.places())[THREE], state)
    name = await copies.open(THREE)

    unproved = await copies.commit(name, CopyProof(stored_md5=MD5))
    new = await copies.put(THREE)

    place = (await copies.places())[THREE]
    assert CopyOutcome.OBSOLETE == unproved
    assert (new, LocationState.LIVE) == (place.storage_key, place.state)
    assert {name, old} == {row.storage_key for row in await queued(writer, THREE)}
    assert [] == await complaints(writer)


async def test_a_quarantined_copy_keeps_its_place(writer: Writer) -> None:
    """It is kept for a person."""
    copies = await stored(writer)
    await copies.put(TWO)
    await copies.mark((await copies.places())[TWO], LocationState.QUARANTINED)

    with pytest.raises(CopyObsolete):
        await copies.open(TWO)


async def test_what_was_seen_before_a_proof_says_nothing_after_it(
    writer: Writer,
) -> None:
    """A slow check must not undo what a later one has proved."""
    copies = await stored(writer)
    before_us = copies.now_us()
    place = (await copies.places())[ONE]
    await copies.verify(place)

    late = await copies.mark(place, LocationState.LOST, before_us)
    other = await copies.mark(
        Location(backend=ONE, storage_key=StorageKey("another"), stored_bytes=SIZE),
        LocationState.LOST,
    )

    assert (False, False) == (late, other)
    assert LocationState.LIVE == (await copies.places())[ONE].state


async def test_only_the_right_bytes_verify_a_location(writer: Writer) -> None:
    """A copy with another digest is not the blob."""
    copies = await stored(writer)
    place = (await copies.places())[ONE]
    await copies.mark(place, LocationState.SUSPECT)

    wrong = await copies.verify(place, "f" * 32)
    suspect = (await copies.places())[ONE]
    right = await copies.verify(place)

    again = (await copies.places())[ONE]
    assert (False, True) == (wrong, right)
    assert (LocationState.SUSPECT, None) == (suspect.state, suspect.verified_at_us)
    assert LocationState.LIVE == again.state
    assert again.verified_at_us is not None


async def test_dropped_copies_give_their_room_back_by_the_queue(
    writer: Writer,
) -> None:
    """Of a native upload the queue knows the backend's own id, to abort it."""
    copies = await stored(writer)
    name = await copies.open(THREE)
    is_noted = await writer.engine.write(
        lambda tx: note_copy_upload(tx, name, "native-1")
    )
    await writer.engine.write(
        lambda tx: drop_intent(tx, name, "copy failed", writer.now_us, True)
    )
    is_late = await writer.engine.write(
        lambda tx: note_copy_upload(tx, name, "native-2")
    )

    [row] = await queued(writer, THREE)
    assert (True, False) == (is_noted, is_late)
    assert (name, "native-1", SIZE) == (
        row.storage_key,
        row.backend_upload_id,
        row.stored_bytes,
    )
    assert SIZE == (await quota(writer, THREE)).orphan_bytes
    assert [] == await complaints(writer)


async def test_a_backends_copies_are_listed_by_name(writer: Writer) -> None:
    """Drain, scrub and reconcile go through a backend without missing a name."""
    for key in ("b", "a", "c"):
        copies = Copies(writer, (await writer.put(key)).version)
        await copies.put(THREE)
    first = await writer.engine.scan(
        lambda tx: list_copies_by_backend(tx, THREE, "", 2)
    )
    after = first[-1].location.storage_key

    rest = await writer.engine.scan(
        lambda tx: list_copies_by_backend(tx, THREE, after, 2)
    )

    assert ["a", "b", "c"] == [row.key for row in (*first, *rest)]
    assert {writer.bucket.name} == {row.bucket for row in first}
    assert {THREE} == {row.location.backend for row in first}


async def test_a_blob_is_found_by_its_version(writer: Writer) -> None:
    """Locations know their version; who copies must know the key."""
    copies = await stored(writer)
    version_id = copies.version.version_id

    found = await writer.engine.read(lambda tx: find_blob(tx, version_id, 0))
    gone = await writer.engine.read(lambda tx: find_blob(tx, VersionId("f" * 32), 0))

    assert found is not None
    assert copies.of() == found[0]
    assert [ONE] == [place.backend for place in found[1]]
    assert gone is None
    assert DIGESTS.md5 == copies.version.etag
