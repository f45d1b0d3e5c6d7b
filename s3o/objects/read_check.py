"""The judgement of one read of a whole body: is it the one that was stored?

The proof is of the whole body. Where that has several blobs, each copy that was read
whole is also judged by the digest of its stored bytes, so that a wrong body accuses no
copy that is good.
"""

import hashlib

from s3o.model.facts import IntegrityChecked
from s3o.model.values import Interval, Location, StoredObject
from s3o.objects.integrity import Integrity
from s3o.objects.open_blob import Digest, OpenBlob

OPERATION = "read"


class ReadCheck:
    """Watches the bytes of a read go by; restart() begins again from the first one."""

    def __init__(
        self, integrity: Integrity, stored: StoredObject, interval: Interval
    ) -> None:
        self._integrity = integrity
        self._stored = stored
        self._interval = interval
        self.size = interval.length
        self._has_blobs = bool(stored.version.layout)
        self.restart()

    def restart(self) -> None:
        """Forget what was seen."""
        proof = self._integrity.proof_of_read(self._stored, self._interval)
        assert proof is not None
        self._proof = proof
        self._seen_bytes = 0
        self._sources: list[Location] = []
        self._digest: Digest | None = None
        self._good: list[Location] = []

    @property
    def is_complete(self) -> bool:
        """Whether all bytes were seen."""
        return self._seen_bytes == self.size

    def open(self, location: Location) -> Digest | None:
        """Return what the bytes of a copy are to be digested with, as stored."""
        self._digest = hashlib.md5(usedforsecurity=False) if self._has_blobs else None
        return self._digest

    def take(self, piece: bytes, location: Location) -> None:
        """See the next bytes, which come from location."""
        if not self._sources or self._sources[-1] is not location:
            self._sources.append(location)
        self._proof.update(piece)
        self._seen_bytes += len(piece)

    def close(self, blob: OpenBlob) -> None:
        """See a copy end."""
        digest, known = self._digest, blob.location.stored_md5
        if digest is None or known is None or not blob.has_all:
            return
        if digest.hexdigest() == known:
            self._good.append(blob.location)

    async def find_culprits(self) -> tuple[Location, ...]:
        """Judge the complete body; the copies of a wrong one are suspect from now on.

        () is a right one.
        """
        self._integrity.observer.note(IntegrityChecked(operation=OPERATION))
        if self._proof.is_right():
            return ()
        doubtful = [place for place in self._sources if place not in self._good]
        culprits = tuple(doubtful or self._sources)
        await self._integrity.suspect(OPERATION, self._stored.version, culprits)
        return culprits


def open_check(
    integrity: Integrity | None, stored: StoredObject, interval: Interval | None
) -> ReadCheck | None:
    """Return the check of a read; None if it proves nothing, or nobody asks."""
    if integrity is None or interval is None:
        return None
    if integrity.proof_of_read(stored, interval) is None:
        return None
    return ReadCheck(integrity, stored, interval)
