"""What a client claims with a signature of version 4: header or presigned query.

Only syntax and what follows from the text alone is decided here; whether the claim is
true, or in time, is s3api/authenticate's. One spelling is read: each component once,
signed headers lower-case, scope `date/region/s3/aws4_request` with the date of the
request. Source: AWS, "Authenticating requests (AWS Signature Version 4)".
"""

import datetime
import re
from dataclasses import dataclass
from functools import lru_cache

from s3o.model.errors import (
    AccessDenied,
    AuthorizationMalformed,
    AuthorizationQueryMalformed,
)
from s3o.model.numbers import parse_uint
from s3o.wire.dates import parse_http_date
from s3o.wire.sigv4 import ALGORITHM, TERMINATOR, Scope, format_timestamp
from s3o.wire.target import Query

MAX_EXPIRES_S = 604_800  # a week, AWS
SERVICE = "s3"

_TIMESTAMP = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z", re.ASCII
)
# Bounded, for keys derived for a scope are cached before anybody is known.
_SCOPE_PART = re.compile(r"[!-.0-~]{1,64}", re.ASCII)
_TIMESTAMP_CHARACTERS = 16
_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+(?:;[!#$%&'*+.^_`|~0-9a-z-]+)*")
_COMPONENTS = frozenset({"Credential", "SignedHeaders", "Signature"})
_PARAMETERS = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
)
# A week after any accepted date can still be written with four digits of year.
_END_OF_TIME_US = 253_370_764_800_000_000  # the year 9999
_EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who signed, over what, for how long; nothing of it is verified.

    signature is whatever text was sent. expires_s is None for a header.
    """

    access_key_id: str
    scope: Scope
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str  # as signed
    signed_at_us: int
    expires_s: int | None = None


class _Fault(Exception):
    """Why a claim does not parse; becomes the error of the place it stood in."""


def parse_timestamp(text: str) -> int | None:
    """Return `YYYYMMDDTHHMMSSZ` in microseconds since 1970, or None if it is none."""
    return _parse_timestamp(text) if len(text) == _TIMESTAMP_CHARACTERS else None


@lru_cache(maxsize=256)
def _parse_timestamp(text: str) -> int | None:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(parse_uint, match.groups())
    if hour > 23 or minute > 59 or second > 59:
        return None
    try:
        days = datetime.date(year, month, day).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    return (days * 86_400 + hour * 3600 + minute * 60 + second) * 1_000_000


def parse_authorization(value: str, date: str | None) -> Claim:
    """Return the claim of an Authorization header; date is x-amz-date, else Date.

    Raises: AuthorizationMalformed; AccessDenied if there is no date.
    """
    signed_at_us = None
    if date is not None:
        signed_at_us = parse_timestamp(date)
        if signed_at_us is None:
            signed_at_us = parse_http_date(date)
    if signed_at_us is None or not 0 <= signed_at_us < _END_OF_TIME_US:
        raise AccessDenied(
            "AWS authentication requires a valid Date or x-amz-date header"
        )
    try:
        found = _parse_components(value)
        timestamp = format_timestamp(signed_at_us)
        access_key_id, scope = _parse_credential(found["Credential"], timestamp)
        return Claim(
            access_key_id=access_key_id,
            scope=scope,
            signed_headers=_parse_names(found["SignedHeaders"]),
            signature=found["Signature"],
            timestamp=timestamp,
            signed_at_us=signed_at_us,
        )
    except _Fault as fault:
        reason = f"The authorization header is malformed; {fault}"
        raise AuthorizationMalformed(reason) from None


def parse_presigned(query: Query) -> Claim:
    """Return the claim of a presigned URL; raises AuthorizationQueryMalformed."""
    try:
        return _read_presigned(query)
    except _Fault as fault:
        raise AuthorizationQueryMalformed(str(fault)) from None


def _read_presigned(query: Query) -> Claim:
    found = {name: value for name, value in query.pairs if name in _PARAMETERS}
    if len(found) != len(_PARAMETERS):
        raise _Fault(
            "Query-string authentication version 4 requires the "
            f"{', '.join(_PARAMETERS[:-1])}, and {_PARAMETERS[-1]} parameters."
        )
    _check_once(query)
    algorithm, credential, signature, date, names, expires = (
        found[name] for name in _PARAMETERS
    )
    if algorithm != ALGORITHM:
        raise _Fault(f"X-Amz-Algorithm only supports {ALGORITHM}")
    signed_at_us = parse_timestamp(date)
    if signed_at_us is None or not 0 <= signed_at_us < _END_OF_TIME_US:
        raise _Fault("X-Amz-Date must be in the ISO8601 format yyyyMMdd'T'HHmmss'Z'")
    access_key_id, scope = _parse_credential(credential, date)
    return Claim(
        access_key_id=access_key_id,
        scope=scope,
        signed_headers=_parse_names(names),
        signature=signature,
        timestamp=date,
        signed_at_us=signed_at_us,
        expires_s=_parse_expires(expires),
    )


def _check_once(query: Query) -> None:
    seen: set[str] = set()
    for name, _ in query.pairs:
        if name.startswith("X-Amz-"):
            if name in seen:
                raise _Fault(f"{name} is there more than once")
            seen.add(name)


def _parse_expires(text: str) -> int:
    try:
        expires_s = parse_uint(text, 0)
    except ValueError:
        raise _Fault("X-Amz-Expires must be a number") from None
    if expires_s > MAX_EXPIRES_S:
        raise _Fault(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given "
            f"X-Amz-Expires must be less than {MAX_EXPIRES_S} seconds"
        )
    if not expires_s:
        raise _Fault("X-Amz-Expires must be at least one second")
    return expires_s


def _parse_components(value: str) -> dict[str, str]:
    algorithm, _, rest = value.partition(" ")
    if algorithm != ALGORITHM:
        raise _Fault(f"only {ALGORITHM} is supported")
    found: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, text = part.strip(" \t").partition("=")
        if not equals or not text or name in found or name not in _COMPONENTS:
            raise _Fault(
                "it holds Credential, SignedHeaders and Signature, each once, "
                "separated by commas"
            )
        found[name] = text
    missing = sorted(_COMPONENTS - found.keys())
    if missing:
        raise _Fault(f"missing {missing[0]}")
    return found


def _parse_credential(text: str, timestamp: str) -> tuple[str, Scope]:
    parts = text.rsplit("/", 4)
    if (
        len(parts) != 5
        or not parts[0]
        or not all(map(_SCOPE_PART.fullmatch, parts[1:]))
    ):
        raise _Fault(
            "the Credential is mal-formed; expecting "
            f'"<YOUR-AKID>/YYYYMMDD/REGION/{SERVICE}/{TERMINATOR}".'
        )
    access_key_id, date, region, service, terminator = parts
    if service != SERVICE:
        raise _Fault(
            f'incorrect service "{service}". This endpoint belongs to "{SERVICE}".'
        )
    if terminator != TERMINATOR:
        raise _Fault(
            f'incorrect terminal "{terminator}". This endpoint uses "{TERMINATOR}".'
        )
    if date != timestamp[:8]:
        raise _Fault(
            f'Invalid credential date "{date}". This date is not the same as '
            f'X-Amz-Date: "{timestamp[:8]}".'
        )
    return access_key_id, Scope(date, region, service)


def _parse_names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(";"))
    if not _NAMES.fullmatch(text) or len(names) != len(set(names)):
        raise _Fault("SignedHeaders must be header names in lower case, each once")
    return names
