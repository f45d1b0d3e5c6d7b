"""The whole configuration: every documented key, and the rules between sections.

What a section says of itself is in its own module. Rules between sections are here,
over Parts: those sections that were readable, so that one fault hides no other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from s3o.config.accounts import AccountSettings, tenant_faults
from s3o.config.backends import AnyBackend, BackendSettings, backend_faults
from s3o.config.breakers import BackendCircuitBreakerSettings, CircuitBreakerSettings
from s3o.config.buckets import BucketSettings
from s3o.config.copies import (
    IntegritySettings,
    LedgerBackupSettings,
    RebalanceSettings,
    ReconcileSettings,
    ReplicationSettings,
    replication_faults,
)
from s3o.config.database import DatabaseSettings
from s3o.config.doors import (
    CacheSettings,
    NotificationSettings,
    RateLimitSettings,
    RedisSettings,
    UiSettings,
)
from s3o.config.encryption import EncryptionSettings
from s3o.config.kinds import Choice, Section
from s3o.config.problems import Fault
from s3o.config.server import AuthSettings, ServerSettings
from s3o.config.telemetry import TelemetrySettings
from s3o.config.upkeep import (
    CleanupQueueSettings,
    LifecycleSettings,
    UsageFlushSettings,
    WritePathSettings,
)

RoutingStrategy = Annotated[Literal["pack", "spread"], Choice]

LISTS = ("buckets", "accounts", "backends")  # read entry by entry

_OWN_PATHS = ("admin", "ui", "health", "metrics")


class Settings(Section):
    """Everything an operator can say."""

    server: ServerSettings
    """The S3 listener."""
    auth: AuthSettings = AuthSettings()
    """What signatures are accepted."""
    buckets: tuple[BucketSettings, ...] = ()
    """The virtual buckets; at least one, unless there are accounts."""
    accounts: tuple[AccountSettings, ...] = ()
    """Principals that make buckets of their own."""
    database: DatabaseSettings = DatabaseSettings()
    """The ledger."""
    routing_strategy: RoutingStrategy = "pack"
    """Fill backends in order, or write to the emptiest."""
    backends: tuple[AnyBackend, ...]
    """The stores behind, in order; at least one."""
    telemetry: TelemetrySettings = TelemetrySettings()
    """Metrics and traces."""
    circuit_breaker: CircuitBreakerSettings = CircuitBreakerSettings()
    """The database's breaker."""
    backend_circuit_breaker: BackendCircuitBreakerSettings = (
        BackendCircuitBreakerSettings()
    )
    """The backends' breakers."""
    write_path: WritePathSettings = WritePathSettings()
    """How objects are written."""
    cleanup_queue: CleanupQueueSettings = CleanupQueueSettings()
    """Deleting what nobody needs."""
    usage_flush: UsageFlushSettings = UsageFlushSettings()
    """Writing counted usage down."""
    rebalance: RebalanceSettings = RebalanceSettings()
    """Moving objects between backends."""
    replication: ReplicationSettings = ReplicationSettings()
    """Copies."""
    integrity: IntegritySettings = IntegritySettings()
    """Checking bytes."""
    ledger_backup: LedgerBackupSettings = LedgerBackupSettings()
    """Copies of the ledger on the backends."""
    reconcile: ReconcileSettings = ReconcileSettings()
    """Comparing backends with the ledger."""
    lifecycle: LifecycleSettings = LifecycleSettings()
    """Deleting objects by age."""
    encryption: EncryptionSettings = EncryptionSettings()
    """Encryption on the backends."""
    rate_limit: RateLimitSettings = RateLimitSettings()
    """Requests per client address."""
    cache: CacheSettings = CacheSettings()
    """Object bytes in memory."""
    redis: RedisSettings | None = None
    """Shared usage counters."""
    notifications: NotificationSettings = NotificationSettings()
    """Webhooks."""
    ui: UiSettings = UiSettings()
    """The dashboard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The readable pieces of a configuration; items by their position in the file."""

    sections: Mapping[str, object]
    buckets: Mapping[int, BucketSettings] = field(default_factory=dict)
    accounts: Mapping[int, AccountSettings] = field(default_factory=dict)
    backends: Mapping[int, BackendSettings] = field(default_factory=dict)
    are_backends_whole: bool = True  # none of them was unreadable
    are_buckets_whole: bool = True


def parts_of(settings: Settings) -> Parts:
    """Return a whole configuration as parts."""
    return Parts(
        sections={
            name: getattr(settings, name)
            for name in Settings.model_fields
            if name not in LISTS
        },
        buckets=dict(enumerate(settings.buckets)),
        accounts=dict(enumerate(settings.accounts)),
        backends=dict(enumerate(settings.backends)),
    )


def rule_faults(parts: Parts) -> Iterator[Fault]:
    """Yield everything that breaks a rule within or between the readable parts."""
    for name, section in parts.sections.items():
        yield from _section_faults(section, (name,))
    for position, bucket in parts.buckets.items():
        yield from _section_faults(bucket, ("buckets", position))
    for position, account in parts.accounts.items():
        yield from _section_faults(account, ("accounts", position))
    yield from tenant_faults(
        parts.buckets,
        parts.accounts,
        own_names(parts.sections),
        are_buckets_whole=parts.are_buckets_whole,
    )
    for path, message in backend_faults(parts.backends):
        yield Fault(("backends", *path), message)
    replication = parts.sections.get("replication")
    if isinstance(replication, ReplicationSettings) and parts.are_backends_whole:
        yield from replication_faults(replication, len(parts.backends))
        yield from _quota_faults(parts.backends, replication.factor)


def _section_faults(section: object, at: tuple[str | int, ...]) -> Iterator[Fault]:
    if isinstance(section, tuple):
        for position, item in enumerate(section):
            yield from _section_faults(item, (*at, position))
    if not isinstance(section, Section):
        return
    for path, message in section.faults():
        yield Fault((*at, *path), message)
    for name in type(section).model_fields:
        yield from _section_faults(getattr(section, name), (*at, name))


def own_names(sections: Mapping[str, object]) -> frozenset[str]:
    """Return the names that buckets must not have: the paths of our own doors."""
    taken = set(_OWN_PATHS)
    telemetry, ui = sections.get("telemetry"), sections.get("ui")
    if isinstance(telemetry, TelemetrySettings):
        taken.add(telemetry.metrics.path.split("/")[1])
    if isinstance(ui, UiSettings):
        taken.add(ui.path.split("/")[1])
    return frozenset(taken)


def _quota_faults(
    backends: Mapping[int, BackendSettings], factor: int
) -> Iterator[Fault]:
    if len(backends) < 2:
        return
    unlimited = [p for p, backend in backends.items() if backend.quota_bytes == 0]
    if unlimited and len(unlimited) < len(backends):
        yield Fault(
            ("backends", unlimited[0]),
            "cannot mix unlimited (quota_bytes: 0) and quota-limited backends",
        )
    elif unlimited and factor < 2:
        yield Fault(
            ("backends", unlimited[1]),
            "several backends with unlimited quota (quota_bytes: 0) require "
            "replication.factor of at least 2",
        )
