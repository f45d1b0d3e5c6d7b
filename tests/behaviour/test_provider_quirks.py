"""Providers' quirks as a client of the whole service does not notice them."""

import re
from urllib.parse import quote, unquote_plus

import pytest
import trio
from trio.testing import MockClock

from s3o.model import limits
from tests.behaviour.multipart import manifest, tag
from tests.behaviour.providers import Provided, open_provided
from tests.fakes.s3_quirks import PROVIDERS, STRANGERS
from tests.fakes.s3_server import S3Fault
from tests.fakes.sources import pattern

pytestmark = pytest.mark.slow
QUIET = {"ledger_backup": {"enabled": False}, "reconcile": {"enabled": True}}
PART = pattern(limits.PART_MIN_BYTES)


@pytest.mark.parametrize("profile", ["rclone", "generic"])
async def test_metadata_that_the_provider_forgot_is_told(profile: str) -> None:
    """rclone's is lost with a restart; the ledger has it."""
    async with open_provided({"near": (profile, PROVIDERS["rclone"])}) as provided:
        headers = {"x-amz-meta-camera": "X100", "content-type": "image/jpeg"}
        await provided.service.ask("PUT", "/photos/a", headers=headers, body=b"x")
        bucket = provided.servers["near"].bucket
        for name, blobs in bucket.versions.items():
            bucket.add(name, bucket.make(blobs[-1].body, {}))
        found = await provided.service.ask("GET", "/photos/a")

        assert b"x" == found.body
        assert headers.items() <= found.headers.items()


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
@pytest.mark.parametrize("is_named", [True, False], ids=["named", "unnamed"])
async def test_upload_that_leaves_a_part_out_is_completed(
    autojump_clock: MockClock, provider: str, is_named: bool
) -> None:
    """Also where the profile was not named, and where a part was sent twice."""
    profile = provider if is_named else "generic"
    providers = {"near": (profile, PROVIDERS[provider])}
    async with open_provided(providers, QUIET) as provided:
        assert PART + b"end" == await upload(provided)
        await provided.settle(autojump_clock)


async def upload(provided: Provided, path: str = "/photos/film") -> bytes:
    """Send three parts, the first one twice, leave the second out; read the object."""
    provided.servers["near"].plant("UploadPart", S3Fault.NO_LENGTH)
    created = await provided.insist("POST", path, (("uploads", ""),))
    upload_id = ("uploadId", tag(created.text, "UploadId"))
    etags = {}
    for number, body in ((1, PART), (2, PART), (3, b"end")):
        query = (("partNumber", str(number)), upload_id)
        part = await provided.insist("PUT", path, query, body=body)
        etags[number] = part.headers["etag"]
    body = manifest([(1, etags[1]), (3, etags[3])])
    ended = await provided.insist("POST", path, (upload_id,), body=body)
    assert 200 == ended.status, ended.text
    assert b"<Error>" not in ended.body, ended.text
    return (await provided.insist("GET", path)).body


# ---- servers that are files, slow, permissive, or strict

PATHS = ("rclone", "s3s-fs", "versitygw")
NAMED = {**PROVIDERS, **STRANGERS}
# Each in the way of another, of a path, of a file's name, or of a listing.
KEYS = (
    *("a", "a/", "a//", "a/b", "a/b/", "a/b/c", "/a", "//", "/", "A", "A/b"),
    *(".", "..", "./a", "../a", "a/../a", "a/./b", "a/..", "...", ".s3o/a"),
    *("a!b", "a=b", "a=2Fb", "a\x01b", "a\nb", "a\x7f", "\\", "a:b", 'a*?<>|"'),
    *("ünïcödé", "u\u0308", "\U0001f600/\ufffd", "a b", "a+b", "a%2Fb", "con", "a."),
)


def path_of(key: str) -> str:
    """Return a key's path; service.ask escapes it."""
    return f"/photos/{key}"


async def keys_of(provided: Provided) -> list[str]:
    """What a client's listing says there is, page after page."""
    found: list[str] = []
    token: tuple[tuple[str, str], ...] = ()
    while True:
        query = (("list-type", "2"), ("encoding-type", "url"), ("max-keys", "7"))
        page = await provided.insist("GET", "/photos", (*query, *token))
        assert 200 == page.status, page.text
        found += [
            unquote_plus(key) for key in re.findall("<Key>(.*?)</Key>", page.text)
        ]
        if "<IsTruncated>true" not in page.text:
            return found
        token = (("continuation-token", tag(page.text, "NextContinuationToken")),)


