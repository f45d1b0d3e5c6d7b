"""One body to several backends at once, from one read of it.

The first one, the primary, decides: it takes the pieces as the source yields them, its
failure is the write's, and when it is done the others get little time to finish. They
read what the primary has read, from a window: who falls behind it is cut off, and his
copy is left to the replicator. Nothing of a copy ever fails or holds up the client.

The completing piece reaches nobody before the source has verified the body.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import trio

from s3o.backends.guard import Guarded
from s3o.ledger.copies import CopyProof
from s3o.ledger.wide_writes import EndedSide
from s3o.model.errors import BackendError, BackendsFailed, S3OError
from s3o.model.facts import WriteCopied
from s3o.model.names import StorageKey
from s3o.model.seams import ByteSource, Observer
from s3o.model.values import BlobHeaders, PutReceipt

# How much longer than the primary the others may take: as long again, within these.
LEAST_GRACE_S = 0.2
MOST_GRACE_S = 5.0


@dataclass(slots=True, kw_only=True)
class Side:
    """One copy under way, and what has become of it."""

    storage_key: StorageKey
    backend: Guarded
    headers: BlobHeaders
    receipt: PutReceipt | None = None
    status: str = "lagged"
    reader: "SideReader | None" = field(default=None)

    def ended(self, md5: str) -> EndedSide:
        """Say what is to be recorded; md5 is of the stored bytes."""
        receipt = self.receipt
        if receipt is not None and receipt.etag_is_md5 and receipt.etag == md5:
            self.status = "written"
            proof = CopyProof(
                stored_md5=md5,
                backend_etag=receipt.etag,
                backend_version=receipt.backend_version,
                is_verified=True,
            )
            return EndedSide(storage_key=self.storage_key, proof=proof)
        if receipt is not None:
            self.status = "unproved"
        return self.given_up()

    def given_up(self) -> EndedSide:
        """Say that nothing is to be recorded."""
        is_complete = self.reader is not None and self.reader.is_complete
        return EndedSide(
            storage_key=self.storage_key,
            is_ambiguous=is_complete and self.receipt is None,
        )


async def send_to_all(
    source: ByteSource,
    send: Callable[[ByteSource], Awaitable[PutReceipt]],
    sides: Sequence[Side],
    window_bytes: int,
) -> PutReceipt:
    """Send source by `send`, and to the sides beside it; return the primary's answer.

    Raises what send raises; the sides' failures stand in them.
    """
    window = Window(source, window_bytes)
    for side in sides:
        side.reader = window.open_side()
    left = len(sides)
    all_done = trio.Event()
    failure: S3OError | None = None

    async def send_side(side: Side, reader: "SideReader") -> None:
        nonlocal left
        try:
            side.receipt = await side.backend.put(
                side.storage_key, reader, side.headers
            )
        except (BackendError, BackendsFailed):  # the guard has told of it
            if not reader.is_cut_off:
                side.status = "failed"
        finally:
            reader.close()
            left -= 1
            if not left:
                all_done.set()

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for side in sides:
            assert side.reader is not None
            nursery.start_soon(send_side, side, side.reader)
        try:
            receipt = await send(window.primary)
        except S3OError as error:
            failure = error
        else:
            spent_s = trio.current_time() - began
            grace_s = min(max(spent_s, LEAST_GRACE_S), MOST_GRACE_S)
            with trio.move_on_after(grace_s):
                await all_done.wait()
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return receipt


def tell(sides: Sequence[Side], observer: Observer) -> None:
    """Note what became of each copy."""
    for side in sides:
        observer.note(WriteCopied(backend=side.backend.name, status=side.status))


class Window:
    """The pieces that the primary has read and a side has not, at most window_bytes.

    Until that many bytes were read, everything is kept, so that everybody can rewind.
    """

    def __init__(self, source: ByteSource, window_bytes: int) -> None:
        self._source = source
        self._window_bytes = window_bytes
        self._pieces: list[bytes] = []
        self._first = 0  # the number of the first piece that is kept
        self._kept_bytes = 0
        self._read_bytes = 0
        self._is_ended = False
        self._grown = trio.Event()
        self._sides: list[SideReader] = []
        self.primary = PrimaryReader(self)

    @property
    def size(self) -> int:
        """Stored bytes in all."""
        return self._source.size

    @property
    def is_whole(self) -> bool:
        """Whether nothing was let go."""
        return self._first == 0

    def open_side(self) -> "SideReader":
        """Return one more reader; before the first byte was read."""
        reader = SideReader(self)
        self._sides.append(reader)
        return reader

    def close_side(self, reader: "SideReader") -> None:
        """A reader wants nothing more."""
        if reader in self._sides:
            self._sides.remove(reader)

    def piece_at(self, number: int) -> bytes | None:
        """Return a piece that is kept; None: it was not read yet."""
        position = number - self._first
        assert position >= 0, "a reader behind the window was cut off"
        return self._pieces[position] if position < len(self._pieces) else None

    def is_end(self, number: int) -> bool:
        """Whether number is behind the last piece."""
        return self._is_ended and number >= self._first + len(self._pieces)

    async def grow(self) -> bytes:
        """Read the source's next piece for everybody; only the primary does."""
        piece = await self._source.read()
        if piece or not self._read_bytes:
            self._pieces.append(piece)
            self._kept_bytes += len(piece)
            self._read_bytes += len(piece)
        if self._read_bytes >= self.size:
            self._is_ended = True
        self._trim()
        self._grown.set()
        self._grown = trio.Event()
        return piece

    async def wait_grown(self) -> None:
        """Wait for the next piece."""
        await self._grown.wait()

    def _trim(self) -> None:
        """Let go of what all have read; cut off who would keep too much."""
        while self._kept_bytes > self._window_bytes and self._pieces:
            for reader in [one for one in self._sides if one.next == self._first]:
                reader.cut_off()
            self._kept_bytes -= len(self._pieces.pop(0))
            self._first += 1


class PrimaryReader:
    """The source as the primary reads it: a ByteSource that grows the window."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._next = 0

    @property
    def size(self) -> int:
        """Stored bytes in all."""
        return self._window.size

    async def read(self) -> bytes:
        """Return the next piece; raises what the source raises."""
        if self._window.is_end(self._next):
            return b""
        piece = self._window.piece_at(self._next)
        if piece is None:
            piece = await self._window.grow()
        self._next += 1
        return piece

    def rewind(self) -> bool:
        """Start again while nothing was let go."""
        if not self._window.is_whole:
            return False
        self._next = 0
        return True


class SideReader:
    """The window as one of the others reads it: a ByteSource that waits."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.next = 0
        self.is_cut_off = False

    @property
    def size(self) -> int:
        """Stored bytes in all."""
        return self._window.size

    @property
    def is_complete(self) -> bool:
        """Whether the completing piece was handed out: the blob may be whole."""
        return self._window.is_end(self.next)

    def cut_off(self) -> None:
        """It is too slow."""
        self.is_cut_off = True
        self._window.close_side(self)

    def close(self) -> None:
        """It is done."""
        self._window.close_side(self)

    async def read(self) -> bytes:
        """Return the next piece; raises BackendsFailed when this side was cut off."""
        while True:
            if self.is_cut_off:
                raise BackendsFailed("WriteCopy", ("the backend fell behind",))
            if self._window.is_end(self.next):
                return b""
            piece = self._window.piece_at(self.next)
            if piece is not None:
                self.next += 1
                return piece
            await self._window.wait_grown()

    def rewind(self) -> bool:
        """Start again while nothing was let go."""
        if self.is_cut_off or not self._window.is_whole:
            return False
        self.next = 0
        return True
