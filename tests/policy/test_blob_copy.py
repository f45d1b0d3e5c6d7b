"""How a blob is cut for being copied: whole, equal, within every limit."""

import itertools

import pytest

from s3o.model import limits
from s3o.model.values import Interval, Traits
from s3o.policy.blob_copy import can_copy_blob, plan_copied_parts

MIB, GIB = limits.MIB, limits.GIB
ALL = Traits(has_multipart=True, can_copy=True, can_copy_part=True)


@pytest.mark.parametrize("size", [0, 1, 5 * GIB])
def test_up_to_five_gib_are_one_call(size: int) -> None:
    """As much as AWS copies at once."""
    assert can_copy_blob(Traits(can_copy=True), size)
    assert () == plan_copied_parts(ALL, size)


@pytest.mark.parametrize(
    "traits",
    [
        Traits(can_copy=True),
        Traits(can_copy=True, has_multipart=True),
        Traits(can_copy=True, can_copy_part=True),
    ],
)
def test_more_wants_uploads_with_copied_parts(traits: Traits) -> None:
    """Where one of them is missing the bytes are read and written."""
    assert not can_copy_blob(traits, 5 * GIB + 1)
    assert not can_copy_blob(Traits(has_multipart=True, can_copy_part=True), 1)


@pytest.mark.parametrize(
    ("size", "most", "step"),
    [
        (5 * GIB + 1, 10_000, 256 * MIB),
        (5 * 1024 * GIB, 10_000, -(-5 * 1024 * GIB // 10_000)),
        (40 * GIB, 10, 4 * GIB),
        (50 * GIB, 10, 5 * GIB),
    ],
)
def test_parts_are_equal_and_few_enough(size: int, most: int, step: int) -> None:
    """They meet without gaps; only the last may be smaller (R2)."""
    traits = Traits(
        has_multipart=True, can_copy=True, can_copy_part=True, max_part_number=most
    )
    parts = plan_copied_parts(traits, size)

    assert can_copy_blob(traits, size)
    assert len(parts) <= most
    assert {step} == {part.length for part in parts[:-1]}
    assert 0 < parts[-1].length <= step
    assert (0, size) == (parts[0].start, parts[-1].stop)
    assert all(one.stop == other.start for one, other in itertools.pairwise(parts))


def test_what_fits_into_no_upload_is_not_copied() -> None:
    """Ten parts of 5 GiB are fifty."""
    traits = Traits(
        has_multipart=True, can_copy=True, can_copy_part=True, max_part_number=10
    )
    assert not can_copy_blob(traits, 50 * GIB + 1)
    assert Interval(45 * GIB, 50 * GIB) == plan_copied_parts(traits, 50 * GIB)[-1]
