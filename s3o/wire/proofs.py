"""Whether a body is the one that was stored: the best digest known of it, recomputed.

In this order: the plaintext's SHA-256, the ETag (an MD5, or the MD5 of the parts' MD5s,
whose sizes are known), a checksum of the whole. Of bytes of which none is known nothing
can be proved, and that is said, too. The ETag of an imported object is whatever its
backend made of it, so its caller says whether it means anything.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Protocol

from s3o.model.values import ChecksumType, ObjectVersion
from s3o.wire.digests import Hasher

_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)
_MD5_OF_MD5S = re.compile(r"[0-9a-f]{32}-([1-9][0-9]{0,4})", re.ASCII)


class BodyProof:
    """Takes all plaintext bytes of one version in order, then judges them."""

    def __init__(
        self,
        version: ObjectVersion,
        *,
        is_etag_ours: bool = True,
        with_sha256: bool = False,
    ) -> None:
        """Prepare; with_sha256: compute it, known or not."""
        known = version.sha256
        self._sha256 = hashlib.sha256() if with_sha256 or known is not None else None
        self._takers: list[_Taker] = [self._sha256] if self._sha256 is not None else []
        self._expected: str | None = known
        self._compute: Callable[[], str] = lambda: self.sha256
        if known is None:
            self._compare_something_else(version, version.etag if is_etag_ours else "")

    def _compare_something_else(self, version: ObjectVersion, etag: str) -> None:
        checksum = version.checksum
        if _MD5.fullmatch(etag):
            hasher = Hasher()
            self._compare(etag, hasher, hasher.md5_hex)
        elif _names_parts(etag, len(version.part_sizes)):
            parts = _PartMd5s(version.part_sizes)
            self._compare(etag, parts, parts.etag)
        elif checksum is not None and checksum.type is ChecksumType.FULL_OBJECT:
            hasher = Hasher(md5=False, checksum=checksum.algorithm)
            self._compare(checksum.value, hasher, lambda: hasher.checksum().value)

    def _compare(
        self, expected: str, taker: "_Taker", compute: Callable[[], str]
    ) -> None:
        self._expected = expected
        self._takers.append(taker)
        self._compute = compute

    @property
    def can_tell(self) -> bool:
        """Whether anything is known that the bytes can be compared with."""
        return self._expected is not None

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes so far in hex; it was asked for, or is known."""
        assert self._sha256 is not None
        return self._sha256.hexdigest()

    def update(self, piece: bytes) -> None:
        """Take the next piece."""
        for taker in self._takers:
            taker.update(piece)

    def is_right(self) -> bool:
        """Whether all bytes that were taken are the version's; can_tell must hold."""
        assert self._expected is not None
        return hmac.compare_digest(self._compute().encode(), self._expected.encode())


class _Taker(Protocol):
    def update(self, piece: bytes, /) -> None: ...


class _PartMd5s:
    """The MD5 of each part, told apart by the parts' sizes."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self._left = list(reversed(sizes))
        self._count = len(sizes)
        self._part = hashlib.md5(usedforsecurity=False)
        self._all = hashlib.md5(usedforsecurity=False)

    def update(self, piece: bytes) -> None:
        view = memoryview(piece)
        while view and self._left:
            taken = min(len(view), self._left[-1])
            self._part.update(view[:taken])
            self._left[-1] -= taken
            view = view[taken:]
            self._close_full()
        if view:
            self._all.update(b"more than there should be")

    def etag(self) -> str:
        self._close_full()
        return f"{self._all.hexdigest()}-{self._count - len(self._left)}"

    def _close_full(self) -> None:
        while self._left and not self._left[-1]:
            self._left.pop()
            self._all.update(self._part.digest())
            self._part = hashlib.md5(usedforsecurity=False)


def _names_parts(etag: str, count: int) -> bool:
    found = _MD5_OF_MD5S.fullmatch(etag)
    return found is not None and found.group(1) == str(count)
