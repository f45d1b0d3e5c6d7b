"""versionId where there is no versioning: `null` is the object, all else is refused."""

import pytest

from tests.s3api.house import House

UNKNOWN = "3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrH"


@pytest.fixture
async def house():
    """A door with one object."""
    house = House()
    await house.put("a", b"hello")
    return house


async def test_the_null_version_is_the_object(house):
    """Clients that list versions name it in every later call."""
    get = await house.ask("GET", "/photos/a?versionId=null")
    part = await house.ask("GET", "/photos/a?versionId=null", {"range": "bytes=1-2"})
    head = await house.ask("HEAD", "/photos/a?versionId=null")
    deleted = await house.ask("DELETE", "/photos/a?versionId=null")

    assert [(200, b"hello"), (206, b"el")] == [
        (each.status, each.body) for each in (get, part)
    ]
    assert (200, "5") == (head.status, head.headers["content-length"])
    assert (204, {}) == (deleted.status, house.objects.objects)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        (f"versionId={UNKNOWN}", 404, "NoSuchVersion"),
        ("versionId=", 400, "InvalidArgument"),
        ("versionId", 400, "InvalidArgument"),
        ("versionId=Null", 400, "InvalidArgument"),
        ("versionId=1", 400, "InvalidArgument"),
        ("versionId=" + "%00" * 32, 400, "InvalidArgument"),
        (f"versionId=null&versionId={UNKNOWN}", 400, "InvalidArgument"),
    ],
)
@pytest.mark.parametrize("suffix", ["", "&tagging"])
async def test_any_other_version_is_refused(house, query, status, code, suffix):
    """Taken for the object, a DELETE of an old version would delete the only one."""
    for method in ("GET", "DELETE"):
        reply = await house.ask(method, f"/photos/a?{query}{suffix}")
        assert (status, True) == (reply.status, f"<Code>{code}</Code>" in reply.text)
    head = await house.ask("HEAD", f"/photos/a?{query}")

    assert (status, b"") == (head.status, head.body)
    assert ("photos", "a") in house.objects.objects


async def test_a_refused_version_is_named(house):
    """The document says which key and version it is about."""
    missing = await house.ask("GET", f"/photos/a?versionId={UNKNOWN}")
    invalid = await house.ask("GET", "/photos/a?versionId=x")

    assert (
        "<Message>The specified version does not exist.</Message>"
        f"<Key>a</Key><VersionId>{UNKNOWN}</VersionId>"
    ) in missing.text
    assert (
        "<Message>Invalid version id specified</Message>"
        "<ArgumentName>versionId</ArgumentName><ArgumentValue>x</ArgumentValue>"
    ) in invalid.text


async def test_an_absent_object_has_no_null_version(house):
    """A DELETE of it succeeds all the same."""
    get = await house.ask("GET", "/photos/b?versionId=null")
    head = await house.ask("HEAD", "/photos/b?versionId=null")
    deleted = await house.ask("DELETE", "/photos/b?versionId=null")

    assert (404, True) == (get.status, "<Code>NoSuchVersion</Code>" in get.text)
    assert [404, 204] == [head.status, deleted.status]
