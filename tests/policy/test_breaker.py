"""The breaker decides who is called at all; every path of it must be the right one."""

from hypothesis import given
from hypothesis import strategies as st

from s3o.model.values import BreakerState
from s3o.policy.breaker import JITTER_SHARE, STALE_PROBE_S, CircuitBreaker, Ticket

CLOSED, OPEN, HALF_OPEN = (
    BreakerState.CLOSED,
    BreakerState.OPEN,
    BreakerState.HALF_OPEN,
)


def make(threshold: int = 3, open_timeout_s: float = 60.0) -> CircuitBreaker:
    """A breaker with round numbers."""
    return CircuitBreaker(failure_threshold=threshold, open_timeout_s=open_timeout_s)


def allowed(breaker: CircuitBreaker, now_s: float) -> Ticket:
    """A ticket that must be given."""
    ticket = breaker.allow(now_s)
    assert ticket is not None
    return ticket


def opened(breaker: CircuitBreaker, now_s: float = 0.0, jitter: float = 0.0) -> None:
    """Fail until it opens."""
    while breaker.state is not OPEN:
        breaker.failed(allowed(breaker, now_s), now_s, jitter)


def test_threshold_failures_in_a_row_open_it() -> None:
    """One slow answer is no outage; five refused connections are."""
    breaker = make(3)
    for _ in range(2):
        assert breaker.failed(allowed(breaker, 0), 0, 0.5) is None
    change = breaker.failed(allowed(breaker, 7), 7, 0.5)

    assert change is not None
    assert (CLOSED, OPEN) == (change.previous, change.state)
    assert 7 == breaker.opened_at_s
    assert breaker.allow(8) is None


def test_a_success_in_between_forgives() -> None:
    """Only failures in a row count."""
    breaker = make(2)
    for _ in range(10):
        assert breaker.failed(allowed(breaker, 0), 0, 0) is None
        assert breaker.succeeded(allowed(breaker, 0)) is None

    assert breaker.is_closed


def test_probe_waits_for_the_timeout_and_its_jitter() -> None:
    """Backends that failed together must not be probed together."""
    early, late = make(), make()
    opened(early, 100.0, 0.0)
    opened(late, 100.0, 1.0)

    assert early.allow(159.9) is None
    assert allowed(early, 160.0).is_probe
    assert late.allow(160.0 + 60 * JITTER_SHARE - 0.1) is None
    assert allowed(late, 160.0 + 60 * JITTER_SHARE).is_probe


def test_one_probe_at_a_time() -> None:
    """A thousand waiting clients must not all be sent at a fresh backend."""
    breaker = make()
    opened(breaker)
    probe = allowed(breaker, 60)

    assert [(OPEN, HALF_OPEN)] == [(c.previous, c.state) for c in probe.changes]
    assert breaker.allow(60) is None
    assert not breaker.may_call(61)


def test_good_probe_closes() -> None:
    """The first sign of life ends the outage, and its history."""
    breaker = make()
    opened(breaker)
    change = breaker.succeeded(allowed(breaker, 60))

    assert change is not None
    assert (HALF_OPEN, CLOSED) == (change.previous, change.state)
    assert breaker.opened_at_s is None
    assert 0 == breaker.failures


def test_bad_probe_opens_again_for_a_whole_timeout() -> None:
    """Since when it is down stays what it was: replication counts from there."""
    breaker = make()
    opened(breaker, 5.0)
    change = breaker.failed(allowed(breaker, 65), 70, 0)

    assert change is not None
    assert (HALF_OPEN, OPEN) == (change.previous, change.state)
    assert 5.0 == breaker.opened_at_s
    assert breaker.allow(129) is None
    assert allowed(breaker, 130).is_probe


def test_probe_given_up_leaves_the_next_one_free() -> None:
    """The probing client may have gone away; the backend is none the worse."""
    breaker = make()
    opened(breaker)
    breaker.abandoned(allowed(breaker, 60))

    assert HALF_OPEN is breaker.state
    assert allowed(breaker, 60).is_probe


