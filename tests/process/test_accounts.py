"""Accounts as boto3 sees them, over the wire: buckets made, configured and deleted."""

import json
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import pytest

from tests.process.daemon import Daemon

pytestmark = pytest.mark.slow

ACCOUNTS = [
    {
        "name": name,
        "credentials": [
            {"access_key_id": f"{name}key", "secret_access_key": f"{name}secret"}
        ],
        "quota_bytes": quota,
    }
    for name, quota in (("ann", 1_000_000), ("bob", 0))
]


def client_of(daemon: Daemon, name: str) -> Any:
    """Return boto3 as an account."""
    return boto3.client(
        "s3",
        endpoint_url=daemon.endpoint,
        aws_access_key_id=f"{name}key",
        aws_secret_access_key=f"{name}secret",
        region_name="us-east-1",
        config=botocore.config.Config(
            s3={"addressing_style": "path"}, retries={"max_attempts": 1}
        ),
    )


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One service with two accounts."""
    folder = tmp_path_factory.mktemp("accounts")
    with Daemon(folder, extra={"accounts": ACCOUNTS}) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def ann(daemon: Daemon) -> Any:
    """Ann's client, with a bucket."""
    client = client_of(daemon, "ann")
    client.create_bucket(Bucket="anns")
    return client


def code_of(call: Any, **arguments: Any) -> str:
    """Return the code of the error that a call ends in."""
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        call(**arguments)
    return str(refusal.value.response["Error"]["Code"])


def test_buckets_are_made_listed_and_deleted(daemon: Daemon, ann: Any) -> None:
    """The first thing that any program does."""
    made = ann.create_bucket(
        Bucket="ann-two", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    listed = ann.list_buckets()
    pages = list(
        ann.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 1})
    )
    ann.head_bucket(Bucket="ann-two")
    ann.put_object(Bucket="ann-two", Key="k", Body=b"x")
    assert "BucketNotEmpty" == code_of(ann.delete_bucket, Bucket="ann-two")
    ann.delete_object(Bucket="ann-two", Key="k")
    gone = ann.delete_bucket(Bucket="ann-two")

    assert "/ann-two" == made["Location"]
    assert ["ann-two", "anns"] == [bucket["Name"] for bucket in listed["Buckets"]]
    assert "ann" == listed["Owner"]["DisplayName"]
    assert [["ann-two"], ["anns"]] == [
        [bucket["Name"] for bucket in page["Buckets"]] for page in pages
    ]
    assert 204 == gone["ResponseMetadata"]["HTTPStatusCode"]
    assert "404" == code_of(ann.head_bucket, Bucket="ann-two")


def test_tenants_do_not_meet(daemon: Daemon, ann: Any) -> None:
    """Through a real client's own idea of paths and copies."""
    bob = client_of(daemon, "bob")
    ann.put_object(Bucket="anns", Key="secret", Body=b"x")
    bob.create_bucket(Bucket="bobs")

    assert "BucketAlreadyExists" == code_of(bob.create_bucket, Bucket="anns")
    assert "AccessDenied" == code_of(bob.get_object, Bucket="anns", Key="secret")
    assert "AccessDenied" == code_of(bob.list_objects_v2, Bucket="anns")
    assert "AccessDenied" == code_of(
        bob.copy_object,
        Bucket="bobs",
        Key="k",
        CopySource={"Bucket": "anns", "Key": "secret"},
    )
    assert "NoSuchBucket" == code_of(bob.list_objects_v2, Bucket="nobodys")
    assert ["bobs"] == [bucket["Name"] for bucket in bob.list_buckets()["Buckets"]]


def test_lifecycle_is_read_as_it_was_put(ann: Any) -> None:
    """Terraform compares the two, element by element."""
    rules = [
        {
            "ID": "logs",
            "Status": "Enabled",
            "Filter": {
                "And": {
                    "Prefix": "logs/",
                    "Tags": [{"Key": "keep", "Value": "no"}],
                    "ObjectSizeGreaterThan": 10,
                }
            },
            "Expiration": {"Days": 30},
        },
        {
            "ID": "uploads",
            "Status": "Disabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3},
        },
        {
            "ID": "old",
            "Status": "Enabled",
            "Prefix": "old/",
            "Expiration": {"Date": datetime(2031, 5, 6, tzinfo=UTC)},
        },
    ]
    ann.put_bucket_lifecycle_configuration(
        Bucket="anns", LifecycleConfiguration={"Rules": rules}
    )
    found = ann.get_bucket_lifecycle_configuration(Bucket="anns")
    ann.delete_bucket_lifecycle(Bucket="anns")

    for rule in found["Rules"]:
        if "Date" in rule.get("Expiration", {}):
            rule["Expiration"]["Date"] = rule["Expiration"]["Date"].astimezone(UTC)
    assert rules == found["Rules"]
    assert "all_storage_classes_128K" == found["TransitionDefaultMinimumObjectSize"]
    assert "NoSuchLifecycleConfiguration" == code_of(
        ann.get_bucket_lifecycle_configuration, Bucket="anns"
    )
    moved = {
        **rules[1],
        "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}],
    }
    assert "NotImplemented" == code_of(
        ann.put_bucket_lifecycle_configuration,
        Bucket="anns",
        LifecycleConfiguration={"Rules": [moved]},
    )


