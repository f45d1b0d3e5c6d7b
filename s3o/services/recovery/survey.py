"""List every backend: what is there of what the backups tell, and what else there is.

A name of our own shape that no backup knows is asked for its record. The blob is
then read from end to end, so that its digests are proved before it becomes an object,
unless it is a copy of a known blob and its provider names the same MD5. What cannot be
asked or read is kept for a person. Names of other clusters, and names of no shape of
ours, are counted and left alone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial

import trio

from s3o.backends.guard import Guarded
from s3o.ledger import recovery as steps
from s3o.ledger import recovery_candidates as candidates
from s3o.ledger.backups import NO_BUCKET, NO_KEY
from s3o.ledger.buckets import find_bucket
from s3o.ledger.cleanup_rows import Discard
from s3o.ledger.ledger import Ledger
from s3o.ledger.recovery import Known
from s3o.ledger.recovery_candidates import Candidate
from s3o.ledger.seam import Tx
from s3o.model.backup_names import BACKUP_PREFIX, LAST_SEQUENCE
from s3o.model.checksums import DEFAULT_ALGORITHM
from s3o.model.errors import (
    BackendError,
    BlobDamaged,
    BlobMissing,
)
from s3o.model.names import (
    BucketName,
    ObjectKey,
    StorageKey,
    StorageName,
    parse_storage_key,
)
from s3o.model.seams import Clock
from s3o.model.values import BlobInfo, ListedBlob, ObjectFacts
from s3o.services.listing import Listing
from s3o.services.recovery.base import Say, keep
from s3o.wire.digests import Hasher
from s3o.wire.record import RecordedBlob, parse_record

AT_ONCE = 16  # blobs that are read side by side


@dataclass(slots=True)
class Seen:
    """What the backends hold, in counts; of the unusual also the names."""

    names: int = 0
    known: int = 0
    wrong_size: int = 0
    candidates: int = 0
    foreign: int = 0
    other_clusters: int = 0
    highest_sequence: int = 0
    highest_bucket_id: int = 0
    complaints: list[str] = field(default_factory=list)


class Survey:
    """Goes through one backend after the other."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        cluster_id: str,
        seen: Seen,
        say: Say,
        *,
        told: Collection[int],
    ) -> None:
        """told: ids of the buckets that the backups tell of."""
        self._told = told
        self._ledger = ledger
        self._clock = clock
        self._cluster_id = cluster_id
        self._seen = seen
        self._say = say

    async def go_through(self, backend: Guarded) -> None:
        """List backend to its end; raises BackendError if that is not possible."""
        listing = Listing(backend, must_ascend=False)
        count = 0
        while not listing.is_over:
            blobs = await listing.next_page()
            await self._judge_page(backend, blobs)
            count += len(blobs)
            if not listing.is_over:
                self._say(f"{backend.name}: {count} names")
        self._say(f"{backend.name}: {count} names in all")

    async def _judge_page(self, backend: Guarded, blobs: Sequence[ListedBlob]) -> None:
        own = [blob for blob in blobs if not blob.name.startswith(BACKUP_PREFIX)]
        self._seen.names += len(own)
        listed = [(StorageKey(blob.name), blob.stored_bytes) for blob in own]
        verdicts = await self._ledger.write(
            partial(steps.match_names, backend=backend.name, listed=listed)
        )
        unknown: list[tuple[ListedBlob, StorageName]] = []
        for blob, verdict in zip(own, verdicts, strict=True):
            self._seen.known += verdict is Known.LOCATION
            if verdict is Known.WRONG_SIZE:
                self._seen.wrong_size += 1
                self._complain(
                    f"{blob.name} on {backend.name}: {blob.stored_bytes} bytes"
                )
            elif verdict is Known.UNKNOWN:
                try:
                    unknown.append((blob, parse_storage_key(blob.name)))
                except ValueError:
                    self._seen.foreign += 1
        limiter = trio.CapacityLimiter(AT_ONCE)
        async with trio.open_nursery() as nursery:
            for blob, name in unknown:
                nursery.start_soon(self._examine, backend, blob, name, limiter)

    async def _examine(
        self,
        backend: Guarded,
        blob: ListedBlob,
        name: StorageName,
        limiter: trio.CapacityLimiter,
    ) -> None:
        storage_key = StorageKey(blob.name)
        async with limiter:
            try:
                info = await backend.head(storage_key)
                told = parse_record(info.headers)
            except BlobMissing:
                return  # listed a while ago
            except BackendError as error:
                self._complain(f"{storage_key} on {backend.name}: {error}")
                found = Discard(
                    backend=backend.name,
                    bucket_id=NO_BUCKET,
                    key=name.key or NO_KEY,
                    storage_key=storage_key,
                    size_bytes=blob.stored_bytes,
                    reason=candidates.UNREAD,
                )
                await self._bury(found, "nobody could ask what it is")
                return
            except ValueError as error:
                self._complain(f"{storage_key} on {backend.name}: {error}")
                return
            key = name.key or (told.key if told is not None else None)
            if told is None or key is None:
                self._complain(f"{storage_key} on {backend.name}: no record")
                return
            await self._take(backend, storage_key, info, told, (name.bucket, key))

    async def _take(
        self,
        backend: Guarded,
        storage_key: StorageKey,
        info: BlobInfo,
        told: RecordedBlob,
        place: tuple[BucketName, ObjectKey],
    ) -> None:
        record = told.record
        if record.cluster_id != self._cluster_id:
            self._seen.other_clusters += 1
            return
        if max(record.sequence, record.bucket_id) > LAST_SEQUENCE:
            self._complain(f"{storage_key} on {backend.name}: beyond any ledger")
            return
        self._seen.highest_sequence = max(self._seen.highest_sequence, record.sequence)
        self._seen.highest_bucket_id = max(
            self._seen.highest_bucket_id, record.bucket_id
        )
        found = Discard(
            backend=backend.name,
            bucket_id=record.bucket_id,
            key=place[1],
            storage_key=storage_key,
            size_bytes=info.stored_bytes,
            reason=candidates.UNREAD,
        )
        known = await self._ledger.read(
            partial(
                candidates.find_known_blob,
                candidate_of=record.version_id,
                place=(record.bucket_id, place[1]),
                blob=record.blob,
            )
        )
        checksum = None
        md5 = info.etag
        if known != (info.stored_bytes, info.etag):
            try:
                hasher = await self._read(backend, storage_key, info.stored_bytes)
            except BackendError as error:
                self._complain(f"{storage_key} on {backend.name}: {error}")
                await self._bury(found, "it could not be read")
                return
            md5, checksum = hasher.md5_hex(), hasher.checksum()
        if record.stored_md5 not in (None, md5):
            self._complain(f"{storage_key} on {backend.name}: not what was written")
            await self._bury(found, "not what was written")
            return
        candidate = Candidate(
            backend=backend.name,
            storage_key=storage_key,
            bucket_id=record.bucket_id,
            key=place[1],
            version_id=record.version_id,
            sequence=record.sequence,
            blob=record.blob,
            size=info.stored_bytes,
            md5=md5,
            checksum=checksum,
            facts=facts_of(info, told),
            created_at_us=info.modified_at_us or self._clock.now_us(),
            is_whole=record.is_whole,
        )
        self._seen.candidates += 1
        note = partial(self._note, candidate=candidate, place=place)
        if not await self._ledger.write(note):
            reason = f"of another bucket {place[0]!r} than the backups know"
            self._complain(f"{storage_key} on {backend.name}: {reason}")
            await self._bury(found, reason)

    async def _bury(self, found: Discard, error: str) -> None:
        """Keep it for a person: nothing that was written is garbage on doubt."""
        await self._ledger.write(
            partial(
                candidates.bury, found=found, error=error, now_us=self._clock.now_us()
            )
        )

    async def _note(
        self, tx: Tx, candidate: Candidate, place: tuple[BucketName, ObjectKey]
    ) -> bool:
        """Note a candidate; False: its bucket is another one than the backups know.

        One record must never be enough to forget a bucket that they tell of.
        """
        if not await steps.has_bucket(tx, candidate.bucket_id):
            twin = await find_bucket(tx, place[0])
            if twin is not None and twin.id in self._told:
                return False
            now_us = self._clock.now_us()
            await steps.make_bucket(tx, candidate.bucket_id, place[0], now_us)
        await candidates.add_candidate(tx, candidate)
        return True

    async def _read(
        self, backend: Guarded, storage_key: StorageKey, size: int
    ) -> Hasher:
        hasher = Hasher(sha256=False, checksum=DEFAULT_ALGORITHM)
        count = 0
        async with backend.open(storage_key) as reader:
            while piece := await reader.read():
                hasher.update(piece)
                count += len(piece)
        if count != size:
            raise BlobDamaged(
                backend=backend.name,
                operation="GetObject",
                reason=f"{count} bytes, announced {size}",
                storage_key=storage_key,
            )
        return hasher

    def _complain(self, text: str) -> None:
        keep(self._seen.complaints, text)
        self._say(text)


def facts_of(info: BlobInfo, told: RecordedBlob) -> ObjectFacts:
    """Return what a blob's headers say of the object; tags stood only in the ledger."""
    standard = dict(info.standard)
    standard.pop("content-encoding", None)
    if told.content_encoding is not None:
        standard["content-encoding"] = told.content_encoding
    return ObjectFacts(
        content_type=info.content_type or ObjectFacts().content_type,
        headers=tuple(sorted(standard.items())),
        metadata=tuple(
            (name, value)
            for name, value in sorted(info.headers.items())
            if not name.startswith("s3o")
        ),
    )
