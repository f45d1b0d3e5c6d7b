"""The shape of a row of the error table, and what rows are built from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from s3o.model import errors
from s3o.model.errors import S3OError
from s3o.model.values import Pairs


@dataclass(frozen=True, slots=True)
class Row:
    """One class's answer; message and extra may look into the error's fields."""

    status: int
    code: str
    message: str | Callable[[S3OError], str] = ""
    extra: Mapping[str, Callable[[S3OError], str]] | None = None
    headers: Callable[[S3OError], Pairs] | None = None


def field(name: str) -> Callable[[S3OError], str]:
    """Return a reader of one field; an absent one is empty."""

    def read(error: S3OError) -> str:
        value: object = getattr(error, name)
        return "" if value is None else str(value)

    return read


def extra(**fields: str) -> Mapping[str, Callable[[S3OError], str]]:
    """Return XML elements and the fields of the error that fill them."""
    return {element: field(name) for element, name in fields.items()}


def fixed(text: str) -> Callable[[S3OError], str]:
    """Return what always says text."""
    return lambda _error: text


def retry_after(seconds: str) -> Callable[[S3OError], Pairs]:
    """Return the header that asks the client to come back later."""
    return lambda _error: (("retry-after", seconds),)


def allow(error: S3OError) -> Pairs:
    """Return the header that names the methods there are."""
    assert isinstance(error, errors.MethodNotAllowed)
    return (("allow", ", ".join(error.allowed)),)


def content_range(error: S3OError) -> Pairs:
    """Return the header that tells a 416's client the size."""
    assert isinstance(error, errors.RangeNotSatisfiable)
    return (("content-range", f"bytes */{error.size_bytes}"),)


def bad_digest(error: S3OError) -> str:
    """Say which digest is wrong."""
    assert isinstance(error, errors.BadDigest)
    if error.algorithm == "Content-MD5":
        return "The Content-MD5 you specified did not match what we received."
    return f"The {error.algorithm} you specified did not match the calculated checksum."


def argument(error: S3OError) -> str:
    """Say why an argument makes no sense."""
    assert isinstance(error, errors.InvalidArgument)
    return error.reason or "Invalid Argument"


def not_supported(error: S3OError) -> str:
    """Name what is not there."""
    assert isinstance(error, errors.NotSupported)
    return (
        "A header or query you provided implies functionality that is not "
        f"implemented: {error.what}"
    )


def denied(error: S3OError) -> str:
    """Say no, and why where that helps."""
    assert isinstance(error, errors.AccessDenied)
    return "Access Denied" if error.reason == "access denied" else error.reason
