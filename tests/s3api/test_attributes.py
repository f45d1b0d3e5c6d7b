"""GetObjectAttributes: the exact document, its paging, its refusals."""

from xml.etree import ElementTree

import pytest

from s3o.model.values import Checksum, ChecksumAlgorithm, ChecksumType
from s3o.wire.dates import render_http_date
from tests.fakes.clock import START_US
from tests.s3api.house import House

ALL = "ETag,Checksum,ObjectParts,StorageClass,ObjectSize"
NAMES = "x-amz-object-attributes"
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<GetObjectAttributesResponse '
    'xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
)
END = "</GetObjectAttributesResponse>"
NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


@pytest.fixture
async def house():
    """A door with a plain object and one of three parts."""
    house = House()
    await house.put("a", b"hello")
    await house.put("parts", b"hello")
    house.objects.change(
        "parts",
        etag="abc-3",
        part_sizes=(2, 2, 1),
        checksum=Checksum(ChecksumAlgorithm.CRC32, "x==-3", ChecksumType.COMPOSITE),
        part_checksums=("one=", "two=", "three="),
    )
    return house


async def ask(house, key="a", names=ALL, query="", **headers):
    """Ask for attributes; underscores in header names stand for dashes."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if names is not None:
        fields[NAMES] = names
    return await house.ask("GET", f"/photos/{key}?attributes{query}", fields)


def page(reply):
    """The text of every element of ObjectParts, and the parts' numbers."""
    assert 200 == reply.status, reply.text
    parts = ElementTree.fromstring(reply.body).find(f"{NAMESPACE}ObjectParts")
    found = {one.tag.removeprefix(NAMESPACE): one.text for one in parts if not len(one)}
    return found, [one.text for one in parts.iter(f"{NAMESPACE}PartNumber")]


async def test_a_plain_object_is_exact(house):
    """The ETag has no quotes here; a single PUT has no parts."""
    reply = await ask(house)

    assert (200, "application/xml") == (reply.status, reply.headers["content-type"])
    assert render_http_date(START_US) == reply.headers["last-modified"]
    assert (
        f"{HEAD}<ETag>5d41402abc4b2a76b9719d911017c592</ETag>"
        "<Checksum><ChecksumCRC64NVME>M3eFcAZSQlc=</ChecksumCRC64NVME>"
        "<ChecksumType>FULL_OBJECT</ChecksumType></Checksum>"
        "<StorageClass>STANDARD</StorageClass><ObjectSize>5</ObjectSize>"
        f"{END}"
    ) == reply.text


async def test_a_multipart_object_is_exact(house):
    """PartsCount is the element that SDKs call TotalPartsCount."""
    reply = await ask(house, "parts", "ObjectParts, Checksum")

    assert (
        f"{HEAD}<Checksum><ChecksumCRC32>x==-3</ChecksumCRC32>"
        "<ChecksumType>COMPOSITE</ChecksumType></Checksum>"
        "<ObjectParts><PartsCount>3</PartsCount>"
        "<PartNumberMarker>0</PartNumberMarker>"
        "<NextPartNumberMarker>3</NextPartNumberMarker>"
        "<MaxParts>1000</MaxParts><IsTruncated>false</IsTruncated>"
        "<Part><ChecksumCRC32>one=</ChecksumCRC32><PartNumber>1</PartNumber>"
        "<Size>2</Size></Part>"
        "<Part><ChecksumCRC32>two=</ChecksumCRC32><PartNumber>2</PartNumber>"
        "<Size>2</Size></Part>"
        "<Part><ChecksumCRC32>three=</ChecksumCRC32><PartNumber>3</PartNumber>"
        "<Size>1</Size></Part></ObjectParts>"
        f"{END}"
    ) == reply.text


async def test_parts_without_checksums_are_only_counted(house):
    """As AWS: an upload that named no algorithm has no Part elements."""
    house.objects.change("parts", part_checksums=(), checksum=None)
    reply = await ask(house, "parts")
    found, numbers = page(reply)

    assert ("3", "false", []) == (found["PartsCount"], found["IsTruncated"], numbers)
    assert "<Checksum>" not in reply.text


