"""Sections of the services that keep the house in order.

`write_path`, `cleanup_queue`, `usage_flush`, `lifecycle`.
"""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from s3o.config.kinds import Count, Duration, Fraction, Section, Switch, Text
from s3o.config.problems import Fault


class PendingPatternSettings(Section):
    """Intents: every write is announced before its first byte."""

    enabled: Switch = True
    """Accepted and without effect: intents are always written."""
    reaper_tick: Duration = 60.0
    """Time between runs that settle abandoned intents."""
    min_age: Duration = 300.0
    """How long an intent must have been silent before it is settled."""
    batch_size: Count = 50
    """Most intents settled in a run."""


class WritePathSettings(Section):
    """How objects are written."""

    pending_pattern: PendingPatternSettings = PendingPatternSettings()
    """Intents."""


class CleanupQueueSettings(Section):
    """Deleting bytes that nobody needs any more."""

    concurrency: Count = 10
    """Deletes at once."""
    multipart_stale_timeout: Duration = 86_400.0
    """Age without activity at which a multipart upload is aborted."""


class UsageFlushSettings(Section):
    """Writing counted usage to the ledger."""

    interval: Duration = 30.0
    """Time between runs."""
    adaptive_enabled: Switch = False
    """Run more often while a backend is near a limit."""
    adaptive_threshold: Annotated[Fraction, Field(gt=0, lt=1)] = 0.8
    """Share of a limit that counts as near."""
    fast_interval: Duration = 5.0
    """Time between runs while a backend is near a limit."""

    def faults(self) -> Iterator[Fault]:
        """Fast is faster."""
        if self.fast_interval >= self.interval:
            yield Fault(("fast_interval",), "must be less than usage_flush.interval")


class LifecycleRule(Section):
    """One rule of expiry."""

    prefix: Text
    """Keys that begin with it expire."""
    expiration_days: Count
    """Age in days at which they do."""


class LifecycleSettings(Section):
    """Deleting objects by age."""

    rules: tuple[LifecycleRule, ...] = ()
    """Rules of expiry; none is off."""
    batch_size: Count = 100
    """Objects deleted at a time."""

    def faults(self) -> Iterator[Fault]:
        """One rule for a prefix."""
        seen: set[str] = set()
        for position, rule in enumerate(self.rules):
            if rule.prefix in seen:
                yield Fault(
                    ("rules", position, "prefix"), f"duplicate prefix '{rule.prefix}'"
                )
            seen.add(rule.prefix)
