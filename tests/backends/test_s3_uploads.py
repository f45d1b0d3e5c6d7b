"""What a bad provider can do to uploads in parts and copies, and what we make of it."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from s3o.model import limits
from s3o.model.errors import (
    BackendError,
    BackendFull,
    BackendProtocolError,
    BackendRefused,
    BackendThrottled,
    BackendTimeout,
    BackendUnreachable,
    BlobMissing,
    UploadMissing,
)
from s3o.model.names import StorageKey
from s3o.model.values import BlobHeaders, Interval
from tests.backends.s3_house import (
    NAME,
    OTHER,
    PROGRESS_S,
    S3House,
    error,
    settings_of,
)
from tests.fakes.scripted_server import Scripted, Then, render
from tests.fakes.sources import BytesSource

HEADERS = BlobHeaders(
    record=(("s3o", "1;!"),), content_type="video/mp4", stored_md5="0" * 32
)
ETAG = "9b2cf535f27731c974343645a3985328"
COMPLETED = (
    b'<?xml version="1.0"?><CompleteMultipartUploadResult>'
    b"<ETag>&quot;e-1&quot;</ETag></CompleteMultipartUploadResult>"
)
COPIED = f"<CopyObjectResult><ETag>{ETAG}</ETag></CopyObjectResult>".encode()
INSIDE = b"<Error><Code>%s</Code><Message>later</Message></Error>"


@pytest.fixture
async def house() -> AsyncIterator[S3House]:
    """A provider that does everything, before it misbehaves."""
    async with trio.open_nursery() as nursery:
        house = S3House(nursery, settings_of(profile="minio"))
        yield house
        await house.backend.aclose()
        assert limits.BACKEND_CONNECTIONS == house.pool.free_slots, "a slot leaked"
        nursery.cancel_scope.cancel()


async def complete(house: S3House) -> object:
    """Complete an upload of one part."""
    return await house.backend.complete_upload(NAME, "up", [(1, ETAG)])


async def copy(house: S3House) -> object:
    """Copy a blob."""
    return await house.backend.copy(OTHER, NAME, HEADERS)


async def copy_part(house: S3House) -> object:
    """Copy a part."""
    return await house.backend.copy_part(OTHER, Interval(0, 9), NAME, "up", 1)


async def send_part(house: S3House) -> object:
    """Send a part."""
    return await house.backend.upload_part(NAME, "up", 1, BytesSource(b"part"))


def slowly(body: bytes, drip: int) -> Scripted:
    """An answer whose head comes at once and whose body takes its time."""
    return Scripted(
        answer=render(body=body),
        drip=drip,
        pause_s=PROGRESS_S - 1,
        is_head_whole=True,
    )


Act = Callable[[S3House], Awaitable[object]]
EVERY = pytest.mark.parametrize("act", [complete, copy, copy_part, send_part])
LONG = pytest.mark.parametrize("act", [complete, copy])


async def test_copy_says_all_that_a_provider_must_know(house: S3House) -> None:
    """The old metadata must go, and the MD5 of no body must not be sent."""
    house.server.add(render(body=COPIED))
    receipt = await house.backend.copy(
        StorageKey("photos/é +%!" + "0" * 32), NAME, HEADERS
    )
    (request,) = house.requests

    assert ("PUT", "0") == (request.method, request.fields["content-length"])
    assert (
        "bucket/photos/%C3%A9%20%2B%25%21" + "0" * 32
        == request.fields["x-amz-copy-source"]
    )
    assert not any("-if-" in name for name in request.fields), "names are unique"
    assert "REPLACE" == request.fields["x-amz-metadata-directive"]
    assert "video/mp4" == request.fields["content-type"]
    assert "1;!" == request.fields["x-amz-meta-s3o"]
    assert "content-md5" not in request.fields
    # Ceph does not quote it.
    assert (ETAG, True) == (receipt.etag, receipt.etag_is_md5)


async def test_manifest_names_the_parts_in_order(house: S3House) -> None:
    """Ids and ETags are the provider's, and may hold anything printable."""
    house.server.add(render(body=COMPLETED))
    receipt = await house.backend.complete_upload(
        NAME, "a/b+c=&%", [(1, "e&1"), (10_000, "e2")]
    )
    (request,) = house.requests

    assert request.target.endswith("?uploadId=a%2Fb%2Bc%3D%26%25")
    assert (
        b"<Part><PartNumber>1</PartNumber><ETag>&quot;e&amp;1&quot;</ETag></Part>"
        b"<Part><PartNumber>10000</PartNumber><ETag>&quot;e2&quot;</ETag></Part>"
        in request.body
    )
    assert ("e-1", False) == (receipt.etag, receipt.etag_is_md5)


