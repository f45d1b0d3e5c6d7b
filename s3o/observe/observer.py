"""Facts in, metrics and lines out: one handler per fact.

Domain code says what happened in its own words and knows no metric; everything that an
operator sees of it is decided here. note() does not wait and does not fail. Methods and
statuses of requests come from clients and count only from allow-lists.
"""

import platform
from collections.abc import Callable
from typing import TypeVar, cast

from s3o import __version__
from s3o.model import facts
from s3o.model.facts import Fact
from s3o.model.values import BreakerState
from s3o.observe import metrics_table as table
from s3o.observe.audit import AuditLog, render_duration
from s3o.observe.copies import CopyHandlers
from s3o.observe.logs import EventLog
from s3o.observe.metrics import Metrics
from s3o.observe.moves import MoveFacts

METHODS = frozenset(("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"))
STATUSES = {status: str(status) for status in range(100, 600)}
OTHER = "other"

_BREAKER_NUMBERS = {
    BreakerState.CLOSED: 0,
    BreakerState.OPEN: 1,
    BreakerState.HALF_OPEN: 2,
}
_BREAKER_LINES = {
    BreakerState.CLOSED: ("info", "circuit breaker closed"),
    BreakerState.OPEN: ("warning", "circuit breaker opened"),
    BreakerState.HALF_OPEN: ("info", "circuit breaker half-open: probing"),
}
_CLEANUP_EVENTS = {
    "success": "cleanup_queue.processed",
    "exhausted": "cleanup_queue.exhausted_to_dlq",
}
_ALARMS = {
    "quarantined": "the last copy of an object is damaged; it is kept for a person",
    "last_lost": "no backend has the bytes of an object any more",
}

F = TypeVar("F", bound=Fact)
Handlers = dict[type[Fact], Callable[[Fact], None]]


