"""Each provider's quirks against its profile, and against a wrong one.

The right profile must make the round trip of everything that its traits promise; a
wrong one must fail, or the quirk would not be there and the profile not needed.
"""

import posixpath

import pytest
from trio.testing import MockClock

from s3o.backends.profiles import PROFILES, choose_profile
from s3o.model import limits
from s3o.model.errors import BackendRefused, BlobMissing
from s3o.model.names import StorageKey
from s3o.model.values import BlobHeaders, Interval, Traits
from tests.contract.factories import CountingMeter
from tests.contract.subject import PLAIN, name_of
from tests.fakes.s3_objects import delete_objects
from tests.fakes.s3_provider import Provider, open_provider
from tests.fakes.s3_quirks import PROVIDERS, STRANGERS, Quirks
from tests.fakes.s3_server import S3Server
from tests.fakes.s3_wire import Refusal, Request
from tests.fakes.sources import BytesSource, pattern

NAME, OTHER = name_of("film.mp4"), name_of("ünïcödé/with space")
TARGET, LARGE = name_of("copy.mp4"), pattern(3_000_000)
pytestmark = pytest.mark.slow


NEW = BlobHeaders(record=(("s3o", "1;new;!"),), metadata=(("camera", "X100"),))
MIN = limits.PART_MIN_BYTES
every_profile = pytest.mark.parametrize("profile", sorted(PROVIDERS))


async def read(provider: Provider, interval: Interval | None = None) -> bytes:
    """Read NAME."""
    pieces = []
    async with provider.backend.open(NAME, interval) as reader:
        while piece := await reader.read():
            pieces.append(piece)
    return b"".join(pieces)


async def put(provider: Provider, *sizes: int) -> None:
    """Store NAME, and OTHER if there are two sizes."""
    for name, size in zip((NAME, OTHER), sizes, strict=False):
        await provider.backend.put(name, BytesSource(LARGE[:size]), NEW)


async def send_parts(
    provider: Provider, *sizes: int
) -> tuple[str, list[tuple[int, str]]]:
    """Begin an upload of TARGET and send its parts."""
    upload_id = await provider.backend.create_upload(TARGET, NEW)
    parts = []
    for number, size in enumerate(sizes, 1):
        source = BytesSource(pattern(size, number))
        receipt = await provider.backend.upload_part(TARGET, upload_id, number, source)
        parts.append((number, receipt.etag))
    return upload_id, parts


def test_each_profile_has_a_provider() -> None:
    """A new profile comes with its quirks."""
    assert {profile.name for profile in PROFILES} == PROVIDERS.keys()


@every_profile
async def test_blobs_make_the_round_trip(profile: str) -> None:
    """Small and large, whole and in part, listed and deleted, one by one and many."""
    async with open_provider(CountingMeter(), profile, PROVIDERS[profile]) as provider:
        backend = provider.backend
        await put(provider, len(LARGE), 5)
        await put(provider, len(LARGE), 5)  # again, now that the client has learned
        info = await backend.head(NAME)
        first = await backend.list_page("", limit=1)
        rest = await backend.list_page("", first.next_token)

        assert LARGE == await read(provider)
        assert LARGE[70_000:90_001] == await read(provider, Interval(70_000, 90_001))
        assert (len(LARGE), "1;new;!") == (info.stored_bytes, info.headers["s3o"])
        listed = [blob.name for blob in (*first.blobs, *rest.blobs)]
        assert sorted([NAME, OTHER], key=str.encode) == listed
        outcomes = await backend.delete([NAME, OTHER, name_of("absent")])
        await put(provider, 1)
        outcomes += await backend.delete([NAME])
        assert [None] * 4 == [outcome.error for outcome in outcomes]
        assert {} == provider.server.bucket.versions, "no version is left to be paid"
        with pytest.raises(BlobMissing):
            await backend.head(NAME)


@every_profile
async def test_receipts_promise_no_md5_that_is_none(profile: str) -> None:
    """Where ETags are opaque (KMS), a write must not be taken for damaged."""
    async with open_provider(CountingMeter(), profile, PROVIDERS[profile]) as provider:
        source = BytesSource(LARGE)
        receipt = await provider.backend.put(NAME, source, PLAIN)

        is_opaque = PROVIDERS[profile].has_opaque_etags
        assert is_opaque != receipt.etag_is_md5
        assert is_opaque != (source.digests.md5 == receipt.etag)


