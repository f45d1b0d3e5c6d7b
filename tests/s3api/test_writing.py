"""PUT and DELETE through the door: what is answered, what is refused, and when."""

import hashlib

import pytest

from s3o.model.errors import LedgerUnavailable, NoRoom
from s3o.model.values import ObjectFacts
from s3o.wire.dates import render_http_date
from tests.fakes.clock import START_US
from tests.fakes.sources import digests_of
from tests.s3api.house import House

MD5 = hashlib.md5(b"hello").hexdigest()


@pytest.fixture
def house():
    """An empty door."""
    return House()


async def test_put_answers_etag_and_checksum(house):
    """Java's SDK takes the ETag for a hex MD5 unless a checksum comes back."""
    reply = await house.put("a", b"hello")

    assert (200, b"", f'"{MD5}"') == (reply.status, reply.body, reply.headers["etag"])
    assert "M3eFcAZSQlc=" == reply.headers["x-amz-checksum-crc64nvme"]
    assert "FULL_OBJECT" == reply.headers["x-amz-checksum-type"]


async def test_put_answers_the_declared_checksum(house):
    """SDKs compare it with their own."""
    reply = await house.put("a", b"hello", {"x-amz-checksum-crc32": "NhCmhg=="})
    wrong = await house.put("b", b"hello", {"x-amz-checksum-crc32": "AAAAAA=="})

    assert "NhCmhg==" == reply.headers["x-amz-checksum-crc32"]
    assert (400, True) == (wrong.status, "<Code>BadDigest</Code>" in wrong.text)
    assert ("photos", "b") not in house.objects.objects


async def test_conditional_puts(house):
    """Lock files: one creates, the others are told."""
    first = await house.put("lock", b"1", {"if-none-match": "*"})
    second = await house.put("lock", b"2", {"if-none-match": "*"})
    swapped = await house.put("lock", b"3", {"if-match": first.headers["etag"]})
    stale = await house.put("lock", b"4", {"if-match": first.headers["etag"]})
    absent = await house.put("none", b"5", {"if-match": '"x"'})

    assert [200, 412, 200, 412, 404] == [
        each.status for each in (first, second, swapped, stale, absent)
    ]
    assert "<Condition>If-None-Match</Condition>" in second.text
    assert b"3" == house.objects.objects["photos", "lock"][1]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_conditions_need_the_ledger(house, method):
    """Without it nobody can decide, so nothing is written and nothing deleted."""
    await house.put("a", b"1")
    house.objects.failures = dict.fromkeys(("put", "delete"), LedgerUnavailable("down"))
    reply = await house.ask(method, "/photos/a", {"if-match": "*"})

    assert 503 == reply.status
    assert "<Code>ServiceUnavailable</Code>" in reply.text
    assert b"1" == house.objects.objects["photos", "a"][1]


@pytest.mark.parametrize(
    "headers",
    [
        {"if-none-match": '"a"'},
        {"if-none-match": "*", "if-match": "*"},
        {"if-unmodified-since": render_http_date(START_US)},
        {"content-range": "bytes 0-4/10"},
        {"x-amz-server-side-encryption": "aws:kms"},
        {"x-amz-server-side-encryption": "AES256"},
        {"x-amz-server-side-encryption-customer-key": "x"},
        {"x-amz-object-lock-mode": "COMPLIANCE"},
        {"x-amz-object-lock-legal-hold": "ON"},
        {"x-amz-write-offset-bytes": "3"},
        {"x-amz-rename-source": "b"},
        {"x-amz-something-new": "1"},
    ],
)
async def test_semantic_headers_we_do_not_have_are_refused(house, headers):
    """Ignored, each of these stores something else than the client asked for."""
    reply = await house.put("a", b"hello", headers)

    assert (501, True) == (reply.status, "<Code>NotImplemented</Code>" in reply.text)
    assert {} == house.objects.objects


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-amz-acl": "public-read"}, "AccessControlListNotSupported"),
        ({"x-amz-grant-read": "id=1"}, "AccessControlListNotSupported"),
        ({"x-amz-storage-class": "COLD"}, "InvalidStorageClass"),
        ({"x-amz-meta-a": "x" * 2049}, "MetadataTooLarge"),
        ({"x-amz-tagging": "a=1&a=1"}, "InvalidArgument"),
        ({"if-match": ""}, "InvalidArgument"),
    ],
)
async def test_bad_headers_are_the_clients_error(house, headers, code):
    """Codes are what clients switch on."""
    reply = await house.put("a", b"hello", headers)

    assert (400, True) == (reply.status, f"<Code>{code}</Code>" in reply.text)


