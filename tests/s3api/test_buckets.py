"""Operations on buckets through the door."""

import pytest

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
