"""LifecycleConfiguration: rules by which objects expire and uploads are aborted.

A rule that is not understood whole is refused: one that loses its filter deletes what
it must not. There is one storage class and one version here, so transitions and rules
about noncurrent versions are NotSupported.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html
"""

import hashlib

from s3o.model import limits
from s3o.model.errors import (
    InvalidArgument,
    InvalidRequest,
    MalformedXml,
    NotSupported,
)
from s3o.model.numbers import parse_uint
from s3o.model.tenants import LifecycleRule
from s3o.model.values import Pairs
from s3o.wire.dates import parse_iso_date, render_iso_date
from s3o.wire.tags import check_tags, read_tag, render_tag
from s3o.wire.xml_read import Element
from s3o.wire.xml_write import document, element, leaf

LIFECYCLE_ELEMENTS = 20 * limits.LIFECYCLE_RULES  # with some tags in every rule

_DAY_US = 86_400_000_000
_DAYS_MAX = 2**31 - 1  # AWS's integers
_SIZE_MAX = 2**63 - 1
_LATER = frozenset(
    {"Transition", "NoncurrentVersionTransition", "NoncurrentVersionExpiration"}
)
_RULE = frozenset(
    {"ID", "Status", "Prefix", "Filter", "Expiration", "AbortIncompleteMultipartUpload"}
)
_CONDITIONS = frozenset(
    {"Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"}
)
_EXPIRATION = frozenset({"Days", "Date", "ExpiredObjectDeleteMarker"})
_STATUS = {"Enabled": True, "Disabled": False}
_BOOLEANS = {"true": True, "false": False}


def read_lifecycle(root: Element) -> tuple[LifecycleRule, ...]:
    """Return the rules of a LifecycleConfiguration, each with an id.

    Raises MalformedXml, InvalidRequest, InvalidArgument, InvalidTag, BadRequest,
    NotSupported.
    """
    if root.name != "LifecycleConfiguration":
        raise MalformedXml(f"a {root.name} is no LifecycleConfiguration")
    if not root.children or any(child.name != "Rule" for child in root.children):
        raise MalformedXml("not one Rule or more")
    if len(root.children) > limits.LIFECYCLE_RULES:
        raise InvalidRequest(
            "The number of lifecycle rules must not exceed the allowed limit of "
            f"{limits.LIFECYCLE_RULES} rules"
        )
    rules = tuple(
        _read_rule(child, position) for position, child in enumerate(root.children)
    )
    ids: set[str] = set()
    for rule in rules:
        if rule.id in ids:
            raise InvalidArgument(
                "ID",
                rule.id,
                "Rule ID must be unique. Found same ID for more than one rule",
            )
        ids.add(rule.id)
    return rules


def render_lifecycle(rules: tuple[LifecycleRule, ...]) -> bytes:
    """Return the LifecycleConfiguration of rules."""
    return document("LifecycleConfiguration", map(_render_rule, rules))


def _read_rule(rule: Element, position: int) -> LifecycleRule:
    for child in rule.children:
        if child.name in _LATER:
            raise NotSupported(f"a lifecycle rule with {child.name}")
    parts = _once(rule, _RULE)
    prefix, condition = parts.get("Prefix"), parts.get("Filter")
    if (prefix is None) == (condition is None):
        raise MalformedXml("a rule has a Filter or a Prefix")
    if prefix is not None:
        terms = _Terms(prefix=_read_prefix(prefix))
    else:
        assert condition is not None
        terms = _read_filter(condition)
    days, at_us = _read_expiration(parts.get("Expiration"))
    abort_days = _read_abort(parts.get("AbortIncompleteMultipartUpload"), terms)
    if days is None and at_us is None and abort_days is None:
        raise InvalidRequest("At least one action needs to be specified in a rule")
    return LifecycleRule(
        id=_read_id(parts.get("ID"), position),
        is_enabled=_STATUS[_word(parts.get("Status"), _STATUS)],
        has_filter=condition is not None,
        prefix=terms.prefix,
        tags=terms.tags,
        size_above=terms.size_above,
        size_below=terms.size_below,
        expire_days=days,
        expire_at_us=at_us,
        abort_upload_days=abort_days,
    )


class _Terms:
    """What a rule's filter demands of an object."""

    def __init__(
        self,
        prefix: str | None = None,
        tags: Pairs = (),
        size_above: int | None = None,
        size_below: int | None = None,
    ) -> None:
        self.prefix = prefix
        self.tags = tags
        self.size_above = size_above
        self.size_below = size_below


def _read_filter(condition: Element) -> _Terms:
    if len(condition.children) > 1:
        raise MalformedXml("more than one condition without And")
    if condition.children and condition.children[0].name == "And":
        condition = condition.children[0]
        if not condition.children:
            raise MalformedXml("an And of nothing")
    tags = tuple(read_tag(child) for child in condition.all("Tag"))
    check_tags(tags)
    if len({key for key, _ in tags}) < len(tags):
        raise InvalidRequest("Duplicate Tag Keys are not allowed.")
    parts = _once(condition, _CONDITIONS, several=frozenset({"Tag"}))
    prefix = parts.get("Prefix")
    above = _read_number(parts.get("ObjectSizeGreaterThan"), 0, _SIZE_MAX)
    below = _read_number(parts.get("ObjectSizeLessThan"), 1, _SIZE_MAX)
    if above is not None and below is not None and below <= above:
        raise InvalidRequest(
            "'ObjectSizeLessThan' has to be a value greater than "
            "'ObjectSizeGreaterThan'."
        )
    return _Terms(
        prefix=None if prefix is None else _read_prefix(prefix),
        tags=tags,
        size_above=above,
        size_below=below,
    )


