"""Order the candidates for one write.

Rule 1: this file decides; it never looks anything up. Rule 2: quota is bytes the
backend holds, will hold or still owes (used + reserved + orphan), else an outage
silently overcommits it. Rule 3: it may refuse early, never admit: the reservation in
the ledger has the last word. Source: product description, Write Routing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from s3o.model.names import BackendName
from s3o.model.values import QuotaRow


class Strategy(StrEnum):
    """pack fills backends in their configured order; spread evens their shares out."""

    PACK = "pack"
    SPREAD = "spread"


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateState:
    """One backend, as far as placing a new blob is concerned."""

    quota: QuotaRow
    max_object_size: int = 0  # of the client's bytes; 0 is no limit
    is_reachable: bool = True  # the circuit breaker would let a call through
    is_within_usage: bool = True  # the monthly limits leave room for this write

    @property
    def backend(self) -> BackendName:
        """Its name."""
        return self.quota.backend

    def could_hold(self, size: int, stored_size: int) -> bool:
        """Whether the write fits, whatever the backend's health."""
        return (
            self.is_within_usage
            and (self.max_object_size == 0 or size <= self.max_object_size)
            and self.quota.has_room(stored_size)
        )


def order_candidates(
    strategy: Strategy,
    states: Sequence[CandidateState],
    *,
    size: int,
    stored_size: int,
) -> list[BackendName]:
    """Return the backends a write may go to, the best first; states in config order.

    size is the client's, stored_size what lies on the backend. spread: the lowest share
    of its quota first, a backend without quota has none; ties keep the config order.
    """
    fitting = [
        state
        for state in states
        if state.is_reachable and state.could_hold(size, stored_size)
    ]
    if strategy is Strategy.SPREAD:
        fitting.sort(key=_held_share)
    return [state.backend for state in fitting]


def is_held_back(
    states: Sequence[CandidateState], *, size: int, stored_size: int
) -> bool:
    """Whether a backend has room that only its open circuit breaker keeps away.

    Then a refused write is worth repeating later: no backend is full.
    """
    return any(
        not state.is_reachable and state.could_hold(size, stored_size)
        for state in states
    )


def _held_share(state: CandidateState) -> float:
    # Division of ints rounds correctly, so shares compare as the fractions do (equal
    # floats of unequal fractions are ties nobody can tell apart).
    quota = state.quota
    return quota.held_bytes / quota.limit_bytes if quota.limit_bytes else 0.0
