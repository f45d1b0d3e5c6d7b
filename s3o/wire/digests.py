"""Digests of bodies: computed while they stream, parsed and compared as S3 does.

Every digest that a client declares is verified here, and CRC64NVME stands in where it
declares none. This is the only module that knows where CRCs and xxHashes come from.
Values are in base64 of big-endian bytes, MD5 and SHA-256 also in hex (ETag, payload
hash).

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import anycrc
import xxhash

from s3o.model.errors import BadDigest, InvalidDigest, InvalidRequest
from s3o.model.values import Checksum, ChecksumAlgorithm

_CRC_MODELS = {
    ChecksumAlgorithm.CRC32: "CRC32-ISO-HDLC",
    ChecksumAlgorithm.CRC32C: "CRC32-ISCSI",
    ChecksumAlgorithm.CRC64NVME: "CRC64-NVME",
}
DIGEST_BYTES: Mapping[ChecksumAlgorithm, int] = {
    ChecksumAlgorithm.CRC32: 4,
    ChecksumAlgorithm.CRC32C: 4,
    ChecksumAlgorithm.CRC64NVME: 8,
    ChecksumAlgorithm.SHA1: 20,
    ChecksumAlgorithm.SHA256: 32,
    ChecksumAlgorithm.SHA512: 64,
    ChecksumAlgorithm.MD5: 16,
    ChecksumAlgorithm.XXHASH64: 8,
    ChecksumAlgorithm.XXHASH3: 8,
    ChecksumAlgorithm.XXHASH128: 16,
}
_PREFIX = "x-amz-checksum-"
# Headers that begin like a checksum and are none.
_NO_CHECKSUMS = frozenset({f"{_PREFIX}mode", f"{_PREFIX}type", f"{_PREFIX}algorithm"})


class _Running(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    """One CRC with the face of a hashlib object."""

    __slots__ = ("_model", "_value", "_width")

    def __init__(self, algorithm: ChecksumAlgorithm) -> None:
        self._model = anycrc.Model(_CRC_MODELS[algorithm])
        self._width = DIGEST_BYTES[algorithm]
        self._value = 0  # all three give 0 for no bytes

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = self._model.calc(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._width, "big")


_HASHES: Mapping[ChecksumAlgorithm, Callable[[], _Running]] = {
    ChecksumAlgorithm.SHA1: lambda: hashlib.sha1(usedforsecurity=False),
    ChecksumAlgorithm.SHA256: hashlib.sha256,
    ChecksumAlgorithm.SHA512: hashlib.sha512,
    ChecksumAlgorithm.MD5: lambda: hashlib.md5(usedforsecurity=False),
    ChecksumAlgorithm.XXHASH64: xxhash.xxh64,
    ChecksumAlgorithm.XXHASH3: xxhash.xxh3_64,
    ChecksumAlgorithm.XXHASH128: xxhash.xxh3_128,
}


class Hasher:
    """The digests one body needs, fed piece by piece."""

    __slots__ = ("_algorithm", "_checksum", "_md5", "_running", "_sha256")

    def __init__(
        self,
        *,
        md5: bool = True,
        sha256: bool = False,
        checksum: ChecksumAlgorithm | None = None,
    ) -> None:
        self._algorithm = checksum
        self._md5 = hashlib.md5(usedforsecurity=False) if md5 else None
        self._sha256 = hashlib.sha256() if sha256 else None
        self._checksum: _Running | None = None
        # What is computed anyway is not computed twice.
        if checksum is ChecksumAlgorithm.SHA256 and self._sha256 is not None:
            self._checksum = self._sha256
        elif checksum is ChecksumAlgorithm.MD5 and self._md5 is not None:
            self._checksum = self._md5
        elif checksum is not None and checksum in _HASHES:
            self._checksum = _HASHES[checksum]()
        elif checksum is not None:
            self._checksum = _Crc(checksum)
        running = (self._md5, self._sha256, self._checksum)
        self._running = tuple(
            {id(one): one for one in running if one is not None}.values()
        )

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next piece."""
        for running in self._running:
            running.update(piece)

    def md5_hex(self) -> str:
        """Return the MD5 so far; asked for in the constructor."""
        assert self._md5 is not None
        return self._md5.hexdigest()

    def sha256_hex(self) -> str:
        """Return the SHA-256 so far; asked for in the constructor."""
        assert self._sha256 is not None
        return self._sha256.hexdigest()

    def checksum(self) -> Checksum:
        """Return the checksum so far; asked for in the constructor."""
        assert self._checksum is not None
        assert self._algorithm is not None
        return Checksum(self._algorithm, _base64(self._checksum.digest()))


@dataclass(frozen=True, slots=True)
class DeclaredChecksum:
    """What a client says about its body; expected is None when a trailer will say."""

    algorithm: ChecksumAlgorithm
    expected: Checksum | None

    @property
    def is_in_trailer(self) -> bool:
        """Whether the value comes after the body."""
        return self.expected is None


def parse_content_md5(value: str) -> str:
    """Return the MD5 of a Content-MD5 header in hex; raises InvalidDigest."""
    raw = _unbase64(value)
    if raw is None or len(raw) != hashlib.md5(usedforsecurity=False).digest_size:
        raise InvalidDigest(value)
    return raw.hex()


def render_content_md5(md5_hex: str) -> str:
    """Return the value of a Content-MD5 header."""
    return _base64(bytes.fromhex(md5_hex))


def checksum_header(algorithm: ChecksumAlgorithm) -> str:
    """Return the name of the header or trailer that carries such a checksum."""
    return _PREFIX + algorithm.lower()


