"""Public buckets: strangers read objects, and nothing else is possible for them."""

from dataclasses import replace

import pytest

from s3o.model.tenants import BucketConfig
from s3o.s3api.credentials import CredentialBook, Grant
from s3o.s3api.gate import CredentialGate
from tests.s3api.house import PHOTOS, House


@pytest.fixture
async def house():
    """One public bucket with an object, one private, and real authentication."""
    house = House()
    await house.put("a", b"meow")
    public = replace(PHOTOS, config=BucketConfig(public_read=True))
    house.buckets.buckets["photos"] = public
    book = CredentialBook(
        [
            Grant(
                principal=PHOTOS.owner,
                access_key_id="photoskey",
                secret_access_key="photossecret",
            )
        ],
        allows_sigv2=True,
    )
    house.door._gate = CredentialGate(house.clock, lambda: book)
    return house


async def test_strangers_read_a_public_object(house):
    """Whole, in part, conditionally, or only its head."""
    whole = await house.ask("GET", "/photos/a", caller=None)
    part = await house.ask("GET", "/photos/a", {"range": "bytes=1-2"}, caller=None)
    head = await house.ask("HEAD", "/photos/a", caller=None)
    fresh = await house.ask(
        "GET", "/photos/a", {"if-none-match": whole.headers["etag"]}, caller=None
    )
    tracked = await house.ask("GET", "/photos/a?utm_source=x", caller=None)

    assert (200, b"meow") == (whole.status, whole.body)
    assert (206, b"eo") == (part.status, part.body)
    assert (200, "4") == (head.status, head.headers["content-length"])
    assert (304, 200) == (fresh.status, tracked.status)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_absent_object_is_denied(house, method):
    """Who may not list must not find out which keys exist."""
    reply = await house.ask(method, "/photos/none", caller=None)

    assert 403 == reply.status


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("GET", "/photos"),
        ("HEAD", "/photos"),
        ("GET", "/photos?list-type=2"),
        ("GET", "/photos?location"),
        ("GET", "/photos?acl"),
        ("GET", "/photos?uploads"),
        ("GET", "/photos?versions"),
        ("GET", "/photos?policy"),
        ("PUT", "/photos"),
        ("DELETE", "/photos"),
        ("POST", "/photos?delete"),
        ("PUT", "/photos/a"),
        ("PUT", "/photos/new"),
        ("PUT", "/photos/a?tagging"),
        ("PUT", "/photos/a?partNumber=1&uploadId=x"),
        ("POST", "/photos/a?uploads"),
        ("DELETE", "/photos/a"),
        ("GET", "/photos/a?tagging"),
        ("GET", "/photos/a?acl"),
        ("GET", "/photos/a?attributes"),
        ("GET", "/photos/a?partNumber=1"),
        ("GET", "/photos/a?versionId=null"),
        ("GET", "/photos/a?uploadId=x"),
        ("GET", "/photos/a?torrent"),
        ("GET", "/photos/a?metadataTable"),
        ("HEAD", "/photos/a?tagging"),
        ("PATCH", "/photos/a"),
        ("GET", "/others"),
        ("GET", "/others/a"),
        ("HEAD", "/others/a"),
        ("GET", "/nowhere/a"),
        ("GET", "/nowhere"),
    ],
)
async def test_nothing_else_is_public(house, method, target):
    """403 for all of it, and the bucket stays as it was."""
    reply = await house.ask(method, target, caller=None)

    assert 403 == reply.status
    if method != "HEAD":
        assert "<Code>AccessDenied</Code>" in reply.text
    assert [("photos", "a")] == list(house.objects.objects)


@pytest.mark.parametrize(
    "name",
    [
        *("response-content-type", "response-content-disposition"),
        *("response-cache-control", "response-expires"),
        *("response-content-encoding", "response-content-language"),
    ],
)
async def test_strangers_do_not_choose_headers(house, name):
    """A link to the bucket must not become somebody's web page."""
    reply = await house.ask("GET", f"/photos/a?{name}=text%2Fhtml", caller=None)
    private = await house.ask("GET", f"/others/a?{name}=text%2Fhtml", caller=None)

    assert (400, True) == (reply.status, "<Code>InvalidRequest</Code>" in reply.text)
    assert 403 == private.status


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", {"authorization": ""}, 403),
        ("", {"authorization": "Basic eDp5"}, 400),
        ("", {"authorization": "AWS photoskey:x"}, 400),
        ("", {"authorization": "AWS4-HMAC-SHA256 Credential=x"}, 403),
        ("", {"x-proxy-token": ""}, 403),
        ("", {"x-proxy-token": "wrong"}, 403),
        ("", {"x-amz-security-token": "t"}, 403),
        ("?X-Amz-Security-Token=t", {}, 403),
        ("?X-Amz-Signature=0", {}, 400),
        ("?X-Amz-Algorithm=AWS4-HMAC-SHA256", {}, 400),
        ("?x-amz-credential=a", {}, 400),
        ("?AWSAccessKeyId=photoskey", {}, 403),
        ("?Signature=x", {}, 403),
        ("?AWSAccessKeyId=photoskey&Signature=x&Expires=4000000000", {}, 403),
        ("?AWSAccessKeyId=nobody&Signature=x&Expires=4000000000", {}, 403),
    ],
)
async def test_bad_credentials_are_not_none(house, query, headers, status):
    """Whoever shows some is judged by them, on a public bucket as elsewhere."""
    reply = await house.ask("GET", f"/photos/a{query}", headers, caller=None)

    assert status == reply.status


async def test_a_bucket_is_private_again_at_once(house):
    """The configuration of this moment decides."""
    house.buckets.buckets["photos"] = PHOTOS
    reply = await house.ask("GET", "/photos/a", caller=None)

    assert 403 == reply.status
