"""What we send to a provider, how it is signed, and what is counted."""

import base64
import hashlib
from collections.abc import AsyncIterator
from typing import get_args

import pytest
import trio

from s3o.backends.profiles import PROFILES, choose_profile
from s3o.backends.s3_settings import S3Settings
from s3o.backends.s3_signing import HeadWriter
from s3o.model import limits
from s3o.model.errors import BackendRefused, ClientGone
from s3o.model.names import ProfileName, StorageKey
from s3o.model.values import BlobHeaders, Usage
from s3o.wire.aws_chunked import encoded_length
from s3o.wire.sigv4 import EMPTY_SHA256, RequestSigner
from tests.backends.s3_house import (
    NAME,
    SECRET,
    S3House,
    error,
    listing,
    settings_of,
)
from tests.fakes.clock import ManualClock
from tests.fakes.scripted_server import Received, Scripted, Then, render
from tests.fakes.sources import BytesSource, pattern

PLAIN = BlobHeaders()
LONG = pattern(2 * limits.MIB)  # watched for an early answer
FORBIDDEN_PREFIXES = ("x-amz-checksum-", "x-amz-sdk-", "x-amz-trailer", "x-amz-acl")


@pytest.fixture
async def house(nursery: trio.Nursery) -> AsyncIterator[S3House]:
    """A backend before a scripted provider; no call may keep a slot."""
    house = S3House(nursery)
    yield house
    assert limits.BACKEND_CONNECTIONS == house.pool.free_slots
    await house.backend.aclose()


def sha256(body: bytes) -> str:
    """In hex, as signed."""
    return hashlib.sha256(body).hexdigest()


def is_signed_as_wire_signs(request: Received, settings: S3Settings) -> bool:
    """Whether the independent signer of wire/sigv4 comes to the same signature."""
    signed = request.fields["authorization"].partition("SignedHeaders=")[2]
    names = signed.partition(",")[0].split(";")
    path, _, query = request.target.partition("?")
    pairs = [one.partition("=")[::2] for one in query.split("&")] if query else []
    signer = RequestSigner(settings.access_key_id, SECRET, settings.region)
    made = {"x-amz-date", "x-amz-content-sha256"}
    headers = tuple((one, request.fields[one]) for one in names if one not in made)
    sent = dict(
        signer.sign(
            request.method,
            path,
            [(name, value.replace("%2F", "/")) for name, value in pairs],
            headers,
            request.fields["x-amz-content-sha256"],
            ManualClock().now_us(),
        )
    )
    return sent["authorization"] == request.fields["authorization"]


# ---- signing


async def test_every_request_is_signed_as_the_other_signer_signs(
    house: S3House,
) -> None:
    """The fast path writes heads by hand; it must not drift from the plain one."""
    headers = BlobHeaders(
        record=(("s3o", "1;a;!"),),
        content_type="image/jpeg",
        headers=(("cache-control", "max-age=60"), ("content-language", "en  us")),
        metadata=(("camera", "X100"),),
        stored_md5="0" * 32,
    )
    house.server.add(
        render(), render(), render(length=4), listing(), render(), render()
    )
    await house.backend.put(NAME, BytesSource(b"meow"), headers)
    await house.get()
    await house.backend.head(NAME)
    await house.backend.list_page("photos/")
    await house.backend.probe()
    await house.backend.delete([NAME])
    await house.backend.delete([NAME, NAME])

    assert 7 == len(house.requests)
    for request in house.requests:
        assert is_signed_as_wire_signs(request, house.settings), request.target


async def test_requests_say_the_least(house: S3House) -> None:
    """GCS, OCI, B2 and R2 refuse what AWS's SDKs add."""
    house.server.add(render(), render(), render(length=4), listing(), render())
    await house.backend.put(NAME, BytesSource(LONG), PLAIN)
    await house.get()
    await house.backend.head(NAME)
    await house.backend.list_page("photos/")
    await house.backend.delete([NAME])

    for request in house.requests:
        assert "identity" == request.fields["accept-encoding"]
        assert "transfer-encoding" not in request.fields
        assert "content-encoding" not in request.fields
        assert "expect" not in request.fields
        assert not any(name.startswith(FORBIDDEN_PREFIXES) for name in request.fields)
        assert SECRET.encode() not in request.head


