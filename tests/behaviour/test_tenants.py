"""Two accounts behind one door: neither sees nor touches what is the other's.

Asked through the whole service, by every way that leads to an object: its key, the
source of a copy, an upload id, a marker, a token, another spelling of a name.
"""

import re

import pytest

from s3o.s3api.owner import owner_id
from tests.behaviour.service import SECRETS, open_service

SECRETS.update(
    {"annskey": "annssecret", "bobskey": "bobssecret", "annsreader": "readersecret"}
)
ACCOUNTS = {
    "accounts": [
        {
            "name": "ann",
            "credentials": [
                {"access_key_id": "annskey", "secret_access_key": "annssecret"},
                {
                    "access_key_id": "annsreader",
                    "secret_access_key": "readersecret",
                    "permissions": ["read", "list"],
                    "prefixes": ["public/"],
                },
            ],
            "attach": ["photos"],
            "max_buckets": 3,
            "quota_bytes": 100,
            "bucket_prefix": "ann",
        },
        {
            "name": "bob",
            "default_max_multipart_uploads": 2,
            "credentials": [
                {"access_key_id": "bobskey", "secret_access_key": "bobssecret"}
            ],
        },
    ]
}


@pytest.fixture
async def service():
    """A service where ann and bob have a bucket each, with one object of one key."""
    async with open_service(extra=ACCOUNTS) as service:
        for who in ("ann", "bob"):
            made = await service.ask("PUT", f"/{who}s", who=f"{who}skey")
            assert 200 == made.status, made.text
            await service.ask(
                "PUT", f"/{who}s/k", body=f"of {who}".encode(), who=f"{who}skey"
            )
        yield service
        assert [] == await service.complaints()


async def ask(service, who, method, path, query=(), headers=None, body=b""):
    """Ask; return status and code."""
    answer = await service.ask(method, path, query, headers, body, who=who)
    return answer.status, answer.code


DENIED = (403, "AccessDenied")


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/bobs/k", ()),
        ("PUT", "/bobs/k", ()),
        ("DELETE", "/bobs/k", ()),
        ("GET", "/bobs/k", (("tagging", ""),)),
        ("GET", "/bobs/k", (("attributes", ""),)),
        ("GET", "/bobs/k", (("acl", ""),)),
        ("POST", "/bobs/k", (("uploads", ""),)),
        ("GET", "/bobs", ()),
        ("GET", "/bobs", (("list-type", "2"),)),
        ("GET", "/bobs", (("versions", ""),)),
        ("GET", "/bobs", (("uploads", ""),)),
        ("GET", "/bobs", (("location", ""),)),
        ("GET", "/bobs", (("lifecycle", ""),)),
        ("GET", "/bobs", (("versioning", ""),)),
        ("PUT", "/bobs", (("cors", ""),)),
        ("POST", "/bobs", (("delete", ""),)),
        ("DELETE", "/bobs", ()),
        ("GET", "/bobs/%2e%2e/anns/k", ()),
        ("GET", "/bobs/../anns/k", ()),
        ("GET", "/bobs//k", ()),
    ],
)
async def test_no_key_leads_into_the_others_bucket(service, method, path, query):
    """And nothing of the request is judged before that is told."""
    before = service.rows("objects", "buckets", "multipart_uploads")

    assert DENIED == await ask(service, "annskey", method, path, query)
    assert before == service.rows("objects", "buckets", "multipart_uploads")


@pytest.mark.parametrize("path", ["/BOBS/k", "/Bobs/k", "/bobs%00/k", "/%62obs./k"])
async def test_no_spelling_leads_into_the_others_bucket(service, path):
    """Names are compared byte by byte; what is no name is nobody's."""
    status, code = await ask(service, "annskey", "GET", path)

    assert (404, "NoSuchBucket") == (status, code)


async def test_dots_are_ordinary_in_ones_own_keys(service):
    """`..` leads nowhere: the key is stored and read as it was sent."""
    path = "/anns/../bobs/k"
    assert 200 == (await service.ask("PUT", path, body=b"mine", who="annskey")).status
    read = await service.ask("GET", path, who="annskey")
    others = await service.ask("GET", "/bobs/k", who="bobskey")

    assert (b"mine", b"of bob") == (read.body, others.body)


@pytest.mark.parametrize("source", ["/bobs/k", "bobs/k", "bobs%2Fk", "/anns/../bobs/k"])
async def test_no_copy_reads_the_others_object(service, source):
    """The source is authorized as a GET of it would be."""
    answer = await service.ask(
        "PUT", "/anns/copy", headers={"x-amz-copy-source": source}, who="annskey"
    )

    assert answer.status in (403, 404)
    assert 404 == (await service.ask("GET", "/anns/copy", who="annskey")).status


