"""What a client claims with a signature of version 4: header, presigned query, form.

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
    InvalidArgument,
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
_NO_NAMES = "-"
_COMPONENTS = ("Credential", "SignedHeaders", "Signature")
# What nearly everybody sends; a shorter way to what _parse_components finds.
_USUAL = re.compile(
    rf"{ALGORITHM} Credential=([^,= \t]+), ?SignedHeaders=([^,= \t]+), ?"
    r"Signature=([^,= \t]+)"
)
_CACHED_CHARACTERS = 1024  # bounds the memory that strangers can fill
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
class Signatory:
    """Who signs, for what scope, over which headers: the same for many requests."""

    access_key_id: str
    scope: Scope
    signed_headers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one request says of its signature; nothing of it is verified.

    signature is whatever text was sent. expires_s is None for a header.
    """

    signatory: Signatory
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
    timestamp = date or ""
    signed_at_us = parse_timestamp(timestamp)
    if signed_at_us is None:
        signed_at_us = parse_http_date(timestamp)
        timestamp = ""
    if signed_at_us is None or not 0 <= signed_at_us < _END_OF_TIME_US:
        raise AccessDenied(
            "AWS authentication requires a valid Date or x-amz-date header"
        )
    timestamp = timestamp or format_timestamp(signed_at_us)
    try:
        credential, names, signature = _parse_components(value)
        return Claim(
            signatory=_find_signatory(credential, names, timestamp),
            signature=signature,
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


def parse_form(credential: str, date: str, signature: str) -> Claim:
    """Return the claim of a browser's form, from its fields; raises InvalidArgument.

    What is signed is the policy's text, so no header is named.
    """
    signed_at_us = parse_timestamp(date)
    if signed_at_us is None or not 0 <= signed_at_us < _END_OF_TIME_US:
        raise InvalidArgument(
            "X-Amz-Date",
            date[:64],
            "X-Amz-Date must be in the ISO8601 format yyyyMMdd'T'HHmmss'Z'",
        )
    try:
        signatory = _find_signatory(credential, _NO_NAMES, date)
    except _Fault as fault:
        raise InvalidArgument(
            "X-Amz-Credential", credential[:256], str(fault)
        ) from None
    return Claim(
        signatory=signatory,
        signature=signature,
        timestamp=date,
        signed_at_us=signed_at_us,
    )


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
    return Claim(
        signatory=_find_signatory(credential, names, date),
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


def _parse_components(value: str) -> tuple[str, str, str]:
    """Return credential, names of the signed headers, and signature."""
    usual = _USUAL.fullmatch(value)
    if usual is not None:
        return usual[1], usual[2], usual[3]
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
    missing = [name for name in _COMPONENTS if name not in found]
    if missing:
        raise _Fault(f"missing {missing[0]}")
    return found["Credential"], found["SignedHeaders"], found["Signature"]


def _find_signatory(credential: str, names: str, timestamp: str) -> Signatory:
    if len(credential) + len(names) <= _CACHED_CHARACTERS:
        signatory = _cached_signatory(credential, names)
    else:
        signatory = _parse_signatory(credential, names)
    date = signatory.scope.date
    if date != timestamp[:8]:
        raise _Fault(
            f'Invalid credential date "{date}". This date is not the same as '
            f'X-Amz-Date: "{timestamp[:8]}".'
        )
    return signatory


def _parse_signatory(credential: str, names: str) -> Signatory:
    parts = credential.rsplit("/", 4)
    is_formed = len(parts) == 5 and all(map(_SCOPE_PART.fullmatch, parts[1:]))
    if not is_formed or not parts[0]:
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
    signed_headers = tuple(names.split(";"))
    if not _NAMES.fullmatch(names) or len(signed_headers) != len(set(signed_headers)):
        raise _Fault("SignedHeaders must be header names in lower case, each once")
    return Signatory(
        access_key_id=access_key_id,
        scope=Scope(date, region, service),
        signed_headers=signed_headers,
    )


_cached_signatory = lru_cache(maxsize=1024)(_parse_signatory)