@pytest.mark.parametrize(
    ("size", "changes", "expected"),
    [
        (0, {}, EMPTY_SHA256),
        (4, {}, "hash"),
        (limits.PIECE_BYTES, {}, "hash"),
        (limits.PIECE_BYTES + 1, {}, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        (len(LONG), {"is_payload_unsigned": True}, "UNSIGNED-PAYLOAD"),
        (4, {"is_payload_unsigned": True}, "UNSIGNED-PAYLOAD"),
        (len(LONG), {"profile": "r2"}, "UNSIGNED-PAYLOAD"),
        (4, {"profile": "oci"}, "hash"),
    ],
)
async def test_payload_is_signed_as_profile_and_operator_say(
    nursery: trio.Nursery, size: int, changes: dict[str, object], expected: str
) -> None:
    """In the clear a body is signed; where a provider cannot, it goes unsigned."""
    house = S3House(nursery, settings_of(**changes))
    body = LONG[:size]
    await house.backend.put(NAME, BytesSource(body), PLAIN)
    await house.backend.aclose()

    sent = house.requests[0].fields["x-amz-content-sha256"]
    assert (sha256(body) if expected == "hash" else expected) == sent


async def test_known_hash_is_sent_as_it_is(house: S3House) -> None:
    """What the client signed need not be hashed again, and the provider checks it."""
    digest = sha256(LONG)
    md5 = hashlib.md5(LONG, usedforsecurity=False).digest()
    headers = BlobHeaders(stored_sha256=digest, stored_md5=md5.hex())
    await house.backend.put(NAME, BytesSource(LONG), headers)

    assert digest == house.requests[0].fields["x-amz-content-sha256"]
    assert base64.b64encode(md5).decode() == house.requests[0].fields["content-md5"]
    assert LONG == house.requests[0].body


async def test_streamed_body_is_framed_and_its_length_known(house: S3House) -> None:
    """aws-chunked without trailers and without Content-Encoding, which some keep."""
    await house.backend.put(NAME, BytesSource(LONG, piece_bytes=100_001), PLAIN)
    fields = house.requests[0].fields

    assert str(len(LONG)) == fields["x-amz-decoded-content-length"]
    assert str(encoded_length(len(LONG))) == fields["content-length"]
    assert encoded_length(len(LONG)) == len(house.requests[0].body)
    assert house.requests[0].body.startswith(b"10000;chunk-signature=")
    assert Usage(1, 0, len(LONG)) == house.meter.usage


async def test_provider_that_knows_no_signed_chunks_is_asked_once(
    house: S3House,
) -> None:
    """Swift answers 501; an operator who chose no profile should not notice."""
    house.server.add(
        Scripted(answer=error(501, "NotImplemented"), reads=0, then=Then.HANG)
    )
    for _ in range(2):
        await house.backend.put(NAME, BytesSource(LONG), PLAIN)
    hashes = [one.fields["x-amz-content-sha256"] for one in house.requests]

    assert ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", *["UNSIGNED-PAYLOAD"] * 2] == hashes
    assert LONG == house.requests[1].body


def test_over_tls_bodies_go_unsigned_by_default() -> None:
    """TLS protects them; hashing twice would cost half the throughput."""
    assert settings_of(endpoint="https://s3.example").may_send_unsigned
    assert not settings_of(endpoint="http://s3.example").may_send_unsigned


def test_head_is_written_anew_when_day_and_second_turn() -> None:
    """The parts written once a second must not outlive it."""
    clock = ManualClock()
    writer = HeadWriter(
        settings_of().address,
        region="us-east-1",
        access_key_id="AKID",
        secret_access_key=SECRET,
        clock=clock,
    )
    first = writer.write("GET", "/bucket/a", EMPTY_SHA256)
    same = writer.write("GET", "/bucket/a", EMPTY_SHA256)
    clock.advance(86_400)
    later = writer.write("GET", "/bucket/a", EMPTY_SHA256)

    assert first == same
    assert b"/20260115/us-east-1/s3/aws4_request" in first.raw
    assert b"/20260116/us-east-1/s3/aws4_request" in later.raw


# ---- addressing


@pytest.mark.parametrize(
    ("endpoint", "is_path_style", "host", "target", "connects_to"),
    [
        ("http://s3.example", True, "s3.example", "/bucket/x", ("s3.example", 80)),
        (
            "http://s3.example:9000/",
            False,
            "bucket.s3.example:9000",
            "/x",
            ("bucket.s3.example", 9000),
        ),
        ("http://[::1]:9000", True, "[::1]:9000", "/bucket/x", ("::1", 9000)),
        ("http://s3.example:80", True, "s3.example", "/bucket/x", ("s3.example", 80)),
    ],
)
async def test_bucket_is_addressed_by_path_or_by_host(
    nursery: trio.Nursery,
    endpoint: str,
    is_path_style: bool,
    host: str,
    target: str,
    connects_to: tuple[str, int],
) -> None:
    """A wrong Host header breaks the signature."""
    settings = settings_of(endpoint=endpoint, is_path_style=is_path_style)
    house = S3House(nursery, settings)
    house.server.add(render(length=4))
    await house.backend.head(StorageKey("x"))
    await house.backend.aclose()

    assert host == house.requests[0].fields["host"]
    assert target == house.requests[0].target
    assert [connects_to] == house.network.connects


@pytest.mark.parametrize(
    "endpoint",
    [
        "ftp://s3.example",
        "s3.example",
        "http://s3.example/path",
        "http://u:p@s3.example",
        "http://",
        "http://s3.example?x=1",
    ],
)
def test_endpoint_that_is_no_origin_is_refused(endpoint: str) -> None:
    """Whatever stands behind the port would be left out silently."""
    with pytest.raises(ValueError):
        _ = settings_of(endpoint=endpoint).origin


async def test_names_are_sent_encoded_once(house: S3House) -> None:
    """Our own names take a shortcut that must come to the same."""
    house.server.add(*[render(length=1)] * 3)
    for name in (NAME, "photos/=2E!x", "imported/ü +%?#&=\n"):
        await house.backend.head(StorageKey(name))

    assert [
        f"/bucket/photos/cat.jpg%21{'0' * 32}",
        "/bucket/photos/%3D2E%21x",
        "/bucket/imported/%C3%BC%20%2B%25%3F%23%26%3D%0A",
    ] == [one.target for one in house.requests]


def test_settings_hide_the_secret() -> None:
    """Tracebacks and status pages print settings."""
    assert SECRET not in repr(settings_of())


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("s3.eu-west-1.amazonaws.com", "aws"),
        ("ns.compat.objectstorage.us-phoenix-1.oraclecloud.com", "oci"),
        ("s3.us-west-004.backblazeb2.com", "b2"),
        ("abc.r2.cloudflarestorage.com", "r2"),
        ("Storage.googleapis.com", "gcs"),
        ("s3.wasabisys.com", "wasabi"),
        ("ams3.digitaloceanspaces.com", "ceph"),
        ("nl-ams-1.linodeobjects.com", "ceph"),
        ("fsn1.your-objectstorage.com", "ceph"),
        ("evilamazonaws.com", "generic"),
        ("10.0.0.1", "generic"),
    ],
)
def test_profile_is_chosen_by_the_endpoint(host: str, name: str) -> None:
    """Operators should not have to know."""
    assert name == choose_profile(host).name
    assert "minio" == choose_profile(host, "minio").name
    assert list(get_args(ProfileName)) == [profile.name for profile in PROFILES]


