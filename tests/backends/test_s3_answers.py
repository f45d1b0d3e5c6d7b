"""What an answer means: absent, refused, throttled, full, or another range."""

from collections.abc import AsyncIterator

import pytest
import trio

from s3o.model import limits
from s3o.model.errors import (
    BackendError,
    BackendFull,
    BackendProtocolError,
    BackendRefused,
    BackendThrottled,
    BlobDamaged,
    BlobMissing,
)
from s3o.model.values import BlobHeaders, Interval
from tests.backends.s3_house import (
    NAME,
    S3House,
    error,
)
from tests.fakes.scripted_server import Scripted, Then, render
from tests.fakes.sources import BytesSource, pattern

HEADERS = BlobHeaders()


@pytest.fixture
async def house(nursery: trio.Nursery) -> AsyncIterator[S3House]:
    """A backend before a scripted provider; no call may keep a slot."""
    house = S3House(nursery)
    yield house
    assert limits.BACKEND_CONNECTIONS == house.pool.free_slots
    await house.backend.aclose()


# ---- absent, and only absent


async def test_missing_key_is_missing(house: S3House) -> None:
    """By document, or for a HEAD by asking for the bucket."""
    house.server.add(error(404, "NoSuchKey"), render(404), render(200))
    with pytest.raises(BlobMissing) as caught:
        await house.get()
    with pytest.raises(BlobMissing):
        await house.backend.head(NAME)

    assert NAME == caught.value.storage_key
    assert ["GET", "HEAD", "HEAD"] == [one.method for one in house.requests]
    assert "/bucket" == house.requests[2].target


@pytest.mark.parametrize("status", [404, 403])
async def test_missing_bucket_makes_no_blob_missing(
    house: S3House, status: int
) -> None:
    """Somebody removed the bucket, or misspelt it: every blob would count as lost."""
    gone = error(404, "NoSuchBucket")
    house.server.add(render(404), render(status), gone, gone)
    with pytest.raises(BackendRefused) as caught:
        await house.backend.head(NAME)
    with pytest.raises(BackendRefused):
        await house.get()
    (outcome,) = await house.backend.delete([NAME])

    assert status == caught.value.status
    assert isinstance(outcome.error, BackendRefused)


async def test_gateways_404_makes_no_blob_missing(house: S3House) -> None:
    """A load balancer without a target answers 404 in HTML."""
    page = render(404, body=b"<html><body>not found</body></html>")
    house.server.add(page, page)
    with pytest.raises(BackendRefused):
        await house.get()
    house.server.add(page)
    (outcome,) = await house.backend.delete([NAME])

    assert isinstance(outcome.error, BackendRefused)


async def test_absent_blob_counts_as_deleted(house: S3House) -> None:
    """Some providers answer 404 to the deletion of what is not there."""
    house.server.add(error(404, "NoSuchKey"), render(204), render(200))

    for _ in range(3):
        (outcome,) = await house.backend.delete([NAME])
        assert outcome.error is None


# ---- refusals by kind


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(429, "Whatever"), BackendThrottled),
        (error(503, "SlowDown"), BackendThrottled),
        (error(503, "InternalError"), BackendThrottled),
        (error(400, "RequestLimitExceeded"), BackendThrottled),
        (error(507, "Whatever"), BackendFull),
        (error(403, "QuotaExceeded"), BackendFull),
        (error(503, "XMinioStorageFull"), BackendFull),
        (error(500, "InternalError"), BackendRefused),
        (render(500, body=b"not XML"), BackendRefused),
        (render(418), BackendRefused),
    ],
)
async def test_refusals_are_told_apart(
    house: S3House, answer: bytes, kind: type[BackendError]
) -> None:
    """Each leads elsewhere: wait, another backend, or the breaker."""
    house.server.add(answer)
    with pytest.raises(BackendError) as caught:
        await house.backend.put(NAME, BytesSource(b"meow"), HEADERS)

    assert kind is type(caught.value)
    assert 1 == len(house.requests)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("7", 7.0), ("0", 0.0), ("999999", 3600.0), ("soon", None), ("-1", None)],
)
async def test_retry_after_is_heard_within_reason(
    house: S3House, value: str, expected: float | None
) -> None:
    """A provider may ask for patience, not for a year of it."""
    house.server.add(error(503, "SlowDown", Retry_After=value))
    with pytest.raises(BackendThrottled) as caught:
        await house.get()

    assert expected == caught.value.retry_after_s


# ---- ranges


def part(start: int, last: int, size: int, body: bytes, status: int = 206) -> bytes:
    """An answer with a part."""
    return render(status, {"Content-Range": f"bytes {start}-{last}/{size}"}, body)


@pytest.mark.parametrize("status", [200, 206])
async def test_exact_range_is_taken(house: S3House, status: int) -> None:
    """rclone answers a part with status 200, which its Content-Range gives away."""
    house.server.add(part(2, 5, 10, b"2345", status))
    async with house.backend.open(NAME, Interval(2, 6)) as blob:
        assert 10 == blob.info.stored_bytes
        assert b"2345" == await blob.read()
        assert b"" == await blob.read()

    assert "bytes=2-5" == house.requests[0].fields["range"]


async def test_ignored_range_is_read_past(house: S3House) -> None:
    """Some proxies answer a range with everything."""
    house.server.add(render(body=b"0123456789"), render(body=pattern(300_000)))

    assert b"2345" == await house.get(Interval(2, 6))
    assert pattern(300_000)[200_000:] == await house.get(Interval(200_000, 300_000))


async def test_ignored_range_far_away_is_an_error(house: S3House) -> None:
    """Reading past a gigabyte would cost the operator its egress."""
    far = limits.BACKEND_SKIP_BYTES + 1
    house.server.add(Scripted(answer=render(length=far + 10), then=Then.HANG))
    with pytest.raises(BackendProtocolError):
        await house.get(Interval(far, far + 10))


@pytest.mark.parametrize(
    "answer",
    [
        part(3, 6, 10, b"3456"),
        part(2, 4, 10, b"234"),
        part(2, 5, 10, b"23"),
        render(206, body=b"2345"),
        render(206, {"Content-Range": "bytes 2-5/*"}, b"2345"),
        render(206, {"Content-Range": "bytes 5-2/10"}, b"2345"),
        render(206, {"Content-Range": "items 2-5/10"}, b"2345"),
        render(206, {"Content-Range": "bytes 2-5/9" + "9" * 30}, b"2345"),
        render(204),
    ],
)
async def test_another_range_than_asked_for_is_an_error(
    house: S3House, answer: bytes
) -> None:
    """Bytes at the wrong place are worse than none."""
    house.server.add(Scripted(answer=answer, then=Then.HANG))
    with pytest.raises(BackendProtocolError):
        await house.get(Interval(2, 6))


@pytest.mark.parametrize("answer", [part(2, 3, 4, b"23"), render(body=b"0123")])
async def test_blob_that_is_too_short_is_damaged(house: S3House, answer: bytes) -> None:
    """The ledger knows better how long it was."""
    house.server.add(answer)
    with pytest.raises(BlobDamaged):
        await house.get(Interval(2, 6))


async def test_range_behind_the_end_is_a_refusal(house: S3House) -> None:
    """416 from a backend is the backend's trouble, never the client's answer."""
    house.server.add(error(416, "InvalidRange"))
    with pytest.raises(BackendError):
        await house.get(Interval(2, 6))
