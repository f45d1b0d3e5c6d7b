"""The body of a PUT on its way to a provider.

The first piece is read before a connection is asked for: a client that is slow, or
whose digest is wrong, then costs no backend anything. A body that is all in its first
piece can be sent again; a longer one only if its source can begin again.
"""

from collections.abc import Sequence

from s3o.backends.seam import Meter
from s3o.model.seams import ByteSource
from s3o.wire.aws_chunked import Encoder, encoded_length
from s3o.wire.sigv4 import ChunkSigner


class Upload:
    """One source, its first piece read."""

    __slots__ = ("_source", "first", "size")

    def __init__(self, source: ByteSource, first: bytes) -> None:
        self._source = source
        self.first = first
        self.size = source.size

    @property
    def is_whole(self) -> bool:
        """Whether the first piece is all there is."""
        return len(self.first) == self.size

    async def rewind(self) -> bool:
        """Begin again if possible; say whether. Raises what the source raises."""
        if self.is_whole:
            return True
        if not self._source.rewind():
            return False
        self.first = await self._source.read()
        return True

    def rest(self, meter: Meter, chunks: ChunkSigner | None) -> "_Rest":
        """Return what follows the first piece, or all of it framed as aws-chunked."""
        return _Rest(self, self._source, meter, chunks)


async def open_upload(source: ByteSource) -> Upload:
    """Read the first piece of source; raises what it raises."""
    return Upload(source, await source.read())


class _Rest:
    """Pieces of an upload, counted as they go."""

    __slots__ = ("_encoder", "_left", "_meter", "_source", "_unsent")

    def __init__(
        self,
        upload: Upload,
        source: ByteSource,
        meter: Meter,
        chunks: ChunkSigner | None,
    ) -> None:
        self._source = source
        self._meter = meter
        self._encoder = None if chunks is None else Encoder(chunks)
        self._unsent = upload.first if chunks is not None else b""
        self._left = upload.size - (0 if chunks is not None else len(upload.first))

    async def read(self) -> Sequence[bytes | memoryview]:
        """Return the next bytes in order, or nothing at the end."""
        while self._left:
            piece = self._unsent or await self._source.read()
            self._unsent = b""
            assert 0 < len(piece) <= self._left, "a source broke its word"
            self._left -= len(piece)
            self._meter.count_ingress(len(piece))
            if self._encoder is None:
                return (piece,)
            framed = self._encoder.feed(piece)
            if not self._left:
                framed += self._encoder.finish()
            if framed:
                return framed
        return ()


def framed_size(size: int) -> int:
    """Return how long a body of size bytes is in aws-chunked framing."""
    return encoded_length(size)
