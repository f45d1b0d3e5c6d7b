"""Kinds of values: what each accepts and how each refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.config.readers import (
    Plain,
    read_duration,
    read_fraction,
    read_size,
    read_switch,
    read_whole,
    render_duration,
    split_address,
)
from tests.config.reading import GOOD, problem, read, with_line


def server(line: str) -> str:
    """Return a configuration with one more line in its server section."""
    return with_line(GOOD, '":9000"', f'":9000"\n  {line}')


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("30s", 30.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        ("250ms", 0.25),
        ("1m0.5s", 60.5),
        ("7us", 7e-6),
        ("7µs", 7e-6),
        ("9ns", 9e-9),
    ],
)
def test_durations_are_gos(text, seconds):
    """Existing configurations keep their durations."""
    assert pytest.approx(seconds) == read_duration(text)


@pytest.mark.parametrize(
    "text", ["", "30", "s", "5 m", "1d", "-", "1e3s", "٣s", "1h 1m", "1" * 70 + "s"]
)
def test_anything_else_is_no_duration(text):
    """30 could mean seconds or minutes: guessing would be worse than asking."""
    with pytest.raises(ValueError, match="must be a duration"):
        read_duration(text)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("idle_timeout: -5s", "must not be negative"),
        ("idle_timeout: 0s", "must be positive"),
        ("idle_timeout: 999999999h", "must be at most 10 years"),
        ("shutdown_delay: -1s", "must not be negative"),
        ("max_concurrent_requests: -1", "must not be negative"),
        ("max_concurrent_requests: 1.5", "must be a whole number"),
        ("max_concurrent_requests: 010", "must be a whole number"),
        ("max_concurrent_requests: 0x10", "must be a whole number"),
        ("max_concurrent_requests: 1e3", "must be a whole number"),
        ("max_concurrent_requests: .nan", "must be a whole number"),
        ("max_concurrent_requests: yes", "must be a whole number"),
        ("max_concurrent_requests: [1]", "must be a whole number"),
        ('max_concurrent_requests: "1"', "must be a whole number, without quotes"),
        ("max_concurrent_requests: 9223372036854775808", "must be at most 92233"),
        (f"max_concurrent_requests: {'9' * 5000}", "must be a whole number"),
        ("max_object_size: 0", "must be at least 1"),
        ("load_shed_threshold: .nan", "must be a number"),
        ("load_shed_threshold: .inf", "must be a number"),
        ("load_shed_threshold: 1e999", "must be a finite number"),
        ("load_shed_threshold: 1.0", "must be less than 1"),
        ("load_shed_threshold: -0.1", "must not be negative"),
        ("domains: s3.example.com", "must be a list"),
        ("domains: [S3.example.com]", "must be a lower-case host name"),
        ("domains: [{a: b}]", "must be text, not a section"),
        ("tls: on", "must be a section"),
        ("tls: {cert_file: a}", "requires both cert_file and key_file"),
        ("tls: {client_ca_file: a}", "requires cert_file and key_file"),
        ("tls: {min_version: 1.1}", "must be '1.2' or '1.3'"),
        ("log_level: verbose", "must be 'debug', 'info', 'warn' or 'error'"),
        ("log_level: [info]", "must be text, not a list"),
        ("region: ''", "must not be empty"),
        ("region: 'a '", "must not begin or end with a blank"),
        ("region: eu central", "must be a region's name"),
        ("region: zürich", "must be a region's name"),
        ('region: "a\\eb"', "must not hold control characters"),
        ("backend_timeout: 6m", "must not exceed server.write_timeout"),
        ("read_header_timeout: 6m", "must not exceed server.read_timeout"),
    ],
)
def test_values_out_of_bounds_are_refused_at_their_key(line, message):
    """A number that means nothing must not become a surprise at night."""
    found = problem(server(line))

    assert found.startswith("3:")
    assert message in found


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":9000", ("", 9000)),
        ("0.0.0.0:9000", ("0.0.0.0", 9000)),
        ("[::]:9000", ("::", 9000)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_addresses_have_a_host_and_a_port(text, address):
    """The usual spellings of Go's listeners."""
    assert address == split_address(text)


