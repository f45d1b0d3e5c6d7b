"""Listings through the door: element names, order, paging, encodings."""

from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s3o.model.errors import InvalidArgument
from s3o.model.values import ObjectFacts
from s3o.s3api.listings import ListRequest, parse_token, render_token
from tests.fakes.sources import digests_of
from tests.s3api.house import OTHERS, PHOTOS, House

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
KEYS = ["a", "b/1", "b/2", "b+c", "c d", "e/f/g", "é"]


@pytest.fixture
def house():
    """A bucket with some objects."""
    house = House()
    fill(house, KEYS)
    return house


def fill(house, keys):
    """Store an object at each key."""
    for key in keys:
        house.objects.store(
            key, b"hello", facts=ObjectFacts(), digests=digests_of(b"hello")
        )


async def ask(house, query: str):
    """List; return the document's root."""
    reply = await house.ask("GET", f"/photos?{query}")
    assert 200 == reply.status, reply.text
    return ElementTree.fromstring(reply.body)


def texts(root, path: str):
    """The texts at a path."""
    return [
        one.text or ""
        for one in root.findall("/".join(NAMESPACE + part for part in path.split("/")))
    ]


async def test_v2_is_exact():
    """Clients parse names and order; strict ones in Go and C++ both."""
    house = House()
    fill(house, ["a", "b/1"])
    reply = await house.ask(
        "GET", "/photos/?list-type=2&delimiter=/&fetch-owner=true&start-after=0"
    )

    assert "application/xml" == reply.headers["content-type"]
    assert (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        "<Name>photos</Name><Prefix></Prefix><StartAfter>0</StartAfter>"
        "<KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter>"
        "<IsTruncated>false</IsTruncated>"
        "<Contents><Key>a</Key><LastModified>2026-01-15T12:00:00.000Z</LastModified>"
        "<ETag>&quot;5d41402abc4b2a76b9719d911017c592&quot;</ETag>"
        "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>"
        "<ChecksumType>FULL_OBJECT</ChecksumType><Size>5</Size>"
        "<Owner><ID>"
        "68ab40a9745f6b2cf23e276ddd39a70850c3fc1abfcaaf08624d9eb0d186be0a"
        "</ID><DisplayName>photos</DisplayName></Owner>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        "<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>"
        "</ListBucketResult>"
    ) == reply.text


async def test_v1_is_exact(house):
    """s3cmd and s3fs still list with version 1; Owner is always there."""
    root = await ask(house, "prefix=b&delimiter=/&max-keys=1&marker=")

    assert [
        *("Name", "Prefix", "Marker", "NextMarker", "MaxKeys", "Delimiter"),
        *("IsTruncated", "Contents"),
    ] == [one.tag.removeprefix(NAMESPACE) for one in root]
    assert ["b+c"] == texts(root, "NextMarker")
    assert ["true"] == texts(root, "IsTruncated")
    assert ["photos"] == texts(root, "Contents/Owner/DisplayName")


async def test_v1_names_no_next_marker_without_a_delimiter(house):
    """As AWS: the last key is the marker then."""
    root = await ask(house, "max-keys=2")

    assert (["true"], []) == (texts(root, "IsTruncated"), texts(root, "NextMarker"))


@pytest.mark.parametrize("delimiter", ["", "/", "b"])
@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("version", [1, 2])
async def test_pages_together_are_the_whole_listing(house, delimiter, size, version):
    """Paging must neither lose nor repeat a key or a common prefix."""
    query = f"delimiter={delimiter}" + ("&list-type=2" if version == 2 else "")
    whole = await ask(house, query)
    keys, prefixes, position = [], [], ""
    while True:
        root = await ask(house, f"{query}&max-keys={size}{position}")
        page = texts(root, "Contents/Key"), texts(root, "CommonPrefixes/Prefix")
        keys, prefixes = keys + page[0], prefixes + page[1]
        if texts(root, "IsTruncated") == ["false"]:
            break
        if version == 2:
            assert [str(len(page[0]) + len(page[1]))] == texts(root, "KeyCount")
            token = texts(root, "NextContinuationToken")[0]
            position = f"&continuation-token={quote(token)}&start-after=zzz"
        else:
            last = texts(root, "NextMarker") or page[0][-1:]
            position = f"&marker={quote(last[0])}"

    assert texts(whole, "Contents/Key") == keys
    assert texts(whole, "CommonPrefixes/Prefix") == prefixes


async def test_encoding_type_url_encodes_every_name(house):
    """boto3 always asks for it, and decodes."""
    fill(house, ["x\x01/y"])
    root = await ask(
        house,
        "list-type=2&encoding-type=url&start-after=a%2Ba&prefix=&delimiter=%2F&x-id=L",
    )

    assert ["url"] == texts(root, "EncodingType")
    assert ["a%2Ba"] == texts(root, "StartAfter")
    assert ["/"] == texts(root, "Delimiter")
    assert ["b%2Bc", "c%20d", "%C3%A9"] == texts(root, "Contents/Key")
    assert ["b/", "e/", "x%01/"] == texts(root, "CommonPrefixes/Prefix")


