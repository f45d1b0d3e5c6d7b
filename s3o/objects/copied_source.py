"""The bytes of a stored object as the body of a write.

What is known of the source's digests is compared before the last bytes are released, so
a damaged source never becomes a good-looking copy. Of a range nothing is known but
what the transform verifies: no digest covers it.
"""

import re

from s3o.model.checksums import DEFAULT_ALGORITHM
from s3o.model.errors import BackendsFailed
from s3o.model.values import (
    ChecksumAlgorithm,
    ChecksumType,
    Digests,
    Interval,
    ObjectVersion,
)
from s3o.objects.read import ObjectReader
from s3o.wire.digests import Hasher

_HEX_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)


class CopiedSource:
    """An interval of a version (None: no bytes), as a DigestedSource.

    reader reads just that. algorithm: what to compute; None keeps the version's.
    operation: whose failure a damaged source is.
    """

    def __init__(
        self,
        reader: ObjectReader,
        version: ObjectVersion,
        interval: Interval | None,
        algorithm: ChecksumAlgorithm | None,
        *,
        operation: str,
    ) -> None:
        self.size = interval.stop - interval.start if interval is not None else 0
        kept = version.checksum.algorithm if version.checksum is not None else None
        is_whole = self.size == version.size
        self._reader = reader
        self._operation = operation
        self._version = version if is_whole else None
        self._sha256 = version.sha256 if is_whole else None
        self._hasher = Hasher(
            sha256=self._sha256 is not None,
            checksum=algorithm or kept or DEFAULT_ALGORITHM,
        )
        self._seen = 0
        self._digests: Digests | None = None

    @property
    def declared_sha256(self) -> str | None:
        """Nobody signed these bytes; their SHA-256 may be known all the same."""
        return self._sha256

    @property
    def digests(self) -> Digests:
        """The digests of all bytes, once the completing piece was returned."""
        assert self._digests is not None, "digests of a copy that is not complete"
        return self._digests

    async def read(self) -> bytes:
        """Return the next piece, the completing one only if the source is undamaged.

        Raises what the reader raises, and BackendsFailed for a damaged source.
        """
        if self._digests is not None:
            return b""
        piece = await self._reader.read() if self._seen < self.size else b""
        self._hasher.update(piece)
        self._seen += len(piece)
        if self._seen == self.size:
            self._digests = self._verify()
        return piece

    def rewind(self) -> bool:
        """Whether nothing was read yet."""
        return self._seen == 0 and self._digests is None

    def _verify(self) -> Digests:
        digests = Digests(
            md5=self._hasher.md5_hex(),
            checksum=self._hasher.checksum(),
            sha256=self._hasher.sha256_hex() if self._sha256 is not None else None,
        )
        if self._version is not None and not _is_of(self._version, digests):
            raise BackendsFailed(self._operation, ("the source's bytes are damaged",))
        return digests


def is_md5(etag: str) -> bool:
    """Whether a version's ETag is the MD5 of its bytes, and not of its parts."""
    return _HEX_MD5.fullmatch(etag) is not None


def _is_of(version: ObjectVersion, digests: Digests) -> bool:
    """Whether the digests of all of a version's bytes are what is known of them."""
    if digests.sha256 != version.sha256:
        return False
    known, computed = version.checksum, digests.checksum
    if known is None:
        return True  # imported: its ETag is a provider's, and need be no MD5
    if is_md5(version.etag) and digests.md5 != version.etag:
        return False
    return (
        computed is None
        or known.type is not ChecksumType.FULL_OBJECT
        or known.algorithm is not computed.algorithm
        or known.value == computed.value
    )
