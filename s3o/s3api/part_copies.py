"""UploadPartCopy: a part whose bytes an object has already.

The upload is looked up before the source, so that nothing happens between finding the
source and reading it. A caller needs the right to read the source, and learns nothing
about buckets where that is missing.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
"""

from s3o.model.multipart import Part
from s3o.model.tenants import Permission
from s3o.model.values import Interval
from s3o.objects.part_server_copies import PartCopyCall
from s3o.objects.store import ObjectStore
from s3o.s3api.call import Call
from s3o.s3api.copies import find_source
from s3o.s3api.operation import Level, Operation
from s3o.s3api.slow_answers import answer_slowly
from s3o.s3api.uploads import upload_id_of
from s3o.wire.conditions import quote_etag
from s3o.wire.copy_source import (
    COPY_SOURCE,
    COPY_SOURCE_RANGE,
    SOURCE_CONDITIONS,
    check_copied_size,
    parse_copy_range,
    parse_copy_source,
)
from s3o.wire.dates import render_iso_date
from s3o.wire.digests import checksum_element
from s3o.wire.upload_headers import parse_part_number
from s3o.wire.xml_write import document, leaf


class PartCopies:
    """Serves UploadPartCopy."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def operations(self) -> tuple[Operation, ...]:
        """Return the rows of the table that this serves."""
        return (
            Operation(
                name="UploadPartCopy",
                method="PUT",
                level=Level.OBJECT,
                serve=self.copy_part,
                needs=Permission.WRITE,
                subresource="uploadId",
                parameters=frozenset({"partNumber"}),
                header=COPY_SOURCE,
                headers=frozenset({COPY_SOURCE, COPY_SOURCE_RANGE, *SOURCE_CONDITIONS}),
            ),
        )

    async def copy_part(self, call: Call) -> None:
        """UploadPartCopy: 200 with a document once the part is acknowledged."""
        number = parse_part_number(call.query.get("partNumber") or "")
        wanted = parse_copy_source(call.fields[COPY_SOURCE])
        await call.read_document(0)
        source_bucket = call.authorize(wanted.bucket, wanted.key, Permission.READ)
        upload = await self._objects.uploads.find(
            call.bucket, call.key, upload_id_of(call)
        )
        span = call.fields.get(COPY_SOURCE_RANGE)

        async def copy() -> Part:
            source = await find_source(call, self._objects, source_bucket, wanted)
            return await self._objects.part_copier.copy(
                PartCopyCall(
                    source_bucket=source_bucket,
                    source=source,
                    interval=_parse_interval(span, source.version.size),
                    bucket=call.bucket,
                    upload=upload,
                    number=number,
                )
            )

        await answer_slowly(call, copy, _render)


def _render(part: Part) -> bytes:
    elements = [
        leaf("LastModified", render_iso_date(part.created_at_us)),
        leaf("ETag", quote_etag(part.etag)),
    ]
    if part.checksum is not None:
        name = checksum_element(part.checksum.algorithm)
        elements.append(leaf(name, part.checksum.value))
    return document("CopyPartResult", elements)


def _parse_interval(value: str | None, size: int) -> Interval | None:
    """Return which bytes of a source of size bytes are wanted; None for none.

    Raises InvalidArgument, InvalidRequest.
    """
    if value is not None:
        interval = parse_copy_range(value, size)
    elif size:
        interval = Interval(0, size)
    else:
        return None
    check_copied_size(interval.length)
    return interval
