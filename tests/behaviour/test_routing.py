"""Requests by their target, and what refusals look like: notes 4.1 and 4.2, exactly."""

import re

import pytest

from tests.behaviour.multipart import tag, tags
from tests.behaviour.service import HOST, Answer, Service, open_service

SUBRESOURCES = [
    *("acl", "accelerate", "analytics", "annotation", "annotations", "attributes"),
    *("cors", "delete", "encryption", "intelligent-tiering", "inventory"),
    *("legal-hold", "lifecycle", "location", "logging", "metadataConfiguration"),
    *("metadataTable", "metrics", "notification", "object-lock", "ownershipControls"),
    *("policy", "policyStatus", "publicAccessBlock", "renameObject", "replication"),
    *("requestPayment", "restore", "retention", "select", "session", "torrent"),
    *("versioning", "website", "abac", "append"),
]
# Of an object, these are served or refused by their own rules.
SERVED = {("GET", "acl"), ("PUT", "acl"), ("GET", "attributes")}


def is_refusal(answer: Answer, status: int, code: str, resource: str) -> bool:
    """Whether an answer is S3's error document and nothing else."""
    request_id = answer.headers["x-amz-request-id"]
    host_id = answer.headers["x-amz-id-2"]
    return (
        (status, code) == (answer.status, answer.code)
        and answer.headers["content-type"] == "application/xml"
        and re.fullmatch(
            r'<\?xml version="1\.0" encoding="UTF-8"\?>\n'
            rf"<Error><Code>{code}</Code><Message>[^<]+</Message>"
            rf"(<[A-Za-z]+>[^<]*</[A-Za-z]+>)*<Resource>{re.escape(resource)}</Resource>"
            rf"<RequestId>{re.escape(request_id)}</RequestId>"
            rf"<HostId>{re.escape(host_id)}</HostId>"
            r"(<[A-Za-z]+>[^<]*</[A-Za-z]+>)*</Error>",
            answer.text,
        )
        is not None
    )


async def keys(service: Service, prefix: str = "") -> list[str]:
    """The keys of a listing, as they stand in it."""
    query = (("list-type", "2"), ("prefix", prefix))
    return tags((await service.ask("GET", "/photos", query)).text, "Key")


async def raw(service: Service, target: str, method: str = "GET") -> Answer:
    """Send a target as it stands, unsigned."""
    head = f"{method} {target} HTTP/1.1\r\nhost: {HOST}\r\n\r\n"
    return await service.send(head.encode("latin-1"), method)


async def test_path_names_bucket_and_key() -> None:
    """All behind the first slash is the key."""
    async with open_service() as service:
        put = await service.ask("PUT", "/photos/a/b/", body=b"x")
        bucket = await service.ask("HEAD", "/photos/")

        assert (200, 200) == (put.status, bucket.status)
        assert ["a/b/"] == await keys(service)


@pytest.mark.parametrize("host", ["photos.s3.example", "photos.s3.example:80"])
async def test_host_names_the_bucket(host: str) -> None:
    """Then the whole path is the key."""
    async with open_service() as service:
        headers = {"host": host}
        put = await service.ask("PUT", "/others/b", headers=headers, body=b"x")

        assert 200 == put.status, put.text
        assert ["others/b"] == await keys(service)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]:9000", "elsewhere.test"])
async def test_address_or_unknown_host_means_path_style(host: str) -> None:
    """A proxy's name must not become a bucket."""
    async with open_service() as service:
        put = await service.ask("PUT", "/photos/b", headers={"host": host}, body=b"x")

        assert 200 == put.status, put.text
        assert ["b"] == await keys(service)


async def test_key_is_decoded_once() -> None:
    """An escaped escape stays one."""
    async with open_service() as service:
        await service.ask("PUT", "/photos/a%2520b", body=b"x")
        found = await service.ask("GET", "/photos/a%2520b")

        assert b"x" == found.body
        assert ["a%2520b"] == await keys(service)


@pytest.mark.parametrize("target", ["/photos/%FF", "/photos/%C3", "/photos/%ED%A0%80"])
async def test_key_that_is_not_utf8_is_400(target: str) -> None:
    """Before anybody is asked who he is."""
    async with open_service() as service:
        answer = await raw(service, target)

        assert (400, "InvalidURI") == (answer.status, answer.code)


