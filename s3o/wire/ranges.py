"""The Range header: one interval of bytes, or nothing.

S3 serves a single `bytes=` range and ignores whatever else a Range header may say
(several ranges, another unit, a reversed one): the client then gets the whole object.
Only a range that starts behind the end is an error.

Source: RFC 9110 section 14; AWS's treatment of the edges.
"""

import re

from s3o.model.errors import RangeNotSatisfiable
from s3o.model.numbers import parse_uint
from s3o.model.values import Interval

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.ASCII)
_MOST = (1 << 63) - 1


def parse_range(value: str, size: int) -> Interval | None:
    """Return the interval of an object of size bytes that a Range header asks for.

    None means that the header is to be ignored. Raises RangeNotSatisfiable.
    """
    match = _RANGE.fullmatch(value)
    if match is None:
        return None
    first, last = _number(match[1]), _number(match[2])
    if first is None:
        return None if last is None else _suffix(value, last, size)
    if last is not None and last < first:
        return None
    if first >= size:
        raise RangeNotSatisfiable(value, size)
    return Interval(first, size if last is None else min(last + 1, size))


def _suffix(value: str, length: int, size: int) -> Interval | None:
    if length == 0:
        raise RangeNotSatisfiable(value, size)
    if size == 0:
        return None
    return Interval(max(0, size - length), size)


def render_content_range(interval: Interval, size: int) -> str:
    """Return the Content-Range header of a 206 answer."""
    return f"bytes {interval.start}-{interval.stop - 1}/{size}"


def _number(digits: str) -> int | None:
    """Return digits as a number, or the largest one where they are too many."""
    if not digits:
        return None
    try:
        return parse_uint(digits.lstrip("0") or "0")
    except ValueError:
        return _MOST
