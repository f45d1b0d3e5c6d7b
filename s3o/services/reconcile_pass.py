"""Compare one backend's listing with the ledger, name by name, a page of each in hand.

Nothing is concluded here about what is missing or unknown: it is only marked, and
counts once the listing has turned out complete (reconcile_findings). Two things are
done at once: a blob that a HEAD, too, shows otherwise than the ledger says becomes
suspect, and foreign names are imported.
"""

from collections.abc import Callable, Sequence
from functools import partial

from s3o.backends.guard import Guarded
from s3o.ledger.ledger import Ledger
from s3o.ledger.reconcile import (
    Finding,
    FindingKind,
    KnownBlob,
    explained,
    known_blobs,
    note_findings,
    suspect_location,
)
from s3o.model.errors import BackendError, BackendProtocolError, BlobMissing
from s3o.model.limits import (
    OBJECT_KEY_BYTES,
    RECONCILE_BATCH,
    RECONCILE_CHECKS,
    RECONCILE_FINDINGS,
    RECONCILE_PAGE,
)
from s3o.model.names import StorageKey
from s3o.model.seams import Clock
from s3o.model.values import BlobInfo, ListedBlob, LocationState
from s3o.policy.importing import Mapper, Shape, shape_of
from s3o.policy.merge import Disorder, SortedMerge
from s3o.services.importing import Importer
from s3o.services.listing import OPERATION, Listing
from s3o.services.reconcile_counts import BackendCounts
from s3o.services.reconcile_findings import FAILURES, STOPS

# A provider may list a blob only some time after it was written.
LAG_US = 3_600_000_000
_MOST = (1 << 62) - 1  # what a hostile listing may call a size fits the column


class Interrupted(Exception):
    """The service stops: nothing is concluded."""


