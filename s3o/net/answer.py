"""Render response heads: one string, checked once, so that nothing can split it.

Values in answers come from objects' metadata, from query parameters and from other
providers; one CR LF in any of them would let its author write headers or a whole
second response. The rendered block is therefore matched against the grammar as a
whole, and its lines are counted. Source: RFC 9110 section 5.5, RFC 9112 section 4.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus

from s3o.model.seams import Clock

Headers = Sequence[tuple[str, str]]

# What a refusal or a crash is answered with: status, headers, body.
Answer = tuple[int, Headers, bytes]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n"
    for status in HTTPStatus
}
_FIELD_LINES = re.compile(
    r"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++: [\t -~\x80-\xff]*+\r\n)*+"
).fullmatch
_OURS = frozenset({"connection", "content-length", "date", "transfer-encoding"})


class UnsafeHeader(ValueError):
    """A response header that is not one visible line; a bug of whoever made it."""


class DateLine:
    """The Date header of this second, rendered once per second."""

    __slots__ = ("_clock", "_line", "_second")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = -1
        self._line = ""

    def render(self) -> str:
        """Return the line with its CR LF."""
        second = self._clock.now_us() // 1_000_000
        if second != self._second:
            moment = datetime.fromtimestamp(second, UTC)
            self._line = f"Date: {format_datetime(moment, usegmt=True)}\r\n"
            self._second = second
        return self._line


def render_fields(headers: Headers) -> str:
    """Return the header lines; raises UnsafeHeader.

    The headers that frame the message or belong to the connection are the listener's
    own and must not be among them.
    """
    block = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if _FIELD_LINES(block) is None or block.count("\n") != len(headers):
        raise UnsafeHeader("response header is not one visible line")
    if not _OURS.isdisjoint([name.lower() for name, _ in headers]):
        raise UnsafeHeader("response header belongs to the listener")
    return block


def render_head(
    status: int,
    fields: str,
    date: str,
    content_length: int | None,
    *,
    is_chunked: bool = False,
    is_last: bool,
) -> bytes:
    """Return the whole head with its empty line; content_length None leaves it out."""
    length = "" if content_length is None else f"Content-Length: {content_length}\r\n"
    if is_chunked:
        length = "Transfer-Encoding: chunked\r\n"
    close = "Connection: close\r\n" if is_last else ""
    return f"{_STATUS_LINES[status]}{date}{fields}{length}{close}\r\n".encode("latin-1")
