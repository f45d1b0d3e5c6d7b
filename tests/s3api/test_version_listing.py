"""ListObjectVersions where every object is the latest version, null."""

from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from s3o.model.values import ObjectFacts
from tests.fakes.sources import digests_of
from tests.s3api.house import House

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
KEYS = ["a", "b/1", "b/2", "b+c", "c d", "e/f/g", "é"]


def fill(house, keys):
    """Store an object at each key."""
    for key in keys:
        house.objects.store(
            key, b"hello", facts=ObjectFacts(), digests=digests_of(b"hello")
        )


@pytest.fixture
def house():
    """A bucket with some objects."""
    house = House()
    fill(house, KEYS)
    return house


async def ask(house, query: str):
    """List; return the document's root."""
    reply = await house.ask("GET", f"/photos?versions&{query}")
    assert 200 == reply.status, reply.text
    return ElementTree.fromstring(reply.body)


def texts(root, path: str):
    """The texts at a path."""
    return [
        one.text or ""
        for one in root.findall("/".join(NAMESPACE + part for part in path.split("/")))
    ]


async def test_the_document_is_exact():
    """s3-tests cannot clean up after a single test without it."""
    house = House()
    fill(house, ["a", "b/1"])
    reply = await house.ask("GET", "/photos/?versions&delimiter=/")

    assert (200, "application/xml") == (reply.status, reply.headers["content-type"])
    assert (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        "<Name>photos</Name><Prefix></Prefix><KeyMarker></KeyMarker>"
        "<VersionIdMarker></VersionIdMarker><MaxKeys>1000</MaxKeys>"
        "<Delimiter>/</Delimiter><IsTruncated>false</IsTruncated>"
        "<Version><Key>a</Key><VersionId>null</VersionId><IsLatest>true</IsLatest>"
        "<LastModified>2026-01-15T12:00:00.000Z</LastModified>"
        "<ETag>&quot;5d41402abc4b2a76b9719d911017c592&quot;</ETag>"
        "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>"
        "<ChecksumType>FULL_OBJECT</ChecksumType><Size>5</Size>"
        "<Owner><ID>"
    ) in reply.text
    assert (
        "<DisplayName>photos</DisplayName></Owner>"
        "<StorageClass>STANDARD</StorageClass></Version>"
        "<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes></ListVersionsResult>"
    ) in reply.text


@pytest.mark.parametrize("prefix", ["", "b"])
@pytest.mark.parametrize("delimiter", ["", "/"])
@pytest.mark.parametrize("size", [1, 2, 3])
async def test_pages_together_are_the_whole_listing(house, prefix, delimiter, size):
    """With the markers as the last page gave them, whichever there were."""
    query = f"prefix={prefix}&delimiter={delimiter}"
    whole = await ask(house, query)
    keys, prefixes, position = [], [], "&key-marker=&version-id-marker="
    while True:
        root = await ask(house, f"{query}&max-keys={size}{position}")
        keys += texts(root, "Version/Key")
        prefixes += texts(root, "CommonPrefixes/Prefix")
        if texts(root, "IsTruncated") == ["false"]:
            break
        (marker,) = texts(root, "NextKeyMarker")
        position = f"&key-marker={quote(marker)}"
        for version in texts(root, "NextVersionIdMarker"):
            position += f"&version-id-marker={version}"

    assert texts(whole, "Version/Key") == keys
    assert texts(whole, "CommonPrefixes/Prefix") == prefixes
    assert [] == texts(root, "NextKeyMarker") + texts(root, "NextVersionIdMarker")


async def test_markers_are_told_and_a_common_prefix_has_no_version(house):
    """What a page ends with decides how the next one begins."""
    key = await ask(house, "max-keys=1&key-marker=0&version-id-marker=null")
    prefix = await ask(house, "max-keys=1&delimiter=/&key-marker=b%2Bc")

    assert (["0"], ["null"], ["a"], ["null"]) == (
        texts(key, "KeyMarker"),
        texts(key, "VersionIdMarker"),
        texts(key, "NextKeyMarker"),
        texts(key, "NextVersionIdMarker"),
    )
    assert (["b/"], []) == (
        texts(prefix, "NextKeyMarker"),
        texts(prefix, "NextVersionIdMarker"),
    )


async def test_encoding_type_url_encodes_every_name(house):
    """Version ids need none."""
    root = await ask(
        house, "encoding-type=url&max-keys=2&delimiter=%2F&prefix=&key-marker=b%2B"
    )

    assert ["url"] == texts(root, "EncodingType")
    assert ["b%2B"] == texts(root, "KeyMarker")
    assert ["b%2Bc"] == texts(root, "Version/Key")
    assert ["b/"] == texts(root, "CommonPrefixes/Prefix")
    assert ["b/"] == texts(root, "NextKeyMarker")


@pytest.mark.parametrize(
    "query",
    [
        *("max-keys=-1", "max-keys=x", "encoding-type=gzip"),
        *("version-id-marker=null", "key-marker=a&version-id-marker="),
        "key-marker=a&version-id-marker=x",
    ],
)
async def test_odd_parameters_are_refused(house, query):
    """A guess would list something else."""
    reply = await house.ask("GET", f"/photos?versions&{query}")

    assert (400, True) == (reply.status, "<Code>InvalidArgument</Code>" in reply.text)


async def test_max_keys_zero_is_empty_and_not_truncated(house):
    """As in every listing."""
    root = await ask(house, "max-keys=0")

    assert (["0"], ["false"], []) == (
        texts(root, "MaxKeys"),
        texts(root, "IsTruncated"),
        texts(root, "Version"),
    )


async def test_what_was_listed_can_be_deleted(house):
    """The loop by which every client empties a bucket."""
    root = await ask(house, "")
    entries = "".join(
        f"<Object><Key>{key}</Key><VersionId>{version}</VersionId></Object>"
        for key, version in zip(
            texts(root, "Version/Key"), texts(root, "Version/VersionId"), strict=True
        )
    )
    reply = await house.ask(
        "POST", "/photos?delete", {}, f"<Delete>{entries}</Delete>".encode()
    )

    assert (200, {}) == (reply.status, house.objects.objects)
    assert "<Deleted><Key>a</Key><VersionId>null</VersionId></Deleted>" in reply.text
