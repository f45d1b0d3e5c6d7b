"""Who may not list must not learn from a GET what is there."""

import pytest

from s3o.model.tenants import EVERY_PERMISSION, Permission
from s3o.s3api.credentials import Caller
from tests.s3api.house import PHOTOS, House

ATTRIBUTES = {"x-amz-object-attributes": "ETag"}
READS = [
    ("GET", "", {}),
    ("GET", "?versionId=null", {}),
    ("GET", "?tagging", {}),
    ("GET", "?acl", {}),
    ("GET", "?attributes", ATTRIBUTES),
]


@pytest.fixture
async def house():
    """A door, and somebody who may do everything but list."""
    house = House()
    await house.put("a", b"hello")
    house.gate.callers["blind"] = Caller(
        principal=PHOTOS.owner, permissions=EVERY_PERMISSION - {Permission.LIST}
    )
    return house


@pytest.mark.parametrize(("method", "query", "headers"), READS)
async def test_an_absent_object_is_denied_to_who_may_not_list(
    house, method, query, headers
):
    """As on AWS: 403 without ListBucket, 404 with it."""
    there = await house.ask(method, f"/photos/a{query}", headers, caller="blind")
    absent = await house.ask(method, f"/photos/b{query}", headers, caller="blind")
    listed = await house.ask(method, f"/photos/b{query}", headers)

    assert [200, 403, 404] == [each.status for each in (there, absent, listed)]
    assert "<Code>AccessDenied</Code>" in absent.text


async def test_a_head_tells_no_more(house):
    """It has no body, so the status is all there is."""
    absent = await house.ask("HEAD", "/photos/b", caller="blind")
    listed = await house.ask("HEAD", "/photos/b")

    assert [(403, b""), (404, b"")] == [
        (each.status, each.body) for each in (absent, listed)
    ]
