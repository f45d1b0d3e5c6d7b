"""Reading through the guard: one call that lasts as long as the blob is open.

A reader takes one cancel scope per piece, because a scope must not stay open around the
caller's code. The first piece is read with the head: small blobs cost one scope, and a
body that never comes is known before anybody was promised it.
"""

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Protocol

from s3o.backends.call import Call
from s3o.backends.seam import BlobReader
from s3o.model.names import StorageKey
from s3o.model.values import BlobInfo, Interval, Usage
from s3o.policy.health import Verdict


class ReadGuard(Protocol):
    """What of Guarded a reader needs."""

    def begin(self, operation: str, proposed: Usage | None = None) -> Call:
        """Let a call through or raise."""
        ...

    def judge(self, call: Call, verdict: Verdict) -> None:
        """Tell the breaker what a call shows."""
        ...

    def open_inner(
        self, storage_key: StorageKey, interval: Interval | None
    ) -> AbstractAsyncContextManager[BlobReader]:
        """Open the blob unguarded."""
        ...


class GuardedOpening:
    """An open blob as a context manager; the call lasts as long as the block."""

    def __init__(
        self, guard: ReadGuard, storage_key: StorageKey, interval: Interval | None
    ) -> None:
        self._guard = guard
        self._context = guard.open_inner(storage_key, interval)
        self._interval = interval
        self._call: Call | None = None

    async def __aenter__(self) -> BlobReader:
        length = self._interval.length if self._interval is not None else 0
        call = self._call = self._guard.begin("GetObject", Usage(1, length, 0))
        with call:
            reader = await self._context.__aenter__()
            try:
                piece = await reader.read()
            except BaseException as error:
                await self._context.__aexit__(type(error), error, error.__traceback__)
                raise
        left = reader.info.stored_bytes if self._interval is None else length
        return _GuardedReader(self._guard, call, reader, piece, left)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        assert self._call is not None
        try:
            return await self._context.__aexit__(kind, error, trace)
        finally:
            self._call.leave()


class _GuardedReader:
    """A seam.BlobReader with a deadline per piece; the first one came with the head."""

    def __init__(
        self,
        guard: ReadGuard,
        call: Call,
        reader: BlobReader,
        first: bytes,
        left: int,
    ) -> None:
        self._guard = guard
        self._call = call
        self._reader = reader
        self._first: bytes | None = first
        self._left = left
        self._is_at_end = False
        self._judge_piece(first)

    @property
    def info(self) -> BlobInfo:
        """What the backend said of the blob."""
        return self._reader.info

    async def read(self) -> bytes:
        """Return the next piece, or b"" at the end."""
        if self._first is not None:
            piece, self._first = self._first, None
            return piece
        if self._is_at_end:
            # The inner reader has proved its end with the completing piece (seam).
            return b""
        with self._call:
            piece = await self._reader.read()
        self._judge_piece(piece)
        return piece

    def _judge_piece(self, piece: bytes) -> None:
        self._left -= len(piece)
        if not piece or self._left <= 0:
            self._is_at_end = True
            self._call.succeed()
        elif self._call.ticket.is_probe and not self._call.is_settled:
            # A probe must not stay open as long as a slow client reads.
            self._guard.judge(self._call, Verdict.WELL)
