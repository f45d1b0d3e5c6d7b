"""Decode a chunked request body, strictly.

h11 reads chunk headers with trailing blanks, 20 digits and anything in an extension,
and lets Content-Length pass in a trailer; where a proxy before us reads them otherwise,
a request can be hidden in a body. This decoder refuses all of it. Rule: what it
accepts, h11 decodes to the same bytes (tests/net/test_chunked.py). It never waits and
holds back at most one line. Source: RFC 9112 section 7.1.
"""

import re

from s3o.model.errors import BadRequest
from s3o.model.limits import CHUNK_LINE_BYTES, HEADER_FIELDS, TRAILER_BYTES

_NAME = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_CHUNK_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,16}+)((?:;"
    + _NAME
    + rb"(?:=(?:"
    + _NAME
    + rb'|"[\t !#-\[\]-~]*+"))?)*+)\r\n'
).fullmatch
_TRAILER_LINE = re.compile(rb"(" + _NAME + rb"):[\t -~\x80-\xff]*+\r\n").fullmatch

# Fields that say where a message ends, whom it is for or who sent it: too late here.
_FORBIDDEN_TRAILERS = frozenset(
    {
        b"authorization",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"content-type",
        b"cookie",
        b"expect",
        b"host",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)


class ChunkedDecoder:
    """One body; feed it what arrives until is_complete."""

    __slots__ = (
        "_extension_bytes",
        "_in_trailers",
        "_line",
        "_remaining",
        "_trailer_bytes",
        "_trailer_fields",
        "is_complete",
        "rest",
    )

    def __init__(self) -> None:
        self.is_complete = False
        self.rest = b""  # what came after the body; only once it is complete
        self._line = b""  # an unfinished line
        self._remaining = 0  # of the chunk, counting its CRLF
        self._in_trailers = False
        self._extension_bytes = 0
        self._trailer_bytes = 0
        self._trailer_fields = 0

    def feed(self, piece: bytes) -> bytes:
        """Return the body bytes in piece; raises BadRequest."""
        assert not self.is_complete
        found: list[bytes] = []
        at = 0
        while at < len(piece) and not self.is_complete:
            if self._remaining > 2:
                data = piece[at : at + self._remaining - 2]
                found.append(data)
                self._remaining -= len(data)
                at += len(data)
            elif self._remaining:
                if piece[at] != b"\n\r"[self._remaining - 1]:
                    raise BadRequest("chunk does not end where it says")
                self._remaining -= 1
                at += 1
            else:
                at = self._feed_line(piece, at)
        self.rest = piece[at:]
        return b"".join(found) if len(found) != 1 else found[0]

    def _feed_line(self, piece: bytes, at: int) -> int:
        """Take bytes up to the next LF into the line; act when it is complete."""
        end = piece.find(b"\n", at, at + CHUNK_LINE_BYTES)
        stop = end + 1 if end >= 0 else min(len(piece), at + CHUNK_LINE_BYTES)
        line = self._line + piece[at:stop]
        if len(line) > CHUNK_LINE_BYTES:
            raise BadRequest("line of a chunked body too long")
        if end < 0:
            self._line = line
        else:
            self._line = b""
            if self._in_trailers:
                self._take_trailer(line)
            else:
                self._take_chunk_line(line)
        return stop

    def _take_chunk_line(self, line: bytes) -> None:
        match = _CHUNK_LINE(line)
        if match is None:
            raise BadRequest("malformed chunk header")
        self._extension_bytes += len(match[2])
        if self._extension_bytes > CHUNK_LINE_BYTES:
            raise BadRequest("too many chunk extensions")
        size = int(match[1], 16)
        self._in_trailers = size == 0
        self._remaining = size + 2 if size else 0

    def _take_trailer(self, line: bytes) -> None:
        if line == b"\r\n":
            self.is_complete = True
            return
        match = _TRAILER_LINE(line)
        if match is None or match[1].lower() in _FORBIDDEN_TRAILERS:
            raise BadRequest("malformed or forbidden trailer field")
        self._trailer_bytes += len(line)
        self._trailer_fields += 1
        if self._trailer_bytes > TRAILER_BYTES or self._trailer_fields > HEADER_FIELDS:
            raise BadRequest("trailers too large")
