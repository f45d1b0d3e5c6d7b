"""Copy sources and conditions that name what is not the caller's, or nothing."""

from collections.abc import Iterator

from tests.hostile.case import Case
from tests.hostile.signed import Ask, Row, rows

_SOURCES: tuple[tuple[str, int, str], ...] = (
    ("/others/a", 403, "AccessDenied"),
    ("others/a", 403, "AccessDenied"),
    ("others%2Fa", 403, "AccessDenied"),
    ("/others/secret/b", 403, "AccessDenied"),
    ("/others/nothing", 403, "AccessDenied"),
    ("/nobody/a", 403, "AccessDenied"),
    ("/OTHERS/a", 400, "InvalidArgument"),
    ("/photos/../others/a", 404, "NoSuchKey"),
    ("/photos/%2e%2e/others/a", 404, "NoSuchKey"),
    ("/photos/nothing", 404, "NoSuchKey"),
    ("", 400, "InvalidArgument"),
    ("/", 400, "InvalidArgument"),
    ("photos", 400, "InvalidArgument"),
    ("/photos/", 400, "InvalidArgument"),
    ("/photos/%zz", 400, "InvalidArgument"),
    ("/photos/%ff", 400, "InvalidArgument"),
    ("http://169.254.169.254/latest", 400, "InvalidArgument"),
    ("arn:aws:s3:::others/a", 400, "InvalidArgument"),
    ("/photos/dir/b?versionId=1_0", 400, "InvalidArgument"),
    ("/photos/" + "k" * 1025, 400, "KeyTooLongError"),
)
_CONDITIONS: tuple[tuple[str, str, str, int, str], ...] = (
    ("PUT", "if-none-match", "*", 412, "PreconditionFailed"),
    ("PUT", "if-none-match", '"abc"', 501, "NotImplemented"),
    ("PUT", "if-match", '"abc"', 412, "PreconditionFailed"),
    ("PUT", "if-match", "abc", 412, "PreconditionFailed"),
    ("PUT", "if-match", "*\\", 412, "PreconditionFailed"),
    ("DELETE", "if-match", '"abc"', 412, "PreconditionFailed"),
    ("GET", "if-match", '"abc"', 412, "PreconditionFailed"),
    ("GET", "if-match", '"', 412, "PreconditionFailed"),
    ("GET", "if-unmodified-since", "Mon, 01 Jan 1990 00:00:00 GMT", 412, ""),
)


def _table() -> Iterator[Row]:
    for source, status, code in _SOURCES:
        for path in ("/photos/new", "/photos/a"):
            ask = Ask(method="PUT", path=path, headers={"x-amz-copy-source": source})
            yield f"{source[:40]!r} to {path}", ask, status, code
    for method in ("GET", "DELETE", "POST", "HEAD"):
        headers = {"x-amz-copy-source": "/photos/a"}
        ask = Ask(method=method, headers=headers)
        code = "" if method == "HEAD" else "InvalidArgument"
        yield f"{method} with a source", ask, 400, code


def _conditions() -> Iterator[Row]:
    for method, name, value, status, code in _CONDITIONS:
        body = b"new" if method == "PUT" else b""
        ask = Ask(method=method, headers={name: value}, body=body)
        yield f"{method} {name}: {value}", ask, status, code


def cases() -> Iterator[Case]:
    """Yield every case of this class."""
    yield from rows("copies", _table())
    yield from rows("conditions", _conditions())
