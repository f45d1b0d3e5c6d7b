"""Copy an object: on the backend that has it if possible, else through here.

A copy on one backend moves no bytes: the provider is asked once, and every digest is
known beforehand because the bytes are the same. It is tried where a backend holds the
whole object as one blob and may take another one. Otherwise, or when that fails, the
source is read as a GET reads it and written as a PUT writes it.

The source is the version that was found: its blobs are spared while the copy reads
them, and an overwrite meanwhile changes nothing. Its digests are compared before the
last bytes are released, so a damaged source never becomes a good-looking copy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from s3o.backends.fleet import Fleet
from s3o.ledger.commits import Commit
from s3o.ledger.intents import NewIntent, OpenedIntent, note_digests, open_intent
from s3o.ledger.ledger import Ledger
from s3o.ledger.seam import Tx
from s3o.model import limits
from s3o.model.errors import (
    BackendCircuitOpen,
    BackendError,
    BackendOverUsage,
    BlobDamaged,
    NoRoom,
)
from s3o.model.facts import IntentOpened
from s3o.model.names import (
    BackendName,
    ObjectKey,
    StorageKey,
    VersionId,
    make_storage_key,
    make_version_id,
    make_write_id,
)
from s3o.model.seams import Clock, Entropy, Observer, Transform
from s3o.model.values import (
    BlobHeaders,
    Bucket,
    ChecksumAlgorithm,
    Digests,
    Interval,
    Location,
    ObjectFacts,
    ObjectVersion,
    QuotaRow,
    StoredObject,
    WriteConditions,
)
from s3o.objects.announce import Announcer, left_nothing
from s3o.objects.copied_source import CopiedSource
from s3o.objects.failover import note_failover
from s3o.objects.live import LiveReads, LiveWrites
from s3o.objects.read import ObjectReader
from s3o.objects.read_order import order_for_read
from s3o.objects.write import PutCall, Writer
from s3o.observe.operation import Operation
from s3o.wire.record import Record, plan_blob_headers

OPERATION = "CopyObject"


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


class Copier:
    """Carries out copies of whole objects."""

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        transform: Transform,
        writer: Writer,
        observer: Observer,
        clock: Clock,
        entropy: Entropy,
        *,
        cluster_id: str,
        live: LiveWrites,
        reads: LiveReads,
        announcer: Announcer,
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._transform = transform
        self._writer = writer
        self._observer = observer
        self._clock = clock
        self._entropy = entropy
        self._cluster_id = cluster_id
        self._live = live
        self._reads = reads
        self._announcer = announcer

    async def copy(self, call: CopyCall) -> ObjectVersion:
        """Make the source's bytes the current version of bucket and key.

        Raises: PreconditionFailed, NoSuchKey (If-Match on nothing),
        NoRoom, BackendsFailed, UsageExhausted, WriteLost, LedgerError.
        """
        held = tuple(place.storage_key for place in call.source.locations)
        self._reads.begin(held)
        try:
            with self._operation(OPERATION, call.bucket, call.key) as operation:
                operation.size = call.source.version.size
                version = await self._copy_on_a_backend(call, operation)
                if version is None:
                    version, operation.backend = await self._copy_through(call)
                return version
        finally:
            self._reads.end(held)

    # ---- through here

    async def _copy_through(self, call: CopyCall) -> tuple[ObjectVersion, BackendName]:
        version = call.source.version
        whole = Interval(0, version.size) if version.size else None
        async with self.open(call.source_bucket, call.source, whole) as reader:
            return await self._writer.put(
                PutCall(
                    bucket=call.bucket,
                    key=call.key,
                    facts=call.facts,
                    conditions=call.conditions,
                    source=CopiedSource(
                        reader, version, whole, call.checksum, operation=OPERATION
                    ),
                )
            )

    def open(
        self, bucket: Bucket, stored: StoredObject, interval: Interval | None
    ) -> ObjectReader:
        """Return a reader of a source's bytes (None: of none), for `async with`."""
        return ObjectReader(
            self._fleet,
            self._transform,
            self._observer,
            self._reads,
            operation=self._operation("GetObject", bucket, stored.version.key),
            stored=stored,
            interval=interval,
        )

    # ---- on one backend

    async def _copy_on_a_backend(
        self, call: CopyCall, operation: Operation
    ) -> ObjectVersion | None:
        """Return the new version, or None if the bytes must go through here."""
        digests = _known_digests(call)
        if digests is None:
            return None
        for location in order_for_read(self._fleet, call.source.locations):
            if not self._fleet.get(location.backend).traits.can_copy:
                continue
            if location.stored_md5 is None or location.is_imported:
                continue  # nothing could be compared with what comes of it
            attempt = _Attempt(call, location, digests, location.stored_md5)
            operation.backend = location.backend
            try:
                return await self._try(attempt)
            except NoRoom:
                continue  # there; another backend may have room
            except BackendError as error:
                note_failover(self._observer, OPERATION, error)
        return None

    async def _try(self, attempt: "_Attempt") -> ObjectVersion:
        call = attempt.call
        write_id = make_write_id(self._entropy.token(16))
        storage_key = make_storage_key(call.bucket.name, call.key, write_id)
        version_id = make_version_id(self._clock.now_us(), self._entropy.token(10))
        with self._live.working_on(storage_key):
            opened = await self._open(attempt, storage_key, version_id)
            backend_version = await self._ask(attempt, storage_key, version_id, opened)
            committed = await self._announcer.commit(
                Commit(
                    storage_key=storage_key,
                    digests=attempt.digests,
                    etag=attempt.digests.md5,
                    now_us=self._clock.now_us(),
                    stored_md5=attempt.stored_md5,
                    backend_version=backend_version,
                )
            )
        return committed.version

    async def _open(
        self, attempt: "_Attempt", storage_key: StorageKey, version_id: VersionId
    ) -> OpenedIntent:
        """Reserve room on the source's backend; the digests are known already."""
        call, location = attempt.call, attempt.location
        size = call.source.version.size
        intent = NewIntent(
            storage_key=storage_key,
            bucket_id=call.bucket.id,
            bucket=call.bucket.name,
            key=call.key,
            version_id=version_id,
            size=size,
            stored_size=location.stored_bytes,
            facts=call.facts,
            conditions=call.conditions,
            now_us=self._clock.now_us(),
            owner=self._cluster_id,
        )

        def choose(rows: Sequence[QuotaRow]) -> Sequence[BackendName]:
            candidates = self._fleet.order_for_write(
                rows, size=size, stored_size=location.stored_bytes
            )
            return [name for name in candidates if name == location.backend]

        async def announce(tx: Tx) -> OpenedIntent:
            opened = await open_intent(tx, intent, choose)
            await note_digests(tx, storage_key, attempt.digests, attempt.stored_md5)
            return opened

        opened = await self._ledger.write(announce)
        self._observer.note(IntentOpened(kind="object"))
        return opened

    async def _ask(
        self,
        attempt: "_Attempt",
        storage_key: StorageKey,
        version_id: VersionId,
        opened: OpenedIntent,
    ) -> str | None:
        """Have the provider copy; return the copy's version there."""
        headers = self._headers(attempt, storage_key, version_id, opened)
        try:
            return await self._copied(attempt, storage_key, headers)
        except (BackendCircuitOpen, BackendOverUsage):
            await self._announcer.drop(
                storage_key, "backend held back", is_ambiguous=False
            )
            raise
        except BaseException as error:
            await self._announcer.drop(
                storage_key,
                "copy failed",
                is_ambiguous=not (
                    isinstance(error, BlobDamaged) or left_nothing(error)
                ),
            )
            raise

    async def _copied(
        self, attempt: "_Attempt", storage_key: StorageKey, headers: BlobHeaders
    ) -> str | None:
        location = attempt.location
        backend = self._fleet.get(location.backend)
        receipt = await backend.copy(location.storage_key, storage_key, headers)
        if receipt.etag_is_md5 and receipt.etag != attempt.stored_md5:
            raise BlobDamaged(
                backend=location.backend,
                operation=OPERATION,
                reason="the copy has another ETag than its source",
                storage_key=storage_key,
            )
        return receipt.backend_version

    def _headers(
        self,
        attempt: "_Attempt",
        storage_key: StorageKey,
        version_id: VersionId,
        opened: OpenedIntent,
    ) -> BlobHeaders:
        call, location = attempt.call, attempt.location
        record = Record(
            cluster_id=self._cluster_id,
            bucket_id=call.bucket.id,
            version_id=version_id,
            sequence=opened.sequence,
            stored_bytes=location.stored_bytes,
            stored_md5=attempt.stored_md5,
        )
        return plan_blob_headers(
            record, call.facts, storage_key=storage_key, key=call.key
        )

    def _operation(self, name: str, bucket: Bucket, key: ObjectKey) -> Operation:
        return Operation(self._observer, self._clock, name, bucket=bucket.name, key=key)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One copy on the backend of one location of the source."""

    call: CopyCall
    location: Location
    digests: Digests
    stored_md5: str


def _known_digests(call: CopyCall) -> Digests | None:
    """Return the copy's digests if nothing has to be computed over its bytes."""
    version = call.source.version
    checksum = version.checksum
    is_one_blob = not version.layout and not version.part_sizes
    if not is_one_blob or version.size > limits.PUT_BYTES or checksum is None:
        return None
    if call.checksum not in (None, checksum.algorithm):
        return None
    return Digests(md5=version.etag, checksum=checksum, sha256=version.sha256)
