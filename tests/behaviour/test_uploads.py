"""Multipart uploads through the front door: statuses, headers, documents, bytes."""

import base64
import hashlib
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from tests.behaviour.multipart import NAMESPACE, SMALL, Client, manifest, tag, tags
from tests.behaviour.service import Service, open_service
from tests.fakes.faults import Fault
from tests.fakes.sources import pattern

BODIES = (pattern(70_000), pattern(1_000), pattern(65_536), b"the end")
WHOLE = b"".join(BODIES)


def etag_of(*bodies: bytes) -> str:
    """The MD5 of MD5s, and how many."""
    raw = b"".join(hashlib.md5(body).digest() for body in bodies)
    return f"{hashlib.md5(raw).hexdigest()}-{len(bodies)}"


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def crc32(body: bytes) -> str:
    return b64(zlib.crc32(body).to_bytes(4, "big"))


@pytest.fixture(params=["native", "blobs"])
async def service(request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    """Two backends; parts may be small, for both of them or only for us."""
    async with open_small(is_native=request.param == "native") as running:
        yield running


@pytest.fixture
async def native() -> AsyncIterator[Service]:
    """Two backends whose own uploads take parts of any size."""
    async with open_small(is_native=True) as running:
        yield running


@asynccontextmanager
async def open_small(*, is_native: bool) -> AsyncIterator[Service]:
    """A service that takes small parts."""
    async with open_service(
        quotas={"one": 1 << 30, "two": 1 << 30}, extra={"server": SMALL}
    ) as running:
        for backend in running.backends.values():
            if is_native:
                backend.traits = replace(backend.traits, min_part_bytes=1)
        yield running


async def test_an_upload_becomes_an_object(service: Service) -> None:
    """The one promise: what was sent in parts is read as one, whole and in ranges."""
    client = Client(service, "/photos/a b")
    created = await client.create({"x-amz-meta-colour": "blue"})
    await client.parts(*BODIES)
    before = await service.ask("GET", client.path)
    completed = await client.complete()

    assert (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<InitiateMultipartUploadResult xmlns="{NAMESPACE}"><Bucket>photos</Bucket>'
        f"<Key>a b</Key><UploadId>{client.upload_id}</UploadId>"
        "</InitiateMultipartUploadResult>"
    ) == created.text
    assert [f'"{hashlib.md5(body).hexdigest()}"' for body in BODIES] == list(
        client.etags.values()
    )
    assert 404 == before.status
    assert 200 == completed.status
    assert (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<CompleteMultipartUploadResult xmlns="{NAMESPACE}">'
        "<Location>http://s3.test/photos/a%20b</Location><Bucket>photos</Bucket>"
        f"<Key>a b</Key><ETag>&quot;{etag_of(*BODIES)}&quot;</ETag>"
        f"<ChecksumCRC64NVME>{tag(completed.text, 'ChecksumCRC64NVME')}"
        "</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType>"
        "</CompleteMultipartUploadResult>"
    ) == completed.text
    assert WHOLE == await client.get()
    for start, stop in ((0, 1), (69_999, 70_001), (70_000, 71_000), (70_999, 140_000)):
        assert WHOLE[start:stop] == await client.get(start, stop)
    head = await service.ask("HEAD", client.path)
    assert f'"{etag_of(*BODIES)}"' == head.headers["etag"]
    assert str(len(WHOLE)) == head.headers["content-length"]
    assert "blue" == head.headers["x-amz-meta-colour"]
    assert [] == await service.complaints()


async def test_completing_again_is_answered_the_same(service: Service) -> None:
    """A client whose answer was lost must not think that its upload failed."""
    client = Client(service)
    await client.create()
    await client.parts(*BODIES)

    first, second = await client.complete(), await client.complete()
    assert (200, first.text) == (second.status, second.text)
    await service.ask("PUT", client.path, body=b"newer")
    third = await client.complete()
    other = await client.complete([(1, client.etags[1])])

    assert first.text == third.text
    assert b"newer" == await client.get()
    assert (404, "NoSuchUpload") == (other.status, other.code)
    assert [] == await service.complaints()


async def test_concurrent_completes_have_one_result(service: Service) -> None:
    """Impatient clients repeat while the first is still at work."""
    client = Client(service)
    await client.create()
    await client.parts(*BODIES)
    texts: list[str] = []

    async def complete() -> None:
        answer = await client.complete()
        assert 200 == answer.status, answer.text
        texts.append(answer.text)

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(complete)

    assert 1 == len(set(texts))
    assert WHOLE == await client.get()
    assert [] == await service.complaints()


async def test_aborted_upload_is_gone(service: Service) -> None:
    """Nothing of it may be listed, completed or paid for."""
    client = Client(service)
    await client.create()
    await client.parts(*BODIES)

    aborted = await client.ask("DELETE")
    answers = [
        await client.ask("DELETE"),
        await client.ask("GET"),
        await client.complete(),
        await client.part(9, b"late"),
    ]

    assert (204, b"") == (aborted.status, aborted.body)
    assert [(404, "NoSuchUpload")] * 4 == [
        (answer.status, answer.code) for answer in answers
    ]
    assert 404 == (await service.ask("GET", client.path)).status
    assert [] == await service.complaints()


async def test_upload_id_counts_only_with_its_bucket_and_key(service: Service) -> None:
    """Else whoever learns an id writes into somebody else's bucket."""
    client = Client(service)
    await client.create()
    await client.parts(b"one")
    for path, who in (("/others/a", "otherskey"), ("/photos/b", "photoskey")):
        thief = Client(service, path)
        thief.upload_id = client.upload_id
        answers = [
            await thief.ask("GET", who=who),
            await thief.ask("DELETE", who=who),
            await thief.ask("PUT", {"partNumber": "1"}, body=b"x", who=who),
            await thief.ask("POST", body=manifest([(1, client.etags[1])]), who=who),
        ]
        assert [(404, "NoSuchUpload")] * 4 == [
            (answer.status, answer.code) for answer in answers
        ]

    assert 200 == (await client.complete()).status


async def test_part_sent_again_replaces_the_first(service: Service) -> None:
    """The manifest names the newer one; the older one's bytes are not kept."""
    client = Client(service)
    await client.create()
    await client.parts(b"first", b"second")
    stale = client.etags[1]
    await client.part(1, b"other")

    refused = await client.complete([(1, stale), (2, client.etags[2])])
    completed = await client.complete()

    assert (400, "InvalidPart") == (refused.status, refused.code)
    assert 200 == completed.status
    assert b"othersecond" == await client.get()
    assert [] == await service.complaints()


async def test_parts_that_are_not_listed_are_dropped(service: Service) -> None:
    """Numbers may have gaps, and more may have been sent than is wanted."""
    client = Client(service)
    await client.create()
    for number, body in ((3, b"c"), (10_000, b"z"), (7, b"unwanted")):
        await client.part(number, body)

    del client.etags[7]
    assert 200 == (await client.complete()).status
    assert b"cz" == await client.get()
    assert [] == await service.complaints()


@pytest.mark.parametrize("number", ["0", "10001", "-1", "one", "1_0", ""])
async def test_part_number_out_of_range_is_refused(
    service: Service, number: str
) -> None:
    """AWS: 1 to 10 000."""
    client = Client(service)
    await client.create()
    answer = await client.ask("PUT", {"partNumber": number}, body=b"x")

    assert (400, "InvalidArgument") == (answer.status, answer.code)


async def test_refused_part_costs_its_client_no_upload(service: Service) -> None:
    """100 Continue comes only once the upload exists and there is room."""
    client = Client(service)
    client.upload_id = "unknown"
    expecting = {"expect": "100-continue"}

    refused = await client.part(1, b"meow", expecting)
    await client.create()
    accepted = await client.part(1, b"meow", expecting)

    assert (404, False) == (refused.status, refused.was_continued)
    assert 200 == accepted.status


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MalformedXML"),
        (b"<CompleteMultipartUpload/>", "MalformedXML"),
        (b"not xml", "MalformedXML"),
        (manifest([(1, "0" * 32)]), "InvalidPart"),
        (manifest([(3, "ONE")]), "InvalidPart"),
        (manifest([(2, "TWO"), (1, "ONE")]), "InvalidPartOrder"),
        (manifest([(1, "ONE"), (1, "ONE")]), "InvalidPartOrder"),
        (manifest([(0, "ONE")]), "InvalidArgument"),
    ],
)
async def test_manifest_that_is_not_right_is_refused(
    service: Service, body: bytes, code: str
) -> None:
    """And the upload is as it was: a right one still succeeds."""
    client = Client(service)
    await client.create()
    await client.parts(b"one", b"two")
    for number, name in ((1, b"ONE"), (2, b"TWO")):
        body = body.replace(name, client.etags[number].encode())

    refused = await client.complete(body=body)

    assert (400, code) == (refused.status, refused.code)
    assert 200 == (await client.complete()).status
    assert b"onetwo" == await client.get()


