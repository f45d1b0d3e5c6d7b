"""The identity and the tests' framing obey the same rules of a transform."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.model.errors import BlobDamaged
from s3o.model.seams import Decoding, Transform
from s3o.policy.identity import IdentityTransform
from tests.fakes.sources import pattern
from tests.fakes.transform import FRAME_BYTES, OVERHEAD_BYTES, FramingTransform

TRANSFORMS: list[Transform] = [IdentityTransform(), FramingTransform()]
EDGES = (0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES + 7)


def encode(transform: Transform, body: bytes, step: int) -> bytes:
    """Feed body in pieces of step bytes."""
    stage = transform.encoding(len(body))
    out = [stage.feed(body[at : at + step]) for at in range(0, len(body), step)]
    return b"".join([*out, stage.finish()])


def drain(stage: Decoding, stored: bytes) -> bytes:
    """All that a stage makes of stored."""
    return stage.feed(stored) + stage.finish()


def decode(
    transform: Transform, stored: bytes, size: int, start: int, stop: int, step: int
) -> bytes:
    """Read start..stop out of stored, in pieces of step bytes."""
    low, high = transform.stored_interval(size, start, stop)
    wanted = stored[low:high]
    stage = transform.decoding(size, start, stop)
    out = [stage.feed(wanted[at : at + step]) for at in range(0, len(wanted), step)]
    return b"".join([*out, stage.finish()])


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("step", [1000, 65536, 1 << 20])
def test_whole_object_goes_there_and_back(
    transform: Transform, size: int, step: int
) -> None:
    """Whatever the pieces, the stored form and the way back are the same."""
    body = pattern(size)
    stored = encode(transform, body, step)

    assert transform.stored_size(size) == len(stored)
    assert encode(transform, body, 7777) == stored
    assert body == decode(transform, stored, size, 0, size, step)


@given(st.sampled_from(EDGES[1:]), st.data())
def test_every_interval_comes_back_exactly(size: int, data: st.DataObject) -> None:
    """Ranges cross frames at any place."""
    start = data.draw(st.integers(0, size - 1))
    stop = data.draw(st.integers(start + 1, size))
    body = pattern(size)
    for transform in TRANSFORMS:
        stored = encode(transform, body, 100_000)

        assert body[start:stop] == decode(transform, stored, size, start, stop, 50_000)


def test_framing_adds_28_bytes_per_frame() -> None:
    """The shape of the encrypted format."""
    transform = FramingTransform()

    assert 0 == transform.stored_size(0)
    assert 1 + OVERHEAD_BYTES == transform.stored_size(1)
    assert FRAME_BYTES + 28 == transform.stored_size(FRAME_BYTES)
    assert FRAME_BYTES + 1 + 56 == transform.stored_size(FRAME_BYTES + 1)


SIZE = 3 * FRAME_BYTES + 7
WHOLE = FRAME_BYTES + OVERHEAD_BYTES


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[:-1],
        lambda raw: raw[:WHOLE],
        lambda raw: raw[WHOLE : 2 * WHOLE] + raw[:WHOLE] + raw[2 * WHOLE :],
        lambda raw: raw[:WHOLE] + raw[:WHOLE] + raw[2 * WHOLE :],
        lambda raw: raw[:100] + bytes([raw[100] ^ 1]) + raw[101:],
        lambda raw: raw + b"x",
        lambda raw: raw[:7] + bytes([raw[7] ^ 1]) + raw[8:],
        lambda raw: b"",
    ],
)
def test_framing_sees_every_damage(spoil: Callable[[bytes], bytes]) -> None:
    """A test transform that lets damage through would prove nothing."""
    transform = FramingTransform()
    stored = spoil(encode(transform, pattern(SIZE), 100_000))
    with pytest.raises(BlobDamaged):
        drain(transform.decoding(SIZE, 0, SIZE), stored)


@pytest.mark.parametrize("length", [9, 11])
def test_identity_counts(length: int) -> None:
    """Bytes missing or too many are damage, whoever lost them."""
    with pytest.raises(BlobDamaged):
        drain(IdentityTransform().decoding(100, 20, 30), b"x" * length)
