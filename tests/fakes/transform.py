"""A transform that adds 28 bytes to every 64 KiB: encryption's shape without its keys.

It proves that size and stored size are kept apart everywhere. Each frame carries its
number, its length and a checksum, so that a frame lost, doubled, moved, cut or changed
is seen; the last one says that it is the last.
"""

import hashlib
import struct

from s3o.model.errors import BlobDamaged

FRAME_BYTES = 64 * 1024
OVERHEAD_BYTES = 28
_HEAD = struct.Struct(">4sIIB7x")  # magic, number, length, is last
_MAGIC = b"FRM1"
_DIGEST_BYTES = OVERHEAD_BYTES - _HEAD.size


def _frame(number: int, plain: bytes, *, is_last: bool) -> bytes:
    head = _HEAD.pack(_MAGIC, number, len(plain), is_last)
    digest = hashlib.blake2b(head + plain, digest_size=_DIGEST_BYTES).digest()
    return head + digest + plain


def _frames(size: int) -> int:
    return -(-size // FRAME_BYTES)


class FramingTransform:
    """A model.seams.Transform; an empty object has no frame."""

    def stored_size(self, size: int) -> int:
        """size and 28 bytes per begun frame."""
        return size + OVERHEAD_BYTES * _frames(size)

    def stored_interval(self, size: int, start: int, stop: int) -> tuple[int, int]:
        """Whole frames only."""
        assert 0 <= start <= stop <= size
        if start == stop:
            return 0, 0
        first, last = start // FRAME_BYTES, (stop - 1) // FRAME_BYTES
        whole = FRAME_BYTES + OVERHEAD_BYTES
        return first * whole, min((last + 1) * whole, self.stored_size(size))

    def encoding(self, size: int) -> "FramingEncoding":
        """The way down."""
        return FramingEncoding(size)

    def decoding(self, size: int, start: int, stop: int) -> "FramingDecoding":
        """The way up."""
        return FramingDecoding(size, start, stop)


class FramingEncoding:
    """A model.seams.Encoding that holds back what does not fill a frame."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._fed = 0
        self._held = bytearray()
        self._number = 0

    def feed(self, piece: bytes) -> bytes:
        """Frames that are full, except the last one of all."""
        self._fed += len(piece)
        assert self._fed <= self._size, "fed more than was declared"
        self._held += piece
        out = bytearray()
        while len(self._held) > FRAME_BYTES:
            out += self._take(FRAME_BYTES, is_last=False)
        return bytes(out)

    def finish(self) -> bytes:
        """The last frame."""
        assert self._fed == self._size, "finished before everything was fed"
        return self._take(len(self._held), is_last=True) if self._held else b""

    def _take(self, length: int, *, is_last: bool) -> bytes:
        plain = bytes(self._held[:length])
        del self._held[:length]
        self._number += 1
        return _frame(self._number - 1, plain, is_last=is_last)


class FramingDecoding:
    """A model.seams.Decoding that checks every frame it is given."""

    def __init__(self, size: int, start: int, stop: int) -> None:
        self._frames = _frames(size)
        self._size = size
        self._number = start // FRAME_BYTES
        self._position = self._number * FRAME_BYTES
        self._start = start
        self._stop = stop
        self._held = bytearray()

    def feed(self, piece: bytes) -> bytes:
        """Plaintext of the wanted interval."""
        self._held += piece
        out = bytearray()
        while self._number < self._frames and self._position < self._stop:
            length = min(FRAME_BYTES, self._size - self._position)
            if len(self._held) < length + OVERHEAD_BYTES:
                break
            out += self._wanted(self._check(length))
        return bytes(out)

    def finish(self) -> bytes:
        """Nothing; raises when frames are missing or bytes are left over."""
        if self._position < self._stop and self._start < self._stop:
            raise BlobDamaged("", "decode", "frames are missing")
        if self._held:
            raise BlobDamaged("", "decode", "bytes are left over")
        return b""

    def _check(self, length: int) -> bytes:
        plain = bytes(self._held[OVERHEAD_BYTES : OVERHEAD_BYTES + length])
        is_last = self._number == self._frames - 1
        expected = _frame(self._number, plain, is_last=is_last)
        if expected != self._held[: OVERHEAD_BYTES + length]:
            raise BlobDamaged("", "decode", f"frame {self._number} is not intact")
        del self._held[: OVERHEAD_BYTES + length]
        return plain

    def _wanted(self, plain: bytes) -> bytes:
        low = max(self._start - self._position, 0)
        high = self._stop - self._position
        self._number += 1
        self._position += len(plain)
        return plain[low:high]
