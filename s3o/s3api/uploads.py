"""Multipart uploads: create, list, abort, and store parts.

CompleteMultipartUpload has a module of its own, upload_completion. An upload id counts
only together with the bucket and key it was given out for; anybody else's is
NoSuchUpload. Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from s3o.model import limits
from s3o.model.errors import InvalidArgument
from s3o.model.tenants import Permission
from s3o.objects.upload_parts import PartCall
from s3o.objects.uploads import CreateCall, UploadStore
from s3o.policy.multipart import algorithm_of
from s3o.s3api.call import Call
from s3o.s3api.operation import OBJECT_HEADERS, Level, Operation
from s3o.s3api.upload_documents import (
    PartsRequest,
    UploadsRequest,
    render_initiated,
    render_parts,
    render_uploads,
)
from s3o.wire.conditions import quote_etag
from s3o.wire.digests import checksum_header
from s3o.wire.headers import parse_object_facts
from s3o.wire.upload_headers import (
    check_part_checksum,
    parse_page_number,
    parse_part_number,
    parse_upload_checksum,
)


class MultipartUploads:
    """Serves all of them but CompleteMultipartUpload."""

    def __init__(self, uploads: UploadStore) -> None:
        self._uploads = uploads

    def operations(self) -> tuple[Operation, ...]:
        """Return the rows of the table that this serves."""
        return (
            Operation(
                name="ListMultipartUploads",
                method="GET",
                level=Level.BUCKET,
                serve=self.list_uploads,
                needs=Permission.LIST,
                subresource="uploads",
            ),
            Operation(
                name="CreateMultipartUpload",
                method="POST",
                level=Level.OBJECT,
                serve=self.create,
                needs=Permission.WRITE,
                subresource="uploads",
                headers=OBJECT_HEADERS,
            ),
            Operation(
                name="UploadPart",
                method="PUT",
                level=Level.OBJECT,
                serve=self.put_part,
                needs=Permission.WRITE,
                subresource="uploadId",
                parameters=frozenset({"partNumber"}),
            ),
            Operation(
                name="ListParts",
                method="GET",
                level=Level.OBJECT,
                serve=self.list_parts,
                needs=Permission.WRITE,
                subresource="uploadId",
            ),
            Operation(
                name="AbortMultipartUpload",
                method="DELETE",
                level=Level.OBJECT,
                serve=self.abort,
                needs=Permission.WRITE,
                subresource="uploadId",
            ),
        )

    async def create(self, call: Call) -> None:
        """CreateMultipartUpload: nothing happens on a backend yet."""
        algorithm, kind = parse_upload_checksum(call.fields)
        upload = await self._uploads.create(
            CreateCall(
                bucket=call.bucket,
                key=call.key,
                facts=parse_object_facts(call.fields),
                checksum_algorithm=algorithm,
                checksum_type=kind,
                initiator=call.caller.principal,
            )
        )
        headers = []
        if algorithm is not None and kind is not None:
            headers = [
                ("x-amz-checksum-algorithm", str(algorithm)),
                ("x-amz-checksum-type", str(kind)),
            ]
        await call.respond_xml(render_initiated(call.bucket.name, upload), headers)

    async def put_part(self, call: Call) -> None:
        """UploadPart: 200 once the part is acknowledged in the ledger."""
        number = parse_part_number(call.query.get("partNumber") or "")
        upload = await self._uploads.find(call.bucket, call.key, upload_id_of(call))
        check_part_checksum(call.visit.exchange.head.fields, upload.checksum_algorithm)
        source = call.open_source(algorithm_of(upload))
        part = await self._uploads.store_part(
            PartCall(bucket=call.bucket, upload=upload, number=number, source=source)
        )
        headers = [("etag", quote_etag(part.etag))]
        checksum = source.digests.declared or part.checksum
        if checksum is not None:
            headers.append((checksum_header(checksum.algorithm), checksum.value))
        await call.respond(200, headers)

    async def list_parts(self, call: Call) -> None:
        """ListParts: the newest acknowledged attempt of each number."""
        query = call.query
        request = PartsRequest(
            after=parse_page_number(
                "part-number-marker", query.get("part-number-marker"), 0
            ),
            limit=min(
                parse_page_number(
                    "max-parts", query.get("max-parts"), limits.LIST_PARTS
                ),
                limits.LIST_PARTS,
            ),
        )
        upload, parts, is_truncated = await self._uploads.list_parts(
            call.bucket,
            call.key,
            upload_id_of(call),
            after=request.after,
            limit=request.limit,
        )
        await call.respond_xml(
            render_parts(call.bucket, upload, request, parts, is_truncated=is_truncated)
        )

    async def abort(self, call: Call) -> None:
        """AbortMultipartUpload: 204; once more, and there is no such upload."""
        await self._uploads.abort(call.bucket, call.key, upload_id_of(call))
        await call.respond(204)

    async def list_uploads(self, call: Call) -> None:
        """ListMultipartUploads: by key, then by initiation."""
        request = _parse_uploads_request(call)
        page = await self._uploads.list_uploads(
            call.bucket,
            prefix=request.prefix,
            delimiter=request.delimiter,
            key_marker=request.key_marker,
            upload_id_marker=request.upload_id_marker,
            limit=request.limit,
        )
        await call.respond_xml(render_uploads(call.bucket, request, page))


def upload_id_of(call: Call) -> str:
    """Return the upload id a call names; whether it is one, the ledger says."""
    return call.query.get("uploadId") or ""


def _parse_uploads_request(call: Call) -> UploadsRequest:
    query = call.query
    encoding = query.get("encoding-type")
    if encoding not in (None, "url"):
        raise InvalidArgument(
            "encoding-type",
            encoding or "",
            "Invalid Encoding Method specified in Request",
        )
    key_marker = query.get("key-marker") or ""
    return UploadsRequest(
        prefix=query.get("prefix") or "",
        delimiter=query.get("delimiter") or "",
        key_marker=key_marker,
        # Without a key it would say nothing about where to go on.
        upload_id_marker=(query.get("upload-id-marker") or "") if key_marker else "",
        limit=min(
            parse_page_number(
                "max-uploads", query.get("max-uploads"), limits.LIST_UPLOADS, low=1
            ),
            limits.LIST_UPLOADS,
        ),
        is_url_encoded=encoding is not None,
    )
