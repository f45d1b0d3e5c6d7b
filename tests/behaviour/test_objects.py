"""Objects at the front door: notes 4.4 to 4.10, with exact status, headers and XML."""

import base64
import hashlib
import re
import zlib
from typing import Any

import pytest

from tests.behaviour.documents import refusal
from tests.behaviour.multipart import NAMESPACE, SMALL, Client, tag
from tests.behaviour.service import Answer, Service, open_service

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
MD5 = hashlib.md5(b"hello").hexdigest()
ETAG = f'"{MD5}"'
CRC32 = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()
CRC64 = "M3eFcAZSQlc="
OLD = "Sat, 01 Jan 2000 00:00:00 GMT"
LATER = "Thu, 01 Jan 2099 00:00:00 GMT"


def headers_of(answer: Answer) -> dict[str, str]:
    """An answer's headers without those that every answer has."""
    always = {"x-amz-request-id", "x-amz-id-2", "date", "server"}
    return {name: text for name, text in answer.headers.items() if name not in always}


async def put(service: Service, path: str = "/photos/a", **headers: str) -> Answer:
    """Store hello; header names with _ for -."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await service.ask("PUT", path, headers=given, body=b"hello")


# ---- 4.4


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (
            {"x_amz_checksum_crc32": CRC32, "x_amz_checksum_sha1": "A" * 27 + "="},
            ("InvalidRequest", "Expecting a single x-amz-checksum- header"),
        ),
        (
            {"x_amz_checksum_crc32": "AAAA"},
            ("InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid"),
        ),
        (
            {"x_amz_checksum_crc32": "!"},
            ("InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid"),
        ),
        (
            {"x_amz_checksum_crc32": "AAAAAA=="},
            (
                "BadDigest",
                "The CRC32 you specified did not match the calculated checksum",
            ),
        ),
        ({"x_amz_checksum_crc33": "AAAAAA=="}, ("InvalidRequest", None)),
        ({"x_amz_sdk_checksum_algorithm": "CRC32"}, ("InvalidRequest", None)),
        (
            {"x_amz_sdk_checksum_algorithm": "SHA1", "x_amz_checksum_crc32": CRC32},
            ("InvalidRequest", None),
        ),
    ],
)
async def test_wrong_checksum_is_told_in_words(
    headers: dict[str, str], found: tuple[str, str | None]
) -> None:
    """And nothing is stored."""
    async with open_service() as service:
        told = refusal(await put(service, **headers))

        assert ("400", found[0]) == (told["status"], told["Code"])
        assert found[1] is None or found[1] in told["Message"]
        assert {} == service.blobs()


@pytest.mark.parametrize("name", ["CRC32", "crc32", "Crc32"])
async def test_algorithm_is_named_in_any_case(name: str) -> None:
    """The checksum comes back with its type."""
    async with open_service() as service:
        answer = await put(
            service, x_amz_sdk_checksum_algorithm=name, x_amz_checksum_crc32=CRC32
        )

        assert 200 == answer.status, answer.text
        assert headers_of(answer) == {
            "etag": ETAG,
            "x-amz-checksum-crc32": CRC32,
            "x-amz-checksum-type": "FULL_OBJECT",
            "content-length": "0",
        }


async def test_documents_need_no_checksum_if_they_are_signed() -> None:
    """And one that is sent is verified."""
    body = b"<Delete><Object><Key>a</Key></Object></Delete>"
    wrong = {"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    async with open_service() as service:
        await put(service)
        query = (("delete", ""),)
        bad = await service.ask("POST", "/photos", query, wrong, body)
        kept = await service.ask("HEAD", "/photos/a")
        done = await service.ask("POST", "/photos", query, {}, body)
        gone = await service.ask("HEAD", "/photos/a")

        assert "BadDigest" == refusal(bad)["Code"]
        assert [200, 200, 404] == [kept.status, done.status, gone.status]


# ---- 4.5


async def test_answer_to_a_put_is_exact() -> None:
    """No version, no encryption that is not the case, no body."""
    async with open_service() as service:
        answer = await put(service)

        assert (200, b"") == (answer.status, answer.body)
        assert headers_of(answer) == {
            "etag": ETAG,
            "x-amz-checksum-crc64nvme": CRC64,
            "x-amz-checksum-type": "FULL_OBJECT",
            "content-length": "0",
        }


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_headers_of_an_object_are_exact(method: str) -> None:
    """Nothing is invented, nothing is missing."""
    kept = {
        "cache-control": "max-age=60",
        "content-disposition": "attachment",
        "content-encoding": "gzip",
        "content-language": "de",
        "content-type": "text/plain",
        "expires": "whenever",
        "x-amz-meta-colour": "blue",
        "x-amz-storage-class": "GLACIER_IR",
        "x-amz-website-redirect-location": "/b",
    }
    async with open_service() as service:
        sent = {**kept, "x-amz-tagging": "k=v&l=w"}
        await service.ask("PUT", "/photos/a", headers=sent, body=b"hello")
        asked = {"x-amz-checksum-mode": "ENABLED"}
        answer = await service.ask(method, "/photos/a", headers=asked)
        found = headers_of(answer)

        assert re.fullmatch("[A-Z][a-z]{2}, .* GMT", found.pop("last-modified"))
        assert found == {
            **kept,
            "accept-ranges": "bytes",
            "content-length": "5",
            "etag": ETAG,
            "x-amz-checksum-crc64nvme": CRC64,
            "x-amz-checksum-type": "FULL_OBJECT",
            "x-amz-tagging-count": "2",
        }


@pytest.mark.parametrize(
    ("tagging", "code"),
    [
        ("&".join(f"k{at}=" for at in range(11)), "BadRequest"),
        ("a=1&a=2", "InvalidArgument"),
        ("k" * 129 + "=1", "InvalidTag"),
        ("k=" + "v" * 257, "InvalidTag"),
    ],
)
async def test_tags_in_a_header_are_bounded(tagging: str, code: str) -> None:
    """Ten, 128 and 256."""
    async with open_service() as service:
        told = refusal(await put(service, x_amz_tagging=tagging))

        assert ("400", code) == (told["status"], told["Code"])
        assert {} == service.blobs()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
    ],
)
async def test_encryption_that_is_not_ours_is_501(name: str, value: str) -> None:
    """Never ignored."""
    async with open_service() as service:
        answer = await service.ask("PUT", "/photos/a", (), {name: value}, b"hello")
        told = refusal(answer)

        assert ("501", "NotImplemented") == (told["status"], told["Code"])
        assert name in told["Message"], told
        assert {} == service.blobs()


# ---- 4.6


READS = [
    ({"if-match": ETAG}, 200, None),
    ({"if-match": MD5}, 200, None),
    ({"if-match": f'"x", {ETAG}'}, 200, None),
    ({"if-match": f"W/{ETAG}"}, 412, "If-Match"),
    ({"if-none-match": f'"x", W/{ETAG}'}, 304, None),
    ({"if-match": "*"}, 200, None),
    ({"if-match": '"x"'}, 412, "If-Match"),
    ({"if-unmodified-since": OLD}, 412, "If-Unmodified-Since"),
    ({"if-match": ETAG, "if-unmodified-since": OLD}, 200, None),
    ({"if-none-match": ETAG}, 304, None),
    ({"if-none-match": '"x"'}, 200, None),
    ({"if-modified-since": LATER}, 304, None),
    ({"if-modified-since": OLD}, 200, None),
    ({"if-none-match": '"x"', "if-modified-since": "now"}, 200, None),
    ({"if-match": '"x"', "if-none-match": ETAG}, 412, "If-Match"),
    ({"if-match": '"x"', "range": "bytes=9-"}, 412, "If-Match"),
    ({"if-none-match": ETAG, "range": "bytes=0-1"}, 304, None),
    ({"if-match": ETAG, "range": "bytes=0-1"}, 206, None),
]


@pytest.mark.parametrize(("headers", "status", "condition"), READS)
async def test_conditions_of_a_read(
    headers: dict[str, str], status: int, condition: str | None
) -> None:
    """HEAD has GET's status and no document."""
    async with open_service() as service:
        await put(service)
        got = await service.ask("GET", "/photos/a", headers=headers)
        head = await service.ask("HEAD", "/photos/a", headers=headers)

        assert (status, status, b"") == (got.status, head.status, head.body)
        if condition is None:
            assert ETAG == got.headers["etag"] == head.headers["etag"]
            assert {200: b"hello", 206: b"he", 304: b""}[status] == got.body
        else:
            assert refusal(got) == {
                "status": "412",
                "Code": "PreconditionFailed",
                "Message": "At least one of the pre-conditions you specified did not "
                "hold",
                "Condition": condition,
            }


