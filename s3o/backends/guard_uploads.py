"""Copies and uploads in parts, behind the guard: one call each, as the others are.

Nothing that ends an upload is refused for a monthly limit: it frees what is there, or
makes what was paid for an object.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from s3o.backends.call import Call, CallBody
from s3o.backends.seam import Backend
from s3o.model.names import StorageKey
from s3o.model.seams import ByteSource
from s3o.model.values import (
    BlobHeaders,
    Interval,
    NativePart,
    PutReceipt,
    Traits,
    UploadPage,
    Usage,
)


class GuardedUploads(ABC):
    """The part of Guarded that copies and uploads; Guarded begins its calls."""

    _inner: Backend

    @abstractmethod
    def begin(self, operation: str, proposed: Usage | None = None) -> Call:
        """Let a call through or raise."""

    @property
    def traits(self) -> Traits:
        """What the backend can do."""
        return self._inner.traits

    async def copy(
        self, source_key: StorageKey, storage_key: StorageKey, headers: BlobHeaders
    ) -> PutReceipt:
        """Copy a blob on the backend's side: a request, and no bytes."""
        call = self.begin("CopyObject", Usage(1, 0, 0))
        with call:
            receipt = await self._inner.copy(source_key, storage_key, headers)
        call.succeed()
        return receipt

    async def create_upload(self, storage_key: StorageKey, headers: BlobHeaders) -> str:
        """Begin an upload in parts."""
        call = self.begin("CreateMultipartUpload", Usage(1, 0, 0))
        with call:
            upload_id = await self._inner.create_upload(storage_key, headers)
        call.succeed()
        return upload_id

    async def upload_part(
        self, storage_key: StorageKey, upload_id: str, number: int, source: ByteSource
    ) -> PutReceipt:
        """Store one part. Raises also what source.read raises."""
        call = self.begin("UploadPart", Usage(1, 0, source.size))
        with call:
            body = CallBody(source, call)
            receipt = await self._inner.upload_part(
                storage_key, upload_id, number, body
            )
        call.succeed()
        return receipt

    async def copy_part(
        self,
        source_key: StorageKey,
        interval: Interval | None,
        storage_key: StorageKey,
        upload_id: str,
        number: int,
    ) -> PutReceipt:
        """Store a part on the backend's side: a request, and no bytes."""
        call = self.begin("UploadPartCopy", Usage(1, 0, 0))
        with call:
            receipt = await self._inner.copy_part(
                source_key, interval, storage_key, upload_id, number
            )
        call.succeed()
        return receipt

    async def complete_upload(
        self, storage_key: StorageKey, upload_id: str, parts: Sequence[tuple[int, str]]
    ) -> PutReceipt:
        """Make a blob of parts. Never refused for a monthly limit: they are there."""
        call = self.begin("CompleteMultipartUpload")
        with call:
            receipt = await self._inner.complete_upload(storage_key, upload_id, parts)
        call.succeed()
        return receipt

    async def abort_upload(self, storage_key: StorageKey, upload_id: str) -> None:
        """End an upload; it frees room, so no limit refuses it."""
        call = self.begin("AbortMultipartUpload")
        with call:
            await self._inner.abort_upload(storage_key, upload_id)
        call.succeed()

    async def list_parts(
        self, storage_key: StorageKey, upload_id: str
    ) -> tuple[NativePart, ...]:
        """Return the parts that the backend holds."""
        call = self.begin("ListParts")
        with call:
            parts = await self._inner.list_parts(storage_key, upload_id)
        call.succeed()
        return parts

    async def list_uploads(
        self, prefix: str, token: str | None = None, limit: int = 1000
    ) -> UploadPage:
        """Return one page of uploads under way."""
        call = self.begin("ListMultipartUploads")
        with call:
            page = await self._inner.list_uploads(prefix, token, limit)
        call.succeed()
        return page