# ---- puts


async def test_receipt_promises_an_md5_only_where_one_is_known(
    nursery: trio.Nursery,
) -> None:
    """A KMS bucket's ETag is no MD5, and comparing it would fail every write."""
    house = S3House(nursery)
    md5 = hashlib.md5(b"meow", usedforsecurity=False).hexdigest()
    kms = {"ETag": f'"{md5}"', "x-amz-server-side-encryption": "aws:kms"}
    house.server.add(
        render(200, {"ETag": f'"{md5}"', "x-amz-version-id": "v1"}),
        render(200, kms),
        render(200, {"ETag": '"abc-2"', "x-amz-version-id": "null"}),
    )
    receipts = [
        await house.backend.put(NAME, BytesSource(b"meow"), PLAIN) for _ in range(3)
    ]
    await house.backend.aclose()

    assert [True, False, False] == [one.etag_is_md5 for one in receipts]
    assert [md5, md5, "abc-2"] == [one.etag for one in receipts]
    assert ["v1", None, None] == [one.backend_version for one in receipts]


async def test_source_that_fails_at_once_costs_the_provider_nothing(
    house: S3House,
) -> None:
    """A wrong digest of a small body is known before anything is sent."""
    source = BytesSource(b"meow", fail_at=0, error=ClientGone())
    with pytest.raises(ClientGone):
        await house.backend.put(NAME, source, PLAIN)

    assert Usage() == house.meter.usage
    assert [] == house.network.connects


@pytest.mark.parametrize("status", [403, 507])
async def test_early_refusal_ends_a_long_put(house: S3House, status: int) -> None:
    """A full backend says so long before the body is through."""
    early = error(status, "QuotaExceeded" if status == 507 else "AccessDenied")
    house.server.add(Scripted(answer=early, reads=100_000, then=Then.HANG))
    source = BytesSource(pattern(20 * limits.MIB))
    with pytest.raises(BackendRefused if status == 403 else Exception) as caught:
        await house.backend.put(NAME, source, PLAIN)

    assert str(status) in str(caught.value)
    assert source.reads < 20