def test_stale_probe_is_replaced_by_the_next_call() -> None:
    """A connection that never answers must not keep the circuit half-open."""
    breaker = make()
    opened(breaker)
    stuck = allowed(breaker, 60)
    assert breaker.allow(60 + STALE_PROBE_S) is None
    probe = allowed(breaker, 61 + STALE_PROBE_S)

    assert [OPEN, HALF_OPEN] == [change.state for change in probe.changes]
    assert breaker.failed(stuck, 62 + STALE_PROBE_S, 0) is None
    assert breaker.succeeded(stuck) is None
    assert HALF_OPEN is breaker.state
    assert breaker.succeeded(probe) is not None


def test_watchdog_opens_a_stale_probe() -> None:
    """Without traffic nobody else would notice."""
    breaker = make()
    opened(breaker)
    allowed(breaker, 60)
    assert breaker.expire_probe(60 + STALE_PROBE_S) is None
    change = breaker.expire_probe(61 + STALE_PROBE_S)

    assert change is not None
    assert (HALF_OPEN, OPEN) == (change.previous, change.state)
    assert breaker.expire_probe(1e9) is None
    assert allowed(breaker, 61 + STALE_PROBE_S).is_probe


def test_late_results_of_an_earlier_time_say_nothing() -> None:
    """Calls sent before an outage end during it, and after it."""
    breaker = make(1)
    before = allowed(breaker, 0)
    opened(breaker)
    assert breaker.succeeded(before) is None
    assert OPEN is breaker.state
    breaker.succeeded(allowed(breaker, 60))
    assert breaker.failed(before, 61, 0) is None

    assert breaker.is_closed
    assert 0 == breaker.failures


def test_threshold_zero_never_opens() -> None:
    """That is how a breaker is switched off."""
    breaker = make(0)
    for _ in range(1000):
        assert breaker.failed(allowed(breaker, 0), 0, 0) is None

    assert breaker.is_closed


events = st.lists(
    st.tuples(
        st.sampled_from(["call", "well", "sick", "left", "watchdog"]),
        st.floats(0, 200),
        st.floats(0, 1),
        st.integers(0, 5),
    ),
    max_size=80,
)


@given(events, st.integers(1, 4))
def test_whatever_happens_it_is_one_of_three_and_never_stuck(
    history: list[tuple[str, float, float, int]], threshold: int
) -> None:
    """Changes chain up, at most one live probe exists, and it always comes back."""
    breaker = make(threshold)
    now, state = 0.0, CLOSED
    tickets: list[Ticket] = []
    for what, passed_s, jitter, which in history:
        now += passed_s
        changes = []
        ticket = tickets.pop(which % len(tickets)) if tickets else None
        if what == "call" or ticket is None:
            may = breaker.may_call(now)
            if ticket is not None:
                tickets.append(ticket)
            new = breaker.allow(now)
            assert may == (new is not None)
            if new is not None:
                assert new.is_probe == (breaker.state is HALF_OPEN)
                changes += new.changes
                tickets.append(new)
                if new.is_probe:
                    assert breaker.allow(now) is None
        elif what == "well":
            changes.append(breaker.succeeded(ticket))
        elif what == "sick":
            changes.append(breaker.failed(ticket, now, jitter))
        elif what == "left":
            breaker.abandoned(ticket)
        else:
            changes.append(breaker.expire_probe(now))
        for change in changes:
            if change is not None:
                assert state is change.previous
                state = change.state
        assert state is breaker.state
        assert (breaker.opened_at_s is None) == (state is CLOSED)

    later = now + max(60 * (1 + JITTER_SHARE), STALE_PROBE_S) + 1
    assert breaker.may_call(later)
    breaker.succeeded(allowed(breaker, later))
    assert breaker.is_closed
