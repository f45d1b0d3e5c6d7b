"""Which bytes of which blobs make up an interval of a version.

A version without a layout is one blob, number 0. With one it is a list of (blob,
offset, length): the bytes offset..offset+length of that blob come next.
"""

from dataclasses import dataclass

from s3o.model.values import Interval, Location, ObjectVersion, StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Plaintext bytes start..stop of one blob of blob_size plaintext bytes."""

    blob: int
    blob_size: int
    start: int
    stop: int


def plan_segments(version: ObjectVersion, interval: Interval) -> tuple[Segment, ...]:
    """Return the segments that hold interval, in order."""
    layout = version.layout or ((0, 0, version.size),)
    sizes: dict[int, int] = {}
    for blob, offset, length in layout:
        sizes[blob] = max(sizes.get(blob, 0), offset + length)
    segments = []
    position = 0
    for blob, offset, length in layout:
        start = max(interval.start - position, 0)
        stop = min(interval.stop - position, length)
        if start < stop:
            segments.append(
                Segment(
                    blob=blob,
                    blob_size=sizes[blob],
                    start=offset + start,
                    stop=offset + stop,
                )
            )
        position += length
    return tuple(segments)


def blob_locations(stored: StoredObject, blob: int) -> tuple[Location, ...]:
    """Return the locations of one blob, in the ledger's order."""
    return tuple(place for place in stored.locations if place.blob == blob)
