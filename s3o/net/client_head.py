"""Read the heads of HTTP/1.1 answers. No I/O here.

Stricter than RFC 9112 asks a client to be, for an answer that two parties could read
differently is how one object's bytes become another's: one Content-Length or `chunked`
alone, CRLF only, no folded lines, no control bytes, everything bounded. Nothing is
decompressed; an answer without a length is refused (its end could be a broken line).
What this accepts, h11 reads alike (fuzz/target_client_head).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from s3o.model import limits
from s3o.model.numbers import parse_uint
from s3o.net.client_errors import BadAnswer

_HEAD = re.compile(
    rb"HTTP/1\.[01] [1-9][0-9]{2}(?: [\t\x20-\x7e\x80-\xff]*+)?+\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+\r\n"
)
_WITHOUT_BODY = frozenset((204, 304))


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """A status line and header fields; names lower-case, repeats joined by commas."""

    status: int
    fields: Mapping[str, str]
    is_http10: bool

    @property
    def is_last(self) -> bool:
        """Whether the server will close the connection after this answer."""
        options = self.fields.get("connection")
        if self.is_http10 or options is None:
            return self.is_http10
        return "close" in [one.strip(" \t") for one in options.lower().split(",")]


def parse_head(raw: bytes) -> AnswerHead:
    """Return the head in raw, which ends with its empty line; raises BadAnswer."""
    if len(raw) > limits.BACKEND_HEAD_BYTES or not _HEAD.fullmatch(raw):
        raise BadAnswer("the head of the answer is malformed or too long")
    lines = raw[:-4].decode("latin-1").split("\r\n")
    if len(lines) > limits.BACKEND_HEADER_FIELDS + 1:
        raise BadAnswer("the answer has too many header fields")
    status_line = lines[0]
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        name = name.lower()
        value = value.strip(" \t")
        if name in fields:
            if name in ("content-length", "transfer-encoding", "content-range"):
                raise BadAnswer(f"the answer has {name} twice")
            value = f"{fields[name]},{value}"
        fields[name] = value
    return AnswerHead(parse_uint(status_line[9:12]), fields, status_line[7] == "0")


def body_length(head: AnswerHead, *, is_head: bool) -> int | None:
    """Return how long the body is, or None if it is chunked; raises BadAnswer."""
    length = head.fields.get("content-length")
    coding = head.fields.get("transfer-encoding")
    if coding is not None and (
        length is not None or coding.lower() != "chunked" or head.is_http10
    ):
        raise BadAnswer("the answer's framing is ambiguous or not supported")
    is_without_body = is_head or head.status in _WITHOUT_BODY
    if coding is not None:
        return 0 if is_without_body else None
    if length is None:
        if is_without_body:
            return 0
        raise BadAnswer("the answer has no length")
    try:
        size = parse_uint(length)
    except ValueError:
        raise BadAnswer("the answer's length is not a number") from None
    return 0 if is_without_body else size
