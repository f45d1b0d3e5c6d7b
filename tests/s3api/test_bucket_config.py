"""What clients configure of a bucket, and what they only ask about."""

import hashlib
from xml.etree import ElementTree

import pytest

from s3o.s3api.credentials import Caller
from s3o.s3api.owner import owner_id
from tests.s3api.house import PHOTOS, House

NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"
DOCUMENTS = {
    "lifecycle": b"<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status>"
    b"<Filter><Prefix>logs/</Prefix></Filter><Expiration><Days>3</Days></Expiration>"
    b"</Rule></LifecycleConfiguration>",
    "cors": b"<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod>"
    b"<AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>",
    "tagging": b"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet>"
    b"</Tagging>",
}
ABSENT = {
    "lifecycle": "NoSuchLifecycleConfiguration",
    "cors": "NoSuchCORSConfiguration",
    "tagging": "NoSuchTagSet",
}
PUT_STATUS = {"lifecycle": 200, "cors": 200, "tagging": 204}


@pytest.fixture
def house():
    """A door, and somebody who may do everything but list."""
    house = House()
    whole = Caller(principal=PHOTOS.owner)
    house.gate.callers["weak"] = Caller(
        principal=PHOTOS.owner, permissions=whole.permissions - {"list"}
    )
    return house


def code_of(reply) -> str:
    """The code of an error answer."""
    return ElementTree.fromstring(reply.body).findtext("Code")


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_configuration_is_put_read_and_deleted(house, name):
    """Terraform's cycle: absent, written, read as written, gone."""
    target = f"/photos?{name}"
    before = await house.ask("GET", target)
    put = await house.ask("PUT", target, {}, DOCUMENTS[name])
    read = await house.ask("GET", target)
    gone = [await house.ask("DELETE", target) for _ in range(2)]
    after = await house.ask("GET", target)

    assert (404, ABSENT[name]) == (before.status, code_of(before))
    assert (PUT_STATUS[name], b"") == (put.status, put.body)
    root = DOCUMENTS[name].decode().partition("<")[2].partition(">")[0]
    assert (200, f"{NS}{root}") == (read.status, ElementTree.fromstring(read.body).tag)
    assert [204, 204] == [each.status for each in gone]
    assert (404, ABSENT[name]) == (after.status, code_of(after))


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_configuration_is_its_owners(house, name, method):
    """It names keys of everybody, and decides what is deleted or shown to whom."""
    replies = [
        await house.ask(method, f"/photos?{name}", {}, DOCUMENTS[name], caller=caller)
        for caller in ("weak", "others", "anonymous")
    ]

    assert [403, 403, 403] == [reply.status for reply in replies]
    assert PHOTOS.config == house.buckets.find("photos").config


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"", {}, "MalformedXML"),
        (b"<Other/>", {}, "MalformedXML"),
        (b"<" + b"a" * 1000, {}, "MalformedXML"),
        (b" " * 600_000, {}, "MaxMessageLengthExceeded"),
    ],
)
async def test_a_configuration_that_is_none_changes_nothing(
    house, name, body, headers, code
):
    """Refused whole, before anything of it counts."""
    await house.ask("PUT", f"/photos?{name}", {}, DOCUMENTS[name])
    before = house.buckets.find("photos")

    reply = await house.ask("PUT", f"/photos?{name}", headers, body)

    assert (400, code) == (reply.status, code_of(reply))
    assert before == house.buckets.find("photos")


async def test_the_default_of_transitions_is_told(house):
    """Terraform waits until it reads the value that it wrote."""
    header = "x-amz-transition-default-minimum-object-size"
    target = "/photos?lifecycle"
    put = await house.ask(
        "PUT", target, {header: "all_storage_classes_128K"}, DOCUMENTS["lifecycle"]
    )
    read = await house.ask("GET", target)
    other = await house.ask(
        "PUT", target, {header: "varies_by_storage_class"}, DOCUMENTS["lifecycle"]
    )

    assert ["all_storage_classes_128K"] * 2 == [
        reply.headers[header] for reply in (put, read)
    ]
    assert 501 == other.status


