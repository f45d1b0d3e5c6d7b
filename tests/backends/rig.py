"""A guarded memory backend, wired as the daemon wires a real one."""

from collections.abc import Mapping
from dataclasses import dataclass

from s3o.backends.call import CallMeter
from s3o.backends.fleet import Fleet
from s3o.backends.guard import BackendLimits, Guarded
from s3o.backends.seam import Backend
from s3o.backends.usage import UsageCounters
from s3o.model.names import BackendName
from s3o.policy.breaker import CircuitBreaker
from s3o.policy.routing import Strategy
from tests.fakes.clock import TrioClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.memory_backend import MemoryBackend
from tests.fakes.observer import RecordingObserver

TIMEOUT_S = 30.0
OPEN_S = 300.0


@dataclass(kw_only=True)
class Rig:
    """Everything a test may want to look at."""

    fleet: Fleet
    inner: dict[str, MemoryBackend]
    observer: RecordingObserver
    counters: UsageCounters
    clock: TrioClock

    def guarded(self, name: str = "a") -> Guarded:
        """One backend behind its guard."""
        return self.fleet.get(BackendName(name))


def make_rig(
    *names: str,
    threshold: int = 3,
    limits: dict[str, BackendLimits] | None = None,
    strategy: Strategy = Strategy.PACK,
    instead: Mapping[str, Backend] | None = None,
) -> Rig:
    """Wire memory backends named names (default: one, "a").

    instead: backends that stand behind the guard in a memory backend's place.
    """
    clock, observer = TrioClock(), RecordingObserver()
    wanted = [BackendName(name) for name in names or ("a",)]
    counters = UsageCounters(wanted, clock)
    inner: dict[str, MemoryBackend] = {}
    guards: list[Guarded] = []
    for name in wanted:
        meter = CallMeter(counters.of(name))
        inner[name] = MemoryBackend(name, meter=meter, clock=clock)
        guards.append(
            Guarded(
                (instead or {}).get(name, inner[name]),
                meter=meter,
                breaker=CircuitBreaker(
                    failure_threshold=threshold, open_timeout_s=OPEN_S
                ),
                limits=(limits or {}).get(name, BackendLimits()),
                observer=observer,
                clock=clock,
                entropy=SeededEntropy(0, name),
                backend_timeout_s=TIMEOUT_S,
            )
        )
    fleet = Fleet(guards, strategy=strategy, counters=counters)
    return Rig(
        fleet=fleet, inner=inner, observer=observer, counters=counters, clock=clock
    )
