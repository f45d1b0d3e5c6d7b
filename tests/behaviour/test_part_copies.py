"""UploadPartCopy through the front door: answers, bytes, refusals, failures."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from s3o.model.seams import Transform
from tests.behaviour.multipart import NAMESPACE, SMALL, Client, tag
from tests.behaviour.service import Answer, Service, open_service
from tests.fakes.faults import Fault
from tests.fakes.sources import pattern
from tests.fakes.transform import FramingTransform

GIB = 1 << 30
BODY = pattern(200_000)


class CopyingClient(Client):
    """Uploads whose parts may be copies of /photos/source."""

    async def copied(
        self,
        number: int | str,
        source: str = "photos/source",
        who: str = "photoskey",
        body: bytes = b"",
        **headers: str,
    ) -> Answer:
        """Make a part of a source; header names with _ for -."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.service.ask(
            "PUT",
            self.path,
            (("partNumber", str(number)), ("uploadId", self.upload_id)),
            {"x-amz-copy-source": source, **given},
            body,
            who=who,
        )
        if answer.status == 200:
            self.etags[int(number)] = tag(answer.text, "ETag")
        return answer

    async def ranges(self, *bounds: tuple[int, int]) -> None:
        """Copy parts 1, 2, ... from these first and last bytes."""
        for number, (first, last) in enumerate(bounds, 1):
            answer = await self.copied(
                number, x_amz_copy_source_range=f"bytes={first}-{last}"
            )
            assert 200 == answer.status, answer.text


@asynccontextmanager
async def open_source(
    *,
    is_native: bool = True,
    copies: bool = True,
    transform: Transform | None = None,
    body: bytes = BODY,
) -> AsyncIterator[tuple[Service, CopyingClient]]:
    """Two backends, /photos/source with body, and an upload of /photos/a."""
    async with open_service(
        quotas={"one": GIB, "two": GIB}, extra={"server": SMALL}, transform=transform
    ) as service:
        for backend in service.backends.values():
            if is_native:
                backend.traits = replace(
                    backend.traits, min_part_bytes=1, can_copy_part=copies
                )
        stored = await service.ask("PUT", "/photos/source", body=body)
        assert 200 == stored.status
        client = CopyingClient(service)
        await client.create()
        yield service, client
        assert [] == await service.complaints()


