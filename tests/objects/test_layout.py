"""Bytes of a version, found again in blobs of several parts."""

from random import Random

import pytest

from s3o.model.errors import BlobDamaged
from s3o.model.names import BucketId, ObjectKey, VersionId
from s3o.model.seams import Transform
from s3o.model.values import Interval, ObjectFacts, ObjectVersion
from s3o.objects.layout import PiecesDecoding, plan_segments, plan_stored
from s3o.policy.identity import IdentityTransform
from tests.fakes.sources import pattern
from tests.fakes.transform import FramingTransform

KIB = 1024
# Frame borders, an empty part at the end, a blob that is interrupted by another.
PARTS = (70 * KIB, 64 * KIB, 1, 5 * KIB, 130 * KIB, 64 * KIB - 1, 0)
BLOBS = (0, 0, 3, 0, 0, 4, 4)
RUNS = (
    (0, 0, 134 * KIB),
    (3, 0, 1),
    (0, 134 * KIB, 135 * KIB),
    (4, 0, 64 * KIB - 1),
)
BODY = pattern(sum(PARTS))
transforms = pytest.mark.parametrize(
    "transform", [IdentityTransform(), FramingTransform()], ids=["identity", "framing"]
)


def version_of(
    parts: tuple[int, ...], layout: tuple[tuple[int, int, int], ...]
) -> ObjectVersion:
    """A version of these parts."""
    return ObjectVersion(
        bucket_id=BucketId(1),
        key=ObjectKey("a"),
        version_id=VersionId("0" * 32),
        sequence=1,
        size=sum(parts),
        etag="e-1",
        created_at_us=0,
        facts=ObjectFacts(),
        part_sizes=parts,
        layout=layout,
    )


def encode(transform: Transform, plain: bytes) -> bytes:
    """One part as it is stored."""
    encoding = transform.encoding(len(plain))
    return (encoding.feed(plain) if plain else b"") + encoding.finish()


def lay_out(
    transform: Transform, parts: tuple[int, ...], blobs: tuple[int, ...]
) -> dict[int, bytes]:
    """The blobs as backends hold them."""
    lying: dict[int, bytes] = {}
    position = 0
    for size, blob in zip(parts, blobs, strict=True):
        stored = encode(transform, BODY[position : position + size])
        lying[blob] = lying.get(blob, b"") + stored
        position += size
    return lying


def decode(decoding: PiecesDecoding, stored: bytes) -> bytes:
    """All that the bytes decode to."""
    return decoding.feed(stored) + decoding.finish()


def read_back(
    transform: Transform,
    version: ObjectVersion,
    lying: dict[int, bytes],
    interval: Interval,
    step: int,
) -> bytes:
    """Follow the plans, fed in pieces of step bytes."""
    plain = b""
    for segment in plan_segments(version, interval):
        plan = plan_stored(transform, segment)
        assert len(lying[segment.blob]) == plan.blob_bytes
        stored = lying[segment.blob][plan.start : plan.stop]
        decoding = PiecesDecoding(transform, plan.pieces)
        for at in range(0, len(stored), step):
            plain += decoding.feed(stored[at : at + step])
        plain += decoding.finish()
    return plain


@transforms
def test_every_interval_is_found_in_its_blobs(transform: Transform) -> None:
    """A seam of parts or blobs must not be seen by who reads across it."""
    version = version_of(PARTS, RUNS)
    lying = lay_out(transform, PARTS, BLOBS)
    borders = [0]
    for size in PARTS:
        borders.append(borders[-1] + size)
    points = sorted(
        {
            point
            for border in borders
            for point in (border - 1, border, border + 1)
            if 0 <= point <= version.size
        }
    )
    random = Random(7)
    for start in points:
        for stop in points:
            if start < stop:
                step = random.choice((1_000, 65_536, 1_000_000))
                interval = Interval(start, stop)
                found = read_back(transform, version, lying, interval, step)
                assert BODY[start:stop] == found


@transforms
def test_one_native_blob_has_no_layout_but_parts(transform: Transform) -> None:
    """The usual upload: everything in one blob, yet encoded part by part."""
    parts = PARTS[:3]
    version = version_of(parts, ())
    lying = lay_out(transform, parts, (0, 0, 0))
    interval = Interval(69 * KIB, 134 * KIB + 1)

    assert BODY[69 * KIB : 134 * KIB + 1] == read_back(
        transform, version, lying, interval, 10_000
    )
    assert 1 == len(list(plan_segments(version, interval)))


@pytest.mark.parametrize("delta", [-1, 1])
def test_blob_of_another_length_is_noticed(delta: int) -> None:
    """A backend may answer with fewer or more bytes than the parts have."""
    transform = FramingTransform()
    version = version_of(PARTS[:2], ())
    stored = lay_out(transform, PARTS[:2], (0, 0))[0]
    stored = stored[:delta] if delta < 0 else stored + b"x"
    [segment] = plan_segments(version, Interval(0, version.size))
    decoding = PiecesDecoding(transform, plan_stored(transform, segment).pieces)

    with pytest.raises(BlobDamaged):
        decode(decoding, stored)