async def test_hoisted_headers_of_a_presigned_url_count(house):
    """An SDK that moves x-amz-acl into the query still means it."""
    public = await house.ask("PUT", "/photos/a?x-amz-acl=public-read")
    locked = await house.ask("PUT", "/photos/a?X-Amz-Object-Lock-Mode=GOVERNANCE")
    split = await house.ask("PUT", "/photos/a?x-amz-meta-a=1%0D%0Ab:2")
    twice = await house.ask("PUT", "/photos/a?x-amz-meta-a=1", {"x-amz-meta-a": "2"})
    stored = await house.ask(
        "PUT", "/photos/a?x-amz-meta-a=1&x-amz-checksum-crc32=AAAAAA==", body=b"hello"
    )

    assert [400, 501, 400, 400, 200] == [
        each.status for each in (public, locked, split, twice, stored)
    ]
    assert (("a", "1"),) == house.objects.objects["photos", "a"][0].facts.metadata


async def test_refusals_come_before_the_body(house):
    """Expect: 100-continue spares a client an upload that would be refused."""
    expect = {"expect": "100-continue", "content-length": "5"}
    house.objects.failures["put"] = NoRoom(5)

    async def ask(target="/photos/a", extra=None, caller="photos"):
        return await house.ask(
            "PUT",
            target,
            {**expect, **(extra or {})},
            caller=caller,
            is_body_sent=False,
        )

    replies = [
        await ask(caller=None),
        await ask("/others/a"),
        await ask("/photos/a?retention"),
        await ask(extra={"x-amz-acl": "public-read"}),
        await ask(),
    ]

    assert [403, 403, 501, 400, 507] == [each.status for each in replies]
    assert not any(each.was_continued for each in replies)
    assert all(each.headers["connection"] == "close" for each in replies)


async def test_an_accepted_upload_is_continued(house):
    """The other half: without the 100 the client waits for ever."""
    reply = await house.ask("PUT", "/photos/a", {"expect": "100-continue"}, b"hello")

    assert 200 == reply.status


async def test_no_length_is_411(house):
    """A body of unknown length cannot be placed."""
    reply = await house.ask(
        "PUT", "/photos/a", {"transfer-encoding": "chunked"}, caller="photos"
    )

    assert 411 == reply.status


async def test_delete_is_204_whether_or_not_there_was_something(house):
    """Deleting is idempotent."""
    await house.put("a", b"hello")

    for _ in range(2):
        reply = await house.ask("DELETE", "/photos/a")
        assert (204, b"") == (reply.status, reply.body)
        assert "content-length" not in reply.headers
    assert {} == house.objects.objects


async def test_conditional_deletes(house):
    """Nobody deletes what has changed since he looked."""
    await house.put("a", b"hello")

    async def delete(headers):
        return (await house.ask("DELETE", "/photos/a", headers)).status

    assert 412 == await delete({"if-match": '"x"'})
    assert 412 == await delete({"x-amz-if-match-size": "4"})
    assert 400 == await delete({"x-amz-if-match-size": "five"})
    assert 412 == await delete(
        {"x-amz-if-match-last-modified-time": render_http_date(START_US + 1_000_000)}
    )
    assert 501 == await delete({"x-amz-mfa": "1 2"})
    assert 204 == await delete(
        {
            "if-match": f'"{MD5}"',
            "x-amz-if-match-size": "5",
            "x-amz-if-match-last-modified-time": render_http_date(START_US),
        }
    )
    assert 204 == await delete({"if-match": '"x"'})


async def delete_many(house, inner: str | None, **headers):
    """Ask for a batch."""
    return await house.ask(
        "POST",
        "/photos?delete",
        {name.replace("_", "-"): value for name, value in headers.items()},
        b"" if inner is None else f"<Delete>{inner}</Delete>".encode(),
    )