async def test_v2_echoes_where_it_continues(house):
    """The token beats start-after; both are told, and the next token is another."""
    first = await ask(house, "list-type=2&max-keys=2&start-after=a")
    (token,) = texts(first, "NextContinuationToken")
    second = await ask(
        house,
        f"list-type=2&max-keys=2&start-after=zzz&continuation-token={quote(token)}",
    )

    assert (["b+c", "b/1"], ["a"], []) == (
        texts(first, "Contents/Key"),
        texts(first, "StartAfter"),
        texts(first, "ContinuationToken"),
    )
    assert (["b/2", "c d"], ["zzz"], [token]) == (
        texts(second, "Contents/Key"),
        texts(second, "StartAfter"),
        texts(second, "ContinuationToken"),
    )
    assert token not in texts(second, "NextContinuationToken")


async def test_v2_names_the_owner_only_on_request(house):
    """minio-go asks; most do not, and a thousand owners are half the answer."""
    for query, count in (("", 0), ("&fetch-owner=false", 0), ("&fetch-owner=true", 7)):
        root = await ask(house, f"list-type=2{query}")
        assert count == len(texts(root, "Contents/Owner/ID"))


@pytest.mark.parametrize("version", ["", "list-type=2&"])
async def test_an_empty_delimiter_is_none(house, version):
    """And is not told."""
    root = await ask(house, f"{version}delimiter=")

    assert sorted(KEYS, key=str.encode) == texts(root, "Contents/Key")
    assert [] == texts(root, "Delimiter") + texts(root, "CommonPrefixes")


@pytest.mark.parametrize(
    ("query", "keys", "prefixes"),
    [
        ("marker=b/1", ["c d", "é"], ["e/"]),
        ("marker=b/", ["c d", "é"], ["e/"]),
        ("marker=bzz", ["c d", "é"], ["e/"]),
        ("prefix=b/", ["b/1", "b/2"], []),
        ("prefix=b", ["b+c"], ["b/"]),
        ("prefix=e/", [], ["e/f/"]),
        ("prefix=none", [], []),
    ],
)
async def test_a_prefix_is_rolled_up_behind_the_prefix_asked_for(
    house, query, keys, prefixes
):
    """A marker inside a common prefix skips it; one that is no key is fine."""
    root = await ask(house, f"delimiter=/&{query}")

    assert keys == texts(root, "Contents/Key")
    assert prefixes == texts(root, "CommonPrefixes/Prefix")


async def test_control_characters_go_out_as_references(house):
    """Without encoding-type they must not end the document early."""
    fill(house, ["x\x01<&"])
    reply = await house.ask("GET", "/photos?prefix=x")

    assert "<Key>x&#x1;&lt;&amp;</Key>" in reply.text


@pytest.mark.parametrize(
    "query",
    [
        *("max-keys=-1", "max-keys=x", "max-keys=2147483648", "encoding-type=gzip"),
        *("list-type=3", "list-type=", "list-type=2&continuation-token="),
        *("list-type=2&continuation-token=%21", "list-type=2&encoding-type="),
        "list-type=2&continuation-token=AAAA",
    ],
)
async def test_odd_parameters_are_refused(house, query):
    """A guess would list something else."""
    reply = await house.ask("GET", f"/photos?{query}")

    assert (400, True) == (reply.status, "<Code>InvalidArgument</Code>" in reply.text)


async def test_max_keys_zero_and_too_many(house):
    """0 is empty and not truncated; above 1000 is 1000."""
    none = await ask(house, "list-type=2&max-keys=0")
    many = await ask(house, "max-keys=5000")

    assert (["0"], ["false"], ["0"]) == (
        texts(none, "KeyCount"),
        texts(none, "IsTruncated"),
        texts(none, "MaxKeys"),
    )
    assert ["1000"] == texts(many, "MaxKeys")
    assert [1000] == [each["limit"] for each in house.objects.lists]


REQUESTS = st.builds(
    ListRequest,
    prefix=st.text(max_size=5),
    delimiter=st.text(max_size=2),
    limit=st.just(10),
    is_url_encoded=st.booleans(),
)


@given(REQUESTS, REQUESTS, st.text(st.characters(codec="utf-8")))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_token_continues_its_own_listing_only(request_, other, after):
    """A token from another prefix would silently skip keys."""
    token = render_token(PHOTOS, request_, after)

    assert after == parse_token(PHOTOS, request_, token)
    with pytest.raises(InvalidArgument):
        parse_token(OTHERS, request_, token)
    if (request_.prefix, request_.delimiter) != (other.prefix, other.delimiter):
        with pytest.raises(InvalidArgument):
            parse_token(PHOTOS, other, token)
