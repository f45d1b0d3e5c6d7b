"""Tag sets through the door: exact documents, S3's limits and codes."""

import pytest

from s3o.model.errors import LedgerUnavailable
from tests.s3api.house import House

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
EMPTY = f"{HEAD}<Tagging {NAMESPACE}><TagSet></TagSet></Tagging>"


def tagging(*tags):
    """A Tagging document as clients write it."""
    rendered = "".join(
        f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in tags
    )
    return f"<Tagging><TagSet>{rendered}</TagSet></Tagging>".encode()


@pytest.fixture
async def house():
    """A door with one object."""
    house = House()
    await house.put("a", b"hello")
    return house


async def test_tags_are_put_got_and_deleted(house):
    """The object keeps its bytes, its ETag and its date through all of it."""
    before = await house.ask("GET", "/photos/a", {"x-request-id": "r"})
    put = await house.ask(
        "PUT", "/photos/a?tagging", body=tagging(("b", "1"), ("a", ""))
    )
    tagged = await house.ask("GET", "/photos/a", {"x-request-id": "r"})
    deleted = await house.ask("DELETE", "/photos/a?tagging")
    after = await house.ask("GET", "/photos/a", {"x-request-id": "r"})

    assert [200, 204] == [put.status, deleted.status]
    assert "2" == tagged.headers.pop("x-amz-tagging-count")
    assert before == tagged == after


async def test_a_tag_set_is_exact(house):
    """Order kept; the count shows on GET and HEAD."""
    put = await house.ask(
        "PUT", "/photos/a?tagging", body=tagging(("b", "1 = é"), ("a", ""))
    )
    got = await house.ask("GET", "/photos/a?tagging=")
    head = await house.ask("HEAD", "/photos/a")
    get = await house.ask("GET", "/photos/a")

    assert (200, b"", "0") == (put.status, put.body, put.headers["content-length"])
    assert "application/xml" == got.headers["content-type"]
    assert (
        f"{HEAD}<Tagging {NAMESPACE}><TagSet>"
        "<Tag><Key>b</Key><Value>1 = é</Value></Tag>"
        "<Tag><Key>a</Key><Value></Value></Tag>"
        "</TagSet></Tagging>"
    ) == got.text
    assert "2" == head.headers["x-amz-tagging-count"]
    assert ("2", b"hello") == (get.headers["x-amz-tagging-count"], get.body)


async def test_a_put_replaces_the_whole_set(house):
    """Also the set that came with the object; an empty set is none."""
    await house.put("b", b"", {"x-amz-tagging": "old=1&older=2"})
    shown = await house.ask("GET", "/photos/b?tagging")
    await house.ask("PUT", "/photos/b?tagging", body=tagging(("new", "3")))
    one = await house.ask("GET", "/photos/b?tagging")
    await house.ask("PUT", "/photos/b?tagging", body=tagging())
    none = await house.ask("GET", "/photos/b?tagging")

    assert "<Key>old</Key>" in shown.text
    assert "<Key>new</Key>" in one.text
    assert "old" not in one.text
    assert EMPTY == none.text


async def test_deleting_tags_twice_succeeds(house):
    """204, whatever was there."""
    await house.ask("PUT", "/photos/a?tagging", body=tagging(("a", "1")))
    replies = [await house.ask("DELETE", "/photos/a?tagging") for _ in range(2)]
    got = await house.ask("GET", "/photos/a?tagging")

    assert [204, 204] == [each.status for each in replies]
    assert EMPTY == got.text


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (tagging(*((f"k{at}", "") for at in range(11))), "BadRequest"),
        (tagging(*((f"k{at}", "") for at in range(150))), "BadRequest"),
        (tagging(("k" * 129, "")), "InvalidTag"),
        (tagging(("k", "v" * 257)), "InvalidTag"),
        (tagging(("k", "1"), ("k", "2")), "InvalidTag"),
        (tagging(("", "1")), "InvalidTag"),
        (tagging(("k?", "1")), "InvalidTag"),
        (tagging(("k", "1;")), "InvalidTag"),
        (tagging(("aws:k", "1")), "InvalidTag"),
        (b"", "MalformedXML"),
        (b"<Tagging>", "MalformedXML"),
        (b"<Tagging/>", "MalformedXML"),
        (b"<Tags><TagSet/></Tags>", "MalformedXML"),
        (b"<Tagging><TagSet/><TagSet/></Tagging>", "MalformedXML"),
        (b"<Tagging><TagSet/><Other/></Tagging>", "MalformedXML"),
        (b"<Tagging><TagSet><Tag/></TagSet></Tagging>", "MalformedXML"),
        (
            b"<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>",
            "MalformedXML",
        ),
        (
            b"<Tagging><TagSet><Tag><Key>k</Key><Key>l</Key><Value/></Tag></TagSet>"
            b"</Tagging>",
            "MalformedXML",
        ),
        (
            b"<Tagging><TagSet><Tag><Key><a/></Key><Value/></Tag></TagSet></Tagging>",
            "MalformedXML",
        ),
        (
            b"<Tagging><TagSet><T><Key>k</Key><Value/></T></TagSet></Tagging>",
            "MalformedXML",
        ),
        (b"<Tagging>" + b" " * (1 << 20) + b"</Tagging>", "MaxMessageLengthExceeded"),
    ],
)
async def test_a_bad_tag_set_changes_nothing(house, body, code):
    """Limits and codes as AWS has them: ten tags, 128 and 256 characters."""
    await house.ask("PUT", "/photos/a?tagging", body=tagging(("kept", "1")))
    reply = await house.ask("PUT", "/photos/a?tagging", body=body)
    kept = await house.ask("GET", "/photos/a?tagging")

    assert (400, True) == (reply.status, f"<Code>{code}</Code>" in reply.text)
    assert "<Key>kept</Key>" in kept.text


async def test_the_largest_tag_set_is_accepted(house):
    """Ten tags, characters counted and not bytes."""
    tags = [(f"{at}" + "é" * 127, "ü" * 256) for at in range(10)]
    put = await house.ask("PUT", "/photos/a?tagging", body=tagging(*tags))
    head = await house.ask("HEAD", "/photos/a")

    assert (200, "10") == (put.status, head.headers["x-amz-tagging-count"])


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
async def test_what_is_not_there_has_no_tags(house, method):
    """NoSuchKey; with a version id it is the version that is missing."""
    body = tagging(("k", "1")) if method == "PUT" else b""
    plain = await house.ask(method, "/photos/none?tagging", body=body)
    named = await house.ask(method, "/photos/none?tagging&versionId=null", body=body)

    assert (404, True) == (plain.status, "<Code>NoSuchKey</Code>" in plain.text)
    assert (404, True) == (named.status, "<Code>NoSuchVersion</Code>" in named.text)
    assert ("photos", "none") not in house.objects.objects


async def test_tags_need_the_ledger(house):
    """There is no other place for them."""
    house.objects.failures["put_tags"] = LedgerUnavailable("down")
    reply = await house.ask("PUT", "/photos/a?tagging", body=tagging(("k", "1")))

    assert 503 == reply.status