@pytest.mark.parametrize(
    "text", ["9000", "localhost", "::1:9000", "a b:1", "h:65536", "h:+1", "h:", "/x:1"]
)
def test_other_addresses_are_refused(text):
    """A door that does not open is found out before the service starts."""
    with pytest.raises(ValueError, match="must be host:port"):
        split_address(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("7", 7), ("7B", 7), ("2KB", 2048), ("256MB", 256 << 20), ("1 GB", 1 << 30)],
)
def test_cache_sizes_have_units_of_1024(text, size):
    """The cache's sizes are the only ones documented with units."""
    assert size == read_size(text)


@pytest.mark.parametrize("text", ["", "-1", "1.5GB", "1TB", "MB", "99999999999GB"])
def test_other_sizes_are_refused(text):
    """What is not documented is not guessed."""
    with pytest.raises(ValueError, match="must be"):
        read_size(text)


@pytest.mark.parametrize("word", ["true", "True", "yes", "on", "false", "no", "OFF"])
def test_switches_take_yamls_words(word):
    """Files written for YAML 1.1 keep their meaning."""
    assert (word.lower() in ("true", "yes", "on")) == read_switch(Plain(word))


@pytest.mark.parametrize("value", ["true", Plain("1"), Plain("maybe"), 1, None, [True]])
def test_switches_take_nothing_else(value):
    """A quoted "false" is text: true in some languages, an error here."""
    with pytest.raises(ValueError, match="must be true or false"):
        read_switch(value)


@pytest.mark.parametrize(
    "endpoint",
    [
        "s3.example.com",
        "ftp://a",
        "https://",
        "https://u:p@a",
        "https://a?b",
        "https://a#b",
        "https://a:99999",
        "https://a b",
        "https://é",
    ],
)
def test_endpoints_are_plain_http_urls(endpoint):
    """Credentials in a URL would end up in logs."""
    text = with_line(GOOD, "http://127.0.0.1:9001", f"'{endpoint}'")

    assert problem(text).startswith("9:5: backends.0.endpoint: must be a URL")


def test_endpoint_loses_its_final_slash():
    """Two spellings of one endpoint are one."""
    text = with_line(GOOD, "http://127.0.0.1:9001", "http://127.0.0.1:9001/")

    assert "http://127.0.0.1:9001" == read(text).backends[0].endpoint


def test_text_that_looks_like_a_number_stays_text():
    """A secret of digits, a bucket named 1234: no quotes are needed."""
    text = with_line(GOOD, "name: photos", "name: 1234")
    text = with_line(text, "photossecret", "0123")

    bucket = read(text).buckets[0]
    assert "1234" == bucket.name
    assert "0123" == bucket.credentials[0].secret_access_key.reveal()


@given(st.integers(0, (1 << 63) - 1))
def test_whole_numbers_round_trip(number):
    """Quotas are exact to the byte."""
    assert number == read_whole(Plain(str(number)))
    assert number == read_whole(Plain(f"{number:_}"))


@given(st.floats(0, 1e6, allow_nan=False))
def test_fractions_round_trip(number):
    """A threshold is the one that was written."""
    assert number == read_fraction(Plain(repr(number)))


@given(st.integers(0, 10**8))
def test_rendered_durations_read_back(seconds):
    """What the schema shows can be pasted into a file."""
    assert float(seconds) == read_duration(render_duration(seconds))


@given(st.text(max_size=80))
def test_no_text_breaks_a_reader(text):
    """Readers answer with a value or a ValueError, whatever they are given."""
    for reader in (read_duration, read_fraction, read_size, read_switch, read_whole):
        try:
            reader(Plain(text))
        except ValueError:
            pass