def _read_prefix(prefix: Element) -> str:
    if len(_text(prefix).encode("utf-8")) > limits.OBJECT_KEY_BYTES:
        raise InvalidRequest(
            f"The maximum size of a prefix is {limits.OBJECT_KEY_BYTES}."
        )
    return prefix.text


def _read_expiration(expiration: Element | None) -> tuple[int | None, int | None]:
    """Return days and date; at most one of them is there."""
    if expiration is None:
        return None, None
    parts = _once(expiration, _EXPIRATION)
    marker = parts.get("ExpiredObjectDeleteMarker")
    if marker is not None and _BOOLEANS[_word(marker, _BOOLEANS)]:
        raise NotSupported("a lifecycle rule with ExpiredObjectDeleteMarker")
    days, date = parts.get("Days"), parts.get("Date")
    if (days is None) == (date is None):
        raise MalformedXml("an Expiration has Days or a Date")
    if date is None:
        return _read_days(days, "Expiration"), None
    at_us = parse_iso_date(_text(date).strip())
    if at_us is None:
        raise MalformedXml("a Date is no ISO 8601 date")
    if at_us % _DAY_US:
        raise InvalidArgument("Date", date.text, "'Date' must be at midnight GMT")
    return None, at_us


def _read_abort(abort: Element | None, terms: _Terms) -> int | None:
    if abort is None:
        return None
    if terms.tags:
        raise InvalidRequest(
            "AbortIncompleteMultipartUpload cannot be specified with Tags."
        )
    if terms.size_above is not None or terms.size_below is not None:
        raise InvalidRequest(
            "AbortIncompleteMultipartUpload cannot be specified with Object Size."
        )
    parts = _once(abort, frozenset({"DaysAfterInitiation"}))
    return _read_days(
        parts.get("DaysAfterInitiation"), "AbortIncompleteMultipartUpload"
    )


def _read_days(days: Element | None, action: str) -> int:
    if days is None:
        raise MalformedXml(f"{action} without days")
    try:
        return parse_uint(_text(days).strip(), 1, _DAYS_MAX)
    except ValueError:
        raise InvalidArgument(
            days.name,
            days.text,
            f"'{days.name}' for {action} action must be a positive integer",
        ) from None


def _read_number(number: Element | None, low: int, high: int) -> int | None:
    if number is None:
        return None
    try:
        return parse_uint(_text(number).strip(), low, high)
    except ValueError:
        raise MalformedXml(f"{number.name} is no size") from None


def _read_id(given: Element | None, position: int) -> str:
    text = "" if given is None else _text(given)
    if len(text) > limits.LIFECYCLE_ID_CHARACTERS:
        raise InvalidArgument(
            "ID",
            text[: limits.LIFECYCLE_ID_CHARACTERS],
            "ID length should not exceed allowed limit of "
            f"{limits.LIFECYCLE_ID_CHARACTERS}",
        )
    # AWS draws one at random. This one is as long, and the same every time.
    return text or hashlib.sha256(f"rule {position}".encode()).hexdigest()[:48]


def _word(given: Element | None, known: dict[str, bool]) -> str:
    text = "" if given is None else _text(given).strip()
    if text not in known:
        raise MalformedXml(f"neither {' nor '.join(known)}")
    return text


def _once(
    parent: Element, known: frozenset[str], several: frozenset[str] = frozenset()
) -> dict[str, Element]:
    """Return the children by name: all known, none twice but those of several."""
    found: dict[str, Element] = {}
    for child in parent.children:
        is_repeated = child.name in found and child.name not in several
        if child.name not in known or is_repeated:
            raise MalformedXml(f"unexpected element {child.name} in {parent.name}")
        found[child.name] = child
    return found


def _text(given: Element) -> str:
    if given.children:
        raise MalformedXml(f"{given.name} is no text")
    return given.text


def _render_rule(rule: LifecycleRule) -> str:
    parts = [leaf("ID", rule.id)]
    parts.append(
        element("Filter", [_render_filter(rule)])
        if rule.has_filter
        else leaf("Prefix", rule.prefix or "")
    )
    parts.append(leaf("Status", "Enabled" if rule.is_enabled else "Disabled"))
    if rule.expire_days is not None:
        parts.append(element("Expiration", [leaf("Days", str(rule.expire_days))]))
    if rule.expire_at_us is not None:
        date = render_iso_date(rule.expire_at_us)
        parts.append(element("Expiration", [leaf("Date", date)]))
    if rule.abort_upload_days is not None:
        days = leaf("DaysAfterInitiation", str(rule.abort_upload_days))
        parts.append(element("AbortIncompleteMultipartUpload", [days]))
    return element("Rule", parts)


def _render_filter(rule: LifecycleRule) -> str:
    terms = [] if rule.prefix is None else [leaf("Prefix", rule.prefix)]
    terms += [render_tag(key, value) for key, value in rule.tags]
    if rule.size_above is not None:
        terms.append(leaf("ObjectSizeGreaterThan", str(rule.size_above)))
    if rule.size_below is not None:
        terms.append(leaf("ObjectSizeLessThan", str(rule.size_below)))
    return "".join(terms) if len(terms) < 2 else element("And", terms)
