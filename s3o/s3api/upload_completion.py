"""CompleteMultipartUpload: everything that can refuse it is decided before its answer.

Then the backend joins the parts, which takes seconds, at some providers minutes.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
"""

from functools import partial

from s3o.model import limits
from s3o.model.errors import MalformedXml
from s3o.model.multipart import Manifest
from s3o.model.tenants import Permission
from s3o.objects.upload_completion import CompleteCall, Completed
from s3o.objects.uploads import UploadStore
from s3o.s3api.call import Call
from s3o.s3api.documents import read_xml
from s3o.s3api.operation import Level, Operation
from s3o.s3api.slow_answers import answer_slowly
from s3o.s3api.upload_documents import render_completed
from s3o.s3api.uploads import upload_id_of
from s3o.wire.conditions import parse_write_conditions
from s3o.wire.upload_documents import MANIFEST_ELEMENTS, read_manifest
from s3o.wire.upload_headers import (
    parse_checksum_type,
    parse_final_checksum,
    parse_object_size,
)


class UploadCompletion:
    """Serves CompleteMultipartUpload."""

    def __init__(self, uploads: UploadStore) -> None:
        self._uploads = uploads

    def operations(self) -> tuple[Operation, ...]:
        """Return the row of the table that this serves."""
        return (
            Operation(
                name="CompleteMultipartUpload",
                method="POST",
                level=Level.OBJECT,
                serve=self.complete,
                needs=Permission.WRITE,
                subresource="uploadId",
                headers=frozenset({"x-amz-mp-object-size"}),
            ),
        )

    async def complete(self, call: Call) -> None:
        """Make the object; a repetition of what succeeded is answered the same."""
        begun = await self._uploads.begin_complete(await _read(call))
        if isinstance(begun, Completed):
            await call.respond_xml(_render(call, begun))
            return
        await answer_slowly(
            call,
            partial(self._uploads.finish_complete, begun),
            partial(_render, call),
        )


async def _read(call: Call) -> CompleteCall:
    root = await read_xml(
        call, limits.XML_LARGE_BYTES, MANIFEST_ELEMENTS, is_checksummed=False
    )
    if root is None:
        raise MalformedXml("no document")
    return CompleteCall(
        bucket=call.bucket,
        key=call.key,
        upload_id=upload_id_of(call),
        manifest=Manifest(
            parts=read_manifest(root),
            checksum=parse_final_checksum(call.fields),
            checksum_type=parse_checksum_type(call.fields),
            object_size=parse_object_size(call.fields),
        ),
        conditions=parse_write_conditions(call.fields),
    )


def _render(call: Call, completed: Completed) -> bytes:
    exchange = call.visit.exchange
    scheme = "https" if exchange.is_tls else "http"
    host = exchange.head.fields.get("host", "")
    path = exchange.head.target.partition("?")[0]
    return render_completed(
        call.bucket.name,
        call.key,
        location=f"{scheme}://{host}{path}",
        etag=completed.etag,
        checksum=completed.checksum,
    )
