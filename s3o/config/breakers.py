"""Sections `circuit_breaker` and `backend_circuit_breaker`: when to stop calling."""

from typing import Annotated, Literal

from s3o.config.kinds import Choice, Count, Duration, Section, Switch


class CircuitBreakerSettings(Section):
    """The breaker of the database, and reads while it is open."""

    failure_threshold: Count = 3
    """Failures in a row that open it."""
    open_timeout: Duration = 15.0
    """How long it stays open before one call may probe."""
    cache_ttl: Duration = 60.0
    """How long a known location may serve reads while it is open."""
    parallel_broadcast: Switch = False
    """Ask all backends at once, instead of in order, while it is open."""
    degraded_reads: Annotated[Literal["cached", "broadcast", "off"], Choice] = (
        "broadcast"
    )
    """How far reads may go while it is open."""


class BackendCircuitBreakerSettings(Section):
    """One breaker for each backend."""

    enabled: Switch = False
    """Stop calling a backend that fails."""
    failure_threshold: Count = 5
    """Failures in a row that open it."""
    open_timeout: Duration = 300.0
    """How long it stays open before one call may probe; up to a quarter more."""