@pytest.mark.parametrize(
    ("headers", "numbers", "following", "is_truncated"),
    [
        ({"x_amz_max_parts": "2"}, ["1", "2"], "2", "true"),
        (
            {"x_amz_max_parts": "2", "x_amz_part_number_marker": "2"},
            ["3"],
            "3",
            "false",
        ),
        ({"x_amz_part_number_marker": "1"}, ["2", "3"], "3", "false"),
        ({"x_amz_part_number_marker": "9"}, [], "9", "false"),
        ({"x_amz_max_parts": "0"}, [], "0", "false"),
        ({"x_amz_max_parts": "3"}, ["1", "2", "3"], "3", "false"),
    ],
)
async def test_parts_are_paged_by_headers(
    house, headers, numbers, following, is_truncated
):
    """Ten thousand parts do not fit into one answer."""
    found, listed = page(await ask(house, "parts", **headers))

    assert numbers == listed
    assert (following, is_truncated, "3") == (
        found["NextPartNumberMarker"],
        found["IsTruncated"],
        found["PartsCount"],
    )


async def test_a_page_has_at_most_a_thousand_parts(house):
    """More may be asked for, and is not refused."""
    house.objects.change("parts", part_sizes=(1,) * 1001, part_checksums=("x=",) * 1001)
    found, listed = page(await ask(house, "parts", x_amz_max_parts="2147483647"))

    assert (1000, "1000") == (len(listed), found["MaxParts"])
    assert ("true", "1000") == (found["IsTruncated"], found["NextPartNumberMarker"])


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (None, "InvalidRequest"),
        ("", "InvalidRequest"),
        (" , ", "InvalidRequest"),
        ("ETag,Size", "InvalidArgument"),
        ("etag", "InvalidArgument"),
    ],
)
async def test_no_or_unknown_names_are_refused(house, names, code):
    """An answer without what was asked for looks like an object without it."""
    reply = await ask(house, names=names)
    absent = await ask(house, "none", names=names)

    assert (400, True) == (reply.status, f"<Code>{code}</Code>" in reply.text)
    assert 400 == absent.status


async def test_an_unknown_name_is_told(house):
    """The one that is wrong, not all of them."""
    reply = await ask(house, names="ETag, Size")

    assert (
        "<Message>Invalid attribute name specified.</Message>"
        "<ArgumentName>x-amz-object-attributes</ArgumentName>"
        "<ArgumentValue>Size</ArgumentValue>"
    ) in reply.text


@pytest.mark.parametrize("value", ["-1", "x", "", "2147483648"])
@pytest.mark.parametrize("name", ["x_amz_max_parts", "x_amz_part_number_marker"])
async def test_paging_headers_are_numbers(house, name, value):
    """Whatever the object is."""
    reply = await ask(house, **{name: value})

    assert (400, True) == (reply.status, "<Code>InvalidArgument</Code>" in reply.text)


@pytest.mark.parametrize(
    "names", [["ETag", "ObjectSize"], "ETag,ObjectSize", " ObjectSize ,\tETag,ETag,"]
)
async def test_names_come_in_one_header_or_in_several(house, names):
    """Go's SDK repeats the header, others join."""
    reply = await ask(house, names=names)

    assert (
        f"{HEAD}<ETag>5d41402abc4b2a76b9719d911017c592</ETag>"
        f"<ObjectSize>5</ObjectSize>{END}"
    ) == reply.text


async def test_conditions_and_versions_hold_here_too(house):
    """It is a read like any other."""
    etag = '"5d41402abc4b2a76b9719d911017c592"'
    replies = [
        await ask(house, if_match='"old"'),
        await ask(house, if_none_match=etag),
        await ask(house, if_match=etag),
        await ask(house, query="&versionId=null"),
        await ask(house, query="&versionId=x"),
        await ask(house, "none"),
        await ask(house, "none", query="&versionId=null"),
    ]

    assert [412, 304, 200, 200, 400, 404, 404] == [each.status for each in replies]
    assert "<Code>NoSuchKey</Code>" in replies[5].text
    assert "<Code>NoSuchVersion</Code>" in replies[6].text
