"""Read one copy of one blob whole, and say whether its bytes are the right ones.

The digest of the stored bytes judges where it is known; the plaintext of a version of
one blob is judged beside it, so that a SHA-256 nobody has computed yet costs no second
read. A blob of several whose digest nobody knows (a provider joined it from parts) is
judged with the version's other blobs. Those with a digest must prove themselves; where
others have none either, a right sum proves them all, and a wrong one blames nobody.

What a backend refuses, or breaks off, proves nothing and is raised. Nothing is written
here.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from s3o.backends.fleet import Fleet
from s3o.backends.guard import Guarded
from s3o.model.errors import (
    BackendError,
    BackendOverUsage,
    BackendsFailed,
    BlobDamaged,
    BlobMissing,
)
from s3o.model.names import BackendName
from s3o.model.seams import Transform
from s3o.model.values import Interval, Location, StoredObject
from s3o.objects.integrity import proof_of
from s3o.objects.layout import (
    PiecesDecoding,
    Segment,
    locations_by_blob,
    plan_segments,
    plan_stored,
)
from s3o.objects.live import LiveReads
from s3o.objects.open_blob import OpenBlob
from s3o.objects.read_order import order_for_read

OPERATION = "CheckBlob"


class Verdict(StrEnum):
    """What a check found. unknown: nothing is known to compare the bytes with."""

    RIGHT = "right"
    WRONG = "wrong"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One copy's judgement; digests in hex, of what was read.

    stored_md5: of the stored bytes, "" unless all were read in order. sha256: of the
    plaintext, where the whole of it was read.
    """

    verdict: Verdict
    reason: str = ""
    stored_md5: str = ""
    sha256: str | None = None


class BlobChecker:
    """Checks copies, one at a time. Owns: nothing."""

    def __init__(self, fleet: Fleet, transform: Transform, reads: LiveReads) -> None:
        self._fleet = fleet
        self._transform = transform
        self._reads = reads

    async def check(self, stored: StoredObject, location: Location) -> Checked:
        """Judge one of stored's locations.

        Raises BackendError (BackendOverUsage before a byte is paid for), and
        BackendsFailed when other blobs that are needed cannot be read.
        """
        self._refuse_over_usage(location.backend, location.stored_bytes)
        held = tuple(place.storage_key for place in stored.locations)
        self._reads.begin(held)
        try:
            if stored.version.layout and location.stored_md5 is None:
                return await self._check_with_others(stored, location)
            return await self._check_alone(stored, location)
        except BlobMissing as missing:
            if missing.storage_key != location.storage_key:
                raise
            return Checked(
                verdict=Verdict.MISSING, reason="the backend has no such blob"
            )
        finally:
            self._reads.end(held)

    def _refuse_over_usage(self, name: BackendName, size: int) -> None:
        limit = self._fleet.may_read(name, size)
        if limit is not None:
            raise BackendOverUsage(
                name, OPERATION, "over a monthly limit", limit_type=limit
            )

    async def _check_alone(self, stored: StoredObject, location: Location) -> Checked:
        backend = self._fleet.get(location.backend)
        plain = _Plaintext(self._transform, stored)
        md5 = hashlib.md5(usedforsecurity=False)
        async with backend.open(location.storage_key) as reader:
            told = reader.info.stored_bytes
            if told != location.stored_bytes:
                return _wrong(f"it has {told} bytes instead of {location.stored_bytes}")
            while piece := await reader.read():
                md5.update(piece)
                plain.feed(piece)
        if location.stored_md5 not in (None, md5.hexdigest()):
            return _wrong("the stored bytes have another digest")
        is_right = plain.judge()
        if is_right is False:
            return _wrong("the object's bytes have another digest")
        is_known = is_right or location.stored_md5 is not None
        return Checked(
            verdict=Verdict.RIGHT if is_known else Verdict.UNKNOWN,
            reason="" if is_known else "no digest of it is known",
            stored_md5=md5.hexdigest(),
            sha256=plain.sha256,
        )

    async def _check_with_others(
        self, stored: StoredObject, location: Location
    ) -> Checked:
        """Read the whole version, this blob from this copy."""
        version = stored.version
        proof = proof_of(stored, with_sha256=True)
        md5 = hashlib.md5(usedforsecurity=False)
        stored_bytes, is_alone = 0, True
        places_of = locations_by_blob(stored)
        for segment in plan_segments(version, Interval(0, version.size)):
            is_ours = segment.blob == location.blob
            places = places_of.get(segment.blob, ())
            sources = [location] if is_ours else order_for_read(self._fleet, places)
            is_alone &= is_ours or any(place.stored_md5 for place in sources)
            counted = _Counted(md5) if is_ours else None
            blob = await self._open(sources, segment, counted)
            try:
                while piece := await blob.read():
                    proof.update(piece)
            except BlobDamaged as damaged:
                if is_ours:
                    return _wrong(damaged.reason)
                raise
            finally:
                await blob.close()
            stored_bytes += counted.seen_bytes if counted is not None else 0
        if not proof.can_tell:
            return Checked(verdict=Verdict.UNKNOWN, reason="no digest of it is known")
        if not proof.is_right():
            if not is_alone:
                raise BackendsFailed(OPERATION, ("other blobs are not proved either",))
            return _wrong("the object's bytes have another digest")
        has_all = stored_bytes == location.stored_bytes
        return Checked(
            verdict=Verdict.RIGHT,
            stored_md5=md5.hexdigest() if has_all else "",
            sha256=proof.sha256,
        )

    async def _open(
        self,
        sources: Sequence[Location],
        segment: Segment,
        counted: "_Counted | None",
    ) -> OpenBlob:
        """Open the segment; one of another blob only if its digest proves all of it.

        Where no copy of the other blob has a digest, any serves.
        """
        is_known = any(place.stored_md5 for place in sources)
        failures: list[str] = []
        for place in sources:
            is_other = counted is None and is_known
            if is_other and not await self._is_proved(place):
                failures.append(f"{place.backend}: not proved")
                continue
            blob = OpenBlob(
                self._fleet, self._transform, place, segment, digest=counted
            )
            try:
                await blob.open()
            except BackendError as error:
                if counted is not None:
                    raise
                failures.append(str(error))
                continue
            return blob
        raise BackendsFailed(OPERATION, tuple(failures))

    async def _is_proved(self, place: Location) -> bool:
        """Whether another blob's copy holds the bytes that its digest says."""
        if place.stored_md5 is None:
            return False
        self._refuse_over_usage(place.backend, place.stored_bytes)
        backend = self._fleet.get(place.backend)
        return place.stored_md5 == await _digest(backend, place)


