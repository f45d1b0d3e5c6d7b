"""The parts of an object that is stored already: which bytes, which checksum.

Parts are numbered from 1 in the order of the object, whatever numbers the upload gave
them. An object that was put in one piece has one part, which is all of it.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

from collections.abc import Mapping

from s3o.model import limits
from s3o.model.errors import InvalidArgument, InvalidPartNumber, InvalidRequest
from s3o.model.numbers import parse_uint
from s3o.model.values import Checksum, Interval, ObjectVersion
from s3o.wire.target import Query

PART_PARAMETER = "partNumber"


def parse_part_number(query: Query, fields: Mapping[str, str]) -> int | None:
    """Return the part that a GET or HEAD asks for, or None.

    Raises InvalidArgument, and InvalidRequest for a Range beside it.
    """
    value = query.get(PART_PARAMETER)
    if value is None:
        return None
    try:
        number = parse_uint(value, 1, limits.PARTS)
    except ValueError:
        raise InvalidArgument(
            PART_PARAMETER,
            value,
            "Part number must be an integer between 1 and 10000, inclusive",
        ) from None
    if "range" in fields:
        raise InvalidRequest(
            "Cannot specify both Range header and partNumber query parameter"
        )
    return number


def find_part(version: ObjectVersion, number: int) -> Interval | None:
    """Return the bytes of a part, None for a part without any.

    Raises InvalidPartNumber.
    """
    sizes = version.part_sizes or (version.size,)
    if number > len(sizes):
        raise InvalidPartNumber(number, len(sizes))
    start = sum(sizes[: number - 1])
    size = sizes[number - 1]
    return Interval(start, start + size) if size else None


def part_checksum(version: ObjectVersion, number: int) -> Checksum | None:
    """Return the checksum of a part that find_part found, if it is known."""
    if not version.part_sizes:
        return version.checksum
    if version.checksum is None or len(version.part_checksums) < number:
        return None
    value = version.part_checksums[number - 1]
    return Checksum(version.checksum.algorithm, value, version.checksum.type)