@pytest.mark.parametrize(
    ("method", "key", "headers", "status", "code"),
    [
        ("PUT", "a", {"if-none-match": "*"}, 412, "PreconditionFailed"),
        ("PUT", "a", {"if-none-match": ETAG}, 501, "NotImplemented"),
        ("PUT", "a", {"if-match": '"x"'}, 412, "PreconditionFailed"),
        ("PUT", "none", {"if-match": ETAG}, 404, "NoSuchKey"),
        ("PUT", "a", {"if-match": "*", "if-none-match": "*"}, 501, "NotImplemented"),
        ("DELETE", "a", {"if-match": '"x"'}, 412, "PreconditionFailed"),
        ("DELETE", "a", {"x-amz-if-match-size": "4"}, 412, "PreconditionFailed"),
        (
            *("DELETE", "a", {"x-amz-if-match-last-modified-time": OLD}),
            *(412, "PreconditionFailed"),
        ),
        ("DELETE", "none", {"if-match": ETAG}, 204, ""),
        ("DELETE", "none", {"x-amz-if-match-size": "4"}, 204, ""),
        ("DELETE", "a", {"if-match": ETAG, "x-amz-if-match-size": "5"}, 204, ""),
    ],
)
async def test_conditions_of_a_write(
    method: str, key: str, headers: dict[str, str], status: int, code: str
) -> None:
    """What is refused has changed nothing."""
    async with open_service() as service:
        await put(service)
        answer = await service.ask(method, f"/photos/{key}", (), headers)
        left = await service.ask("GET", "/photos/a")

        assert status == answer.status, answer.text
        if status == 204:
            assert b"" == answer.body
            assert (404 if key == "a" else 200) == left.status
            return
        assert (str(status), code) == (
            refusal(answer)["status"],
            refusal(answer)["Code"],
        )
        assert b"hello" == left.body


