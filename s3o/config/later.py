"""What this version does not do yet: one table, made to shrink.

Every documented key is known and checked from the first day. A key in this table may
stand there while it asks for nothing; switched on, it is an error and not a promise
quietly broken. To build a feature is to delete its row.
"""

from collections.abc import Iterator
from typing import NamedTuple

from s3o.config.problems import Fault, Path
from s3o.config.settings import Parts


class Later(NamedTuple):
    """A key that may only have one of the values that ask for nothing."""

    path: Path
    harmless: tuple[object, ...]


LATER = (
    Later(("server", "workers"), (1,)),
    Later(("server", "max_concurrent_reads"), (0,)),
    Later(("server", "max_concurrent_writes"), (0,)),
    Later(("server", "load_shed_threshold"), (0.0,)),
    Later(("server", "admission_wait"), (0.0,)),
    Later(("database", "driver"), ("sqlite",)),
    Later(("telemetry", "tracing", "enabled"), (False,)),
    Later(("circuit_breaker", "parallel_broadcast"), (False,)),
    Later(("circuit_breaker", "degraded_reads"), ("broadcast", "off")),
    Later(("encryption", "enabled"), (False,)),
    Later(("rate_limit", "enabled"), (False,)),
    Later(("cache", "enabled"), (False,)),
    Later(("redis",), (None,)),
    Later(("notifications", "endpoints"), ((),)),
    Later(("ui", "enabled"), (False,)),
)


def later_faults(parts: Parts) -> Iterator[Fault]:
    """Yield every key of the readable parts that asks for what is not built."""
    for path, harmless in LATER:
        value: object = parts.sections.get(str(path[0]))
        if value is None:
            continue
        for name in path[1:]:
            value = getattr(value, str(name))
        if value not in harmless:
            yield Fault(path, "not in this version")
