"""Uploads in parts at the front door: notes 4.7, 4.11 and 4.12, exactly."""

import hashlib
import re

import pytest

from tests.behaviour.documents import refusal
from tests.behaviour.multipart import NAMESPACE, SMALL, Client, tag
from tests.behaviour.service import Service, open_service

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
OWNER = hashlib.sha256(b"bucket:photos").hexdigest()
DATE = r"[0-9-]{10}T[0-9:]{8}[.][0-9]{3}Z"


def md5(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


def joined(*bodies: bytes) -> str:
    """The ETag of an object of these parts, without quotes."""
    whole = hashlib.md5(b"".join(hashlib.md5(body).digest() for body in bodies))
    return f"{whole.hexdigest()}-{len(bodies)}"


async def made(service: Service, *bodies: bytes) -> Client:
    """An object of parts, /photos/a."""
    client = Client(service)
    await client.create()
    await client.parts(*bodies)
    assert 200 == (await client.complete()).status
    return client


async def test_documents_of_an_upload_are_exact() -> None:
    """Create, part, Complete, Abort."""
    async with open_service(extra={"server": SMALL}) as service:
        client = Client(service)
        created = await client.create({"x-amz-checksum-algorithm": "crc32"})
        part = await client.part(1, b"one")
        listed = await client.ask("GET")
        crc = part.headers["x-amz-checksum-crc32"]
        extra = f"<ChecksumCRC32>{crc}</ChecksumCRC32>"
        body = (
            f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"
            f"{md5(b'one')}</ETag>{extra}</Part></CompleteMultipartUpload>"
        ).encode()
        done = await client.complete(body=body)

        for answer in (created, listed, done):
            assert (200, "application/xml") == (
                answer.status,
                answer.headers["content-type"],
            )
        assert created.text == (
            f'{HEAD}<InitiateMultipartUploadResult xmlns="{NAMESPACE}">'
            "<Bucket>photos</Bucket><Key>a</Key>"
            f"<UploadId>{client.upload_id}</UploadId></InitiateMultipartUploadResult>"
        )
        assert "CRC32" == created.headers["x-amz-checksum-algorithm"]
        assert "COMPOSITE" == created.headers["x-amz-checksum-type"]
        assert (200, b"", f'"{md5(b"one")}"') == (
            part.status,
            part.body,
            part.headers["etag"],
        )
        assert "x-amz-checksum-type" not in part.headers
        assert re.fullmatch(
            re.escape(f'{HEAD}<ListPartsResult xmlns="{NAMESPACE}">')
            + rf".*<Part><PartNumber>1</PartNumber><LastModified>{DATE}</LastModified>"
            rf"<ETag>&quot;{md5(b'one')}&quot;</ETag>.*</Part>.*</ListPartsResult>",
            listed.text,
        ), listed.text
        for name, told in (
            *(("Bucket", "photos"), ("Key", "a"), ("UploadId", client.upload_id)),
            *(("PartNumberMarker", "0"), ("MaxParts", "1000"), ("Size", "3")),
            *(("IsTruncated", "false"), ("StorageClass", "STANDARD")),
            *(("ChecksumAlgorithm", "CRC32"), ("ChecksumType", "COMPOSITE")),
            *(("ChecksumCRC32", crc), ("ID", OWNER)),
        ):
            assert told == tag(listed.text, name), name
        for name in ("Initiator", "Owner"):
            assert tag(listed.text, name).startswith(f"<ID>{OWNER}</ID>"), name
        assert done.text.startswith(
            f'{HEAD}<CompleteMultipartUploadResult xmlns="{NAMESPACE}"><Location>'
        )
        for name, told in (
            *(("Bucket", "photos"), ("Key", "a"), ("ChecksumType", "COMPOSITE")),
            ("ETag", f"&quot;{joined(b'one')}&quot;"),
        ):
            assert told == tag(done.text, name), name
        assert tag(done.text, "ChecksumCRC32").endswith("-1")
        assert tag(done.text, "Location").endswith("/photos/a")


async def test_refusals_of_an_upload_are_exact() -> None:
    """Each with the elements of its code."""
    async with open_service() as service:
        client = Client(service)
        await client.create()
        await client.parts(b"small", b"last")
        small = refusal(await client.complete())
        order = refusal(
            await client.complete([(2, client.etags[2]), (1, client.etags[1])])
        )
        missing = refusal(await client.complete([(3, client.etags[1])]))
        number = refusal(await client.part(10_001, b""))
        await client.ask("DELETE")
        gone = refusal(await client.ask("DELETE"))

        assert small == {
            "status": "400",
            "Code": "EntityTooSmall",
            "Message": "Your proposed upload is smaller than the minimum allowed size",
            "ProposedSize": "5",
            "MinSizeAllowed": "5242880",
            "PartNumber": "1",
            "ETag": small["ETag"],
        }
        assert md5(b"small") in small["ETag"]
        assert ("400", "InvalidPartOrder") == (order["status"], order["Code"])
        assert ("400", "InvalidPart") == (missing["status"], missing["Code"])
        assert "3" == missing["PartNumber"]
        assert ("400", "InvalidArgument") == (number["status"], number["Code"])
        assert ("404", "NoSuchUpload") == (gone["status"], gone["Code"])
        assert client.upload_id == gone["UploadId"]


async def test_checksum_of_another_algorithm_is_told_in_words() -> None:
    """SDK users read it."""
    async with open_service() as service:
        client = Client(service)
        await client.create({"x-amz-checksum-algorithm": "CRC32"})
        sha1 = {"x-amz-checksum-sha1": "qvTGHdzF6KLavt4PO0gs2a6pQ00="}  # of hello
        told = refusal(await client.part(1, b"hello", sha1))

        assert ("400", "InvalidRequest") == (told["status"], told["Code"])
        assert re.match(
            "Checksum Type mismatch occurred, expected checksum Type: crc32, "
            "actual checksum Type: sha1",
            told["Message"],
            re.IGNORECASE,
        ), told


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-amz-checksum-algorithm": "CRC64NVME"}, "FULL_OBJECT"),
        ({"x-amz-checksum-algorithm": "CRC32C"}, "COMPOSITE"),
        ({"x-amz-checksum-algorithm": "SHA256"}, "COMPOSITE"),
        (
            {"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT"},
            "FULL_OBJECT",
        ),
        ({"x-amz-checksum-type": "COMPOSITE"}, None),
        (
            {
                "x-amz-checksum-algorithm": "CRC64NVME",
                "x-amz-checksum-type": "COMPOSITE",
            },
            None,
        ),
        (
            {"x-amz-checksum-algorithm": "SHA1", "x-amz-checksum-type": "FULL_OBJECT"},
            None,
        ),
    ],
)
async def test_type_of_an_uploads_checksum(
    headers: dict[str, str], status: str | None
) -> None:
    """Told in headers; a pair that does not exist is 400."""
    async with open_service() as service:
        answer = await Client(service).create(headers)

        if status is not None:
            assert status == answer.headers["x-amz-checksum-type"]
            assert (
                headers["x-amz-checksum-algorithm"]
                == answer.headers["x-amz-checksum-algorithm"]
            )
        else:
            told = refusal(answer)
            assert ("400", "InvalidRequest") == (told["status"], told["Code"])


