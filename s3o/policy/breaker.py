"""The circuit breaker: closed lets calls through, open refuses, half-open probes once.

One machine for backends, the database and Redis. It is pure: the time and the chance it
needs are arguments, what changed is a return value, so every path is a property test.

Rules:
- Consecutive failures open it; any success in between forgives them.
- After open_timeout plus jitter (drawn anew on each opening, so that breakers opened by
  one shared event do not probe together) the next caller's own call is the probe.
- One probe at a time. Its success closes, its failure opens again; a probe given up by
  its caller says nothing, and the next caller probes. One silent for two minutes is
  stale: it no longer counts, and another may be sent at once.
- A result belongs to the state it was admitted in. A call admitted before a change
  proves nothing about what came after, so a late answer neither closes nor opens.
"""

from dataclasses import dataclass

from s3o.model.values import BreakerState

# A provider may accept a connection and never answer; the probe must not hold the
# breaker half-open for ever.
STALE_PROBE_S = 120.0
# The jitter's largest share of the open timeout.
JITTER_SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of state, to be told to the observer by the caller."""

    previous: BreakerState
    state: BreakerState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """Leave to make one call; hand it back with the call's result.

    changes: what giving it out changed (a probe turns open into half-open).
    """

    generation: int
    is_probe: bool = False
    changes: tuple[Change, ...] = ()


class CircuitBreaker:
    """The state machine. failure_threshold 0 never opens (the breaker is disabled)."""

    def __init__(self, *, failure_threshold: int, open_timeout_s: float) -> None:
        assert failure_threshold >= 0
        assert open_timeout_s >= 0
        self._failure_threshold = failure_threshold
        self._open_timeout_s = open_timeout_s
        self._state = BreakerState.CLOSED
        self._generation = 0
        self._pass = Ticket(generation=0)
        self._failures = 0
        self._opened_at_s: float | None = None
        self._probe_from_s = 0.0
        self._probed_at_s: float | None = None  # None while no probe is under way

    @property
    def state(self) -> BreakerState:
        """closed, open or half_open."""
        return self._state

    @property
    def is_closed(self) -> bool:
        """Whether calls go through freely: the backend counts as healthy."""
        return self._state is BreakerState.CLOSED

    @property
    def failures(self) -> int:
        """Consecutive failures since the last success."""
        return self._failures

    @property
    def opened_at_s(self) -> float | None:
        """When it first opened since it was last closed; None while it is closed."""
        return self._opened_at_s

    def may_call(self, now_s: float) -> bool:
        """Whether allow(now_s) would give a ticket; changes nothing."""
        if self._state is BreakerState.CLOSED:
            return True
        if self._probed_at_s is not None:
            return now_s - self._probed_at_s > STALE_PROBE_S
        return now_s >= self._probe_from_s

    def allow(self, now_s: float) -> Ticket | None:
        """Give leave for one call, or None: refuse it without sending anything."""
        if self._state is BreakerState.CLOSED:
            return self._pass
        if not self.may_call(now_s):
            return None
        stale = self.expire_probe(now_s)
        changes: tuple[Change, ...] = () if stale is None else (stale,)
        if self._state is BreakerState.OPEN:
            changes += (self._become(BreakerState.HALF_OPEN, "probing"),)
        else:
            self._generation += 1
        self._probed_at_s = now_s
        return Ticket(generation=self._generation, is_probe=True, changes=changes)

    def succeeded(self, ticket: Ticket) -> Change | None:
        """The call showed that the other side serves us."""
        if ticket.generation != self._generation:
            return None
        self._failures = 0
        if self._state is BreakerState.CLOSED:
            return None
        self._opened_at_s = None
        return self._become(BreakerState.CLOSED, "the probe succeeded")

    def failed(self, ticket: Ticket, now_s: float, jitter: float) -> Change | None:
        """The call showed that the other side does not serve us.

        jitter: a number within 0..1, fresh for each call; 1 is the longest delay.
        """
        assert 0.0 <= jitter <= 1.0
        if ticket.generation != self._generation:
            return None
        self._failures += 1
        if ticket.is_probe:
            return self._open(now_s, jitter, "the probe failed")
        if self._failure_threshold and self._failures >= self._failure_threshold:
            return self._open(now_s, jitter, f"{self._failures} failures in a row")
        return None

    def abandoned(self, ticket: Ticket) -> None:
        """The call ended without telling anything; a probe may be sent again."""
        if ticket.is_probe and ticket.generation == self._generation:
            self._probed_at_s = None
            self._probe_from_s = float("-inf")

    def expire_probe(self, now_s: float) -> Change | None:
        """Give a stale probe up, so that another may be sent (the watchdog's call)."""
        if self._probed_at_s is None or now_s - self._probed_at_s <= STALE_PROBE_S:
            return None
        self._probe_from_s = now_s
        return self._become(BreakerState.OPEN, "the probe never ended")

    def _open(self, now_s: float, jitter: float, reason: str) -> Change:
        delay_s = self._open_timeout_s * (1.0 + JITTER_SHARE * jitter)
        self._probe_from_s = now_s + delay_s
        if self._opened_at_s is None:
            self._opened_at_s = now_s
        return self._become(BreakerState.OPEN, reason)

    def _become(self, state: BreakerState, reason: str) -> Change:
        change = Change(previous=self._state, state=state, reason=reason)
        self._state = state
        self._generation += 1
        self._pass = Ticket(generation=self._generation)
        self._probed_at_s = None
        return change
