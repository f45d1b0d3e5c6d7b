"""What a provider can do to us: reliability section 8, rows 15 to 21, and more.

Whatever it answers, the call ends in bounded time and memory with a backend's error,
the connection is not used again when in doubt, and absent is never concluded from
anything but NoSuchKey.
"""

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from s3o.model import limits
from s3o.model.errors import (
    BackendProtocolError,
    BackendRefused,
    BackendTimeout,
    BackendUnreachable,
)
from s3o.model.values import BlobHeaders
from tests.backends.s3_house import (
    NAME,
    OTHER,
    PROGRESS_S,
    S3House,
    error,
    listing,
)
from tests.fakes.scripted_server import Scripted, Then, render
from tests.fakes.sources import BytesSource

HEADERS = BlobHeaders()
ERROR_BODY = b"<Error><Code>InternalError</Code><Message>no</Message></Error>"


@pytest.fixture
async def house(nursery: trio.Nursery) -> AsyncIterator[S3House]:
    """A backend before a scripted provider; no call may keep a slot."""
    house = S3House(nursery)
    yield house
    assert limits.BACKEND_CONNECTIONS == house.pool.free_slots
    await house.backend.aclose()


# ---- row 15


@pytest.mark.parametrize(
    "body", [ERROR_BODY, b'<?xml version="1.0"?>\n' + ERROR_BODY, b"  \n" + ERROR_BODY]
)
async def test_row_15_success_with_an_error_document_is_a_failure(
    house: S3House, body: bytes
) -> None:
    """A provider that answers before it knows the outcome says so in the body."""
    house.server.add(render(200, body=body))
    with pytest.raises(BackendRefused) as caught:
        await house.backend.put(NAME, BytesSource(b"meow"), HEADERS)

    assert "InternalError" == caught.value.code


async def test_row_15_error_document_that_is_cut_off_is_a_failure_too(
    house: S3House,
) -> None:
    """An unreadable error is still one."""
    house.server.add(render(200, body=b"<Error><Code>Inter"))
    with pytest.raises(BackendRefused):
        await house.backend.put(NAME, BytesSource(b"meow"), HEADERS)


# ---- row 16


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/latest/meta-data", "http://127.0.0.1/", "/x"]
)
async def test_row_16_redirect_is_not_followed(
    house: S3House, status: int, location: str
) -> None:
    """A provider must not make us ask the cloud's metadata service."""
    redirect = render(status, {"Location": location})
    house.server.add(*[redirect] * 4)
    with pytest.raises(BackendRefused) as caught:
        await house.get()
    with pytest.raises(BackendRefused):
        await house.backend.put(NAME, BytesSource(b"meow"), HEADERS)
    with pytest.raises(BackendRefused):
        await house.backend.head(NAME)
    await house.backend.delete([NAME])

    assert status == caught.value.status
    assert 4 == len(house.requests)
    assert {("s3.example", 80)} == set(house.network.connects)


# ---- row 17


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 70_000, id="huge head"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 300 + b"\r\n", id="many fields"
        ),
        pytest.param(b"HTTP/1.1 102 Wait\r\n\r\n" * 20, id="1xx flood"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nmeow", id="no length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmeow\r\n",
            id="blob without a length",
        ),
        pytest.param(render(body=b"meow!!!", length=4), id="trailing bytes"),
        pytest.param(
            render(fields={"Content-Encoding": "gzip"}, body=b"meow"), id="gzip"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", id="coding"
        ),
        pytest.param(render(206, body=b"meow"), id="part unasked"),
        pytest.param(render(299, body=b"meow"), id="odd success"),
    ],
)
async def test_row_17_malformed_answer_fails_and_ends_the_connection(
    house: S3House, raw: bytes
) -> None:
    """Bounded, a failure, and the connection is discarded."""
    house.server.add(Scripted(answer=raw, then=Then.HANG), render(body=b"fine"))
    with pytest.raises(BackendProtocolError):
        await house.get()

    assert b"fine" == await house.get()
    assert 2 == house.server.connections


