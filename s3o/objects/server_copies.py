"""Copy an object on the backends that have it: no byte of it passes through here.

Blob by blob, each on a backend that holds it, may take another one and copies by
itself; layout, parts and ETag stay as they are (ADR 0008). Every blob has an intent of
its own, so whatever happens on the way, each is undone by itself, and the version
appears with all of them or not at all. A blob that fails on one backend is tried on the
next that has it; when none is left, what was copied is given up.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import trio

from s3o.backends.copying import copy_blob
from s3o.backends.fleet import Fleet
from s3o.ledger.intents import NewIntent, OpenedIntent, note_digests, open_intent
from s3o.ledger.ledger import Ledger
from s3o.ledger.object_copies import (
    CopiedBlob,
    CopyCommit,
    commit_object_copy,
    drop_object_copy,
)
from s3o.ledger.seam import Tx
from s3o.model import limits
from s3o.model.errors import BackendError, BlobDamaged, NoRoom, S3OError
from s3o.model.facts import IntentOpened
from s3o.model.names import (
    BackendName,
    ObjectKey,
    StorageKey,
    VersionId,
)
from s3o.model.seams import Clock, Entropy, Observer
from s3o.model.values import (
    Bucket,
    ChecksumAlgorithm,
    ChecksumType,
    Digests,
    Location,
    LocationState,
    ObjectFacts,
    ObjectVersion,
    QuotaRow,
    StoredObject,
    WriteConditions,
)
from s3o.objects.announce import Announcer, left_nothing
from s3o.objects.failover import note_failover
from s3o.objects.live import LiveWrites
from s3o.objects.naming import new_storage_key, new_version_id
from s3o.objects.read_order import order_for_read
from s3o.policy.blob_copy import can_copy_blob
from s3o.policy.receipts import NOT_THE_SOURCE, check_receipt
from s3o.wire.record import Record, plan_blob_headers

OPERATION = "CopyObject"
DROP_BATCH = 500  # blobs of one transaction; other writes wait meanwhile
_NO_FACTS = ObjectFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyCall:
    """One copy as the door understood it.

    source was found a moment ago, without an await since. checksum: the algorithm that
    the client asks for; None keeps the source's.
    """

    source_bucket: Bucket
    source: StoredObject
    bucket: Bucket
    key: ObjectKey
    facts: ObjectFacts
    conditions: WriteConditions
    checksum: ChecksumAlgorithm | None = None


@dataclass(frozen=True, slots=True)
class SourceBlob:
    """One blob of a source; size in plaintext bytes, places best first."""

    number: int
    size: int
    places: tuple[Location, ...]


@dataclass(slots=True)
class _Work:
    """One copy under way."""

    call: CopyCall
    digests: Digests
    version_id: VersionId
    blobs: tuple[SourceBlob, ...]
    live: contextlib.ExitStack
    copied: dict[int, CopiedBlob] = field(default_factory=dict)
    failure: S3OError | None = None
    backend: BackendName | None = None  # of the first blob


class ServerCopier:
    """Copies objects where they lie. Owns: nothing."""

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        clock: Clock,
        entropy: Entropy,
        *,
        cluster_id: str,
        live: LiveWrites,
        announcer: Announcer,
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock
        self._entropy = entropy
        self._cluster_id = cluster_id
        self._live = live
        self._announcer = announcer

    def plan(self, call: CopyCall) -> tuple[SourceBlob, ...] | None:
        """Return the source's blobs if backends could copy each of them.

        None: some digest must be computed, or one of the blobs must pass through here.
        """
        if _known_digests(call) is None:
            return None
        blobs = []
        places = order_for_read(self._fleet, call.source.locations)
        by_number: dict[int, list[Location]] = {}
        for place in places:
            if self._is_able(place):
                by_number.setdefault(place.blob, []).append(place)
        sizes = _sizes_of(call.source.version)
        if sum(sizes.values()) != call.source.version.size:
            return None  # somebody has edited the ledger; reading will tell
        for number, size in sorted(sizes.items()):
            if number not in by_number:
                return None
            blobs.append(SourceBlob(number, size, tuple(by_number[number])))
        return tuple(blobs)

    def _is_able(self, place: Location) -> bool:
        """Whether its backend copies it; others may have changed imported bytes."""
        traits = self._fleet.get(place.backend).traits
        return (
            can_copy_blob(traits, place.stored_bytes)
            and not place.is_imported
            and place.state is LocationState.LIVE
        )

    async def copy(
        self, call: CopyCall, blobs: tuple[SourceBlob, ...]
    ) -> tuple[ObjectVersion, BackendName]:
        """Copy a plan's blobs, make them the current version; say where the first is.

        Raises BackendError or NoRoom when a blob can be copied nowhere (the bytes may
        go through here then); PreconditionFailed, NoSuchKey, NoSuchBucket,
        QuotaExceeded, WriteLost, LedgerError. Then the key answers as before.
        """
        digests = _known_digests(call)
        assert digests is not None, "planned"
        version_id = new_version_id(self._entropy, self._clock.now_us())
        with contextlib.ExitStack() as live:
            work = _Work(call, digests, version_id, blobs, live)
            try:
                await self._copy_all(work)
            except BaseException:
                await self._give_up(work, "copy failed")
                raise
            assert work.backend is not None, "the first blob is somewhere"
            return await self._commit(work), work.backend

    async def _copy_all(self, work: _Work) -> None:
        if len(work.blobs) == 1:
            await self._copy_one(work, work.blobs[0])
            return
        waiting = iter(work.blobs)

        async def copy_next() -> None:
            for blob in waiting:
                try:
                    await self._copy_one(work, blob)
                except S3OError as error:
                    work.failure = work.failure or error
                    nursery.cancel_scope.cancel()
                    return

        async with trio.open_nursery() as nursery:
            for _ in range(min(limits.COPIES_AT_ONCE, len(work.blobs))):
                nursery.start_soon(copy_next)
        if work.failure is not None:
            raise work.failure

    async def _copy_one(self, work: _Work, blob: SourceBlob) -> None:
        """Copy a blob on the first of its backends that does it."""
        failure: BackendError | NoRoom | None = None
        for place in blob.places:
            try:
                work.copied[blob.number] = await self._try(work, blob, place)
            except NoRoom as error:
                failure = failure or error
            except BackendError as error:
                note_failover(self._observer, OPERATION, error)
                failure = error
            else:
                if blob is work.blobs[0]:
                    work.backend = place.backend
                return
        assert failure is not None, "a blob is somewhere"
        raise failure

    async def _try(self, work: _Work, blob: SourceBlob, place: Location) -> CopiedBlob:
        """Announce a copy of the blob on one backend, and have it made there."""
        call = work.call
        storage_key = new_storage_key(self._entropy, call.bucket.name, call.key)
        work.live.enter_context(self._live.working_on(storage_key))
        opened = await self._open(work, blob, place, storage_key)
        try:
            return await self._ask(work, blob, place, storage_key, opened)
        except BaseException as error:
            is_certain = isinstance(error, BlobDamaged) or left_nothing(error)
            await self._announcer.drop(
                storage_key, "copy failed", is_ambiguous=not is_certain
            )
            raise

    async def _open(
        self, work: _Work, blob: SourceBlob, place: Location, storage_key: StorageKey
    ) -> OpenedIntent:
        """Reserve room beside the source; a whole object's digests are known already.

        Conditions are decided by the first blob's intent and by the commit.
        """
        call, is_first = work.call, blob is work.blobs[0]
        intent = NewIntent(
            storage_key=storage_key,
            bucket_id=call.bucket.id,
            bucket=call.bucket.name,
            key=call.key,
            version_id=work.version_id,
            size=blob.size,
            stored_size=place.stored_bytes,
            facts=call.facts if is_first else _NO_FACTS,
            conditions=call.conditions,
            now_us=self._clock.now_us(),
            owner=self._cluster_id,
            blob=blob.number,
        )

        def choose(rows: Sequence[QuotaRow]) -> Sequence[BackendName]:
            candidates = self._fleet.order_for_write(
                rows, size=blob.size, stored_size=place.stored_bytes
            )
            return [name for name in candidates if name == place.backend]

        async def announce(tx: Tx) -> OpenedIntent:
            opened = await open_intent(tx, intent, choose)
            if is_one_put(call.source.version) and place.stored_md5 is not None:
                await note_digests(tx, storage_key, work.digests, place.stored_md5)
            return opened

        opened = await self._ledger.write(announce)
        self._observer.note(IntentOpened(kind="object"))
        return opened

    async def _ask(
        self,
        work: _Work,
        blob: SourceBlob,
        place: Location,
        storage_key: StorageKey,
        opened: OpenedIntent,
    ) -> CopiedBlob:
        """Have the provider copy, and compare what it says of it."""
        call = work.call
        record = Record(
            cluster_id=self._cluster_id,
            bucket_id=call.bucket.id,
            version_id=work.version_id,
            sequence=opened.sequence,
            blob=blob.number,
            is_whole=is_one_put(call.source.version),
            stored_bytes=place.stored_bytes,
            stored_md5=place.stored_md5,
        )
        headers = plan_blob_headers(
            record, call.facts, storage_key=storage_key, key=call.key
        )
        receipt = await copy_blob(
            self._fleet.get(place.backend),
            place.storage_key,
            storage_key,
            headers,
            place.stored_bytes,
        )
        is_proved = check_receipt(
            receipt,
            place.stored_md5,
            backend=place.backend,
            operation=OPERATION,
            storage_key=storage_key,
            reason=NOT_THE_SOURCE,
        )
        return CopiedBlob(
            storage_key=storage_key,
            stored_md5=place.stored_md5,
            backend_version=receipt.backend_version,
            backend_etag=receipt.etag or None,
            is_verified=is_proved,
        )

    async def _commit(self, work: _Work) -> ObjectVersion:
        copied = [blob for _, blob in sorted(work.copied.items())]
        commit = CopyCommit(
            source=work.call.source.version,
            blobs=tuple(copied),
            digests=work.digests,
            now_us=self._clock.now_us(),
        )
        committed = await self._announcer.settle(
            partial(commit_object_copy, commit=commit),
            copied[0].storage_key,
            partial(self._give_up, work, "commit refused"),
        )
        if committed.displaced:
            self._announcer.poke()
        return committed.version

    async def _give_up(self, work: _Work, reason: str) -> None:
        """Undo the blobs that were copied, whatever is going on."""
        keys = [blob.storage_key for _, blob in sorted(work.copied.items())]
        for start in range(0, len(keys), DROP_BATCH):
            batch = keys[start : start + DROP_BATCH]
            await self._announcer.undo(
                partial(
                    drop_object_copy,
                    storage_keys=batch,
                    reason=reason,
                    now_us=self._clock.now_us(),
                ),
                batch[0],
            )


def is_one_put(version: ObjectVersion) -> bool:
    """Whether the version is one blob in one piece: its record tells all of it."""
    return not version.layout and not version.part_sizes


def _sizes_of(version: ObjectVersion) -> dict[int, int]:
    """Return the plaintext size of each blob."""
    if not version.layout:
        return {0: version.size}
    sizes: dict[int, int] = {}
    for blob, _, length in version.layout:
        sizes[blob] = sizes.get(blob, 0) + length
    return sizes


def _known_digests(call: CopyCall) -> Digests | None:
    """Return the copy's digests if nothing has to be computed over its bytes."""
    version = call.source.version
    checksum = version.checksum
    if call.checksum is not None and (
        checksum is None
        or checksum.algorithm is not call.checksum
        or checksum.type is not ChecksumType.FULL_OBJECT
    ):
        return None
    return Digests(md5=version.etag, checksum=checksum, sha256=version.sha256)