async def _digest(backend: Guarded, place: Location) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    async with backend.open(place.storage_key) as reader:
        while piece := await reader.read():
            md5.update(piece)
    return md5.hexdigest()


class _Counted:
    """A digest that knows how much it was fed."""

    def __init__(self, inner: "hashlib._Hash") -> None:
        self._inner = inner
        self.seen_bytes = 0

    def update(self, data: bytes, /) -> None:
        self._inner.update(data)
        self.seen_bytes += len(data)

    def hexdigest(self) -> str:
        return self._inner.hexdigest()


class _Plaintext:
    """The plaintext of a version of one blob, judged while its stored bytes go by."""

    def __init__(self, transform: Transform, stored: StoredObject) -> None:
        version = stored.version
        self._is_wanted = not version.layout
        self._proof = proof_of(stored, with_sha256=True)
        self._decoding: PiecesDecoding | None = None
        self._is_damaged = False
        if self._is_wanted and version.size:
            [segment] = plan_segments(version, Interval(0, version.size))
            plan = plan_stored(transform, segment)
            self._decoding = PiecesDecoding(transform, plan.pieces)

    def feed(self, piece: bytes) -> None:
        """Take the next stored bytes."""
        if self._decoding is None or self._is_damaged:
            return
        try:
            self._proof.update(self._decoding.feed(piece))
        except BlobDamaged:
            self._is_damaged = True

    def judge(self) -> bool | None:
        """Return whether the bytes are the version's; None: nobody can tell."""
        if not self._is_wanted:
            return None
        if self._decoding is not None and not self._is_damaged:
            try:
                self._proof.update(self._decoding.finish())
            except BlobDamaged:
                self._is_damaged = True
        if self._is_damaged:
            return False
        return self._proof.is_right() if self._proof.can_tell else None

    @property
    def sha256(self) -> str | None:
        """Of the plaintext, where all of it went by."""
        return self._proof.sha256 if self._is_wanted else None


def _wrong(reason: str) -> Checked:
    return Checked(verdict=Verdict.WRONG, reason=reason)