# ---- 4.9


async def test_other_buckets_are_403_to_a_delete() -> None:
    """A configured bucket's own credentials learn of no other."""
    async with open_service() as service:
        answer = await service.ask("DELETE", "/nowhere/a")

        told = refusal(answer)
        assert ("403", "AccessDenied") == (told["status"], told["Code"])


async def test_answer_to_a_batch_is_exact() -> None:
    """In order, repeats too; attributes and a missing namespace do not matter."""
    body = (
        b'<Delete id="1"><Object><Key>none</Key></Object>'
        b"<Object><Key>a</Key><VersionId>null</VersionId></Object>"
        b"<Object><Key>a</Key></Object>"
        b"<Object><Key>b</Key><ETag>x</ETag></Object></Delete>"
    )
    async with open_service() as service:
        await put(service)
        await put(service, "/photos/b")
        bypass = {"x-amz-bypass-governance-retention": "true"}
        answer = await service.ask("POST", "/photos", (("delete", ""),), bypass, body)

        assert (200, "application/xml") == (
            answer.status,
            answer.headers["content-type"],
        )
        assert answer.text == (
            f'{HEAD}<DeleteResult xmlns="{NAMESPACE}">'
            "<Deleted><Key>none</Key></Deleted>"
            "<Deleted><Key>a</Key><VersionId>null</VersionId></Deleted>"
            "<Deleted><Key>a</Key></Deleted>"
            "<Error><Key>b</Key><Code>PreconditionFailed</Code><Message>At least one "
            "of the pre-conditions you specified did not hold</Message></Error>"
            "</DeleteResult>"
        )


@pytest.mark.parametrize("body", [b"<Delete></Delete>", b"<Delete/>", b"", b"<Delete>"])
async def test_batch_without_keys_is_400(body: bytes) -> None:
    """MalformedXML."""
    async with open_service() as service:
        answer = await service.ask("POST", "/photos", (("delete", ""),), body=body)

        assert refusal(answer) == {
            "status": "400",
            "Code": "MalformedXML",
            "Message": "The XML you provided was not well-formed or did not validate "
            "against our published schema",
        }


# ---- 4.10


