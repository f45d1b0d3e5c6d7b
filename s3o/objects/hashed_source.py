"""A body with its SHA-256 computed beside what its sender had computed of it."""

import hashlib
from dataclasses import replace

from s3o.model.seams import DigestedSource
from s3o.model.values import Digests


class HashedSource:
    """A DigestedSource around another one that knows no SHA-256."""

    def __init__(self, inner: DigestedSource) -> None:
        assert inner.declared_sha256 is None, "it is computed already"
        self._inner = inner
        self._sha256 = hashlib.sha256()

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self._inner.size

    @property
    def declared_sha256(self) -> str | None:
        """Nobody said it beforehand."""
        return None

    @property
    def digests(self) -> Digests:
        """The digests of all bytes, once the completing piece was returned."""
        return replace(self._inner.digests, sha256=self._sha256.hexdigest())

    async def read(self) -> bytes:
        """Return the next piece; raises what the inner source raises."""
        piece = await self._inner.read()
        self._sha256.update(piece)
        return piece

    def rewind(self) -> bool:
        """Begin again, with a fresh digest, where the inner source can."""
        if not self._inner.rewind():
            return False
        self._sha256 = hashlib.sha256()
        return True
