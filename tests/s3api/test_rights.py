"""What a caller may do: by bucket, by permission, by key."""

from dataclasses import replace

import pytest

from s3o.model.errors import AccessDenied, NoSuchBucket
from s3o.model.names import BucketName, ObjectKey
from s3o.model.tenants import BucketConfig, Permission
from s3o.s3api.authorize import authorize
from s3o.s3api.credentials import Caller
from tests.s3api.house import OTHERS, PHOTOS, House

DELETE_BOTH = (
    b"<Delete><Object><Key>in/a</Key></Object><Object><Key>out/a</Key></Object>"
    b"</Delete>"
)


@pytest.fixture
def house():
    """A door, and callers with less than all rights."""
    house = House()
    for permission in Permission:
        house.gate.callers[permission] = Caller(
            principal=PHOTOS.owner, permissions=frozenset({permission})
        )
    house.gate.callers["confined"] = Caller(
        principal=PHOTOS.owner, key_prefixes=("in/", "also/")
    )
    house.gate.callers["ann"] = Caller(
        principal="ann", attached=frozenset({PHOTOS.name})
    )
    return house


async def ask(house, caller, method, target, body=b""):
    """Ask as somebody; return the status."""
    return (await house.ask(method, target, {}, body, caller=caller)).status


REQUESTS = {
    "GetObject": ("GET", "/photos/a", b""),
    "HeadObject": ("HEAD", "/photos/a", b""),
    "PutObject": ("PUT", "/photos/a", b"x"),
    "DeleteObject": ("DELETE", "/photos/a", b""),
    "DeleteObjects": ("POST", "/photos?delete", DELETE_BOTH),
    "ListObjects": ("GET", "/photos", b""),
    "ListObjectsV2": ("GET", "/photos?list-type=2", b""),
    "ListObjectVersions": ("GET", "/photos?versions", b""),
    "GetObjectTagging": ("GET", "/photos/a?tagging", b""),
    "PutObjectTagging": ("PUT", "/photos/a?tagging", b"<Tagging/>"),
    "DeleteObjectTagging": ("DELETE", "/photos/a?tagging", b""),
    "GetObjectAttributes": ("GET", "/photos/a?attributes", b""),
    "GetObjectAcl": ("GET", "/photos/a?acl", b""),
    "PutObjectAcl": ("PUT", "/photos/a?acl", b"<A/>"),
    "PutBucketAcl": ("PUT", "/photos?acl", b"<A/>"),
    "PutBucketOwnershipControls": ("PUT", "/photos?ownershipControls", b"<O/>"),
}
NEEDS = {
    "GetObject": "read",
    "HeadObject": "read",
    "PutObject": "write",
    "DeleteObject": "delete",
    "DeleteObjects": "delete",
    "ListObjects": "list",
    "ListObjectsV2": "list",
    "ListObjectVersions": "list",
    "GetObjectTagging": "read",
    "PutObjectTagging": "write",
    "DeleteObjectTagging": "write",
    "GetObjectAttributes": "read",
    "GetObjectAcl": "read",
    "PutObjectAcl": "write",
    "PutBucketAcl": "own",
    "PutBucketOwnershipControls": "own",
}


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("permission", ["read", "write", "delete", "list"])
async def test_each_operation_needs_its_permission(house, name, permission):
    """A credential that only writes must not read, and so on."""
    method, target, body = REQUESTS[name]
    await house.ask("PUT", "/photos/a", {}, b"meow")

    status = await ask(house, permission, method, target, body)

    assert (403 == status) == (permission != NEEDS[name])


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_a_confined_credential_reaches_no_other_key(house, method):
    """Prefixes part the users of one bucket."""
    for key in ("in/a", "also/a", "out/a", "In/a", "in"):
        await house.ask("PUT", f"/photos/{key}", {}, b"meow")

    statuses = {
        key: await ask(house, "confined", method, f"/photos/{key}")
        for key in ("in/a", "also/a", "out/a", "In/a", "in", "%69n/../out/a")
    }

    assert {403} == {statuses[key] for key in ("out/a", "In/a", "in")}
    assert 403 not in {statuses[key] for key in ("in/a", "also/a")}
    # Nothing is normalised: this key does begin with "in/".
    assert 403 != statuses["%69n/../out/a"]