async def test_small_part_before_the_last_is_refused() -> None:
    """Providers refuse it, and clients rely on being told which part it is."""
    async with open_service() as service:
        client = Client(service)
        await client.create()
        await client.parts(b"small", b"last")
        answer = await client.complete()
        single = await client.complete([(2, client.etags[2])])

    assert (400, "EntityTooSmall") == (answer.status, answer.code)
    assert "5" == tag(answer.text, "ProposedSize")
    assert str(5 << 20) == tag(answer.text, "MinSizeAllowed")
    assert "1" == tag(answer.text, "PartNumber")
    assert 200 == single.status


async def test_parts_are_listed_page_by_page(service: Service) -> None:
    """Clients that resume ask what is there already."""
    client = Client(service)
    await client.create({"x-amz-checksum-algorithm": "crc32"})
    await client.parts(b"one", b"two", b"three")

    first = await client.ask("GET", {"max-parts": "2"})
    marker = tag(first.text, "NextPartNumberMarker")
    second = await client.ask("GET", {"part-number-marker": marker})

    assert first.text.startswith(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<ListPartsResult xmlns="{NAMESPACE}"><Bucket>photos</Bucket><Key>a</Key>'
        f"<UploadId>{client.upload_id}</UploadId><Initiator><ID>"
    )
    assert ["0", "2", "2", "true"] == [
        tag(first.text, name)
        for name in (
            "PartNumberMarker",
            "NextPartNumberMarker",
            "MaxParts",
            "IsTruncated",
        )
    ]
    assert ["1", "2"] == tags(first.text, "PartNumber")
    assert ["3", "3"] == tags(first.text, "Size")
    assert [crc32(b"one"), crc32(b"two")] == tags(first.text, "ChecksumCRC32")
    assert ["CRC32", "COMPOSITE", "STANDARD"] == [
        tag(first.text, name)
        for name in ("ChecksumAlgorithm", "ChecksumType", "StorageClass")
    ]
    assert (["3"], "false") == (
        tags(second.text, "PartNumber"),
        tag(second.text, "IsTruncated"),
    )
    for query in ({"max-parts": "x"}, {"part-number-marker": "-1"}):
        assert "InvalidArgument" == (await client.ask("GET", query)).code


