"""GET: try the locations in order, resume on the next one when a backend dies.

Rules: the first piece is there before the answer's head goes out, so a backend that
fails at once costs the client nothing; after that a failing backend costs a resume at
the byte offset on the next copy; a backend's 404 is never the client's 404; nothing a
read meets deletes anything.

A whole body that is checked has all its bytes here before the first one goes out, as
long as it is small: then the next copy answers in a bad one's place. The completing
piece of a larger one goes out only if the digest is right; the client of a wrong one
sees an answer that breaks off, never a complete wrong body.
"""

from collections import deque
from collections.abc import Iterator
from types import TracebackType

from s3o.backends.fleet import Fleet
from s3o.model.errors import BackendError, BackendsFailed, UsageExhausted
from s3o.model.facts import ReadFailedOver, UsageRejected
from s3o.model.names import BackendName
from s3o.model.seams import Observer, Transform
from s3o.model.values import Interval, Location, StoredObject
from s3o.objects.integrity import Integrity
from s3o.objects.layout import Segment, locations_by_blob, plan_segments
from s3o.objects.live import LiveReads
from s3o.objects.open_blob import OpenBlob
from s3o.objects.read_check import open_check
from s3o.objects.read_order import order_for_read
from s3o.observe.operation import Operation

WRONG_BYTES = "the bytes are not those that were stored"


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
        integrity: Integrity | None = None,
    ) -> None:
        self._operation = operation
        self._fleet = fleet
        self._transform = transform
        self._observer = observer
        self._reads = reads
        self._stored = stored
        self._interval = interval
        self._places = locations_by_blob(stored)
        self._held = tuple(place.storage_key for place in stored.locations)
        self._check = open_check(integrity, stored, interval)
        self._window_bytes = 0  # of the memory for bodies that are checked
        self._segments = self._plan()
        self._blob: OpenBlob | None = None
        self._ready: deque[bytes] = deque()
        self._failures: list[str] = []
        self._backend: BackendName | None = None  # the last one that served bytes
        self._delivered_bytes = 0

    def _plan(self) -> Iterator[Segment]:
        if self._interval is None:
            return iter(())
        return plan_segments(self._stored.version, self._interval)

    async def __aenter__(self) -> "ObjectReader":
        """Pin the bytes and fetch the first piece; raises BackendsFailed."""
        self._reads.begin(self._held)
        self._operation.__enter__()
        try:
            if self._check is not None:
                self._window_bytes = self._reads.take_memory(self._check.size)
            if self._window_bytes:
                await self._read_all()
            else:
                self._ready.append(await self._next_piece())
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
            self._reads.give_memory_back(self._window_bytes)
            self._operation.backend = self._backend or ""
            self._operation.size = self._delivered_bytes
            self._operation.__exit__(kind, error, trace)

    async def read(self) -> bytes:
        """Return the next piece; b"" at the end. Raises BackendsFailed."""
        piece = self._ready.popleft() if self._ready else await self._next_piece()
        self._delivered_bytes += len(piece)
        return piece

    async def _read_all(self) -> None:
        """Have the whole body here, from copies whose bytes are right."""
        check = self._check
        assert check is not None
        while True:
            while piece := await self._fetch():
                self._ready.append(piece)
            culprits = await check.find_culprits()
            if not culprits:
                return
            for location in culprits:
                self._give_up(location, WRONG_BYTES)
            self._ready.clear()
            self._segments = self._plan()
            check.restart()

    async def _next_piece(self) -> bytes:
        """Return the next piece, the completing one only if the body is right."""
        piece = await self._fetch()
        check = self._check
        if check is not None and piece and check.is_complete:
            await self._fetch()  # to its end, so that the copy has been read whole
            if await check.find_culprits():
                raise BackendsFailed("GetObject", (WRONG_BYTES,))
        return piece

    async def _fetch(self) -> bytes:
        while True:
            if self._blob is None:
                segment = next(self._segments, None)
                if segment is None:
                    return b""
                self._blob = await self._open_somewhere(segment)
            piece = await self._read_or_resume(self._blob)
            if piece:
                if self._check is not None:
                    self._check.take(piece, self._blob.location)
                return piece
            if self._check is not None:
                self._check.close(self._blob)
            await self._close()

    async def _read_or_resume(self, blob: OpenBlob) -> bytes:
        while True:
            try:
                return await blob.read()
            except BackendError as error:
                if blob.is_delivered:
                    return b""  # what fails is the end of an answer that is all there
                self._give_up(blob.location, str(error))
                await self._close()
                blob = self._blob = await self._open_somewhere(blob.rest())

    async def _open_somewhere(self, segment: Segment) -> OpenBlob:
        """Open segment on the first copy that serves it, not tried before."""
        over_usage: list[str] = []
        places = self._places.get(segment.blob, ())
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
            blob = OpenBlob(
                self._fleet,
                self._transform,
                location,
                segment,
                digest=None if self._check is None else self._check.open(location),
            )
            try:
                await blob.open()
            except BackendError as error:
                self._give_up(location, str(error))
                continue
            self._backend = backend
            return blob
        if over_usage and not self._failures:
            raise UsageExhausted(tuple(over_usage))
        raise BackendsFailed("GetObject", tuple(self._failures))

    def _give_up(self, location: Location, reason: str) -> None:
        self._failures.append(f"{location.backend} {location.blob}")
        self._observer.note(
            ReadFailedOver(
                operation="GetObject",
                failed_backend=location.backend,
                reason=reason,
            )
        )

    async def _close(self) -> None:
        blob, self._blob = self._blob, None
        if blob is not None:
            await blob.close()
