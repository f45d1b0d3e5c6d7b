"""The way of a body down to a backend: replay window, transform, last-bytes hook.

Rules: memory per write is bounded by the replay window, whatever the object's size;
while the window has not been passed another backend can take the write over from the
first byte; the hook runs before the completing piece is handed out, so what it writes
into the ledger is there before the object can be complete on a backend. It is told the
MD5 of all stored bytes, by which a HEAD can prove later that the backend has them.
"""

import hashlib
from collections.abc import Awaitable, Callable

from s3o.model import limits
from s3o.model.seams import ByteSource, Transform
from s3o.policy.identity import IdentityTransform


class ReplayBudget:
    """The replay memory of the whole process; plain arithmetic, no waiting."""

    def __init__(self, total_bytes: int = limits.REPLAY_TOTAL_BYTES) -> None:
        self._free_bytes = total_bytes

    def take(self, size_bytes: int) -> int:
        """Reserve a window for a body of size_bytes; 0 when none is left."""
        window = min(size_bytes, limits.REPLAY_BYTES)
        if window > self._free_bytes:
            return 0
        self._free_bytes -= window
        return window

    def give_back(self, window_bytes: int) -> None:
        """Return what take() reserved."""
        self._free_bytes += window_bytes


class ReplayableSource:
    """A body that can start again while everything read so far is still kept."""

    def __init__(self, inner: ByteSource, window_bytes: int) -> None:
        self._inner = inner
        self._window_bytes = window_bytes
        self._kept: list[bytes] | None = []
        self._kept_bytes = 0
        self._next = 0

    @property
    def size(self) -> int:
        """Plaintext bytes in all."""
        return self._inner.size

    async def read(self) -> bytes:
        """Return the next piece, from memory after a rewind."""
        kept = self._kept
        if kept is not None and self._next < len(kept):
            self._next += 1
            return kept[self._next - 1]
        piece = await self._inner.read()
        if kept is not None and piece:
            self._keep(kept, piece)
        return piece

    def _keep(self, kept: list[bytes], piece: bytes) -> None:
        self._kept_bytes += len(piece)
        if self._kept_bytes > self._window_bytes:
            self._kept = None
            return
        kept.append(piece)
        self._next = len(kept)

    def rewind(self) -> bool:
        """Start again if the window has not been passed."""
        self._next = 0
        return self._kept is not None


class StoredSource:
    """The stored form of a body, as one backend is given it.

    on_complete is given what stored_md5 will be. Owns: nothing; the body belongs to the
    request. A new one per attempt.
    """

    def __init__(
        self,
        plain: ReplayableSource,
        transform: Transform,
        on_complete: Callable[[str | None], Awaitable[None]],
    ) -> None:
        self._plain = plain
        self._transform = transform
        self._on_complete = on_complete
        self._size = transform.stored_size(plain.size)
        self._start()

    def _start(self) -> None:
        self._encoding = self._transform.encoding(self._plain.size)
        self._left = self._plain.size
        self._ready = b""
        self._is_encoded = False
        self._is_finished = False
        # The identity's digest is the plaintext's; hashing it again would double the
        # dearest part of a write.
        self._md5 = (
            None
            if isinstance(self._transform, IdentityTransform)
            else hashlib.md5(usedforsecurity=False)
        )

    @property
    def size(self) -> int:
        """Stored bytes in all."""
        return self._size

    @property
    def stored_md5(self) -> str | None:
        """Hex MD5 of what was read; None where stored and plaintext are the same."""
        return self._md5.hexdigest() if self._md5 is not None else None

    @property
    def is_complete(self) -> bool:
        """Whether the completing piece was handed out: the blob may be whole."""
        return self._is_finished

    async def read(self) -> bytes:
        """Return the next stored piece (at most PIECE_BYTES); b"" at the end."""
        while not self._ready and not self._is_encoded:
            self._ready = await self._encode_next()
        # A transform may make a piece longer than any backend has to take.
        piece = self._ready[: limits.PIECE_BYTES]
        self._ready = self._ready[limits.PIECE_BYTES :]
        self._is_finished = self._is_encoded and not self._ready
        if self._md5 is not None:
            self._md5.update(piece)
        return piece

    async def _encode_next(self) -> bytes:
        piece = await self._plain.read()
        assert piece or not self._left, "a source may not end early"
        self._left -= len(piece)
        stored = self._encoding.feed(piece) if piece else b""
        if not self._left:
            stored += self._encoding.finish()
            await self._on_complete(self._md5_with(stored))
            self._is_encoded = True
        return stored

    def _md5_with(self, last: bytes) -> str | None:
        if self._md5 is None:
            return None
        md5 = self._md5.copy()
        md5.update(last)
        return md5.hexdigest()

    def rewind(self) -> bool:
        """Start again from the first byte, with a fresh encoding, if possible."""
        if not self._plain.rewind():
            return False
        self._start()
        return True