async def copy(service: Service, source: str, **headers: str) -> Answer:
    """Copy to /photos/b."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    given["x-amz-copy-source"] = source
    return await service.ask("PUT", "/photos/b", headers=given)


@pytest.mark.parametrize(
    "source", ["photos/a", "/photos/a", "photos%2Fa", "/photos/a?versionId=null"]
)
async def test_source_is_written_in_any_way(source: str) -> None:
    """With a slash before it, escaped, or by its version."""
    async with open_service() as service:
        await put(service)
        answer = await copy(service, source)

        assert 200 == answer.status, answer.text
        assert b"hello" == (await service.ask("GET", "/photos/b")).body


async def test_checksum_of_a_copy_is_kept() -> None:
    """Whatever its algorithm; it is told in the document."""
    async with open_service() as service:
        await put(service, x_amz_checksum_crc32=CRC32)
        answer = await copy(service, "photos/a")
        asked = {"x-amz-checksum-mode": "ENABLED"}
        found = (await service.ask("HEAD", "/photos/b", headers=asked)).headers

        assert CRC32 == tag(answer.text, "ChecksumCRC32")
        assert "FULL_OBJECT" == tag(answer.text, "ChecksumType")
        assert f"&quot;{MD5}&quot;" == tag(answer.text, "ETag")
        assert CRC32 == found["x-amz-checksum-crc32"]
        assert "etag" not in answer.headers


@pytest.mark.parametrize(
    ("condition", "value", "status"),
    [
        ("if_match", MD5, 200),
        ("if_match", "x", 412),
        ("if_none_match", MD5, 412),
        ("if_none_match", "x", 200),
        ("if_unmodified_since", OLD, 412),
        ("if_unmodified_since", LATER, 200),
        ("if_modified_since", OLD, 200),
    ],
)
async def test_conditions_on_a_copys_source(
    condition: str, value: str, status: int
) -> None:
    """412 in all failing cases, never 304."""
    async with open_service() as service:
        await put(service)
        given: dict[str, Any] = {f"x_amz_copy_source_{condition}": value}
        answer = await copy(service, "photos/a", **given)

        assert status == answer.status, answer.text
        if status == 412:
            assert "PreconditionFailed" == refusal(answer)["Code"]
            assert 404 == (await service.ask("HEAD", "/photos/b")).status


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("bytes=0-5", "InvalidArgument"),
        ("bytes=0-", "InvalidArgument"),
        ("bytes=-1", "InvalidArgument"),
        ("0-1", "InvalidArgument"),
    ],
)
async def test_range_of_a_part_copy_has_both_bounds(value: str, code: str) -> None:
    """And lies within its source."""
    async with open_service(extra={"server": SMALL}) as service:
        await put(service)
        client = Client(service, "/photos/b")
        await client.create()
        headers = {"x-amz-copy-source": "photos/a", "x-amz-copy-source-range": value}
        answer = await client.ask("PUT", {"partNumber": "1"}, headers)

        assert ("400", code) == (refusal(answer)["status"], refusal(answer)["Code"])
        assert [] == service.rows("multipart_parts")["multipart_parts"]


@pytest.mark.parametrize(
    ("headers", "code", "condition"),
    [
        ({"if-none-match": "*"}, "PreconditionFailed", "If-None-Match"),
        ({"if-match": '"x"'}, "PreconditionFailed", "If-Match"),
        ({"if-none-match": ETAG}, "NotImplemented", None),
    ],
)
async def test_conditions_on_what_a_copy_or_a_complete_replaces(
    headers: dict[str, str], code: str, condition: str | None
) -> None:
    """As for a PUT; what was there stays."""
    async with open_service(extra={"server": SMALL}) as service:
        await put(service)
        await service.ask("PUT", "/photos/b", body=b"kept")
        client = Client(service, "/photos/b")
        await client.create()
        await client.parts(b"part")
        source = {"x-amz-copy-source": "photos/a"}
        copied = await service.ask("PUT", "/photos/b", (), {**source, **headers})
        completed = await client.complete(headers=headers)

        for answer in (copied, completed):
            told = refusal(answer)
            status = "412" if condition else "501"
            assert (status, code) == (told["status"], told["Code"])
            assert condition == told.get("Condition")
        assert b"kept" == (await service.ask("GET", "/photos/b")).body
