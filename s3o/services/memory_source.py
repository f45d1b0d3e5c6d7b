"""A ByteSource of bytes that are already in memory."""

import trio

from s3o.model.limits import PIECE_BYTES


class MemorySource:
    """Bytes in memory on their way to a backend."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    @property
    def size(self) -> int:
        """How many bytes in all."""
        return len(self._body)

    async def read(self) -> bytes:
        """Return the next piece."""
        await trio.lowlevel.checkpoint()
        piece = self._body[self._at : self._at + PIECE_BYTES]
        self._at += len(piece)
        return piece

    def rewind(self) -> bool:
        """Start again; always possible."""
        self._at = 0
        return True