async def list_uploads(service: Service, **query: str) -> str:
    """Ask for uploads in progress."""
    pairs = tuple((name.replace("_", "-"), value) for name, value in query.items())
    answer = await service.ask("GET", "/photos", (("uploads", ""), *pairs))
    assert 200 == answer.status, answer.text
    return answer.text


async def test_uploads_are_listed_page_by_page(
    service: Service, autojump_clock: MockClock
) -> None:
    """By key, then by initiation; a folder is one entry."""
    ids = []
    for key in ("b", "a", "b", "d/1", "d/2", "z é"):
        client = Client(service, f"/photos/{key}")
        await client.create()
        ids.append(client.upload_id)
        await trio.sleep(1)

    whole = await list_uploads(service)
    assert ["a", "b", "b", "d/1", "d/2", "z é"] == tags(whole, "Key")
    assert [ids[1], ids[0], ids[2], *ids[3:]] == tags(whole, "UploadId")
    assert "false" == tag(whole, "IsTruncated")

    first = await list_uploads(service, max_uploads="2")
    second = await list_uploads(
        service,
        max_uploads="2",
        key_marker=tag(first, "NextKeyMarker"),
        upload_id_marker=tag(first, "NextUploadIdMarker"),
    )
    assert [ids[1], ids[0]] == tags(first, "UploadId")
    assert [ids[2], ids[3]] == tags(second, "UploadId")

    folders = await list_uploads(service, delimiter="/", prefix="", encoding_type="url")
    assert ["a", "b", "b", "z%20%C3%A9"] == tags(folders, "Key")
    assert "<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>" in folders
    assert ["d/2"] == tags(
        await list_uploads(service, prefix="d/", key_marker="d/1"), "Key"
    )
    for query in ({"max-uploads": "0"}, {"encoding-type": "base64"}):
        answer = await service.ask("GET", "/photos", (("uploads", ""), *query.items()))
        assert "InvalidArgument" == answer.code


