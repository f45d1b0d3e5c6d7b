"""Sections about where copies are and whether they are whole.

`rebalance`, `replication`, `integrity`, `ledger_backup`, `reconcile`.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from s3o.config.kinds import (
    Choice,
    Count,
    Duration,
    Fraction,
    OptionalDuration,
    Section,
    Switch,
)
from s3o.config.problems import Fault


class RebalanceSettings(Section):
    """Moving objects between backends."""

    enabled: Switch = False
    """Move objects."""
    strategy: Annotated[Literal["pack", "spread"], Choice] = "pack"
    """Fill backends in order, or level them."""
    interval: Duration = 21_600.0
    """Time between runs."""
    batch_size: Count = 100
    """Most objects moved in a run."""
    threshold: Annotated[Fraction, Field(ge=0, le=1)] = 0.1
    """Difference in utilisation from which a run begins."""
    concurrency: Count = 5
    """Moves at once."""


class ReplicationSettings(Section):
    """How many copies there are."""

    factor: Count = 1
    """Copies of every object; 1 is no replication."""
    worker_interval: Duration = 300.0
    """Time between runs."""
    batch_size: Count = 50
    """Most objects copied in a run."""
    concurrency: Count = 5
    """Copies at once."""
    unhealthy_threshold: Duration = 600.0
    """How long a backend may be down before its copies are replaced."""
    write_copies: Switch = False
    """Send the copies of an object while the client uploads it."""


class IntegritySettings(Section):
    """Checking bytes against their digests."""

    enabled: Switch = False
    """Check at all."""
    verify_on_read: Switch = False
    """Check what is read, while it is read."""
    verify_on_replicate: Switch = True
    """Check new copies."""
    scrubber_interval: OptionalDuration = 0.0
    """Time between runs that read stored objects; 0 is no such runs."""
    scrubber_batch_size: Count = 100
    """Objects read in a run."""


class LedgerBackupSettings(Section):
    """Copies of the ledger itself on the backends."""

    enabled: Switch = True
    """Keep them, so that a lost ledger can be recovered."""
    log_interval: Duration = 900.0
    """Time between two logs of what was committed; none is written if nothing was."""
    snapshot_interval: Duration = 86_400.0
    """Time between two snapshots of the whole ledger."""
    copies: Count = 2
    """Backends that each of them is stored on."""


class ReconcileSettings(Section):
    """Comparing the backends' listings with the ledger."""

    enabled: Switch = False
    """Compare."""
    interval: Duration = 86_400.0
    """Time between runs."""


def replication_faults(
    replication: ReplicationSettings, backend_count: int
) -> Iterator[Fault]:
    """Copies are on different backends."""
    if replication.factor > backend_count > 0:
        yield Fault(
            ("replication", "factor"),
            f"must not exceed the number of backends ({backend_count})",
        )
