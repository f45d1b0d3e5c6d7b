"""Make a part of an upload of a stored object's bytes.

They are read as a GET reads them and stored as an UploadPart stores its body. The
source is the version that was found: its blobs are spared while they are read. A
backend that fails to give them is not the one that fails to take them.
"""

from dataclasses import dataclass

from s3o.model.multipart import Part, Upload
from s3o.model.values import Bucket, Interval, StoredObject
from s3o.objects.copied_source import CopiedSource
from s3o.objects.copy import Copier
from s3o.objects.upload_parts import PartCall
from s3o.objects.uploads import UploadStore
from s3o.policy.multipart import algorithm_of

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


class PartCopier:
    """Carries out UploadPartCopies."""

    def __init__(self, copier: Copier, uploads: UploadStore) -> None:
        self._copier = copier
        self._uploads = uploads

    async def copy(self, call: PartCopyCall) -> Part:
        """Store the source's bytes as the part of that number.

        Raises: NoSuchUpload, EntityTooLarge, NoRoom, BackendsFailed, UsageExhausted,
        WriteLost, LedgerError. Then the part is as it was before.
        """
        async with self._copier.open(
            call.source_bucket, call.source, call.interval
        ) as reader:
            return await self._uploads.store_part(
                PartCall(
                    bucket=call.bucket,
                    upload=call.upload,
                    number=call.number,
                    source=CopiedSource(
                        reader,
                        call.source.version,
                        call.interval,
                        algorithm_of(call.upload),
                        operation=OPERATION,
                    ),
                    operation=OPERATION,
                )
            )