def test_cors_and_tags_are_read_as_they_were_put(ann: Any) -> None:
    """boto3 finds every element where its model says it is."""
    rules = [
        {
            "ID": "app",
            "AllowedHeaders": ["*"],
            "AllowedMethods": ["GET", "PUT"],
            "AllowedOrigins": ["https://*.example.com", "http://localhost:3000"],
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 600,
        }
    ]
    tags = [{"Key": "team", "Value": "ü"}, {"Key": "empty", "Value": ""}]
    ann.put_bucket_cors(Bucket="anns", CORSConfiguration={"CORSRules": rules})
    ann.put_bucket_tagging(Bucket="anns", Tagging={"TagSet": tags})
    found_rules = ann.get_bucket_cors(Bucket="anns")["CORSRules"]
    found_tags = ann.get_bucket_tagging(Bucket="anns")["TagSet"]
    ann.delete_bucket_cors(Bucket="anns")
    ann.delete_bucket_tagging(Bucket="anns")

    assert (rules, tags) == (found_rules, found_tags)
    assert "NoSuchCORSConfiguration" == code_of(ann.get_bucket_cors, Bucket="anns")
    assert "NoSuchTagSet" == code_of(ann.get_bucket_tagging, Bucket="anns")


def test_probes_parse(ann: Any) -> None:
    """Every question that consoles and Terraform ask of a bucket."""
    probes = {
        "get_bucket_versioning": "",
        "get_bucket_acl": "",
        "get_bucket_location": "",
        "get_bucket_notification_configuration": "",
        "get_bucket_logging": "",
        "get_bucket_accelerate_configuration": "",
        "get_bucket_request_payment": "",
        "get_bucket_ownership_controls": "",
        "list_bucket_inventory_configurations": "",
        "list_bucket_metrics_configurations": "",
        "list_bucket_analytics_configurations": "",
        "list_bucket_intelligent_tiering_configurations": "",
        "get_bucket_policy": "NoSuchBucketPolicy",
        "get_bucket_policy_status": "NoSuchBucketPolicy",
        "get_bucket_website": "NoSuchWebsiteConfiguration",
        "get_bucket_encryption": "ServerSideEncryptionConfigurationNotFoundError",
        "get_bucket_replication": "ReplicationConfigurationNotFoundError",
        "get_object_lock_configuration": "ObjectLockConfigurationNotFoundError",
        "get_public_access_block": "NoSuchPublicAccessBlockConfiguration",
    }
    found = {}
    for name in probes:
        try:
            getattr(ann, name)(Bucket="anns")
            found[name] = ""
        except botocore.exceptions.ClientError as error:
            found[name] = error.response["Error"]["Code"]

    assert probes == found
    assert "BucketOwner" == ann.get_bucket_request_payment(Bucket="anns")["Payer"]


def test_the_quota_is_kept(ann: Any) -> None:
    """As Ceph's gateway answers, and no SDK tries again."""
    assert "QuotaExceeded" == code_of(
        ann.put_object, Bucket="anns", Key="big", Body=b"x" * 1_000_001
    )
    ann.put_object(Bucket="anns", Key="big", Body=b"x" * 900_000)
    ann.put_object(Bucket="anns", Key="big", Body=b"x" * 50_000)
    ann.delete_object(Bucket="anns", Key="big")
    ann.put_object(Bucket="anns", Key="big", Body=b"x" * 900_000)


def test_buckets_survive_a_restart_and_accounts_come_by_reload(tmp_path: Path) -> None:
    """Made buckets are in the ledger, not in the file; a new tenant needs a SIGHUP."""
    daemon = Daemon(tmp_path, extra={"accounts": ACCOUNTS[:1]})
    with daemon:
        ann = client_of(daemon, "ann")
        ann.create_bucket(Bucket="anns")
        ann.put_object(Bucket="anns", Key="k", Body=b"x")
        daemon.kill()
    with daemon:
        assert b"x" == ann.get_object(Bucket="anns", Key="k")["Body"].read()
        daemon.config["accounts"] = ACCOUNTS
        daemon.config_file.write_text(json.dumps(daemon.config))
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while "configuration reloaded" not in daemon.logs():
            assert time.monotonic() < deadline, daemon.logs()[-2000:]
            time.sleep(0.02)
        bob = client_of(daemon, "bob")
        bob.create_bucket(Bucket="bobs")
        assert ["bobs"] == [bucket["Name"] for bucket in bob.list_buckets()["Buckets"]]
        assert ["anns"] == [bucket["Name"] for bucket in ann.list_buckets()["Buckets"]]
