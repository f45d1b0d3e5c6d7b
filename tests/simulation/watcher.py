"""The daemon's observer, and what the simulation learns from its facts."""

from typing import Protocol

from s3o.ledger.ledger import BREAKER_NAME
from s3o.model.facts import (
    BreakerChanged,
    CleanupProcessed,
    CopyJudged,
    CopyMade,
    CopyRemoved,
    CorruptionFound,
    Crashed,
    Fact,
    IntentResolved,
    LifecycleExpired,
    ReadFailedOver,
    RebalanceMoved,
    WriteCopied,
    WriteFailedOver,
)
from s3o.model.seams import Observer
from s3o.model.values import BreakerState
from tests.simulation.outside import Outside

COUNTED: dict[type[Fact], str] = {
    CopyMade: "copy made",
    CopyRemoved: "surplus copy removed",
    RebalanceMoved: "object rebalanced",
    LifecycleExpired: "object expired",
    CorruptionFound: "wrong bytes found",
}


class Watched(Protocol):
    """The process whose facts these are."""

    is_dead: bool
    calls: int
    reaped_at_call: int


class Watcher:
    """Passes every fact on; keeps what must never be said, counts what should be."""

    def __init__(self, observer: Observer, life: Watched, outside: Outside) -> None:
        self._observer = observer
        self._life = life
        self._outside = outside

    def note(self, fact: Fact) -> None:
        """Look at one fact."""
        outside, sometimes = self._outside, self._outside.sometimes
        match fact:
            case Crashed():
                # What a dead process thinks impossible is nobody's concern.
                if not self._life.is_dead:
                    outside.crashed.append(fact)
            case IntentResolved(is_by_reaper=True):
                outside.reaped[fact.outcome] += 1
                sometimes[f"reaper {fact.outcome}"] += 1
                self._life.reaped_at_call = self._life.calls
                if fact.storage_key in outside.writing:
                    sometimes["intent reaped while its PUT was in flight"] += 1
            case WriteFailedOver():
                sometimes["write failed over"] += 1
            case ReadFailedOver():
                sometimes["read failed over"] += 1
            case BreakerChanged(state=BreakerState.OPEN):
                self._judge_breaker(fact)
            case CleanupProcessed():
                sometimes[f"cleanup {fact.status}"] += 1
            case CopyJudged():
                sometimes[f"copy {fact.judgement}"] += 1
            case WriteCopied():
                sometimes[f"copy along with a write {fact.status}"] += 1
            case _ if type(fact) in COUNTED:
                sometimes[COUNTED[type(fact)]] += 1
        self._observer.note(fact)

    def _judge_breaker(self, fact: BreakerChanged) -> None:
        """A circuit opens for faults of what is behind it, and for nothing else."""
        self._outside.sometimes[f"circuit of {_kind(fact.name)} opened"] += 1
        if not self._outside.has_misbehaved(fact.name):
            self._outside.found.append(f"{fact.name}'s circuit opened: {fact.reason}")


def _kind(name: str) -> str:
    return "the ledger" if name == BREAKER_NAME else "a backend"
