"""The headers of a copy: what is copied, which part of it, and on what conditions.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
and API_UploadPartCopy.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from s3o.model import limits
from s3o.model.errors import (
    InvalidArgument,
    InvalidBucketName,
    InvalidRequest,
    InvalidUri,
    KeyTooLong,
    PreconditionFailed,
)
from s3o.model.names import BucketName, ObjectKey, parse_bucket_name, parse_object_key
from s3o.model.numbers import parse_uint
from s3o.model.values import Interval
from s3o.wire.conditions import ReadOutcome, evaluate_read

COPY_SOURCE = "x-amz-copy-source"
COPY_SOURCE_RANGE = "x-amz-copy-source-range"
# A copy's conditions on its source, and the read's condition that each is.
SOURCE_CONDITIONS: Mapping[str, str] = {
    "x-amz-copy-source-if-match": "if-match",
    "x-amz-copy-source-if-none-match": "if-none-match",
    "x-amz-copy-source-if-modified-since": "if-modified-since",
    "x-amz-copy-source-if-unmodified-since": "if-unmodified-since",
}

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_RANGE = re.compile(r"bytes=([0-9]{1,19})-([0-9]{1,19})", re.ASCII)
_VERSION = "?versionId="
_MAY_NOT = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySource:
    """The object that a copy reads; version_id as the client wrote it."""

    bucket: BucketName
    key: ObjectKey
    version_id: str | None = None


def parse_copy_source(value: str) -> CopySource:
    """Return the source named by `[/]bucket/key[?versionId=id]`, decoded once.

    value: a header's text (Latin-1). Raises InvalidArgument and KeyTooLong.
    """
    path, _, version = value.partition(_VERSION)
    if _BROKEN_ESCAPE.search(path):
        raise InvalidArgument(COPY_SOURCE, value, _MAY_NOT)
    raw = unquote_to_bytes(path.encode("latin-1")).removeprefix(b"/")
    bucket, _, key = raw.partition(b"/")
    try:
        return CopySource(
            bucket=parse_bucket_name(bucket.decode("ascii")),
            key=parse_object_key(key),
            version_id=version if _VERSION in value else None,
        )
    except KeyTooLong:
        raise
    except (InvalidBucketName, InvalidUri, UnicodeDecodeError):
        raise InvalidArgument(COPY_SOURCE, value, _MAY_NOT) from None


def parse_copy_range(value: str, size: int) -> Interval:
    """Return the bytes of a source of size bytes that a part takes.

    Unlike a read's, this range has both bounds and lies within the source. Raises
    InvalidArgument.
    """
    match = _RANGE.fullmatch(value)
    if match is None:
        raise InvalidArgument(
            COPY_SOURCE_RANGE,
            value,
            "The x-amz-copy-source-range value must be of the form bytes=first-last "
            "where first and last are the zero-based offsets of the first and last "
            "bytes to copy",
        )
    first, last = parse_uint(match[1]), parse_uint(match[2])
    if first > last or last >= size:
        raise InvalidArgument(
            COPY_SOURCE_RANGE,
            value,
            f"Range specified is not valid for source object of size: {size}",
        )
    return Interval(first, last + 1)


def check_copied_size(size: int) -> None:
    """Raise InvalidRequest for more bytes than one copy takes."""
    if size > limits.PUT_BYTES:
        raise InvalidRequest(
            "The specified copy source is larger than the maximum allowable size for "
            f"a copy source: {limits.PUT_BYTES}"
        )


def check_source_conditions(
    fields: Mapping[str, str], etag: str, modified_us: int
) -> None:
    """Raise PreconditionFailed unless the source is what the client expects.

    A copy has no 304: what a read would answer so fails here, too.
    """
    conditions = {
        condition: fields[header]
        for header, condition in SOURCE_CONDITIONS.items()
        if header in fields
    }
    if not conditions:
        return
    if evaluate_read(conditions, etag, modified_us) is ReadOutcome.NOT_MODIFIED:
        is_by_etag = "if-none-match" in conditions
        raise PreconditionFailed(
            "x-amz-copy-source-If-None-Match"
            if is_by_etag
            else "x-amz-copy-source-If-Modified-Since"
        )


def is_replacing(fields: Mapping[str, str], header: str) -> bool:
    """Whether a directive says REPLACE and not COPY, its default.

    Raises InvalidArgument for anything else.
    """
    value = fields.get(header, "COPY")
    if value not in ("COPY", "REPLACE"):
        raise InvalidArgument(header, value, f"Unknown {header}.")
    return value == "REPLACE"