@pytest.mark.parametrize("version", ["", "list-type=2&"])
async def test_a_confined_credential_lists_only_its_prefixes(house, version):
    """Names of others' keys are theirs, too; no marker leads out of the prefix."""
    for key in ("in/a", "out/a"):
        await house.ask("PUT", f"/photos/{key}", {}, b"meow")

    refused = [
        await ask(house, "confined", "GET", f"/photos?{version}{query}")
        for query in (
            "",
            "prefix=",
            "prefix=i",
            "prefix=out/",
            "prefix=out/&prefix=in/",
        )
    ]
    listed = await house.ask(
        "GET",
        f"/photos?{version}prefix=in/&start-after=a&marker=a&prefix=out/",
        caller="confined",
    )

    assert [403] * 5 == refused
    assert "<Key>in/a</Key>" in listed.text
    assert "out/a" not in listed.text


async def test_a_confined_credential_deletes_only_its_keys_in_a_batch(house):
    """The keys stand in the document, which the door does not read."""
    for key in ("in/a", "out/a"):
        await house.ask("PUT", f"/photos/{key}", {}, b"meow")

    reply = await house.ask(
        "POST", "/photos?delete", {}, DELETE_BOTH, caller="confined"
    )

    assert "<Deleted><Key>in/a</Key></Deleted>" in reply.text
    assert "<Key>out/a</Key><Code>AccessDenied</Code>" in reply.text
    assert {("photos", "out/a")} == set(house.objects.objects)


async def test_an_account_enters_what_is_attached_and_learns_what_is_not_there(house):
    """Its own credentials know no other bucket; an account is told as on AWS."""
    statuses = {
        (caller, target): await ask(house, caller, "GET", target)
        for caller in ("ann", "photos")
        for target in ("/photos", "/others", "/nobodys", "/nobodys/key")
    }

    assert [200, 403, 404, 404] == [
        statuses["ann", target]
        for target in ("/photos", "/others", "/nobodys", "/nobodys/key")
    ]
    assert [200, 403, 403, 403] == [
        statuses["photos", target]
        for target in ("/photos", "/others", "/nobodys", "/nobodys/key")
    ]


async def test_anonymous_callers_read_public_objects_and_nothing_else(house):
    """public_read is for objects: no listing, no write, no bucket made."""
    public = replace(OTHERS, config=BucketConfig(public_read=True))
    house.buckets.buckets["others"] = public
    for bucket in ("photos", "others"):
        await house.ask("PUT", f"/{bucket}/a", {}, b"meow", caller=bucket)

    statuses = [
        await ask(house, "anonymous", method, target)
        for method, target in (
            ("GET", "/others/a"),
            ("HEAD", "/others/a"),
            ("GET", "/photos/a"),
            ("GET", "/nobodys/a"),
            ("GET", "/others"),
            ("HEAD", "/others"),
            ("GET", "/others?location"),
            ("PUT", "/others/a"),
            ("DELETE", "/others/a"),
            ("POST", "/others?delete"),
            ("PUT", "/others"),
            ("PUT", "/nobodys"),
            ("GET", "/"),
        )
    ]

    assert [200, 200] + [403] * 11 == statuses


def test_a_second_bucket_is_authorized_as_the_first():
    """A copy's source is read by the same rules as a GET of it."""
    buckets = {"photos": PHOTOS, "others": OTHERS}

    def find(name):
        if name not in buckets:
            raise NoSuchBucket(name)
        return buckets[name]

    def ask_for(name, caller, key="in/a"):
        return authorize(find, caller, name, ObjectKey(key), Permission.READ)

    own = Caller(principal=PHOTOS.owner)
    ann = Caller(principal="ann", attached=frozenset({BucketName("others")}))
    writer = replace(own, permissions=frozenset({Permission.WRITE}))
    confined = replace(own, key_prefixes=("in/",))

    assert PHOTOS == ask_for("photos", own)
    assert OTHERS == ask_for("others", ann)
    assert PHOTOS == ask_for("photos", confined)
    for name, caller, key in (
        ("others", own, "in/a"),
        ("nobodys", own, "in/a"),
        ("photos", ann, "in/a"),
        ("Photos", own, "in/a"),
        ("photos", writer, "in/a"),
        ("photos", confined, "out/a"),
    ):
        with pytest.raises(AccessDenied):
            ask_for(name, caller, key)
    with pytest.raises(NoSuchBucket):
        ask_for("nobodys", ann)


def test_only_all_rights_together_own_a_bucket():
    """Configuration decides what happens to every key."""
    whole = Caller(principal="ann")
    parts = [
        replace(whole, permissions=whole.permissions - {permission})
        for permission in whole.permissions
    ]

    assert whole.may(Permission.OWN)
    assert not any(part.may(Permission.OWN) for part in parts)
    assert not replace(whole, key_prefixes=("a",)).may(Permission.OWN)
    assert not replace(whole, is_anonymous=True).may(Permission.OWN)