async def test_a_copy_needs_both_sides(service):
    """One may read what is attached, and copy it between one's buckets."""
    await service.ask("PUT", "/photos/p", body=b"photo")
    header = {"x-amz-copy-source": "/photos/p"}
    mine = await service.ask("PUT", "/anns/p", headers=header, who="annskey")
    others = await service.ask("PUT", "/bobs/p", headers=header, who="bobskey")
    into = await service.ask("PUT", "/bobs/p", headers=header, who="annskey")
    reading = await service.ask("PUT", "/anns/q", headers=header, who="annsreader")

    assert [200, 403, 403, 403] == [
        answer.status for answer in (mine, others, into, reading)
    ]


async def test_a_copy_compares_the_owner_that_is_expected_of_its_source(service):
    """A bucket may have changed hands since the client learnt its name."""
    await service.ask("PUT", "/photos/p", body=b"photo")
    name = "x-amz-source-expected-bucket-owner"
    outcomes = [
        await ask(
            service,
            "annskey",
            "PUT",
            "/anns/p",
            headers={"x-amz-copy-source": "/photos/p", name: expected},
        )
        for expected in (owner_id("bucket:photos"), owner_id("ann"), "123456789012")
    ]

    assert [(200, ""), DENIED, DENIED] == outcomes


async def test_no_upload_id_leads_to_the_others_upload(service):
    """An id counts only with the bucket and key it was given for."""
    created = await service.ask("POST", "/bobs/k", (("uploads", ""),), who="bobskey")
    upload_id = created.text.partition("<UploadId>")[2].partition("</UploadId>")[0]
    assert upload_id
    id_ = ("uploadId", upload_id)
    one = ("partNumber", "1")

    for path in ("/bobs/k", "/anns/k"):
        outcomes = {
            await ask(service, "annskey", "PUT", path, (one, id_), body=b"part"),
            await ask(service, "annskey", "GET", path, (id_,)),
            await ask(service, "annskey", "DELETE", path, (id_,)),
            await ask(
                service,
                "annskey",
                "POST",
                path,
                (id_,),
                body=b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
                b"<ETag>x</ETag></Part></CompleteMultipartUpload>",
            ),
        }
        assert outcomes == {DENIED if path == "/bobs/k" else (404, "NoSuchUpload")}
    listed = await service.ask("GET", "/anns", (("uploads", ""),), who="annskey")
    assert upload_id not in listed.text
    still = await service.ask("GET", "/bobs/k", (id_,), who="bobskey")
    assert 200 == still.status


async def test_no_token_leads_to_the_others_names(service):
    """Tokens of listings and of buckets are made of names; neither proves a right."""
    for number in range(3):
        await service.ask("PUT", f"/bobs/n{number}", body=b"x", who="bobskey")
    page = await service.ask(
        "GET", "/bobs", (("list-type", "2"), ("max-keys", "1")), who="bobskey"
    )
    (token,) = re.findall("<NextContinuationToken>(.*?)<", page.text)
    query = (("list-type", "2"), ("continuation-token", token))
    foreign = await service.ask("GET", "/bobs", query, who="annskey")
    own = await service.ask("GET", "/anns", query, who="annskey")
    marked = await service.ask("GET", "/anns", (("marker", "a"),), who="annskey")
    buckets = await service.ask("GET", "/", (("prefix", "bob"),), who="annskey")
    after = await service.ask(
        "GET", "/", (("continuation-token", "YW5ucw=="),), who="annskey"
    )

    assert 403 == foreign.status
    for answer in (own, marked, buckets, after):
        assert "<Key>n" not in answer.text
        assert "<Name>bobs" not in answer.text


async def test_each_lists_its_own_buckets(service):
    """Neither the other's nor what is only attached."""
    lists = [
        re.findall("<Name>(.*?)</Name>", (await service.ask("GET", "/", who=who)).text)
        for who in ("annskey", "annsreader", "bobskey", "photoskey")
    ]

    assert [["anns"], ["anns"], ["bobs"], ["photos"]] == lists


async def test_buckets_are_made_within_the_accounts_bounds(service):
    """Prefix, number, others' names, our own doors' names."""
    creations = {
        name: await ask(service, "annskey", "PUT", f"/{name}")
        for name in ("other-name", "ann-2", "ann-3", "ann-4", "anns")
    }
    others = {
        name: await ask(service, "bobskey", "PUT", f"/{name}")
        for name in ("anns", "photos", "admin", "metrics-x")
    }
    static = await ask(service, "photoskey", "PUT", "/more-photos")
    reader = await ask(service, "annsreader", "PUT", "/ann-5")

    assert {
        "other-name": DENIED,
        "ann-2": (200, ""),
        "ann-3": (200, ""),
        "ann-4": (400, "TooManyBuckets"),
        "anns": (200, ""),
    } == creations
    assert {
        "anns": (409, "BucketAlreadyExists"),
        "photos": (409, "BucketAlreadyExists"),
        "admin": (409, "BucketAlreadyExists"),
        "metrics-x": (200, ""),
    } == others
    assert [DENIED, DENIED] == [static, reader]