# ---- 4.7


@pytest.mark.parametrize(
    ("number", "status", "body", "content_range"),
    [
        (1, 206, b"hello", "bytes 0-4/9"),
        (2, 206, b"last", "bytes 5-8/9"),
    ],
)
async def test_part_of_an_object_is_exact(
    number: int, status: int, body: bytes, content_range: str
) -> None:
    """HEAD has the same headers."""
    async with open_service(extra={"server": SMALL}) as service:
        await made(service, b"hello", b"last")
        query = (("partNumber", str(number)),)
        got = await service.ask("GET", "/photos/a", query)
        head = await service.ask("HEAD", "/photos/a", query)

        assert (status, body, b"") == (got.status, got.body, head.body)
        for answer in (got, head):
            assert status == answer.status
            assert content_range == answer.headers["content-range"]
            assert str(len(body)) == answer.headers["content-length"]
            assert "2" == answer.headers["x-amz-mp-parts-count"]
            assert f'"{joined(b"hello", b"last")}"' == answer.headers["etag"]


@pytest.mark.parametrize(
    ("query", "headers", "status", "code"),
    [
        ((("partNumber", "3"),), {}, "416", "InvalidPartNumber"),
        ((("partNumber", "0"),), {}, "400", "InvalidArgument"),
        ((("partNumber", "1"),), {"range": "bytes=0-1"}, "400", "InvalidRequest"),
        ((), {"range": "bytes=9-"}, "416", "InvalidRange"),
        ((), {"range": "bytes=-0"}, "416", "InvalidRange"),
    ],
)
async def test_part_or_range_that_is_not_there(
    query: tuple[tuple[str, str], ...], headers: dict[str, str], status: str, code: str
) -> None:
    """With the object's size where a range was asked for."""
    async with open_service(extra={"server": SMALL}) as service:
        await made(service, b"hello", b"last")
        answer = await service.ask("GET", "/photos/a", query, headers)
        told = refusal(answer)

        assert (status, code) == (told["status"], told["Code"])
        if code == "InvalidRange":
            assert "bytes */9" == answer.headers["content-range"]
            assert ("9", headers["range"]) == (
                told["ActualObjectSize"],
                told["RangeRequested"],
            )


# ---- 4.12


async def test_attributes_are_exact() -> None:
    """ETag without quotes; parts only with their checksums."""
    async with open_service(extra={"server": SMALL}) as service:
        await service.ask("PUT", "/photos/b", body=b"hello")
        asked = {
            "x-amz-object-attributes": "ETag,Checksum,ObjectParts,StorageClass,"
            "ObjectSize"
        }
        query = (("attributes", ""),)
        answer = await service.ask("GET", "/photos/b", query, asked)
        none = refusal(await service.ask("GET", "/photos/b", query))
        odd = {"x-amz-object-attributes": "Colour"}
        unknown = refusal(await service.ask("GET", "/photos/b", query, odd))

        assert (200, "application/xml") == (
            answer.status,
            answer.headers["content-type"],
        )
        assert answer.headers["last-modified"].endswith(" GMT")
        assert answer.text == (
            f'{HEAD}<GetObjectAttributesResponse xmlns="{NAMESPACE}">'
            f"<ETag>{md5(b'hello')}</ETag><Checksum><ChecksumCRC64NVME>M3eFcAZSQlc="
            "</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType></Checksum>"
            "<StorageClass>STANDARD</StorageClass><ObjectSize>5</ObjectSize>"
            "</GetObjectAttributesResponse>"
        )
        assert ("400", "InvalidRequest") == (none["status"], none["Code"])
        assert ("400", "InvalidArgument") == (unknown["status"], unknown["Code"])