@every_profile
async def test_upload_makes_the_round_trip_or_is_refused_unsent(profile: str) -> None:
    """What the traits promise is kept, and what they rule out is not tried."""
    async with open_provider(CountingMeter(), profile, PROVIDERS[profile]) as provider:
        backend = provider.backend
        if not backend.traits.has_multipart:
            with pytest.raises(BackendRefused):
                await backend.create_upload(TARGET, NEW)
            assert [] == provider.server.requests
            return
        upload_id, parts = await send_parts(provider, MIN, MIN, 7)
        page = await backend.list_uploads("")
        native = await backend.list_parts(TARGET, upload_id)
        await backend.complete_upload(TARGET, upload_id, parts)

        assert [upload_id] == [upload.upload_id for upload in page.uploads]
        assert parts == [(part.number, part.etag) for part in native]
        assert 2 * MIN + 7 == (await backend.head(TARGET)).stored_bytes
        abandoned, _ = await send_parts(provider, 1)
        await backend.abort_upload(TARGET, abandoned)
        await backend.abort_upload(TARGET, abandoned)
        assert {} == provider.server.bucket.uploads


@every_profile
async def test_copy_makes_the_round_trip_or_is_refused_unsent(profile: str) -> None:
    """A copy has its own record and nothing of its source's."""
    async with open_provider(CountingMeter(), profile, PROVIDERS[profile]) as provider:
        backend = provider.backend
        old = BlobHeaders(record=(("s3o", "1;old;!"), ("s3o1", "more")))
        await backend.put(NAME, BytesSource(LARGE), old)
        if not backend.traits.can_copy:
            before = len(provider.server.requests)
            with pytest.raises(BackendRefused):
                await backend.copy(NAME, TARGET, NEW)
            assert before == len(provider.server.requests)
            return
        await backend.copy(NAME, TARGET, NEW)

        info = await backend.head(TARGET)
        assert (len(LARGE), "1;new;!") == (info.stored_bytes, info.headers["s3o"])
        assert "s3o1" not in info.headers


@every_profile
async def test_part_copy_is_kept_where_it_is_promised(profile: str) -> None:
    """Its answer has two names and its ETag may come without quotes."""
    async with open_provider(CountingMeter(), profile, PROVIDERS[profile]) as provider:
        backend = provider.backend
        if not backend.traits.can_copy_part:
            with pytest.raises(BackendRefused):
                await backend.copy_part(NAME, None, TARGET, "unknown", 1)
            return
        await put(provider, len(LARGE))
        upload_id = await backend.create_upload(TARGET, NEW)
        receipt = await backend.copy_part(
            NAME, Interval(10, 1010), TARGET, upload_id, 1
        )
        await backend.complete_upload(TARGET, upload_id, [(1, receipt.etag)])

        assert 1000 == (await backend.head(TARGET)).stored_bytes


@every_profile
async def test_nothing_is_sent_that_some_provider_refuses(profile: str) -> None:
    """No checksum, no SDK's header, no trailer, no ACL, no tag, from any profile."""
    strict = Quirks(refuses_checksums=True, needs_content_md5_on_delete=True)
    async with open_provider(CountingMeter(), profile, strict) as provider:
        backend = provider.backend
        await put(provider, len(LARGE), 5)
        if backend.traits.has_multipart:
            upload_id, parts = await send_parts(provider, 1)
            await backend.complete_upload(TARGET, upload_id, parts)
        outcomes = await backend.delete([NAME, OTHER])

        assert [None] * 2 == [outcome.error for outcome in outcomes]
        for _, request in provider.server.requests:
            sent = {name for name in request.fields if name.startswith("x-amz-")}
            assert not {
                name
                for name in sent
                if name.startswith(("x-amz-checksum", "x-amz-sdk", "x-amz-trailer"))
            }
            assert not sent & {"x-amz-acl", "x-amz-tagging", "x-amz-storage-class"}


# ---- the wrong profile


@pytest.mark.parametrize("provider_name", ["oci", "gcs"])
async def test_streaming_signature_is_refused_by_who_wants_none(
    provider_name: str,
) -> None:
    """400 is no "unknown to me", so nothing is learned from it."""
    quirks = PROVIDERS[provider_name]
    async with open_provider(CountingMeter(), "aws", quirks) as provider:
        with pytest.raises(BackendRefused) as refused:
            await put(provider, len(LARGE))

    assert (400, True) == (refused.value.status, refused.value.is_definite)