class BackendPass:
    """One pass over one backend. mark_us: the counted time at which it began."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        importer: Importer,
        backend: Guarded,
        find: Mapper,
        *,
        mark_us: int,
        on_page: Callable[[BackendCounts], None],
    ) -> None:
        self.counts = BackendCounts()
        self._ledger = ledger
        self._clock = clock
        self._importer = importer
        self._backend = backend
        self._find = find
        self.mark_us = mark_us
        self._on_page = on_page
        self._began_us = clock.now_us()
        self._began_s = clock.monotonic_s()
        self._checks_left = RECONCILE_CHECKS
        self._noted = 0
        self._failures = 0
        self._after = ""

    async def run(self) -> None:
        """Go through both to the end; raises BackendError and LedgerError."""
        listing = Listing(self._backend)
        merge = SortedMerge[ListedBlob, KnownBlob](
            _name_of_listed, _name_of_known, left="the listing", right="the ledger"
        )
        try:
            while not merge.is_over:
                if merge.wants_left:
                    listed = await listing.next_page()
                    self.counts.listed += len(listed)
                    merge.feed_left(listed, is_last=listing.is_over)
                    self._on_page(self.counts)
                if merge.wants_right:
                    known = await self._next_known()
                    merge.feed_right(known, is_last=len(known) < RECONCILE_PAGE)
                await self._take(list(merge.pairs()))
        except Disorder as disorder:
            raise BackendProtocolError(
                self._backend.name, OPERATION, f"{disorder}: nothing is concluded"
            ) from None

    async def _next_known(self) -> list[KnownBlob]:
        page = await self._ledger.scan(
            partial(
                known_blobs,
                backend=self._backend.name,
                after=self._after,
                limit=RECONCILE_PAGE,
            )
        )
        if page:
            self._after = page[-1].storage_key
        return page

    async def _take(
        self, pairs: Sequence[tuple[ListedBlob | None, KnownBlob | None]]
    ) -> None:
        own: list[ListedBlob] = []
        foreign: list[ListedBlob] = []
        findings: list[Finding] = []
        for listed, known in pairs:
            if listed is None:
                assert known is not None
                findings += self._missing(known)
            elif known is not None:
                self.counts.known += 1
                if _differs(listed.stored_bytes, listed.etag, known):
                    await self._check(known)
            else:
                match shape_of(listed.name):
                    case Shape.OWN:
                        own.append(listed)
                    case Shape.FOREIGN:
                        foreign.append(listed)
        findings += await self._unknown(own)
        await self._note(findings)
        if foreign:
            await self._importer.take_page(
                self._backend, foreign, self._find, self.counts.imports
            )

    async def _check(self, known: KnownBlob) -> None:
        """Look at a blob that is listed otherwise than the ledger knows it."""
        if known.state not in (LocationState.LIVE, LocationState.LOST):
            return  # the scrubber has it in hand
        if not self._checks_left:
            return
        self._checks_left -= 1
        seen_us = self._clock.now_us()
        try:
            info = await self._backend.head(known.storage_key)
        except STOPS:
            raise
        except BlobMissing:
            return  # gone meanwhile; the next listing tells
        except BackendError:
            self._failures += 1
            if self._failures >= FAILURES:
                raise
            return
        if not _is_other(info, known):
            return
        changed = await self._ledger.write(
            partial(
                suspect_location,
                backend=self._backend.name,
                known=known,
                backend_etag=info.etag,
                now_us=seen_us,
            )
        )
        self.counts.changed += int(changed)

    def _missing(self, known: KnownBlob) -> list[Finding]:
        # What was made far ahead of now was made by a clock that was wrong.
        latest_us = self._clock.now_us() + LAG_US
        is_young = self._began_us - LAG_US <= known.created_at_us <= latest_us
        if known.state is LocationState.LOST or is_young:
            return []
        self.counts.missing += 1
        return [
            Finding(
                storage_key=known.storage_key,
                kind=FindingKind.MISSING,
                stored_bytes=known.stored_bytes,
                backend_etag=known.backend_etag,
            )
        ]

    async def _unknown(self, own: Sequence[ListedBlob]) -> list[Finding]:
        """Return the names of our shape that nothing in the ledger accounts for."""
        names = [blob.name for blob in own if len(blob.name) <= OBJECT_KEY_BYTES]
        if not names:
            return []
        accounted = await self._ledger.scan(
            partial(explained, backend=self._backend.name, names=names)
        )
        findings = [
            Finding(
                storage_key=StorageKey(blob.name),
                kind=FindingKind.UNKNOWN,
                stored_bytes=min(blob.stored_bytes, _MOST),
                backend_etag=blob.etag,
            )
            for blob in own
            if blob.name not in accounted and len(blob.name) <= OBJECT_KEY_BYTES
        ]
        self.counts.unknown += len(findings)
        return findings

    async def _note(self, findings: Sequence[Finding]) -> None:
        # The first in byte order are noted again each time, so they do get settled.
        room = max(0, RECONCILE_FINDINGS - self._noted)
        findings = findings[:room]
        self._noted += len(findings)
        elapsed_s = self._clock.monotonic_s() - self._began_s
        for start in range(0, len(findings), RECONCILE_BATCH):
            await self._ledger.write(
                partial(
                    note_findings,
                    backend=self._backend.name,
                    findings=findings[start : start + RECONCILE_BATCH],
                    mark_us=self.mark_us,
                    now_us=self.mark_us + round(elapsed_s * 1_000_000),
                )
            )


def _name_of_listed(blob: ListedBlob) -> str:
    return blob.name


def _name_of_known(known: KnownBlob) -> str:
    return known.storage_key


def _differs(stored_bytes: int, etag: str, known: KnownBlob) -> bool:
    """Whether a listed blob is not the one that the ledger knows, or lost there."""
    is_other = etag and known.backend_etag and etag != known.backend_etag
    return (
        stored_bytes != known.stored_bytes
        or bool(is_other)
        or known.state is LocationState.LOST
    )


def _is_other(info: BlobInfo, known: KnownBlob) -> bool:
    return _differs(info.stored_bytes, info.etag, known)
