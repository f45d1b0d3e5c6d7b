"""What the requests of a multipart upload say beside their bodies.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from collections.abc import Mapping

from s3o.model import limits
from s3o.model.checksums import choose_checksum_type
from s3o.model.errors import InvalidArgument, InvalidRequest
from s3o.model.numbers import parse_uint
from s3o.model.values import Checksum, ChecksumAlgorithm, ChecksumType
from s3o.wire.digests import (
    checksum_header,
    parse_declared_checksum,
    parse_wanted_algorithm,
)

_MAX_NUMBER = (1 << 31) - 1


def parse_upload_checksum(
    fields: Mapping[str, str],
) -> tuple[ChecksumAlgorithm | None, ChecksumType | None]:
    """Return the algorithm and type that a Create asks for; raises InvalidRequest."""
    algorithm = parse_wanted_algorithm(fields)
    kind = fields.get("x-amz-checksum-type")
    return algorithm, choose_checksum_type(algorithm, kind)


def parse_checksum_type(fields: Mapping[str, str]) -> ChecksumType | None:
    """Return what x-amz-checksum-type says; raises InvalidRequest."""
    text = fields.get("x-amz-checksum-type")
    if text is None:
        return None
    try:
        return ChecksumType(text)
    except ValueError:
        raise InvalidRequest(
            "Value for x-amz-checksum-type header is invalid."
        ) from None


def check_part_checksum(
    fields: Mapping[str, str], expected: ChecksumAlgorithm | None
) -> None:
    """Refuse a part whose checksum is not of its upload's algorithm, if it has one.

    fields: the headers proper. Raises InvalidRequest.
    """
    declared = parse_declared_checksum(fields)
    if (
        expected is not None
        and declared is not None
        and declared.algorithm is not expected
    ):
        raise InvalidRequest(
            f"Checksum Type mismatch occurred, expected checksum Type: "
            f"{expected.lower()}, actual checksum Type: {declared.algorithm.lower()}"
        )


def parse_final_checksum(fields: Mapping[str, str]) -> Checksum | None:
    """Return the whole object's checksum that a Complete names, value as sent.

    A composite one ends in the number of parts. Raises InvalidRequest for several.
    """
    found = [
        Checksum(algorithm, fields[checksum_header(algorithm)])
        for algorithm in ChecksumAlgorithm
        if checksum_header(algorithm) in fields
    ]
    if len(found) > 1:
        raise InvalidRequest(
            "Expecting a single x-amz-checksum- header. "
            "Multiple checksum Types are not allowed."
        )
    return found[0] if found else None


def parse_object_size(fields: Mapping[str, str]) -> int | None:
    """Return what x-amz-mp-object-size says; raises InvalidRequest."""
    text = fields.get("x-amz-mp-object-size")
    if text is None:
        return None
    try:
        return parse_uint(text)
    except ValueError:
        raise InvalidRequest(
            "Value for x-amz-mp-object-size header is invalid."
        ) from None


def parse_part_number(text: str) -> int:
    """Return the number of a part to store; raises InvalidArgument."""
    try:
        return parse_uint(text, 1, limits.PARTS)
    except ValueError:
        raise InvalidArgument(
            "partNumber",
            text,
            f"Part number must be an integer between 1 and {limits.PARTS}, inclusive",
        ) from None


def parse_page_number(name: str, text: str | None, default: int, low: int = 0) -> int:
    """Return a paging parameter of a listing; raises InvalidArgument."""
    if not text:
        return default
    try:
        return parse_uint(text, low, _MAX_NUMBER)
    except ValueError:
        raise InvalidArgument(
            name,
            text,
            f"Argument {name} must be an integer between {low} and {_MAX_NUMBER}",
        ) from None
