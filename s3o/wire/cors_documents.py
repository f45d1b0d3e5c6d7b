"""CORSConfiguration: which pages of other origins may use a bucket.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CORSRule.html
"""

from s3o.model import limits
from s3o.model.errors import InvalidRequest, MalformedXml
from s3o.model.numbers import parse_uint
from s3o.model.tenants import CorsRule
from s3o.wire.xml_read import Element
from s3o.wire.xml_write import document, element, leaf, optional_leaf

# A rule with every list full, for the bytes are bounded anyway.
CORS_ELEMENTS = 1 + limits.CORS_RULES * (4 + 4 * limits.CORS_VALUES)

_METHODS = frozenset({"GET", "PUT", "HEAD", "POST", "DELETE"})
_SECONDS_MAX = 2**31 - 1
_LISTS = ("AllowedOrigin", "AllowedMethod", "AllowedHeader", "ExposeHeader")
_ONCE = frozenset({"ID", "MaxAgeSeconds"})


def read_cors(root: Element) -> tuple[CorsRule, ...]:
    """Return the rules of a CORSConfiguration; raises MalformedXml, InvalidRequest."""
    if root.name != "CORSConfiguration":
        raise MalformedXml(f"a {root.name} is no CORSConfiguration")
    if not root.children or any(child.name != "CORSRule" for child in root.children):
        raise MalformedXml("not one CORSRule or more")
    if len(root.children) > limits.CORS_RULES:
        raise InvalidRequest(
            "The number of CORS rules should not exceed allowed limit of "
            f"{limits.CORS_RULES} rules."
        )
    return tuple(map(_read_rule, root.children))


def render_cors(rules: tuple[CorsRule, ...]) -> bytes:
    """Return the CORSConfiguration of rules."""
    return document("CORSConfiguration", map(_render_rule, rules))


def _read_rule(rule: Element) -> CorsRule:
    lists: dict[str, list[str]] = {name: [] for name in _LISTS}
    single: dict[str, str] = {}
    for child in rule.children:
        if child.children:
            raise MalformedXml(f"{child.name} is no text")
        if child.name in lists:
            lists[child.name].append(_check_value(child))
        elif child.name in _ONCE and child.name not in single:
            single[child.name] = child.text
        else:
            raise MalformedXml(f"unexpected element {child.name} in CORSRule")
    origins, methods, headers, exposed = (tuple(lists[name]) for name in _LISTS)
    if not origins or not methods:
        raise MalformedXml("a rule without AllowedOrigin or AllowedMethod")
    if max(map(len, lists.values())) > limits.CORS_VALUES:
        raise InvalidRequest(
            f"A CORS rule may not have more than {limits.CORS_VALUES} values of a kind."
        )
    _check_methods(methods)
    _check_wildcards(origins, headers, exposed)
    return CorsRule(
        id=_check_id(single.get("ID")),
        allowed_origins=origins,
        allowed_methods=methods,
        allowed_headers=headers,
        expose_headers=exposed,
        max_age_s=_read_seconds(single.get("MaxAgeSeconds")),
    )


def _check_value(value: Element) -> str:
    """Return a text that may stand in a header."""
    text = value.text.strip()
    if not text or len(text) > limits.CORS_VALUE_BYTES or not text.isascii():
        raise InvalidRequest(f"{value.name} is empty, too long or not ASCII.")
    if not text.isprintable():
        raise InvalidRequest(f"{value.name} holds control characters.")
    return text


def _check_methods(methods: tuple[str, ...]) -> None:
    for method in methods:
        if method not in _METHODS:
            raise InvalidRequest(
                "Found unsupported HTTP method in CORS config. Unsupported method is "
                f"{method}"
            )


def _check_wildcards(
    origins: tuple[str, ...], headers: tuple[str, ...], exposed: tuple[str, ...]
) -> None:
    for name, values in (("AllowedOrigin", origins), ("AllowedHeader", headers)):
        for value in values:
            if value.count("*") > 1:
                raise InvalidRequest(
                    f'{name} "{value}" can not have more than one wildcard.'
                )
    for value in exposed:
        if "*" in value:
            raise InvalidRequest(
                f'ExposeHeader "{value}" contains wildcard. We currently do not '
                "support wildcard for ExposeHeader."
            )


def _check_id(text: str | None) -> str | None:
    if text is not None and len(text) > limits.LIFECYCLE_ID_CHARACTERS:
        raise InvalidRequest(
            f"ID may not have more than {limits.LIFECYCLE_ID_CHARACTERS} characters."
        )
    return text


def _read_seconds(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_uint(text.strip(), 0, _SECONDS_MAX)
    except ValueError:
        raise MalformedXml("MaxAgeSeconds is no number of seconds") from None


def _render_rule(rule: CorsRule) -> str:
    values = (
        ("AllowedHeader", rule.allowed_headers),
        ("AllowedMethod", rule.allowed_methods),
        ("AllowedOrigin", rule.allowed_origins),
        ("ExposeHeader", rule.expose_headers),
    )
    return element(
        "CORSRule",
        [
            optional_leaf("ID", rule.id),
            *(leaf(name, value) for name, texts in values for value in texts),
            optional_leaf(
                "MaxAgeSeconds", None if rule.max_age_s is None else str(rule.max_age_s)
            ),
        ],
    )
