"""Who asks, at the front door: note 4.3, with the documents that clients read.

Time stands still at START_US in all tests, by mock_clock.
"""

from typing import Any

import pytest
from trio.testing import MockClock

from s3o.net.exchange import RequestHead
from s3o.wire.aws_chunked import Form
from s3o.wire.sigv4 import format_timestamp
from tests.behaviour.documents import refusal
from tests.behaviour.service import Answer, Service, open_service
from tests.fakes.clock import START_US
from tests.s3api.callers import change, make_head, presign, sha256, sign_head
from tests.wire.framing import frame_chunks

PHOTOS = {"access_key": "photoskey", "secret": "photossecret"}
NOW = format_timestamp(START_US)
DAY_US = 86_400_000_000
DENIED = {"status": "403", "Code": "AccessDenied"}


def signed(*args: Any, **more: Any) -> RequestHead:
    """A head signed now by the owner of photos."""
    return sign_head(*args, **{**PHOTOS, "at_us": START_US, **more})[0]


def link(*args: Any, **more: Any) -> RequestHead:
    """A presigned head of the owner of photos."""
    return presign(*args, **{**PHOTOS, "timestamp": NOW, **more})


async def send(service: Service, head: RequestHead, body: bytes = b"") -> Answer:
    """Send a head as it stands, with its body."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.headers)
    if "content-length" not in head.fields:
        lines += f"content-length: {len(body)}\r\n"
    raw = f"{head.method} {head.target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")
    return await service.send(raw + body, head.method)


async def refused(head: RequestHead, body: bytes = b"") -> dict[str, str]:
    """What a head is refused with; nothing is stored."""
    async with open_service() as service:
        answer = await send(service, head, body)
        assert {} == service.blobs()
        assert [] == service.rows("objects")["objects"]
        return refusal(answer)


def authorized(find: str, replace: str) -> RequestHead:
    """A signed head whose Authorization is then changed."""
    head = signed()
    authorization = head.fields["authorization"]
    assert find in authorization
    return change(head, authorization=authorization.replace(find, replace))


async def test_unsigned_headers_are_named(mock_clock: MockClock) -> None:
    """In the words of S3."""
    head = signed("PUT")
    found = await refused(
        make_head("PUT", head.target, [*head.headers, ("x-amz-acl", "private")])
    )

    assert found == {
        **DENIED,
        "Message": "There were headers present in the request which were not signed",
        "HeadersNotSigned": "x-amz-acl",
    }


async def test_skewed_clock_is_told_both_times(mock_clock: MockClock) -> None:
    """SDKs correct theirs by it."""
    found = await refused(signed(at_us=START_US - 901_000_000))

    assert found == {
        "status": "403",
        "Code": "RequestTimeTooSkewed",
        "Message": "The difference between the request time and the current time is "
        "too large.",
        "RequestTime": "20260115T114459Z",
        "ServerTime": "2026-01-15T12:00:00.000Z",
        "MaxAllowedSkewMilliseconds": "900000",
    }


async def test_key_that_is_not_known_is_named(mock_clock: MockClock) -> None:
    """Not the secret but the key is wrong."""
    found = await refused(signed(access_key="AKNOBODY"))

    assert found == {
        "status": "403",
        "Code": "InvalidAccessKeyId",
        "Message": "The AWS Access Key Id you provided does not exist in our records.",
        "AWSAccessKeyId": "AKNOBODY",
    }


async def test_wrong_signature_shows_what_was_signed(mock_clock: MockClock) -> None:
    """What clients compare with what they signed."""
    found = await refused(signed(secret="wrong"))

    assert ("403", "SignatureDoesNotMatch") == (found["status"], found["Code"])
    assert "photoskey" == found["AWSAccessKeyId"]
    assert found["StringToSign"].startswith(f"AWS4-HMAC-SHA256&#xA;{NOW}&#xA;") or (
        found["StringToSign"].startswith(f"AWS4-HMAC-SHA256\n{NOW}\n")
    )
    assert "CanonicalRequest" in found


@pytest.mark.parametrize(
    ("find", "replace"),
    [
        ("/s3/", "/iam/"),
        ("aws4_request", "aws3_request"),
        ("/20260115/", "/20260114/"),
        ("Credential=", ""),
    ],
)
async def test_malformed_scope_is_400(
    mock_clock: MockClock, find: str, replace: str
) -> None:
    """Nobody takes it for a wrong secret."""
    found = await refused(authorized(find, replace))

    assert ("400", "AuthorizationHeaderMalformed") == (found["status"], found["Code"])
    assert {"status", "Code", "Message"} == found.keys()


async def test_two_mechanisms_are_400(mock_clock: MockClock) -> None:
    """Header and query."""
    found = await refused(make_head("GET", link().target, signed().headers))

    assert ("400", "InvalidArgument") == (found["status"], found["Code"])
    assert "Only one auth mechanism allowed" in found["Message"]


async def test_missing_payload_hash_is_400(mock_clock: MockClock) -> None:
    """Of a request whose header is signed."""
    found = await refused(change(signed(), x_amz_content_sha256=None))

    assert ("400", "InvalidRequest") == (found["status"], found["Code"])


async def test_missing_date_is_403(mock_clock: MockClock) -> None:
    """It would be good for ever."""
    found = await refused(change(signed(), x_amz_date=None))

    assert DENIED.items() <= found.items()


async def test_wrong_payload_hash_tells_both(mock_clock: MockClock) -> None:
    """After the body was read, and nothing is stored."""
    found = await refused(signed("PUT", payload=sha256(b"one")), b"two")

    assert found == {
        "status": "400",
        "Code": "XAmzContentSHA256Mismatch",
        "Message": "The provided 'x-amz-content-sha256' header does not match what was "
        "computed.",
        "ClientComputedContentSHA256": sha256(b"one"),
        "S3ComputedContentSHA256": sha256(b"two"),
    }


# ---- presigned URLs


@pytest.mark.parametrize("expires", ["0", "-1", "604801", "x"])
async def test_expiry_is_1_to_604800_seconds(
    mock_clock: MockClock, expires: str
) -> None:
    """A week at most."""
    found = await refused(link(expires=expires))

    assert "400" == found["status"]
    assert "AuthorizationQueryParametersError" == found["Code"]
    assert {"status", "Code", "Message"} == found.keys()


async def test_expired_link_tells_when(mock_clock: MockClock) -> None:
    """And what time it is."""
    made = format_timestamp(START_US - 120_000_000)
    found = await refused(link(timestamp=made, expires="60"))

    assert found == {
        **DENIED,
        "Message": "Request has expired",
        "Expires": "2026-01-15T11:59:00.000Z",
        "ServerTime": "2026-01-15T12:00:00.000Z",
    }


async def test_link_of_the_future_is_403(mock_clock: MockClock) -> None:
    """Nor is it good before its time."""
    found = await refused(link(timestamp=format_timestamp(START_US + DAY_US)))

    assert DENIED.items() <= found.items()
    assert "Request is not yet valid" == found["Message"]


async def test_token_of_temporary_credentials_is_refused(mock_clock: MockClock) -> None:
    """There are none."""
    found = await refused(link(query={"X-Amz-Security-Token": "t"}))

    assert "403" == found["status"]


async def test_checksum_in_a_link_is_ignored(mock_clock: MockClock) -> None:
    """JS presigns that of an empty body for whatever comes later."""
    async with open_service() as service:
        head = link("PUT", query={"x-amz-checksum-crc32": "AAAAAA=="})
        put = await send(service, head, b"hello")
        got = await send(service, link())

    assert (200, 200, b"hello") == (put.status, got.status, got.body)
    assert "x-amz-checksum-crc32" not in put.headers


# ---- the canonical request


async def test_empty_and_absent_values_are_signed_alike(mock_clock: MockClock) -> None:
    """`?location` and `?location=`."""
    async with open_service() as service:
        for target in ("/photos?location", "/photos?location="):
            head = signed("GET", "/photos?location")
            answer = await send(service, make_head("GET", target, head.headers))
            assert 200 == answer.status, answer.text


async def test_spaces_and_repeats_of_headers_do_not_matter(
    mock_clock: MockClock,
) -> None:
    """Values are trimmed, runs of spaces are one, repeats are joined."""
    head = signed("PUT", headers=[("x-amz-meta-a", "b c,d")])
    spaced = [pair for pair in head.headers if pair[0] != "x-amz-meta-a"]
    spaced += [("x-amz-meta-a", "  b   c "), ("x-amz-meta-a", "d")]
    async with open_service() as service:
        answer = await send(service, make_head("PUT", head.target, spaced), b"x")

        assert 200 == answer.status, answer.text


# ---- streaming payloads


def framed(form: Form, *chunks: bytes, trailer: Any = None, announced: str = "") -> Any:
    """A signed head and the body that it announces."""
    headers = [("x-amz-decoded-content-length", str(sum(map(len, chunks))))]
    if announced:
        headers.append(("x-amz-trailer", announced))
    head, chain = sign_head(
        "PUT", headers=headers, payload=str(form), at_us=START_US, **PHOTOS
    )
    return head, frame_chunks(form, chunks, chain, trailer)


@pytest.mark.parametrize("form", Form)
async def test_streamed_body_is_stored_without_its_framing(
    mock_clock: MockClock, form: Form
) -> None:
    """No trailer at all is legal: then CRC64NVME is computed."""
    head, body = framed(form, b"a" * 9000, b"hello")
    async with open_service() as service:
        put = await send(service, head, body)
        got = await send(service, signed())

    assert (200, b"a" * 9000 + b"hello") == (put.status, got.body)
    assert "x-amz-checksum-crc64nvme" in put.headers
    assert "content-encoding" not in got.headers


@pytest.mark.parametrize("form", [Form.SIGNED, Form.SIGNED_TRAILER])
async def test_wrong_chunk_signature_is_403(mock_clock: MockClock, form: Form) -> None:
    """And nothing is stored."""
    head, body = framed(form, b"a" * 9000, b"hello")
    found = await refused(head, body.replace(b"aaa", b"aab", 1))

    assert ("403", "SignatureDoesNotMatch") == (found["status"], found["Code"])


async def test_small_signed_chunk_before_the_last_is_400(mock_clock: MockClock) -> None:
    """8192 bytes is the least."""
    found = await refused(*framed(Form.SIGNED, b"a" * 8191, b"hello"))

    assert found == {
        "status": "400",
        "Code": "InvalidChunkSizeError",
        "Message": "Only the last chunk is allowed to have a size less than 8192 bytes",
    }


@pytest.mark.parametrize("form", [Form.SIGNED_TRAILER, Form.UNSIGNED_TRAILER])
@pytest.mark.parametrize(
    ("trailer", "announced", "code"),
    [
        (
            ("x-amz-checksum-sha1", "AAAAAA=="),
            "x-amz-checksum-crc32",
            "MalformedTrailerError",
        ),
        (None, "x-amz-checksum-crc32", "MalformedTrailerError"),
        (("x-amz-checksum-crc32", "AAAA"), "x-amz-checksum-crc32", "InvalidRequest"),
        (None, "x-amz-checksum-crc32,x-amz-checksum-sha1", "InvalidRequest"),
    ],
)
async def test_trailer_that_is_not_the_announced_is_400(
    mock_clock: MockClock, form: Form, trailer: Any, announced: str, code: str
) -> None:
    """The announcement is signed."""
    head, body = framed(form, b"hello", trailer=trailer, announced=announced)
    found = await refused(head, body)

    assert ("400", code) == (found["status"], found["Code"])


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/photos/a"), ("POST", "/photos?delete"), ("PUT", "/photos?cors")],
)
async def test_streaming_payload_elsewhere_is_400(
    mock_clock: MockClock, form: Form, method: str, target: str
) -> None:
    """Only objects and parts come so."""
    headers = [("x-amz-decoded-content-length", "0")]
    found = await refused(signed(method, target, headers=headers, payload=str(form)))

    assert ("400", "InvalidRequest") == (found["status"], found["Code"])


# ---- Expect


@pytest.mark.parametrize(
    ("path", "who", "headers", "status", "code"),
    [
        ("/photos/a", None, {}, 403, "AccessDenied"),
        ("/others/a", "photoskey", {}, 403, "AccessDenied"),
        ("/photos/a", "photoskey", {"if-match": '"x"'}, 404, "NoSuchKey"),
        (
            "/photos/a",
            "photoskey",
            {"content-length": "2000000000"},
            507,
            "InsufficientStorage",
        ),
    ],
)
async def test_refusal_comes_instead_of_100_continue(
    mock_clock: MockClock,
    path: str,
    who: str | None,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    """The body is not read, and the connection ends."""
    async with open_service() as service:
        given = {"expect": "100-continue", "content-length": "5", **headers}
        raw = service.request("PUT", path, headers=given, who=who)
        answer = await service.send(raw, "PUT")

        assert (status, False) == (answer.status, answer.was_continued), answer.text
        assert code == answer.code
        assert "close" == answer.headers["connection"]
        assert {} == service.blobs()
