"""What operators see of blobs that move: drains, removals, rebalances.

The part of the observer (observe/observer) that turns their facts into metrics and
audit lines.
"""

from s3o.model import facts
from s3o.observe import metrics_table as table
from s3o.observe.audit import AuditLog, render_duration
from s3o.observe.metrics import Metrics


class MoveFacts:
    """Handlers, one per fact."""

    def __init__(self, metrics: Metrics, audit: AuditLog) -> None:
        self._metrics = metrics
        self._audit = audit

    def drains_observed(self, fact: facts.DrainsObserved) -> None:
        """Set the gauge."""
        self._metrics.set(table.DRAIN_ACTIVE, fact.draining)

    def drain_changed(self, fact: facts.DrainChanged) -> None:
        """Tell that a drain began or ended."""
        self._audit.event(
            f"storage.Drain{fact.change.capitalize()}",
            backend=fact.backend,
            objects_moved=fact.objects_moved,
            bytes_moved=fact.bytes_moved,
        )

    def drain_moved(self, fact: facts.DrainMoved) -> None:
        """Count what left a draining backend."""
        self._metrics.add(table.DRAIN_OBJECTS)
        self._metrics.add(table.DRAIN_BYTES, (), fact.size)
        event = "storage.DrainMove" if fact.target else "storage.DrainRemoveReplica"
        self._audit.event(
            event,
            key=fact.key,
            from_backend=fact.backend,
            to_backend=fact.target,
            size=fact.size,
        )

    def backend_removed(self, fact: facts.BackendRemoved) -> None:
        """Tell that a backend is gone."""
        self._audit.event(
            "storage.RemoveBackend",
            backend=fact.backend,
            purge=int(fact.is_purged),
            objects=fact.objects,
            size=fact.stored_bytes,
        )

    def object_purged(self, fact: facts.ObjectPurged) -> None:
        """Tell of an object that went with its backend."""
        self._audit.event(
            "storage.PurgeObject",
            bucket=fact.bucket,
            key=fact.key,
            backend=fact.backend,
            size=fact.size,
        )

    def rebalance_started(self, fact: facts.RebalanceStarted) -> None:
        """Tell what is planned."""
        self._metrics.set(table.REBALANCE_PENDING, fact.planned)
        self._audit.event(
            "rebalance.start",
            strategy=fact.strategy,
            batch_size=fact.batch_size,
            threshold=str(fact.threshold),
        )

    def rebalance_moved(self, fact: facts.RebalanceMoved) -> None:
        """Count one move."""
        status = "error" if fact.error else "success"
        self._metrics.add(table.REBALANCE_PENDING, (), -1)
        self._metrics.add(table.REBALANCE_OBJECTS, (fact.strategy, status))
        if not fact.error:
            self._metrics.add(table.REBALANCE_BYTES, (fact.strategy,), fact.size)
        self._audit.event(
            "rebalance.move",
            fact.error,
            key=fact.key,
            from_backend=fact.source,
            to_backend=fact.target,
            size=fact.size,
        )

    def rebalance_finished(self, fact: facts.RebalanceFinished) -> None:
        """Tell what a plan came to."""
        labels = (fact.strategy,)
        self._metrics.set(table.REBALANCE_PENDING, 0)
        self._metrics.add(table.REBALANCE_RUNS, (fact.strategy, fact.status))
        self._metrics.observe(table.REBALANCE_DURATION, fact.duration_s, labels)
        self._audit.event(
            "rebalance.complete",
            strategy=fact.strategy,
            objects_moved=fact.moved,
            planned=fact.planned,
            duration=render_duration(fact.duration_s),
        )

    def rebalance_skipped(self, fact: facts.RebalanceSkipped) -> None:
        """Count a cycle without a plan."""
        self._metrics.add(table.REBALANCE_SKIPPED, (fact.reason,))
