"""Digests of bodies, against published values and S3's own error texts."""

import base64
import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.model.errors import BadDigest, InvalidDigest, InvalidRequest
from s3o.model.values import Checksum, ChecksumAlgorithm
from s3o.wire import digests
from s3o.wire.digests import DeclaredChecksum, Hasher

PUBLISHED = {
    "CRC32": "y/Q5Jg==",
    "CRC32C": "4waSgw==",
    "CRC64NVME": "rosUhgp5mIg=",
    "SHA1": "98O8HYCOBHMq32eZZczDTKeuNEE=",
    "SHA256": "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
    "SHA512": "2eZ2LdHI6vbWGzxhkvxAjU1tXxF20MKRabwk5xw/J0rSf81YEbMT1oH35V7ALXPUmclU"
    "Vba1u1A6z1dPuo/+hQ==",
    "MD5": "JfnnlDI7RTiF9RgfG2JNCw==",
    "XXHASH64": "jLhB20DmroM=",
    "XXHASH3": "ctyxi2ehff8=",
    "XXHASH128": "MxGUd+3l3NXpcWQnaB1YYA==",
}
# Of no bytes, from the xxHash specification's own sanity tests.
EMPTY_XXHASHES = {
    "XXHASH64": "ef46db3751d8e999",
    "XXHASH3": "2d06800538d394c2",
    "XXHASH128": "99aa06d3014798d86001c324468d497f",
}


@pytest.mark.parametrize("algorithm", list(ChecksumAlgorithm))
def test_checksums_have_their_published_values_in_any_pieces(algorithm):
    """A checksum that no client computes alike makes every upload fail."""
    hasher = Hasher(checksum=algorithm)
    for piece in (b"1234", b"", memoryview(b"567"), b"89"):
        hasher.update(piece)

    assert Checksum(algorithm, PUBLISHED[algorithm]) == hasher.checksum()
    assert hashlib.md5(b"123456789").hexdigest() == hasher.md5_hex()


@pytest.mark.parametrize("algorithm", list(ChecksumAlgorithm))
def test_an_empty_body_has_a_checksum(algorithm):
    """Empty objects are objects: their checksum is returned and compared too."""
    value = base64.b64decode(Hasher(checksum=algorithm).checksum().value)

    assert digests.DIGEST_BYTES[algorithm] == len(value)
    if algorithm.startswith("CRC"):
        assert bytes(len(value)) == value
    if algorithm in EMPTY_XXHASHES:
        assert EMPTY_XXHASHES[algorithm] == value.hex()


@given(st.lists(st.binary(max_size=100)))
def test_pieces_make_no_difference(pieces):
    """The network cuts bodies anywhere."""
    body = b"".join(pieces)
    hasher = Hasher(sha256=True, checksum=ChecksumAlgorithm.CRC32)
    for piece in pieces:
        hasher.update(piece)

    assert hashlib.md5(body).hexdigest() == hasher.md5_hex()
    assert hashlib.sha256(body).hexdigest() == hasher.sha256_hex()
    expected = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    assert expected == hasher.checksum().value


def test_sha256_is_computed_once_for_both_uses():
    """A client that declares SHA-256 twice must not make us hash twice."""
    hasher = Hasher(md5=False, sha256=True, checksum=ChecksumAlgorithm.SHA256)
    hasher.update(b"123456789")

    assert PUBLISHED["SHA256"] == hasher.checksum().value
    assert base64.b64decode(PUBLISHED["SHA256"]).hex() == hasher.sha256_hex()


@given(st.binary(), st.binary(), st.sampled_from(["CRC32", "CRC32C", "CRC64NVME"]))
def test_crcs_combine(first, second, name):
    """A multipart object's checksum comes from its parts', without their bytes."""
    algorithm = ChecksumAlgorithm(name)

    def of(body):
        hasher = Hasher(checksum=algorithm)
        hasher.update(body)
        return hasher.checksum()

    combined = digests.combine_crcs(of(first), of(second), len(second))
    assert of(first + second) == combined