async def test_limit_of_uploads_at_once_is_kept() -> None:
    """max_multipart_uploads: what an operator grants one bucket."""
    buckets = [
        {
            "name": name,
            "max_multipart_uploads": allowed,
            "credentials": [
                {"access_key_id": f"{name}key", "secret_access_key": f"{name}secret"}
            ],
        }
        for name, allowed in (("photos", 2), ("others", 0))
    ]
    async with open_service(extra={"buckets": buckets}) as service:
        clients = [Client(service) for _ in range(3)]
        answers = [await client.create() for client in clients]
        await clients[0].ask("DELETE")
        again = await clients[2].create()

    assert [200, 200, 503] == [answer.status for answer in answers]
    assert "SlowDown" == answers[2].code
    assert 200 == again.status


async def test_checksums_of_parts_and_of_the_object(service: Service) -> None:
    """COMPOSITE is a checksum of checksums, FULL_OBJECT of the bytes themselves."""
    composite, full = Client(service, "/photos/c"), Client(service, "/photos/f")
    algorithm = {"x-amz-checksum-algorithm": "CRC32"}
    created = await composite.create(algorithm)
    await full.create({**algorithm, "x-amz-checksum-type": "FULL_OBJECT"})
    raw = b""
    for number, body in enumerate(BODIES, 1):
        declared = {"x-amz-checksum-crc32": crc32(body)}
        sent = await composite.part(number, body, declared)
        assert crc32(body) == sent.headers["x-amz-checksum-crc32"]
        await full.part(number, body)
        raw += zlib.crc32(body).to_bytes(4, "big")
    parts = [
        f"<Part><PartNumber>{number}</PartNumber><ETag>{composite.etags[number]}</ETag>"
        f"<ChecksumCRC32>{crc32(body)}</ChecksumCRC32></Part>"
        for number, body in enumerate(BODIES, 1)
    ]
    document = (
        f"<CompleteMultipartUpload>{''.join(parts)}</CompleteMultipartUpload>"
    ).encode()

    unnamed = await composite.complete()
    completed = await composite.complete(body=document)
    wrong = await full.complete(headers={"x-amz-checksum-crc32": crc32(b"other")})
    right = await full.complete(
        headers={
            "x-amz-checksum-crc32": crc32(WHOLE),
            "x-amz-checksum-type": "FULL_OBJECT",
            "x-amz-mp-object-size": str(len(WHOLE)),
        }
    )

    assert "CRC32" == created.headers["x-amz-checksum-algorithm"]
    assert "COMPOSITE" == created.headers["x-amz-checksum-type"]
    assert (400, "InvalidRequest") == (unnamed.status, unnamed.code)
    assert f"{crc32(raw)}-4" == tag(completed.text, "ChecksumCRC32")
    assert "COMPOSITE" == tag(completed.text, "ChecksumType")
    assert (400, "BadDigest") == (wrong.status, wrong.code)
    assert crc32(WHOLE) == tag(right.text, "ChecksumCRC32")
    assert "FULL_OBJECT" == tag(right.text, "ChecksumType")


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-checksum-type": "COMPOSITE"},
        {"x-amz-checksum-algorithm": "CRC64NVME", "x-amz-checksum-type": "COMPOSITE"},
        {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-type": "FULL_OBJECT"},
        {"x-amz-checksum-algorithm": "CRC16"},
        {"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "PARTIAL"},
    ],
)
async def test_pairs_of_checksums_that_do_not_exist_are_refused(
    service: Service, headers: dict[str, str]
) -> None:
    """Before anything was uploaded, rather than at the end of it."""
    answer = await Client(service).create(headers)

    assert (400, "InvalidRequest") == (answer.status, answer.code)


