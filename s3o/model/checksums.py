"""Which checksum there is without a word, and which types go with an algorithm.

FULL_OBJECT is of the object's bytes, so the parts' checksums must combine: only CRCs
do. COMPOSITE is of the parts' checksums; CRC64NVME never is.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

from collections.abc import Mapping

from s3o.model.errors import InvalidRequest
from s3o.model.values import ChecksumAlgorithm, ChecksumType

DEFAULT_ALGORITHM = ChecksumAlgorithm.CRC64NVME  # AWS since 2024-12

_BOTH = (ChecksumType.COMPOSITE, ChecksumType.FULL_OBJECT)
_COMPOSITE = (ChecksumType.COMPOSITE,)

# The first of a row is what an upload gets that names no type.
CHECKSUM_TYPES: Mapping[ChecksumAlgorithm, tuple[ChecksumType, ...]] = {
    ChecksumAlgorithm.CRC32: _BOTH,
    ChecksumAlgorithm.CRC32C: _BOTH,
    ChecksumAlgorithm.CRC64NVME: (ChecksumType.FULL_OBJECT,),
    ChecksumAlgorithm.SHA1: _COMPOSITE,
    ChecksumAlgorithm.SHA256: _COMPOSITE,
    ChecksumAlgorithm.SHA512: _COMPOSITE,
    ChecksumAlgorithm.MD5: _COMPOSITE,
    ChecksumAlgorithm.XXHASH64: _COMPOSITE,
    ChecksumAlgorithm.XXHASH3: _COMPOSITE,
    ChecksumAlgorithm.XXHASH128: _COMPOSITE,
}


def choose_checksum_type(
    algorithm: ChecksumAlgorithm | None, named: str | None
) -> ChecksumType | None:
    """Return the type of a multipart upload's checksum; None without an algorithm.

    named: the x-amz-checksum-type header. Raises InvalidRequest for a type that does
    not exist, that stands alone, or that the algorithm does not have.
    """
    if named is not None and named not in ChecksumType.__members__:
        raise InvalidRequest("Value for x-amz-checksum-type header is invalid.")
    if algorithm is None:
        if named is not None:
            raise InvalidRequest(
                "The x-amz-checksum-type header can only be used with the "
                "x-amz-checksum-algorithm header."
            )
        return None
    possible = CHECKSUM_TYPES[algorithm]
    if named is None:
        return possible[0]
    chosen = ChecksumType(named)
    if chosen not in possible:
        raise InvalidRequest(
            f"The {named} checksum type cannot be used with the "
            f"{algorithm.lower()} checksum algorithm."
        )
    return chosen
