"""The aws-chunked body, both ways: chunks, their signatures, and the trailer.

    size-in-hex[;chunk-signature=hex] CRLF data CRLF ... 0[;chunk-signature=hex] CRLF
    [name:value line-end [x-amz-trailer-signature:hex CRLF]] CRLF

It is a layer of its own under HTTP's chunks, so any of it may straddle two reads.
Rules of the decoder:

- Data of a signed chunk is held until its signature was verified; unsigned data flows.
- The final chunk, the trailer and the trailer's signature are verified like the rest;
  finish() says whether the body was whole. Whoever releases the object's last bytes
  calls it before.
- One spelling only: no blanks, no other extension, no byte too many. The one licence
  is the trailer's line end: CRLF (SDKs), LF, or LF CRLF (AWS's own example, minio-go).

Four forms: signed, signed with trailer, unsigned with trailer, and the last one without
a trailer. The two ECDSA forms do not exist here. Source: AWS, "Signature calculations
for the Authorization header: transferring payload in multiple chunks", with and
without trailing headers.
"""

import hashlib
import hmac
import re
from enum import Enum, StrEnum, auto

from s3o.model import limits
from s3o.model.errors import (
    IncompleteBody,
    InvalidChunkSize,
    InvalidRequest,
    MalformedTrailer,
    SignatureMismatch,
)
from s3o.wire.sigv4 import ChunkSigner

ENCODED_CHUNK_BYTES = 64 * limits.KIB  # what minio-go sends: every server takes it


class Form(StrEnum):
    """The forms as x-amz-content-sha256 names them."""

    SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

    @property
    def is_signed(self) -> bool:
        """Whether every chunk carries a signature."""
        return self is not Form.UNSIGNED_TRAILER


class _State(Enum):
    """What comes next."""

    LINE = auto()
    DATA = auto()
    DATA_END = auto()
    TAIL = auto()


_SIGNATURE = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CHUNK_LINE = re.compile(
    rb"(?P<size>[0-9a-fA-F]{1,16})(?:;chunk-signature=(?P<signature>[!-:<-~]*))?\r\n"
)
_TRAILER_LINE = rb"(?P<name>[A-Za-z0-9-]+):(?P<value>[!-~]*)"
_UNSIGNED_TRAILER = re.compile(rb"(?:" + _TRAILER_LINE + rb"\r\n)?\r\n")
_SIGNED_TRAILER = re.compile(
    rb"(?:" + _TRAILER_LINE + rb"(?:\r\n|\n\r\n|\n))?"
    rb"x-amz-trailer-signature:(?P<signature>[!-~]*)\r\n\r\n"
)
_CRLF = b"\r\n"
_SMALL_BYTES = 16 * limits.KIB  # smaller pieces are copied together while held


class _Held:
    """Data of one chunk that is not verified yet, in few pieces whatever arrives."""

    __slots__ = ("_pieces", "_tail")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._tail = bytearray()

    def add(self, piece: bytes) -> None:
        if len(piece) >= _SMALL_BYTES and not self._tail:
            self._pieces.append(piece)
            return
        self._tail += piece
        if len(self._tail) >= _SMALL_BYTES:
            self._flush()

    def take(self) -> list[bytes]:
        self._flush()
        pieces, self._pieces = self._pieces, []
        return pieces

    def _flush(self) -> None:
        if self._tail:
            self._pieces.append(bytes(self._tail))
            self._tail.clear()