async def test_keys_are_not_normalised() -> None:
    """Each of these is an object of its own."""
    odd = ["a//b", "a/b", "a/./b", "a/../b", "/a/b", "../a", "a/"]
    async with open_service() as service:
        for key in odd:
            put = await service.ask("PUT", f"/photos/{key}", body=key.encode())
            assert 200 == put.status, key
        for key in odd:
            assert key == (await service.ask("GET", f"/photos/{key}")).text

        assert sorted(odd) == await keys(service)


async def test_plus_is_a_plus_in_a_path_and_a_space_in_a_query() -> None:
    """Forms write spaces so, and paths do not."""
    async with open_service() as service:
        for key in ("a+b", "a b"):
            await service.ask("PUT", f"/photos/{key}", body=key.encode())
        request = service.request("GET", "/photos", (("prefix", "a b"),))
        answer = await service.send(request.replace(b"prefix=a%20b", b"prefix=a+b"))

        assert "a+b" == (await service.ask("GET", "/photos/a+b")).text
        assert ["a b"] == tags(answer.text, "Key")


@pytest.mark.parametrize("letter", ["k", "é"])
async def test_longest_key_has_1024_bytes(letter: str) -> None:
    """Bytes, not characters."""
    longest = letter * (1024 // len(letter.encode()))
    async with open_service() as service:
        put = await service.ask("PUT", f"/photos/{longest}", body=b"x")
        for method in ("PUT", "GET", "DELETE"):
            refused = await service.ask(method, f"/photos/{longest}k")
            assert (400, "KeyTooLongError") == (refused.status, refused.code)
            assert "1025" == tag(refused.text, "Size")
            assert "1024" == tag(refused.text, "MaxSizeAllowed")

        assert 200 == put.status
        assert [longest] == await keys(service)


@pytest.mark.parametrize("name", SUBRESOURCES)
async def test_subresource_never_falls_through(name: str) -> None:
    """The object is neither told, nor replaced, nor deleted, whatever is asked."""
    async with open_service() as service:
        await service.ask("PUT", "/photos/a", body=b"untouched")
        before = service.blobs()
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            if (method, name) in SERVED:
                continue
            answer = await service.ask(method, "/photos/a", ((name, ""),), body=b"")
            assert answer.status in (400, 405, 501), (method, answer.text)
            if method != "HEAD" and answer.status == 501:
                assert is_refusal(answer, 501, "NotImplemented", "/photos/a")
        assert before == service.blobs()
        assert b"untouched" == (await service.ask("GET", "/photos/a")).body


@pytest.mark.parametrize("query", [(("append", ""),), (("append", "1"),)])
async def test_append_is_501(query: tuple[tuple[str, str], ...]) -> None:
    """By either of its two names."""
    async with open_service() as service:
        await service.ask("PUT", "/photos/a", body=b"first")
        asked = await service.ask("PUT", "/photos/a", query, body=b"x")
        offset = {"x-amz-write-offset-bytes": "5"}
        told = await service.ask("PUT", "/photos/a", headers=offset, body=b"x")

        assert is_refusal(asked, 501, "NotImplemented", "/photos/a"), asked.text
        assert is_refusal(told, 501, "NotImplemented", "/photos/a"), told.text
        assert b"first" == (await service.ask("GET", "/photos/a")).body


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/photos/a"), ("DELETE", "/photos/a"), ("PUT", "/photos"), ("GET", "/")],
)
async def test_misplaced_copy_source_is_400(method: str, path: str) -> None:
    """Only a PUT of an object or a part copies."""
    async with open_service() as service:
        await service.ask("PUT", "/photos/a", body=b"x")
        headers = {"x-amz-copy-source": "photos/a"}
        answer = await service.ask(method, path, headers=headers)

        assert is_refusal(answer, 400, "InvalidArgument", path), answer.text
        assert ["a"] == await keys(service)


