"""Facts: what is worth saying, in domain words.

Domain code notes a fact once; observe/ turns it into metrics and log lines. No fact
holds a secret, a signature or a body.
"""

from dataclasses import dataclass

from s3o.model.names import BackendName
from s3o.model.values import BreakerState


@dataclass(frozen=True, slots=True)
class Fact:
    """Root of all facts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStarted(Fact):
    """A request's head was accepted."""

    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFinished(Fact):
    """A request was answered, or its client left (status 499).

    event: `s3.PutObject`, `s3.AuthFailure`, ...; duration in seconds.
    """

    event: str
    operation: str
    method: str
    path: str
    status: int
    duration_s: float
    request_id: str
    remote: str
    bucket: str = ""
    key: str = ""
    request_bytes: int = 0
    response_bytes: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationFinished(Fact):
    """An operation on objects was carried out, or failed (the second audit line).

    event: `storage.PutObject`, ...; status: success or error.
    """

    operation: str
    status: str
    duration_s: float
    request_id: str
    bucket: str = ""
    key: str = ""
    backend: str = ""
    size: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendCalled(Fact):
    """One call through the guard of one backend ended.

    status: success, error, or aborted (by the caller or its client, not the backend).
    duration_s: the time spent in the backend, without waiting for the client.
    """

    backend: BackendName
    operation: str
    status: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerChanged(Fact):
    """A circuit breaker changed its state; name: "database" or the backend's."""

    name: str
    previous: BreakerState
    state: BreakerState
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRejected(Fact):
    """A monthly limit kept a backend out of an operation."""

    backend: BackendName
    operation: str
    limit_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFailedOver(Fact):
    """A write went on to the next candidate after a backend failed."""

    operation: str
    failed_backend: BackendName
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFailedOver(Fact):
    """A read went on to the next location after a backend failed."""

    operation: str
    failed_backend: BackendName
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DegradedWriteRejected(Fact):
    """A write was refused because the ledger did not answer."""

    operation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupEnqueued(Fact):
    """Bytes were put on the cleanup queue."""

    reason: str
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupProcessed(Fact):
    """One row of the cleanup queue was tried; status: success, retry, exhausted."""

    status: str
    backend: BackendName
    storage_key: str
    reason: str
    attempt: int
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentOpened(Fact):
    """An intent was recorded."""

    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentResolved(Fact):
    """An intent ended: committed, promoted, dropped, superseded or ambiguous."""

    outcome: str
    backend: str = ""
    storage_key: str = ""
    is_by_reaper: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaObserved(Fact):
    """One backend's bytes and counts, as the ledger has them now."""

    backend: BackendName
    limit_bytes: int
    used_bytes: int
    orphan_bytes: int
    objects: int
    multipart_uploads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageObserved(Fact):
    """One backend's use this month."""

    backend: BackendName
    api_requests: int
    egress_bytes: int
    ingress_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueObserved(Fact):
    """How much waits in the cleanup queue, the dead letters and as intents."""

    cleanup_rows: int
    dead_letters: int
    intents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainsObserved(Fact):
    """How many backends are being emptied now, as the ledger has it."""

    draining: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainChanged(Fact):
    """A drain was started, cancelled, or found nothing left (complete)."""

    change: str
    backend: BackendName
    objects_moved: int = 0
    bytes_moved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainMoved(Fact):
    """A blob left a draining backend; target "": other copies are enough."""

    key: str
    backend: BackendName
    target: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileFinished(Fact):
    """A backend's listing was compared with the ledger, or could not be.

    removed: rows taken and names queued for deletion. missing, unknown: open findings.
    error: why nothing was concluded; "" when the listing was complete.
    """

    backend: BackendName
    duration_s: float
    imported: int = 0
    removed: int = 0
    lost: int = 0
    changed: int = 0
    missing: int = 0
    unknown: int = 0
    skipped: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRemoved(Fact):
    """No row of the ledger names the backend any more."""

    backend: BackendName
    is_purged: bool
    objects: int
    stored_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPurged(Fact):
    """An object was deleted with the last backend that had a copy of it."""

    bucket: str
    key: str
    backend: BackendName
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RebalanceStarted(Fact):
    """A cycle has a plan and begins to carry it out."""

    strategy: str
    batch_size: int
    threshold: float
    planned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RebalanceMoved(Fact):
    """One move of a plan was carried out, or failed for error."""

    strategy: str
    key: str
    source: BackendName
    target: BackendName
    size: int
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RebalanceFinished(Fact):
    """A plan was carried out, as far as possible; status: success or error."""

    strategy: str
    status: str
    moved: int
    planned: int
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RebalanceSkipped(Fact):
    """A cycle had nothing to do; reason: threshold or empty_plan."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRan(Fact):
    """One pass of a background service ended; status: success, error or skipped."""

    service: str
    status: str
    duration_s: float
    report: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleExpired(Fact):
    """A rule has ended one version of an object; rule is its id."""

    bucket: str
    key: str
    version_id: str
    size: int
    rule: str
    prefix: str
    expiration_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleRan(Fact):
    """A pass of the lifecycle rules ended; failed: what waits for the next one."""

    deleted: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminActed(Fact):
    """The admin API was asked for something, and did it or not.

    action: "" when nobody was let in. arguments: rendered, secrets left out.
    """

    action: str
    method: str
    path: str
    arguments: str
    remote: str
    status: int
    duration_s: float
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnded(Fact):
    """A job of the admin API ended: done, failed or cancelled."""

    id: str
    action: str
    state: str
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened(Fact):
    """A rare event of the process for the operator: start, reload, warning."""

    level: str  # debug, info, warning, error
    message: str
    fields: tuple[tuple[str, str | int | float | bool], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashed(Fact):
    """An exception nobody expected; its traceback is for the log, never a client."""

    where: str
    traceback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrityChecked(Fact):
    """Bytes were compared with what is known of them; operation: read, scrub, ..."""

    operation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CorruptionFound(Fact):
    """A copy's bytes are not those that were stored; it is suspect from now on."""

    operation: str
    backend: BackendName
    key: str
    storage_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationBegan(Fact):
    """A pass of the replicator has found blobs that lack copies."""

    factor: int
    batch_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationRan(Fact):
    """A pass of the replicator ended; status: success or error."""

    status: str
    created: int
    checked: int
    failed: int
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationObserved(Fact):
    """How many blobs have fewer good copies than they should."""

    pending: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationFailed(Fact):
    """A blob that lacks copies got none."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyMade(Fact):
    """A blob got one more copy.

    is_for_health: it had enough, but some are on backends that are down for long.
    """

    key: str
    source: str
    target: BackendName
    size: int
    is_for_health: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OverReplicationBegan(Fact):
    """A pass of the cleaner has found blobs with too many copies."""

    factor: int
    batch_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OverReplicationRan(Fact):
    """A pass of the over-replication cleaner ended; status: success or error."""

    status: str
    removed: int
    checked: int
    failed: int
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OverReplicationObserved(Fact):
    """How many blobs have more copies than they should."""

    pending: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRemoved(Fact):
    """A copy over the factor left the ledger; its bytes are queued."""

    key: str
    backend: BackendName
    size: int
    score: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteCopied(Fact):
    """A copy was sent along with a write: written, unproved, lagged or failed."""

    backend: BackendName
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyJudged(Fact):
    """What a repair did about one copy.

    cleared: it is right after all. repaired: a good one took its place. removed: it
    went, and others are good. lost: its backend does not have it, others are good.
    quarantined: the last bytes, and they are wrong. last_lost: no copy has any bytes.
    """

    judgement: str
    backend: BackendName
    key: str
    storage_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiesObserved(Fact):
    """How many copies are in each state, and how old the oldest proof of any is."""

    live: int
    suspect: int
    lost: int
    quarantined: int
    oldest_proof_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrubRoundEnded(Fact):
    """Every copy on one backend was looked at once more."""

    backend: BackendName
