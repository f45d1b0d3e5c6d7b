"""Let a backend copy a part into its own upload: no byte of it passes through here.

It is tried where the bytes lie in one blob on the backend to which the upload is bound
(an upload without parts is bound there), where they are stored as they were sent, and
where nothing has to be computed over them. A part's ETag is the MD5 of its bytes here,
so the provider must tell it: one that does not is not asked again.

Within the backend's upload a number is sent at most once, and a copy counts as sent. So
whatever fails, the part is made of bytes read and written, as a blob of its own (None).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from s3o.backends.fleet import Fleet
from s3o.ledger.ledger import Ledger
from s3o.ledger.upload_parts import (
    NewPart,
    OpenedPart,
    PartCommit,
    open_part,
)
from s3o.model.errors import NOTHING_WAS_SENT, BackendError, NoRoom
from s3o.model.facts import IntentOpened
from s3o.model.multipart import Part, Upload
from s3o.model.names import BackendName
from s3o.model.seams import Clock, Entropy, Observer, Transform
from s3o.model.values import (
    Bucket,
    Checksum,
    ChecksumType,
    Interval,
    Location,
    LocationState,
    ObjectVersion,
    PutReceipt,
    QuotaRow,
    StoredObject,
)
from s3o.objects.announce import Announcer
from s3o.objects.copied_source import is_md5
from s3o.objects.failover import note_failover
from s3o.objects.layout import blob_locations, plan_segments
from s3o.objects.live import LiveWrites
from s3o.objects.naming import new_storage_key
from s3o.objects.read_order import order_for_read
from s3o.objects.upload_binding import UploadBinder
from s3o.policy.identity import IdentityTransform
from s3o.policy.multipart import algorithm_of
from s3o.policy.receipts import NOT_THE_SOURCE, check_receipt

OPERATION = "UploadPartCopy"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCopyCall:
    """One part to be made of a source, as the door understood it.

    source was found a moment ago, without an await since. interval: which of its bytes;
    None for an empty source.
    """

    source_bucket: Bucket
    source: StoredObject
    interval: Interval | None
    bucket: Bucket
    upload: Upload
    number: int

    @property
    def size(self) -> int:
        """Bytes of the part."""
        return self.interval.length if self.interval is not None else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copy:
    """What is to be copied: bytes of one blob, at any of places.

    md5 and checksum of these bytes, where the first is known. interval: in the blob.
    """

    places: tuple[Location, ...]
    interval: Interval
    md5: str | None
    checksum: Checksum | None


class ServerPartCopier:
    """Carries out what backends can. Owns: which of them do not tell MD5s."""

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        transform: Transform,
        observer: Observer,
        clock: Clock,
        entropy: Entropy,
        *,
        cluster_id: str,
        binder: UploadBinder,
        live: LiveWrites,
        announcer: Announcer,
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._transform = transform
        self._observer = observer
        self._clock = clock
        self._entropy = entropy
        self._cluster_id = cluster_id
        self._binder = binder
        self._live = live
        self._announcer = announcer
        self._without_md5: set[BackendName] = set()

    async def copy(self, call: PartCopyCall) -> Part | None:
        """Return the part, or None if its bytes must be read and written.

        Raises NoSuchUpload, NoSuchBucket, QuotaExceeded, WriteLost, LedgerError.
        """
        copy = self._plan(call)
        if copy is None:
            return None
        upload = await self._binder.bind(
            call.bucket,
            call.upload,
            size=call.size,
            stored_size=call.size,
            preferred=[place.backend for place in copy.places],
        )
        here = [place for place in copy.places if place.backend == upload.backend]
        if not here or not self._binder.wants_native(upload, call.number, call.size):
            return None
        storage_key = new_storage_key(self._entropy, call.bucket.name, upload.key)
        part = NewPart(
            upload_id=upload.upload_id,
            bucket_id=call.bucket.id,
            bucket=call.bucket.name,
            key=upload.key,
            number=call.number,
            size=call.size,
            stored_size=call.size,
            storage_key=storage_key,
            is_native_wanted=True,
            needs_equal_parts=self._fleet.get(here[0].backend).traits.needs_equal_parts,
            owner=self._cluster_id,
            now_us=self._clock.now_us(),
        )
        try:
            opened = await self._ledger.write(
                partial(open_part, part=part, choose=_no_blob)
            )
        except NoRoom:
            return None  # in the backend's upload; a blob may find some elsewhere
        self._observer.note(IntentOpened(kind="part"))
        with self._live.working_on(opened.intent_key):
            return await self._attempt(call, copy, here[0], opened)

    def _plan(self, call: PartCopyCall) -> _Copy | None:
        """Return what a backend could copy, and where; None if none could."""
        version, interval = call.source.version, call.interval
        if interval is None or not isinstance(self._transform, IdentityTransform):
            return None
        segments = tuple(islice(plan_segments(version, interval), 2))
        if len(segments) != 1:
            return None
        is_proving = interval.length == version.size and is_md5(version.etag)
        checksum = _known_checksum(version, call.upload) if is_proving else None
        if checksum is None and call.upload.checksum_algorithm is not None:
            return None
        [segment] = segments
        places = [
            place
            for place in blob_locations(call.source, segment.blob)
            if self._is_able(place, interval.length)
        ]
        if not places:
            return None
        return _Copy(
            places=order_for_read(self._fleet, places),
            interval=Interval(segment.start, segment.stop),
            md5=version.etag if is_proving else None,
            checksum=checksum,
        )

    def _is_able(self, place: Location, size: int) -> bool:
        backend = self._fleet.find(place.backend)
        return (
            backend is not None
            and backend.traits.can_copy_part
            and size <= backend.traits.max_copy_bytes
            and place.backend not in self._without_md5
            and place.state is LocationState.LIVE
            and not place.is_imported  # others may have changed its bytes
        )

    async def _attempt(
        self, call: PartCopyCall, copy: _Copy, place: Location, opened: OpenedPart
    ) -> Part | None:
        backend_upload_id = opened.upload.backend_upload_id
        assert opened.is_native
        assert backend_upload_id is not None, "native only where it is open"
        is_whole_blob = copy.interval == Interval(0, place.stored_bytes)
        try:
            receipt = await self._fleet.get(place.backend).copy_part(
                place.storage_key,
                None if is_whole_blob else copy.interval,
                opened.storage_key,
                backend_upload_id,
                call.number,
            )
            check_receipt(
                receipt,
                copy.md5,
                backend=opened.backend,
                operation=OPERATION,
                storage_key=opened.storage_key,
                reason=NOT_THE_SOURCE,
            )
        except BackendError as error:
            is_sent = not isinstance(error, NOTHING_WAS_SENT)
            await self._announcer.drop_part(
                opened.intent_key, "copy failed", was_started=is_sent
            )
            note_failover(self._observer, OPERATION, error)
            return None
        except BaseException:
            await self._announcer.drop_part(opened.intent_key, "copy failed")
            raise
        if not receipt.etag_is_md5:
            self._without_md5.add(place.backend)
            await self._announcer.drop_part(opened.intent_key, "no MD5")
            return None
        return await self._commit(call, copy, opened, receipt)

    async def _commit(
        self,
        call: PartCopyCall,
        copy: _Copy,
        opened: OpenedPart,
        receipt: PutReceipt,
    ) -> Part:
        commit = PartCommit(
            intent_key=opened.intent_key,
            upload_id=call.upload.upload_id,
            etag=receipt.etag,
            checksum=copy.checksum,
            backend_etag=receipt.etag,
            now_us=self._clock.now_us(),
            backend_version=receipt.backend_version,
            stored_md5=receipt.etag,
        )
        return await self._announcer.commit_part(commit)


def _no_blob(_rows: Sequence[QuotaRow]) -> Sequence[BackendName]:
    """Offer no backend for a blob: the part goes into the upload or is read."""
    return ()


def _known_checksum(version: ObjectVersion, upload: Upload) -> Checksum | None:
    """Return a whole version's checksum if it is what the part's must be."""
    known = version.checksum
    if (
        known is not None
        and known.type is ChecksumType.FULL_OBJECT
        and known.algorithm is algorithm_of(upload)
    ):
        return known
    return None
