"""Operations on buckets through the door."""

import hashlib
import re

import pytest

from s3o.model.names import BucketName
from s3o.model.tenants import EVERY_PERMISSION, Permission
from s3o.s3api.credentials import Caller
from tests.s3api.house import House


@pytest.fixture
def house():
    """A door with two buckets, one of them the caller's."""
    return House()


async def test_list_buckets_shows_what_the_caller_owns(house):
    """A bucket of others in the list breaks every clean-up script."""
    reply = await house.ask("GET", "/")

    assert 200 == reply.status
    assert "<Name>photos</Name>" in reply.text
    assert "<CreationDate>2026-01-15T11:59:59.000Z</CreationDate>" in reply.text
    assert "others" not in reply.text
    assert reply.text.startswith(
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListAllMyBucketsResult xmlns='
    )


async def test_list_buckets_pages_and_filters(house):
    """Newer SDKs page it."""
    house.buckets.buckets["photos"] = house.buckets.buckets["photos"]
    none = await house.ask("GET", "/?prefix=x&max-buckets=1")
    odd = [
        await house.ask("GET", f"/?{query}")
        for query in ("max-buckets=0", "max-buckets=10001", "continuation-token=%21")
    ]

    assert "<Bucket>" not in none.text
    assert "<Prefix>x</Prefix>" in none.text
    assert [400, 400, 400] == [each.status for each in odd]


async def test_head_bucket(house):
    """The region is told even to those who may not enter."""
    own = await house.ask("HEAD", "/photos/")
    foreign = await house.ask("HEAD", "/others")
    unknown = await house.ask("HEAD", "/nobodys")

    assert [200, 403, 403] == [own.status, foreign.status, unknown.status]
    for reply in (own, foreign, unknown):
        assert b"" == reply.body
        assert "us-east-1" == reply.headers["x-amz-bucket-region"]


async def test_get_bucket_location_is_empty(house):
    """S3's way to say us-east-1; mc, s3cmd and minio-go ask first."""
    reply = await house.ask("GET", "/photos?location=")

    assert (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        "</LocationConstraint>"
    ) == reply.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<CreateBucketConfiguration/>",
        b"<CreateBucketConfiguration><LocationConstraint>eu-west-1"
        b"</LocationConstraint></CreateBucketConfiguration>",
    ],
)
async def test_creating_ones_own_bucket_succeeds(house, body):
    """rclone creates before its first write and takes 200."""
    reply = await house.ask(
        "PUT",
        "/photos?x-id=CreateBucket",
        {"x-amz-bucket-object-lock-enabled": "false"},
        body,
    )

    assert (200, "/photos") == (reply.status, reply.headers["location"])


@pytest.mark.parametrize(
    ("target", "headers", "body", "status", "code"),
    [
        ("/others", {}, b"", 409, "BucketAlreadyExists"),
        ("/nobodys", {}, b"", 403, "AccessDenied"),
        ("/UPPER", {}, b"", 400, "InvalidBucketName"),
        ("/photos", {}, b"<Create/>", 400, "MalformedXML"),
        ("/photos", {}, b"x", 400, "MalformedXML"),
        (
            "/photos",
            {},
            b"<CreateBucketConfiguration><LocationConstraint>a b"
            b"</LocationConstraint></CreateBucketConfiguration>",
            400,
            "InvalidLocationConstraint",
        ),
        (
            "/photos",
            {},
            b"<CreateBucketConfiguration><Tags><Tag/></Tags>"
            b"</CreateBucketConfiguration>",
            400,
            "MalformedXML",
        ),
        (
            "/photos",
            {},
            b"<CreateBucketConfiguration><Bucket><Type>Directory</Type></Bucket>"
            b"</CreateBucketConfiguration>",
            501,
            "NotImplemented",
        ),
        ("/photos", {}, b" " * 70_000, 400, "MaxMessageLengthExceeded"),
        (
            "/photos",
            {"x-amz-acl": "public-read"},
            b"",
            400,
            "AccessControlListNotSupported",
        ),
        (
            "/photos",
            {"x-amz-bucket-object-lock-enabled": "true"},
            b"",
            501,
            "NotImplemented",
        ),
        ("/photos", {"x-amz-bucket-namespace": "account"}, b"", 501, "NotImplemented"),
        (
            "/photos",
            {"x-amz-object-ownership": "ObjectWriter"},
            b"",
            400,
            "AccessControlListNotSupported",
        ),
    ],
)
async def test_other_creations_are_refused(house, target, headers, body, status, code):
    """What the bucket would not have must not be promised."""
    reply = await house.ask("PUT", target, headers, body)

    assert (status, True) == (reply.status, f"<Code>{code}</Code>" in reply.text)