def etag_of(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'


async def test_the_answer_is_exact() -> None:
    """LastModified, ETag and checksum of the part; no type, no metadata."""
    async with open_source() as (_, client):
        answer = await client.copied(1)

    etag = etag_of(BODY).replace('"', "&quot;")
    assert 200 == answer.status
    assert "application/xml" == answer.headers["content-type"]
    assert "etag" not in answer.headers
    assert re.fullmatch(
        r'<\?xml version="1.0" encoding="UTF-8"\?>\n'
        rf'<CopyPartResult xmlns="{NAMESPACE}"><LastModified>[0-9T:.-]+Z'
        rf"</LastModified><ETag>{etag}</ETag><ChecksumCRC64NVME>[^<]+"
        r"</ChecksumCRC64NVME></CopyPartResult>",
        answer.text,
    )


@pytest.mark.parametrize("is_native", [True, False])
@pytest.mark.parametrize("transform", [None, FramingTransform()])
async def test_ranges_and_bodies_become_one_object(
    is_native: bool, transform: Transform | None
) -> None:
    """Byte for byte, in any order, mixed with parts that were sent."""
    async with open_source(is_native=is_native, transform=transform) as (
        service,
        client,
    ):
        await client.ranges((0, 69_999), (70_000, 70_000), (65_536, 199_999))
        await client.part(4, b"sent")
        await client.copied(5)
        completed = await client.complete()

        expected = BODY[:70_001] + BODY[65_536:] + b"sent" + BODY
        assert 200 == completed.status, completed.text
        assert expected == await client.get()
        assert expected[69_990:70_020] == await client.get(69_990, 70_020)
        assert BODY == (await service.ask("GET", "/photos/source")).body


@pytest.mark.parametrize("transform", [None, FramingTransform()])
async def test_an_object_made_of_parts_is_a_source(
    transform: Transform | None,
) -> None:
    """A range may begin in one of its blobs and end in another."""
    async with open_source(transform=transform) as (service, client):
        made = CopyingClient(service, "/photos/made")
        await made.create()
        await made.parts(BODY[:90_000], BODY[90_000:90_100], BODY[90_100:])
        assert 200 == (await made.complete()).status

        answer = await client.copied(
            1, "photos/made", x_amz_copy_source_range="bytes=89990-90109"
        )
        assert 200 == answer.status, answer.text
        assert 200 == (await client.copied(2, "photos/made")).status
        assert 200 == (await client.complete()).status
        assert BODY[89_990:90_110] + BODY == await client.get()


async def test_an_empty_source_is_an_empty_part() -> None:
    """No bytes are bytes, too; but no range lies within them."""
    async with open_source(body=b"") as (_, client):
        refused = await client.copied(1, x_amz_copy_source_range="bytes=0-0")
        answer = await client.copied(1)

        assert (400, "InvalidArgument") == (refused.status, refused.code)
        assert 200 == answer.status
        assert etag_of(b"") == client.etags[1].replace("&quot;", '"')
        assert 200 == (await client.complete()).status
        assert b"" == await client.get()


async def test_the_uploads_algorithm_is_computed() -> None:
    """Whatever the source was stored with."""
    async with open_source() as (_, client):
        await client.create({"x-amz-checksum-algorithm": "SHA256"})
        answer = await client.copied(1, x_amz_copy_source_range="bytes=5-9")

        digest = hashlib.sha256(BODY[5:10]).digest()
        expected = base64.b64encode(digest).decode()
        assert expected == tag(answer.text, "ChecksumSHA256")
        assert "CRC64NVME" not in answer.text


async def test_a_number_is_replaced() -> None:
    """By a copy and of a copy; what was there is gone."""
    async with open_source() as (_, client):
        await client.part(1, b"sent")
        await client.copied(1)
        await client.part(2, b"")
        await client.copied(2)
        await client.part(2, b"the end")

        assert 200 == (await client.complete()).status
        assert BODY + b"the end" == await client.get()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x_amz_copy_source_if_match": etag_of(BODY)}, 200),
        ({"x_amz_copy_source_if_match": '"other"'}, 412),
        ({"x_amz_copy_source_if_none_match": '"other"'}, 200),
        ({"x_amz_copy_source_if_none_match": etag_of(BODY)}, 412),
        ({"x_amz_copy_source_if_modified_since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 200),
        (
            {"x_amz_copy_source_if_unmodified_since": "Sat, 01 Jan 2000 00:00:00 GMT"},
            412,
        ),
    ],
)
async def test_conditions_on_the_source(headers: dict[str, str], status: int) -> None:
    """boto3's managed copy sends the ETag it saw, with every part."""
    async with open_source() as (service, client):
        answer = await client.copied(1, **headers)

        assert status == answer.status
        assert "" == answer.code or "PreconditionFailed" == answer.code
        assert (1 if status == 200 else 0) == len(service.rows(PARTS)[PARTS])


PARTS = "multipart_parts"
BAD_RANGES = (
    *("bytes=0-200000", "bytes=200000-200000", "bytes=5-4", "bytes=5-", "bytes=-5"),
    *("0-5", "bytes=0-1,3-4", "bytes=a-b", ""),
)


@pytest.mark.parametrize(
    ("number", "source", "headers", "status", "code"),
    [
        *(
            (1, "photos/source", {"x_amz_copy_source_range": bad}, 400, "Invalid")
            for bad in BAD_RANGES
        ),
        (0, "photos/source", {}, 400, "InvalidArgument"),
        (10_001, "photos/source", {}, 400, "InvalidArgument"),
        ("x", "photos/source", {}, 400, "InvalidArgument"),
        (1, "photos/none", {}, 404, "NoSuchKey"),
        (1, "photos/source?versionId=x", {}, 400, "InvalidArgument"),
        (1, "photos", {}, 400, "InvalidArgument"),
        (1, "others/a", {}, 403, "AccessDenied"),
        (1, "others/none", {}, 403, "AccessDenied"),
        (1, "nobodys-bucket/a", {}, 403, "AccessDenied"),
        (1, "photos/source", {"body": b"x"}, 400, ""),
        (1, "photos/source", {"x_amz_metadata_directive": "COPY"}, 501, "NotImpl"),
        (
            *(1, "photos/source"),
            {"x_amz_copy_source_server_side_encryption_customer_algorithm": "AES256"},
            *(501, "NotImplemented"),
        ),
    ],
)
async def test_refusals_store_nothing(
    number: int | str, source: str, headers: dict, status: int, code: str
) -> None:
    """Another's object is refused whether it exists or not."""
    async with open_source() as (service, client):
        await service.ask("PUT", "/others/a", body=b"theirs", who="otherskey")
        before = (service.blobs(), service.rows(PARTS, "pending_objects"))

        answer = await client.copied(number, source, **headers)

        assert status == answer.status, answer.text
        assert answer.code.startswith(code)
        assert before == (service.blobs(), service.rows(PARTS, "pending_objects"))


async def test_an_upload_is_its_owners_and_its_keys() -> None:
    """A foreign, ended or invented id is none; the source is not told about."""
    async with open_source() as (service, client):
        await service.ask("PUT", "/others/a", body=b"theirs", who="otherskey")
        other_key = CopyingClient(service, "/photos/b")
        other_key.upload_id = client.upload_id
        other_bucket = CopyingClient(service, "/others/a")
        other_bucket.upload_id = client.upload_id
        invented = CopyingClient(service)
        invented.upload_id = "invented"

        answers = [
            await other_key.copied(1),
            await other_bucket.copied(1, "others/a", who="otherskey"),
            await other_bucket.copied(1, who="otherskey"),
            await other_bucket.copied(1),
            await client.copied(1, who="otherskey"),
            await invented.copied(1),
        ]
        await client.ask("DELETE")
        answers.append(await client.copied(1))

        none, denied = (404, "NoSuchUpload"), (403, "AccessDenied")
        assert [none, none, denied, denied, denied, none, none] == [
            (answer.status, answer.code) for answer in answers
        ]
        assert [] == service.rows(PARTS)[PARTS]


@pytest.mark.parametrize("size", [(5 << 30) + 1, 6 << 30])
async def test_no_part_is_over_five_gib(size: int) -> None:
    """A larger source is copied by ranges."""
    async with open_source() as (service, client):
        kept = service.connection.execute("SELECT size FROM objects").fetchall()
        service.connection.execute(f"UPDATE objects SET size = {size}")
        whole = await client.copied(1)
        ranged = await client.copied(1, x_amz_copy_source_range=f"bytes=0-{size - 1}")
        service.connection.execute("UPDATE objects SET size = ?", kept[0])

        for answer in (whole, ranged):
            assert (400, "InvalidRequest") == (answer.status, answer.code)
            assert "maximum allowable size for a copy source: 5368709120" in answer.text


@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.MISSING])
async def test_a_source_that_cannot_be_read(fault: Fault) -> None:
    """503, and the part that was there stays."""
    async with open_source() as (service, client):
        await client.part(1, b"before")
        service.backends["one"].faults.next("open", fault)

        answer = await client.copied(1)

        assert (503, "SlowDown") == (answer.status, answer.code)
        assert 200 == (await client.complete()).status
        assert b"before" == await client.get()


