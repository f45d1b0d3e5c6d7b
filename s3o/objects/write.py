"""PUT: announce the intent, stream to a backend, commit, acknowledge.

Theory of what can go wrong (ADR 0001). Before the commit the key answers as before;
after it, the new value. At every await in between the intent in the ledger says what
may lie on which backend, so whoever comes later (the reaper, the cleanup queue) can
finish or undo it:

- the source fails (client gone, digest wrong): the intent is dropped, its reservation
  becomes orphan bytes, the name is queued for deletion;
- the backend fails: the same, and the next candidate begins if the body can rewind;
- the commit is refused (a condition, the bucket): the same;
- the commit's outcome is unknown, or the ledger is gone: the intent stays. Bytes are
  never deleted on doubt.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from s3o.backends.fleet import Fleet
from s3o.ledger.commits import Commit
from s3o.ledger.intents import (
    Choose,
    NewIntent,
    OpenedIntent,
    note_digests,
    open_intent,
)
from s3o.ledger.ledger import Ledger
from s3o.ledger.seam import Tx
from s3o.model import limits
from s3o.model.errors import (
    BackendCircuitOpen,
    BackendOverUsage,
    BlobDamaged,
)
from s3o.model.names import (
    BackendName,
    ObjectKey,
    StorageKey,
    VersionId,
    make_storage_key,
    make_version_id,
    make_write_id,
)
from s3o.model.seams import Clock, DigestedSource, Entropy, Transform
from s3o.model.values import (
    BlobHeaders,
    Bucket,
    ObjectFacts,
    ObjectVersion,
    PutReceipt,
    WriteConditions,
)
from s3o.objects.announce import Announcer, left_nothing
from s3o.objects.failover import Failover
from s3o.objects.flow import ReplayableSource, StoredSource
from s3o.objects.hashed_source import HashedSource
from s3o.objects.live import LiveWrites
from s3o.wire.record import Record, plan_blob_headers


@dataclass(frozen=True, slots=True, kw_only=True)
class PutCall:
    """One PUT as the door understood it; source verifies and digests the body."""

    bucket: Bucket
    key: ObjectKey
    facts: ObjectFacts
    conditions: WriteConditions
    source: DigestedSource


class Writer:
    """Carries out PUTs."""

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        transform: Transform,
        clock: Clock,
        entropy: Entropy,
        *,
        cluster_id: str,
        live: LiveWrites,
        announcer: Announcer,
        failover: Failover,
        hashes: Callable[[], bool] = lambda: False,
    ) -> None:
        """hashes: whether the SHA-256 of bodies is wanted now."""
        self._ledger = ledger
        self._fleet = fleet
        self._transform = transform
        self._clock = clock
        self._entropy = entropy
        self._cluster_id = cluster_id
        self._live = live
        self._announcer = announcer
        self._failover = failover
        self._hashes = hashes

    async def put(self, call: PutCall) -> tuple[ObjectVersion, BackendName]:
        """Store the body as the key's current version; say where it went.

        Raises: what the source raises; PreconditionFailed, NoSuchKey (If-Match on
        nothing), NoRoom, BackendsFailed, WriteLost, LedgerError. Then the key answers
        as before, unless the reaper can prove later that the write was complete.
        """
        version_id = make_version_id(self._clock.now_us(), self._entropy.token(10))
        if self._hashes() and call.source.declared_sha256 is None:
            call = replace(call, source=HashedSource(call.source))
        return await self._failover.carry(
            "PutObject", call.source, partial(self._put_once, call, version_id)
        )

    async def _put_once(
        self,
        call: PutCall,
        version_id: VersionId,
        plain: ReplayableSource,
        failed: Mapping[BackendName, str],
    ) -> tuple[ObjectVersion, BackendName]:
        write_id = make_write_id(self._entropy.token(16))
        storage_key = make_storage_key(call.bucket.name, call.key, write_id)
        with self._live.working_on(storage_key):
            opened = await self._open(call, storage_key, version_id, failed)
            version = await self._attempt(call, plain, storage_key, version_id, opened)
            return version, opened.backend

    async def _open(
        self,
        call: PutCall,
        storage_key: StorageKey,
        version_id: VersionId,
        failed: Mapping[BackendName, str],
    ) -> OpenedIntent:
        """Reserve room on the best candidate; wait for cleanup where that may help."""
        stored_size = self._transform.stored_size(call.source.size)
        intent = NewIntent(
            storage_key=storage_key,
            bucket_id=call.bucket.id,
            bucket=call.bucket.name,
            key=call.key,
            version_id=version_id,
            size=call.source.size,
            stored_size=stored_size,
            facts=call.facts,
            conditions=call.conditions,
            now_us=self._clock.now_us(),
            owner=self._cluster_id,
        )

        async def reserve(tx: Tx, choose: Choose) -> OpenedIntent:
            return await open_intent(tx, intent, choose)

        return await self._announcer.open(
            reserve,
            operation="PutObject",
            kind="object",
            size=call.source.size,
            stored_size=stored_size,
            failed=failed,
        )

    async def _attempt(
        self,
        call: PutCall,
        plain: ReplayableSource,
        storage_key: StorageKey,
        version_id: VersionId,
        opened: OpenedIntent,
    ) -> ObjectVersion:
        stored = StoredSource(
            plain, self._transform, partial(self._before_last, call, storage_key)
        )
        try:
            receipt = await self._send(call, storage_key, version_id, opened, stored)
        except (BackendCircuitOpen, BackendOverUsage):
            await self._announcer.drop(
                storage_key, "backend held back", is_ambiguous=False
            )
            raise
        except BaseException as error:
            # A blob whose last bytes went out may still appear, however late.
            await self._announcer.drop(
                storage_key,
                "write failed",
                is_ambiguous=stored.is_complete and not left_nothing(error),
            )
            raise
        return await self._commit(call, storage_key, stored, receipt)

    async def _before_last(
        self, call: PutCall, storage_key: StorageKey, stored_md5: str | None
    ) -> None:
        """Write the digests of a large body down before it can be complete."""
        if call.source.size > limits.REPLAY_BYTES:
            digests = call.source.digests
            await self._ledger.write(
                partial(
                    note_digests,
                    storage_key=storage_key,
                    digests=digests,
                    stored_md5=stored_md5 or digests.md5,
                )
            )

    async def _send(
        self,
        call: PutCall,
        storage_key: StorageKey,
        version_id: VersionId,
        opened: OpenedIntent,
        stored: StoredSource,
    ) -> PutReceipt:
        backend = self._fleet.get(opened.backend)
        headers = self._headers(call, storage_key, version_id, opened, stored.size)
        receipt = await backend.put(storage_key, stored, headers)
        md5 = stored.stored_md5 or call.source.digests.md5
        if receipt.etag_is_md5 and receipt.etag != md5:
            raise BlobDamaged(
                backend=opened.backend,
                operation="PutObject",
                reason="the backend's ETag is not the MD5 of what was sent",
                storage_key=storage_key,
            )
        return receipt

    def _headers(
        self,
        call: PutCall,
        storage_key: StorageKey,
        version_id: VersionId,
        opened: OpenedIntent,
        stored_size: int,
    ) -> BlobHeaders:
        is_plain = stored_size == call.source.size
        record = Record(
            cluster_id=self._cluster_id,
            bucket_id=call.bucket.id,
            version_id=version_id,
            sequence=opened.sequence,
            stored_bytes=stored_size,
        )
        return plan_blob_headers(
            record,
            call.facts,
            storage_key=storage_key,
            key=call.key,
            stored_sha256=call.source.declared_sha256 if is_plain else None,
        )

    async def _commit(
        self,
        call: PutCall,
        storage_key: StorageKey,
        stored: StoredSource,
        receipt: PutReceipt,
    ) -> ObjectVersion:
        digests = call.source.digests
        commit = Commit(
            storage_key=storage_key,
            digests=digests,
            etag=digests.md5,
            now_us=self._clock.now_us(),
            stored_md5=stored.stored_md5 or digests.md5,
            backend_version=receipt.backend_version,
            backend_etag=receipt.etag or None,
            is_verified=receipt.etag_is_md5,
        )
        return (await self._announcer.commit(commit)).version