class Decoder:
    """Takes the framing off one body: feed() what arrives, then finish().

    trailer: the value of the announced trailer, once finish() has returned. After an
    error the decoder is of no use.
    """

    __slots__ = (
        "_access_key_id",
        "_declared",
        "_decoded_bytes",
        "_form",
        "_hash",
        "_held",
        "_line",
        "_remaining",
        "_signer",
        "_size",
        "_state",
        "_trailer_name",
        "trailer",
    )

    def __init__(
        self,
        form: Form,
        decoded_bytes: int,
        *,
        signer: ChunkSigner | None = None,
        trailer_name: str | None = None,
        access_key_id: str = "",
    ) -> None:
        """Expect decoded_bytes of data, and a trailer if its name was announced.

        signer: the chain begun by the request's signature, for the signed forms.
        access_key_id: for the error of a wrong signature.
        """
        assert form.is_signed == (signer is not None)
        assert trailer_name is None or form is not Form.SIGNED
        self.trailer: str | None = None
        self._form = form
        self._signer = signer
        self._trailer_name = trailer_name
        self._access_key_id = access_key_id
        self._decoded_bytes = decoded_bytes
        self._size = 0  # all chunks so far, the current one included
        self._remaining = 0  # of the current chunk
        self._declared = b""  # the current chunk's signature
        self._hash = hashlib.sha256()
        self._held = _Held()
        self._line = bytearray()  # a line, or the tail, that is not complete yet
        self._state = _State.LINE

    def feed(self, data: bytes) -> list[bytes]:
        """Take framed bytes; return the data that may be used.

        Raises: IncompleteBody, InvalidChunkSize, InvalidRequest, MalformedTrailer,
        SignatureMismatch.
        """
        released: list[bytes] = []
        position = 0
        while position < len(data):
            match self._state:
                case _State.LINE:
                    position = self._take_line(data, position)
                case _State.DATA:
                    position = self._take_data(data, position, released)
                case _State.DATA_END:
                    position = self._take_data_end(data, position)
                case _State.TAIL:
                    position = self._take_tail(data, position)
        return released

    def finish(self) -> None:
        """Say that no more bytes come; return only if the body was whole and true.

        Raises as feed() does.
        """
        tail = bytes(self._line)
        if self._state is not _State.TAIL or not tail:
            received = self._size - self._remaining
            raise IncompleteBody(self._decoded_bytes, received)
        if self._form is Form.SIGNED:
            if tail != _CRLF:
                raise InvalidRequest("bytes after the final chunk of the body")
            return
        pattern = _SIGNED_TRAILER if self._form.is_signed else _UNSIGNED_TRAILER
        match = pattern.fullmatch(tail)
        if match is None:
            raise MalformedTrailer("the trailer does not parse")
        name = match["name"].decode("ascii").lower() if match["name"] else None
        if self._signer is not None:
            line = b"%s:%s\n" % (match["name"].lower(), match["value"]) if name else b""
            digest = hashlib.sha256(line).hexdigest()
            self._compare(match["signature"], self._signer.sign_trailer(digest))
        if name != self._trailer_name:
            raise MalformedTrailer("the trailer is not the one in x-amz-trailer")
        self.trailer = match["value"].decode("ascii") if name else None

    # Each step takes what it can from data and returns the new position.

    def _take_line(self, data: bytes, position: int) -> int:
        end = data.find(b"\n", position) + 1
        line = data[position : end or len(data)]
        if len(self._line) + len(line) > limits.CHUNK_LINE_BYTES:
            raise InvalidRequest("a chunk's header is too long")
        if self._line or not end:
            self._line += line
            if not end:
                return len(data)
            line = bytes(self._line)
            self._line.clear()
        self._begin_chunk(line)
        return end

    def _take_data(self, data: bytes, position: int, released: list[bytes]) -> int:
        end = min(position + self._remaining, len(data))
        piece = data[position:end]  # no copy when it is all of data
        self._remaining -= len(piece)
        if self._signer is None:
            released.append(piece)
        else:
            self._hash.update(piece)
            self._held.add(piece)
        if not self._remaining:
            if self._signer is not None:
                self._verify_chunk(self._signer)
                released += self._held.take()
            self._state = _State.DATA_END
        return end

    def _take_data_end(self, data: bytes, position: int) -> int:
        end = position + len(_CRLF) - len(self._line)
        self._line += data[position:end]
        if not _CRLF.startswith(self._line):
            raise InvalidRequest("a chunk is longer than its header says")
        if len(self._line) == len(_CRLF):
            self._line.clear()
            self._state = _State.LINE
        return min(end, len(data))

    def _take_tail(self, data: bytes, position: int) -> int:
        if len(self._line) + len(data) - position > limits.TRAILER_BYTES:
            raise MalformedTrailer("the trailer is too long")
        self._line += data[position:]
        return len(data)

    def _begin_chunk(self, line: bytes) -> None:
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise InvalidRequest("a chunk's header does not parse")
        if (match["signature"] is not None) != self._form.is_signed:
            if self._form.is_signed:
                raise SignatureMismatch(self._access_key_id)
            raise InvalidRequest("a chunk signature in an unsigned body")
        size = int(match["size"], 16)  # ASCII hexadecimal digits only, by the pattern
        self._check_size(size)
        self._declared = match["signature"]
        self._remaining = size
        self._size += size
        if size:
            self._state = _State.DATA
            return
        if self._size != self._decoded_bytes:
            raise IncompleteBody(self._decoded_bytes, self._size)
        if self._signer is not None:
            self._verify_chunk(self._signer)
        self._state = _State.TAIL

    def _check_size(self, size: int) -> None:
        if self._size + size > self._decoded_bytes:
            raise IncompleteBody(self._decoded_bytes, self._size + size)
        if not self._form.is_signed or not size:
            return
        if size > limits.AWS_CHUNK_BYTES:
            raise InvalidChunkSize(f"a chunk over {limits.AWS_CHUNK_BYTES} bytes")
        is_last = self._size + size == self._decoded_bytes
        if size < limits.AWS_CHUNK_MIN_BYTES and not is_last:
            raise InvalidChunkSize(
                f"only the last chunk may be under {limits.AWS_CHUNK_MIN_BYTES} bytes"
            )

    def _verify_chunk(self, signer: ChunkSigner) -> None:
        computed = signer.sign_chunk(self._hash.hexdigest())
        self._hash = hashlib.sha256()
        self._compare(self._declared, computed)

    def _compare(self, declared: bytes, computed: str) -> None:
        if not hmac.compare_digest(declared, computed.encode("ascii")):
            raise SignatureMismatch(self._access_key_id)


