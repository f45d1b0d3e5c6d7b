"""Dates as S3 writes and reads them: HTTP dates and ISO 8601 with milliseconds.

No locale, no strptime, no time zone but UTC: three strict patterns and the calendar.
Times are microseconds since 1970. A reader returns None for what is no date; whether
that is an error or to be ignored is the caller's question.

Source: RFC 9110 section 5.6.7; the obsolete RFC 850 and asctime forms are accepted.
"""

import datetime
import re
from functools import lru_cache

from s3o.model.numbers import parse_uint

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_DAY = "|".join(_DAYS)
_MONTH = "|".join(_MONTHS)
_CLOCK = r"(?P<h>[0-9]{2}):(?P<m>[0-9]{2}):(?P<s>[0-9]{2})"
_HTTP_FORMS = (
    re.compile(
        rf"(?:{_DAY}), (?P<day>[0-9]{{2}}) (?P<month>{_MONTH}) (?P<year>[0-9]{{4}})"
        rf" {_CLOCK} GMT",
        re.ASCII,
    ),
    re.compile(
        rf"(?:{_LONG_DAYS}), (?P<day>[0-9]{{2}})-(?P<month>{_MONTH})-"
        rf"(?P<year>[0-9]{{2}}) {_CLOCK} GMT",
        re.ASCII,
    ),
    re.compile(
        rf"(?:{_DAY}) (?P<month>{_MONTH}) (?P<day>[ 0-9][0-9]) {_CLOCK} "
        r"(?P<year>[0-9]{4})",
        re.ASCII,
    ),
)
_ISO = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})T"
    rf"{_CLOCK}(?:\.(?P<fraction>[0-9]{{1,6}}))?(?:Z|\+00:00)",
    re.ASCII,
)
_EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
_SECOND_US = 1_000_000
_DAY_S = 86_400


def parse_http_date(text: str) -> int | None:
    """Return an HTTP date in microseconds since 1970, or None if it is none."""
    for form in _HTTP_FORMS:
        match = form.fullmatch(text)
        if match is None:
            continue
        year = parse_uint(match["year"])
        if len(match["year"]) == 2:
            # RFC 9110: two digits mean the nearest century; nothing here predates 1970.
            year += 1900 if year >= 70 else 2000
        return _join(match, year, _MONTHS.index(match["month"]) + 1)
    return None


def parse_iso_date(text: str) -> int | None:
    """Return an ISO 8601 date in UTC in microseconds since 1970, or None."""
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    whole = _join(match, parse_uint(match["year"]), parse_uint(match["month"]))
    if whole is None:
        return None
    return whole + parse_uint((match["fraction"] or "0").ljust(6, "0"))


def parse_any_date(text: str) -> int | None:
    """Return an HTTP or an ISO 8601 date in microseconds since 1970, or None."""
    http = parse_http_date(text)
    return http if http is not None else parse_iso_date(text)


def _join(match: re.Match[str], year: int, month: int) -> int | None:
    day, hour, minute, second = (
        parse_uint(match[name].strip(" ")) for name in ("day", "h", "m", "s")
    )
    if hour > 23 or minute > 59 or second > 60:
        return None
    try:
        days = datetime.date(year, month, day).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    return (days * _DAY_S + hour * 3600 + minute * 60 + second) * _SECOND_US


def render_http_date(time_us: int) -> str:
    """Return `Sun, 06 Nov 1994 08:49:37 GMT`; fractions of a second are dropped."""
    return _render_http_second(time_us // _SECOND_US)


@lru_cache(maxsize=4096)
def _render_http_second(time_s: int) -> str:
    days, rest = divmod(time_s, _DAY_S)
    date = datetime.date.fromordinal(_EPOCH_DAY + days)
    return (
        f"{_DAYS[date.weekday()]}, {date.day:02} {_MONTHS[date.month - 1]} "
        f"{date.year:04} {rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02} GMT"
    )


def render_iso_date(time_us: int) -> str:
    """Return `2026-11-22T14:05:00.000Z`, as listings have it."""
    seconds, fraction_us = divmod(time_us, _SECOND_US)
    days, rest = divmod(seconds, _DAY_S)
    date = datetime.date.fromordinal(_EPOCH_DAY + days)
    return (
        f"{date.year:04}-{date.month:02}-{date.day:02}T"
        f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}."
        f"{fraction_us // 1000:03}Z"
    )


def whole_seconds(time_us: int) -> int:
    """Return time_us in seconds, the resolution of HTTP dates."""
    return time_us // _SECOND_US