async def test_a_damaged_source_never_becomes_a_part() -> None:
    """Its digest is compared before the last bytes go out."""
    async with open_source(copies=False) as (service, client):
        service.backends["one"].faults.next("open", Fault.FLIPPED)

        answer = await client.copied(1)

        assert (503, "SlowDown") == (answer.status, answer.code)
        assert [] == service.rows(PARTS)[PARTS]


async def test_a_damaged_source_of_parts_never_becomes_a_part() -> None:
    """Its ETag says nothing about all bytes, its checksum does."""
    async with open_source(copies=False) as (service, client):
        made = CopyingClient(service, "/photos/made")
        await made.create()
        await made.parts(BODY[:90_000], BODY[90_000:])
        assert 200 == (await made.complete()).status
        service.backends["one"].faults.next("open", Fault.FLIPPED)

        answer = await client.copied(1, "photos/made")

        assert (503, "SlowDown") == (answer.status, answer.code)
        assert [] == service.rows(PARTS)[PARTS]


@pytest.mark.parametrize(
    "fault", [Fault.ERROR_BEFORE, Fault.ERROR_AFTER, Fault.LOST_ANSWER]
)
async def test_a_destination_that_fails_gives_way(fault: Fault) -> None:
    """The bytes read so far are sent elsewhere; the source is read once."""
    async with open_source(copies=False) as (service, client):
        await client.part(2, b"the end")  # binds
        service.backends["one"].faults.next("upload_part", fault)
        for backend in service.backends.values():
            backend.books.calls.clear()

        answer = await client.copied(1)

        assert 200 == answer.status, answer.text
        asked = [
            name for each in service.backends.values() for name, _ in each.books.calls
        ]
        assert ["open", "put", "upload_part"] == sorted(asked)
        assert 200 == (await client.complete()).status
        assert BODY + b"the end" == await client.get()


async def test_what_a_copy_through_here_costs() -> None:
    """A range of the source leaves its backend once and goes into another once."""
    async with open_source(copies=False) as (service, client):
        await client.part(2, b"binds")
        usage = service.house.fleet.counters.of("one")
        before = usage.effective()

        await client.copied(1, x_amz_copy_source_range="bytes=100-1099")

        spent = usage.effective()
        assert 1000 == spent.egress_bytes - before.egress_bytes
        assert 1000 == spent.ingress_bytes - before.ingress_bytes


async def test_a_deleted_source_is_kept_while_it_is_read(
    autojump_clock: MockClock,
) -> None:
    """The version that was found is what is copied."""
    async with open_source(copies=False) as (service, client):
        service.backends["one"].faults.next("open", Fault.SLOW)
        answers: list[Answer] = []

        async def copy() -> None:
            answers.append(await client.copied(1))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(copy)
            await trio.testing.wait_all_tasks_blocked()
            assert not answers
            await service.ask("DELETE", "/photos/source")

        assert 200 == answers[0].status
        assert 200 == (await client.complete()).status
        assert BODY == await client.get()
