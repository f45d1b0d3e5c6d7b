"""Make a part of an upload of a stored object's bytes.

Its backend copies them where it can (part_server_copies). Otherwise they are read as a
GET reads them and stored as an UploadPart stores its body; nothing is read before that.
The source is the version that was found: its blobs are spared while they are needed. A
backend that fails to give them is not the one that fails to take them.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from s3o.model.multipart import Part
from s3o.objects.copied_source import CopiedSource
from s3o.objects.copy import Copier
from s3o.objects.live import LiveReads
from s3o.objects.part_server_copies import OPERATION, PartCopyCall
from s3o.objects.uploads import UploadStore
from s3o.policy.multipart import algorithm_of


class PartCopier:
    """Carries out UploadPartCopies."""

    def __init__(self, copier: Copier, uploads: UploadStore, reads: LiveReads) -> None:
        self._copier = copier
        self._uploads = uploads
        self._reads = reads

    async def copy(self, call: PartCopyCall) -> Part:
        """Store the source's bytes as the part of that number.

        Raises: NoSuchUpload, EntityTooLarge, NoRoom, BackendsFailed, UsageExhausted,
        WriteLost, LedgerError. Then the part is as it was before.
        """

        @asynccontextmanager
        async def read() -> AsyncIterator[CopiedSource]:
            async with self._copier.open(
                call.source_bucket, call.source, call.interval
            ) as reader:
                yield CopiedSource(
                    reader,
                    call.source.version,
                    call.interval,
                    algorithm_of(call.upload),
                    operation=OPERATION,
                )

        held = tuple(place.storage_key for place in call.source.locations)
        self._reads.begin(held)
        try:
            return await self._uploads.copy_part(call, read)
        finally:
            self._reads.end(held)
