"""Read the heads and the chunked bodies of HTTP/1.1 answers. No I/O here.

Stricter than RFC 9112 asks a client to be, for an answer that two parties could read
differently is how one object's bytes become another's: one Content-Length or `chunked`
alone, CRLF only, no folded lines, no control bytes, everything bounded. Nothing is
decompressed; an answer without a length is refused (its end could be a broken line).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from s3o.model import limits
from s3o.model.numbers import parse_uint
from s3o.net.client_errors import BadAnswer

_HEAD = re.compile(
    rb"HTTP/1\.[01] [1-9][0-9]{2}(?: [\t\x20-\x7e\x80-\xff]*+)?+\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+\r\n"
)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
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
        options = self.fields.get("connection", "").lower()
        if self.is_http10:
            return "keep-alive" not in options
        return "close" in options


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
    if is_head or head.status in _WITHOUT_BODY:
        return 0
    if coding is not None:
        return None
    if length is None:
        raise BadAnswer("the answer has no length")
    try:
        return parse_uint(length)
    except ValueError:
        raise BadAnswer("the answer's length is not a number") from None


class _Expect(Enum):
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()
    NOTHING = auto()


class ChunkedBody:
    """Take the chunks of one body apart; trailers are read and forgotten."""

    __slots__ = ("_buffer", "_expect", "_left", "_trailer_bytes")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._expect = _Expect.SIZE
        self._left = 0
        self._trailer_bytes = 0

    @property
    def is_complete(self) -> bool:
        """Whether the body's end was seen."""
        return self._expect is _Expect.NOTHING

    @property
    def has_surplus(self) -> bool:
        """Whether bytes came after the end."""
        return self.is_complete and bool(self._buffer)

    def feed(self, data: bytes) -> bytes:
        """Return the body bytes that data brings; raises BadAnswer."""
        self._buffer += data
        body = bytearray()
        while self._step(body):
            pass
        return bytes(body)

    def _step(self, body: bytearray) -> bool:
        if self._expect is _Expect.DATA:
            return self._take_data(body)
        if self._expect is _Expect.NOTHING:
            return False
        line = self._take_line()
        if line is None:
            return False
        if self._expect is _Expect.SIZE:
            self._take_size(line)
        elif self._expect is _Expect.DATA_END:
            if line:
                raise BadAnswer("a chunk is longer than its size")
            self._expect = _Expect.SIZE
        else:
            self._trailer_bytes += len(line) + 2
            if self._trailer_bytes > limits.TRAILER_BYTES:
                raise BadAnswer("the trailer of the answer is too long")
            if not line:
                self._expect = _Expect.NOTHING
        return True

    def _take_size(self, line: bytes) -> None:
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise BadAnswer("a chunk has no proper size")
        self._left = int(match[1], 16)
        self._expect = _Expect.DATA if self._left else _Expect.TRAILER

    def _take_data(self, body: bytearray) -> bool:
        taken = self._buffer[: self._left]
        if not taken:
            return False
        body += taken
        del self._buffer[: len(taken)]
        self._left -= len(taken)
        if not self._left:
            self._expect = _Expect.DATA_END
        return True

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\n", 0, limits.CHUNK_LINE_BYTES)
        if end < 0:
            if len(self._buffer) >= limits.CHUNK_LINE_BYTES:
                raise BadAnswer("a line of the chunked body is too long")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        if not line.endswith(b"\r"):
            raise BadAnswer("a line of the chunked body does not end with CRLF")
        return line[:-1]
