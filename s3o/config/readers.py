"""Readers: what a field of the configuration makes of the text in the file.

YAML's own guesses (is `no` a country, is `1:30` a number) are not used: a scalar stays
text until the field it stands in says what it is. Rules:

- An unquoted scalar, and one that holds a `${NAME}`, is Plain: numbers, switches and
  durations are read from it. A quoted one is text and nothing else.
- Durations are Go's ("30s", "1h30m") and become seconds; sizes are whole numbers.
- Code that builds settings itself may pass numbers and booleans as they are.
- A message never repeats the value: it may be a secret.
"""

import math
import re
from urllib.parse import urlsplit

from s3o.config.secret import Secret
from s3o.model.numbers import parse_uint

INT_MAX = (1 << 63) - 1
DURATION_MAX_S = 10 * 366 * 86_400.0  # longer is a slip of the keyboard

DURATION_PATTERN = r"([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+"
_WHOLE = re.compile(r"(?P<sign>-?)(?P<digits>0|[1-9][0-9]*(?:_[0-9]+)*)", re.ASCII)
_FRACTION = re.compile(r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_DURATION = re.compile(DURATION_PATTERN, re.ASCII)
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)", re.ASCII)
_SIZE = re.compile(r"([0-9]+) ?(B|KB|MB|GB)?", re.ASCII)
_UNITS_S = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_SIZE_UNITS = {None: 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_TRUE = frozenset(("true", "yes", "on"))
_FALSE = frozenset(("false", "no", "off"))
_CHARACTERS_MAX = 64  # of a number; more is no number a person wrote


class Plain(str):
    """The text of a scalar that its field may read as something else than text."""

    __slots__ = ()


def read_text(value: object) -> str:
    """Return text as it stands."""
    if isinstance(value, str):
        return str(value)
    raise ValueError(f"must be text, not {_describe(value)}")


def read_some_text(value: object) -> str:
    """Return text that is not empty, without blanks around it or control characters."""
    text = read_text(value)
    if not text:
        raise ValueError("must not be empty")
    if text != text.strip():
        raise ValueError("must not begin or end with a blank or line break")
    if not text.isprintable():
        raise ValueError("must not hold control characters")
    return text


def read_optional_text(value: object) -> str | None:
    """Return text, or None for an empty one."""
    return None if value is None or value == "" else read_some_text(value)


def read_secret(value: object) -> Secret:
    """Return text that is not empty as a secret."""
    return value if isinstance(value, Secret) else Secret(read_some_text(value))


def read_optional_secret(value: object) -> Secret | None:
    """Return text as a secret, or None for an empty one."""
    return None if value is None or value == "" else read_secret(value)


def read_switch(value: object) -> bool:
    """Return true for true, yes, on and false for false, no, off."""
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, Plain) else ""
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(f"must be true or false{_unquote(value)}")


def read_whole(value: object) -> int:
    """Return a whole number in decimal digits, `_` between them allowed."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = value if isinstance(value, Plain) and len(value) <= _CHARACTERS_MAX else ""
    match = _WHOLE.fullmatch(text)
    if match is None:
        raise ValueError(f"must be a whole number{_unquote(value)}")
    try:
        number = parse_uint(match["digits"].replace("_", ""))
    except ValueError:
        raise ValueError(f"must be at most {INT_MAX}") from None
    return -number if match["sign"] else number


def read_fraction(value: object) -> float:
    """Return a number that may have a fraction."""
    if (isinstance(value, int | float) and not isinstance(value, bool)) or (
        isinstance(value, Plain)
        and len(value) <= _CHARACTERS_MAX
        and _FRACTION.fullmatch(value)
    ):
        number = float(value)
    else:
        raise ValueError(f"must be a number{_unquote(value)}")
    if not math.isfinite(number):
        raise ValueError("must be a finite number")
    return number


def read_duration(value: object) -> float:
    """Return a duration like "30s" or "1h30m" in seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        seconds = _parse_duration(read_text(value))
    if not math.isfinite(seconds) or seconds > DURATION_MAX_S:
        raise ValueError("must be at most 10 years")
    return seconds


def _parse_duration(text: str) -> float:
    if text == "0":
        return 0.0
    if text.startswith("-") and _DURATION.fullmatch(text[1:]):
        raise ValueError("must not be negative")
    if len(text) > _CHARACTERS_MAX or not _DURATION.fullmatch(text):
        raise ValueError("must be a duration such as 30s, 5m or 1h30m")
    parts = _DURATION_PART.findall(text)
    return math.fsum(float(number) * _UNITS_S[unit] for number, unit in parts)


def render_duration(seconds: float) -> str:
    """Return seconds as a person would write the duration."""
    if seconds <= 0 or seconds != int(seconds):
        return "0s" if seconds <= 0 else f"{seconds:g}s"
    hours, rest = divmod(int(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count)


def read_size(value: object) -> int:
    """Return bytes from a whole number or one with B, KB, MB or GB (of 1024)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = read_text(value)
    match = _SIZE.fullmatch(text) if len(text) <= _CHARACTERS_MAX else None
    if match is None:
        raise ValueError("must be a size such as 1048576, 512KB, 256MB or 2GB")
    size = int(match[1]) * _SIZE_UNITS[match[2]]
    if size > INT_MAX:
        raise ValueError(f"must be at most {INT_MAX} bytes")
    return size


def read_http_url(value: object) -> str:
    """Return an http or https URL without user, query, fragment or final slash."""
    text = read_some_text(value)
    try:
        parts = urlsplit(text)
        is_usable = parts.hostname is not None and parts.port != 0
    except ValueError:
        is_usable = False
    if (
        not is_usable
        or parts.scheme not in ("http", "https")
        or not text.isascii()
        or " " in text
    ):
        raise ValueError("must be a URL such as https://s3.example.com")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must be a URL without user, query or fragment")
    return text.rstrip("/")


def split_address(text: str) -> tuple[str, int]:
    """Return host ("" is every interface) and port of host:port, :port or [v6]:port."""
    host, colon, port_text = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    try:
        port = parse_uint(port_text, high=65_535)
    except ValueError:
        colon = ""
    if not colon or not re.fullmatch(r"[A-Za-z0-9._:%-]*", host, re.ASCII):
        raise ValueError("must be host:port, such as 0.0.0.0:9000, :9000 or [::]:9000")
    return host, port


def read_address(value: object) -> str:
    """Return an address to listen on, as it stands."""
    text = read_some_text(value)
    split_address(text)
    return text


def read_optional_address(value: object) -> str | None:
    """Return an address to listen on, or None for an empty one."""
    return None if value is None or value == "" else read_address(value)


def read_url_path(value: object) -> str:
    """Return the path of one of our own doors, such as /metrics."""
    text = read_some_text(value).rstrip("/")
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", text, re.ASCII) or "/." in text:
        raise ValueError("must be a path such as /metrics")
    return text


def _describe(value: object) -> str:
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list | tuple):
        return "a list"
    return "a number" if isinstance(value, int | float) else "nothing"


def _unquote(value: object) -> str:
    is_quoted = isinstance(value, str) and not isinstance(value, Plain)
    return ", without quotes" if is_quoted else ""
