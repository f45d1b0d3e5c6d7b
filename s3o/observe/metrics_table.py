"""Every metric of the product: name, kind, labels, meaning.

One table feeds the cells (observe/metrics), the documentation (run this module to print
it as Markdown) and the test that holds it against the documented list. Rule: a label's
values come from the configuration, from code or from an allow-list, never from a
client, so the number of series is bounded.
"""

import sys
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "s3o_"

# Upper bounds of histogram buckets: seconds of a request, seconds of a backend's
# answer, bytes of a body (1 KiB to 256 MiB in steps of four).
REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
BACKEND_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
SERVICE_SECONDS = (1, 5, 10, 30, 60, 120, 300, 600)
BODY_BYTES = tuple(1024 * 4**step for step in range(10))


class Kind(StrEnum):
    """How a metric behaves, in Prometheus' words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One row; compared by identity, so it is a cheap key of the cells."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


def _counter(name: str, labels: str, text: str) -> Metric:
    return Metric(PREFIX + name, Kind.COUNTER, tuple(labels.split()), text)


def _gauge(name: str, labels: str, text: str) -> Metric:
    return Metric(PREFIX + name, Kind.GAUGE, tuple(labels.split()), text)


def _histogram(name: str, labels: str, buckets: tuple[float, ...], text: str) -> Metric:
    return Metric(PREFIX + name, Kind.HISTOGRAM, tuple(labels.split()), text, buckets)


BUILD_INFO = _gauge("build_info", "version python_version", "Build metadata")

REQUESTS = _counter("requests_total", "method status_code", "HTTP request count")
REQUEST_DURATION = _histogram(
    "request_duration_seconds", "method", REQUEST_SECONDS, "Request latency"
)
REQUEST_SIZE = _histogram("request_size_bytes", "method", BODY_BYTES, "Upload sizes")
RESPONSE_SIZE = _histogram(
    "response_size_bytes", "method", BODY_BYTES, "Download sizes"
)
INFLIGHT = _gauge("inflight_requests", "method", "Currently processing")
ADMISSION_REJECTIONS = _counter(
    "admission_rejections_total", "", "Requests rejected by admission control"
)

BACKEND_REQUESTS = _counter(
    "backend_requests_total", "operation backend status", "Backend calls"
)
BACKEND_DURATION = _histogram(
    "backend_duration_seconds", "operation backend", BACKEND_SECONDS, "Backend latency"
)
MANAGER_REQUESTS = _counter(
    "manager_requests_total", "operation backend status", "Operations on objects"
)
MANAGER_DURATION = _histogram(
    "manager_duration_seconds",
    "operation backend",
    BACKEND_SECONDS,
    "Latency of operations on objects",
)
WRITE_FAILOVERS = _counter(
    "write_failover_total",
    "operation failed_backend",
    "Writes that went on to another backend",
)
READ_FAILOVERS = _counter(
    "read_failover_total",
    "operation failed_backend",
    "Reads that went on to another location",
)

INTEGRITY_CHECKS = _counter(
    "integrity_checks_total", "operation", "Integrity hash verifications performed"
)
INTEGRITY_ERRORS = _counter(
    "integrity_errors_total", "operation", "Hash mismatches detected"
)
INTEGRITY_REPAIRS = _counter(
    "integrity_repairs_total", "judgement", "Copies in doubt, by what became of them"
)
INTEGRITY_COPIES = _gauge(
    "integrity_copies", "state", "Copies by what is known of them"
)
INTEGRITY_OLDEST = _gauge(
    "integrity_oldest_proof_seconds", "", "Age of the oldest proof of any copy"
)
INTEGRITY_ROUNDS = _counter(
    "integrity_scrub_rounds_total", "backend", "Times that every copy was looked at"
)

QUOTA_USED = _gauge("quota_bytes_used", "backend", "Current bytes used")
QUOTA_LIMIT = _gauge("quota_bytes_limit", "backend", "Quota limit")
QUOTA_ORPHAN = _gauge(
    "quota_orphan_bytes", "backend", "Bytes reserved by pending cleanup items"
)
QUOTA_AVAILABLE = _gauge(
    "quota_bytes_available", "backend", "Remaining space (limit - used - orphan)"
)
OBJECTS = _gauge("objects_count", "backend", "Stored object count")
MULTIPART_UPLOADS = _gauge("active_multipart_uploads", "backend", "In-progress uploads")

BREAKER_STATE = _gauge("circuit_breaker_state", "name", "0=closed, 1=open, 2=half-open")
BREAKER_TRANSITIONS = _counter(
    "circuit_breaker_transitions_total", "name from to", "State transitions"
)
DEGRADED_REJECTIONS = _counter(
    "degraded_write_rejections_total",
    "operation",
    "Writes rejected because the ledger did not answer",
)

USAGE_REQUESTS = _gauge(
    "usage_api_requests", "backend", "Current month's API request count"
)
USAGE_EGRESS = _gauge("usage_egress_bytes", "backend", "Current month's egress bytes")
USAGE_INGRESS = _gauge(
    "usage_ingress_bytes", "backend", "Current month's ingress bytes"
)
USAGE_REJECTIONS = _counter(
    "usage_limit_rejections_total",
    "operation limit_type",
    "Operations rejected by usage limits",
)

CLEANUP_ENQUEUED = _counter(
    "cleanup_queue_enqueued_total", "reason", "Items added to the cleanup queue"
)
CLEANUP_PROCESSED = _counter(
    "cleanup_queue_processed_total",
    "status",
    "Items of the cleanup queue processed (success, retry, exhausted)",
)
CLEANUP_DEPTH = _gauge("cleanup_queue_depth", "", "Pending items in the cleanup queue")
DLQ_DEPTH = _gauge(
    "cleanup_dlq_depth", "", "Unrecoverable orphans in the dead-letter table"
)
DLQ_ENQUEUED = _counter(
    "cleanup_dlq_enqueued_total", "backend", "Items moved to the dead letters"
)

INTENTS_OPENED = _counter(
    "pending_intents_enqueued_total", "", "Intents recorded before a write"
)
INTENTS_RESOLVED = _counter(
    "pending_intents_resolved_total", "outcome", "Intents that ended, by outcome"
)
INTENTS_DEPTH = _gauge("pending_intents_depth", "", "Intents open now")

DRAIN_ACTIVE = _gauge("drain_active", "", "Backends being drained now")
DRAIN_OBJECTS = _counter(
    "drain_objects_moved_total", "", "Objects that left a backend being drained"
)
DRAIN_BYTES = _counter(
    "drain_bytes_moved_total", "", "Bytes that left a backend being drained"
)

LIFECYCLE_DELETED = _counter(
    "lifecycle_deleted_total", "", "Objects that lifecycle rules have ended"
)
LIFECYCLE_FAILED = _counter(
    "lifecycle_failed_total", "", "Buckets whose lifecycle rules could not be applied"
)
LIFECYCLE_RUNS = _counter(
    "lifecycle_runs_total", "status", "Passes of the lifecycle rules"
)
RECONCILED = _counter(
    "reconcile_names_total",
    "backend outcome",
    "Names a comparison with a backend settled (imported, removed, lost, changed)",
)
RECONCILE_FINDINGS = _gauge(
    "reconcile_findings",
    "backend kind",
    "Names the last complete comparison found amiss (missing, unknown)",
)

REBALANCE_OBJECTS = _counter(
    "rebalance_objects_moved_total", "strategy status", "Objects moved by rebalancer"
)
REBALANCE_BYTES = _counter(
    "rebalance_bytes_moved_total", "strategy", "Bytes moved by rebalancer"
)
REBALANCE_RUNS = _counter(
    "rebalance_runs_total", "strategy status", "Rebalancer executions"
)
REBALANCE_DURATION = _histogram(
    "rebalance_duration_seconds",
    "strategy",
    SERVICE_SECONDS,
    "Rebalancer execution time",
)
REBALANCE_SKIPPED = _counter(
    "rebalance_skipped_total", "reason", "Rebalancer runs skipped"
)
REBALANCE_PENDING = _gauge("rebalance_pending", "", "Objects planned for rebalance")

SERVICE_RUNS = _counter(
    "service_runs_total", "service status", "Passes of background services"
)
SERVICE_DURATION = _histogram(
    "service_duration_seconds", "service", SERVICE_SECONDS, "Duration of those passes"
)

AUDIT_EVENTS = _counter("audit_events_total", "event", "Audit log entries emitted")
CRASHES = _counter("unexpected_errors_total", "where", "Exceptions nobody expected")
LOG_LINES_LOST = _counter(
    "log_lines_lost_total", "", "Log lines that could not be written"
)

REPLICATION_PENDING = _gauge(
    "replication_pending", "", "Blobs below the replication factor"
)
REPLICATION_CREATED = _counter(
    "replication_copies_created_total", "", "Replica copies created"
)
REPLICATION_HEALTH = _counter(
    "replication_health_copies_total",
    "",
    "Copies created to replace copies on circuit-broken backends",
)
REPLICATION_ERRORS = _counter(
    "replication_errors_total", "", "Blobs that could not get the copies they lack"
)
REPLICATION_RUNS = _counter(
    "replication_runs_total", "status", "Replication worker executions"
)
REPLICATION_DURATION = _histogram(
    "replication_duration_seconds", "", SERVICE_SECONDS, "Replication cycle time"
)
WRITE_COPIES = _counter(
    "write_copies_total",
    "backend status",
    "Copies sent while the client uploads (written, unproved, lagged, failed)",
)
OVER_REPLICATION_PENDING = _gauge(
    "over_replication_pending", "", "Blobs exceeding the replication factor"
)
OVER_REPLICATION_REMOVED = _counter(
    "over_replication_removed_total", "", "Excess copies removed"
)
OVER_REPLICATION_ERRORS = _counter(
    "over_replication_errors_total", "", "Excess copies that could not be removed yet"
)
OVER_REPLICATION_RUNS = _counter(
    "over_replication_runs_total", "status", "Over-replication worker executions"
)
OVER_REPLICATION_DURATION = _histogram(
    "over_replication_duration_seconds",
    "",
    SERVICE_SECONDS,
    "Over-replication cleanup cycle time",
)

METRICS: tuple[Metric, ...] = tuple(
    value for value in globals().copy().values() if isinstance(value, Metric)
)


def render_markdown() -> str:
    """Return the table as the documentation shows it."""
    lines = [
        "| Metric | Type | Labels | Description |",
        "|---|---|---|---|",
    ]
    for metric in METRICS:
        labels = ", ".join(metric.labels) or "-"
        kind = metric.kind.capitalize()
        lines.append(f"| `{metric.name}` | {kind} | {labels} | {metric.help} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render_markdown())