@EVERY
@pytest.mark.parametrize(
    ("answer", "kind", "is_definite"),
    [
        (error(503, "SlowDown"), BackendThrottled, False),
        (error(429, "TooManyRequests"), BackendThrottled, True),
        (error(500, "InternalError"), BackendRefused, False),
        (error(403, "AccessDenied"), BackendRefused, True),
        (error(403, "QuotaExceeded"), BackendFull, True),
        (error(507, "StorageFull"), BackendFull, True),
        (render(507), BackendFull, False),
        (error(404, "NoSuchBucket"), BackendRefused, True),
        (render(400), BackendRefused, False),  # a gateway's, perhaps
        (render(307, {"Location": "http://169.254.169.254/"}), BackendRefused, False),
        (error(301, "PermanentRedirect"), BackendRefused, False),
        (Scripted(then=Then.RESET), BackendUnreachable, False),
        (Scripted(answer=b"SSH-2.0\r\n\r\n"), BackendProtocolError, False),
    ],
)
async def test_failure_says_whether_it_may_have_had_an_effect(
    house: S3House,
    act: Act,
    answer: Scripted | bytes,
    kind: type[BackendError],
    is_definite: bool,
) -> None:
    """What was certainly not done needs no looking for."""
    house.server.add(answer)
    with pytest.raises(BackendError) as raised:
        await act(house)

    assert (kind, is_definite) == (type(raised.value), raised.value.is_definite)
    assert 1 == len(house.requests)


@LONG
@pytest.mark.parametrize("space", [b"", b" \n" * 40])
@pytest.mark.parametrize("code", [b"InternalError", b"InvalidPart", b"NoSuchKey"])
async def test_error_inside_a_success_is_a_failure_of_unknown_effect(
    house: S3House, act: Act, space: bytes, code: bytes
) -> None:
    """AWS has answered 200 before it knows; taking that for done loses the object."""
    house.server.add(render(body=space + INSIDE % code))
    with pytest.raises(BackendError) as raised:
        await act(house)

    assert not raised.value.is_definite


@LONG
async def test_white_space_keeps_a_slow_answer_alive(
    house: S3House, act: Act, autojump_clock: MockClock
) -> None:
    """A Complete of ten thousand parts takes minutes."""
    body = b" " * 70 + (COMPLETED if act is complete else COPIED)
    house.server.add(slowly(body, 5))
    began_at = trio.current_time()
    await act(house)

    assert trio.current_time() - began_at > 10 * PROGRESS_S


@LONG
async def test_answer_without_end_is_given_up(
    house: S3House, act: Act, autojump_clock: MockClock
) -> None:
    """A provider that only keeps alive must not hold a connection for ever."""
    house.server.add(slowly(b" " * 10_000, 1))
    began_at = trio.current_time()
    with pytest.raises(BackendTimeout):
        await act(house)

    spent_s = trio.current_time() - began_at
    assert limits.BACKEND_KEEPALIVE_S <= spent_s < limits.BACKEND_KEEPALIVE_S + 60


@LONG
@pytest.mark.parametrize("body", [b"", b"  ", b"<html>", b"<CopyObjec", b"<x/>"])
async def test_success_without_its_document_is_no_success(
    house: S3House, act: Act, body: bytes
) -> None:
    """The blob itself has to be looked at."""
    house.server.add(render(body=body))
    with pytest.raises(BackendProtocolError) as raised:
        await act(house)

    assert not raised.value.is_definite


