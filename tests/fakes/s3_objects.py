"""What the fake provider does with whole objects and listings."""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from s3o.wire.xml_read import parse_xml
from s3o.wire.xml_write import document, element, leaf
from tests.fakes.s3_quirks import Quirks
from tests.fakes.s3_store import Bucket, Stored
from tests.fakes.s3_wire import Answer, Refusal, Request

DATE = "2026-01-15T12:00:00.000Z"
HTTP_DATE = "Thu, 15 Jan 2026 12:00:00 GMT"
_KEPT = frozenset(
    (
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    )
)
_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]+)")


def kept_fields(request: Request) -> dict[str, str]:
    """Return the header fields that are stored with a blob."""
    return {
        name: value
        for name, value in request.fields.items()
        if name in _KEPT or name.startswith("x-amz-meta-")
    }


def check_md5(body: bytes, request: Request) -> None:
    """Refuse a body that is not what Content-MD5 says."""
    declared = request.fields.get("content-md5")
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    if declared is not None and base64.b64decode(declared) != digest:
        raise Refusal(400, "BadDigest")


def version_fields(blob: Stored) -> dict[str, str]:
    """Return the header field that tells a version."""
    return {"x-amz-version-id": blob.version} if blob.version != "null" else {}


def encoded(name: str, request: Request, quirks: Quirks) -> str:
    """Return a name as a listing tells it."""
    return quote(name) if is_encoded(request, quirks) else name


def is_encoded(request: Request, quirks: Quirks) -> bool:
    """Whether names are encoded."""
    return quirks.honours_encoding_type and request.query.get("encoding-type") == "url"


def encoding(request: Request, quirks: Quirks) -> str:
    """Return the element that says so."""
    return leaf("EncodingType", "url") if is_encoded(request, quirks) else ""


def put_object(bucket: Bucket, quirks: Quirks, request: Request) -> Answer:
    """PutObject."""
    if not quirks.is_permissive:
        check_md5(request.body, request)
    blob = bucket.make(request.body, kept_fields(request))
    bucket.add(request.key, blob)
    return Answer(fields={"ETag": f'"{blob.etag}"', **version_fields(blob)})


def get_object(bucket: Bucket, quirks: Quirks, request: Request) -> Answer:
    """GetObject and HeadObject."""
    blob = bucket.find(request.key)
    if blob is None:
        raise Refusal(404, "NoSuchKey")
    fields = {"ETag": f'"{blob.etag}"', "Last-Modified": HTTP_DATE}
    for name, value in blob.fields.items():
        fields[name.title() if quirks.capitalises_metadata else name] = value
    if request.method == "HEAD":
        return Answer(fields=fields, length=len(blob.body))
    if "range" not in request.fields:
        return Answer(fields=fields, body=blob.body)
    start, stop = cut(request.fields["range"], blob.body)
    fields["Content-Range"] = f"bytes {start}-{stop - 1}/{len(blob.body)}"
    return Answer(status=206, fields=fields, body=blob.body[start:stop])


def cut(text: str, body: bytes) -> tuple[int, int]:
    """Return the interval that a range takes of body."""
    match = _RANGE.fullmatch(text)
    assert match is not None, "the client sends no other ranges"
    start, stop = int(match[1]), min(int(match[2]) + 1, len(body))
    if start >= len(body):
        raise Refusal(416, "InvalidRange")
    return start, stop


def delete_object(bucket: Bucket, quirks: Quirks, request: Request) -> Answer:
    """DeleteObject."""
    bucket.remove(request.key, request.query.get("versionId"))
    return Answer(status=204)


def delete_objects(bucket: Bucket, quirks: Quirks, request: Request) -> Answer:
    """DeleteObjects."""
    if quirks.needs_content_md5_on_delete and "content-md5" not in request.fields:
        raise Refusal(400, "InvalidRequest", "Missing required header: Content-MD5")
    check_md5(request.body, request)
    parts = []
    for one in parse_xml(request.body).all("Object"):
        key = one.text_of("Key")
        assert key is not None
        bucket.remove(key, one.text_of("VersionId"))
        parts.append(element("Deleted", [leaf("Key", key)]))
    return Answer(body=document("DeleteResult", parts))


def source_of(bucket: Bucket, request: Request) -> Stored:
    """Return the blob that a copy reads."""
    path = unquote(request.fields["x-amz-copy-source"])
    blob = bucket.find(path.partition("/")[2])
    if blob is None:
        raise Refusal(404, "NoSuchKey")
    return blob


def copy_object(bucket: Bucket, quirks: Quirks, request: Request) -> Answer:
    """CopyObject."""
    source = source_of(bucket, request)
    assert request.fields["x-amz-metadata-directive"] == "REPLACE"
    fields = kept_fields(request)
    if quirks.copies_keep_metadata:
        fields = {**source.fields, **fields}
    blob = bucket.make(source.body, fields)
    bucket.add(request.key, blob)
    etag = blob.etag if quirks.has_bare_copy_etag else f'"{blob.etag}"'
    parts = [leaf("ETag", etag), leaf("LastModified", DATE)]
    return Answer(fields=version_fields(blob), body=document("CopyObjectResult", parts))


def _path_of(name: str) -> list[str]:
    return name.split("/")


def list_objects(
    bucket: Bucket,
    quirks: Quirks,
    request: Request,
    shown: Mapping[str, Stored] | None = None,
) -> Answer:
    """ListObjectsV2, of shown instead of what is there if given."""
    query = request.query
    blobs = bucket.current() if shown is None else shown
    names = [name for name in blobs if name.startswith(query["prefix"])]
    order: Callable[[str], Any] = str.encode
    if quirks.lists_folders_first:
        order = _path_of
    after = query.get("continuation-token")
    if after is not None:
        names = [name for name in names if order(name) > order(after)]
    names.sort(key=order)
    page = names[: min(int(query["max-keys"]), quirks.page_names)]
    parts = [leaf("IsTruncated", str(len(page) < len(names)).lower())]
    parts.append(encoding(request, quirks))
    if len(page) < len(names):
        parts.append(leaf("NextContinuationToken", page[-1]))
    for name in page:
        inside = [
            leaf("Key", encoded(name, request, quirks)),
            leaf("LastModified", DATE),
            leaf("ETag", f'"{blobs[name].etag}"'),
            leaf("Size", str(len(blobs[name].body))),
        ]
        parts.append(element("Contents", inside))
    return Answer(body=document("ListBucketResult", parts))


def tell_versioning(bucket: Bucket, quirks: Quirks, request: Request) -> Answer:
    """GetBucketVersioning."""
    if not quirks.has_versioning_query:
        raise Refusal(501, "NotImplemented")
    parts = [leaf("Status", "Enabled")] if quirks.keeps_versions else []
    return Answer(body=document("VersioningConfiguration", parts))


def list_versions(bucket: Bucket, quirks: Quirks, request: Request) -> Answer:
    """ListObjectVersions, all on one page."""
    prefix = request.query.get("prefix", "")
    parts = [leaf("IsTruncated", "false")]
    for name, kept in sorted(bucket.versions.items()):
        for blob in reversed(kept) if name.startswith(prefix) else ():
            kind = "DeleteMarker" if blob.is_marker else "Version"
            inside = [leaf("Key", name), leaf("VersionId", blob.version)]
            parts.append(element(kind, inside))
    return Answer(body=document("ListVersionsResult", parts))