def parse_checksum_value(algorithm: ChecksumAlgorithm, value: str) -> Checksum:
    """Return a header's or trailer's checksum of a body; raises InvalidRequest."""
    raw = _unbase64(value)
    if raw is None or len(raw) != DIGEST_BYTES[algorithm]:
        name = checksum_header(algorithm)
        raise InvalidRequest(f"Value for {name} header is invalid.")
    return Checksum(algorithm, value)


def parse_wanted_algorithm(fields: Mapping[str, str]) -> ChecksumAlgorithm | None:
    """Return what x-amz-checksum-algorithm asks for; raises InvalidRequest."""
    name = fields.get(f"{_PREFIX}algorithm")
    if name is None:
        return None
    algorithm = parse_algorithm(name)
    if algorithm is None:
        raise InvalidRequest(
            "Checksum algorithm provided is unsupported. Please try again with any of "
            f"the valid types: [{', '.join(ChecksumAlgorithm)}]"
        )
    return algorithm


def parse_algorithm(text: str) -> ChecksumAlgorithm | None:
    """Return the algorithm of that name in any case; None if there is none."""
    try:
        return ChecksumAlgorithm(text.upper() if text.isascii() else "")
    except ValueError:
        return None


def parse_declared_checksum(fields: Mapping[str, str]) -> DeclaredChecksum | None:
    """Return the one checksum that a request's headers declare, or None.

    Looks at x-amz-checksum-<algorithm>, x-amz-trailer and
    x-amz-sdk-checksum-algorithm; whether a trailer may come at all is the payload
    mode's question. Raises InvalidRequest.
    """
    declared = _declared_in_header(fields)
    trailer = _declared_in_trailer(fields.get("x-amz-trailer"))
    if declared is not None and trailer is not None:
        raise InvalidRequest(_SEVERAL)
    declared = declared or trailer
    named = fields.get("x-amz-sdk-checksum-algorithm")
    if named is None:
        return declared
    algorithm = parse_algorithm(named)
    if algorithm is None:
        raise InvalidRequest(_UNKNOWN)
    if declared is None:
        raise InvalidRequest(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding "
            "x-amz-checksum-* or x-amz-trailer headers were found."
        )
    if declared.algorithm is not algorithm:
        raise InvalidRequest(
            "Value for x-amz-sdk-checksum-algorithm header is invalid."
        )
    return declared


_SEVERAL = (
    "Expecting a single x-amz-checksum- header. "
    "Multiple checksum Types are not allowed."
)
_UNKNOWN = "The algorithm type you specified in x-amz-checksum- header is invalid."


def _declared_in_header(fields: Mapping[str, str]) -> DeclaredChecksum | None:
    names = [
        name
        for name in fields
        if name.startswith(_PREFIX) and name not in _NO_CHECKSUMS
    ]
    if not names:
        return None
    if len(names) > 1:
        raise InvalidRequest(_SEVERAL)
    algorithm = parse_algorithm(names[0].removeprefix(_PREFIX))
    if algorithm is None:
        raise InvalidRequest(_UNKNOWN)
    return DeclaredChecksum(
        algorithm, parse_checksum_value(algorithm, fields[names[0]])
    )


def _declared_in_trailer(announced: str | None) -> DeclaredChecksum | None:
    if announced is None:
        return None
    name = announced.strip().lower() if announced.isascii() else ""
    algorithm = parse_algorithm(name.removeprefix(_PREFIX))
    if algorithm is None or not name.startswith(_PREFIX):
        raise InvalidRequest(
            "The value specified in the x-amz-trailer header is not supported"
        )
    return DeclaredChecksum(algorithm, None)


def verify_checksum(expected: Checksum, computed: Checksum) -> None:
    """Raise BadDigest unless both are the same."""
    assert expected.algorithm is computed.algorithm
    if not hmac.compare_digest(expected.value.encode(), computed.value.encode()):
        raise BadDigest(str(expected.algorithm), expected.value, computed.value)


def verify_md5(expected_hex: str, computed_hex: str) -> None:
    """Raise BadDigest unless both are the same."""
    if not hmac.compare_digest(expected_hex.encode(), computed_hex.encode()):
        raise BadDigest(
            "Content-MD5",
            render_content_md5(expected_hex),
            render_content_md5(computed_hex),
        )


def checksum_headers(checksum: Checksum) -> tuple[tuple[str, str], ...]:
    """Return the two headers that tell a client of a stored checksum."""
    return (
        (checksum_header(checksum.algorithm), checksum.value),
        ("x-amz-checksum-type", str(checksum.type)),
    )


def checksum_element(algorithm: ChecksumAlgorithm) -> str:
    """Return the name of the XML element that carries such a checksum."""
    return f"Checksum{algorithm}"


def checksum_of_bytes(algorithm: ChecksumAlgorithm, data: bytes) -> Checksum:
    """Return the checksum of a few bytes (of parts' checksums, one after another)."""
    running = Hasher(md5=False, checksum=algorithm)
    running.update(data)
    return running.checksum()


def combine_crcs(first: Checksum, second: Checksum, second_bytes: int) -> Checksum:
    """Return the CRC of two byte strings from their CRCs, without the bytes."""
    assert first.algorithm is second.algorithm
    model = anycrc.Model(_CRC_MODELS[first.algorithm])
    value: int = model.combine(_number(first), _number(second), second_bytes)
    width = DIGEST_BYTES[first.algorithm]
    return Checksum(first.algorithm, _base64(value.to_bytes(width, "big")))


def _number(checksum: Checksum) -> int:
    return int.from_bytes(base64.b64decode(checksum.value), "big")


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _unbase64(text: str) -> bytes | None:
    """Return the bytes of canonical base64, or None."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return raw if _base64(raw) == text else None
