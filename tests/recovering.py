"""Recover a ledger into an empty one in memory, from memory backends."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from s3o.backends.call import CallMeter
from s3o.backends.fleet import Fleet
from s3o.backends.usage import UsageCounters
from s3o.config.settings import Settings
from s3o.daemon.backends import guard
from s3o.ledger.audit import audit
from s3o.ledger.ledger import Ledger
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.model.names import BackendName
from s3o.policy.breaker import CircuitBreaker
from s3o.policy.routing import Strategy
from s3o.services.recovery import Recovery, RecoveryReport
from tests.fakes.clock import START_US, TrioClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.memory_backend import MemoryBackend
from tests.fakes.observer import RecordingObserver

OBJECT_COLUMNS = (
    "bucket_id, key, version_id, size, etag, content_type, storage_class, headers,"
    " metadata, checksum_algorithm, checksum_type, checksum_value, part_sizes, layout,"
    " part_checksums, created_at"
)
OBJECTS = f"SELECT {OBJECT_COLUMNS} FROM objects ORDER BY bucket_id, key"


@dataclass
class Recovered:
    """The new ledger of one recovery."""

    report: RecoveryReport
    connection: sqlite3.Connection

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        """Rows of the new ledger."""
        return self.connection.execute(sql).fetchall()

    def objects(self) -> list[tuple[object, ...]]:
        """Every object with all its columns, as far as blobs can tell them."""
        return self.ask(OBJECTS)

    def located(self) -> list[tuple[object, ...]]:
        """Where all bytes are."""
        return self.ask(
            "SELECT version_id, blob, backend_name, storage_key, stored_bytes, state"
            " FROM object_locations ORDER BY version_id, blob, backend_name"
        )


async def recover_from(
    backends: Mapping[str, MemoryBackend],
    settings: Settings,
    *,
    cluster: str | None = None,
    without: Iterable[BackendName] = (),
) -> Recovered:
    """Recover as the command does; the new ledger's audit must be clean."""
    connection = open_inline(now_us=START_US)
    clock, observer = TrioClock(), RecordingObserver()
    ledger = Ledger(
        InlineEngine(connection, on_broken=lambda _reason: None),
        CircuitBreaker(failure_threshold=3, open_timeout_s=15.0),
        observer,
        clock,
        SeededEntropy(1, "recovery"),
    )
    counters = UsageCounters([BackendName(name) for name in backends], clock)
    fleet = Fleet(
        [
            guard(
                backends[backend.name],
                CallMeter(counters.of(backend.name)),
                settings,
                backend,
                observer,
                clock,
                SeededEntropy(2, backend.name),
            )
            for backend in settings.backends
        ],
        strategy=Strategy.PACK,
        counters=counters,
    )
    recovery = Recovery(
        ledger,
        fleet,
        clock,
        limits={backend.name: backend.quota_bytes for backend in settings.backends},
        without=tuple(without),
    )
    report = await recovery.run(cluster)
    assert [] == await ledger.scan(audit)
    assert [] == report.complaints
    return Recovered(report, connection)
