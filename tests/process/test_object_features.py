"""Tags, attributes, parts, versions and ACLs as boto3 sees them, over the wire."""

import base64
import hashlib
import zlib
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import pytest
import xxhash

from tests.process.daemon import ACCESS_KEY, BUCKET, SECRET_KEY, Daemon

pytestmark = pytest.mark.slow

DATA = bytes(range(256)) * 1000


def boto(endpoint: str, **config: Any) -> Any:
    """Return a boto3 client for a service."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
        config=botocore.config.Config(
            s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **config
        ),
    )


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One service, and boto3 asking it."""
    with Daemon(tmp_path_factory.mktemp("features")) as daemon:
        yield boto(daemon.endpoint)


def test_tags(client: Any) -> None:
    """Put with the object, read, replaced, deleted; the object stays as it is."""
    put = client.put_object(Bucket=BUCKET, Key="t", Body=b"x", Tagging="a=1&b=%C3%A9")
    first = client.get_object_tagging(Bucket=BUCKET, Key="t", VersionId="null")
    tags = [{"Key": "ü", "Value": "2 3"}]
    client.put_object_tagging(Bucket=BUCKET, Key="t", Tagging={"TagSet": tags})
    second = client.get_object_tagging(Bucket=BUCKET, Key="t")
    head = client.head_object(Bucket=BUCKET, Key="t")
    client.delete_object_tagging(Bucket=BUCKET, Key="t")
    third = client.get_object_tagging(Bucket=BUCKET, Key="t")

    assert [("a", "1"), ("b", "é")] == [
        (tag["Key"], tag["Value"]) for tag in first["TagSet"]
    ]
    assert tags == second["TagSet"]
    assert (1, put["ETag"]) == (
        int(head["ResponseMetadata"]["HTTPHeaders"]["x-amz-tagging-count"]),
        head["ETag"],
    )
    assert [] == third["TagSet"]


def test_attributes(client: Any) -> None:
    """boto3 finds every element where its model says it is."""
    put = client.put_object(Bucket=BUCKET, Key="a", Body=DATA)
    names = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    found = client.get_object_attributes(Bucket=BUCKET, Key="a", ObjectAttributes=names)

    assert put["ETag"].strip('"') == found["ETag"]
    crc32 = base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()
    assert {"ChecksumCRC32": crc32, "ChecksumType": "FULL_OBJECT"} == found["Checksum"]
    assert ("STANDARD", len(DATA)) == (found["StorageClass"], found["ObjectSize"])
    assert "ObjectParts" not in found


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("SHA512", lambda body: hashlib.sha512(body).digest()),
        ("MD5", lambda body: hashlib.md5(body).digest()),
        ("XXHASH64", lambda body: xxhash.xxh64(body).digest()),
        ("XXHASH3", lambda body: xxhash.xxh3_64(body).digest()),
        ("XXHASH128", lambda body: xxhash.xxh3_128(body).digest()),
    ],
)
def test_newer_checksums(client: Any, name: str, digest: Any) -> None:
    """Verified on the way in, told on the way out, kept by the ledger."""
    value = base64.b64encode(digest(DATA)).decode()
    wrong = base64.b64encode(digest(b"")).decode()
    field = f"Checksum{name}"
    put = client.put_object(Bucket=BUCKET, Key=name, Body=DATA, **{field: value})
    head = client.head_object(Bucket=BUCKET, Key=name, ChecksumMode="ENABLED")
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        client.put_object(Bucket=BUCKET, Key=name, Body=DATA, **{field: wrong})

    assert value == put[field] == head[field]
    assert "BadDigest" == refused.value.response["Error"]["Code"]


def test_parts(client: Any) -> None:
    """A plain object is its own first part."""
    client.put_object(Bucket=BUCKET, Key="p", Body=DATA)
    part = client.get_object(
        Bucket=BUCKET, Key="p", PartNumber=1, ChecksumMode="ENABLED"
    )
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        client.get_object(Bucket=BUCKET, Key="p", PartNumber=2)

    assert DATA == part["Body"].read()
    assert f"bytes 0-{len(DATA) - 1}/{len(DATA)}" == part["ContentRange"]
    assert "InvalidPartNumber" == refused.value.response["Error"]["Code"]


PART_BYTES = 5 << 20
PARTS = [bytes([number]) * size for number, size in ((1, PART_BYTES), (2, 12_345))]