@pytest.mark.parametrize("then", [Then.CLOSE, Then.RESET])
async def test_row_17_body_shorter_than_its_length_fails(
    house: S3House, then: Then
) -> None:
    """Half a photo must not look like a photo."""
    house.server.add(Scripted(answer=render(body=b"meow", length=9), then=then))
    with pytest.raises(BackendUnreachable):
        await house.get()


async def test_row_17_endless_documents_are_bounded(house: S3House) -> None:
    """An error page and a listing that never end, neither collected for ever."""
    endless = b"HTTP/1.1 %d x\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 65536
    house.server.add(
        Scripted(answer=endless % 500, then=Then.REPEAT),
        Scripted(answer=endless % 200, then=Then.REPEAT),
    )
    with pytest.raises(BackendRefused) as caught:
        await house.get()
    with pytest.raises(BackendProtocolError):
        await house.backend.list_page("photos/")

    assert 500 == caught.value.status


async def test_row_17_answer_that_drips_is_given_up(
    house: S3House, autojump_clock: MockClock
) -> None:
    """A byte a minute would hold the slot for a day."""
    house.server.add(Scripted(answer=render(body=b"meow"), drip=1, pause_s=PROGRESS_S))
    with pytest.raises(BackendTimeout):
        await house.get()


# ---- row 18


async def test_row_18_names_that_were_not_asked_for_are_ignored(house: S3House) -> None:
    """A foreign name could be deleted as a leftover of ours."""
    house.server.add(listing("photos/a", "../photos/b", "other/c", "photo", "photos/d"))
    page = await house.backend.list_page("photos/")

    assert ["photos/a", "photos/d"] == [blob.name for blob in page.blobs]


async def test_row_18_control_bytes_in_names_survive(house: S3House) -> None:
    """They come percent-encoded, or not at all."""
    house.server.add(
        listing("photos/a%0Ab%00", extra="<EncodingType>url</EncodingType>")
    )
    page = await house.backend.list_page("photos/")

    assert ["photos/a\nb\0"] == [blob.name for blob in page.blobs]


async def test_row_18_same_token_twice_is_an_error(house: S3House) -> None:
    """The listing would never end."""
    house.server.add(listing("photos/a", token="t1"), listing("photos/b", token="t1"))
    page = await house.backend.list_page("photos/")
    with pytest.raises(BackendProtocolError):
        await house.backend.list_page("photos/", page.next_token)


async def test_row_18_more_names_than_asked_for_is_an_error(house: S3House) -> None:
    """A page of a million names must not reach anybody's memory."""
    house.server.add(listing(*[f"photos/{number}" for number in range(11)]))
    with pytest.raises(BackendProtocolError):
        await house.backend.list_page("photos/", limit=10)


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY e "lol">]><ListBucketResult>&e;</ListBucketResult>',
        b"<ListBucketResult><IsTruncated>false</IsTruncated>",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        b"<Other/>",
        b"",
        b"\xff\xfe",
        b"<ListBucketResult>" + b"<a>" * 20 + b"</a>" * 20 + b"</ListBucketResult>",
    ],
)
async def test_row_18_listing_that_is_none_is_an_error(
    house: S3House, body: bytes
) -> None:
    """Read as empty it would make every blob count as lost."""
    house.server.add(render(body=body))
    with pytest.raises(BackendProtocolError):
        await house.backend.list_page("photos/")


# ---- row 19


async def test_row_19_unprintable_etag_and_metadata_are_dropped(house: S3House) -> None:
    """They would end up in our own headers and log lines."""
    fields = {
        "ETag": '"' + "x" * 5000 + '"',
        "x-amz-meta-s3o": "fine",
        "x-amz-meta-evil": "caf\xe9",
        "x-amz-meta-tab": "a\tb",
    }
    fields_put = {"ETag": '"caf\xe9"', "x-amz-version-id": "v\xe9"}
    house.server.add(render(200, fields, b"meow"), render(200, fields_put))
    async with house.backend.open(NAME) as blob:
        info = blob.info
        assert b"meow" == await blob.read()
    receipt = await house.backend.put(NAME, BytesSource(b"meow"), HEADERS)

    assert "" == info.etag
    assert {"s3o": "fine"} == info.headers
    assert ("", None, False) == (
        receipt.etag,
        receipt.backend_version,
        receipt.etag_is_md5,
    )