class Encoder:
    """Frames and signs one body that goes to a backend: feed() pieces, then finish().

    All chunks but the last have the same size, so encoded_length() is known before
    the first byte. What is returned may refer to the pieces fed, without a copy.
    """

    __slots__ = ("_chunk_bytes", "_hash", "_parts", "_signer", "_size")

    def __init__(
        self, signer: ChunkSigner, chunk_bytes: int = ENCODED_CHUNK_BYTES
    ) -> None:
        """Continue the chain that the request's signature began."""
        assert limits.AWS_CHUNK_MIN_BYTES <= chunk_bytes <= limits.AWS_CHUNK_BYTES
        self._signer = signer
        self._chunk_bytes = chunk_bytes
        self._parts: list[memoryview] = []
        self._size = 0
        self._hash = hashlib.sha256()

    def feed(self, piece: bytes) -> list[bytes | memoryview]:
        """Take data; return framed bytes, as far as chunks are full."""
        out: list[bytes | memoryview] = []
        rest = memoryview(piece)
        while rest:
            part = rest[: self._chunk_bytes - self._size]
            rest = rest[len(part) :]
            self._parts.append(part)
            self._size += len(part)
            self._hash.update(part)
            if self._size == self._chunk_bytes:
                out += self._end_chunk()
        return out

    def finish(self) -> list[bytes | memoryview]:
        """Return the rest: a last short chunk, if any, and the final empty one."""
        last = self._end_chunk() if self._size else []
        return [*last, *self._end_chunk()]

    def _end_chunk(self) -> list[bytes | memoryview]:
        signature = self._signer.sign_chunk(self._hash.hexdigest())
        assert _SIGNATURE.fullmatch(signature)
        head = f"{self._size:x};chunk-signature={signature}\r\n".encode("ascii")
        framed: list[bytes | memoryview] = [head, *self._parts, _CRLF]
        self._parts = []
        self._size = 0
        self._hash = hashlib.sha256()
        return framed


def encoded_length(size: int, chunk_bytes: int = ENCODED_CHUNK_BYTES) -> int:
    """Return how many bytes an Encoder makes of size bytes of data."""
    full, rest = divmod(size, chunk_bytes)
    length = full * _framed_length(chunk_bytes) + _framed_length(0)
    return length + _framed_length(rest) if rest else length


def _framed_length(size: int) -> int:
    return len(f"{size:x};chunk-signature=") + 64 + len(_CRLF) + size + len(_CRLF)
