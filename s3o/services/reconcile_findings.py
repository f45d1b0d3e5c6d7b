"""Draw conclusions from findings that two complete listings, a day apart, have shown.

Rule 1: one listing proves nothing; a HEAD has the last word. Rule 2: a location whose
bytes are gone is marked lost and keeps its row (readers get 503, never 404), unless
other verified copies make up for it. Rule 3: bytes that nothing accounts for are
deleted only where their own record says that this cluster wrote them, in this life of
its ledger: a record from behind the ledger's last sequence, or from before a version of
a lower one, was written by a ledger that knew more than this one, and then such bytes
may be the only copy of an object. Everything else is reported and left alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from s3o.backends.guard import Guarded
from s3o.ledger.cleanup_rows import Discard
from s3o.ledger.ledger import Ledger
from s3o.ledger.meta import cluster_id
from s3o.ledger.reconcile import (
    Finding,
    FindingKind,
    Loss,
    discard_unknown,
    forget_finding,
    last_sequence,
    list_findings,
    lose_location,
    settle_findings,
    version_before_us,
)
from s3o.ledger.seam import Tx
from s3o.model.errors import (
    BackendCircuitOpen,
    BackendError,
    BackendOverUsage,
    BackendThrottled,
    BlobMissing,
    LedgerDamaged,
)
from s3o.model.limits import RECONCILE_BATCH, RECONCILE_CHECKS
from s3o.model.names import BackendName, ObjectKey, parse_storage_key
from s3o.model.seams import Clock
from s3o.model.values import BlobInfo
from s3o.services.reconcile_counts import BackendCounts
from s3o.wire.record import RecordedBlob, parse_record

# Two listings are a day apart; the counted clock may lose fractions of it.
APART_US = (86_400 - 60) * 1_000_000
SIGHTINGS = 2
# How far apart a backend's clock and ours may be: an hour, and what instances may be.
SKEW_US = 4_500_000_000
UNKNOWN = "reconcile_unknown"
# What says that a backend wants to be left alone; other failures are of one name.
STOPS = (BackendCircuitOpen, BackendOverUsage, BackendThrottled)
FAILURES = 10  # of single names; so many mean the backend


@dataclass(slots=True)
class _Budget:
    """How many HEADs are left, and behind which name they are spent first."""

    after: str
    left: int = RECONCILE_CHECKS
    last: str = ""
    failures: int = 0


class Settler:
    """Settles the findings of complete listings. Owns: nothing."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        may_destroy: Callable[[], bool],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._may_destroy = may_destroy
        self._is_stopping = is_stopping
        self._cursors: dict[BackendName, str] = {}

    async def settle(
        self, backend: Guarded, counts: BackendCounts, mark_us: int
    ) -> None:
        """Count what the listing begun at mark_us showed; act on what is ripe.

        What fails for one name waits for the next listing. Raises LedgerError, and
        STOPS, or the last of FAILURES: then all that is ripe waits.
        """
        budget = _Budget(self._cursors.pop(backend.name, ""))
        after = ""
        while page := await self._ledger.scan(
            partial(
                list_findings, backend=backend.name, after=after, limit=RECONCILE_BATCH
            )
        ):
            through = page[-1].storage_key
            await self._ledger.write(
                partial(
                    settle_findings,
                    backend=backend.name,
                    after=after,
                    through=through,
                    mark_us=mark_us,
                )
            )
            for finding in page:
                if _is_ripe(finding, mark_us) and finding.storage_key > budget.after:
                    await self._judge_or_leave(backend, finding, counts, budget)
            after = through
        if not budget.left:
            self._cursors[backend.name] = budget.last

    async def _judge_or_leave(
        self, backend: Guarded, finding: Finding, counts: BackendCounts, budget: _Budget
    ) -> None:
        """Judge it, unless that is impossible for this one: it waits, others do not."""
        try:
            await self._judge(backend, finding, counts, budget)
        except STOPS:
            raise
        except BackendError:
            budget.failures += 1
            if budget.failures >= FAILURES:
                raise
        except LedgerDamaged:
            return  # fsck tells of it

    async def _judge(
        self, backend: Guarded, finding: Finding, counts: BackendCounts, budget: _Budget
    ) -> None:
        if not budget.left or self._is_stopping() or not self._may_destroy():
            return
        budget.left -= 1
        budget.last = finding.storage_key
        seen_us = self._clock.now_us()
        try:
            info = await backend.head(finding.storage_key)
        except BlobMissing:
            info = None
        if finding.kind is FindingKind.MISSING:
            await self._judge_missing(backend, finding, info, counts, seen_us)
        else:
            await self._judge_unknown(backend, finding, info, counts)

    async def _judge_missing(
        self,
        backend: Guarded,
        finding: Finding,
        info: BlobInfo | None,
        counts: BackendCounts,
        seen_us: int,
    ) -> None:
        if info is not None:  # the listings lie
            counts.missing -= 1
            await self._forget(backend, finding)
            return

        loss = await self._ledger.write(
            partial(
                lose_location,
                backend=backend.name,
                storage_key=finding.storage_key,
                now_us=seen_us,
            )
        )
        if loss is Loss.LOST:
            counts.note_lost(finding.storage_key)
        elif loss is Loss.TAKEN:
            counts.taken += 1
        counts.missing -= 1

    async def _judge_unknown(
        self,
        backend: Guarded,
        finding: Finding,
        info: BlobInfo | None,
        counts: BackendCounts,
    ) -> None:
        if info is None:
            counts.unknown -= 1
            await self._forget(backend, finding)
            return
        found = _read_record(info)
        key = None if found is None else _key_of(finding, found)
        if found is None or key is None:
            counts.kept += 1
            return
        record = found.record
        if record.cluster_id != await self._ledger.read(cluster_id):
            counts.kept += 1
            return
        modified_us = info.modified_at_us
        if await self._ledger.read(
            partial(_is_ahead, sequence=record.sequence, modified_us=modified_us)
        ):
            counts.kept += 1
            counts.ahead += 1
            return
        discard = Discard(
            backend=backend.name,
            bucket_id=record.bucket_id,
            key=key,
            storage_key=finding.storage_key,
            size_bytes=info.stored_bytes,
            reason=UNKNOWN,
            backend_etag=info.etag or None,
        )
        if await self._ledger.write(
            partial(discard_unknown, discard=discard, now_us=self._clock.now_us())
        ):
            counts.queued += 1
        counts.unknown -= 1

    async def _forget(self, backend: Guarded, finding: Finding) -> None:
        await self._ledger.write(
            partial(
                forget_finding, backend=backend.name, storage_key=finding.storage_key
            )
        )


def _is_ripe(finding: Finding, mark_us: int) -> bool:
    """Whether the listing begun at mark_us confirms it; sightings are from before."""
    return (
        finding.seen_us == mark_us
        and finding.sightings + 1 >= SIGHTINGS
        and mark_us - finding.first_seen_us >= APART_US
    )


def _read_record(info: BlobInfo) -> RecordedBlob | None:
    try:
        return parse_record(info.headers)
    except ValueError:
        return None


def _key_of(finding: Finding, found: RecordedBlob) -> ObjectKey | None:
    return parse_storage_key(finding.storage_key).key or found.key


async def _is_ahead(tx: Tx, sequence: int, modified_us: int | None) -> bool:
    """Whether a ledger that knew more than this one drew the sequence.

    Draws follow time: whatever has a lower sequence and is a version was committed
    before the bytes were. Where a version of a lower one is younger than the bytes,
    this ledger has gone back, and has drawn that sequence again.
    """
    if modified_us is None or sequence > await last_sequence(tx):
        return True
    before_us = await version_before_us(tx, sequence)
    return before_us is not None and before_us > modified_us + SKEW_US
