"""Dates in headers and documents."""

import datetime
import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.wire import dates

MOMENT_US = 784_111_777 * 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ],
)
def test_all_three_http_dates_are_read(text):
    """RFC 9110 obliges a recipient to accept the obsolete forms."""
    assert MOMENT_US == dates.parse_http_date(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        "Sun Nov    08:49:37 1994",
    ],
)
def test_what_is_no_date_is_none(text):
    """A date that is guessed decides a condition wrongly."""
    assert dates.parse_http_date(text) is None


@given(st.integers(0, 4_000_000_000))
def test_http_dates_agree_with_the_standard_library(time_s):
    """Another implementation reads and writes the same dates."""
    text = dates.render_http_date(time_s * 1_000_000 + 999_999)

    assert email.utils.formatdate(time_s, usegmt=True) == text
    assert time_s * 1_000_000 == dates.parse_http_date(text)


@given(st.integers(0, 4_000_000_000_000))
def test_iso_dates_round_trip_to_the_millisecond(time_ms):
    """Listings carry milliseconds."""
    text = dates.render_iso_date(time_ms * 1000)
    moment = datetime.datetime.fromtimestamp(time_ms // 1000, datetime.UTC)

    assert f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03}Z" == text
    assert time_ms * 1000 == dates.parse_iso_date(text)
    assert time_ms * 1000 == dates.parse_any_date(text)


@pytest.mark.parametrize("text", ["2026-13-01T00:00:00Z", "2026-01-01", "x"])
def test_what_is_no_iso_date_is_none(text):
    """As for HTTP dates."""
    assert dates.parse_any_date(text) is None
