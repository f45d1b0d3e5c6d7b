"""CopyObject of objects of several blobs or parts, and of large ones: no bytes move."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from s3o.model.seams import Transform
from tests.behaviour.multipart import SMALL, Client
from tests.behaviour.service import Answer, Service, open_service
from tests.fakes.faults import Fault
from tests.fakes.sources import pattern
from tests.fakes.transform import FramingTransform

GIB = 1 << 30
BODIES = (pattern(70_000, seed=1), pattern(1_000, seed=2), pattern(66_000, seed=3))
WHOLE = b"".join(BODIES)
# Room for two parts only: native parts on one, a blob on two.
MIXED = {"one": 75_000, "two": 80_000}


@asynccontextmanager
async def open_parts(
    *,
    quotas: Mapping[str, int] | None = None,
    has_multipart: bool = True,
    max_copy_bytes: int = GIB,
    transform: Transform | None = None,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[Service]:
    """A service with /photos/a made of three parts."""
    async with open_service(
        quotas=quotas or {"one": GIB, "two": GIB},
        extra={"server": SMALL},
        transform=transform,
    ) as service:
        for backend in service.backends.values():
            backend.traits = replace(
                backend.traits,
                min_part_bytes=1,
                has_multipart=has_multipart,
                max_copy_bytes=max_copy_bytes,
            )
        client = Client(service)
        assert 200 == (await client.create(headers or {})).status
        await client.parts(*BODIES)
        assert 200 == (await client.complete()).status
        for backend in service.backends.values():
            backend.books.calls.clear()
        yield service
        assert [] == await service.complaints()


async def copy(service: Service, path: str = "/photos/b", **headers: str) -> Answer:
    """Ask for a copy of /photos/a."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await service.ask(
        "PUT", path, headers={"x-amz-copy-source": "photos/a", **given}
    )


def calls(service: Service) -> list[str]:
    """What all backends were asked, in order of names."""
    made = [
        operation
        for backend in service.backends.values()
        for operation, _ in backend.books.calls
    ]
    return sorted(made)


def moved(service: Service) -> tuple[int, int]:
    """Egress and ingress bytes so far."""
    spent = [service.house.fleet.counters.of(name) for name in service.backends]
    return (
        sum(one.effective().egress_bytes for one in spent),
        sum(one.effective().ingress_bytes for one in spent),
    )


async def heads_are_equal(service: Service) -> None:
    """Size, ETag and parts of source and copy are the same."""
    heads = [
        await service.ask(
            "HEAD", path, query=query, headers={"x-amz-checksum-mode": "ENABLED"}
        )
        for query in ((), (("partNumber", "3"),))
        for path in ("/photos/a", "/photos/b")
    ]
    kept = [
        {
            name: value
            for name, value in head.headers.items()
            if name in ("etag", "content-length", "x-amz-mp-parts-count")
            or name.startswith("x-amz-checksum")
        }
        for head in heads
    ]
    assert kept[0] == kept[1]
    assert kept[2] == kept[3]
    assert "3" == kept[2]["x-amz-mp-parts-count"]


@pytest.mark.parametrize("transform", [None, FramingTransform()])
@pytest.mark.parametrize(
    ("quotas", "has_multipart", "expected"),
    [(None, True, 1), (None, False, 3), (MIXED, True, 2)],
    ids=["one native blob", "three blobs", "on two backends"],
)
async def test_each_blob_is_one_call_and_no_bytes(
    transform: Transform | None,
    quotas: Mapping[str, int] | None,
    has_multipart: bool,
    expected: int,
) -> None:
    """Each on the backend it is on; parts, ETag and checksum are the source's."""
    async with open_parts(
        quotas=quotas, has_multipart=has_multipart, transform=transform
    ) as service:
        if quotas:
            make_room(service)
        before = moved(service)

        answer = await copy(service)

        assert 200 == answer.status, answer.text
        assert ["copy"] * expected == calls(service)
        assert before == moved(service)
        assert WHOLE == (await service.ask("GET", "/photos/b")).body
        await heads_are_equal(service)
        await service.ask("DELETE", "/photos/a")
        assert WHOLE == (await service.ask("GET", "/photos/b")).body


def make_room(service: Service) -> None:
    """The operator allows both backends more."""
    assert {"one", "two"} == {name for name, _ in service.blobs()}
    service.connection.execute(f"UPDATE backend_quotas SET bytes_limit = {GIB}")
    for backend in service.backends.values():
        backend.quota_bytes = GIB


@pytest.mark.parametrize("kind", ["COMPOSITE", "FULL_OBJECT"])
async def test_checksums_of_parts_are_kept(kind: str) -> None:
    """Also those that say nothing of the object as a whole."""
    headers = {"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": kind}
    async with open_service(extra={"server": SMALL}) as service:
        client = Client(service)
        await client.create(headers)
        parts = ""
        for number, body in enumerate(BODIES, 1):
            answer = await client.part(number, body)
            value = answer.headers["x-amz-checksum-crc32"]
            parts += (
                f"<Part><PartNumber>{number}</PartNumber><ETag>{client.etags[number]}"
                f"</ETag><ChecksumCRC32>{value}</ChecksumCRC32></Part>"
            )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"
        assert 200 == (await client.complete(body=body.encode())).status

        answer = await copy(service)

        assert f"<ChecksumType>{kind}</ChecksumType>" in answer.text
        await heads_are_equal(service)


