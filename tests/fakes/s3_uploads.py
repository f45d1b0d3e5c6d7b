"""What the fake provider does with multipart uploads."""

import hashlib

from s3o.model import limits
from s3o.wire.xml_read import parse_xml
from s3o.wire.xml_write import document, element, leaf
from tests.fakes.s3_objects import (
    DATE,
    check_md5,
    cut,
    encoded,
    encoding,
    kept_fields,
    source_of,
    version_fields,
)
from tests.fakes.s3_quirks import Quirks
from tests.fakes.s3_store import Bucket, Stored, Upload
from tests.fakes.s3_wire import Answer, Refusal, Request


def create(bucket: Bucket, quirks: Quirks, request: Request) -> Answer:
    """CreateMultipartUpload."""
    upload_id = bucket.next_id()
    bucket.uploads[upload_id] = Upload(name=request.key, fields=kept_fields(request))
    parts = [leaf("Key", request.key), leaf("UploadId", upload_id)]
    return Answer(body=document(quirks.create_root, parts))


def _find(bucket: Bucket, quirks: Quirks, request: Request) -> Upload:
    upload = bucket.uploads.get(request.query["uploadId"])
    if upload is None or upload.name != request.key:
        raise Refusal(404, quirks.no_upload_code)
    return upload


def _number(quirks: Quirks, request: Request) -> int:
    number = int(request.query["partNumber"])
    if not 1 <= number <= quirks.max_part_number:
        raise Refusal(400, "InvalidArgument", "Part number out of range")
    return number


def upload_part(bucket: Bucket, quirks: Quirks, request: Request) -> Answer:
    """UploadPart."""
    number, upload = _number(quirks, request), _find(bucket, quirks, request)
    if not quirks.is_permissive:
        check_md5(request.body, request)
    upload.parts[number] = part = bucket.make(request.body, {})
    return Answer(fields={"ETag": f'"{part.etag}"'})


def copy_part(bucket: Bucket, quirks: Quirks, request: Request) -> Answer:
    """UploadPartCopy."""
    if not quirks.has_part_copy:
        raise Refusal(501, "NotImplemented")
    number, upload = _number(quirks, request), _find(bucket, quirks, request)
    body = source_of(bucket, request).body
    if "x-amz-copy-source-range" in request.fields:
        start, stop = cut(request.fields["x-amz-copy-source-range"], body)
        body = body[start:stop]
    upload.parts[number] = part = bucket.make(body, {})
    etag = part.etag if quirks.has_bare_copy_etag else f'"{part.etag}"'
    return Answer(body=document(quirks.part_copy_root, [leaf("ETag", etag)]))


def complete(bucket: Bucket, quirks: Quirks, request: Request) -> Answer:
    """CompleteMultipartUpload."""
    upload = _find(bucket, quirks, request)
    chosen = [
        (int(one.text_of("PartNumber") or 0), (one.text_of("ETag") or "").strip('"'))
        for one in parse_xml(request.body).all("Part")
    ]
    parts: list[Stored] = []
    for number, etag in chosen:
        part = upload.parts.get(number)
        if part is None or part.etag != etag:
            raise Refusal(400, "InvalidPart")
        parts.append(part)
    _check(quirks, upload, [number for number, _ in chosen], parts)
    del bucket.uploads[request.query["uploadId"]]
    digest = hashlib.md5("".join(part.etag for part in parts).encode()).hexdigest()
    blob = bucket.make(
        b"".join(part.body for part in parts),
        upload.fields,
        etag=f"{digest}-{len(parts)}" if quirks.has_counted_etags else digest,
    )
    bucket.add(request.key, blob)
    etag = "" if quirks.is_empty_etag_completed else f'"{blob.etag}"'
    inside = [leaf("Key", request.key), leaf("ETag", etag)]
    return Answer(
        fields=version_fields(blob),
        body=document(quirks.complete_root, inside),
    )


def _check(
    quirks: Quirks, upload: Upload, numbers: list[int], parts: list[Stored]
) -> None:
    if not numbers or numbers != sorted(set(numbers)):
        raise Refusal(400, "InvalidPartOrder")
    if quirks.needs_all_parts and numbers != sorted(upload.parts):
        raise Refusal(400, "InvalidPart", "not every part is named")
    sizes = [len(part.body) for part in parts]
    if any(size < limits.PART_MIN_BYTES for size in sizes[:-1]):
        raise Refusal(400, "EntityTooSmall")
    if quirks.needs_equal_parts and (len(set(sizes[:-1])) > 1 or sizes[-1] > sizes[0]):
        raise Refusal(
            400, "InvalidPart", "All non-trailing parts must have the same length."
        )


def abort(bucket: Bucket, quirks: Quirks, request: Request) -> Answer:
    """AbortMultipartUpload."""
    _find(bucket, quirks, request)
    del bucket.uploads[request.query["uploadId"]]
    return Answer(status=204)


def list_parts(bucket: Bucket, quirks: Quirks, request: Request) -> Answer:
    """ListParts."""
    upload, query = _find(bucket, quirks, request), request.query
    after = int(query["part-number-marker"])
    numbers = sorted(number for number in upload.parts if number > after)
    page = numbers[: int(query["max-parts"])]
    is_truncated = len(page) < len(numbers)
    inside = [leaf("IsTruncated", str(is_truncated).lower())]
    if is_truncated:
        inside.append(leaf("NextPartNumberMarker", str(page[-1])))
    for number in page:
        part = upload.parts[number]
        fields = [
            leaf("PartNumber", str(number)),
            leaf("ETag", f'"{part.etag}"'),
            leaf("Size", str(len(part.body))),
        ]
        inside.append(element("Part", fields))
    return Answer(body=document("ListPartsResult", inside))


def list_uploads(bucket: Bucket, quirks: Quirks, request: Request) -> Answer:
    """ListMultipartUploads."""
    query = request.query
    after = (query.get("key-marker", ""), query.get("upload-id-marker", "\x7f"))
    found = sorted(
        (upload.name, upload_id)
        for upload_id, upload in bucket.uploads.items()
        if upload.name.startswith(query["prefix"]) and (upload.name, upload_id) > after
    )
    page = found[: int(query["max-uploads"])]
    is_truncated = len(page) < len(found)
    inside = [leaf("IsTruncated", str(is_truncated).lower())]
    inside.append(encoding(request, quirks))
    if is_truncated and not quirks.lists_without_markers:
        inside.append(leaf("NextKeyMarker", encoded(page[-1][0], request, quirks)))
        inside.append(leaf("NextUploadIdMarker", page[-1][1]))
    for name, upload_id in page:
        fields = [
            leaf("Key", encoded(name, request, quirks)),
            leaf("UploadId", upload_id),
            leaf("Initiated", DATE),
        ]
        inside.append(element("Upload", fields))
    return Answer(body=document("ListMultipartUploadsResult", inside))
