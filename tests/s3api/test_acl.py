"""ACLs and ownership: what is the case is told and accepted, all else refused."""

import hashlib
from dataclasses import replace

import pytest

from s3o.model.tenants import BucketConfig
from tests.s3api.house import PHOTOS, House

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
OWNER = hashlib.sha256(PHOTOS.owner.encode()).hexdigest()
WHO = f"<ID>{OWNER}</ID><DisplayName>photos</DisplayName>"
ACL = (
    f"{HEAD}<AccessControlPolicy {NAMESPACE}><Owner>{WHO}</Owner><AccessControlList>"
    '<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    f'xsi:type="CanonicalUser">{WHO}</Grantee><Permission>FULL_CONTROL</Permission>'
    "</Grant></AccessControlList></AccessControlPolicy>"
)
EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"
OWNERSHIP = (
    f"{HEAD}<OwnershipControls {NAMESPACE}><Rule>"
    "<ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>"
)
TARGETS = ("/photos?acl", "/photos/a?acl")


@pytest.fixture
async def house():
    """A door with one object."""
    house = House()
    await house.put("a", b"hello")
    return house


@pytest.mark.parametrize("target", [*TARGETS, "/photos/a?acl&versionId=null"])
async def test_the_owner_has_full_control_of_everything(house, target):
    """Cyberduck, mc and Terraform read ACLs before anything else."""
    reply = await house.ask("GET", target)

    assert (200, "application/xml") == (reply.status, reply.headers["content-type"])
    assert reply.text == ACL


@pytest.mark.parametrize("target", TARGETS)
async def test_what_is_the_case_can_be_put(house, target):
    """As a canned ACL, or as the document that a GET gave."""
    replies = [
        await house.ask("PUT", target, {"x-amz-acl": "private"}),
        await house.ask("PUT", target, {"x-amz-acl": "bucket-owner-full-control"}),
        await house.ask("PUT", target, body=ACL.encode()),
    ]

    assert [(200, b"")] * 3 == [(each.status, each.body) for each in replies]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "acl",
    [
        *("public-read", "public-read-write", "authenticated-read"),
        *("aws-exec-read", "bucket-owner-read", "log-delivery-write"),
    ],
)
async def test_other_canned_acls_are_refused(house, target, acl):
    """Who thinks that an object is public must not find out in production."""
    reply = await house.ask("PUT", target, {"x-amz-acl": acl})

    assert 400 == reply.status
    assert (
        "<Code>AccessControlListNotSupported</Code>"
        "<Message>The bucket does not allow ACLs</Message>"
    ) in reply.text


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({}, b"", "MissingSecurityHeader"),
        ({"x-amz-acl": "private"}, ACL.encode(), "UnexpectedContent"),
        ({"x-amz-acl": "publik"}, b"", "InvalidArgument"),
        (
            {"x-amz-grant-read": f"uri={EVERYBODY}"},
            b"",
            "AccessControlListNotSupported",
        ),
        ({}, ACL.replace(OWNER, "0" * 64), "AccessControlListNotSupported"),
        ({}, ACL.replace("FULL_CONTROL", "READ"), "AccessControlListNotSupported"),
        (
            {},
            ACL.replace(
                "</AccessControlList>",
                f"<Grant><Grantee><URI>{EVERYBODY}</URI></Grantee>"
                "<Permission>READ</Permission></Grant></AccessControlList>",
            ),
            "AccessControlListNotSupported",
        ),
        (
            {},
            "<AccessControlPolicy><AccessControlList/></AccessControlPolicy>",
            "AccessControlListNotSupported",
        ),
        ({}, "<AccessControlPolicy/>", "MalformedXML"),
        ({}, "<Policy><AccessControlList/></Policy>", "MalformedXML"),
        ({}, ACL.replace("Grantee", "Somebody"), "MalformedXML"),
        ({}, ACL[:-3], "MalformedXML"),
    ],
)
async def test_an_acl_that_would_mean_something_is_refused(
    house, target, headers, body, code
):
    """Accepted and ignored, it would be a hole or a lock that is not there."""
    raw = body if isinstance(body, bytes) else body.encode()
    reply = await house.ask("PUT", target, headers, raw)

    assert (400, True) == (reply.status, f"<Code>{code}</Code>" in reply.text)


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_what_is_not_there_has_no_acl(house, method):
    """Though every object's would be the same."""
    headers = {"x-amz-acl": "private"} if method == "PUT" else {}
    reply = await house.ask(method, "/photos/none?acl", headers)
    old = await house.ask(method, "/photos/a?acl&versionId=" + "x" * 32, headers)

    assert (404, True) == (reply.status, "<Code>NoSuchKey</Code>" in reply.text)
    assert (404, True) == (old.status, "<Code>NoSuchVersion</Code>" in old.text)


async def test_the_owner_is_enforced(house):
    """AWS's default since 2023; consoles and Terraform ask for it."""
    got = await house.ask("GET", "/photos?ownershipControls")
    put = await house.ask("PUT", "/photos?ownershipControls", body=OWNERSHIP.encode())

    assert (200, OWNERSHIP) == (got.status, got.text)
    assert (200, b"") == (put.status, put.body)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (
            OWNERSHIP.replace("BucketOwnerEnforced", "ObjectWriter"),
            "AccessControlListNotSupported",
        ),
        (
            OWNERSHIP.replace("BucketOwnerEnforced", "BucketOwnerPreferred"),
            "AccessControlListNotSupported",
        ),
        (OWNERSHIP.replace("BucketOwnerEnforced", "Nobody"), "MalformedXML"),
        (OWNERSHIP.replace("Rule", "Role"), "MalformedXML"),
        (OWNERSHIP.replace("OwnershipControls", "Ownership"), "MalformedXML"),
        ("<OwnershipControls/>", "MalformedXML"),
        ("", "MalformedXML"),
    ],
)
async def test_other_ownerships_are_refused(house, body, code):
    """They would switch ACLs on."""
    reply = await house.ask("PUT", "/photos?ownershipControls", body=body.encode())

    assert (400, True) == (reply.status, f"<Code>{code}</Code>" in reply.text)


@pytest.mark.parametrize(
    "target", ["/photos/a?acl", "/photos/a?tagging", "/photos/a?attributes"]
)
async def test_public_are_objects_and_not_what_is_said_of_them(house, target):
    """As on AWS, where public-read grants GetObject and no other call."""
    house.buckets.buckets["photos"] = replace(
        PHOTOS, config=BucketConfig(public_read=True)
    )
    read = await house.ask("GET", "/photos/a", caller="anonymous")
    headers = {"x-amz-object-attributes": "ETag"} if "attributes" in target else {}
    reply = await house.ask("GET", target, headers, caller="anonymous")

    assert [200, 403] == [read.status, reply.status]
