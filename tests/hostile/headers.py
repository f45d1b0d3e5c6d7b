"""Headers and numbers that mean something else, too much, or nothing at all."""

from collections.abc import Iterator

from tests.hostile.case import Case
from tests.hostile.signed import Ask, Row, rows

# What asks for a guarantee that does not exist here: never a silent 200.
_PROMISES: tuple[tuple[str, str], ...] = (
    ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
    ("x-amz-server-side-encryption-customer-key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="),
    ("x-amz-server-side-encryption-customer-key-md5", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ("x-amz-object-lock-mode", "COMPLIANCE"),
    ("x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00Z"),
    ("x-amz-object-lock-legal-hold", "ON"),
    ("x-amz-write-offset-bytes", "0"),
    ("x-amz-grant-unheard-of", "id=1"),
    ("x-amz-rename-source", "/others/a"),
    ("x-amz-mfa", "1 123456"),
    ("x-amz-anything-new", "1"),
)
_NUMBERS = (
    *("1_0", "+1", "-1", " 1", "1 ", "0x1", "1e1", "1.0", "\u0661", "\uff11"),
    *("9" * 30, "1" * 5000, "None", "NaN", "1\0", "1\n"),
)
_RANGES = (
    *("bytes=", "bytes=-", "bytes=a-b", "bytes=1_0-2", "bytes=+1-2", "bytes=2-1"),
    *("bytes 0-1", "lines=0-1", "bytes=0-1,3-4", "bytes=0-1-2", "bytes=--1"),
    *("bytes=0x0-0x1", "bytes=\xb2-3", "=", "bytes=0-1,", "bytes=1.0-2"),
    "bytes=" + ",".join(f"{n}-{n}" for n in range(2000)),
)
_UNSATISFIABLE = ("bytes=1000-", "bytes=1000-2000", "bytes=-0")
_OVERRIDES = (*("a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\x1b[31m"),)
_DIGESTS: tuple[tuple[str, str, str], ...] = (
    ("content-md5", "nonsense", "InvalidDigest"),
    ("content-md5", "", "InvalidDigest"),
    ("content-md5", "5d41402abc4b2a76b9719d911017c592", "InvalidDigest"),
    ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==", "BadDigest"),
    ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA", "InvalidDigest"),
    ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA== ;", "InvalidDigest"),
    ("x-amz-checksum-crc32", "AAAAAA==", "BadDigest"),
    ("x-amz-checksum-crc32", "nonsense", "InvalidRequest"),
    ("x-amz-checksum-crc32", "", "InvalidRequest"),
    ("x-amz-checksum-crc32c", "AAAAAA==", "BadDigest"),
    ("x-amz-checksum-crc32c", "AAAAAAA=", "InvalidRequest"),
    ("x-amz-checksum-sha1", "A" * 27 + "=", "BadDigest"),
    ("x-amz-checksum-sha1", "A" * 28, "InvalidRequest"),
    ("x-amz-checksum-sha256", "A" * 43 + "=", "BadDigest"),
    ("x-amz-checksum-sha256", "0" * 64, "InvalidRequest"),
    ("x-amz-checksum-crc64nvme", "A" * 11 + "=", "BadDigest"),
    ("x-amz-checksum-crc64nvme", "A" * 5000, "InvalidRequest"),
    ("x-amz-checksum-md6", "AAAA", "InvalidRequest"),
    ("x-amz-sdk-checksum-algorithm", "MD6", "InvalidRequest"),
)
_METHODS = (
    *("PATCH", "TRACE", "LINK", "PROPFIND", "MKCOL", "MOVE", "COPY", "LOCK", "PURGE"),
    *("SEARCH", "REPORT", "X", "GETS", "POSTS", "TRACK", "DEBUG", "QUERY"),
)


def _table() -> Iterator[Row]:
    for name, value in _PROMISES:
        for method, path in (("PUT", "/photos/new"), ("DELETE", "/photos/a")):
            ask = Ask(method=method, path=path, headers={name: value}, body=b"")
            yield f"{method} with {name}", ask, 501, "NotImplemented"
    for name, value, code in _DIGESTS:
        ask = Ask(method="PUT", path="/photos/new", headers={name: value}, body=b"hi")
        yield f"{name}: {value[:40]}", ask, 400, code
    several = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="}
    ask = Ask(method="PUT", path="/photos/new", headers=several, body=b"hi")
    yield "two checksums", ask, 400, "InvalidRequest"
    for size in (2049, 30_000):
        headers = {"x-amz-meta-x": "y" * size}
        ask = Ask(method="PUT", path="/photos/new", headers=headers)
        yield f"{size} bytes of metadata", ask, 400, "MetadataTooLarge"
    headers = {f"x-amz-meta-{n}": "y" * 20 for n in range(150)}
    ask = Ask(method="PUT", path="/photos/new", headers=headers)
    yield "150 fields of metadata", ask, 400, "MetadataTooLarge"
    for method in _METHODS:
        for path in ("/photos/a", "/photos"):
            ask = Ask(method=method, path=path)
            yield f"{method} {path}", ask, 405, "MethodNotAllowed"


def _ranges() -> Iterator[Row]:
    for value in _RANGES:
        yield f"range {value[:40]!r}", Ask(headers={"range": value}), 200, ""
    for value in _UNSATISFIABLE:
        ask = Ask(headers={"range": value})
        yield f"range {value}", ask, 416, "InvalidRange"
    for value in _OVERRIDES:
        for name in ("content-type", "content-disposition", "cache-control", "expires"):
            ask = Ask(query=((f"response-{name}", value),))
            yield f"response-{name} {value!r}", ask, 400, "InvalidArgument"


def _numbers() -> Iterator[Row]:
    for value in _NUMBERS:
        for path, fixed, name in (
            ("/photos", (), "max-keys"),
            ("/photos", (("list-type", "2"),), "max-keys"),
            ("/photos", (("uploads", ""),), "max-uploads"),
            ("/photos", (("versions", ""),), "max-keys"),
            ("/photos/a", (), "partNumber"),
        ):
            ask = Ask(path=path, query=(*fixed, (name, value)))
            title = f"{path} {fixed} {name}={value[:20]!r}"
            yield title, ask, 400, "InvalidArgument"


def _spoiled() -> Iterator[Case]:
    """Bodies that are not the ones whose hash was signed."""
    for size, body in (("same", b"jello"), ("other", b"h")):
        yield Case(
            name=f"digests: a signed hash of another body of the {size} size",
            make=lambda service, body=body: service.request(
                "PUT", "/photos/new", (), {"content-length": str(len(body))}, b"hello"
            ).replace(b"\r\n\r\nhello", b"\r\n\r\n" + body),
            status=400,
            code="XAmzContentSHA256Mismatch",
            method="PUT",
        )


def cases() -> Iterator[Case]:
    """Yield every case of this class."""
    yield from rows("headers", _table())
    yield from rows("ranges", _ranges())
    yield from rows("numbers", _numbers())
    yield from _spoiled()