@pytest.mark.parametrize(("profile", "refused"), [("aws", 1), ("swift", 0)])
async def test_streaming_signature_answered_501_is_not_tried_again(
    profile: str, refused: int
) -> None:
    """The wrong profile costs one request, the right one none."""
    async with open_provider(CountingMeter(), profile, PROVIDERS["swift"]) as provider:
        await put(provider, len(LARGE), len(LARGE))

        assert 2 + refused == provider.server.count("PutObject")
        assert LARGE == await read(provider)


async def test_multi_delete_is_refused_by_who_has_none() -> None:
    """GCS: the wrong profile deletes nothing."""
    async with open_provider(CountingMeter(), "oci", PROVIDERS["gcs"]) as provider:
        await put(provider, 5, 5)
        with pytest.raises(BackendRefused):
            await provider.backend.delete([NAME, OTHER])

        assert {NAME, OTHER} == provider.server.bucket.versions.keys()


async def test_kept_versions_stay_under_a_profile_that_does_not_ask() -> None:
    """B2: a plain DELETE only hides the bytes, and they stay on the bill."""
    async with open_provider(CountingMeter(), "b2", PROVIDERS["b2"]) as provider:
        await put(provider, 5)
        server = provider.server
        async with open_provider(CountingMeter(), "r2", PROVIDERS["b2"]) as wrong:
            wrong.server.bucket = server.bucket
            await wrong.backend.delete([NAME])
        assert [False, True] == [
            blob.is_marker for blob in server.bucket.versions[NAME]
        ]
        await provider.backend.delete([NAME])

        assert {} == server.bucket.versions


async def test_unequal_parts_are_refused_at_the_end() -> None:
    """R2: so needs_equal_parts keeps them apart before they are sent."""
    async with open_provider(CountingMeter(), "r2", PROVIDERS["r2"]) as provider:
        assert provider.backend.traits.needs_equal_parts
        upload_id, parts = await send_parts(provider, MIN, MIN + 1, 7)
        with pytest.raises(BackendRefused) as refused:
            await provider.backend.complete_upload(TARGET, upload_id, parts)

    assert ("InvalidPart", True) == (refused.value.code, refused.value.is_definite)


@pytest.mark.parametrize(("profile", "sent"), [("aws", 1), ("swift", 0)])
async def test_part_number_over_swifts_highest(profile: str, sent: int) -> None:
    """The wrong profile sends the part's bytes only to have them refused."""
    async with open_provider(CountingMeter(), profile, PROVIDERS["swift"]) as provider:
        upload_id = await provider.backend.create_upload(TARGET, PLAIN)
        with pytest.raises(BackendRefused):
            await provider.backend.upload_part(
                TARGET, upload_id, 1001, BytesSource(b"x")
            )

        assert sent == provider.server.count("UploadPart")


@pytest.mark.parametrize("provider_name", ["ceph", "rclone"])
async def test_part_left_out_is_refused_by_who_wants_all(provider_name: str) -> None:
    """So parts are blobs there: which there are is not ours to know."""
    quirks = PROVIDERS[provider_name]
    async with open_provider(CountingMeter(), "aws", quirks) as provider:
        upload_id, parts = await send_parts(provider, 5, 5)
        with pytest.raises(BackendRefused):
            await provider.backend.complete_upload(TARGET, upload_id, parts[1:])

    async with open_provider(CountingMeter(), provider_name, quirks) as right:
        assert not right.backend.traits.has_multipart


def test_unknown_provider_is_asked_for_whole_blobs_only() -> None:
    """rclone and Ceph do not say who they are, and other Complete is no Complete."""
    assert Traits() == choose_profile("10.0.0.1").traits


async def test_copy_of_rclone_keeps_what_it_should_not() -> None:
    """A copy with its source's record would lie to a rebuild: so it is not used."""
    async with open_provider(CountingMeter(), "aws", PROVIDERS["rclone"]) as provider:
        old = BlobHeaders(record=(("s3o1", "more"),))
        await provider.backend.put(NAME, BytesSource(b"x"), old)
        await provider.backend.copy(NAME, TARGET, NEW)

        assert "s3o1" in (await provider.backend.head(TARGET)).headers


async def test_metadata_over_the_providers_limit_is_refused_definitely() -> None:
    """Nothing was stored, so another backend may be asked at once."""
    async with open_provider(CountingMeter()) as provider:
        for size, name in ((2044, OTHER), (2045, NAME)):
            headers = BlobHeaders(metadata=(("long", "x" * size),))
            if name == OTHER:
                await provider.backend.put(name, BytesSource(b"x"), headers)
                continue
            with pytest.raises(BackendRefused) as refused:
                await provider.backend.put(name, BytesSource(b"x"), headers)

        assert ("MetadataTooLarge", True) == (
            refused.value.code,
            refused.value.is_definite,
        )
        assert [OTHER] == list(provider.server.bucket.versions)


