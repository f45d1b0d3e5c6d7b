"""A recovery from beginning to end, into an empty ledger that serves nobody yet.

1. Every backend is asked which backups it holds; one cluster is chosen.
2. The newest snapshot and its logs become the base.
3. Every backend is listed: what the base tells of is there or not; what it does not
   tell of is read and becomes a candidate.
4. Candidates are judged; objects without bytes are reported and leave; sums are
   counted.

What cannot come back is said in the report: objects whose bytes no backend has
(deleted after the last log, or lost), pieces of uploads completed after the last log,
tags set after it, multipart uploads under way.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial

from s3o.backends.fleet import Fleet
from s3o.ledger import recovery as steps
from s3o.ledger import recovery_candidates as candidates
from s3o.ledger.audit import audit
from s3o.ledger.backup_pages import FIRST
from s3o.ledger.backups import BackupCopy
from s3o.ledger.intents import list_intents
from s3o.ledger.ledger import Ledger
from s3o.ledger.meta import ensure_cluster_id
from s3o.ledger.quotas import quota_rows
from s3o.ledger.recovery_candidates import Fate, Knowledge
from s3o.model.errors import BackendError
from s3o.model.names import BackendName
from s3o.model.seams import Clock
from s3o.model.values import QuotaRow
from s3o.services.backup_listing import FoundBackup, list_found_backups
from s3o.services.recovery.base import Base, BaseReader, RecoveryError, Say, keep
from s3o.services.recovery.survey import Seen, Survey

PAGE_ROWS = 500


@dataclass(kw_only=True)
class RecoveryReport:
    """What was found and what became of it."""

    cluster_id: str = ""
    base: Base = field(default_factory=Base)
    seen: Seen = field(default_factory=Seen)
    fates: dict[str, int] = field(default_factory=dict)
    gone: list[tuple[int, str]] = field(default_factory=list)
    gone_count: int = 0
    incomplete: list[tuple[int, str]] = field(default_factory=list)
    quotas: list[QuotaRow] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)  # of the final audit

    @property
    def objects(self) -> int:
        """How many objects came from blobs alone."""
        return self.fates.get(Fate.OBJECT, 0)


class Recovery:
    """Fills one empty ledger."""

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        clock: Clock,
        *,
        limits: dict[BackendName, int],
        without: Collection[BackendName] = (),
        say: Say = lambda _text: None,
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._clock = clock
        self._limits = limits
        self._without = without
        self._say = say
        self._report = RecoveryReport()

    async def run(self, cluster_id: str | None = None) -> RecoveryReport:
        """Recover the ledger of a cluster (None: the only one there is).

        Raises RecoveryError, BackendError, LedgerError; then the ledger is of no use.
        """
        report = self._report
        found = await self._find_backups()
        report.cluster_id = await self._choose(found, cluster_id)
        await self._ledger.write(
            partial(ensure_cluster_id, candidate=report.cluster_id)
        )
        own = [one for one in found if one.name.cluster_id == report.cluster_id]
        reader = BaseReader(self._ledger, self._fleet, own, self._say)
        report.base = await reader.read()
        if report.base.through < 0:
            self._say("no snapshot of the ledger: everything comes from blobs alone")
        await self._survey()
        await self._judge()
        await self._settle()
        await self._finish(own)
        return report

    async def _find_backups(self) -> list[FoundBackup]:
        found: list[FoundBackup] = []
        for backend in self._fleet:
            if backend.name in self._without:
                continue
            try:
                found += await list_found_backups(backend)
            except BackendError as error:
                raise RecoveryError(
                    f"backend {backend.name} does not answer ({error}); mend it, or "
                    f"leave it out with --without {backend.name}"
                ) from error
        return found

    async def _choose(self, found: Sequence[FoundBackup], wanted: str | None) -> str:
        """Return the cluster to recover; raises RecoveryError if that is not clear."""
        clusters = sorted({one.name.cluster_id for one in found})
        if wanted is not None:
            return wanted
        if len(clusters) == 1:
            return clusters[0]
        if not clusters:
            raise RecoveryError(
                "no backend holds a backup of a ledger; name the cluster with "
                "--cluster to rebuild from what the blobs say of themselves"
            )
        raise RecoveryError(
            "backups of several clusters: choose with --cluster " + ", ".join(clusters)
        )

    async def _survey(self) -> None:
        survey = Survey(
            self._ledger,
            self._clock,
            self._report.cluster_id,
            self._report.seen,
            self._say,
            told=self._report.base.bucket_ids,
        )
        for backend in self._fleet:
            if backend.name in self._without:
                step = partial(steps.trust_backend, backend=backend.name)
                await self._ledger.write(step)
            else:
                await survey.go_through(backend)

    async def _judge(self) -> None:
        base = self._report.base
        knowledge = Knowledge(through=base.through, under_way=base.intents)
        while page := await self._ledger.scan(partial(list_intents, limit=PAGE_ROWS)):
            for intent in page:
                fate = await self._ledger.write(
                    partial(
                        candidates.judge_candidate,
                        storage_key=intent.storage_key,
                        knowledge=knowledge,
                        now_us=self._clock.now_us(),
                    )
                )
                fates = self._report.fates
                fates[fate] = fates.get(fate, 0) + 1

    async def _settle(self) -> None:
        report = self._report
        after = FIRST
        while True:
            found, going_on = await self._ledger.write(
                partial(candidates.settle_objects, after=after, limit=PAGE_ROWS)
            )
            for one in found:
                self._say(f"{'no' if one.is_gone else 'not all'} bytes of {one.key!r}")
                if one.is_gone:
                    report.gone_count += 1
                listed = report.gone if one.is_gone else report.incomplete
                if len(listed) < PAGE_ROWS:
                    listed.append((one.bucket_id, one.key))
            if going_on is None:
                return
            after = going_on

    async def _finish(self, own: Sequence[FoundBackup]) -> None:
        report = self._report
        now_us = self._clock.now_us()
        copies = tuple(
            BackupCopy(
                backend=one.backend,
                storage_key=one.storage_key,
                name=one.name,
                is_whole=True,
                stored_bytes=one.stored_bytes,
                created_at_us=now_us,
            )
            for one in own
        )
        ending = steps.Ending(
            epoch=max((one.name.epoch for one in own), default=0) + 1,
            highest_sequence=max(
                report.seen.highest_sequence,
                max((one.name.through for one in own), default=0),
            ),
            highest_bucket_id=max(
                report.seen.highest_bucket_id, report.base.highest_bucket_id
            ),
            limits=self._limits,
            backups=copies,
            now_us=now_us,
        )
        await self._ledger.write(partial(steps.finish, ending=ending))
        report.quotas = await self._ledger.read(quota_rows)
        for complaint in await self._ledger.scan(audit):
            keep(report.complaints, complaint)