@LONG
async def test_answer_that_breaks_off_is_of_unknown_effect(
    house: S3House, act: Act
) -> None:
    """The connection broke while the provider was at work."""
    house.server.add(Scripted(answer=render(body=b"   ", length=999), then=Then.RESET))
    with pytest.raises(BackendUnreachable) as raised:
        await act(house)

    assert not raised.value.is_definite


async def test_unknown_upload_is_no_refusal_of_complete(house: S3House) -> None:
    """An earlier request may have completed it: the blob has to be looked at."""
    house.server.add(error(404, "NoSuchUpload"))
    with pytest.raises(UploadMissing) as raised:
        await complete(house)

    assert not raised.value.is_definite


async def test_second_attempt_does_not_speak_for_the_first(house: S3House) -> None:
    """The first may have been stored before its idle connection broke."""
    house.server.add(render(), Scripted(then=Then.CLOSE), error(403, "QuotaExceeded"))
    await house.backend.probe()
    with pytest.raises(BackendFull) as raised:
        await house.backend.put(NAME, BytesSource(b"x"), HEADERS)

    assert 3 == len(house.requests)
    assert not raised.value.is_definite


@pytest.mark.parametrize("etag", [{}, {"ETag": '""'}, {"ETag": '"\xe9"'}])
async def test_part_without_an_etag_is_of_no_use(
    house: S3House, etag: dict[str, str]
) -> None:
    """Complete must repeat it."""
    house.server.add(render(200, etag))
    with pytest.raises(BackendProtocolError):
        await send_part(house)


@pytest.mark.parametrize(
    "upload_id", ["", " ", "a b", "é", "x" * (limits.BACKEND_UPLOAD_ID_BYTES + 1)]
)
async def test_upload_id_is_bounded_plain_text(house: S3House, upload_id: str) -> None:
    """It goes into the ledger and into addresses."""
    root = "InitiateMultipartUploadResult"
    body = f"<{root}><UploadId>{upload_id}</UploadId></{root}>".encode()
    house.server.add(render(body=body))
    with pytest.raises(BackendProtocolError):
        await house.backend.create_upload(NAME, HEADERS)


@pytest.mark.parametrize("marker", ["0", "1", "10001", "-1", "x"])
async def test_listing_of_parts_that_never_ends_is_given_up(
    house: S3House, marker: str
) -> None:
    """Its pages must go forward, and ten thousand parts are the most there are."""
    page = (
        "<ListPartsResult><IsTruncated>true</IsTruncated>"
        "<NextPartNumberMarker>{}</NextPartNumberMarker></ListPartsResult>"
    )
    house.server.add(
        render(body=page.format(1).encode()), render(body=page.format(marker).encode())
    )
    with pytest.raises(BackendProtocolError):
        await house.backend.list_parts(NAME, "up")

    assert 2 == len(house.requests)


async def test_uploads_of_others_are_left_out(house: S3House) -> None:
    """What was not asked for, and ids that are none, must not reach the sweep."""
    uploads = "".join(
        f"<Upload><Key>{key}</Key><UploadId>{upload_id}</UploadId></Upload>"
        for key, upload_id in [("photos/a", "1"), ("foreign", "2"), ("photos/b", "")]
    )
    root = "ListMultipartUploadsResult"
    body = f"<{root}><IsTruncated>false</IsTruncated>{uploads}</{root}>".encode()
    house.server.add(render(body=body))
    page = await house.backend.list_uploads("photos/")

    assert ["photos/a"] == [upload.name for upload in page.uploads]
    assert page.next_token is None


async def test_absent_source_and_absent_bucket_are_told_apart(house: S3House) -> None:
    """Only the first makes a blob count as lost."""
    house.server.add(error(404, "NoSuchKey"), error(404, "NoSuchBucket"))
    with pytest.raises(BlobMissing) as missing:
        await copy(house)
    with pytest.raises(BackendRefused):
        await copy(house)

    assert OTHER == missing.value.storage_key
