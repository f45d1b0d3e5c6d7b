"""Bodies for tests: bytes on their way down, well-behaved or not."""

import base64
import hashlib
from collections.abc import Iterable

import anycrc
import trio

from s3o.model import limits
from s3o.model.values import Checksum, ChecksumAlgorithm, Digests


def digests_of(body: bytes) -> Digests:
    """What a request body that declared nothing has as its digests."""
    crc = anycrc.Model("CRC64-NVME").calc(body)
    return Digests(
        md5=hashlib.md5(body, usedforsecurity=False).hexdigest(),
        checksum=Checksum(
            ChecksumAlgorithm.CRC64NVME,
            base64.b64encode(crc.to_bytes(8, "big")).decode("ascii"),
        ),
        sha256=hashlib.sha256(body).hexdigest(),
    )


class BytesSource:
    """A model.seams.ByteSource and DigestedSource over bytes.

    piece_bytes: how much each read returns. fail_at: how many bytes are handed out
    before `error` is raised instead of the next piece (never short data). pause_s:
    waited before each piece, as a slow client would. can_rewind: of rewind().
    """

    def __init__(
        self,
        body: bytes,
        *,
        piece_bytes: int = limits.PIECE_BYTES,
        can_rewind: bool = True,
        fail_at: int | None = None,
        error: BaseException | None = None,
        pause_s: float = 0.0,
        declared_sha256: str | None = None,
    ) -> None:
        self._body = body
        self._piece_bytes = piece_bytes
        self._can_rewind = can_rewind
        self._fail_at = fail_at
        self._error = error
        self._pause_s = pause_s
        self._position = 0
        self._is_verified = False
        self.declared_sha256 = declared_sha256
        self.reads = 0
        self.rewinds = 0

    @property
    def size(self) -> int:
        """How many bytes read() yields in all."""
        return len(self._body)

    @property
    def digests(self) -> Digests:
        """The digests; only once the completing piece was returned."""
        assert self._is_verified, "digests asked for before the last piece"
        return digests_of(self._body)

    async def read(self) -> bytes:
        """The next piece."""
        self.reads += 1
        if self._pause_s:
            await trio.sleep(self._pause_s)
        else:
            await trio.lowlevel.checkpoint()
        stop = min(self._position + self._piece_bytes, len(self._body))
        if self._fail_at is not None and stop > self._fail_at:
            stop = self._fail_at
        if self._fail_at is not None and stop <= self._position:
            assert self._error is not None
            raise self._error
        piece = self._body[self._position : stop]
        self._position = stop
        self._is_verified = stop == len(self._body)
        return piece

    def rewind(self) -> bool:
        """Start again, if this body can."""
        if not self._can_rewind:
            return False
        self.rewinds += 1
        self._position = 0
        return True


class StalledSource:
    """A DigestedSource whose client sends its first pieces and then nothing more."""

    def __init__(self, size: int, pieces: Iterable[bytes] = ()) -> None:
        self.size = size
        self.declared_sha256: str | None = None
        self._pieces = list(pieces)
        self.is_stalled = trio.Event()

    async def read(self) -> bytes:
        """A piece, or for ever nothing."""
        if self._pieces:
            await trio.lowlevel.checkpoint()
            return self._pieces.pop(0)
        self.is_stalled.set()
        await trio.sleep_forever()
        raise AssertionError("unreachable")

    @property
    def digests(self) -> Digests:
        """There never will be any."""
        raise AssertionError("digests asked for before the last piece")

    def rewind(self) -> bool:
        """Bytes of a stalled client are gone."""
        return False


def pattern(size: int, seed: int = 0) -> bytes:
    """Bytes in which every misplaced slice shows."""
    block = b"".join(
        hashlib.sha256(f"{seed}/{number}".encode()).digest() for number in range(64)
    )
    count = size // (len(block) + 8) + 1
    return b"".join(number.to_bytes(8, "big") + block for number in range(count))[:size]
