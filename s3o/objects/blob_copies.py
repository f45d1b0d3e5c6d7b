"""Copy one blob to one more backend: what replication, moves, drains and repairs share.

The stored bytes travel as they are, ciphertext included, through a bounded buffer. An
intent announces the copy before its first byte; the copy becomes a location only after
the target has proved that it holds the right bytes, and only if the version still wants
it then. At every await in between whoever comes later can undo it by the intent.

A source that is missing or damaged is marked suspect and never deleted; the next source
serves. A target that fails ends the copy: whether to try another is the caller's.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from s3o.backends.fleet import Fleet
from s3o.backends.guard import Guarded
from s3o.ledger.copies import (
    CopyOutcome,
    CopyProof,
    NewCopy,
    OpenedCopy,
    commit_copy,
    mark_copy,
    note_verified,
    open_copy,
)
from s3o.ledger.copy_rows import BlobIdentity
from s3o.ledger.ledger import Ledger
from s3o.ledger.seam import Tx
from s3o.model import limits
from s3o.model.errors import (
    BackendCircuitOpen,
    BackendOverUsage,
    BackendProtocolError,
    BackendsFailed,
    BlobDamaged,
    CopyObsolete,
)
from s3o.model.facts import IntentOpened
from s3o.model.names import BackendName, StorageKey
from s3o.model.seams import Clock, Entropy, Observer
from s3o.model.values import BlobHeaders, Location, LocationState, PutReceipt
from s3o.objects.announce import Announcer, left_nothing
from s3o.objects.blob_source import (
    OPERATION,
    BlobSource,
    order_sources,
    read_md5,
)
from s3o.objects.blob_upload import send_in_parts
from s3o.objects.flow import ReplayableSource
from s3o.objects.live import LiveReads, LiveWrites
from s3o.objects.naming import new_storage_key
from s3o.objects.room import RoomMaker
from s3o.policy.receipts import check_receipt
from s3o.wire.record import Record, plan_blob_headers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """One copy as its caller wants it; places in the order in which they are read."""

    of: BlobIdentity
    places: tuple[Location, ...]
    size: int
    md5: str | None
    target: Guarded
    reason: str
    takes_from: BackendName | None
    factor: int
    counted: Collection[BackendName] | None
    verify: bool


class BlobCopier:
    """Carries out copies of blobs."""

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
        reads: LiveReads,
        announcer: Announcer,
        room: RoomMaker,
        single_put_bytes: int = limits.PUT_BYTES,
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock
        self._entropy = entropy
        self._cluster_id = cluster_id
        self._live = live
        self._reads = reads
        self._announcer = announcer
        self._room = room
        self._single_put_bytes = single_put_bytes

    async def copy(
        self,
        of: BlobIdentity,
        sources: Sequence[Location],
        target: BackendName,
        *,
        reason: str,
        takes_from: BackendName | None = None,
        factor: int = 1,
        counted: Collection[BackendName] | None = None,
        verify: bool = True,
    ) -> CopyOutcome:
        """Give target a copy of the blob that lies at sources.

        takes_from: a move, whose source goes if factor other good copies remain on the
        counted backends (None: on any). reason: what its bytes are queued for. verify:
        read the copy back where the target's answer does not prove it; else it is
        recorded as not verified.

        Raises NoRoom, BackendsFailed (no source serves), BackendOverUsage (of sources
        or target), BackendError (the target failed), WriteLost, LedgerError (the intent
        may stay).
        """
        readable, size, md5 = self._choose(sources)
        wish = _Wish(
            of=of,
            places=readable,
            size=size,
            md5=md5,
            target=self._fleet.get(target),
            reason=reason,
            takes_from=takes_from,
            factor=factor,
            counted=counted,
            verify=verify,
        )
        held = tuple(place.storage_key for place in wish.places)
        self._reads.begin(held)
        try:
            return await self._copy(wish)
        except CopyObsolete:
            return CopyOutcome.OBSOLETE
        finally:
            self._reads.end(held)

    def _choose(
        self, sources: Sequence[Location]
    ) -> tuple[tuple[Location, ...], int, str | None]:
        """Return the sources of one blob, best first, its size and its digest."""
        readable = order_sources(self._fleet, sources)
        if not readable:
            raise BackendsFailed(OPERATION, ("no source can be read",))
        size = readable[0].stored_bytes
        md5 = next((one.stored_md5 for one in readable if one.stored_md5), None)
        places = tuple(
            one
            for one in readable
            if one.stored_bytes == size and one.stored_md5 in (None, md5)
        )
        limits_met = [self._fleet.may_read(one.backend, size) for one in places]
        if None not in limits_met:
            raise BackendOverUsage(
                places[0].backend,
                OPERATION,
                "over a monthly limit",
                limit_type=str(limits_met[0]),
            )
        return places, size, md5

    async def _copy(self, wish: _Wish) -> CopyOutcome:
        """Try with one source less each time that the sources are to blame."""
        failures: list[str] = []
        for first in range(len(wish.places)):
            source = BlobSource(
                self._fleet, self._observer, wish.places[first:], wish.size, wish.md5
            )
            try:
                async with source:
                    outcome = await self._attempt(wish, source)
            except BackendsFailed as error:
                failures += error.reasons
                await self._mark_suspects(wish.of, source.suspects)
                if wish.md5 is not None and not source.is_damaged:
                    break  # it went through all of them
                continue
            await self._mark_suspects(wish.of, source.suspects)
            return outcome
        raise BackendsFailed(OPERATION, tuple(dict.fromkeys(failures)))

    async def _attempt(self, wish: _Wish, source: BlobSource) -> CopyOutcome:
        storage_key = new_storage_key(self._entropy, wish.of.bucket, wish.of.key)
        with self._live.working_on(storage_key):
            opened = await self._open(wish, storage_key)
            proof = await self._transfer(wish, source, storage_key, opened)
            return await self._commit(wish, source, storage_key, proof)

    async def _open(self, wish: _Wish, storage_key: StorageKey) -> OpenedCopy:
        new = NewCopy(
            storage_key=storage_key,
            backend=wish.target.name,
            of=wish.of,
            stored_bytes=wish.size,
            stored_md5=wish.md5,
            owner=self._cluster_id,
            now_us=self._clock.now_us(),
        )
        opened = await self._ledger.write(lambda tx: open_copy(tx, new))
        self._observer.note(IntentOpened(kind="copy"))
        return opened

    async def _transfer(
        self,
        wish: _Wish,
        source: BlobSource,
        storage_key: StorageKey,
        opened: OpenedCopy,
    ) -> CopyProof:
        """Send the bytes and prove that they arrived; whatever fails drops the intent.

        The intent is there: what was sent can be found and undone.
        """
        try:
            receipt, is_proved = await self._send(wish, source, storage_key, opened)
            if not is_proved:
                is_proved = await self._check(wish, source, storage_key)
        except (BackendCircuitOpen, BackendOverUsage):
            await self._announcer.drop(
                storage_key, "backend held back", is_ambiguous=source.is_finished
            )
            raise
        except BaseException as error:
            # A blob whose last bytes went out may still appear, however late.
            await self._announcer.drop(
                storage_key,
                "copy failed",
                is_ambiguous=source.is_finished
                and not (isinstance(error, BlobDamaged) or left_nothing(error)),
            )
            raise
        return CopyProof(
            stored_md5=source.md5 if source.is_known else None,
            backend_etag=receipt.etag or None,
            backend_version=receipt.backend_version,
            is_verified=is_proved and source.is_known,
        )

    async def _send(
        self,
        wish: _Wish,
        source: BlobSource,
        storage_key: StorageKey,
        opened: OpenedCopy,
    ) -> tuple[PutReceipt, bool]:
        """Return the answer, and whether it proves that the right bytes are there."""
        headers = self._headers(wish, storage_key, opened)
        target = wish.target
        if wish.size > self._single_put_bytes and target.traits.has_multipart:
            return await send_in_parts(
                self._ledger, target, storage_key, source, headers
            )
        window = min(wish.size, limits.COPY_REPLAY_BYTES)
        receipt = await target.put(
            storage_key, ReplayableSource(source, window), headers
        )
        is_proved = check_receipt(
            receipt,
            source.md5,
            backend=target.name,
            operation=OPERATION,
            storage_key=storage_key,
        )
        return receipt, is_proved

    def _headers(
        self, wish: _Wish, storage_key: StorageKey, opened: OpenedCopy
    ) -> BlobHeaders:
        record = Record(
            cluster_id=self._cluster_id,
            bucket_id=wish.of.bucket_id,
            version_id=wish.of.version_id,
            sequence=opened.sequence,
            blob=wish.of.blob,
            is_whole=opened.is_whole,
            stored_bytes=wish.size,
            stored_md5=wish.md5,
        )
        return plan_blob_headers(
            record,
            opened.facts,
            storage_key=storage_key,
            key=wish.of.key,
            stored_md5=wish.md5,
        )

    async def _check(
        self, wish: _Wish, source: BlobSource, storage_key: StorageKey
    ) -> bool:
        """Look at the copy; say whether it is proved. Raises BlobDamaged.

        Reading it back is counted as the target's egress.
        """
        target = wish.target
        if not wish.verify:
            info = await target.head(storage_key)
            if info.stored_bytes != wish.size:
                raise _not_what_was_sent(target.name, storage_key)
            return False
        there = Location(
            backend=target.name, storage_key=storage_key, stored_bytes=wish.size
        )
        try:
            found = await read_md5(self._fleet, self._observer, there)
        except BackendsFailed as error:
            raise BackendProtocolError(
                target.name, OPERATION, "the copy cannot be read back"
            ) from error
        if found != source.md5:
            raise _not_what_was_sent(target.name, storage_key)
        return True

    async def _commit(
        self,
        wish: _Wish,
        source: BlobSource,
        storage_key: StorageKey,
        proof: CopyProof,
    ) -> CopyOutcome:
        of, now_us = wish.of, self._clock.now_us()
        is_proof = proof.is_verified and len(source.served) == 1
        proved = source.served[0] if is_proof else None

        async def commit(tx: Tx) -> CopyOutcome:
            md5 = proof.stored_md5
            if proved is not None and proved.verified_at_us is None and md5:
                # All its bytes were read, and are what the target has proved to hold.
                await note_verified(
                    tx,
                    of.version_id,
                    of.blob,
                    proved.backend,
                    proved.storage_key,
                    now_us,
                    md5,
                )
            return await commit_copy(
                tx,
                storage_key,
                proof,
                now_us,
                takes_from=wish.takes_from,
                factor=wish.factor,
                counted=wish.counted,
                reason=wish.reason,
            )

        async def drop() -> None:
            await self._announcer.drop(
                storage_key, "copy not recorded", is_ambiguous=False
            )

        outcome = await self._announcer.settle(commit, storage_key, drop)
        if outcome is not CopyOutcome.COPIED:
            self._room.poke()
        return outcome

    async def _mark_suspects(
        self, of: BlobIdentity, suspects: Sequence[Location]
    ) -> None:
        if not suspects:
            return
        now_us = self._clock.now_us()

        async def mark(tx: Tx) -> None:
            for place in suspects:
                await mark_copy(
                    tx,
                    of.version_id,
                    of.blob,
                    place.backend,
                    LocationState.SUSPECT,
                    now_us,
                    place.storage_key,
                )

        await self._ledger.write(mark)


def _not_what_was_sent(backend: BackendName, storage_key: StorageKey) -> BlobDamaged:
    return BlobDamaged(
        backend=backend,
        operation=OPERATION,
        reason="the copy is not what was sent",
        storage_key=storage_key,
    )
