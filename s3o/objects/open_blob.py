"""One segment of one copy, open: the stored bytes on their way up, decoded.

Whoever wants to tell a copy good or bad by itself hands in a digest, which is fed with
the bytes as they are stored.
"""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from s3o.backends.fleet import Fleet
from s3o.backends.seam import BlobReader
from s3o.model.errors import BackendProtocolError, BlobDamaged
from s3o.model.seams import Decoding, Transform
from s3o.model.values import Interval, Location
from s3o.objects.layout import PiecesDecoding, Segment, plan_stored
from s3o.policy.identity import IdentityTransform


class Digest(Protocol):
    """What a digest of stored bytes is here; hashlib's are."""

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""
        ...

    def hexdigest(self) -> str:
        """Return it in hex."""
        ...


class OpenBlob:
    """One segment of one copy: the stored bytes, decoded."""

    def __init__(
        self,
        fleet: Fleet,
        transform: Transform,
        location: Location,
        segment: Segment,
        *,
        digest: Digest | None = None,
    ) -> None:
        self.location = location
        self._fleet = fleet
        # Imported bytes are what somebody else stored, as they are.
        self._transform = IdentityTransform() if location.is_imported else transform
        self._segment = segment
        self._position = segment.start
        self._is_drained = False
        self._digest = digest
        self._is_whole = False
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

    @property
    def is_delivered(self) -> bool:
        """Whether every plaintext byte of the segment was handed out."""
        return self._position == self._segment.stop

    async def open(self) -> None:
        """Ask the backend for the stored interval of the segment."""
        plan = plan_stored(self._transform, self._segment)
        self._decoding = PiecesDecoding(self._transform, plan.pieces)
        self._is_whole = plan.start == 0 and plan.stop == plan.blob_bytes
        context = self._fleet.get(self.location.backend).open(
            self.location.storage_key,
            None if self._is_whole else Interval(plan.start, plan.stop),
        )
        self._reader = await context.__aenter__()
        self._context = context
        if self._reader.info.stored_bytes != plan.blob_bytes:
            await self.close()
            raise self._damaged("the blob has another size than the ledger says")
        if self._is_replaced(self._reader.info.etag):
            await self.close()
            raise self._damaged("not the bytes that were imported")

    def _is_replaced(self, etag: str) -> bool:
        """Whether somebody has overwritten imported bytes on the backend."""
        known = self.location.backend_etag if self.location.is_imported else None
        return bool(known and etag) and etag != known

    async def read(self) -> bytes:
        """Return the next plaintext piece; b"" when the segment is complete."""
        assert self._reader is not None
        assert self._decoding is not None
        while not self._is_drained:
            stored = await self._reader.read()
            if stored:
                if self._digest is not None:
                    self._digest.update(stored)
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

    @property
    def has_all(self) -> bool:
        """Whether every stored byte of the whole blob has gone by."""
        return self._is_whole and self._is_drained

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
