"""Buckets and tags at the front door: notes 4.13 and 4.15, exactly."""

import re

import pytest

from s3o.s3api.owner import owner_id
from tests.behaviour.documents import refusal
from tests.behaviour.multipart import NAMESPACE, tag
from tests.behaviour.service import SECRETS, Answer, Service, open_service

SECRETS["carlskey"] = "carlssecret"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
ACCOUNT = {
    "accounts": [
        {
            "name": "carl",
            "credentials": [
                {"access_key_id": "carlskey", "secret_access_key": "carlssecret"}
            ],
        }
    ]
}


async def ask(service: Service, method: str, path: str, body: bytes = b"") -> Answer:
    """Ask as carl, who makes his own buckets; ?name in the path is a sub-resource."""
    path, _, name = path.partition("?")
    query = ((name, ""),) if name else ()
    return await service.ask(method, path, query, {}, body, who="carlskey")


def tagging(*tags: tuple[str, str]) -> bytes:
    """A Tagging document as clients write it."""
    listed = "".join(f"<Tag><Key>{k}</Key><Value>{v}</Value></Tag>" for k, v in tags)
    return f"<Tagging><TagSet>{listed}</TagSet></Tagging>".encode()


# ---- names


@pytest.mark.parametrize(
    "name",
    [
        *("ab", "a" * 64, "Abc", "a_b", "-abc", "abc-", ".abc", "abc.", "a..b"),
        *("a.-b", "a-.b", "192.168.5.4", "xn--abc", "sthree-abc", "abc-s3alias"),
        *("abc--ol-s3", "abc--x-s3", "abc.mrap", "abc--table-s3"),
    ],
)
async def test_name_that_no_bucket_can_have(name: str) -> None:
    """400 InvalidBucketName, and the name with it."""
    async with open_service(extra=ACCOUNT) as service:
        answer = await ask(service, "PUT", f"/{name}")

        assert refusal(answer) == {
            "status": "400",
            "Code": "InvalidBucketName",
            "Message": "The specified bucket is not valid.",
            "BucketName": name,
        }


@pytest.mark.parametrize("name", ["abc", "a" * 63, "a.b-c", "1st", "192.168.5"])
async def test_name_that_a_bucket_can_have(name: str) -> None:
    """The answer names the place and says nothing else."""
    async with open_service(extra=ACCOUNT) as service:
        made = await ask(service, "PUT", f"/{name}")
        again = await ask(service, "PUT", f"/{name}")

        for answer in (made, again):
            assert (200, b"") == (answer.status, answer.body)
            assert f"/{name}" == answer.headers["location"]
            assert "0" == answer.headers["content-length"]


async def test_bucket_of_another_is_409() -> None:
    """By the code that rclone and Terraform know."""
    async with open_service(extra=ACCOUNT) as service:
        told = refusal(await ask(service, "PUT", "/photos"))

        assert ("409", "BucketAlreadyExists") == (told["status"], told["Code"])
        assert "photos" == told["BucketName"]


async def test_bucket_is_deleted_only_when_empty() -> None:
    """Then it is gone."""
    async with open_service(extra=ACCOUNT) as service:
        await ask(service, "PUT", "/mine")
        await ask(service, "PUT", "/mine/a", b"x")
        full = refusal(await ask(service, "DELETE", "/mine"))
        await ask(service, "DELETE", "/mine/a")
        done = await ask(service, "DELETE", "/mine")
        gone = refusal(await ask(service, "DELETE", "/mine"))

        assert ("409", "BucketNotEmpty") == (full["status"], full["Code"])
        assert (204, b"") == (done.status, done.body)
        assert gone == {
            "status": "404",
            "Code": "NoSuchBucket",
            "Message": "The specified bucket does not exist",
            "BucketName": "mine",
        }


async def test_missing_bucket_is_404_to_every_request() -> None:
    """To an account, which learns what is not there."""
    async with open_service(extra=ACCOUNT) as service:
        for method, path in (
            *(("GET", "/none"), ("GET", "/none/a"), ("PUT", "/none/a")),
            *(("DELETE", "/none/a"), ("GET", "/none?location"), ("GET", "/none?cors")),
            ("PUT", "/none/a?tagging"),
        ):
            told = refusal(await ask(service, method, path))
            assert ("404", "NoSuchBucket") == (told["status"], told["Code"]), path


