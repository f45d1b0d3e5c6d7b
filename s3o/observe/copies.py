"""What operators see of copies made and removed: metrics, audit lines, warnings.

The names are the documented ones. A pass that found nothing to do counts as a run and
leaves no audit line.
"""

from s3o.model import facts
from s3o.observe import metrics_table as table
from s3o.observe.audit import AuditLog, render_duration
from s3o.observe.logs import EventLog
from s3o.observe.metrics import Metrics


class CopyHandlers:
    """The observer's handlers of facts about replication."""

    def __init__(self, metrics: Metrics, audit: AuditLog, log: EventLog) -> None:
        self._metrics = metrics
        self._audit = audit
        self._log = log

    def replication_began(self, fact: facts.ReplicationBegan) -> None:
        """Blobs were found that lack copies."""
        self._audit.event(
            "replication.start", factor=fact.factor, batch_size=fact.batch_size
        )

    def replication_ran(self, fact: facts.ReplicationRan) -> None:
        """A pass ended."""
        self._metrics.add(table.REPLICATION_RUNS, (fact.status,))
        self._metrics.observe(table.REPLICATION_DURATION, fact.duration_s)
        if fact.failed:
            self._metrics.add(table.REPLICATION_ERRORS, (), fact.failed)
        if fact.checked:
            self._audit.event(
                "replication.complete",
                copies_created=fact.created,
                objects_checked=fact.checked,
                failed=fact.failed,
                duration=render_duration(fact.duration_s),
            )

    def replication_observed(self, fact: facts.ReplicationObserved) -> None:
        """So many blobs lack copies."""
        self._metrics.set(table.REPLICATION_PENDING, fact.pending)

    def replication_failed(self, fact: facts.ReplicationFailed) -> None:
        """A blob got no copy; the next look tries again."""
        self._log.emit(
            "warning",
            "replication: no copy could be made",
            {"key": fact.key, "reason": fact.reason},
        )

    def copy_made(self, fact: facts.CopyMade) -> None:
        """A blob got a copy."""
        self._metrics.add(table.REPLICATION_CREATED)
        if fact.is_for_health:
            self._metrics.add(table.REPLICATION_HEALTH)
        self._audit.event(
            "replication.copy",
            key=fact.key,
            source_backend=fact.source,
            target_backend=fact.target,
            size=fact.size,
        )

    def over_replication_began(self, fact: facts.OverReplicationBegan) -> None:
        """Blobs were found that have too many copies."""
        self._audit.event(
            "over_replication.start", factor=fact.factor, batch_size=fact.batch_size
        )

    def over_replication_ran(self, fact: facts.OverReplicationRan) -> None:
        """A pass ended."""
        self._metrics.add(table.OVER_REPLICATION_RUNS, (fact.status,))
        self._metrics.observe(table.OVER_REPLICATION_DURATION, fact.duration_s)
        if fact.failed:
            self._metrics.add(table.OVER_REPLICATION_ERRORS, (), fact.failed)
        if fact.checked:
            self._audit.event(
                "over_replication.complete",
                copies_removed=fact.removed,
                objects_checked=fact.checked,
                failed=fact.failed,
                duration=render_duration(fact.duration_s),
            )

    def over_replication_observed(self, fact: facts.OverReplicationObserved) -> None:
        """So many blobs have too many copies."""
        self._metrics.set(table.OVER_REPLICATION_PENDING, fact.pending)

    def copy_removed(self, fact: facts.CopyRemoved) -> None:
        """A copy went."""
        self._metrics.add(table.OVER_REPLICATION_REMOVED)
        self._audit.event(
            "over_replication.remove",
            key=fact.key,
            backend=fact.backend,
            size=fact.size,
            score=fact.score,
        )

    def write_copied(self, fact: facts.WriteCopied) -> None:
        """A copy was sent along with a write, or fell behind."""
        self._metrics.add(table.WRITE_COPIES, (fact.backend, fact.status))
