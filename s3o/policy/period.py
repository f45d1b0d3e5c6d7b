"""The month that a provider's bill is written for: `YYYY-MM`, in UTC."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def period_of(now_us: int) -> str:
    """Return the month that now_us (microseconds since 1970, UTC) lies in."""
    moment = _EPOCH + timedelta(microseconds=now_us)
    return f"{moment.year:04d}-{moment.month:02d}"


def period_bounds(now_us: int) -> tuple[int, int]:
    """Return the first microsecond of now_us's month, and of the month after it."""
    moment = _EPOCH + timedelta(microseconds=now_us)
    start = datetime(moment.year, moment.month, 1, tzinfo=UTC)
    year, month = divmod(moment.year * 12 + moment.month, 12)
    stop = datetime(year, month + 1, 1, tzinfo=UTC)
    return (start - _EPOCH) // _MICROSECOND, (stop - _EPOCH) // _MICROSECOND
