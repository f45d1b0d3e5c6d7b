"""Small decisions about money and time."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.model.errors import (
    BackendError,
    BackendFull,
    BackendProtocolError,
    BackendRefused,
    BackendThrottled,
    BackendTimeout,
    BackendUnreachable,
    BlobDamaged,
    BlobMissing,
)
from s3o.model.values import Usage
from s3o.policy.backoff import ceiling_s, cleanup_delay_s, full_jitter_s
from s3o.policy.health import Verdict, judge
from s3o.policy.period import period_bounds, period_of
from s3o.policy.usage import (
    UNLIMITED,
    LimitType,
    UsageLimits,
    exceeded_limit,
    used_share,
)


@pytest.mark.parametrize(
    ("limits", "proposed", "expected"),
    [
        (UNLIMITED, Usage(1, 10**15, 10**15), None),
        (UsageLimits(api_requests=10), Usage(1, 0, 0), None),
        (UsageLimits(api_requests=9), Usage(1, 0, 0), LimitType.API_REQUESTS),
        (UsageLimits(egress_bytes=105), Usage(1, 5, 0), None),
        (UsageLimits(egress_bytes=105), Usage(1, 6, 0), LimitType.EGRESS_BYTES),
        (UsageLimits(egress_bytes=105), Usage(1, 0, 999), None),
        (UsageLimits(ingress_bytes=1005), Usage(1, 0, 5), None),
        (UsageLimits(ingress_bytes=1005), Usage(1, 0, 6), LimitType.INGRESS_BYTES),
        (UsageLimits(ingress_bytes=999), Usage(1, 0, 0), LimitType.INGRESS_BYTES),
    ],
)
def test_a_limit_refuses_what_would_go_over_it(
    limits: UsageLimits, proposed: Usage, expected: LimitType | None
) -> None:
    """Exactly full is allowed; one more is not."""
    assert expected == exceeded_limit(limits, Usage(9, 100, 1000), proposed)


def test_used_share_is_that_of_the_tightest_limit() -> None:
    """The flush hurries for the limit that is reached first."""
    limits = UsageLimits(api_requests=100, egress_bytes=1000)

    assert 0.5 == used_share(limits, Usage(10, 500, 10**9))
    assert 0.0 == used_share(UNLIMITED, Usage(10, 500, 10**9))


def test_cleanup_waits_longer_each_time_up_to_a_day() -> None:
    """A minute at first; a backend that is down for a week is not hammered."""
    delays = [cleanup_delay_s(attempts) for attempts in (0, 1, 2, 10, 11, 10_000)]

    assert [60, 120, 240, 61440, 86400, 86400] == delays


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_full_jitter_stays_below_its_ceiling(attempt: int, chance: float) -> None:
    """Whatever chance says, and however often it failed."""
    ceiling = ceiling_s(attempt, first_s=0.5, longest_s=30)

    assert 0 <= full_jitter_s(attempt, chance, first_s=0.5, longest_s=30) <= ceiling
    assert ceiling <= 30


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), "1970-01"),
        (datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC), "2024-02"),
        (datetime(2024, 3, 1, tzinfo=UTC), "2024-03"),
        (datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), "2026-12"),
        (datetime(2027, 1, 1, tzinfo=UTC), "2027-01"),
    ],
)
def test_period_is_the_month_in_utc(moment: datetime, expected: str) -> None:
    """Providers bill in UTC."""
    now_us = int(moment.timestamp()) * 1_000_000 + moment.microsecond

    assert expected == period_of(now_us)


@given(st.integers(0, 7_000_000_000_000_000))
def test_bounds_hold_the_month_and_nothing_else(now_us: int) -> None:
    """Counts move to a new month at its first microsecond."""
    start, stop = period_bounds(now_us)

    assert start <= now_us < stop
    assert period_of(start) == period_of(now_us) == period_of(stop - 1)
    assert period_of(start - 1) != period_of(now_us) or start == 0
    assert period_of(stop) != period_of(now_us)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BackendUnreachable("a", "put"), Verdict.SICK),
        (BackendTimeout("a", "put"), Verdict.SICK),
        (BackendProtocolError("a", "put"), Verdict.SICK),
        (BackendThrottled("a", "put"), Verdict.SICK),
        (BackendRefused("a", "put", status=500), Verdict.SICK),
        (BackendRefused("a", "put", status=503, code="SlowDown"), Verdict.SICK),
        (BackendRefused("a", "put", status=403, code="AccessDenied"), Verdict.SICK),
        (BackendRefused("a", "put", status=400, code="ExpiredToken"), Verdict.SICK),
        (BackendRefused("a", "put", status=404, code="NoSuchBucket"), Verdict.SICK),
        (BackendRefused("a", "put", status=307), Verdict.SICK),
        (BackendRefused("a", "put", status=501), Verdict.WELL),
        (BackendRefused("a", "put", status=400, code="InvalidArgument"), Verdict.WELL),
        (BackendRefused("a", "open", status=416), Verdict.WELL),
        (BackendFull("a", "put"), Verdict.WELL),
        (BlobMissing("a", "open"), Verdict.WELL),
        (BlobDamaged("a", "open"), Verdict.NOTHING),
    ],
)
def test_verdict_is_about_the_backend_not_the_call(
    error: BackendError, expected: Verdict
) -> None:
    """A breaker that opens for a client's mistake is an outage made by clients."""
    assert expected is judge(error)