async def test_row_19_megabyte_of_metadata_is_refused(house: S3House) -> None:
    """Heads are bounded as a whole."""
    raw = render(200, {"x-amz-meta-a": "x" * limits.MIB}, b"meow")
    house.server.add(Scripted(answer=raw, then=Then.HANG))
    with pytest.raises(BackendProtocolError):
        await house.get()


async def test_row_19_texts_of_an_error_are_made_plain(house: S3House) -> None:
    """An operator's terminal must not obey a provider."""
    house.server.add(error(500, "Odd", "\x1b[31mred é " + "x" * 1000))
    house.server.add(error(500, "C" * 65), error(500, "a\nb"))
    with pytest.raises(BackendRefused) as caught:
        await house.get()
    codes = []
    for _ in range(2):
        with pytest.raises(BackendRefused) as other:
            await house.get()
        codes.append(other.value.code)

    assert caught.value.reason.isascii()
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) <= 200
    assert ["", ""] == codes


# ---- row 20


SKEWED_DATE = "Thu, 15 Jan 2026 12:20:00 GMT"  # the tests' clocks begin at 12:00


async def test_row_20_clock_of_the_provider_is_learned(house: S3House) -> None:
    """A provider 20 minutes off would otherwise refuse everything."""
    skewed = error(403, "RequestTimeTooSkewed", Date=SKEWED_DATE)
    house.server.add(skewed, render(200, {"ETag": '"e"'}))
    await house.backend.put(NAME, BytesSource(b"meow"), HEADERS)
    await house.backend.put(OTHER, BytesSource(b"woof"), HEADERS)
    dates = [one.fields["x-amz-date"] for one in house.requests]

    assert ["20260115T120000Z", "20260115T122000Z", "20260115T122000Z"] == dates
    assert [b"meow", b"meow", b"woof"] == [one.body for one in house.requests]
    assert 3 == house.meter.usage.api_requests


async def test_row_20_refused_head_says_nothing_but_its_date_does(
    house: S3House,
) -> None:
    """The answer to a HEAD has no document with a code."""
    house.server.add(render(403, {"Date": SKEWED_DATE}), render(200, length=4))
    info = await house.backend.head(NAME)

    assert 4 == info.stored_bytes
    assert "20260115T122000Z" == house.requests[1].fields["x-amz-date"]


async def test_row_20_skew_is_learned_once_per_call(house: S3House) -> None:
    """A provider that is never content must not keep us busy."""
    skewed = error(403, "RequestTimeTooSkewed", Date=SKEWED_DATE)
    house.server.add(*[skewed] * 5)
    with pytest.raises(BackendRefused) as caught:
        await house.get()

    assert "RequestTimeTooSkewed" == caught.value.code
    assert 2 == len(house.requests)


async def test_row_20_skew_without_a_date_is_an_error(house: S3House) -> None:
    """There is nothing to learn from."""
    house.server.add(error(403, "RequestTimeTooSkewed"))
    with pytest.raises(BackendRefused):
        await house.get()

    assert 1 == len(house.requests)


# ---- row 21


async def test_row_21_expired_credentials_make_nothing_missing(house: S3House) -> None:
    """403 must not look like 404, or a scrubber would repair the whole bucket away."""
    for code in ("ExpiredToken", "InvalidAccessKeyId", "AccessDenied"):
        house.server.add(error(403, code), render(403), error(403, code))
        with pytest.raises(BackendRefused) as got:
            await house.get()
        with pytest.raises(BackendRefused):
            await house.backend.head(NAME)
        (outcome,) = await house.backend.delete([NAME])

        assert (403, code) == (got.value.status, got.value.code)
        assert isinstance(outcome.error, BackendRefused)
