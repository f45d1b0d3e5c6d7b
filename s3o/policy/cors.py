"""Which pages of other origins may see a bucket's answers: its CORS rules, applied.

The browser enforces this, for pages; it is no authorization, and nothing here lets
anybody read what their credentials do not. Rules:

- The first rule that fits counts. "*" stands for any run of characters, once in an
  origin or in a header's name; origins are compared as they are, names ignore case.
- Only a rule for all origins answers "*"; every other one names the origin it was asked
  by, and then allows credentials, as S3 does.
- What a client sends is only repeated if it is an origin or names of headers; what a
  rule says, only as far as a header can carry it.
- A bucket with rules says `Vary` in every answer: else a cache would hand one origin's
  answer, or nobody's, to another.

Sources: Fetch standard, "CORS protocol"; AWS, "Using cross-origin resource sharing".
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from s3o.model.tenants import CorsRule
from s3o.model.values import Pairs

VARY = (
    "vary",
    "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
)
_ANY = "*"
_ORIGIN = re.compile(r"[!-~]+", re.ASCII)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What a browser asks before it sends a page's request."""

    origin: str
    method: str
    headers: tuple[str, ...]


def parse_request_headers(value: str) -> tuple[str, ...] | None:
    """Return Access-Control-Request-Headers as lower-case names, or None if malformed.

    Blanks and empty elements between commas mean nothing.
    """
    names = [name.strip(" \t").lower() for name in value.split(",")]
    found = tuple(name for name in names if name)
    return found if all(map(_NAME.fullmatch, found)) else None


def answer_preflight(rules: Sequence[CorsRule], asked: Preflight) -> Pairs | None:
    """Return the headers that allow what is asked, or None if no rule does."""
    for rule in rules:
        allowed = _allow_origin(rule, asked.origin, asked.method)
        if allowed is None:
            continue
        if not all(_fits_any(rule.allowed_headers, name) for name in asked.headers):
            continue
        headers = [*allowed, ("access-control-allow-methods", _join_methods(rule))]
        if asked.headers:
            names = ", ".join(asked.headers)
            headers.append(("access-control-allow-headers", names))
        if rule.max_age_s is not None:
            headers.append(("access-control-max-age", str(rule.max_age_s)))
        return (*headers, VARY)
    return None


def answer_request(rules: Sequence[CorsRule], origin: str | None, method: str) -> Pairs:
    """Return the headers that an answer to a request of a page carries.

    origin: None if no page of another origin asks.
    """
    if not rules:
        return ()
    if origin is not None:
        for rule in rules:
            allowed = _allow_origin(rule, origin, method)
            if allowed is not None:
                return (*allowed, VARY)
    return (VARY,)


def _allow_origin(rule: CorsRule, origin: str, method: str) -> Pairs | None:
    """Return what every answer under a rule says, or None if the rule does not fit."""
    if method not in rule.allowed_methods or not _ORIGIN.fullmatch(origin):
        return None
    fitting = [each for each in rule.allowed_origins if _fits(each, origin)]
    if not fitting:
        return None
    headers = [("access-control-allow-origin", _ANY if _ANY in fitting else origin)]
    if _ANY not in fitting:
        headers.append(("access-control-allow-credentials", "true"))
    exposed = [name for name in rule.expose_headers if _NAME.fullmatch(name)]
    if exposed:
        headers.append(("access-control-expose-headers", ", ".join(exposed)))
    return tuple(headers)


def _join_methods(rule: CorsRule) -> str:
    return ", ".join(filter(_NAME.fullmatch, rule.allowed_methods))


def _fits_any(patterns: Sequence[str], name: str) -> bool:
    return any(_fits(pattern.lower(), name) for pattern in patterns)


def _fits(pattern: str, text: str) -> bool:
    head, star, tail = pattern.partition(_ANY)
    if not star:
        return pattern == text
    return (
        len(text) >= len(head) + len(tail)
        and text.startswith(head)
        and text.endswith(tail)
    )
