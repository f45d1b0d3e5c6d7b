"""The pairs of algorithm and type, as AWS has them."""

import pytest

from s3o.model.checksums import CHECKSUM_TYPES, choose_checksum_type
from s3o.model.errors import InvalidRequest
from s3o.model.values import ChecksumAlgorithm, ChecksumType

FULL, COMPOSITE = ChecksumType.FULL_OBJECT, ChecksumType.COMPOSITE
BOTH = {"CRC32", "CRC32C"}
FULL_ONLY = {"CRC64NVME"}


@pytest.mark.parametrize("algorithm", list(ChecksumAlgorithm))
def test_an_upload_gets_its_algorithms_default_type(algorithm):
    """CRC64NVME is of the whole object, everything else of the parts' checksums."""
    expected = FULL if algorithm in FULL_ONLY else COMPOSITE

    assert expected is choose_checksum_type(algorithm, None)


@pytest.mark.parametrize("kind", list(ChecksumType))
@pytest.mark.parametrize("algorithm", list(ChecksumAlgorithm))
def test_only_pairs_that_can_be_computed_are_accepted(algorithm, kind):
    """A hash of the whole cannot come from hashes of the parts."""
    is_possible = algorithm in BOTH or (kind is FULL) == (algorithm in FULL_ONLY)

    assert is_possible == (kind in CHECKSUM_TYPES[algorithm])
    if is_possible:
        assert kind is choose_checksum_type(algorithm, str(kind))
    else:
        with pytest.raises(InvalidRequest, match=f"{kind} .* {algorithm.lower()} "):
            choose_checksum_type(algorithm, str(kind))


@pytest.mark.parametrize("named", ["", "full_object", "PARTIAL"])
def test_a_type_that_does_not_exist_is_refused(named):
    """With or without an algorithm."""
    for algorithm in (None, ChecksumAlgorithm.CRC32):
        with pytest.raises(InvalidRequest, match="x-amz-checksum-type"):
            choose_checksum_type(algorithm, named)


def test_a_type_needs_an_algorithm():
    """AWS refuses it alone; nothing at all is fine."""
    with pytest.raises(InvalidRequest, match="x-amz-checksum-algorithm"):
        choose_checksum_type(None, "FULL_OBJECT")
    assert choose_checksum_type(None, None) is None
