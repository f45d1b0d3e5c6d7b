"""CopyObject through the front door: answers, what is kept, and what it costs."""

import re
from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from s3o.model.names import ObjectKey
from s3o.model.values import Interval
from tests.behaviour.service import Answer, Service, open_service
from tests.fakes.faults import Fault
from tests.fakes.transform import FramingTransform

GIB = 1 << 30
BODY = bytes(range(256)) * 300
DESCRIBED = {
    "content-type": "text/plain",
    "cache-control": "no-cache",
    "x-amz-meta-colour": "blue",
    "x-amz-tagging": "k=v",
    "x-amz-storage-class": "STANDARD_IA",
    "x-amz-website-redirect-location": "/elsewhere",
}


async def put(service: Service, path: str = "/photos/a", **more: Any) -> Answer:
    """Store the source."""
    headers = {**DESCRIBED, **more}
    answer = await service.ask("PUT", path, headers=headers, body=BODY)
    assert answer.status == 200, answer.text
    return answer


async def copy(
    service: Service,
    source: str = "photos/a",
    path: str = "/photos/b",
    who: str = "photoskey",
    **headers: str,
) -> Answer:
    """Ask for a copy; header names with _ for -."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await service.ask(
        "PUT", path, headers={"x-amz-copy-source": source, **given}, who=who
    )


def calls(service: Service) -> list[str]:
    """What the backends were asked since the last time."""
    made = [
        operation
        for backend in service.backends.values()
        for operation, _ in backend.books.calls
    ]
    for backend in service.backends.values():
        backend.books.calls.clear()
    return made


async def test_a_copy_on_one_backend_is_one_call_and_no_bytes() -> None:
    """Egress is what people pay for."""
    async with open_service() as service:
        stored = await put(service)
        calls(service)
        usage = service.house.fleet.counters.of("one")
        before = usage.effective()

        answer = await copy(service)

        assert answer.status == 200
        assert ["copy"] == calls(service)
        spent = usage.effective()
        assert before.egress_bytes == spent.egress_bytes
        assert before.ingress_bytes == spent.ingress_bytes
        etag = stored.headers["etag"].replace('"', "&quot;")
        assert re.fullmatch(
            r'<\?xml version="1.0" encoding="UTF-8"\?>\n<CopyObjectResult xmlns="http:'
            r'//s3.amazonaws.com/doc/2006-03-01/"><LastModified>[0-9T:.-]+Z'
            rf"</LastModified><ETag>{etag}</ETag><ChecksumCRC64NVME>[^<]+"
            r"</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType>"
            r"</CopyObjectResult>",
            answer.text,
        )
        assert "application/xml" == answer.headers["content-type"]
        got = await service.ask("GET", "/photos/b")
        assert BODY == got.body
        assert [] == await service.complaints()


async def test_what_a_copy_keeps() -> None:
    """Metadata and tags; not the class, not the redirect, which are said anew."""
    async with open_service() as service:
        await put(service)
        await copy(service)

        got = await service.ask("GET", "/photos/b")
        assert "text/plain" == got.headers["content-type"]
        assert "no-cache" == got.headers["cache-control"]
        assert "blue" == got.headers["x-amz-meta-colour"]
        assert "1" == got.headers["x-amz-tagging-count"]
        assert "x-amz-storage-class" not in got.headers
        assert "x-amz-website-redirect-location" not in got.headers


async def test_what_a_copy_replaces() -> None:
    """REPLACE takes all from the request; Content-Type then has its default."""
    async with open_service() as service:
        await put(service)
        await copy(
            service,
            x_amz_metadata_directive="REPLACE",
            x_amz_tagging_directive="REPLACE",
            x_amz_meta_shape="round",
            x_amz_storage_class="STANDARD_IA",
        )

        got = await service.ask("GET", "/photos/b")
        assert "binary/octet-stream" == got.headers["content-type"]
        assert "cache-control" not in got.headers
        assert "x-amz-meta-colour" not in got.headers
        assert "round" == got.headers["x-amz-meta-shape"]
        assert "x-amz-tagging-count" not in got.headers
        assert "STANDARD_IA" == got.headers["x-amz-storage-class"]


async def test_request_metadata_means_nothing_without_replace() -> None:
    """As S3 has it: COPY is the default."""
    async with open_service() as service:
        await put(service)
        await copy(service, x_amz_meta_colour="red", x_amz_tagging="a=b&c=d")

        got = await service.ask("GET", "/photos/b")
        assert "blue" == got.headers["x-amz-meta-colour"]
        assert "1" == got.headers["x-amz-tagging-count"]


async def test_a_copy_to_itself_must_change_something() -> None:
    """rclone and s3fs set times by it."""
    async with open_service() as service:
        await put(service)

        refused = await copy(service, path="/photos/a")
        assert (400, "InvalidRequest") == (refused.status, refused.code)
        assert "trying to copy an object to itself without changing" in refused.text
        changed = await copy(
            service,
            path="/photos/a",
            x_amz_metadata_directive="REPLACE",
            x_amz_meta_mtime="1",
        )
        assert changed.status == 200
        got = await service.ask("GET", "/photos/a")
        assert (BODY, "1") == (got.body, got.headers["x-amz-meta-mtime"])
        assert [] == await service.complaints()


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"x_amz_metadata_directive": "KEEP"}, 400, "InvalidArgument"),
        ({"x_amz_tagging_directive": "replace"}, 400, "InvalidArgument"),
        ({"x_amz_copy_source_if_match": "other"}, 412, "PreconditionFailed"),
        ({"x_amz_copy_source_if_none_match": "*"}, 412, "PreconditionFailed"),
        ({"if_match": "other"}, 404, "NoSuchKey"),
        ({"if_none_match": "x"}, 501, "NotImplemented"),
        ({"x_amz_acl": "public-read"}, 400, "AccessControlListNotSupported"),
        ({"x_amz_storage_class": "GOLD"}, 400, "InvalidStorageClass"),
        ({"x_amz_checksum_algorithm": "CRC9"}, 400, "InvalidRequest"),
        ({"x_amz_copy_source_range": "bytes=0-1"}, 501, "NotImplemented"),
        (
            {"x_amz_copy_source_server_side_encryption_customer_algorithm": "AES256"},
            501,
            "NotImplemented",
        ),
    ],
)
async def test_refusals_store_nothing(
    headers: dict[str, str], status: int, code: str
) -> None:
    """Nothing is ignored, and nothing is left behind."""
    async with open_service() as service:
        await put(service)
        before = service.blobs()

        answer = await copy(service, **headers)

        assert (status, code) == (answer.status, answer.code)
        assert before == service.blobs()
        assert 404 == (await service.ask("HEAD", "/photos/b")).status


@pytest.mark.parametrize(
    ("source", "status", "code"),
    [
        ("photos/none", 404, "NoSuchKey"),
        ("photos/a?versionId=null", 200, ""),
        ("photos/a?versionId=x", 400, "InvalidArgument"),
        ("photos/a?versionId=" + "a" * 32, 404, "NoSuchVersion"),
        ("nobodys-bucket/a", 403, "AccessDenied"),
        ("others/a", 403, "AccessDenied"),
        ("others/none", 403, "AccessDenied"),
        ("photos", 400, "InvalidArgument"),
        ("", 400, "InvalidArgument"),
        ("/", 400, "InvalidArgument"),
        ("photos/%zz", 400, "InvalidArgument"),
        ("photos/../others/a", 404, "NoSuchKey"),
        ("photos/" + "k" * 1025, 400, "KeyTooLongError"),
    ],
)
async def test_sources(source: str, status: int, code: str) -> None:
    """Another's object is refused whether it exists or not."""
    async with open_service() as service:
        await put(service)
        await service.ask("PUT", "/others/a", body=b"theirs", who="otherskey")

        answer = await copy(service, source)

        assert (status, code) == (answer.status, answer.code)