class FactObserver:
    """The Observer of the running daemon."""

    def __init__(self, metrics: Metrics, audit: AuditLog, log: EventLog) -> None:
        self._metrics = metrics
        self._audit = audit
        self._log = log
        self._handlers: Handlers = {}
        self._handle(facts.RequestStarted, self._request_started)
        self._handle(facts.RequestFinished, self._request_finished)
        self._handle(facts.OperationFinished, self._operation_finished)
        self._handle(facts.BackendCalled, self._backend_called)
        self._handle(facts.BreakerChanged, self._breaker_changed)
        self._handle(facts.UsageRejected, self._usage_rejected)
        self._handle(facts.WriteFailedOver, self._write_failed_over)
        self._handle(facts.ReadFailedOver, self._read_failed_over)
        self._handle(facts.DegradedWriteRejected, self._degraded_write_rejected)
        self._handle(facts.CleanupEnqueued, self._cleanup_enqueued)
        self._handle(facts.CleanupProcessed, self._cleanup_processed)
        self._handle(facts.IntentOpened, self._intent_opened)
        self._handle(facts.IntentResolved, self._intent_resolved)
        self._handle(facts.QuotaObserved, self._quota_observed)
        self._handle(facts.UsageObserved, self._usage_observed)
        self._handle(facts.QueueObserved, self._queue_observed)
        self._handle(facts.IntegrityChecked, self._integrity_checked)
        self._handle(facts.CorruptionFound, self._corruption_found)
        self._handle(facts.CopyJudged, self._copy_judged)
        self._handle(facts.CopiesObserved, self._copies_observed)
        self._handle(facts.ScrubRoundEnded, self._scrub_round_ended)
        self._handle(facts.ReconcileFinished, self._reconcile_finished)
        copies = CopyHandlers(metrics, audit, log)
        self._handle(facts.ReplicationBegan, copies.replication_began)
        self._handle(facts.ReplicationRan, copies.replication_ran)
        self._handle(facts.ReplicationObserved, copies.replication_observed)
        self._handle(facts.ReplicationFailed, copies.replication_failed)
        self._handle(facts.CopyMade, copies.copy_made)
        self._handle(facts.OverReplicationBegan, copies.over_replication_began)
        self._handle(facts.OverReplicationRan, copies.over_replication_ran)
        self._handle(facts.OverReplicationObserved, copies.over_replication_observed)
        self._handle(facts.CopyRemoved, copies.copy_removed)
        self._handle(facts.WriteCopied, copies.write_copied)
        moves = MoveFacts(metrics, audit)
        self._handle(facts.DrainsObserved, moves.drains_observed)
        self._handle(facts.DrainChanged, moves.drain_changed)
        self._handle(facts.DrainMoved, moves.drain_moved)
        self._handle(facts.BackendRemoved, moves.backend_removed)
        self._handle(facts.ObjectPurged, moves.object_purged)
        self._handle(facts.RebalanceStarted, moves.rebalance_started)
        self._handle(facts.RebalanceMoved, moves.rebalance_moved)
        self._handle(facts.RebalanceFinished, moves.rebalance_finished)
        self._handle(facts.RebalanceSkipped, moves.rebalance_skipped)
        self._handle(facts.ServiceRan, self._service_ran)
        self._handle(facts.LifecycleExpired, self._lifecycle_expired)
        self._handle(facts.LifecycleRan, self._lifecycle_ran)
        self._handle(facts.AdminActed, self._audit.admin)
        self._handle(facts.JobEnded, self._job_ended)
        self._handle(facts.Happened, self._happened)
        self._handle(facts.Crashed, self._crashed)
        metrics.set(table.BUILD_INFO, 1, (__version__, platform.python_version()))

    def note(self, fact: Fact) -> None:
        """Take one fact."""
        handler = self._handlers.get(type(fact))
        if handler is not None:  # a test holds that no fact goes without
            handler(fact)

    @property
    def handled(self) -> frozenset[type[Fact]]:
        """The kinds of facts that have a handler."""
        return frozenset(self._handlers)

    def _handle(self, kind: type[F], handler: Callable[[F], None]) -> None:
        # The dictionary pairs each type with a handler of that very type.
        self._handlers[kind] = cast("Callable[[Fact], None]", handler)

    # Requests and operations.

    def _request_started(self, fact: facts.RequestStarted) -> None:
        method = fact.method if fact.method in METHODS else OTHER
        self._metrics.add(table.INFLIGHT, (method,))

    def _request_finished(self, fact: facts.RequestFinished) -> None:
        metrics = self._metrics
        labels = (fact.method if fact.method in METHODS else OTHER,)
        status = STATUSES.get(fact.status, OTHER)
        metrics.add(table.INFLIGHT, labels, -1)
        metrics.add(table.REQUESTS, (labels[0], status))
        metrics.observe(table.REQUEST_DURATION, fact.duration_s, labels)
        if fact.request_bytes:
            metrics.observe(table.REQUEST_SIZE, fact.request_bytes, labels)
        if fact.response_bytes:
            metrics.observe(table.RESPONSE_SIZE, fact.response_bytes, labels)
        if fact.event == "s3.AdmissionRejected":
            metrics.add(table.ADMISSION_REJECTIONS)
        self._audit.request(fact)

    def _operation_finished(self, fact: facts.OperationFinished) -> None:
        labels = (fact.operation, fact.backend)
        self._metrics.add(table.MANAGER_REQUESTS, (*labels, fact.status))
        self._metrics.observe(table.MANAGER_DURATION, fact.duration_s, labels)
        self._audit.operation(fact)

    def _degraded_write_rejected(self, fact: facts.DegradedWriteRejected) -> None:
        self._metrics.add(table.DEGRADED_REJECTIONS, (fact.operation,))

    # Backends.

    def _backend_called(self, fact: facts.BackendCalled) -> None:
        labels = (fact.operation, fact.backend)
        self._metrics.add(table.BACKEND_REQUESTS, (*labels, fact.status))
        self._metrics.observe(table.BACKEND_DURATION, fact.duration_s, labels)

    def _breaker_changed(self, fact: facts.BreakerChanged) -> None:
        number = _BREAKER_NUMBERS[fact.state]
        self._metrics.set(table.BREAKER_STATE, number, (fact.name,))
        labels = (fact.name, str(fact.previous), str(fact.state))
        self._metrics.add(table.BREAKER_TRANSITIONS, labels)
        level, message = _BREAKER_LINES[fact.state]
        self._log.emit(level, message, {"name": fact.name, "reason": fact.reason})

    def _usage_rejected(self, fact: facts.UsageRejected) -> None:
        self._metrics.add(table.USAGE_REJECTIONS, (fact.operation, fact.limit_type))

    def _write_failed_over(self, fact: facts.WriteFailedOver) -> None:
        labels = (fact.operation, fact.failed_backend)
        self._metrics.add(table.WRITE_FAILOVERS, labels)
        self._log_failover("write goes on to another backend", *labels, fact.reason)

    def _read_failed_over(self, fact: facts.ReadFailedOver) -> None:
        labels = (fact.operation, fact.failed_backend)
        self._metrics.add(table.READ_FAILOVERS, labels)
        self._log_failover("read goes on to another location", *labels, fact.reason)

    def _log_failover(
        self, message: str, operation: str, backend: str, reason: str
    ) -> None:
        self._log.emit(
            "warning",
            message,
            {"operation": operation, "backend": backend, "reason": reason},
        )

    # Cleanup and intents.

    def _cleanup_enqueued(self, fact: facts.CleanupEnqueued) -> None:
        self._metrics.add(table.CLEANUP_ENQUEUED, (fact.reason,), fact.count)

    def _cleanup_processed(self, fact: facts.CleanupProcessed) -> None:
        self._metrics.add(table.CLEANUP_PROCESSED, (fact.status,))
        if fact.status == "exhausted":
            self._metrics.add(table.DLQ_ENQUEUED, (fact.backend,))
        event = _CLEANUP_EVENTS.get(fact.status)
        if event is not None:
            self._audit.event(
                event,
                fact.error,
                key=fact.storage_key,
                backend=fact.backend,
                reason=fact.reason,
                attempt=fact.attempt,
            )

    def _intent_opened(self, _fact: facts.IntentOpened) -> None:
        self._metrics.add(table.INTENTS_OPENED)

    def _intent_resolved(self, fact: facts.IntentResolved) -> None:
        self._metrics.add(table.INTENTS_RESOLVED, (fact.outcome,))
        if fact.is_by_reaper:
            self._audit.event(
                f"pending_reaper.{fact.outcome}",
                key=fact.storage_key,
                backend=fact.backend,
            )

    # What the ledger says now.

    def _quota_observed(self, fact: facts.QuotaObserved) -> None:
        labels = (fact.backend,)
        metrics = self._metrics
        available = fact.limit_bytes - fact.used_bytes - fact.orphan_bytes
        metrics.set(table.QUOTA_USED, fact.used_bytes, labels)
        metrics.set(table.QUOTA_LIMIT, fact.limit_bytes, labels)
        metrics.set(table.QUOTA_ORPHAN, fact.orphan_bytes, labels)
        metrics.set(table.QUOTA_AVAILABLE, max(available, 0), labels)
        metrics.set(table.OBJECTS, fact.objects, labels)
        metrics.set(table.MULTIPART_UPLOADS, fact.multipart_uploads, labels)

    def _usage_observed(self, fact: facts.UsageObserved) -> None:
        labels = (fact.backend,)
        self._metrics.set(table.USAGE_REQUESTS, fact.api_requests, labels)
        self._metrics.set(table.USAGE_EGRESS, fact.egress_bytes, labels)
        self._metrics.set(table.USAGE_INGRESS, fact.ingress_bytes, labels)

    def _queue_observed(self, fact: facts.QueueObserved) -> None:
        self._metrics.set(table.CLEANUP_DEPTH, fact.cleanup_rows)
        self._metrics.set(table.DLQ_DEPTH, fact.dead_letters)
        self._metrics.set(table.INTENTS_DEPTH, fact.intents)

    # Copies and their bytes.

    def _integrity_checked(self, fact: facts.IntegrityChecked) -> None:
        self._metrics.add(table.INTEGRITY_CHECKS, (fact.operation,))

    def _corruption_found(self, fact: facts.CorruptionFound) -> None:
        self._metrics.add(table.INTEGRITY_ERRORS, (fact.operation,))
        self._audit.event(
            "integrity.corruption_detected",
            operation=fact.operation,
            key=fact.key,
            backend=fact.backend,
            storage_key=fact.storage_key,
        )

    def _copy_judged(self, fact: facts.CopyJudged) -> None:
        self._metrics.add(table.INTEGRITY_REPAIRS, (fact.judgement,))
        fields = {
            "key": fact.key,
            "backend": fact.backend,
            "storage_key": fact.storage_key,
        }
        self._audit.event(f"integrity.{fact.judgement}", **fields)
        alarm = _ALARMS.get(fact.judgement)
        if alarm is not None:
            self._log.emit("error", alarm, dict(fields))

    def _copies_observed(self, fact: facts.CopiesObserved) -> None:
        for state, count in (
            ("live", fact.live),
            ("suspect", fact.suspect),
            ("lost", fact.lost),
            ("quarantined", fact.quarantined),
        ):
            self._metrics.set(table.INTEGRITY_COPIES, count, (state,))
        self._metrics.set(table.INTEGRITY_OLDEST, fact.oldest_proof_s)

    def _scrub_round_ended(self, fact: facts.ScrubRoundEnded) -> None:
        self._metrics.add(table.INTEGRITY_ROUNDS, (fact.backend,))

    def _reconcile_finished(self, fact: facts.ReconcileFinished) -> None:
        for outcome, count in (
            ("imported", fact.imported),
            ("removed", fact.removed),
            ("lost", fact.lost),
            ("changed", fact.changed),
        ):
            self._metrics.add(table.RECONCILED, (fact.backend, outcome), count)
        if not fact.error:
            for kind, count in (("missing", fact.missing), ("unknown", fact.unknown)):
                labels = (fact.backend, kind)
                self._metrics.set(table.RECONCILE_FINDINGS, count, labels)
        self._audit.event(
            "storage.ReconcileComplete",
            fact.error,
            backend=fact.backend,
            imported=fact.imported,
            removed=fact.removed,
            lost=fact.lost,
            changed=fact.changed,
            missing=fact.missing,
            unknown=fact.unknown,
            skipped=fact.skipped,
            duration=render_duration(fact.duration_s),
        )

    # The process.

    def _service_ran(self, fact: facts.ServiceRan) -> None:
        self._metrics.add(table.SERVICE_RUNS, (fact.service, fact.status))
        self._metrics.observe(table.SERVICE_DURATION, fact.duration_s, (fact.service,))
        self._log.emit(
            "info" if fact.report else "debug",
            "service ran",
            {
                "service": fact.service,
                "status": fact.status,
                "duration_s": round(fact.duration_s, 6),
                "report": fact.report,
            },
        )

    def _lifecycle_expired(self, fact: facts.LifecycleExpired) -> None:
        self._metrics.add(table.LIFECYCLE_DELETED)
        self._audit.event(
            "lifecycle.delete",
            bucket=fact.bucket,
            key=fact.key,
            version_id=fact.version_id,
            size=fact.size,
            rule=fact.rule,
            prefix=fact.prefix,
            expiration_days=fact.expiration_days or 0,
        )

    def _lifecycle_ran(self, fact: facts.LifecycleRan) -> None:
        status = "partial" if fact.failed else "success"
        self._metrics.add(table.LIFECYCLE_RUNS, (status,))
        if fact.failed:
            self._metrics.add(table.LIFECYCLE_FAILED, (), fact.failed)

    def _job_ended(self, fact: facts.JobEnded) -> None:
        self._audit.event(
            "admin.job_ended",
            fact.error,
            id=fact.id,
            action=fact.action,
            state=fact.state,
        )

    def _happened(self, fact: facts.Happened) -> None:
        self._log.emit(fact.level, fact.message, dict(fact.fields))

    def _crashed(self, fact: facts.Crashed) -> None:
        self._metrics.add(table.CRASHES, (fact.where,))
        self._log.emit(
            "error",
            "unexpected error",
            {"where": fact.where, "traceback": fact.traceback},
        )
