"""Which stored bytes of which blobs make up an interval of a version.

A version without a layout is one blob, number 0. With one it is a list of (blob,
offset, length): the bytes offset..offset+length of that blob come next. Each part of an
upload was encoded for itself (a transform works on parts, not on objects), and the
parts of a native upload lie in one blob one behind the other. A blob is therefore a
sequence of *units*, each one encoding, and the part sizes say where they meet.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from s3o.model.errors import BlobDamaged
from s3o.model.seams import Decoding, Transform
from s3o.model.values import Interval, Location, ObjectVersion, StoredObject
from s3o.policy.identity import IdentityTransform


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Plaintext bytes start..stop of one blob; units are its units' plaintext sizes."""

    blob: int
    units: tuple[int, ...]
    start: int
    stop: int


def plan_segments(version: ObjectVersion, interval: Interval) -> Iterator[Segment]:
    """Yield the segments that hold interval, in order; there may be ten thousand."""
    if not version.layout:
        units = version.part_sizes or (version.size,)
        yield Segment(blob=0, units=units, start=interval.start, stop=interval.stop)
        return
    units_of = _units_by_blob(version)
    position = 0
    for blob, offset, length in version.layout:
        start = max(interval.start - position, 0)
        stop = min(interval.stop - position, length)
        if start < stop:
            yield Segment(
                blob=blob,
                units=units_of[blob],
                start=offset + start,
                stop=offset + stop,
            )
        position += length
        if position >= interval.stop:
            return


def _units_by_blob(version: ObjectVersion) -> dict[int, tuple[int, ...]]:
    """Share the parts out among the blobs, in order; no parts: a unit per blob."""
    units: dict[int, list[int]] = {}
    parts = iter(version.part_sizes)
    last = len(version.layout) - 1
    for number, (blob, _, length) in enumerate(version.layout):
        mine = units.setdefault(blob, [])
        if not version.part_sizes:
            mine[:] = [sum(mine) + length]
            continue
        if number == last:
            mine.extend(parts)  # an empty part may be the last
            continue
        # Every run has at least one part, and an empty one has a run of its own unless
        # it is the last of all.
        taken = -1
        while taken < length:
            size = next(parts)
            taken = max(taken, 0) + size
            mine.append(size)
    return {blob: tuple(sizes) for blob, sizes in units.items()}


def locations_by_blob(stored: StoredObject) -> dict[int, list[Location]]:
    """Return the locations of each blob, in the ledger's order."""
    found: dict[int, list[Location]] = {}
    for place in stored.locations:
        found.setdefault(place.blob, []).append(place)
    return found


def blob_locations(stored: StoredObject, blob: int) -> tuple[Location, ...]:
    """Return the locations of one blob, in the ledger's order."""
    return tuple(place for place in stored.locations if place.blob == blob)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """How a segment lies on a backend.

    blob_bytes: the whole blob's stored size. start and stop: the stored interval to
    ask for. pieces: per unit of it, how many stored bytes and what they decode to.
    """

    blob_bytes: int
    start: int
    stop: int
    pieces: tuple["Piece", ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """Stored bytes of one unit; plaintext start..stop of a unit of size bytes."""

    stored_bytes: int
    size: int
    start: int
    stop: int


def plan_stored(transform: Transform, segment: Segment) -> StoredPlan:
    """Find a segment's stored bytes, unit by unit."""
    units = segment.units
    if isinstance(transform, IdentityTransform):
        units = (sum(units),)  # nothing to tell them apart by; there may be 10 000
    pieces: list[Piece] = []
    plain = stored = low_end = high_end = 0
    for size in units:
        start = max(segment.start - plain, 0)
        stop = min(segment.stop - plain, size)
        if start < stop:
            low, high = transform.stored_interval(size, start, stop)
            low_end = low_end if pieces else stored + low
            high_end = stored + high
            pieces.append(Piece(high - low, size, start, stop))
        elif not size and pieces:
            # Between two that are wanted it may still have stored bytes.
            pieces.append(Piece(transform.stored_size(0), 0, 0, 0))
        plain += size
        stored += transform.stored_size(size)
    while pieces and not pieces[-1].size:
        pieces.pop()
    assert pieces, "a segment has bytes"
    return StoredPlan(
        blob_bytes=stored, start=low_end, stop=high_end, pieces=tuple(pieces)
    )


class PiecesDecoding:
    """A model.seams.Decoding over consecutive units."""

    def __init__(self, transform: Transform, pieces: tuple[Piece, ...]) -> None:
        self._transform = transform
        self._pieces = iter(pieces)
        self._left = 0  # stored bytes of the unit in hand
        self._decoding: Decoding | None = None
        self._begin_next()

    def _begin_next(self) -> None:
        piece = next(self._pieces, None)
        self._decoding = None
        if piece is not None:
            self._left = piece.stored_bytes
            self._decoding = self._transform.decoding(
                piece.size, piece.start, piece.stop
            )

    def feed(self, piece: bytes) -> bytes:
        """Return plaintext; raises BlobDamaged."""
        plain = b""
        while piece:
            if self._decoding is None:
                raise BlobDamaged("", "decode", "more bytes than the interval has")
            plain += self._decoding.feed(piece[: self._left])
            taken = min(len(piece), self._left)
            self._left -= taken
            piece = piece[taken:]
            if not self._left:
                plain += self._decoding.finish()
                self._begin_next()
        return plain

    def finish(self) -> bytes:
        """Return what was held back; raises BlobDamaged when bytes are missing."""
        plain = b""
        while self._decoding is not None:
            # Units without stored bytes are left, or the last one is not complete.
            plain += self._decoding.finish()
            self._begin_next()
        return plain
