"""The stored bytes of one blob, read from its copies, as the source of a PUT.

Bytes are as they lie there: nothing is decoded. Where the digest of the blob is known,
a copy that breaks off is resumed on the next one, because the digest over all proves
the sum; it is compared before the last bytes are released, so that a damaged copy never
becomes a good-looking one. Where it is not known, all bytes come from one copy.
"""

import hashlib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from s3o.backends.fleet import Fleet
from s3o.backends.seam import BlobReader
from s3o.model.errors import (
    BackendError,
    BackendsFailed,
    BlobDamaged,
    BlobMissing,
)
from s3o.model.facts import ReadFailedOver
from s3o.model.seams import Observer
from s3o.model.values import Interval, Location, LocationState
from s3o.objects.read_order import order_for_read

OPERATION = "CopyBlob"


class BlobSource:
    """A ByteSource over the copies in places, tried in order; use as `async with`.

    md5 (hex): of the blob, where it is known. Owns: at most one open blob.
    """

    def __init__(
        self,
        fleet: Fleet,
        observer: Observer,
        places: Sequence[Location],
        size: int,
        md5: str | None,
    ) -> None:
        self._fleet = fleet
        self._observer = observer
        self._places = list(places)
        self._size = size
        self._known_md5 = md5
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._seen = 0
        self._is_finished = False
        self._failures: list[str] = []
        self._place: Location | None = None
        self._context: AbstractAsyncContextManager[BlobReader] | None = None
        self._reader: BlobReader | None = None
        #: whether all copies answered, with bytes that are not the blob's
        self.is_damaged = False
        #: the copies that bytes came from
        self.served: list[Location] = []
        #: copies that are not there, or not the right bytes
        self.suspects: list[Location] = []

    async def __aenter__(self) -> "BlobSource":
        """Nothing is opened before the first byte is wanted."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the open blob."""
        await self._close()

    @property
    def size(self) -> int:
        """Stored bytes in all."""
        return self._size

    @property
    def md5(self) -> str:
        """Hex MD5 of all bytes, once the completing piece was returned."""
        assert self._is_finished, "the digest of bytes that were not read"
        return self._md5.hexdigest()

    @property
    def is_known(self) -> bool:
        """Whether the bytes are known to be right: by their digest, or proved before.

        A faithful copy of bytes that nobody has proved is no proof of either.
        """
        are_proved = all(one.verified_at_us is not None for one in self.served)
        return self._known_md5 is not None or are_proved

    @property
    def is_finished(self) -> bool:
        """Whether the completing piece was handed out."""
        return self._is_finished

    async def read(self) -> bytes:
        """Return the next piece; b"" at the end.

        Raises BackendsFailed when no copy serves, or what they serve is damaged.
        """
        if self._is_finished:
            return b""
        while True:
            if self._reader is None:
                await self._open_next()
            try:
                piece = await self._read_piece()
            except BackendError as error:
                await self._give_up(error)
                continue
            self._seen += len(piece)
            self._md5.update(piece)
            if self._seen == self._size:
                self._finish()
            return piece

    def rewind(self) -> bool:
        """Whether nothing was read yet."""
        return self._seen == 0 and not self._is_finished

    async def _read_piece(self) -> bytes:
        assert self._reader is not None
        assert self._place is not None
        piece = await self._reader.read()
        if self._seen + len(piece) > self._size or (not piece and self._size):
            raise self._damaged(self._place, "more or fewer bytes than asked for")
        return piece

    async def _open_next(self) -> None:
        while self._places:
            place = self._place = self._places.pop(0)
            interval = Interval(self._seen, self._size) if self._size else None
            context = self._fleet.get(place.backend).open(place.storage_key, interval)
            try:
                self._reader = await context.__aenter__()
            except BackendError as error:
                await self._give_up(error)
                continue
            self._context = context
            if self._reader.info.stored_bytes == self._size:
                self.served.append(place)
                return
            await self._give_up(self._damaged(place, "the blob has another size"))
        raise BackendsFailed(OPERATION, tuple(self._failures))

    async def _give_up(self, error: BackendError) -> None:
        """Note the failure of the copy in hand; go on with the next if possible."""
        place = self._place
        assert place is not None
        await self._close()
        self._failures.append(str(error))
        self._observer.note(
            ReadFailedOver(
                operation=OPERATION, failed_backend=place.backend, reason=str(error)
            )
        )
        if isinstance(error, BlobMissing | BlobDamaged):
            self.suspects.append(place)
        if self._seen and self._known_md5 is None:
            self._places.clear()

    def _finish(self) -> None:
        """Compare the digest; whose fault it is shows only if one copy served all."""
        if self._known_md5 not in (None, self._md5.hexdigest()):
            self.is_damaged = True
            if len(self.served) == 1:
                self.suspects += self.served
            raise BackendsFailed(OPERATION, ("the copies' bytes are damaged",))
        self._is_finished = True

    async def _close(self) -> None:
        context, self._context, self._reader = self._context, None, None
        if context is not None:
            await context.__aexit__(None, None, None)

    def _damaged(self, place: Location, reason: str) -> BlobDamaged:
        return BlobDamaged(
            place.backend, OPERATION, reason, storage_key=place.storage_key
        )


async def read_md5(fleet: Fleet, observer: Observer, place: Location) -> str:
    """Read a whole copy and return its MD5 in hex; raises BackendsFailed."""
    async with BlobSource(fleet, observer, (place,), place.stored_bytes, None) as blob:
        while not blob.is_finished:
            await blob.read()
        return blob.md5


def order_sources(fleet: Fleet, places: Sequence[Location]) -> tuple[Location, ...]:
    """Return the copies that may be copied, in the order in which reads ask them.

    A suspect one only where its digest is known, so that its bytes are judged.
    """
    return tuple(
        place
        for place in order_for_read(fleet, places)
        if place.state is LocationState.LIVE or place.stored_md5 is not None
    )
