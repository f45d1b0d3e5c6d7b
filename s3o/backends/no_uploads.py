"""For stores without uploads of their own: every call of that kind is refused.

Nobody makes them, for the store's traits say so.
"""

from collections.abc import Sequence
from typing import NoReturn

import trio

from s3o.model.errors import BackendRefused
from s3o.model.names import BackendName, StorageKey
from s3o.model.seams import ByteSource
from s3o.model.values import (
    BlobHeaders,
    Interval,
    NativePart,
    PutReceipt,
    UploadPage,
)


class NoUploads:
    """The upload methods of a seam.Backend, refusing; the heir sets the name."""

    _name: BackendName

    async def create_upload(self, storage_key: StorageKey, headers: BlobHeaders) -> str:
        """Refuse."""
        await self._refuse("CreateMultipartUpload")

    async def upload_part(
        self, storage_key: StorageKey, upload_id: str, number: int, source: ByteSource
    ) -> PutReceipt:
        """Refuse."""
        await self._refuse("UploadPart")

    async def copy_part(
        self,
        source_key: StorageKey,
        interval: Interval | None,
        storage_key: StorageKey,
        upload_id: str,
        number: int,
    ) -> PutReceipt:
        """Refuse."""
        await self._refuse("UploadPartCopy")

    async def complete_upload(
        self, storage_key: StorageKey, upload_id: str, parts: Sequence[tuple[int, str]]
    ) -> PutReceipt:
        """Refuse."""
        await self._refuse("CompleteMultipartUpload")

    async def abort_upload(self, storage_key: StorageKey, upload_id: str) -> None:
        """There is nothing to end."""
        await trio.lowlevel.checkpoint()

    async def list_parts(
        self, storage_key: StorageKey, upload_id: str
    ) -> tuple[NativePart, ...]:
        """Refuse."""
        await self._refuse("ListParts")

    async def list_uploads(
        self, prefix: str, token: str | None = None, limit: int = 1000
    ) -> UploadPage:
        """There are none."""
        await trio.lowlevel.checkpoint()
        return UploadPage(uploads=(), next_token=None)

    async def _refuse(self, operation: str) -> NoReturn:
        await trio.lowlevel.checkpoint()
        raise BackendRefused(
            self._name, operation, "no such thing here", status=501, code="NoUploads"
        )
