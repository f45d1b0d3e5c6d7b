"""CORS at the door: preflights without credentials, and what other answers carry."""

from dataclasses import replace

import pytest

from s3o.model.tenants import BucketConfig, CorsRule
from tests.s3api.house import PHOTOS, House

PAGE = "https://app.example"
ASK = {"origin": PAGE, "access-control-request-method": "PUT"}
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


@pytest.fixture
def house():
    """A bucket whose rules let one page put and get, with one header."""
    house = House()
    rules = (
        CorsRule(
            allowed_origins=(PAGE,),
            allowed_methods=("GET", "HEAD", "PUT"),
            allowed_headers=("x-amz-*",),
            expose_headers=("ETag",),
            max_age_s=60,
        ),
    )
    house.buckets.buckets["photos"] = replace(PHOTOS, config=BucketConfig(cors=rules))
    return house


async def preflight(house, target="/photos/a", **headers):
    """Ask as a browser does: without credentials."""
    fields = {**ASK, **{name.replace("_", "-"): text for name, text in headers.items()}}
    return await house.ask(
        "OPTIONS",
        target,
        {name: text for name, text in fields.items() if text is not None},
        caller=None,
    )


@pytest.mark.parametrize(
    "target", ["/photos/a", "/photos", "/photos/", "/photos/a?X-Amz-Signature=1&acl"]
)
async def test_an_allowed_preflight(house, target):
    """200, no body, and all that the browser needs."""
    reply = await preflight(
        house, target, access_control_request_headers="X-Amz-Date, x-amz-acl"
    )

    assert (200, b"") == (reply.status, reply.body)
    assert {
        "access-control-allow-origin": PAGE,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, HEAD, PUT",
        "access-control-allow-headers": "x-amz-date, x-amz-acl",
        "access-control-expose-headers": "ETag",
        "access-control-max-age": "60",
    } == {
        name: text for name, text in reply.headers.items() if name.startswith("access")
    }
    assert VARY == reply.headers["vary"]


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/photos/a", {"origin": "https://evil.example"}),
        ("/photos/a", {"access_control_request_method": "DELETE"}),
        ("/photos/a", {"access_control_request_headers": "authorization"}),
        ("/photos/a", {"access_control_request_headers": "x-amz-a b"}),
        ("/others/a", {}),
        ("/nowhere/a", {}),
        ("/nowhere", {}),
    ],
)
async def test_a_refused_preflight(house, target, headers):
    """403, and no header by which the browser could go on."""
    reply = await preflight(house, target, **headers)
    kind = "OBJECT" if target.endswith("/a") else "BUCKET"

    assert 403 == reply.status
    assert "<Code>AccessForbidden</Code>" in reply.text
    assert f"<ResourceType>{kind}</ResourceType>" in reply.text
    assert not [name for name in reply.headers if name.startswith("access-control")]


async def test_a_bucket_without_rules_is_like_none(house):
    """A stranger must not learn which buckets exist."""
    without = await preflight(house, "/others/a")
    missing = await preflight(house, "/nowhere/a")

    def words(reply):
        return reply.text.partition("<Resource>")[0]

    assert words(without) == words(missing)
    assert "CORS is not enabled for this bucket" in without.text


@pytest.mark.parametrize(
    ("target", "headers", "status", "words"),
    [
        ("/photos/a", {"origin": None}, 400, "Origin request header needed"),
        ("/photos/a", {"origin": ""}, 400, "Origin request header needed"),
        (
            "/photos/a",
            {"access_control_request_method": None},
            400,
            "Invalid Access-Control-Request-Method: null",
        ),
        ("/", {}, 405, "MethodNotAllowed"),
    ],
)
async def test_what_is_no_preflight(house, target, headers, status, words):
    """OPTIONS means nothing else here."""
    reply = await preflight(house, target, **headers)

    assert (status, True) == (reply.status, words in reply.text)


@pytest.mark.parametrize(
    ("method", "target", "caller", "status"),
    [
        ("GET", "/photos/a", "photos", 200),
        ("HEAD", "/photos/a", "photos", 200),
        ("PUT", "/photos/b", "photos", 200),
        ("GET", "/photos/none", "photos", 404),
        ("GET", "/photos/a", None, 403),
        ("GET", "/photos/a", "others", 403),
        ("GET", "/photos/a?acl&torrent", "photos", 501),
        ("GET", "/photos", "photos", 200),
    ],
)
async def test_every_answer_says_who_may_see_it(house, method, target, caller, status):
    """A page that may not read the error cannot tell its user what is wrong."""
    await house.put("a", b"meow")
    reply = await house.ask(method, target, {"origin": PAGE}, caller=caller)

    assert status == reply.status
    assert PAGE == reply.headers["access-control-allow-origin"]
    assert "ETag" == reply.headers["access-control-expose-headers"]
    assert VARY == reply.headers["vary"]


async def test_other_pages_are_told_nothing(house):
    """Nor is anybody, where there are no rules."""
    await house.put("a", b"meow")
    evil = await house.ask("GET", "/photos/a", {"origin": "https://evil.example"})
    method = await house.ask("DELETE", "/photos/a", {"origin": PAGE})
    nobody = await house.ask("GET", "/photos/a")
    no_rules = await house.ask("GET", "/others/a", {"origin": PAGE}, caller="others")

    for reply in (evil, method, nobody, no_rules):
        assert "access-control-allow-origin" not in reply.headers
    assert VARY == evil.headers["vary"] == nobody.headers["vary"]
    assert "vary" not in no_rules.headers


async def test_a_preflight_is_noted(house):
    """Every request has its line."""
    await preflight(house)
    [line] = [fact for fact in house.observer.facts if hasattr(fact, "request_bytes")]

    assert ("s3.Preflight", "OPTIONS", 200) == (line.event, line.method, line.status)
