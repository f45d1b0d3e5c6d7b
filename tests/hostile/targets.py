"""Paths that lead elsewhere if anybody normalises, decodes twice or folds case."""

from collections.abc import Iterator

from tests.hostile.case import Case
from tests.hostile.signed import Ask, Row, rows

# What a path decodes to, once; and the spellings on the wire that mean it.
_MISSING: tuple[tuple[str, bytes], ...] = (
    ("/photos/../others/a", b"/photos/../others/a"),
    ("/photos/../others/a", b"/photos/%2e%2e/others/a"),
    ("/photos/../others/a", b"/photos/%2E./others/a"),
    ("/photos/../others/a", b"/photos/..%2fothers%2Fa"),
    ("/photos/%2e%2e/others/a", b"/photos/%252e%252e/others/a"),
    ("/photos/..\\others\\a", b"/photos/..%5cothers%5ca"),
    ("/photos/./a", b"/photos/./a"),
    ("/photos/./a", b"/photos/%2e/a"),
    ("/photos//a", b"/photos//a"),
    ("/photos//a", b"/photos/%2fa"),
    ("/photos/a/", b"/photos/a/"),
    ("/photos/a/.", b"/photos/a/."),
    ("/photos/a/..", b"/photos/a/.."),
    ("/photos/dir", b"/photos/dir"),
    ("/photos/dir/", b"/photos/dir/"),
    ("/photos/dir/../a", b"/photos/dir/../a"),
    ("/photos/A", b"/photos/A"),
    ("/photos/c+d", b"/photos/c+d"),
    ("/photos/c%20d", b"/photos/c%2520d"),
    ("/photos/a\0", b"/photos/a%00"),
    ("/photos/a\0.txt", b"/photos/a%00.txt"),
    ("/photos/a\r\nX-Evil: 1", b"/photos/a%0d%0aX-Evil:%201"),
    ("/photos/a\n", b"/photos/a%0a"),
    ("/photos/a ", b"/photos/a%20"),
    ("/photos/a.", b"/photos/a."),
    ("/photos/a;x=y", b"/photos/a;x=y"),
    ("/photos/a?acl", b"/photos/a%3facl"),
    ("/photos/a#x", b"/photos/a%23x"),
    ("/photos/\uff41", b"/photos/%ef%bd%81"),
    ("/photos/\u200ba", b"/photos/%e2%80%8ba"),
    ("/photos/\u202ea", b"/photos/%e2%80%aea"),
    ("/photos/e\u0301", b"/photos/e%cc%81"),
    ("/photos/<script>", b"/photos/%3cscript%3e"),
    ("/photos/]]>", b"/photos/%5d%5d%3e"),
    ("/photos/&lt;", b"/photos/&lt;"),
    ("/photos/\x1b[31m", b"/photos/%1b%5b31m"),
    ("/photos/\ufffe", b"/photos/%ef%bf%be"),
    ("/photos/../../../etc/passwd", b"/photos/../../../etc/passwd"),
    ("/photos/C:\\windows", b"/photos/C:%5cwindows"),
    ("/photos/.s3o/a", b"/photos/.s3o/a"),
)
_NO_URI: tuple[bytes, ...] = (
    b"/photos/%",
    b"/photos/%2",
    b"/photos/%zz",
    b"/photos/%u002e",
    b"/photos/a%-1",
    b"/photos/%c0%ae%c0%ae/others/a",
    b"/photos/%e0%80%ae",
    b"/photos/%f0%80%80%ae",
    b"/photos/%ed%a0%80",
    b"/photos/%ff",
    b"/photos/%80",
    b"/photos/%f4%90%80%80",
    b"/%c0%af/a",
    b"//photos/a",
    b"//",
    b"/photos/a?prefix=%",
    b"/photos/a?%zz=1",
    b"/photos?prefix=%ff",
    b"/photos/a?x=%c0%ae",
)
# A key of one bucket is told nothing of any other name, not even that it is none.
_NO_BUCKETS: tuple[str, ...] = (
    *("/PHOTOS/a", "/Photos/a", "/photos./a", "/.photos/a", "/../photos/a"),
    *("/./a", "/photos\0/a", "/photos /a", "/phot\u0585s/a", "/photos\r\n/a"),
    *("/" + "p" * 300 + "/a", "/photos%2fa/b", "/*/a", "/admin/a", "/metrics/a"),
)
_HOSTS: tuple[str, ...] = (
    *("others.s3.example", "OTHERS.S3.EXAMPLE", "others.s3.example:80"),
    *("others.s3.example.", "nobody.s3.example", "..s3.example"),
    "photos.others.s3.example",
)


def _table() -> Iterator[Row]:
    for path, raw in _MISSING:
        spelled = raw.decode()
        yield f"GET {spelled}", Ask(path=path, raw_path=raw), 404, "NoSuchKey"
    for raw in _NO_URI:
        yield f"GET {raw.decode()}", Ask(raw_path=raw), 400, "InvalidURI"
    for path in _NO_BUCKETS:
        yield f"GET {path[:40]!r}", Ask(path=path), 403, "AccessDenied"
    for host in _HOSTS:
        ask = Ask(path="/a", headers={"host": host})
        yield f"host {host}", ask, 403, "AccessDenied"
    for method in ("PUT", "GET", "HEAD", "DELETE"):
        path = "/photos/" + "k" * 1025
        yield (
            f"{method} of 1025 bytes",
            Ask(method=method, path=path),
            400,
            "" if method == "HEAD" else "KeyTooLongError",
        )


def cases() -> Iterator[Case]:
    """Yield every case of this class."""
    yield from rows("targets", _table())