@pytest.mark.parametrize(
    "value",
    ["", "rubbish", "YWJj", "1B2M2Y8AsgTpgAmY7PhCfg", "1B2M2Y8AsgTpgAmY7PhCfh==", "é"],
)
def test_what_is_no_md5_is_an_invalid_digest(value):
    """AWS tells a malformed digest (InvalidDigest) from a wrong one (BadDigest)."""
    with pytest.raises(InvalidDigest):
        digests.parse_content_md5(value)


def test_content_md5_goes_to_hex_and_back():
    """The same digest is base64 in Content-MD5 and hex in an ETag."""
    value = digests.parse_content_md5("1B2M2Y8AsgTpgAmY7PhCfg==")

    assert "d41d8cd98f00b204e9800998ecf8427e" == value
    assert "1B2M2Y8AsgTpgAmY7PhCfg==" == digests.render_content_md5(value)


def test_a_declared_checksum_is_found_in_header_or_trailer():
    """SDKs send a header for buffers and a trailer for streams."""
    crc32 = ChecksumAlgorithm.CRC32

    assert digests.parse_declared_checksum({"x-amz-meta-a": "1"}) is None
    assert DeclaredChecksum(
        crc32, Checksum(crc32, "y/Q5Jg==")
    ) == digests.parse_declared_checksum(
        {
            "x-amz-checksum-crc32": "y/Q5Jg==",
            "x-amz-sdk-checksum-algorithm": "crc32",
            "x-amz-checksum-type": "FULL_OBJECT",
        }
    )
    declared = digests.parse_declared_checksum(
        {
            "x-amz-trailer": "x-amz-checksum-crc32",
            "x-amz-sdk-checksum-algorithm": "CRC32",
        }
    )
    assert DeclaredChecksum(crc32, None) == declared
    assert declared.is_in_trailer


@pytest.mark.parametrize(
    "fields",
    [
        {"x-amz-checksum-crc32": "y/Q5Jg==", "x-amz-checksum-sha1": "eA=="},
        {"x-amz-checksum-crc33": "y/Q5Jg=="},
        {"x-amz-checksum-crc32": "y/Q5Jg="},
        {"x-amz-checksum-crc32": "y/Q5Jg==,y/Q5Jg=="},
        {"x-amz-checksum-crc32": ""},
        {"x-amz-checksum-sha256": "y/Q5Jg=="},
        {"x-amz-sdk-checksum-algorithm": "CRC32"},
        {"x-amz-sdk-checksum-algorithm": "CRC\u212a32"},
        {
            "x-amz-sdk-checksum-algorithm": "SHA1",
            "x-amz-checksum-crc32": "y/Q5Jg==",
        },
        {"x-amz-trailer": "x-amz-checksum-crc32,x-amz-checksum-sha1"},
        {"x-amz-trailer": "content-length"},
        {"x-amz-trailer": "crc32"},
        {
            "x-amz-trailer": "x-amz-checksum-crc32",
            "x-amz-checksum-crc32": "y/Q5Jg==",
        },
    ],
)
def test_contradictory_checksum_headers_are_refused(fields):
    """A checksum that cannot be verified must not be accepted as if it had been."""
    with pytest.raises(InvalidRequest):
        digests.parse_declared_checksum(fields)


def test_a_mismatch_says_what_was_expected_and_what_came():
    """The client needs both values to find out who is wrong."""
    right = Checksum(ChecksumAlgorithm.CRC32, "y/Q5Jg==")
    wrong = Checksum(ChecksumAlgorithm.CRC32, "AAAAAA==")
    digests.verify_checksum(right, right)
    digests.verify_md5("0" * 32, "0" * 32)

    with pytest.raises(BadDigest) as caught:
        digests.verify_checksum(right, wrong)
    assert ("CRC32", "y/Q5Jg==", "AAAAAA==") == (
        caught.value.algorithm,
        caught.value.expected,
        caught.value.computed,
    )
    with pytest.raises(BadDigest):
        digests.verify_md5("0" * 32, "1" * 32)