async def test_a_bucket_that_changes_hands_keeps_nothing(service):
    """Objects, uploads and configuration end with the bucket; its name is free."""
    created = await service.ask("POST", "/bobs/u", (("uploads", ""),), who="bobskey")
    upload_id = created.text.partition("<UploadId>")[2].partition("</UploadId>")[0]
    part = (("partNumber", "1"), ("uploadId", upload_id))
    await service.ask("PUT", "/bobs/u", part, body=b"part", who="bobskey")
    tagging = b"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet>"
    await service.ask(
        "PUT", "/bobs", (("tagging", ""),), body=tagging + b"</Tagging>", who="bobskey"
    )
    full = await ask(service, "bobskey", "DELETE", "/bobs")
    await service.ask("DELETE", "/bobs/k", who="bobskey")
    gone = await ask(service, "bobskey", "DELETE", "/bobs")
    nobodys = await ask(service, "bobskey", "GET", "/bobs/k")
    again = await ask(service, "bobskey", "PUT", "/bobs")

    assert [(409, "BucketNotEmpty"), (204, ""), (404, "NoSuchBucket"), (200, "")] == [
        full,
        gone,
        nobodys,
        again,
    ]
    uploads = await service.ask("GET", "/bobs", (("uploads", ""),), who="bobskey")
    assert upload_id not in uploads.text
    assert (404, "NoSuchUpload") == await ask(
        service, "bobskey", "GET", "/bobs/u", (("uploadId", upload_id),)
    )
    assert (404, "NoSuchTagSet") == await ask(
        service, "bobskey", "GET", "/bobs", (("tagging", ""),)
    )
    assert (404, "NoSuchKey") == await ask(service, "bobskey", "GET", "/bobs/k")


async def test_configured_buckets_are_not_deleted(service):
    """Not by their own credentials, and not by an account they are attached to."""
    for who in ("photoskey", "annskey"):
        assert DENIED == await ask(service, who, "DELETE", "/photos")
    assert 200 == (await service.ask("HEAD", "/photos")).status


async def test_the_quota_is_told_before_a_byte_is_sent(service):
    """And holds for objects, copies and parts, over all buckets of the account."""
    await service.ask("PUT", "/ann-2", who="annskey")
    over = (403, "QuotaExceeded")
    put = await service.ask(
        "PUT",
        "/ann-2/big",
        headers={"expect": "100-continue"},
        body=b"x" * 95,
        who="annskey",
    )
    await service.ask("PUT", "/photos/p", body=b"p" * 95)
    copy = await ask(
        service, "annskey", "PUT", "/anns/p", headers={"x-amz-copy-source": "/photos/p"}
    )
    created = await service.ask("POST", "/anns/u", (("uploads", ""),), who="annskey")
    upload_id = created.text.partition("<UploadId>")[2].partition("</UploadId>")[0]
    part = (("partNumber", "1"), ("uploadId", upload_id))
    parts = await ask(service, "annskey", "PUT", "/anns/u", part, body=b"x" * 95)
    attached = await ask(service, "annskey", "PUT", "/photos/big", body=b"x" * 500)
    fits = await ask(service, "annskey", "PUT", "/ann-2/fits", body=b"x" * 94)

    assert (*over, False) == (put.status, put.code, put.was_continued)
    assert [over, over] == [copy, parts]
    # What is attached is its owner's affair; the rest is filled to the last byte.
    assert [(200, ""), (200, "")] == [attached, fits]
    assert over == await ask(service, "annskey", "PUT", "/anns/one", body=b"x")


async def test_a_confined_credential_sees_its_prefix_only(service):
    """By key, listing, upload listing and copy."""
    for key in ("public/a", "private/a"):
        await service.ask("PUT", f"/anns/{key}", body=b"x", who="annskey")
    read = [
        await ask(service, "annsreader", "GET", f"/anns/{key}")
        for key in ("public/a", "private/a")
    ]
    lists = [
        await ask(service, "annsreader", "GET", "/anns", (*query, ("prefix", prefix)))
        for query in (
            (),
            (("list-type", "2"),),
            (("versions", ""),),
            (("uploads", ""),),
        )
        for prefix in ("public/", "private/", "")
    ]
    writes = [
        await ask(service, "annsreader", method, "/anns/public/a")
        for method in ("PUT", "DELETE")
    ]

    assert [(200, ""), DENIED] == read
    assert [(200, ""), DENIED, DENIED] * 4 == lists
    assert [DENIED, DENIED] == writes


async def test_uploads_under_way_are_bounded_in_an_accounts_bucket(service):
    """Each holds room until it ends."""
    outcomes = [
        (await ask(service, "bobskey", "POST", f"/bobs/u{number}", (("uploads", ""),)))[
            0
        ]
        for number in range(3)
    ]
    other = await ask(service, "annskey", "POST", "/anns/u", (("uploads", ""),))

    assert [200, 200] == outcomes[:2]
    assert outcomes[2] >= 400
    assert (200, "") == other
