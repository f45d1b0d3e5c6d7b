"""GET: try the locations in order, resume on the next one when a backend dies.

Rules: the first piece is there before the answer's head goes out, so a backend that
fails at once costs the client nothing; after that a failing backend costs a resume at
the byte offset on the next copy; a backend's 404 is never the client's 404; nothing a
read meets deletes anything.
"""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from s3o.backends.fleet import Fleet
from s3o.backends.seam import BlobReader
from s3o.model.errors import (
    BackendError,
    BackendProtocolError,
    BackendsFailed,
    BlobDamaged,
    UsageExhausted,
)
from s3o.model.facts import ReadFailedOver, UsageRejected
from s3o.model.names import BackendName
from s3o.model.seams import Decoding, Observer, Transform
from s3o.model.values import Interval, Location, StoredObject
from s3o.objects.layout import (
    PiecesDecoding,
    Segment,
    blob_locations,
    plan_segments,
    plan_stored,
)
from s3o.objects.live import LiveReads
from s3o.observe.operation import Operation


class ObjectReader:
    """The plaintext of one interval of one version, over all its copies.

    Use as `async with`; entering fetches the first piece. Owns: at most one open blob.
    """

    def __init__(
        self,
        fleet: Fleet,
        transform: Transform,
        observer: Observer,
        reads: LiveReads,
        *,
        operation: Operation,
        stored: StoredObject,
        interval: Interval | None,
    ) -> None:
        self._operation = operation
        self._fleet = fleet
        self._transform = transform
        self._observer = observer
        self._reads = reads
        self._stored = stored
        self._held = tuple(place.storage_key for place in stored.locations)
        self._segments: Iterator[Segment] = iter(
            plan_segments(stored.version, interval) if interval is not None else ()
        )
        self._segment: Segment | None = None
        self._blob: _OpenBlob | None = None
        self._first = b""
        self._failures: list[str] = []
        self._backend: BackendName | None = None  # the last one that served bytes
        self._delivered_bytes = 0

    async def __aenter__(self) -> "ObjectReader":
        """Pin the bytes and fetch the first piece; raises BackendsFailed."""
        self._reads.begin(self._held)
        self._operation.__enter__()
        try:
            self._first = await self._next_piece()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the open blob and release the bytes."""
        try:
            await self._close()
        finally:
            self._reads.end(self._held)
            self._operation.backend = self._backend or ""
            self._operation.size = self._delivered_bytes
            self._operation.__exit__(kind, error, trace)

    async def read(self) -> bytes:
        """Return the next piece; b"" at the end. Raises BackendsFailed."""
        piece, self._first = self._first, b""
        piece = piece or await self._next_piece()
        self._delivered_bytes += len(piece)
        return piece

    async def _next_piece(self) -> bytes:
        while True:
            if self._blob is None:
                self._segment = next(self._segments, None)
                if self._segment is None:
                    return b""
                self._blob = await self._open_somewhere(self._segment)
            piece = await self._read_or_resume(self._blob)
            if piece:
                return piece
            await self._close()

    async def _read_or_resume(self, blob: "_OpenBlob") -> bytes:
        while True:
            try:
                return await blob.read()
            except BackendError as error:
                self._note_failover(blob.location, error)
                await self._close()
                blob = self._blob = await self._open_somewhere(blob.rest())

    async def _open_somewhere(self, segment: Segment) -> "_OpenBlob":
        """Open segment on the first copy that serves it, not tried before."""
        over_usage: list[str] = []
        places = blob_locations(self._stored, segment.blob)
        for location in order_for_read(self._fleet, places):
            backend = location.backend
            if f"{backend} {segment.blob}" in self._failures:
                continue
            limit = self._fleet.may_read(backend, segment.stop - segment.start)
            if limit is not None:
                over_usage.append(backend)
                self._observer.note(
                    UsageRejected(
                        backend=backend, operation="GetObject", limit_type=limit
                    )
                )
                continue
            blob = _OpenBlob(self._fleet, self._transform, location, segment)
            try:
                await blob.open()
            except BackendError as error:
                self._note_failover(location, error)
                continue
            self._backend = backend
            return blob
        if over_usage and not self._failures:
            raise UsageExhausted(tuple(over_usage))
        raise BackendsFailed("GetObject", tuple(self._failures))

    def _note_failover(self, location: Location, error: BackendError) -> None:
        self._failures.append(f"{location.backend} {location.blob}")
        self._observer.note(
            ReadFailedOver(
                operation="GetObject",
                failed_backend=location.backend,
                reason=str(error),
            )
        )

    async def _close(self) -> None:
        blob, self._blob = self._blob, None
        if blob is not None:
            await blob.close()


def order_for_read(
    fleet: Fleet, locations: tuple[Location, ...]
) -> tuple[Location, ...]:
    """Return the usable locations, those behind an open circuit last."""
    configured = [place for place in locations if fleet.find(place.backend)]
    return tuple(
        sorted(configured, key=lambda place: not fleet.get(place.backend).may_call())
    )


class _OpenBlob:
    """One segment of one copy: the stored bytes, decoded."""

    def __init__(
        self, fleet: Fleet, transform: Transform, location: Location, segment: Segment
    ) -> None:
        self.location = location
        self._fleet = fleet
        self._transform = transform
        self._segment = segment
        self._position = segment.start
        self._is_drained = False
        self._context: AbstractAsyncContextManager[BlobReader] | None = None
        self._reader: BlobReader | None = None
        self._decoding: Decoding | None = None

    def rest(self) -> Segment:
        """Return what has not been delivered yet."""
        return Segment(
            blob=self._segment.blob,
            units=self._segment.units,
            start=self._position,
            stop=self._segment.stop,
        )

    async def open(self) -> None:
        """Ask the backend for the stored interval of the segment."""
        plan = plan_stored(self._transform, self._segment)
        self._decoding = PiecesDecoding(self._transform, plan.pieces)
        is_whole = plan.start == 0 and plan.stop == plan.blob_bytes
        context = self._fleet.get(self.location.backend).open(
            self.location.storage_key,
            None if is_whole else Interval(plan.start, plan.stop),
        )
        self._reader = await context.__aenter__()
        self._context = context
        if self._reader.info.stored_bytes != plan.blob_bytes:
            await self.close()
            raise self._damaged("the blob has another size than the ledger says")

    async def read(self) -> bytes:
        """Return the next plaintext piece; b"" when the segment is complete."""
        assert self._reader is not None
        assert self._decoding is not None
        while not self._is_drained:
            stored = await self._reader.read()
            if stored:
                piece = self._decoding.feed(stored)
            else:
                piece = self._decoding.finish()
                self._is_drained = True
            if piece:
                self._position += len(piece)
                if self._position > self._segment.stop:
                    raise self._protocol_error("more bytes than asked for")
                return piece
        if self._position != self._segment.stop:
            raise self._protocol_error("fewer bytes than asked for")
        return b""

    async def close(self) -> None:
        """Give the connection back, or close it when bytes are left on it."""
        context, self._context = self._context, None
        if context is not None:
            await context.__aexit__(None, None, None)

    def _damaged(self, reason: str) -> BlobDamaged:
        return BlobDamaged(
            backend=self.location.backend,
            operation="GetObject",
            reason=reason,
            storage_key=self.location.storage_key,
        )

    def _protocol_error(self, reason: str) -> BackendProtocolError:
        return BackendProtocolError(
            backend=self.location.backend, operation="GetObject", reason=reason
        )