# ---- what is asked of a bucket


@pytest.mark.parametrize(
    ("path", "status"),
    [("/mine", 200), ("/mine/", 200), ("/none", 404), ("/photos", 403)],
)
async def test_head_of_a_bucket_tells_its_region(path: str, status: int) -> None:
    """Also to those who may not enter; without a body."""
    async with open_service(extra=ACCOUNT) as service:
        await ask(service, "PUT", "/mine")
        answer = await ask(service, "HEAD", path)

        assert (status, b"") == (answer.status, answer.body)
        assert status == 404 or "us-east-1" == answer.headers["x-amz-bucket-region"]


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
async def test_location_of_a_bucket(region: str) -> None:
    """Empty means us-east-1."""
    server = {"listen_addr": "127.0.0.1:0", "region": region}
    async with open_service(extra={"server": server}) as service:
        answer = await service.ask("GET", "/photos", (("location", ""),))

        told = "" if region == "us-east-1" else region
        assert 200 == answer.status
        assert "application/xml" == answer.headers["content-type"]
        assert (
            f'{HEAD}<LocationConstraint xmlns="{NAMESPACE}">{told}</LocationConstraint>'
        ) == answer.text


async def test_region_is_the_configured_one() -> None:
    """Wherever it is told, and a list can be asked for by it."""
    server = {"listen_addr": "127.0.0.1:0", "region": "eu-central-1"}
    async with open_service(extra={"server": server}) as service:
        own = await service.ask("HEAD", "/photos")
        other = await service.ask("HEAD", "/others")
        listed = await service.ask("GET", "/")
        here = await service.ask("GET", "/", (("bucket-region", "eu-central-1"),))
        there = await service.ask("GET", "/", (("bucket-region", "us-east-1"),))

        assert (200, 403) == (own.status, other.status)
        for answer in (own, other):
            assert "eu-central-1" == answer.headers["x-amz-bucket-region"]
        assert "eu-central-1" == tag(listed.text, "BucketRegion")
        assert "photos" == tag(here.text, "Name")
        assert "<Bucket>" not in there.text


async def test_list_of_buckets_is_exact() -> None:
    """What is owned, by name."""
    async with open_service(extra=ACCOUNT) as service:
        for name in ("mine", "more"):
            await ask(service, "PUT", f"/{name}")
        answer = await ask(service, "GET", "/")

        date = "[0-9-]{10}T[0-9:]{8}[.][0-9]{3}Z"
        buckets = "".join(
            f"<Bucket><Name>{name}</Name><CreationDate>{date}</CreationDate>"
            "(<BucketRegion>us-east-1</BucketRegion>)?</Bucket>"
            for name in ("mine", "more")
        )
        assert 200 == answer.status
        assert "application/xml" == answer.headers["content-type"]
        assert re.fullmatch(
            re.escape(f'{HEAD}<ListAllMyBucketsResult xmlns="{NAMESPACE}">')
            + f"<Owner><ID>{owner_id('carl')}</ID><DisplayName>carl</DisplayName>"
            f"</Owner><Buckets>{buckets}</Buckets></ListAllMyBucketsResult>",
            answer.text,
        ), answer.text


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("policy", "NoSuchBucketPolicy"),
        ("policyStatus", "NoSuchBucketPolicy"),
        ("cors", "NoSuchCORSConfiguration"),
        ("lifecycle", "NoSuchLifecycleConfiguration"),
        ("tagging", "NoSuchTagSet"),
        ("website", "NoSuchWebsiteConfiguration"),
        ("encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        ("object-lock", "ObjectLockConfigurationNotFoundError"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
    ],
)
async def test_what_a_bucket_has_not_is_404(name: str, code: str) -> None:
    """Terraform takes each for: not configured."""
    async with open_service(extra=ACCOUNT) as service:
        await ask(service, "PUT", "/mine")
        told = refusal(await ask(service, "GET", f"/mine?{name}"))

        assert told.pop("Message")
        assert {"status": "404", "Code": code, "BucketName": "mine"} == told


