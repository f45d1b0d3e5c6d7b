"""GET and HEAD through the door: status, headers and bytes, exactly."""

from dataclasses import replace

import pytest

from s3o.model.errors import BackendsFailed
from s3o.model.facts import RequestFinished
from s3o.model.tenants import BucketConfig
from s3o.model.values import Interval
from s3o.wire.dates import render_http_date
from tests.fakes.clock import START_US
from tests.s3api.house import PHOTOS, House

BODY = bytes(range(256)) * 10
MODIFIED = render_http_date(START_US)


@pytest.fixture
async def house():
    """A door with one object."""
    house = House()
    reply = await house.put(
        "cat.jpg",
        BODY,
        {
            "content-type": "image/jpeg",
            "cache-control": "no-cache",
            "x-amz-meta-Name": "M\xc3\xbcller",
            "x-amz-tagging": "a=b",
            "x-amz-storage-class": "GLACIER",
        },
    )
    assert 200 == reply.status
    return house


async def test_get_returns_all_that_was_put(house):
    """The main job."""
    put = await house.put("plain", BODY)
    reply = await house.ask("GET", "/photos/cat.jpg")

    assert (200, BODY) == (reply.status, reply.body)
    headers = dict(reply.headers)
    headers.pop("date")
    assert {
        "accept-ranges": "bytes",
        "last-modified": MODIFIED,
        "etag": put.headers["etag"],
        "content-type": "image/jpeg",
        "cache-control": "no-cache",
        "x-amz-meta-name": "M\xc3\xbcller",
        "x-amz-storage-class": "GLACIER",
        "x-amz-tagging-count": "1",
        "content-length": "2560",
        "x-amz-request-id": headers["x-amz-request-id"],
        "x-amz-id-2": "host",
    } == headers


async def test_head_says_what_get_says(house):
    """Downloads begin with a HEAD and trust it."""
    get = await house.ask("GET", "/photos/cat.jpg", {"x-request-id": "same"})
    head = await house.ask("HEAD", "/photos/cat.jpg", {"x-request-id": "same"})

    assert (200, b"", get.headers) == (head.status, head.body, head.headers)


async def test_an_empty_object_is_read_without_a_backend(house):
    """Directory markers are empty; asking a backend for nothing costs a request."""
    await house.put("dir/", b"")
    reply = await house.ask("GET", "/photos/dir/")

    assert (200, b"", "0") == (
        reply.status,
        reply.body,
        reply.headers["content-length"],
    )
    assert [None] == house.objects.opened


