"""Multipart uploads, as the doors above see them.

Each operation writes the second audit line of its request through Operation. How parts
are stored is in upload_parts, how an object is made of them in upload_completion.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial

from s3o.ledger.ledger import Ledger
from s3o.ledger.upload_endings import abort_upload
from s3o.ledger.upload_listing import UploadPage, list_uploads
from s3o.ledger.upload_parts import list_parts
from s3o.ledger.uploads import NewUpload, create_upload, find_upload
from s3o.model import limits
from s3o.model.errors import EntityTooLarge, S3OError
from s3o.model.multipart import Part, Upload
from s3o.model.names import (
    ObjectKey,
    UploadId,
    make_upload_id,
)
from s3o.model.seams import Clock, DigestedSource, Entropy, Observer
from s3o.model.values import (
    Bucket,
    ChecksumAlgorithm,
    ChecksumType,
    ObjectFacts,
)
from s3o.objects.naming import new_version_id
from s3o.objects.part_server_copies import OPERATION as PART_COPY
from s3o.objects.part_server_copies import PartCopyCall, ServerPartCopier
from s3o.objects.room import RoomMaker
from s3o.objects.upload_completion import (
    CompleteCall,
    Completed,
    Completer,
    Completing,
)
from s3o.objects.upload_parts import PartCall, PartWriter
from s3o.observe.operation import Operation, WriteOperation

ReadPart = Callable[[], AbstractAsyncContextManager[DigestedSource]]


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """What the operator allows; asked again each time.

    min_part_bytes: of every part but the last. max_part_bytes and max_bytes: of a part,
    and of an object (0: no limit).
    """

    min_part_bytes: Callable[[], int] = lambda: limits.PART_MIN_BYTES
    max_part_bytes: Callable[[], int] = lambda: limits.PUT_BYTES
    max_bytes: Callable[[], int] = lambda: 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCall:
    """One CreateMultipartUpload as the door understood it."""

    bucket: Bucket
    key: ObjectKey
    facts: ObjectFacts
    checksum_algorithm: ChecksumAlgorithm | None
    checksum_type: ChecksumType | None
    initiator: str


class UploadStore:
    """Create, list, fill, complete and abort multipart uploads."""

    def __init__(
        self,
        ledger: Ledger,
        observer: Observer,
        clock: Clock,
        entropy: Entropy,
        *,
        bounds: UploadLimits,
        parts: PartWriter,
        part_copier: ServerPartCopier,
        completer: Completer,
        room: RoomMaker,
    ) -> None:
        self._ledger = ledger
        self._observer = observer
        self._clock = clock
        self._entropy = entropy
        self._bounds = bounds
        self._parts = parts
        self._part_copier = part_copier
        self._completer = completer
        self._room = room

    async def create(self, call: CreateCall) -> Upload:
        """Begin an upload. Raises NoSuchBucket, TooManyUploads, LedgerError."""
        now_us = self._clock.now_us()
        new = NewUpload(
            upload_id=make_upload_id(now_us, self._entropy.token(16)),
            bucket_id=call.bucket.id,
            bucket=call.bucket.name,
            key=call.key,
            version_id=new_version_id(self._entropy, now_us),
            facts=call.facts,
            checksum_algorithm=call.checksum_algorithm,
            checksum_type=call.checksum_type,
            initiator=call.initiator,
            now_us=now_us,
        )
        allowed = call.bucket.max_multipart_uploads
        with self._writing("CreateMultipartUpload", call.bucket, call.key):
            return await self._ledger.write(
                partial(create_upload, upload=new, max_uploads=allowed)
            )

    async def find(self, bucket: Bucket, key: ObjectKey, upload_id: str) -> Upload:
        """Return an upload that has not ended; raises NoSuchUpload."""
        return await self._ledger.read(
            partial(find_upload, bucket_id=bucket.id, key=key, upload_id=upload_id)
        )

    async def store_part(self, call: PartCall) -> Part:
        """Store a part; see PartWriter.store. Raises also EntityTooLarge."""
        with self._writing(call.operation, call.bucket, call.upload.key) as operation:
            operation.size = call.source.size
            self._check_part_size(call.source.size)
            part = await self._parts.store(call)
            operation.backend = part.backend
            return part

    async def copy_part(self, call: PartCopyCall, read: ReadPart) -> Part:
        """Make a part of a source's bytes; read opens them if they must pass here.

        Raises EntityTooLarge, and what PartWriter.store and the reader raise.
        """
        with self._writing(PART_COPY, call.bucket, call.upload.key) as operation:
            operation.size = call.size
            self._check_part_size(call.size)
            part = await self._part_copier.copy(call)
            if part is None:
                async with read() as source:
                    part = await self._parts.store(
                        PartCall(
                            bucket=call.bucket,
                            upload=call.upload,
                            number=call.number,
                            source=source,
                            operation=PART_COPY,
                        )
                    )
            operation.backend = part.backend
            return part

    def _check_part_size(self, size: int) -> None:
        limit = self._bounds.max_part_bytes()
        if size > limit:
            raise EntityTooLarge(size, limit)

    async def begin_complete(self, call: CompleteCall) -> Completed | Completing:
        """Decide a Complete; see Completer.begin."""
        try:
            return await self._completer.begin(call)
        except S3OError:
            with self._writing("CompleteMultipartUpload", call.bucket, call.key):
                raise

    async def finish_complete(self, completing: Completing) -> Completed:
        """Make the object; see Completer.finish."""
        call = completing.call
        with self._writing(
            "CompleteMultipartUpload", call.bucket, call.key
        ) as operation:
            operation.size = completing.size
            return await self._completer.finish(completing)

    async def resume_complete(self, upload_id: UploadId) -> str | None:
        """Finish a Complete whose process is gone; see Completer.resume."""
        return await self._completer.resume(upload_id)

    async def abort(self, bucket: Bucket, key: ObjectKey, upload_id: str) -> None:
        """End an upload without an object; backends are told by the cleanup queue.

        Raises NoSuchUpload, UploadCompleting, LedgerError.
        """
        with self._writing("AbortMultipartUpload", bucket, key):
            await self._ledger.write(
                partial(
                    abort_upload,
                    bucket_id=bucket.id,
                    key=key,
                    upload_id=upload_id,
                    now_us=self._clock.now_us(),
                )
            )
            self._room.poke()

    async def list_parts(
        self, bucket: Bucket, key: ObjectKey, upload_id: str, *, after: int, limit: int
    ) -> tuple[Upload, Sequence[Part], bool]:
        """Return the upload, its parts behind after, and whether there are more.

        Raises NoSuchUpload.
        """
        with self._operation("ListParts", bucket, key):
            upload = await self.find(bucket, key, upload_id)
            found = await self._ledger.scan(
                partial(
                    list_parts,
                    upload_id=upload.upload_id,
                    after=after,
                    limit=limit + 1,
                )
            )
            return upload, found[:limit], len(found) > limit

    async def list_uploads(
        self,
        bucket: Bucket,
        *,
        prefix: str,
        delimiter: str,
        key_marker: str,
        upload_id_marker: str,
        limit: int,
    ) -> UploadPage:
        """Return one page of the uploads in progress, by key and then initiation."""
        with self._operation("ListMultipartUploads", bucket, ""):
            return await self._ledger.scan(
                partial(
                    list_uploads,
                    bucket_id=bucket.id,
                    prefix=prefix,
                    delimiter=delimiter,
                    key_marker=key_marker,
                    upload_id_marker=upload_id_marker,
                    limit=limit,
                )
            )

    def _operation(self, name: str, bucket: Bucket, key: str) -> Operation:
        return Operation(self._observer, self._clock, name, bucket=bucket.name, key=key)

    def _writing(self, name: str, bucket: Bucket, key: str) -> WriteOperation:
        return WriteOperation(
            self._observer, self._clock, name, bucket=bucket.name, key=key
        )
