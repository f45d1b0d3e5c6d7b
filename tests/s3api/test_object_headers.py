"""What a PUT says of its object, and what GET and HEAD say again."""

import base64
import hashlib

import pytest

from tests.s3api.house import House

MD5 = base64.b64encode(hashlib.md5(b"hello").digest()).decode()
KEPT = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "max-age=60, public",
    "content-disposition": "attachment; filename*=UTF-8''%e2%82%ac.txt",
    "content-language": "de, en",
    "expires": "whenever it suits",
    "x-amz-website-redirect-location": "https://example.com/",
}


@pytest.fixture
def house():
    """An empty door."""
    return House()


async def put_and_look(house, headers, key="a"):
    """PUT, then GET and HEAD, whose headers are the same; return them."""
    put = await house.put(key, b"hello", headers)
    assert 200 == put.status, put.text
    same = {"x-request-id": "same"}
    get = await house.ask("GET", f"/photos/{key}", same)
    head = await house.ask("HEAD", f"/photos/{key}", same)
    assert get.headers == head.headers
    return get.headers


async def test_standard_headers_come_back_as_they_came(house):
    """Expires need not even be a date."""
    found = await put_and_look(house, KEPT)

    assert KEPT == {name: found[name] for name in KEPT}


@pytest.mark.parametrize("headers", [{}, {"content-type": ""}])
async def test_without_a_type_it_is_binary(house, headers):
    """AWS's default, which suites expect."""
    found = await put_and_look(house, headers)

    assert "binary/octet-stream" == found["content-type"]
    assert not set(found) & (set(KEPT) - {"content-type"})


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("gzip", "gzip"),
        ("aws-chunked", None),
        ("AWS-Chunked, gzip", "gzip"),
        ("gzip,aws-chunked", "gzip"),
        ("zstd, aws-chunked, gzip", "zstd,gzip"),
    ],
)
async def test_content_encoding_is_kept_without_the_transfers_own(house, sent, kept):
    """A browser that reads aws-chunked gives up."""
    found = await put_and_look(house, {"content-encoding": sent})

    assert kept == found.get("content-encoding")


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "",
        "M\xc3\xbcller \xe2\x82\xac",
        "=?UTF-8?B?TcO8bGxlcg==?=",
        "a, b;c=\"d\" 'e'",
        "two  spaces",
    ],
)
async def test_metadata_values_are_kept_byte_for_byte(house, value):
    """UTF-8 or RFC 2047: whoever wrote it knows how to read it."""
    found = await put_and_look(house, {"x-amz-meta-A_b-C": value})

    assert value == found["x-amz-meta-a_b-c"]


async def test_a_repeated_metadata_header_is_joined(house):
    """In the order in which it came."""
    found = await put_and_look(house, {"x-amz-meta-a": ["1", "2, 3", "4"]})

    assert "1,2, 3,4" == found["x-amz-meta-a"]


async def test_metadata_is_at_most_two_kib(house):
    """Names without the prefix and values, in bytes."""
    fits = {"x-amz-meta-abc": "\xc3\xa9" * 511, "x-amz-meta-def": "x" * 1020}
    found = await put_and_look(house, fits)
    over = await house.put("b", b"", {**fits, "x-amz-meta-g": ""})

    assert 2048 == sum(
        len(name.removeprefix("x-amz-meta-")) + len(value)
        for name, value in found.items()
        if name.startswith("x-amz-meta-")
    )
    assert 400 == over.status
    assert (
        "<Code>MetadataTooLarge</Code>"
        "<Message>Your metadata headers exceed the maximum allowed metadata size"
        "</Message><Size>2049</Size><MaxSizeAllowed>2048</MaxSizeAllowed>"
    ) in over.text