@pytest.mark.parametrize(
    ("value", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=2000-", 2000, 2560), ("bytes=-7", 2553, 2560)],
)
async def test_ranges(house, value, start, stop):
    """Every SDK downloads in ranges; HEAD answers 206 too."""
    get = await house.ask("GET", "/photos/cat.jpg", {"range": value})
    head = await house.ask("HEAD", "/photos/cat.jpg", {"range": value})

    assert (206, BODY[start:stop]) == (get.status, get.body)
    assert f"bytes {start}-{stop - 1}/2560" == get.headers["content-range"]
    assert str(stop - start) == get.headers["content-length"]
    assert [Interval(start, stop)] == house.objects.opened
    assert 206 == head.status
    for name in ("content-range", "content-length"):
        assert get.headers[name] == head.headers[name]


@pytest.mark.parametrize("value", ["bytes=0-1,3-4", "lines=1-2", "bytes=5-4", "x"])
async def test_other_ranges_are_ignored(house, value):
    """AWS answers 200 and the whole object."""
    reply = await house.ask("GET", "/photos/cat.jpg", {"range": value})

    assert (200, BODY) == (reply.status, reply.body)


async def test_a_range_behind_the_end_is_416(house):
    """The answer tells the size, which is what the client wants to know."""
    for method in ("GET", "HEAD"):
        reply = await house.ask(method, "/photos/cat.jpg", {"range": "bytes=2560-"})

        assert 416 == reply.status
        assert "bytes */2560" == reply.headers["content-range"]
        if method == "GET":
            assert "<Code>InvalidRange</Code>" in reply.text


async def test_conditions_come_before_the_range(house):
    """A changed object must not be pieced together from two versions."""
    failed = await house.ask(
        "GET", "/photos/cat.jpg", {"range": "bytes=0-1", "if-match": '"old"'}
    )
    resumed = await house.ask(
        "GET", "/photos/cat.jpg", {"range": "bytes=0-1", "if-range": '"old"'}
    )

    assert 412 == failed.status
    assert "<Condition>If-Match</Condition>" in failed.text
    assert (200, BODY) == (resumed.status, resumed.body)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_304_keeps_what_caches_need(house, method):
    """No body, no length, but ETag, Last-Modified and Cache-Control."""
    etag = (await house.ask("HEAD", "/photos/cat.jpg")).headers["etag"]
    reply = await house.ask(method, "/photos/cat.jpg", {"if-none-match": etag})
    headers = dict(reply.headers)

    assert (304, b"") == (reply.status, reply.body)
    for name in ("date", "x-amz-request-id", "x-amz-id-2"):
        headers.pop(name)
    assert {
        "last-modified": MODIFIED,
        "etag": etag,
        "cache-control": "no-cache",
    } == headers


async def test_checksums_are_told_on_request_and_never_on_a_range(house):
    """boto3 would compare the whole object's checksum with the slice."""
    mode = {"x-amz-checksum-mode": "ENABLED"}
    whole = await house.ask("GET", "/photos/cat.jpg", mode)
    head = await house.ask("HEAD", "/photos/cat.jpg", mode)
    part = await house.ask("GET", "/photos/cat.jpg", {**mode, "range": "bytes=0-1"})

    assert "FULL_OBJECT" == whole.headers["x-amz-checksum-type"]
    assert whole.headers["x-amz-checksum-crc64nvme"]
    assert (
        whole.headers["x-amz-checksum-crc64nvme"]
        == head.headers["x-amz-checksum-crc64nvme"]
    )
    assert not [name for name in part.headers if "checksum" in name]


async def test_response_overrides_replace_headers(house):
    """Presigned links name the download."""
    reply = await house.ask(
        "GET",
        "/photos/cat.jpg?response-content-type=a/b"
        "&response-content-disposition=attachment%3B%20filename%3D%22%C3%A4%22&x-id=G",
    )
    split = await house.ask(
        "GET", "/photos/cat.jpg?response-expires=x%0D%0Aset-cookie:%20a"
    )

    assert (200, "a/b") == (reply.status, reply.headers["content-type"])
    assert 'attachment; filename="\xc3\xa4"' == reply.headers["content-disposition"]
    assert (400, True) == (split.status, "InvalidArgument" in split.text)
    assert "set-cookie" not in split.headers


async def test_anonymous_readers_override_nothing(house):
    """A link to a public object must not turn an image into a script."""
    house.buckets.buckets["photos"] = replace(
        PHOTOS, config=BucketConfig(public_read=True)
    )
    target = "/photos/cat.jpg?response-content-type=text/html"
    plain = await house.ask("GET", "/photos/cat.jpg?x-id=GetObject", caller="anonymous")
    get = await house.ask("GET", target, caller="anonymous")
    head = await house.ask("HEAD", target, caller="anonymous")

    assert [200, 400, 400] == [each.status for each in (plain, get, head)]
    assert "<Code>InvalidRequest</Code>" in get.text


async def test_a_missing_key_is_404_and_bare_on_head(house):
    """HEAD has no body to say more."""
    get = await house.ask("GET", "/photos/dog.jpg")
    head = await house.ask("HEAD", "/photos/dog.jpg")

    assert 404 == get.status
    assert "<Code>NoSuchKey</Code>" in get.text
    assert "<Key>dog.jpg</Key>" in get.text
    assert (404, b"") == (head.status, head.body)


async def test_failing_backends_before_the_first_byte_are_503(house):
    """Nothing was promised yet, so the client can be told to come back."""
    house.objects.failures["read"] = BackendsFailed("GetObject")
    house.objects.fail_read_at = 0
    reply = await house.ask("GET", "/photos/cat.jpg")

    assert 503 == reply.status
    assert "<Code>SlowDown</Code>" in reply.text
    assert "1" == reply.headers["retry-after"]


async def test_a_body_that_cannot_be_completed_is_cut(house):
    """A short answer that ends politely would be taken for the object."""
    house.objects.failures["read"] = BackendsFailed("GetObject")
    house.objects.fail_read_at = 2000
    with pytest.raises(BaseException) as caught:
        await house.ask("GET", "/photos/cat.jpg")
    fact = house.observer.of(RequestFinished)[-1]

    assert "reset" in repr(caught.value.__dict__) + repr(caught.value) + repr(
        getattr(caught.value, "exceptions", "")
    )
    assert (200, True) == (fact.status, fact.error.startswith("BackendsFailed"))


async def test_metadata_is_kept_byte_for_byte(house):
    """UTF-8 uses every byte from 0x80 on; none of them may break the answer."""
    value = "stra\xc3\x9fe \xe2\x82\xac"
    await house.put("b", b"", {"x-amz-meta-a": value})
    reply = await house.ask("HEAD", "/photos/b")

    assert (200, value) == (reply.status, reply.headers["x-amz-meta-a"])