# ---- servers that have no profile


@pytest.mark.parametrize(
    ("server", "profile", "region"),
    [
        ("moto", "aws", "us-east-1"),
        ("s3rver", "aws", "us-east-1"),
        ("garage", "minio", "garage"),
    ],
)
async def test_stranger_does_what_the_named_profile_promises(
    server: str, profile: str, region: str
) -> None:
    """An upload, a copy and a delete; nobody looks at names that do not matter."""
    async with open_provider(
        CountingMeter(), profile, STRANGERS[server], region=region
    ) as provider:
        upload_id, parts = await send_parts(provider, MIN, 7)
        receipt = await provider.backend.complete_upload(TARGET, upload_id, parts)
        await provider.backend.copy(TARGET, NAME, NEW)
        outcomes = await provider.backend.delete([TARGET, NAME])

        assert not receipt.etag_is_md5, "it is the MD5 of MD5s at best"
        assert [None, None] == [outcome.error for outcome in outcomes]
        assert {} == provider.server.bucket.versions


async def test_wrong_region_is_refused_by_name() -> None:
    """Garage: the operator reads in the log what to write."""
    async with open_provider(CountingMeter(), "minio", STRANGERS["garage"]) as provider:
        with pytest.raises(BackendRefused) as refused:
            await put(provider, 5)

    assert "AuthorizationHeaderMalformed" == refused.value.code
    assert refused.value.is_definite
    assert "expecting 'garage'" in refused.value.reason


@pytest.mark.parametrize(
    "server", ["localstack", "versitygw", "s3mock", "s3s-fs", "s3proxy"]
)
async def test_stranger_makes_the_whole_round_trip(
    autojump_clock: MockClock, server: str
) -> None:
    """Strict, permissive, named by paths or slow: the client sees no difference.

    LocalStack takes a key of 12 digits for an account's number.
    """
    async with open_provider(
        CountingMeter(), "aws", STRANGERS[server], access_key_id="000000000012"
    ) as provider:
        backend = provider.backend
        await put(provider, len(LARGE), 5)
        upload_id, parts = await send_parts(provider, MIN, 7)
        page = await backend.list_uploads("")
        native = await backend.list_parts(TARGET, upload_id)
        await backend.complete_upload(TARGET, upload_id, parts)

        assert [upload_id] == [upload.upload_id for upload in page.uploads]
        assert parts == [(part.number, part.etag) for part in native]
        assert LARGE == await read(provider)
        assert LARGE[70_000:90_001] == await read(provider, Interval(70_000, 90_001))
        listed = {blob.name for blob in (await backend.list_page("")).blobs}
        assert {NAME, OTHER} <= listed, "of late listings the last change is missing"
        outcomes = await backend.delete([NAME, OTHER, TARGET])
        assert [None] * 3 == [outcome.error for outcome in outcomes]
        assert {} == provider.server.bucket.versions


@pytest.mark.parametrize("server", ["versitygw", "s3s-fs", "rclone"])
async def test_names_that_paths_cannot_be_are_refused_definitely(server: str) -> None:
    """What our names never are, so nobody but who imports may see it."""
    quirks = {**PROVIDERS, **STRANGERS}[server]
    async with open_provider(CountingMeter(), "aws", quirks) as provider:
        backend = provider.backend
        await backend.put(StorageKey("film"), BytesSource(b"x"), PLAIN)
        await backend.put(StorageKey("folder/film"), BytesSource(b"x"), PLAIN)
        for name in ("film/reel", "folder"):
            with pytest.raises(BackendRefused) as refused:
                await backend.put(StorageKey(name), BytesSource(b"x"), PLAIN)
            assert (409, True) == (refused.value.status, refused.value.is_definite)

        assert ["film", "folder/film"] == list(provider.server.bucket.versions)


@pytest.mark.parametrize(("server", "status"), [("versitygw", 400), ("s3s-fs", 500)])
async def test_long_name_is_refused_by_who_names_files_by_it(
    server: str, status: int
) -> None:
    """A server's own fault is believed less: something may lie there."""
    async with open_provider(CountingMeter(), "aws", STRANGERS[server]) as provider:
        long = StorageKey("n" * 256 if status == 400 else f"{'n' * 160}/x!w")
        with pytest.raises(BackendRefused) as refused:
            await provider.backend.put(long, BytesSource(b"x"), PLAIN)

        expected = (status, status == 400)
        assert expected == (refused.value.status, refused.value.is_definite)