async def test_conditions_on_the_destination() -> None:
    """Decided in the commit, like those of a PUT."""
    async with open_service() as service:
        stored = await put(service)
        etag = stored.headers["etag"]

        first = await copy(service, if_none_match="*")
        second = await copy(service, if_none_match="*")
        third = await copy(service, if_match=etag)

        assert [200, 412, 200] == [first.status, second.status, third.status]
        assert [] == await service.complaints()


async def test_a_source_that_changed_is_refused() -> None:
    """boto3's managed copy sends the ETag it saw."""
    async with open_service() as service:
        stored = await put(service)
        etag = stored.headers["etag"]

        answer = await copy(service, x_amz_copy_source_if_match=etag)
        assert answer.status == 200
        await service.ask("PUT", "/photos/a", body=b"new")
        answer = await copy(service, x_amz_copy_source_if_match=etag)
        assert (412, "PreconditionFailed") == (answer.status, answer.code)


async def test_another_algorithm_is_computed() -> None:
    """The only reason to read the bytes on a backend that copies."""
    async with open_service() as service:
        await put(service)

        answer = await copy(service, x_amz_checksum_algorithm="SHA256")

        assert "<ChecksumSHA256>" in answer.text
        head = await service.ask(
            "HEAD", "/photos/b", headers={"x-amz-checksum-mode": "ENABLED"}
        )
        assert "x-amz-checksum-sha256" in head.headers


async def test_a_full_backend_gives_way() -> None:
    """The copy is streamed to the next one, and both are whole."""
    quotas = {"one": 100_000, "two": GIB}
    async with open_service(quotas=quotas) as service:
        await put(service)

        answer = await copy(service)

        assert answer.status == 200
        assert {"one", "two"} == {name for name, _ in service.blobs()}
        assert BODY == (await service.ask("GET", "/photos/b")).body
        assert [] == await service.complaints()


