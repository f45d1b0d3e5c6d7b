"""Make sense of what an S3 provider answers. Pure; everything read here is hearsay.

Rules:

- Absent is only what the provider calls NoSuchKey. A missing bucket, a gateway's 404 or
  a refused credential never makes a blob missing.
- Of a provider's texts only plain ASCII of bounded length is kept, for the log.
- A success that carries an Error document is a failure.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from s3o.model import limits
from s3o.model.errors import (
    BackendBusy,
    BackendError,
    BackendFull,
    BackendProtocolError,
    BackendRefused,
    BackendThrottled,
    BackendTimeout,
    BackendUnreachable,
    MalformedXml,
)
from s3o.model.names import BackendName
from s3o.model.numbers import parse_uint
from s3o.model.values import BlobInfo, ListedBlob
from s3o.net.client import (
    BadAnswer,
    ClientError,
    ConnectFailed,
    NoConnectionFree,
    Stalled,
)
from s3o.wire.backend_documents import ErrorAnswer, read_error
from s3o.wire.conditions import unquote_etag
from s3o.wire.dates import parse_http_date
from s3o.wire.xml_read import parse_xml

ABSENT_CODES = frozenset(("NoSuchKey", "NoSuchVersion"))
NO_UPLOAD_CODE = "NoSuchUpload"
# Ceph and Swift name the key that an unknown upload would have had.
NO_UPLOAD_CODES = frozenset((NO_UPLOAD_CODE, "NoSuchKey"))
_THROTTLE_CODES = frozenset(
    (
        "BandwidthLimitExceeded",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
    )
)
_FULL_CODES = frozenset(
    (
        "InsufficientCapacity",
        "InsufficientStorage",
        "QuotaExceeded",
        "StorageFull",
        "StorageLimitExceeded",
        "StorageQuotaExceeded",
        "XMinioAdminBucketQuotaExceeded",
        "XMinioStorageFull",
    )
)
_META = "x-amz-meta-"
_STANDARD_HEADERS = (
    *("cache-control", "content-disposition", "content-encoding", "content-language"),
    "expires",
)
_REASON_CHARACTERS = 200
_RETRY_AFTER_S = 3600  # a provider that asks for more is not believed
_CODE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_NOT_PLAIN = re.compile(r"[^ -~]", re.ASCII)
_CONTENT_RANGE = re.compile(
    r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", re.ASCII
)
_VERSION = re.compile(r"[!-~]{1,1024}", re.ASCII)
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)
# White space keeps a connection alive while a provider works at Copy or Complete.
_ERROR_ROOT = re.compile(rb"\s*(?:<\?xml[^>]*\?>\s*)?<Error(?:Response)?[\s>/]")
_PLAIN_CODINGS = frozenset(("", "identity", "aws-chunked"))


def plain_text(text: str) -> str:
    """Return what of a provider's text may stand in a log line."""
    return _NOT_PLAIN.sub("?", text[:_REASON_CHARACTERS])


def translate(error: ClientError, name: BackendName, operation: str) -> BackendError:
    """Return the backend's error for a failed exchange."""
    reason = plain_text(str(error))
    if isinstance(error, ConnectFailed):
        return BackendUnreachable(name, operation, reason, is_definite=True)
    if isinstance(error, NoConnectionFree):
        # Our own crowd is at fault, which must not open the backend's circuit.
        return BackendBusy(name, operation, reason)
    if isinstance(error, Stalled):
        return BackendTimeout(name, operation, reason)
    if isinstance(error, BadAnswer):
        return BackendProtocolError(name, operation, reason)
    return BackendUnreachable(name, operation, reason)


def read_error_document(body: bytes) -> ErrorAnswer | None:
    """Return the Error in body, or None where body is no such document."""
    try:
        found = read_error(parse_xml(body))
    except MalformedXml:
        return None
    return found if _CODE.fullmatch(found.code) else None


def hidden_error(body: bytes) -> ErrorAnswer | None:
    """Return the Error that a success carries; None is a real success."""
    if not _ERROR_ROOT.match(body):
        return None
    return read_error_document(body.strip()) or ErrorAnswer(
        code="", message="unreadable Error"
    )


