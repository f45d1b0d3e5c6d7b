"""UploadPartCopy where the backend copies the part: calls, bytes, failures."""

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from s3o.model.seams import Transform
from tests.behaviour.multipart import SMALL, tag
from tests.behaviour.service import Service, open_service
from tests.behaviour.test_part_copies import BODY, PARTS, CopyingClient, etag_of
from tests.fakes.faults import Fault
from tests.fakes.transform import FramingTransform

GIB = 1 << 30


@asynccontextmanager
async def open_source(
    *,
    quotas: Mapping[str, int] | None = None,
    transform: Transform | None = None,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[tuple[Service, CopyingClient]]:
    """Backends two and one, /photos/source on one, and an upload of /photos/a."""
    async with open_service(
        quotas=quotas or {"one": GIB, "two": GIB},
        extra={"server": SMALL},
        transform=transform,
    ) as service:
        for backend in service.backends.values():
            backend.traits = replace(backend.traits, min_part_bytes=1)
        assert 200 == (await service.ask("PUT", "/photos/source", body=BODY)).status
        client = CopyingClient(service)
        assert 200 == (await client.create(headers or {})).status
        calls(service)
        yield service, client
        assert [] == await service.complaints()


def calls(service: Service) -> list[str]:
    """What all backends were asked since the last time, in order of names."""
    made = []
    for backend in service.backends.values():
        made += [operation for operation, _ in backend.books.calls]
        backend.books.calls.clear()
    return sorted(made)


def moved(service: Service) -> tuple[int, int]:
    """Egress and ingress bytes so far."""
    spent = [service.house.fleet.counters.of(name) for name in service.backends]
    return (
        sum(one.effective().egress_bytes for one in spent),
        sum(one.effective().ingress_bytes for one in spent),
    )


def span(start: int, stop: int) -> dict[str, str]:
    """A range of the source."""
    return {"x_amz_copy_source_range": f"bytes={start}-{stop - 1}"}


async def test_a_part_is_one_call_and_no_bytes() -> None:
    """The first one also begins the backend's upload, where the source lies."""
    async with open_source() as (service, client):
        before = moved(service)

        first = await client.copied(1, **span(10, 100_000))
        assert ["copy_part", "create_upload"] == calls(service)
        await client.copied(2)
        assert ["copy_part"] == calls(service)

        assert etag_of(BODY[10:100_000]).replace('"', "&quot;") == tag(
            first.text, "ETag"
        )
        assert 200 == (await client.complete()).status
        assert ["complete_upload", "list_parts"] == calls(service)
        assert before == moved(service)
        assert BODY[10:100_000] + BODY == await client.get()


async def test_an_upload_begins_where_its_source_lies() -> None:
    """Not where it would begin for a part that is sent."""
    async with open_source(quotas={"two": 250_000, "one": GIB}) as (service, client):
        assert {"two"} == {name for name, _ in service.blobs()}

        await client.copied(1, **span(0, 10_000))

        assert ["copy_part", "create_upload"] == calls(service)
        assert service.backends["two"].uploads.under_way


async def test_a_source_on_another_backend_is_read_and_written() -> None:
    """No provider copies from its neighbour."""
    async with open_source(quotas={"two": 210_000, "one": GIB}) as (service, client):
        await client.part(1, BODY[:50_000])
        calls(service)

        await client.copied(2)

        assert ["open", "upload_part"] == calls(service)
        assert 200 == (await client.complete()).status
        assert BODY[:50_000] + BODY == await client.get()


async def test_an_object_of_ranges_has_no_checksum() -> None:
    """Nobody here has read its bytes. Whole sources bring theirs; those combine."""
    headers = {"x-amz-checksum-mode": "ENABLED"}
    async with open_source() as (service, client):
        ranged = await client.copied(1, **span(0, 100_000))
        whole = await client.copied(2)
        completed = await client.complete()
        head = await service.ask("HEAD", "/photos/a", headers=headers)

        assert "Checksum" not in ranged.text
        assert "<ChecksumCRC64NVME>" in whole.text
        assert "Checksum" not in completed.text
        assert not [name for name in head.headers if name.startswith("x-amz-checksum")]
        listed = await service.ask("GET", "/photos", (("list-type", "2"),))
        assert 200 == listed.status

        await client.create()
        client.etags.clear()
        await client.copied(1)
        await client.copied(2)
        completed = await client.complete()
        assert "<ChecksumCRC64NVME>" in completed.text
        assert BODY + BODY == await client.get()


async def test_a_copy_of_an_object_without_checksum_has_none() -> None:
    """CopyObject copies it where it lies, too."""
    async with open_source() as (service, client):
        await client.copied(1, **span(0, 100_000))
        await client.complete()
        calls(service)

        answer = await service.ask(
            "PUT", "/photos/b", headers={"x-amz-copy-source": "photos/a"}
        )

        assert 200 == answer.status, answer.text
        assert "Checksum" not in answer.text
        assert ["copy"] == calls(service)
        assert BODY[:100_000] == (await service.ask("GET", "/photos/b")).body


async def test_a_named_algorithm_is_computed() -> None:
    """The client wants to know; so the bytes are read."""
    async with open_source(headers={"x-amz-checksum-algorithm": "SHA256"}) as (
        service,
        client,
    ):
        answer = await client.copied(1, **span(5, 10))

        expected = base64.b64encode(hashlib.sha256(BODY[5:10]).digest()).decode()
        assert expected == tag(answer.text, "ChecksumSHA256")
        assert ["create_upload", "open", "upload_part"] == calls(service)


async def test_what_is_stored_in_another_form_is_read_and_written() -> None:
    """A range of the plaintext is none of the stored bytes."""
    async with open_source(transform=FramingTransform()) as (service, client):
        await client.copied(1, **span(5, 100_000))

        assert "copy_part" not in calls(service)
        await client.complete()
        assert BODY[5:100_000] == await client.get()


async def test_a_number_is_sent_once() -> None:
    """A second copy of it is a blob."""
    async with open_source() as (service, client):
        await client.copied(1, **span(0, 1_000))
        calls(service)

        await client.copied(1, **span(7, 100_000))

        assert ["open", "put"] == calls(service)
        assert 200 == (await client.complete()).status
        assert BODY[7:100_000] == await client.get()


@pytest.mark.parametrize(
    "fault",
    [
        Fault.UNREACHABLE,
        Fault.ERROR_BEFORE,
        Fault.ERROR_AFTER,
        Fault.LOST_ANSWER,
        Fault.REFUSED,
        Fault.MISSING,
        Fault.FLIPPED,
    ],
)
async def test_what_fails_is_read_and_written(fault: Fault) -> None:
    """As a blob of its own, for the number may have been used."""
    async with open_source() as (service, client):
        service.backends["one"].faults.next("copy_part", fault)

        answer = await client.copied(1)

        assert 200 == answer.status, answer.text
        assert ["copy_part", "create_upload", "open", "put"] == calls(service)
        await client.copied(2, **span(0, 500))
        assert 200 == (await client.complete()).status
        assert BODY + BODY[:500] == await client.get()


async def test_a_source_that_is_gone_is_not_made_up() -> None:
    """Neither copied nor read: 503, and no part."""
    async with open_source() as (service, client):
        service.backends["one"].faults.next("copy_part", Fault.MISSING)
        service.backends["one"].faults.next("open", Fault.MISSING)

        answer = await client.copied(1)

        assert (503, "SlowDown") == (answer.status, answer.code)
        assert [] == service.rows(PARTS)[PARTS]


async def test_a_backend_that_tells_no_md5_is_asked_once() -> None:
    """A part's ETag must be the MD5 of its bytes."""
    async with open_source() as (service, client):
        service.backends["one"]._etag_is_md5 = False

        await client.copied(1, **span(0, 1_000))
        assert ["copy_part", "create_upload", "open", "put"] == calls(service)
        await client.copied(2, **span(0, 1_000))
        assert ["open", "upload_part"] == calls(service)

        assert 200 == (await client.complete()).status
        assert BODY[:1_000] * 2 == await client.get()


async def test_a_part_that_was_cut_is_found_before_it_is_joined() -> None:
    """The upload stays open, and the client sends the part again."""
    async with open_source() as (service, client):
        service.backends["one"].cuts_bytes = 10
        await client.copied(1, **span(0, 1_000))
        await client.part(2, b"the end")

        refused = await client.complete()
        assert (503, "SlowDown") == (refused.status, refused.code)
        assert "complete_upload" not in calls(service)
        await client.part(1, BODY[:1_000])

        assert 200 == (await client.complete()).status
        assert BODY[:1_000] + b"the end" == await client.get()


async def test_no_room_in_the_upload_is_room_elsewhere() -> None:
    """The source's backend is full; the part is a blob on the other one."""
    async with open_source(quotas={"one": 250_000, "two": GIB}) as (service, client):
        await client.copied(1, **span(0, 40_000))

        answer = await client.copied(2)

        assert 200 == answer.status, answer.text
        assert 200 == (await client.complete()).status
        assert BODY[:40_000] + BODY == await client.get()
        assert {"one", "two"} == {name for name, _ in service.blobs()}