@pytest.mark.parametrize(
    ("method", "name", "value", "status", "code"),
    [
        ("PUT", "partNumber", "1", 400, "InvalidArgument"),
        ("PUT", "uploadId", "x", 405, "MethodNotAllowed"),
        ("GET", "versions", "", 400, "InvalidRequest"),
        ("GET", "uploads", "", 400, "InvalidRequest"),
    ],
)
async def test_half_a_request_is_refused(
    method: str, name: str, value: str, status: int, code: str
) -> None:
    """Each by the answer of S3."""
    async with open_service() as service:
        answer = await service.ask(method, "/photos/a", ((name, value),), body=b"")

        assert is_refusal(answer, status, code, "/photos/a"), answer.text
        assert (status == 405) == ("allow" in answer.headers)
        assert [] == await keys(service)


async def test_iam_is_refused_at_once() -> None:
    """Test suites ask it at every teardown."""
    async with open_service() as service:
        form = {"content-type": "application/x-www-form-urlencoded"}
        body = b"Action=ListRoles&Version=2010-05-08"
        answer = await service.ask("POST", "/", headers=form, body=body, who=None)

        assert answer.status in (405, 501)
        assert "NotImplemented" == answer.code or "MethodNotAllowed" == answer.code


# ---- 4.2


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "status", "extra"),
    [
        ("GET", "/photos/none", (), {}, 404, {"Code": "NoSuchKey", "Key": "none"}),
        (
            *("GET", "/photos", (("max-keys", "x"),), {}, 400),
            {
                "Code": "InvalidArgument",
                "ArgumentName": "max-keys",
                "ArgumentValue": "x",
            },
        ),
        (
            *("GET", "/photos/a", (), {"range": "bytes=9-"}, 416),
            {
                "Code": "InvalidRange",
                "ActualObjectSize": "5",
                "RangeRequested": "bytes=9-",
            },
        ),
        (
            *("GET", "/photos/a", (), {"if-match": '"x"'}, 412),
            {"Code": "PreconditionFailed", "Condition": "If-Match"},
        ),
        (
            *("PUT", "/photos/a", (), {"if-none-match": "*"}, 412),
            {"Code": "PreconditionFailed", "Condition": "If-None-Match"},
        ),
        (
            *("PUT", "/photos/a", (), {"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}, 400),
            {"Code": "BadDigest", "ExpectedDigest": "AAAAAAAAAAAAAAAAAAAAAA=="},
        ),
    ],
)
async def test_error_has_the_elements_of_its_code(
    method: str,
    path: str,
    query: tuple[tuple[str, str], ...],
    headers: dict[str, str],
    status: int,
    extra: dict[str, str],
) -> None:
    """SDKs and people read them."""
    async with open_service() as service:
        await service.ask("PUT", "/photos/a", body=b"hello")
        answer = await service.ask(method, path, query, headers)

        assert is_refusal(answer, status, extra["Code"], path), answer.text
        assert extra == {name: tag(answer.text, name) for name in extra}
        assert b"hello" == (await service.ask("GET", "/photos/a")).body


async def test_every_answer_has_its_ids() -> None:
    """Success or not; no two answers have the same."""
    async with open_service() as service:
        answers = [
            await service.ask("PUT", "/photos/a", body=b"x"),
            await service.ask("GET", "/photos/a"),
            await service.ask("HEAD", "/photos/none"),
            await service.ask("GET", "/photos/none"),
            await raw(service, "/photos/%FF"),
        ]

        found = [answer.headers["x-amz-request-id"] for answer in answers]
        assert len(answers) == len(set(found))
        assert all(answer.headers["x-amz-id-2"] for answer in answers)


async def test_answer_to_head_has_no_body() -> None:
    """What a GET would have been told by a document is lost."""
    async with open_service() as service:
        answer = await service.ask("HEAD", "/photos/none")

        assert (404, b"") == (answer.status, answer.body)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_304_keeps_what_caches_need(method: str) -> None:
    """And has no body, nor a length of one."""
    kept = {"cache-control": "max-age=5", "expires": "Thu, 01 Jan 2037 00:00:00 GMT"}
    async with open_service() as service:
        put = await service.ask("PUT", "/photos/a", headers=kept, body=b"hello")
        etag = put.headers["etag"]
        headers = {"if-none-match": etag}
        answer = await service.ask(method, "/photos/a", headers=headers)

        assert (304, b"") == (answer.status, answer.body)
        assert kept.items() <= answer.headers.items()
        assert etag == answer.headers["etag"]
        assert "last-modified" in answer.headers
        assert "content-type" not in answer.headers