@pytest.mark.parametrize("server", PATHS)
async def test_every_key_is_kept_where_names_are_paths(
    autojump_clock: MockClock, server: str
) -> None:
    """`a` beside `a/b`, dots, slashes and control characters: keys are no names."""
    profile = server if server in PROVIDERS else "aws"
    async with open_provided({"near": (profile, NAMED[server])}, QUIET) as provided:
        for key in KEYS:
            put = await provided.service.ask("PUT", path_of(key), body=key.encode())
            assert 200 == put.status, (key, put.text)
        for key in KEYS:
            got = await provided.service.ask("GET", path_of(key))
            assert (200, key.encode()) == (got.status, got.body), key
        assert sorted(KEYS, key=str.encode) == await keys_of(provided)
        await provided.settle(autojump_clock)
        for key in KEYS[::2]:
            deleted = await provided.service.ask("DELETE", path_of(key))
            assert 204 == deleted.status, key
        await provided.settle(autojump_clock)

        assert sorted(KEYS[1::2], key=str.encode) == await keys_of(provided)
        assert len(KEYS[1::2]) == len(provided.servers["near"].bucket.versions)


@pytest.mark.parametrize("server", ["rclone", "versitygw"])
@pytest.mark.parametrize("unit", ["k", "k/", "/", "ü", "\x01", "."])
async def test_longest_keys_are_kept_where_segments_are_short(
    autojump_clock: MockClock, server: str, unit: str
) -> None:
    """1024 bytes of each, written whole, copied and sent in parts."""
    key = unit * (1024 // len(unit.encode()))
    profile = server if server in PROVIDERS else "aws"
    async with open_provided({"near": (profile, NAMED[server])}, QUIET) as provided:
        put = await provided.service.ask("PUT", path_of(key), body=b"long")
        assert 200 == put.status, put.text
        copied = await provided.service.ask(
            "PUT",
            path_of(key[:-4]),
            headers={"x-amz-copy-source": quote(f"photos/{key}", safe="")},
        )
        assert 200 == copied.status, copied.text
        for name in (key, key[:-4]):
            assert b"long" == (await provided.service.ask("GET", path_of(name))).body
        assert PART + b"end" == await upload(provided, path_of(key[:-2]))
        await provided.settle(autojump_clock)


@pytest.mark.parametrize("server", ["rclone", "versitygw"])
async def test_segments_around_a_file_names_limit_are_kept(
    autojump_clock: MockClock, server: str
) -> None:
    """What we add to a name may not make a file's name of it that is too long."""
    profile = server if server in PROVIDERS else "aws"
    keys = [
        "/".join(("k" * size,) * count)
        for size in (167, 168, 199, 201, 222, 223, 254, 255, 256)
        for count in (1, 2)
    ]
    async with open_provided({"near": (profile, NAMED[server])}, QUIET) as provided:
        for key in keys:
            put = await provided.service.ask("PUT", path_of(key), body=key.encode())
            assert 200 == put.status, (len(key), put.text)
        for key in keys:
            got = await provided.service.ask("GET", path_of(key))
            assert key.encode() == got.body, len(key)
        await provided.settle(autojump_clock)


async def test_name_over_a_sidecars_is_refused_or_kept_elsewhere(
    autojump_clock: MockClock,
) -> None:
    """s3s-fs alone: 503 and nothing is lost; with another provider: it goes there."""
    path = path_of("k" * 150)
    weak = {"near": ("aws", STRANGERS["s3s-fs"])}
    async with open_provided(weak, QUIET) as provided:
        refused = await provided.service.ask("PUT", path, body=b"x")
        short = await provided.insist("PUT", path_of("k"), body=b"x")

        assert ((503, "SlowDown"), 200) == (
            (refused.status, refused.code),
            short.status,
        )
        assert 404 == (await provided.service.ask("GET", path)).status
        await provided.settle(autojump_clock)
    both = {**weak, "far": ("aws", PROVIDERS["aws"])}
    async with open_provided(both, QUIET) as provided:
        put = await provided.service.ask("PUT", path, body=b"x")

        assert 200 == put.status, put.text
        assert b"x" == (await provided.service.ask("GET", path)).body
        await provided.settle(autojump_clock)


async def test_provider_that_comes_up_late_is_waited_for(
    autojump_clock: MockClock,
) -> None:
    """SeaweedFS: the service starts before it, and says "later" until it is there."""
    slow = {"near": ("aws", STRANGERS["seaweedfs"])}
    async with open_provided(slow, QUIET) as provided:
        refused = await provided.service.ask("PUT", "/photos/a", body=b"x")
        await trio.sleep(25.0)
        unready = await provided.service.ask("PUT", "/photos/a", body=b"x")
        ready = await provided.insist("PUT", "/photos/a", body=b"x")

        assert [503, 503, 200] == [refused.status, unready.status, ready.status]
        assert b"x" == (await provided.service.ask("GET", "/photos/a")).body
        await provided.settle(autojump_clock)


async def test_condition_is_answered_by_us_and_sent_to_nobody(
    autojump_clock: MockClock,
) -> None:
    """Who answers conditions and who ignores them make no difference."""
    async with open_provided({"near": ("aws", PROVIDERS["aws"])}, QUIET) as provided:
        once = {"if-none-match": "*"}
        answers = [
            await provided.service.ask("PUT", "/photos/a", headers=once, body=body)
            for body in (b"first", b"second")
        ]
        assert [200, 412] == [answer.status for answer in answers]
        assert b"first" == (await provided.service.ask("GET", "/photos/a")).body
        sent = [request.fields for _, request in provided.servers["near"].requests]
        assert not [
            fields for fields in sent if {"if-match", "if-none-match"} & {*fields}
        ]
        await provided.settle(autojump_clock)


@pytest.mark.parametrize("body", [b"small", PART], ids=["small", "large"])
async def test_damage_that_the_provider_takes_is_not_acknowledged(
    autojump_clock: MockClock, body: bytes
) -> None:
    """S3Mock looks at no digest and no signature; what it has is compared here."""
    lax = {"near": ("aws", STRANGERS["s3mock"])}
    async with open_provided(lax, QUIET) as provided:
        await provided.service.ask("PUT", "/photos/a", body=b"old")
        server = provided.servers["near"]
        server.garble("PutObject")
        damaged = await provided.service.ask("PUT", "/photos/a", body=body)
        kept = await provided.service.ask("GET", "/photos/a")
        again = await provided.insist("PUT", "/photos/a", body=body)

        assert {} == server.garbled
        assert (503, b"old", 200) == (damaged.status, kept.body, again.status)
        assert body == (await provided.service.ask("GET", "/photos/a")).body
        await provided.settle(autojump_clock)


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_damaged_part_never_gets_into_an_object(
    autojump_clock: MockClock, count: int
) -> None:
    """Whichever part it is: the client sends it again."""
    async with open_provided({"near": ("aws", STRANGERS["s3mock"])}, QUIET) as provided:
        server = provided.servers["near"]
        server.garble("UploadPart", count)
        assert PART + b"end" == await upload(provided)
        assert {} == server.garbled
        await provided.settle(autojump_clock)


@pytest.mark.parametrize("server", ["localstack", "s3mock", "s3proxy", "versitygw"])
async def test_life_of_an_object_on_a_stranger(
    autojump_clock: MockClock, server: str
) -> None:
    """Uploaded, copied, overwritten and deleted; a late listing proves no loss."""
    async with open_provided({"near": ("aws", STRANGERS[server])}, QUIET) as provided:
        assert PART + b"end" == await upload(provided)
        headers = {"x-amz-copy-source": "photos/film"}
        copied = await provided.service.ask("PUT", "/photos/copy", headers=headers)
        assert 200 == copied.status, copied.text
        put = await provided.service.ask("PUT", "/photos/film", body=b"new")
        assert 200 == put.status, put.text
        assert PART + b"end" == (await provided.insist("GET", "/photos/copy")).body
        await provided.settle(autojump_clock)
        await provided.service.ask("DELETE", "/photos/copy")
        await provided.settle(autojump_clock)
        put = await provided.service.ask("PUT", "/photos/last", body=b"not listed")
        assert 200 == put.status, put.text
        await provided.settle(autojump_clock)
        await provided.settle(autojump_clock)

        assert b"new" == (await provided.insist("GET", "/photos/film")).body
        assert b"not listed" == (await provided.insist("GET", "/photos/last")).body
        assert ["film", "last"] == await keys_of(provided)
        asked = provided.servers["near"].count("HeadObject") > 0
        assert STRANGERS[server].lists_late == asked, "for who was not listed"


async def test_listing_in_another_order_proves_no_loss(
    autojump_clock: MockClock,
) -> None:
    """A walk through folders lists `a/b` before `a!...`: the operator is told."""
    walker = {"near": ("aws", STRANGERS["walker"])}
    async with open_provided(walker, QUIET) as provided:
        keys = ("a", "a/b", "a-b", "a/b/c", "a.b")
        for key in keys:
            put = await provided.service.ask("PUT", path_of(key), body=key.encode())
            assert 200 == put.status, put.text
        await provided.settle(autojump_clock)
        found = await provided.service.services.reconciler.reconcile(None)

        (error,) = found.errors
        assert "the listing does not ascend" in error
        assert (0, 0) == (found.lost, found.removed)
        sighted = "SELECT 1 FROM reconcile_findings WHERE sightings > 0"
        assert [] == provided.service.connection.execute(sighted).fetchall()
        for key in keys:
            got = await provided.service.ask("GET", path_of(key))
            assert key.encode() == got.body, key
        assert sorted(keys, key=str.encode) == await keys_of(provided)
        for key in keys:
            await provided.service.ask("DELETE", path_of(key))
        await provided.settle(autojump_clock)

        assert {} == provided.servers["near"].bucket.versions
