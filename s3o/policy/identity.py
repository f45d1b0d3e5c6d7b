"""The transform that changes nothing: stored bytes are the client's bytes."""

from s3o.model.errors import BlobDamaged


class IdentityTransform:
    """A model.seams.Transform without state."""

    def stored_size(self, size: int) -> int:
        """Return size."""
        return size

    def stored_interval(self, size: int, start: int, stop: int) -> tuple[int, int]:
        """Return the same interval."""
        assert 0 <= start <= stop <= size
        return start, stop

    def encoding(self, size: int) -> "IdentityEncoding":
        """Return a stage that hands everything through."""
        return IdentityEncoding()

    def decoding(self, size: int, start: int, stop: int) -> "IdentityDecoding":
        """Return a stage that hands everything through and counts it."""
        return IdentityDecoding(stop - start)


class IdentityEncoding:
    """A model.seams.Encoding that holds nothing back."""

    def feed(self, piece: bytes) -> bytes:
        """Return piece."""
        return piece

    def finish(self) -> bytes:
        """Return nothing."""
        return b""


class IdentityDecoding:
    """A model.seams.Decoding that checks only the length."""

    def __init__(self, length: int) -> None:
        self._left = length

    def feed(self, piece: bytes) -> bytes:
        """Return piece; raises BlobDamaged when there is more than was wanted."""
        self._left -= len(piece)
        if self._left < 0:
            raise BlobDamaged("", "decode", "more bytes than the interval has")
        return piece

    def finish(self) -> bytes:
        """Return nothing; raises BlobDamaged when bytes are missing."""
        if self._left:
            raise BlobDamaged("", "decode", "fewer bytes than the interval has")
        return b""