@pytest.mark.parametrize(
    "name",
    [
        *("versioning", "policy", "website", "encryption", "object-lock", "logging"),
        *("replication", "publicAccessBlock", "notification", "accelerate"),
        "requestPayment",
    ],
)
async def test_what_a_bucket_cannot_have_is_501(name: str) -> None:
    """Nothing succeeds silently."""
    async with open_service(extra=ACCOUNT) as service:
        await ask(service, "PUT", "/mine")
        told = refusal(await ask(service, "PUT", f"/mine?{name}", b"<Any/>"))

        assert ("501", "NotImplemented") == (told["status"], told["Code"])


# ---- tags


async def test_tags_of_an_object() -> None:
    """200 and 204 without a body; an untagged object has an empty set."""
    async with open_service(extra=ACCOUNT) as service:
        await ask(service, "PUT", "/mine")
        await ask(service, "PUT", "/mine/a", b"hello")
        path = "/mine/a?tagging"
        none = await ask(service, "GET", path)
        put = await ask(service, "PUT", path, tagging(("k", "v"), ("a", "")))
        got = await ask(service, "GET", path)
        gone = await ask(service, "DELETE", path)
        after = await ask(service, "GET", path)

        empty = f'{HEAD}<Tagging xmlns="{NAMESPACE}"><TagSet></TagSet></Tagging>'
        assert [200, 200, 200, 204, 200] == [
            each.status for each in (none, put, got, gone, after)
        ]
        assert (b"", b"") == (put.body, gone.body)
        assert empty == none.text == after.text
        assert got.text == (
            f'{HEAD}<Tagging xmlns="{NAMESPACE}"><TagSet>'
            "<Tag><Key>k</Key><Value>v</Value></Tag>"
            "<Tag><Key>a</Key><Value></Value></Tag></TagSet></Tagging>"
        )
        assert "application/xml" == got.headers["content-type"]
        assert b"hello" == (await ask(service, "GET", "/mine/a")).body


async def test_tags_of_a_bucket() -> None:
    """204 when they are put; none are 404."""
    async with open_service(extra=ACCOUNT) as service:
        await ask(service, "PUT", "/mine")
        put = await ask(service, "PUT", "/mine?tagging", tagging(("k", "v")))
        got = await ask(service, "GET", "/mine?tagging")
        gone = await ask(service, "DELETE", "/mine?tagging")
        after = refusal(await ask(service, "GET", "/mine?tagging"))

        assert (204, b"", 204, b"") == (put.status, put.body, gone.status, gone.body)
        assert got.text == (
            f'{HEAD}<Tagging xmlns="{NAMESPACE}"><TagSet>'
            "<Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"
        )
        assert ("404", "NoSuchTagSet") == (after["status"], after["Code"])


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/mine/a", tagging(*((f"k{at}", "") for at in range(11))), "BadRequest"),
        ("/mine", tagging(*((f"k{at}", "") for at in range(51))), "BadRequest"),
        *(
            (path, body, code)
            for path in ("/mine", "/mine/a")
            for body, code in (
                (tagging(("k" * 129, "")), "InvalidTag"),
                (tagging(("k", "v" * 257)), "InvalidTag"),
                (tagging(("k", "1"), ("k", "2")), "InvalidTag"),
                (tagging(("k?", "1")), "InvalidTag"),
                (b"<Tagging>", "MalformedXML"),
                (b"<Tagging><TagSet><Tag/></TagSet></Tagging>", "MalformedXML"),
            )
        ),
    ],
)
async def test_tags_that_are_none(path: str, body: bytes, code: str) -> None:
    """What was there stays."""
    async with open_service(extra=ACCOUNT) as service:
        await ask(service, "PUT", "/mine")
        await ask(service, "PUT", "/mine/a", b"hello")
        await ask(service, "PUT", f"{path}?tagging", tagging(("kept", "1")))
        told = refusal(await ask(service, "PUT", f"{path}?tagging", body))
        kept = await ask(service, "GET", f"{path}?tagging")

        assert ("400", code) == (told["status"], told["Code"])
        assert "kept" == tag(kept.text, "Key")