async def test_part_with_another_algorithms_checksum(service: Service) -> None:
    """Refused where the upload names one; verified and answered where it does not."""
    strict, free = Client(service, "/photos/s"), Client(service, "/photos/f")
    await strict.create({"x-amz-checksum-algorithm": "SHA256"})
    await free.create()
    declared = {"x-amz-checksum-crc32": crc32(b"meow")}

    refused = await strict.part(1, b"meow", declared)
    computed = await strict.part(1, b"meow")
    accepted = await free.part(1, b"meow", declared)
    broken = await free.part(2, b"hiss", declared)
    completed = await free.complete()

    assert (400, "InvalidRequest") == (refused.status, refused.code)
    sha256 = b64(hashlib.sha256(b"meow").digest())
    assert sha256 == computed.headers["x-amz-checksum-sha256"]
    assert crc32(b"meow") == accepted.headers["x-amz-checksum-crc32"]
    assert (400, "BadDigest") == (broken.status, broken.code)
    assert "<ChecksumCRC64NVME>" in completed.text


async def test_conditions_of_a_complete(service: Service) -> None:
    """Two writers that must not overwrite each other."""
    client = Client(service)
    await client.create()
    await client.parts(b"mine")
    await service.ask("PUT", client.path, body=b"theirs")

    refused = await client.complete(headers={"if-none-match": "*"})
    other = await client.complete(headers={"if-match": '"0"'})
    theirs = hashlib.md5(b"theirs").hexdigest()
    accepted = await client.complete(headers={"if-match": f'"{theirs}"'})

    assert (412, "PreconditionFailed") == (refused.status, refused.code)
    assert 412 == other.status
    assert 200 == accepted.status
    assert b"mine" == await client.get()


async def test_client_is_kept_waiting_with_spaces(
    native: Service, autojump_clock: MockClock
) -> None:
    """Joining takes minutes at some providers; clients give up after one."""
    client = Client(native)
    await client.create()
    await client.parts(b"one", b"two")
    native.backends["one"].slow_s["complete_upload"] = 12.0

    answer = await client.complete()

    assert 200 == answer.status
    assert "chunked" == answer.headers["transfer-encoding"]
    assert answer.text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n ')
    assert etag_of(b"one", b"two") in answer.text
    assert b"onetwo" == await client.get()


async def test_late_failure_is_an_error_inside_the_answer(
    native: Service, autojump_clock: MockClock
) -> None:
    """SDKs look into a 200 for it; a broken connection would tell them nothing."""
    client = Client(native)
    await client.create()
    await client.parts(b"one", b"two")
    native.backends["one"].faults.next("complete_upload", Fault.HANG, Fault.HANG)

    answer = await client.complete()
    again = await client.complete()

    assert 200 == answer.status
    assert (200, "SlowDown") == (answer.status, answer.code)
    assert "<Error><Code>" in answer.text
    assert 200 == again.status
    assert b"onetwo" == await client.get()
    assert [] == await native.complaints()


async def test_a_total_over_the_operators_limit_is_refused_before_it_is_pinned() -> (
    None
):
    """The upload never changes; without its last part it can be completed."""
    limited = {**SMALL, "max_object_size": 100}
    async with open_service(extra={"server": limited}) as running:
        client = Client(running)
        await client.create()
        await client.parts(b"a" * 60, b"b" * 41)
        before = running.rows("multipart_uploads", "multipart_parts", "pending_objects")

        refused = await client.complete()

        assert (400, "EntityTooLarge") == (refused.status, refused.code)
        assert before == running.rows(*before)
        kept = [(1, client.etags[1])]
        assert 200 == (await client.complete(kept)).status
        assert b"a" * 60 == await client.get()
        assert [] == await running.complaints()
