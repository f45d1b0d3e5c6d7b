"""What is known of a body, and whether bytes are it."""

import hashlib
from dataclasses import replace

import pytest

from s3o.model.names import BucketId, ObjectKey, VersionId
from s3o.model.values import (
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    ObjectFacts,
    ObjectVersion,
)
from s3o.wire.proofs import BodyProof
from tests.fakes.sources import digests_of, pattern

BODY = pattern(1000)
WRONG = BODY[:-1] + bytes([BODY[-1] ^ 1])
PARTS = (300, 0, 700)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _of_parts() -> str:
    raw = _md5(BODY[:300]) + _md5(b"") + _md5(BODY[300:])
    return f"{_md5(raw).hex()}-3"


def _version(**known: object) -> ObjectVersion:
    nothing = ObjectVersion(
        bucket_id=BucketId(1),
        key=ObjectKey("k"),
        version_id=VersionId("v"),
        sequence=1,
        size=len(BODY),
        etag="whatever",
        created_at_us=0,
        facts=ObjectFacts(),
    )
    return replace(nothing, **known)  # type: ignore[arg-type]


KNOWN = {
    "sha256": _version(sha256=hashlib.sha256(BODY).hexdigest()),
    "md5": _version(etag=_md5(BODY).hex()),
    "parts": _version(etag=_of_parts(), part_sizes=PARTS),
    "checksum": _version(checksum=digests_of(BODY).checksum),
}


@pytest.mark.parametrize("version", KNOWN.values(), ids=KNOWN)
@pytest.mark.parametrize("piece_bytes", [1, 299, 300, 301, 1000])
def test_bytes_are_told_from_others(version: ObjectVersion, piece_bytes: int) -> None:
    """Whatever digest is known, in whatever pieces the bytes come."""
    for body in (BODY, WRONG, BODY[:-1], BODY + b"x"):
        proof = BodyProof(version)
        for start in range(0, len(body), piece_bytes):
            proof.update(body[start : start + piece_bytes])

        assert proof.can_tell
        assert (body == BODY) == proof.is_right()


def test_sha256_outranks_the_etag() -> None:
    """An ETag may be another system's; the SHA-256 is what was hashed here."""
    version = _version(etag="0" * 32, sha256=hashlib.sha256(BODY).hexdigest())
    proof = BodyProof(version)
    proof.update(BODY)

    assert proof.is_right()


@pytest.mark.parametrize(
    "version",
    [
        _version(),
        _version(etag=_of_parts(), part_sizes=(1000,)),
        _version(
            checksum=Checksum(
                ChecksumAlgorithm.CRC32, "AAAAAA==-2", ChecksumType.COMPOSITE
            )
        ),
    ],
    ids=["nothing", "parts of unknown sizes", "checksum of checksums"],
)
def test_of_unknown_bytes_nothing_is_proved(version: ObjectVersion) -> None:
    """A copy must not be accused because nobody knows what it should be."""
    assert not BodyProof(version).can_tell


def test_imported_etag_proves_nothing() -> None:
    """Providers that encrypt answer ETags that are no MD5 and look like one."""
    assert not BodyProof(KNOWN["md5"], is_etag_ours=False).can_tell


def test_sha256_is_computed_beside_the_proof() -> None:
    """Backfill reads the bytes once: the ETag proves what the SHA-256 will say."""
    proof = BodyProof(KNOWN["md5"], with_sha256=True)
    proof.update(BODY)

    assert proof.is_right()
    assert hashlib.sha256(BODY).hexdigest() == proof.sha256
