"""Counts may be flushed, put back and cross a month: none is lost or doubled."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from s3o.backends.usage import UsageCounters
from s3o.model.names import BackendName
from s3o.model.values import Usage
from tests.fakes.clock import ManualClock

A, B = BackendName("a"), BackendName("b")
MONTH_END_US = int(datetime(2026, 2, 1, tzinfo=UTC).timestamp()) * 1_000_000


def make() -> tuple[UsageCounters, ManualClock]:
    """Counters of two backends, ten seconds before the end of a month."""
    clock = ManualClock(MONTH_END_US - 10_000_000)
    return UsageCounters([A, B], clock), clock


def test_counts_are_effective_at_once() -> None:
    """The next request must see what this one used."""
    counters, _ = make()
    counters.of(A).count_request()
    counters.of(A).count_egress(5)
    counters.of(A).count_ingress(7)

    assert {A: Usage(1, 5, 7), B: Usage()} == counters.effective()


def test_flush_leaves_no_gap_and_counts_nothing_twice() -> None:
    """Between taking and writing, limits must hold as before."""
    counters, _ = make()
    counters.settle("2026-01", {A: Usage(100, 0, 0)})
    counters.of(A).count_request()
    taken = counters.take()
    assert {"2026-01": {A: Usage(1, 0, 0)}} == taken
    assert Usage(101, 0, 0) == counters.effective()[A]
    counters.of(A).count_request()
    assert Usage(102, 0, 0) == counters.effective()[A]
    counters.settle("2026-01", {A: Usage(101, 0, 0)})

    assert Usage(102, 0, 0) == counters.effective()[A]
    assert {"2026-01": {A: Usage(1, 0, 0)}} == counters.take()


def test_failed_flush_is_counted_again() -> None:
    """The ledger may be down for an hour; the bill goes on."""
    counters, _ = make()
    counters.of(A).count_egress(10)
    counters.take()
    counters.of(A).count_egress(3)
    counters.put_back()

    assert Usage(0, 13, 0) == counters.effective()[A]
    assert {"2026-01": {A: Usage(0, 13, 0)}} == counters.take()


def test_counts_stay_in_their_month() -> None:
    """The reference bills the last seconds of a month to the next one."""
    counters, clock = make()
    counters.settle("2026-01", {A: Usage(1000, 0, 0)})
    counters.of(A).count_request()
    clock.advance(10)
    assert Usage() == counters.effective()[A]
    assert "2026-02" == counters.period()
    counters.of(A).count_egress(8)

    assert Usage(0, 8, 0) == counters.effective()[A]
    assert {
        "2026-01": {A: Usage(1, 0, 0)},
        "2026-02": {A: Usage(0, 8, 0)},
    } == counters.take()


def test_clock_set_back_over_the_month_loses_nothing() -> None:
    """NTP may correct a clock at midnight."""
    counters, clock = make()
    counters.of(A).count_request()
    clock.advance(11)
    counters.of(A).count_request()
    clock.jump_wall(-5)
    counters.of(A).count_request()

    assert Usage(2, 0, 0) == counters.effective()[A]
    assert {
        "2026-01": {A: Usage(2, 0, 0)},
        "2026-02": {A: Usage(1, 0, 0)},
    } == counters.take()


steps = st.lists(
    st.tuples(
        st.sampled_from(["count", "flush", "fail", "pass"]), st.integers(0, 10**7)
    ),
    max_size=60,
)


@given(steps)
def test_ledger_and_counters_add_up_to_what_was_used(
    history: list[tuple[str, int]],
) -> None:
    """At every moment, in every month, for any order of events."""
    counters, clock = make()
    used: dict[str, int] = {}
    ledger: dict[str, int] = {}
    for what, number in history:
        if what == "count":
            counters.of(A).count_egress(number)
            used[counters.period()] = used.get(counters.period(), 0) + number
        elif what == "pass":
            clock.advance(number)
        else:
            taken = counters.take()
            if what == "fail":
                counters.put_back()
            else:
                for period, by_name in taken.items():
                    total = ledger.get(period, 0) + by_name[A].egress_bytes
                    ledger[period] = total
                period = counters.period()
                counters.settle(period, {A: Usage(0, ledger.get(period, 0), 0)})
        now = counters.period()
        assert used.get(now, 0) == counters.effective()[A].egress_bytes

    for period, by_name in counters.take().items():
        total = ledger.get(period, 0) + by_name[A].egress_bytes
        ledger[period] = total
    assert {k: v for k, v in used.items() if v} == {
        k: v for k, v in ledger.items() if v
    }