@pytest.mark.parametrize(
    "fault", [Fault.ERROR_BEFORE, Fault.ERROR_AFTER, Fault.MISSING]
)
async def test_a_copy_that_fails_there_goes_through_here(fault: Fault) -> None:
    """The client sees a copy; the failed attempt's name is queued."""
    async with open_service() as service:
        await put(service)
        service.backends["one"].faults.next("copy", fault)

        answer = await copy(service)

        assert answer.status == 200
        assert BODY == (await service.ask("GET", "/photos/b")).body
        assert [] == await service.complaints()


async def test_a_damaged_source_never_becomes_a_copy() -> None:
    """The digests of the source are compared before the last bytes go out."""
    async with open_service(quotas={"one": GIB}) as service:
        await put(service)
        service.backends["one"].faults.next("copy", Fault.ERROR_BEFORE)
        service.backends["one"].faults.next("open", Fault.FLIPPED)

        answer = await copy(service)

        assert (503, "SlowDown") == (answer.status, answer.code)
        assert 404 == (await service.ask("HEAD", "/photos/b")).status
        assert [] == await service.complaints()


async def test_an_overwrite_during_the_copy_changes_nothing(
    autojump_clock: MockClock,
) -> None:
    """The version that was found is what is copied; its bytes wait for the copy."""
    async with open_service() as service:
        large = bytes(range(256)) * 4000
        await service.ask("PUT", "/photos/a", body=large)
        bucket = service.house.buckets.find("photos")
        stored = await service.house.store.find(bucket, ObjectKey("a"))

        whole = Interval(0, len(large))
        async with service.house.store.copier.open(bucket, stored, whole) as reader:
            pieces = [await reader.read()]
            await service.ask("PUT", "/photos/a", body=b"new")
            await trio.sleep(600)
            assert 2 == len(service.blobs())
            while piece := await reader.read():
                pieces.append(piece)
        await trio.sleep(600)

        assert large == b"".join(pieces)
        assert 1 == len(service.blobs())


async def test_a_transform_that_adds_bytes() -> None:
    """Stored bytes are copied as they are; streamed ones are decoded and encoded."""
    quotas = {"one": 100_000, "two": GIB}
    async with open_service(quotas=quotas, transform=FramingTransform()) as service:
        await put(service)
        assert (await copy(service)).status == 200
        assert (await copy(service, "photos/b", "/photos/c")).status == 200

        for key in ("b", "c"):
            assert BODY == (await service.ask("GET", f"/photos/{key}")).body
        assert [] == await service.complaints()


async def test_an_empty_object() -> None:
    """No bytes are bytes, too."""
    async with open_service() as service:
        await service.ask("PUT", "/photos/a", body=b"")
        service.backends["one"].faults.next("copy", None, Fault.ERROR_BEFORE)

        for path in ("/photos/b", "/photos/c"):
            assert (await copy(service, path=path)).status == 200
            assert b"" == (await service.ask("GET", path)).body


async def test_a_body_is_not_expected() -> None:
    """Bytes that would be dropped are refused."""
    async with open_service() as service:
        await put(service)

        answer = await service.ask(
            "PUT", "/photos/b", headers={"x-amz-copy-source": "photos/a"}, body=b"x"
        )

        assert 400 == answer.status
        assert 404 == (await service.ask("HEAD", "/photos/b")).status


async def test_no_source_over_five_gib_passes_through_here() -> None:
    """As AWS: where the backend cannot copy it by itself, the client copies parts."""
    async with open_service() as service:
        backend = service.backends["one"]
        backend.traits = replace(backend.traits, can_copy=False)
        await put(service)
        before = service.blobs()
        size = 5 * GIB + 1
        service.connection.execute(f"UPDATE objects SET size = {size}")
        answer = await copy(service)
        service.connection.execute("UPDATE objects SET size = ?", (len(BODY),))

        assert (400, "InvalidRequest") == (answer.status, answer.code)
        assert "maximum allowable size for a copy source: 5368709120" in answer.text
        assert before == service.blobs()


@pytest.mark.parametrize("fault", [None, Fault.FLIPPED])
async def test_a_long_copy_keeps_its_client_waiting(
    autojump_clock: MockClock, fault: Fault | None
) -> None:
    """Spaces, then the document; what fails after them is an Error inside the 200."""
    async with open_service() as service:
        await put(service)
        backend = service.backends["one"]
        backend.faults.next("copy", Fault.ERROR_BEFORE)
        backend.faults.next("open", fault)
        backend._latency_s = (7.0, 7.0)

        answer = await copy(service)

        assert 200 == answer.status
        document = answer.text.removeprefix('<?xml version="1.0" encoding="UTF-8"?>\n')
        assert document.startswith(" ")
        root = "CopyObjectResult" if fault is None else "Error"
        assert document.lstrip().startswith(f"<{root}")
        got = await service.ask("GET", "/photos/b")
        assert (200 if fault is None else 404) == got.status
