"""CORS rules: which page may see what, decided by the first rule that fits."""

import pytest

from s3o.model.tenants import CorsRule
from s3o.policy.cors import (
    VARY,
    Preflight,
    answer_preflight,
    answer_request,
    parse_request_headers,
)

PAGE = "https://app.example"


def rule(*origins, methods=("GET", "PUT"), **rest):
    """Return a rule for these origins."""
    return CorsRule(allowed_origins=origins, allowed_methods=methods, **rest)


def ask(*rules, origin=PAGE, method="PUT", headers=()):
    """Return a preflight's answer as a dictionary, or None."""
    asked = Preflight(origin=origin, method=method, headers=tuple(headers))
    found = answer_preflight(rules, asked)
    return None if found is None else dict(found)


@pytest.mark.parametrize(
    ("pattern", "origin", "fits"),
    [
        ("*", PAGE, True),
        ("*", "null", True),
        (PAGE, PAGE, True),
        (PAGE, "https://app.example.evil", False),
        (PAGE, "https://app.example:8080", False),
        (PAGE, "http://app.example", False),
        (PAGE, "https://APP.example", False),
        (PAGE, "", False),
        ("https://*.example", PAGE, True),
        ("https://*.example", "https://.example", True),
        ("https://*.example", "https://example", False),
        ("https://*.example", "https://app.example.evil", False),
        ("https://*", PAGE, True),
        ("https://*", "http://app.example", False),
        ("ab*ba", "aba", False),
        ("ab*ba", "abba", True),
        ("https://a.example", "https://a.example, https://b.example", False),
        ("*", "https://a\r\nx: y", False),
        ("*", "https://\u00e4", False),
    ],
)
def test_origins(pattern, origin, fits):
    """A star is any run of characters; nothing else is a pattern."""
    assert (ask(rule(pattern), origin=origin) is not None) is fits
    answered = dict(answer_request([rule(pattern)], origin, "GET"))
    assert ("access-control-allow-origin" in answered) is fits


def test_a_rule_for_everybody_allows_no_credentials():
    """Reflecting every origin with credentials would open the bucket to any page."""
    everybody = ask(rule("*"))
    one = ask(rule(PAGE))
    some = ask(rule("https://*.example"))

    assert "*" == everybody["access-control-allow-origin"]
    assert "access-control-allow-credentials" not in everybody
    assert PAGE == one["access-control-allow-origin"]
    assert PAGE == some["access-control-allow-origin"]
    assert "true" == one["access-control-allow-credentials"]


def test_a_whole_preflight():
    """Every header there is."""
    full = rule(
        PAGE,
        allowed_headers=("*",),
        expose_headers=("ETag", "x-amz-request-id"),
        max_age_s=3000,
    )

    assert {
        "access-control-allow-origin": PAGE,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "ETag, x-amz-request-id",
        "access-control-allow-methods": "GET, PUT",
        "access-control-allow-headers": "content-type, x-amz-meta-a",
        "access-control-max-age": "3000",
        VARY[0]: VARY[1],
    } == ask(full, headers=("content-type", "x-amz-meta-a"))


@pytest.mark.parametrize(
    ("allowed", "asked", "fits"),
    [
        ((), (), True),
        ((), ("content-type",), False),
        (("*",), ("content-type", "x-amz-date"), True),
        (("Content-Type",), ("content-type",), True),
        (("content-type",), ("content-type", "x-amz-date"), False),
        (("x-amz-*",), ("x-amz-date", "x-amz-acl"), True),
        (("x-amz-*", "authorization"), ("x-amz-date", "authorization"), True),
        (("x-amz-*",), ("x-am",), False),
    ],
)
def test_headers(allowed, asked, fits):
    """Every header that the page wants to send must be allowed."""
    found = ask(rule(PAGE, allowed_headers=allowed), headers=asked)

    assert (found is not None) is fits


def test_methods():
    """A rule is for its methods, in a preflight and in an answer."""
    only_get = rule(PAGE, methods=("GET",))

    assert ask(only_get, method="PUT") is None
    assert ask(only_get, method="get") is None
    assert (VARY,) == answer_request([only_get], PAGE, "PUT")
    assert "GET" == ask(only_get, method="GET")["access-control-allow-methods"]


def test_the_first_rule_that_fits_counts():
    """As S3 does: a later, wider rule is not looked at."""
    first = rule(PAGE, methods=("GET",), max_age_s=1)
    second = rule("*", max_age_s=2)

    assert "1" == ask(first, second, method="GET")["access-control-max-age"]
    assert "2" == ask(first, second, method="PUT")["access-control-max-age"]
    headered = ask(
        first,
        rule(PAGE, allowed_headers=("*",), max_age_s=3),
        method="GET",
        headers=("x-a",),
    )
    assert "3" == headered["access-control-max-age"]


def test_caches_are_always_told():
    """An answer to nobody must not be served to a page, nor the reverse."""
    assert () == answer_request((), PAGE, "GET")
    assert (VARY,) == answer_request([rule(PAGE)], None, "GET")
    assert (VARY,) == answer_request([rule(PAGE)], "https://evil", "GET")
    assert VARY in answer_request([rule(PAGE)], PAGE, "GET")


def test_what_no_header_can_carry_is_left_out():
    """A stored rule is never able to break an answer."""
    odd = rule("*", expose_headers=("ETag", "a\r\nb", "", "x y"))

    assert "ETag" == ask(odd)["access-control-expose-headers"]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("", ()),
        ("Content-Type", ("content-type",)),
        ("x-a,  x-B ,", ("x-a", "x-b")),
        ("x a", None),
        ("x-a, \u00e4", None),
        ("x-a;q=1", None),
        ('"x"', None),
    ],
)
def test_requested_headers(value, names):
    """They are repeated in the answer, so they must be names."""
    assert names == parse_request_headers(value)