async def test_another_checksum_is_computed_and_the_parts_become_one() -> None:
    """The bytes pass through here, and are stored as those of a PUT."""
    async with open_parts() as service:
        answer = await copy(service, x_amz_checksum_algorithm="SHA256")

        assert "<ChecksumSHA256>" in answer.text
        assert ["open", "put"] == calls(service)
        head = await service.ask("HEAD", "/photos/b")
        assert "-" not in head.headers["etag"]


@pytest.mark.parametrize(
    "fault", [Fault.ERROR_BEFORE, Fault.ERROR_AFTER, Fault.MISSING]
)
async def test_blobs_of_which_one_fails_go_through_here(fault: Fault) -> None:
    """What was copied before is given up."""
    async with open_parts(has_multipart=False) as service:
        service.backends["one"].faults.next("copy", None, fault)

        answer = await copy(service)

        assert 200 == answer.status, answer.text
        assert WHOLE == (await service.ask("GET", "/photos/b")).body
        head = await service.ask("HEAD", "/photos/b")
        assert "-" not in head.headers["etag"]


async def test_a_refused_condition_leaves_nothing() -> None:
    """Decided before the first call."""
    async with open_parts(has_multipart=False) as service:
        before = service.blobs()
        await service.ask("PUT", "/photos/b", body=b"there")

        answer = await copy(service, if_none_match="*")

        assert (412, "PreconditionFailed") == (answer.status, answer.code)
        assert "copy" not in calls(service)
        assert len(before) + 1 == len(service.blobs())


async def test_onto_itself() -> None:
    """New metadata; the old blobs go, the new ones stay."""
    async with open_parts(has_multipart=False) as service:
        answer = await copy(
            service,
            "/photos/a",
            x_amz_metadata_directive="REPLACE",
            x_amz_meta_mtime="1",
        )

        assert 200 == answer.status, answer.text
        got = await service.ask("GET", "/photos/a")
        assert (WHOLE, "1") == (got.body, got.headers["x-amz-meta-mtime"])


# ---- larger than one call of the backend


@pytest.mark.parametrize("transform", [None, FramingTransform()])
async def test_what_is_too_large_for_one_call_is_copied_by_parts(
    transform: Transform | None,
) -> None:
    """Equal ones, into an upload of the backend's own."""
    async with open_parts(max_copy_bytes=40_000, transform=transform) as service:
        before = moved(service)

        answer = await copy(service)

        assert 200 == answer.status, answer.text
        assert before == moved(service)
        expected = ["complete_upload", *["copy_part"] * 4, "create_upload", "head"]
        assert expected == calls(service)
        assert WHOLE == (await service.ask("GET", "/photos/b")).body
        await heads_are_equal(service)
        assert not service.backends["one"].uploads.under_way


async def test_an_object_of_one_put_is_copied_by_parts_too() -> None:
    """Its ETag stays the MD5 of its bytes."""
    async with open_parts(max_copy_bytes=40_000) as service:
        stored = await service.ask("PUT", "/photos/a", body=WHOLE)
        before = moved(service)

        answer = await copy(service)

        assert 200 == answer.status, answer.text
        assert before == moved(service)
        got = await service.ask("GET", "/photos/b")
        assert (WHOLE, stored.headers["etag"]) == (got.body, got.headers["etag"])


async def test_more_than_five_gib_are_copied_where_they_lie() -> None:
    """AWS refuses them; nothing has to pass through here, so there is no need to."""
    async with open_parts() as service:
        # Sizes of the ledger only: the backend's calls are what counts here.
        size = 6 * GIB
        service.connection.execute(f"UPDATE objects SET size = {size}")
        answer = await copy(service)
        service.connection.execute(f"UPDATE objects SET size = {len(WHOLE)}")

        assert 200 == answer.status, answer.text
        assert ["copy"] == calls(service)


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("create_upload", Fault.ERROR_BEFORE),
        ("create_upload", Fault.LOST_ANSWER),
        ("copy_part", Fault.ERROR_BEFORE),
        ("copy_part", Fault.ERROR_AFTER),
        ("copy_part", Fault.MISSING),
        ("complete_upload", Fault.REFUSED),
        ("complete_upload", Fault.ERROR_BEFORE),
        ("head", Fault.ERROR_BEFORE),
        ("head", Fault.MISSING),
    ],
)
async def test_parts_that_fail_go_through_here(operation: str, fault: Fault) -> None:
    """Nothing is left of them but what is queued."""
    async with open_parts(max_copy_bytes=40_000) as service:
        service.backends["one"].faults.next(operation, fault)

        answer = await copy(service)

        assert 200 == answer.status, answer.text
        assert "open" in calls(service)
        assert WHOLE == (await service.ask("GET", "/photos/b")).body


@pytest.mark.parametrize("fault", [Fault.ERROR_AFTER, Fault.LOST_ANSWER])
async def test_an_answer_that_is_lost_is_looked_up(fault: Fault) -> None:
    """The blob is there, so the copy is made."""
    async with open_parts(max_copy_bytes=40_000) as service:
        service.backends["one"].faults.next("complete_upload", fault)

        answer = await copy(service)

        assert 200 == answer.status, answer.text
        assert "open" not in calls(service)
        assert WHOLE == (await service.ask("GET", "/photos/b")).body


async def test_over_five_gib_a_failure_is_said() -> None:
    """They cannot pass through here; the client tries again."""
    async with open_parts(quotas={"one": GIB}) as service:
        service.connection.execute(f"UPDATE objects SET size = {6 * GIB}")
        service.backends["one"].faults.next("copy", Fault.ERROR_BEFORE)
        answer = await copy(service)
        service.connection.execute(f"UPDATE objects SET size = {len(WHOLE)}")

        assert (503, "SlowDown") == (answer.status, answer.code)
        assert ["copy"] == calls(service)