@pytest.mark.parametrize("name", ["photos//a", "photos/./a", "photos/b/../a"])
async def test_rclone_changes_names_that_are_not_canonical(name: str) -> None:
    """So no name of ours has an empty or a dotted segment."""
    async with open_provider(
        CountingMeter(), "rclone", PROVIDERS["rclone"]
    ) as provider:
        await provider.backend.put(StorageKey(name), BytesSource(b"x"), PLAIN)

        page = await provider.backend.list_page("")
        assert ["photos/a"] == [blob.name for blob in page.blobs]
        for key in (name, f"{name}/", f"{name}/.."):
            ours = name_of(key)
            assert ours == posixpath.normpath(ours)


@pytest.mark.parametrize("size", [5, len(LARGE)])
async def test_damage_that_a_permissive_provider_takes_shows_in_its_etag(
    size: int,
) -> None:
    """Who looks at no digest still tells of what it has, and whoever sent it sees."""
    async with open_provider(
        CountingMeter(), "aws", STRANGERS["s3mock"], access_key_id="anyone"
    ) as provider:
        provider.server.secret = "another"
        provider.server.garble("PutObject")
        source = BytesSource(LARGE[:size])
        receipt = await provider.backend.put(NAME, source, PLAIN)

        assert receipt.etag_is_md5
        assert source.digests.md5 != receipt.etag
        assert {} == provider.server.garbled


@pytest.mark.parametrize("size", [5, len(LARGE)])
async def test_damage_is_refused_by_who_looks_at_signatures(size: int) -> None:
    """The bytes are signed, whole or chunk by chunk."""
    async with open_provider(CountingMeter(), "aws", PROVIDERS["aws"]) as provider:
        provider.server.garble("PutObject")
        with pytest.raises(BackendRefused):
            await provider.backend.put(NAME, BytesSource(LARGE[:size]), PLAIN)

        assert {} == provider.server.bucket.versions


# ---- what our client never does: the provider itself must refuse it


def request_with(method: str, path: str, **fields: str) -> Request:
    """A request of somebody else's client."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    plain = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    return Request(method=method, path=path, raw_query="", fields=plain | named)


@pytest.mark.parametrize(
    "fields",
    [
        {"x_amz_checksum_crc32": "AAAAAA=="},
        {"x_amz_sdk_checksum_algorithm": "CRC32"},
        {"content_encoding": "aws-chunked"},
        {"x_amz_trailer": "x-amz-checksum-crc32"},
        {"x_amz_acl": "private"},
        {"x_amz_tagging": "a=b"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_header_that_providers_refuse_is_refused(fields: dict[str, str]) -> None:
    """Else the round trips above would not show that none is sent."""
    server = S3Server(access_key_id="AKID", secret="s", quirks=PROVIDERS["b2"])
    server.check("PutObject", request_with("PUT", "/bucket/x"))
    with pytest.raises(Refusal):
        server.check("PutObject", request_with("PUT", "/bucket/x", **fields))


def test_delete_without_an_md5_is_refused() -> None:
    """StorageGRID, Outscale and Swift; newer SDKs send none."""
    quirks = PROVIDERS["swift"]
    server = S3Server(access_key_id="AKID", secret="s", quirks=quirks)
    with pytest.raises(Refusal):
        delete_objects(server.bucket, quirks, request_with("POST", "/bucket"))


async def test_wrong_secret_is_refused() -> None:
    """The provider recomputes every signature."""
    async with open_provider(CountingMeter()) as provider:
        provider.server.secret = "another"
        with pytest.raises(BackendRefused) as refused:
            await put(provider, len(LARGE))

    assert "SignatureDoesNotMatch" == refused.value.code


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"content_length": "1", "content_md5": "none"}, "InvalidDigest"),
        ({"content_length": "1", "content_md5": "AAAA"}, "InvalidDigest"),
        ({}, "MissingContentLength"),
    ],
)
def test_ill_formed_header_is_refused_by_who_is_strict(
    fields: dict[str, str], code: str
) -> None:
    """LocalStack and versitygw."""
    server = S3Server(access_key_id="AKID", secret="s", quirks=STRANGERS["localstack"])
    server.check("PutObject", request_with("PUT", "/bucket/x", content_length="1"))
    with pytest.raises(Refusal) as refused:
        server.check("PutObject", request_with("PUT", "/bucket/x", **fields))

    assert code == refused.value.code
