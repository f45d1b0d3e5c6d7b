"""The Range header, against AWS's edges and a model that counts bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.model.errors import RangeNotSatisfiable
from s3o.model.values import Interval
from s3o.wire.ranges import parse_range, render_content_range


@pytest.mark.parametrize(
    ("value", "size", "expected"),
    [
        ("bytes=0-0", 10, (0, 1)),
        ("bytes=0-", 10, (0, 10)),
        ("bytes=4-7", 10, (4, 8)),
        ("bytes=4-99", 10, (4, 10)),
        ("bytes=9-99999999999999999999999999", 10, (9, 10)),
        ("bytes=-3", 10, (7, 10)),
        ("bytes=-99", 10, (0, 10)),
        ("bytes=00000000000000000000000004-5", 10, (4, 6)),
    ],
)
def test_one_range_is_served_and_clipped(value, size, expected):
    """Downloads in ranges never ask for exactly the last byte."""
    assert Interval(*expected) == parse_range(value, size)


@pytest.mark.parametrize(
    "value",
    [
        *("", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "lines=0-1"),
        *("bytes=0-1,3-4", "bytes = 0-1", "bytes=0-1 ", "bytes=+0-1", "bytes=0_0-1"),
        *("bytes=--1", "bytes=٠-١", "bytes=0-1\n", "bytes=12-4"),
    ],
)
def test_anything_else_is_ignored(value):
    """AWS answers the whole object, not an error."""
    assert parse_range(value, 10) is None


@pytest.mark.parametrize(
    ("value", "size"),
    [
        *(("bytes=10-", 10), ("bytes=10-12", 10), ("bytes=0-", 0), ("bytes=0-0", 0)),
        *(("bytes=-0", 10), ("bytes=-0", 0), ("bytes=99999999999999999999999-", 10)),
    ],
)
def test_a_range_behind_the_end_is_an_error(value, size):
    """416 tells a resuming client that it has everything."""
    with pytest.raises(RangeNotSatisfiable) as caught:
        parse_range(value, size)
    assert (value, size) == (caught.value.requested, caught.value.size_bytes)


def test_a_suffix_of_an_empty_object_is_the_whole_object():
    """There is nothing to be behind the end of."""
    assert parse_range("bytes=-5", 0) is None


@given(
    st.none() | st.integers(0, 30), st.none() | st.integers(0, 30), st.integers(0, 25)
)
def test_ranges_select_the_bytes_a_model_selects(first, last, size):
    """The model: the set of positions that the words of the RFC describe."""
    text = lambda number: "" if number is None else str(number)  # noqa: E731
    value = f"bytes={text(first)}-{text(last)}"
    everything = range(size)
    if first is None and last is None:
        expected = None
    elif first is None:
        expected = everything[max(0, size - last) :] if size or not last else None
    elif last is not None and last < first:
        expected = None
    else:
        expected = [at for at in everything if at >= first]
        expected = expected if last is None else [at for at in expected if at <= last]

    if expected is None:
        assert parse_range(value, size) is None
    elif not expected:
        with pytest.raises(RangeNotSatisfiable):
            parse_range(value, size)
    else:
        interval = parse_range(value, size)
        assert list(expected) == list(range(interval.start, interval.stop))


def test_content_range_counts_its_last_byte():
    """HTTP intervals include their end, ours do not."""
    assert "bytes 4-7/10" == render_content_range(Interval(4, 8), 10)