@pytest.mark.parametrize(
    "value",
    [
        *("STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "GLACIER"),
        *("INTELLIGENT_TIERING", "GLACIER_IR", "DEEP_ARCHIVE", "EXPRESS_ONEZONE"),
    ],
)
async def test_a_known_storage_class_is_echoed_but_standard_is_not(house, value):
    """Listings show it always."""
    found = await put_and_look(house, {"x-amz-storage-class": value})
    listing = await house.ask("GET", "/photos?list-type=2")

    assert (None if value == "STANDARD" else value) == found.get("x-amz-storage-class")
    assert f"<StorageClass>{value}</StorageClass>" in listing.text


@pytest.mark.parametrize("value", ["", "standard", "COLD"])
async def test_an_unknown_storage_class_is_refused(house, value):
    """A typing error must not become what a bill depends on."""
    reply = await house.put("a", b"", {"x-amz-storage-class": value})

    assert 400 == reply.status
    assert "<Code>InvalidStorageClass</Code>" in reply.text
    assert {} == house.objects.objects


@pytest.mark.parametrize("acl", ["private", "bucket-owner-full-control"])
async def test_harmless_acls_are_accepted(house, acl):
    """rclone and others send private as a matter of course."""
    found = await put_and_look(house, {"x-amz-acl": acl})

    assert "x-amz-acl" not in found


async def test_tags_are_counted(house):
    """URL query form: plus is a space, percent is UTF-8."""
    found = await put_and_look(house, {"x-amz-tagging": "a=1&b+c=%C3%A9&d="})
    tags = await house.ask("GET", "/photos/a?tagging")

    assert "3" == found["x-amz-tagging-count"]
    assert "<Key>b c</Key><Value>é</Value>" in tags.text


@pytest.mark.parametrize("value", ["example.com", "ftp://example.com", "http:/x"])
async def test_a_redirect_leads_somewhere(house, value):
    """To the same bucket or to the web."""
    reply = await house.put("a", b"", {"x-amz-website-redirect-location": value})
    local = await house.put("a", b"", {"x-amz-website-redirect-location": "/other"})

    assert (400, 200) == (reply.status, local.status)
    assert "<Code>InvalidRedirectLocation</Code>" in reply.text


async def test_content_md5_is_verified(house):
    """Nothing is stored that is not what the client hashed."""
    wrong = base64.b64encode(bytes(16)).decode()
    right = await house.put("a", b"hello", {"content-md5": MD5})
    bad = await house.put("b", b"hello", {"content-md5": wrong})

    assert [200, 400] == [right.status, bad.status]
    assert (
        "<Code>BadDigest</Code>"
        "<Message>The Content-MD5 you specified did not match what we received."
        f"</Message><ExpectedDigest>{wrong}</ExpectedDigest>"
        f"<CalculatedDigest>{MD5}</CalculatedDigest>"
    ) in bad.text
    assert [("photos", "a")] == list(house.objects.objects)


@pytest.mark.parametrize("value", ["", "x", MD5[:-2], f"{MD5}=", "AAAA"])
async def test_what_is_no_md5_is_told_apart_from_a_wrong_one(house, value):
    """An empty header too; s3-tests asks."""
    reply = await house.put("a", b"hello", {"content-md5": value})

    assert 400 == reply.status
    assert (
        "<Code>InvalidDigest</Code>"
        "<Message>The Content-MD5 you specified was invalid.</Message>"
    ) in reply.text
    assert {} == house.objects.objects


async def test_more_than_five_gib_is_refused_unread(house):
    """S3's limit for one PUT; the answer is AWS's 400."""
    limit = 5 << 30
    reply = await house.ask(
        "PUT",
        "/photos/a",
        {"content-length": str(limit + 1), "expect": "100-continue"},
        is_body_sent=False,
    )

    assert (400, False) == (reply.status, reply.was_continued)
    assert (
        "<Code>EntityTooLarge</Code>"
        "<Message>Your proposed upload exceeds the maximum allowed size</Message>"
        f"<ProposedSize>{limit + 1}</ProposedSize><MaxSizeAllowed>{limit}"
        "</MaxSizeAllowed>"
    ) in reply.text


async def test_keys_are_names_and_no_paths(house):
    """`a`, `a/` and `a/b` are three objects; dots and slashes mean nothing."""
    keys = ["a", "a/", "a/b", "a//b", "a/./b", "a/../b", "..", "a+b"]
    for key in keys:
        reply = await house.put(key, key.encode())
        assert 200 == reply.status

    assert sorted(("photos", key) for key in keys) == sorted(house.objects.objects)
    for key in keys:
        assert key.encode() == (await house.ask("GET", f"/photos/{key}")).body