def upload(client: Any, key: str, algorithm: str | None) -> dict[str, Any]:
    """Upload PARTS as boto3's transfer manager would; return the answer."""
    named = {} if algorithm is None else {"ChecksumAlgorithm": algorithm}
    created = client.create_multipart_upload(Bucket=BUCKET, Key=key, **named)
    target = {"Bucket": BUCKET, "Key": key, "UploadId": created["UploadId"]}
    done = []
    for number, part in enumerate(PARTS, 1):
        sent = client.upload_part(**target, **named, PartNumber=number, Body=part)
        kept = {name: sent[name] for name in sent if name.startswith("Checksum")}
        done.append({"PartNumber": number, "ETag": sent["ETag"], **kept})
    completed: dict[str, Any] = client.complete_multipart_upload(
        **target, MultipartUpload={"Parts": done}
    )
    return completed


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("SHA256", lambda body: hashlib.sha256(body).digest()),
        ("CRC32", lambda body: zlib.crc32(body).to_bytes(4, "big")),
    ],
)
def test_parts_of_an_upload(client: Any, algorithm: str, digest: Any) -> None:
    """Each part with its bytes, its checksum and the number of all, page by page."""
    key = f"upload-{algorithm}"
    completed = upload(client, key, algorithm)
    field = f"Checksum{algorithm}"
    expected = [base64.b64encode(digest(part)).decode() for part in PARTS]
    for number, part in enumerate(PARTS, 1):
        got = client.get_object(
            Bucket=BUCKET, Key=key, PartNumber=number, ChecksumMode="ENABLED"
        )
        assert part == got["Body"].read()
        assert (2, completed["ETag"]) == (got["PartsCount"], got["ETag"])
        assert expected[number - 1] == got[field]

    listed: list[dict[str, Any]] = []
    marker = 0
    while True:
        page = client.get_object_attributes(
            Bucket=BUCKET,
            Key=key,
            ObjectAttributes=["ObjectParts", "Checksum"],
            MaxParts=1,
            PartNumberMarker=marker,
        )
        found = page["ObjectParts"]
        listed += found["Parts"]
        if not found["IsTruncated"]:
            break
        marker = found["NextPartNumberMarker"]

    assert 2 == found["TotalPartsCount"]
    assert ("COMPOSITE", completed[field]) == (
        page["Checksum"]["ChecksumType"],
        page["Checksum"][field],
    )
    assert [
        {"PartNumber": number, "Size": len(part), field: expected[number - 1]}
        for number, part in enumerate(PARTS, 1)
    ] == listed


def test_parts_without_checksums(client: Any) -> None:
    """An upload that names no algorithm has one checksum, of the whole, and a count."""
    plain = boto(client.meta.endpoint_url, request_checksum_calculation="when_required")
    upload(plain, "bare", None)
    part = plain.get_object(
        Bucket=BUCKET, Key="bare", PartNumber=2, ChecksumMode="ENABLED"
    )
    whole = plain.head_object(Bucket=BUCKET, Key="bare", ChecksumMode="ENABLED")
    found = plain.get_object_attributes(
        Bucket=BUCKET, Key="bare", ObjectAttributes=["ObjectParts", "Checksum"]
    )

    assert PARTS[1] == part["Body"].read()
    assert not [name for name in part if name.startswith("Checksum")]
    assert "FULL_OBJECT" == whole["ChecksumType"] == found["Checksum"]["ChecksumType"]
    assert whole["ChecksumCRC64NVME"] == found["Checksum"]["ChecksumCRC64NVME"]
    assert (2, False) == (
        found["ObjectParts"]["TotalPartsCount"],
        "Parts" in found["ObjectParts"],
    )


def test_versions(client: Any) -> None:
    """Listed page by page, got and deleted by the version that was listed."""
    keys = sorted(f"v/{number}" for number in range(5))
    for key in keys:
        client.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    pages = client.get_paginator("list_object_versions").paginate(
        Bucket=BUCKET, Prefix="v/", PaginationConfig={"PageSize": 2}
    )
    versions = [version for page in pages for version in page["Versions"]]
    got = client.get_object(
        Bucket=BUCKET, Key=keys[0], VersionId=versions[0]["VersionId"]
    )

    assert keys == [version["Key"] for version in versions]
    assert {("null", True)} == {
        (version["VersionId"], version["IsLatest"]) for version in versions
    }
    assert keys[0].encode() == got["Body"].read()
    client.delete_objects(
        Bucket=BUCKET,
        Delete={
            "Objects": [
                {"Key": version["Key"], "VersionId": version["VersionId"]}
                for version in versions
            ]
        },
    )
    assert "Versions" not in client.list_object_versions(Bucket=BUCKET, Prefix="v/")


def test_acls(client: Any) -> None:
    """What is read can be written back; anything else is refused."""
    client.put_object(Bucket=BUCKET, Key="o", Body=b"", ACL="private")
    for target in ({}, {"Key": "o"}):
        kind = "object" if target else "bucket"
        found = getattr(client, f"get_{kind}_acl")(Bucket=BUCKET, **target)
        put = getattr(client, f"put_{kind}_acl")
        put(Bucket=BUCKET, **target, ACL="bucket-owner-full-control")
        put(
            Bucket=BUCKET,
            **target,
            AccessControlPolicy={"Owner": found["Owner"], "Grants": found["Grants"]},
        )
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            put(Bucket=BUCKET, **target, ACL="public-read")

        assert ["FULL_CONTROL"] == [grant["Permission"] for grant in found["Grants"]]
        assert found["Owner"]["ID"] == found["Grants"][0]["Grantee"]["ID"]
        code = refused.value.response["Error"]["Code"]
        assert "AccessControlListNotSupported" == code


def test_ownership(client: Any) -> None:
    """BucketOwnerEnforced, and nothing else can be set."""
    found = client.get_bucket_ownership_controls(Bucket=BUCKET)
    controls = found["OwnershipControls"]
    client.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls=controls)
    controls["Rules"][0]["ObjectOwnership"] = "ObjectWriter"
    with pytest.raises(botocore.exceptions.ClientError):
        client.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls=controls)
