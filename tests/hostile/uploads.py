"""Upload ids and part numbers that are nobody's, or that S3 does not have."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from s3o.model import limits
from tests.hostile.case import PART, Case
from tests.hostile.signed import Ask, Row, rows
from tests.hostile.xml import documents

_IDS = (
    *("x", "", "..", "../others", "a\0", "\u0661", "k" * 5000, "' OR 1=1 --", "%"),
    *("0" * 32, "-" * 36, "00000000-0000-0000-0000-000000000000"),
)
_GOOD = hashlib.md5(PART).hexdigest()
_OTHER = hashlib.md5(b"other").hexdigest()
_NUMBERS = (
    *("0", "10001", "-1", "1_0", "+1", " 1", "0x1", "1.0", "", "\u0661", "\uff11"),
    *("9" * 30, "1" * 5000, "NaN"),
)


def _manifest(*parts: tuple[str, str]) -> bytes:
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        for number, etag in parts
    )
    return f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()


def _table() -> Iterator[Row]:
    for upload in _IDS:
        which = (("uploadId", upload),)
        part = (("partNumber", "1"), *which)
        for ask in (
            Ask(method="PUT", query=part, body=b"x"),
            Ask(method="GET", query=which),
            Ask(method="DELETE", query=which),
            Ask(method="POST", query=which, body=_manifest(("1", _GOOD))),
        ):
            yield f"{ask.method} {upload[:40]!r}", ask, 404, "NoSuchUpload"


_MANIFESTS: dict[str, tuple[bytes, int, str]] = {
    "too small": (_manifest(("1", _GOOD), ("2", _GOOD)), 400, "EntityTooSmall"),
    "another etag": (_manifest(("1", _OTHER)), 400, "InvalidPart"),
    "no etag": (_manifest(("1", "")), 400, "MalformedXML"),
    "an etag of 5000": (_manifest(("1", "e" * 5000)), 400, "InvalidPart"),
    "a wildcard": (_manifest(("1", "*")), 400, "InvalidPart"),
    "an unknown part": (_manifest(("1", _GOOD), ("3", _GOOD)), 400, "InvalidPart"),
    "the wrong order": (_manifest(("2", _GOOD), ("1", _GOOD)), 400, "InvalidPartOrder"),
    "a part twice": (_manifest(("1", _GOOD), ("1", _GOOD)), 400, "InvalidPartOrder"),
    "no parts": (_manifest(), 400, "MalformedXML"),
    "10001 parts": (
        _manifest(*((str(n), _GOOD) for n in range(1, 10_002))),
        400,
        "MalformedXML",
    ),
    "part 0": (_manifest(("0", _GOOD)), 400, "InvalidArgument"),
    "part -1": (_manifest(("-1", _GOOD)), 400, "InvalidArgument"),
    "part 10001": (_manifest(("10001", _GOOD)), 400, "InvalidPart"),
    **{
        f"part {number[:9]!r}": (_manifest((number, _GOOD)), 400, "MalformedXML")
        for number in ("1_0", "+1", "0x1", "", "\u0661", "1" * 5000)
    },
}


def _foreign() -> Iterator[Row]:
    """Ids that exist: the other tenant's, and one's own with another key."""
    for path, bucket, status, code in (
        ("/photos/up", "others", 404, "NoSuchUpload"),
        ("/others/up", "others", 403, "AccessDenied"),
        ("/others/up", "photos", 403, "AccessDenied"),
        ("/photos/a", "photos", 404, "NoSuchUpload"),
        ("/photos/UP", "photos", 404, "NoSuchUpload"),
    ):
        for ask in (
            Ask(method="PUT", path=path, query=(("partNumber", "1"),), body=b"x"),
            Ask(method="GET", path=path),
            Ask(method="DELETE", path=path),
            Ask(method="POST", path=path, body=_manifest(("1", _GOOD))),
        ):
            foreign = replace(ask, upload_of=bucket)
            yield f"{ask.method} {path} of {bucket}", foreign, status, code


def _own() -> Iterator[Row]:
    """One's own upload, and what S3 does not have in it."""
    for value in _NUMBERS:
        query = (("partNumber", value),)
        ask = Ask(method="PUT", path="/photos/up", query=query, body=b"x")
        title = f"part {value[:20]!r}"
        yield title, replace(ask, upload_of="photos"), 400, "InvalidArgument"
    for name in ("part-number-marker", "max-parts"):
        for value in _NUMBERS:
            if value in ("0", "10001", ""):
                continue
            ask = Ask(path="/photos/up", query=((name, value),), upload_of="photos")
            yield f"{name} {value[:20]!r}", ask, 400, "InvalidArgument"
    complete = Ask(method="POST", path="/photos/up", upload_of="photos")
    for name, (body, status, code) in _MANIFESTS.items():
        yield f"complete: {name}", replace(complete, body=body), status, code
    for name, body in documents(b"CompleteMultipartUpload").items():
        is_long = len(body) > limits.XML_LARGE_BYTES
        code = "MaxMessageLengthExceeded" if is_long else "MalformedXML"
        yield f"complete: {name}", replace(complete, body=body), 400, code


def cases() -> Iterator[Case]:
    """Yield every case of this class."""
    yield from rows("uploads", _table())
    yield from rows("uploads", _foreign())
    yield from rows("uploads", _own())
