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

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from s3o.backends.fleet import Fleet
from s3o.ledger.commits import Commit
from s3o.ledger.intents import (
    Choose,
    NewIntent,
    OpenedIntent,
    note_digests,
)
from s3o.ledger.ledger import Ledger
from s3o.ledger.seam import Tx
from s3o.ledger.wide_writes import OpenedSide, open_wide
from s3o.model import limits
from s3o.model.errors import (
    BackendCircuitOpen,
    BackendOverUsage,
)
from s3o.model.names import (
    BackendName,
    ObjectKey,
    StorageKey,
    VersionId,
)
from s3o.model.seams import Clock, DigestedSource, Entropy, Transform
from s3o.model.values import (
    BlobHeaders,
    BreakerState,
    Bucket,
    ObjectFacts,
    ObjectVersion,
    PutReceipt,
    QuotaRow,
    WriteConditions,
)
from s3o.objects.announce import Announcer, left_nothing
from s3o.objects.failover import Failover
from s3o.objects.flow import ReplayableSource, ReplayBudget, StoredSource
from s3o.objects.hashed_source import HashedSource
from s3o.objects.live import LiveWrites
from s3o.objects.naming import new_storage_key, new_version_id
from s3o.objects.write_copies import Side, send_to_all, tell
from s3o.policy.receipts import check_receipt
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
        copies: Callable[[], int] = lambda: 0,
    ) -> None:
        """Rules of the moment.

        hashes: whether the SHA-256 of bodies is wanted. copies: how many copies are to
        be made while the client sends.
        """
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
        self._copies = copies
        self._windows = ReplayBudget()

    async def put(self, call: PutCall) -> tuple[ObjectVersion, BackendName]:
        """Store the body as the key's current version; say where it went.

        Raises: what the source raises; PreconditionFailed, NoSuchKey (If-Match on
        nothing), NoRoom, BackendsFailed, WriteLost, LedgerError. Then the key answers
        as before, unless the reaper can prove later that the write was complete.
        """
        version_id = new_version_id(self._entropy, self._clock.now_us())
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
        storage_key = self._new_name(call)
        window_bytes = self._windows.take(call.source.size) if self._copies() else 0
        # A window of nothing: there is no memory for copies now, or no body.
        count = self._copies() if window_bytes or not call.source.size else 0
        names = [self._new_name(call) for _ in range(count)]
        try:
            with ExitStack() as working:
                for name in (storage_key, *names):
                    working.enter_context(self._live.working_on(name))
                wide = await self._open(call, storage_key, version_id, failed, names)
                way = _Way(call, plain, storage_key, version_id, *wide, window_bytes)
                return await self._attempt(way), way.opened.backend
        finally:
            self._windows.give_back(window_bytes)

    def _new_name(self, call: PutCall) -> StorageKey:
        return new_storage_key(self._entropy, call.bucket.name, call.key)

    async def _open(
        self,
        call: PutCall,
        storage_key: StorageKey,
        version_id: VersionId,
        failed: Mapping[BackendName, str],
        side_names: Sequence[StorageKey],
    ) -> tuple[OpenedIntent, list[OpenedSide]]:
        """Reserve room on the best candidate; wait for cleanup where that may help.

        For copies under side_names there is room, or they are left to the replicator.
        """
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

        def choose_sides(rows: Sequence[QuotaRow]) -> Sequence[BackendName]:
            order = self._fleet.order_for_write(
                rows, size=call.source.size, stored_size=stored_size, without=failed
            )
            closed = BreakerState.CLOSED
            return [one for one in order if self._fleet.get(one).state is closed]

        async def reserve(
            tx: Tx, choose: Choose
        ) -> tuple[OpenedIntent, list[OpenedSide]]:
            return await open_wide(tx, intent, choose, side_names, choose_sides)

        return await self._announcer.open(
            reserve,
            operation="PutObject",
            kind="object",
            size=call.source.size,
            stored_size=stored_size,
            failed=failed,
        )

    async def _attempt(self, way: "_Way") -> ObjectVersion:
        call, storage_key = way.call, way.storage_key
        stored = StoredSource(
            way.plain, self._transform, partial(self._before_last, call, storage_key)
        )
        sides = [
            Side(
                storage_key=side.storage_key,
                backend=self._fleet.get(side.backend),
                headers=self._headers(way, side.storage_key, stored.size),
            )
            for side in way.sides
        ]
        try:
            receipt = await self._send(way, stored, sides)
        except (BackendCircuitOpen, BackendOverUsage):
            await self._drop(way, sides, "backend held back", is_ambiguous=False)
            raise
        except BaseException as error:
            # A blob whose last bytes went out may still appear, however late.
            is_ambiguous = stored.is_complete and not left_nothing(error)
            await self._drop(way, sides, "write failed", is_ambiguous=is_ambiguous)
            raise
        return await self._commit(way, stored, receipt, sides)

    async def _drop(
        self, way: "_Way", sides: Sequence[Side], reason: str, *, is_ambiguous: bool
    ) -> None:
        await self._announcer.drop(
            way.storage_key,
            reason,
            is_ambiguous=is_ambiguous,
            sides=[side.given_up() for side in sides],
        )

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
        self, way: "_Way", stored: StoredSource, sides: Sequence[Side]
    ) -> PutReceipt:
        backend = self._fleet.get(way.opened.backend)
        headers = self._headers(way, way.storage_key, stored.size)
        send = partial(backend.put, way.storage_key, headers=headers)
        if sides:
            receipt = await send_to_all(stored, send, sides, way.window_bytes)
        else:
            receipt = await send(stored)
        check_receipt(
            receipt,
            stored.stored_md5 or way.call.source.digests.md5,
            backend=backend.name,
            operation="PutObject",
            storage_key=way.storage_key,
        )
        return receipt

    def _headers(
        self, way: "_Way", storage_key: StorageKey, stored_size: int
    ) -> BlobHeaders:
        call = way.call
        is_plain = stored_size == call.source.size
        record = Record(
            cluster_id=self._cluster_id,
            bucket_id=call.bucket.id,
            version_id=way.version_id,
            sequence=way.opened.sequence,
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
        way: "_Way",
        stored: StoredSource,
        receipt: PutReceipt,
        sides: Sequence[Side],
    ) -> ObjectVersion:
        digests = way.call.source.digests
        md5 = stored.stored_md5 or digests.md5
        commit = Commit(
            storage_key=way.storage_key,
            digests=digests,
            etag=digests.md5,
            now_us=self._clock.now_us(),
            stored_md5=md5,
            backend_version=receipt.backend_version,
            backend_etag=receipt.etag or None,
            is_verified=receipt.etag_is_md5,
        )
        ended = [side.ended(md5) for side in sides]
        committed = await self._announcer.commit(commit, ended)
        tell(sides, self._announcer.observer)
        return committed.version


@dataclass(frozen=True, slots=True)
class _Way:
    """One attempt of one write: what it is of, and where it goes."""

    call: PutCall
    plain: ReplayableSource
    storage_key: StorageKey
    version_id: VersionId
    opened: OpenedIntent
    sides: Sequence[OpenedSide]
    window_bytes: int