def refusal(
    name: BackendName,
    operation: str,
    status: int,
    error: ErrorAnswer | None,
    fields: Mapping[str, str],
) -> BackendError:
    """Return the backend's error for an error answer.

    Definite is what S3 itself refused. A status without a document may be a gateway's,
    behind which the call went on; a server error, or an error inside a success, tells
    that the provider had begun.
    """
    code = error.code if error is not None else ""
    is_definite = bool(code) and (400 <= status < 500 or status == 507)
    reason = plain_text(f"{status} {code} {error.message if error else ''}".strip())
    if status == 507 or code in _FULL_CODES:
        return BackendFull(name, operation, reason, is_definite=is_definite)
    if status in (429, 503) or code in _THROTTLE_CODES:
        return BackendThrottled(
            name,
            operation,
            reason,
            retry_after_s=_retry_after(fields),
            is_definite=is_definite,
        )
    return BackendRefused(
        name, operation, reason, status=status, code=code, is_definite=is_definite
    )


def _retry_after(fields: Mapping[str, str]) -> float | None:
    try:
        return float(min(parse_uint(fields["retry-after"]), _RETRY_AFTER_S))
    except (KeyError, ValueError):
        return None


def check_coding(fields: Mapping[str, str]) -> None:
    """Raise BadAnswer for a body that was compressed although we never ask for it."""
    coding = fields.get("content-encoding")
    if coding is not None and coding.lower() not in _PLAIN_CODINGS:
        raise BadAnswer("the answer has a content coding that was not asked for")


def read_length(fields: Mapping[str, str]) -> int:
    """Return the Content-Length, which answers about blobs must have."""
    try:
        return parse_uint(fields["content-length"])
    except (KeyError, ValueError):
        raise BadAnswer("the answer does not say how long the blob is") from None


def read_content_range(fields: Mapping[str, str]) -> tuple[int, int, int]:
    """Return start, stop (excluded) and the whole blob's size; raises BadAnswer."""
    match = _CONTENT_RANGE.fullmatch(fields.get("content-range", ""))
    if match is None:
        raise BadAnswer("the partial answer has no proper Content-Range")
    first, last, size = (parse_uint(number) for number in match.groups())
    if not first <= last < size:
        raise BadAnswer("the Content-Range contradicts itself")
    return first, last + 1, size


def clean_etag(text: str) -> str:
    """Return a provider's ETag without quotes; "" for one that is no plain text."""
    etag = unquote_etag(text)
    if len(etag) > limits.BACKEND_ETAG_BYTES or _NOT_PLAIN.search(etag):
        return ""
    return etag


def read_info(fields: Mapping[str, str], size: int, *, has_date: bool) -> BlobInfo:
    """Return what an answer's head says of a blob of size bytes.

    headers: the metadata without prefix; values that are no plain text are left out.
    """
    headers = {
        name[len(_META) :]: value
        for name, value in fields.items()
        if name.startswith(_META) and not _NOT_PLAIN.search(value)
    }
    modified = fields.get("last-modified") if has_date else None
    return BlobInfo(
        stored_bytes=size,
        etag=clean_etag(fields.get("etag", "")),
        headers=headers,
        modified_at_us=parse_http_date(modified) if modified else None,
        content_type=_plain(fields.get("content-type", "")),
        standard=tuple(
            (name, value)
            for name in _STANDARD_HEADERS
            if (value := _plain(fields.get(name, "")))
        ),
    )


def _plain(value: str) -> str:
    """Return a short plain text as it is, and anything else as nothing."""
    is_plain = len(value) <= limits.RECORD_BYTES and not _NOT_PLAIN.search(value)
    return value if is_plain else ""


def read_version(fields: Mapping[str, str]) -> str | None:
    """Return the provider's own version id of what was just written, if it has one."""
    version = fields.get("x-amz-version-id", "")
    return version if version != "null" and _VERSION.fullmatch(version) else None


def is_md5(etag: str, fields: Mapping[str, str]) -> bool:
    """Whether a PUT's ETag can be the body's MD5: in shape, and no KMS at work."""
    encryption = fields.get("x-amz-server-side-encryption", "AES256")
    return encryption == "AES256" and _MD5.fullmatch(etag) is not None


def need_etag(etag: str) -> str:
    """Return a part's ETag in plain text; raises BadAnswer without one.

    Complete must repeat it, so a part without one is of no use.
    """
    cleaned = clean_etag(etag)
    if not cleaned:
        raise BadAnswer("a part without an ETag")
    return cleaned


def own_blobs(blobs: tuple[ListedBlob, ...], prefix: str) -> tuple[ListedBlob, ...]:
    """Return those listed blobs that were asked for, in byte order."""
    asked = [
        replace(blob, etag=clean_etag(blob.etag))
        for blob in blobs
        if blob.name.startswith(prefix)
    ]
    return tuple(sorted(asked, key=lambda blob: blob.name.encode("utf-8", "replace")))