async def test_a_batch_keeps_order_and_answers_per_key(house):
    """Clients zip the answer with what they asked for."""
    for key in ("a", "b", "c"):
        await house.put(key, b"hello")
    reply = await delete_many(
        house,
        "<Object><Key>c</Key><VersionId>null</VersionId></Object>"
        "<Object><Key>a</Key><ETag>&quot;x&quot;</ETag></Object>"
        "<Object><Key>b</Key><VersionId>v1</VersionId></Object>"
        "<Object><Key>gone&#10;</Key></Object>"
        "<Object><Key>c</Key></Object>"
        f"<Object><Key>{'k' * 1025}</Key></Object>"
        f"<Object><Key>b</Key><ETag>{MD5}</ETag><Size>5</Size></Object>",
        x_amz_bypass_governance_retention="true",
    )

    assert 200 == reply.status
    assert (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        "<Deleted><Key>c</Key><VersionId>null</VersionId></Deleted>"
        "<Error><Key>a</Key><Code>PreconditionFailed</Code><Message>"
        "At least one of the pre-conditions you specified did not hold"
        "</Message></Error>"
        "<Error><Key>b</Key><VersionId>v1</VersionId><Code>NoSuchVersion</Code>"
        "<Message>The specified version does not exist.</Message></Error>"
        "<Deleted><Key>gone&#xA;</Key></Deleted>"
        "<Deleted><Key>c</Key></Deleted>"
        f"<Error><Key>{'k' * 1025}</Key><Code>KeyTooLongError</Code>"
        "<Message>Your key is too long</Message></Error>"
        "<Deleted><Key>b</Key></Deleted>"
        "</DeleteResult>"
    ) == reply.text
    assert [("photos", "a")] == list(house.objects.objects)


async def test_a_quiet_batch_tells_only_failures(house):
    """A thousand successes need no answer."""
    await house.put("a", b"hello")
    reply = await delete_many(
        house,
        "<Quiet>true</Quiet><Object><Key>x</Key></Object>"
        "<Object><Key>a</Key><Size>1</Size></Object>",
    )

    assert "<Deleted>" not in reply.text
    assert 1 == reply.text.count("<Error>")


@pytest.mark.parametrize(
    "inner",
    [
        "",
        None,
        "<Object/>",
        "<Object><Key>a</Key></Object>" * 1001,
        "<Object><Key>a</Key><Size>x</Size></Object>",
        "<Object><Key>a</Key><LastModifiedTime>x</LastModifiedTime></Object>",
    ],
)
async def test_a_malformed_batch_deletes_nothing(house, inner):
    """All or nothing where the document itself is wrong."""
    await house.put("a", b"hello")
    reply = await delete_many(house, inner)

    assert (400, True) == (reply.status, "<Code>MalformedXML</Code>" in reply.text)
    assert [("photos", "a")] == list(house.objects.objects)


async def test_a_batch_may_be_long_and_dressed(house):
    """A thousand long keys, escaped, are over 1 MiB; some clients send a namespace."""
    keys = ["&" * 300 + f"{at:03}" for at in range(1000)]
    house.objects.store(keys[0], b"", facts=ObjectFacts(), digests=digests_of(b""))
    inner = "".join(
        f"<Object><Key>{key.replace('&', '&amp;')}</Key></Object>" for key in keys
    )
    body = (
        '<?xml version="1.0"?>\n<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
        f' id="1">{inner}<Quiet>false</Quiet></Delete>\n'
    ).encode()
    reply = await house.ask("POST", "/photos?delete", {}, body)

    assert len(body) > 1 << 20
    assert (200, 1000) == (reply.status, reply.text.count("<Deleted>"))
    assert {} == house.objects.objects


async def test_deletes_need_the_bucket(house):
    """404 and not 204: a script that deletes from the wrong place must notice."""
    del house.buckets.buckets["photos"]
    one = await house.ask("DELETE", "/photos/a")
    many = await delete_many(house, "<Object><Key>a</Key></Object>")

    for reply in (one, many):
        assert (404, True) == (reply.status, "<Code>NoSuchBucket</Code>" in reply.text)


async def test_a_batch_over_eight_mib_is_refused(house):
    """The bound on what one request may hold in memory."""
    reply = await delete_many(house, " " * (8 << 20))

    assert (400, True) == (reply.status, "MaxMessageLengthExceeded" in reply.text)