async def test_a_bucket_has_up_to_fifty_tags(house):
    """Five times as many as an object."""

    def tagging(count):
        tags = "".join(
            f"<Tag><Key>k{number}</Key><Value/></Tag>" for number in range(count)
        )
        return f"<Tagging><TagSet>{tags}</TagSet></Tagging>".encode()

    fifty = await house.ask("PUT", "/photos?tagging", {}, tagging(50))
    more = await house.ask("PUT", "/photos?tagging", {}, tagging(51))

    assert 204 == fifty.status
    assert (400, "BadRequest") == (more.status, code_of(more))
    assert 50 == len(house.buckets.find("photos").config.tags)


EMPTY = {
    "versioning": "<VersioningConfiguration></VersioningConfiguration>",
    "notification": "<NotificationConfiguration></NotificationConfiguration>",
    "logging": "<BucketLoggingStatus></BucketLoggingStatus>",
    "accelerate": "<AccelerateConfiguration></AccelerateConfiguration>",
    "requestPayment": "<RequestPaymentConfiguration><Payer>BucketOwner</Payer>"
    "</RequestPaymentConfiguration>",
    "inventory": "<ListInventoryConfigurationsResult><IsTruncated>false</IsTruncated>"
    "</ListInventoryConfigurationsResult>",
}


@pytest.mark.parametrize(("name", "document"), EMPTY.items())
async def test_probes_are_answered_with_what_is_the_case(house, name, document):
    """Byte by byte: consoles compare."""
    reply = await house.ask("GET", f"/photos?{name}", caller="weak")

    root, rest = document[1:].split(">", 1)
    assert 200 == reply.status
    assert "application/xml" == reply.headers["content-type"]
    assert (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{rest}'
    ) == reply.text


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("policy", "NoSuchBucketPolicy"),
        ("policyStatus", "NoSuchBucketPolicy"),
        ("website", "NoSuchWebsiteConfiguration"),
        ("encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        ("object-lock", "ObjectLockConfigurationNotFoundError"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
        ("inventory&id=x", "NoSuchConfiguration"),
        ("metrics&id=x", "NoSuchConfiguration"),
    ],
)
async def test_what_a_bucket_does_not_have_is_404_by_its_own_code(house, query, code):
    """Terraform and Veeam take exactly these for "not configured"."""
    reply = await house.ask("GET", f"/photos?{query}")

    assert (404, code) == (reply.status, code_of(reply))
    assert "<BucketName>photos</BucketName>" in reply.text


@pytest.mark.parametrize(
    "name",
    [
        *("accelerate", "analytics", "encryption", "intelligent-tiering", "inventory"),
        *("logging", "metrics", "notification", "object-lock", "policy"),
        *("publicAccessBlock", "replication", "requestPayment", "versioning"),
        "website",
    ],
)
async def test_nothing_of_it_can_be_switched_on(house, name):
    """A setting that silently does nothing is worse than none."""
    reply = await house.ask("PUT", f"/photos?{name}", {}, b"<Anything/>")

    assert (501, "NotImplemented") == (reply.status, code_of(reply))


@pytest.mark.parametrize(
    "name", ["encryption", "policy", "publicAccessBlock", "replication", "website"]
)
async def test_what_is_not_there_is_deleted(house, name):
    """Terraform destroys what it never made; only the owner may."""
    own = await house.ask("DELETE", f"/photos?{name}")
    weak = await house.ask("DELETE", f"/photos?{name}", caller="weak")

    assert (204, 403) == (own.status, weak.status)


async def test_the_expected_owner_is_compared(house):
    """The header's purpose: not to write into a bucket that somebody else got."""
    await house.put("a", b"x")
    mine = owner_id(PHOTOS.owner)
    statuses = [
        (await house.ask(method, target, {"x-amz-expected-bucket-owner": owner})).status
        for method, target in (("GET", "/photos/a"), ("GET", "/photos?versioning"))
        for owner in (mine, "123456789012", "")
    ]

    assert hashlib.sha256(b"bucket:photos").hexdigest() == mine
    assert [200, 403, 403, 200, 403, 403] == statuses
