"""What the fake provider refuses of names and headers, and what it makes of them."""

import base64
import binascii
import posixpath
from dataclasses import replace
from urllib.parse import quote

from tests.fakes.s3_quirks import Quirks
from tests.fakes.s3_store import Bucket
from tests.fakes.s3_wire import Refusal, Request

_WRITING = frozenset(("CopyObject", "CreateMultipartUpload", "PutObject"))
_FILE_NAME_BYTES = 255
_INTEGERS = ("max-keys", "max-parts", "max-uploads", "part-number-marker")


def check_form(request: Request) -> None:
    """Refuse headers and parameters that are not formed as they should be."""
    md5 = request.fields.get("content-md5")
    if md5 is not None and not _is_md5(md5):
        raise Refusal(400, "InvalidDigest", "The Content-MD5 you specified was invalid")
    if request.method in ("PUT", "POST") and "content-length" not in request.fields:
        raise Refusal(411, "MissingContentLength")
    if request.query.get("encoding-type", "url") != "url":
        raise Refusal(400, "InvalidArgument", "Invalid Encoding Method specified")
    for name in _INTEGERS:
        if not request.query.get(name, "0").isdecimal():
            raise Refusal(400, "InvalidArgument", f"{name} is no integer")


def _is_md5(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == 16
    except binascii.Error:
        return False


def renamed(quirks: Quirks, request: Request) -> Request:
    """Return the request as the provider takes its name."""
    if not quirks.cleans_names or not request.key:
        return request
    bucket = request.path[1:].partition("/")[0]
    clean = posixpath.normpath(f"/{request.key}").lstrip("/")
    return replace(request, path=f"/{bucket}/{quote(clean)}")


def check_name(
    bucket: Bucket, quirks: Quirks, operation: str, request: Request
) -> None:
    """Refuse a name that cannot be a file's, or that is not free for one."""
    name = request.key
    segments = name.split("/")
    if quirks.segment_bytes and any(
        len(segment.encode()) > quirks.segment_bytes for segment in segments
    ):
        raise Refusal(400, "KeyTooLongError", "Your key is too long")
    if quirks.has_sidecars and len(_sidecar(request)) > _FILE_NAME_BYTES:
        raise Refusal(500, "InternalError", "File name too long (os error 36)")
    if not quirks.names_are_paths or operation not in _WRITING:
        return
    if any(segment in ("", ".", "..") for segment in segments):
        raise Refusal(400, "InvalidArgument", "not a path")
    if any(other.startswith(f"{name}/") for other in bucket.versions):
        raise Refusal(409, "ExistingObjectIsDirectory")
    if any(
        "/".join(segments[:count]) in bucket.versions
        for count in range(1, len(segments))
    ):
        raise Refusal(409, "ObjectParentIsFile")


def _sidecar(request: Request) -> str:
    """Source: s3s-fs, FileSystem::get_metadata_path."""
    holder, key = (
        base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        for text in (request.path[1:].partition("/")[0], request.key)
    )
    return f".bucket-{holder}.object-{key}.metadata.json"