@pytest.fixture
def account(house):
    """The same door for an account, ann."""
    house.gate.callers["ann"] = Caller(principal="ann")
    house.gate.callers["weak"] = Caller(
        principal="ann", permissions=EVERY_PERMISSION - {Permission.DELETE}
    )
    house.gate.callers["bob"] = Caller(
        principal="bob", attached=frozenset({BucketName("photos")})
    )
    return house


async def test_an_account_makes_lists_and_deletes_its_buckets(account):
    """What SDKs, Terraform and backup programs do before anything else."""
    made = await account.ask(
        "PUT",
        "/ann-one",
        {},
        b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>"
        b"<Tags><Tag><Key>k</Key><Value>v</Value></Tag></Tags>"
        b"</CreateBucketConfiguration>",
        caller="ann",
    )
    again = await account.ask("PUT", "/ann-one", caller="ann")
    await account.ask("PUT", "/ann-two", caller="ann")
    listed = await account.ask("GET", "/", caller="ann")
    others = await account.ask("GET", "/", caller="bob")
    gone = await account.ask("DELETE", "/ann-one", caller="ann")
    after = await account.ask("HEAD", "/ann-one", caller="ann")

    assert (200, "/ann-one") == (made.status, made.headers["location"])
    assert (200, "/ann-one") == (again.status, again.headers["location"])
    assert ["ann-one", "ann-two"] == re.findall("<Name>(.*?)</Name>", listed.text)
    owner_id = hashlib.sha256(b"ann").hexdigest()
    assert f"<ID>{owner_id}</ID><DisplayName>ann</DisplayName>" in listed.text
    # What is attached is not owned: a clean-up of all one's buckets must not meet it.
    assert [] == re.findall("<Name>(.*?)</Name>", others.text)
    assert (204, b"", 404) == (gone.status, gone.body, after.status)


async def test_list_buckets_continues_where_it_stopped(account):
    """Every page but the last has a token, and no bucket is there twice."""
    for number in range(5):
        await account.ask("PUT", f"/ann-{number}", caller="ann")

    found, token, pages = [], "", 0
    while True:
        page = await account.ask(
            "GET", f"/?max-buckets=2&continuation-token={token}", caller="ann"
        )
        found += re.findall("<Name>(.*?)</Name>", page.text)
        tokens = re.findall("<ContinuationToken>(.*?)</ContinuationToken>", page.text)
        pages += 1
        if not tokens:
            break
        (token,) = tokens

    assert ([f"ann-{number}" for number in range(5)], 3) == (found, pages)


@pytest.mark.parametrize(
    ("caller", "method", "target", "status", "code"),
    [
        ("ann", "PUT", "/photos", 409, "BucketAlreadyExists"),
        ("bob", "PUT", "/anns", 409, "BucketAlreadyExists"),
        ("photos", "PUT", "/anns", 409, "BucketAlreadyExists"),
        ("weak", "PUT", "/more", 403, "AccessDenied"),
        ("ann", "PUT", "/UPPER", 400, "InvalidBucketName"),
        ("ann", "DELETE", "/photos", 403, "AccessDenied"),
        ("bob", "DELETE", "/photos", 403, "AccessDenied"),
        ("bob", "DELETE", "/anns", 403, "AccessDenied"),
        ("weak", "DELETE", "/anns", 403, "AccessDenied"),
        ("ann", "DELETE", "/nobodys", 404, "NoSuchBucket"),
    ],
)
async def test_buckets_are_made_and_deleted_by_their_owner_only(
    account, caller, method, target, status, code
):
    """And by nobody with less than all rights."""
    await account.ask("PUT", "/anns", caller="ann")
    before = dict(account.buckets.buckets)

    reply = await account.ask(method, target, caller=caller)

    assert (status, True) == (reply.status, f"<Code>{code}</Code>" in reply.text)
    assert before == account.buckets.buckets
