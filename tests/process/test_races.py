"""Races and deaths that only real processes have: who wins, and what is whole after."""

import contextlib
import http.client
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import pytest

from tests.process.clients import body, boto
from tests.process.daemon import BUCKET, Daemon, directory_backends
from tests.process.raw import RawClient, signed_headers
from tests.real import servers

pytestmark = pytest.mark.slow

CLIENTS = 32
PARTS, PART = 40, 100_000
KILLS = 12
SEED = 4711


def rclone_backend() -> dict[str, Any]:
    """The configuration of a backend over rclone's S3 server."""
    server = servers.rclone()
    endpoint = f"http://127.0.0.1:{server.port}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=server.access_key_id,
        aws_secret_access_key=server.secret_access_key,
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )
    with contextlib.suppress(botocore.exceptions.ClientError):
        client.create_bucket(Bucket="races")
    client.close()
    return {
        "name": "rclone",
        "profile": "rclone",
        "endpoint": endpoint,
        "region": "us-east-1",
        "bucket": "races",
        "access_key_id": server.access_key_id,
        "secret_access_key": server.secret_access_key,
        "force_path_style": True,
        "quota_bytes": 1 << 30,
    }


@pytest.fixture(params=["directory", "rclone"])
def daemon(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Daemon]:
    """A service over one kind of backend."""
    backends = (
        directory_backends(tmp_path)
        if request.param == "directory"
        else [rclone_backend()]
    )
    with Daemon(tmp_path, backends=backends) as running:
        yield running


def create(port: int, key: str, value: bytes, start: threading.Barrier) -> int:
    """PUT if nobody has; return the status."""
    host, path = f"127.0.0.1:{port}", f"/{BUCKET}/{key}"
    headers = signed_headers("PUT", path, host)
    headers |= {"If-None-Match": "*", "Content-Length": str(len(value))}
    with contextlib.closing(http.client.HTTPConnection(host, timeout=60)) as client:
        client.connect()
        start.wait()
        client.request("PUT", path, body=value, headers=headers)
        answer = client.getresponse()
        answer.read()
        return answer.status


@pytest.mark.parametrize("size", [100, 700_000])
def test_one_of_many_creators_wins(daemon: Daemon, size: int) -> None:
    """Lock files, leases and commits of table formats stand on it."""
    for turn in range(3):
        key, start = f"lock/{size}/{turn}", threading.Barrier(CLIENTS)
        values = [bytes([number]) * size for number in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            asked = [
                pool.submit(create, daemon.port, key, value, start) for value in values
            ]
            statuses = [one.result() for one in asked]

        assert 1 == statuses.count(200), statuses
        assert {200, 412} >= set(statuses) - {409}
        winner = values[statuses.index(200)]
        with RawClient(daemon.port) as client:
            assert (200, winner) == client.ask("GET", key)


def test_kill_during_complete(tmp_path: Path) -> None:
    """40 parts over three backends with room for 15 each, whole after every death."""
    chance = random.Random(SEED)
    quotas = dict.fromkeys(("one", "two", "three"), 15 * PART)
    extra = {"server": {"min_part_size": PART}}
    backends = directory_backends(tmp_path, quotas)
    pieces = [body(PART + number)[number:] for number in range(PARTS)]
    whole = b"".join(pieces)
    daemon = Daemon(tmp_path, backends=backends, extra=extra)
    daemon.start()
    try:
        client = boto(daemon)
        key = {"Bucket": BUCKET, "Key": "large"}
        upload = client.create_multipart_upload(**key)["UploadId"]
        parts = []
        for number, piece in enumerate(pieces, 1):
            answer = client.upload_part(
                **key, UploadId=upload, PartNumber=number, Body=piece
            )
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        manifest = {"Parts": parts}
        etags = set()
        for _ in range(KILLS):
            thread = threading.Thread(
                target=_complete, args=(boto(daemon), key, upload, manifest, etags)
            )
            thread.start()
            time.sleep(chance.uniform(0.0, 0.06))
            daemon.kill()
            thread.join()
            daemon.start()
        _complete(boto(daemon), key, upload, manifest, etags)

        assert 1 == len(etags)
        client = boto(daemon)
        assert whole == client.get_object(**key)["Body"].read()
        for first in range(PART - 3, len(whole) - 10, 7 * PART):
            part = client.get_object(**key, Range=f"bytes={first}-{first + 9}")
            assert whole[first : first + 10] == part["Body"].read()
        assert {"one", "two", "three"} == {
            name
            for name in quotas
            if any((tmp_path / name / "blobs" / f"{BUCKET}.d").rglob("*.b"))
        }
    finally:
        daemon.kill()


def _complete(
    client: Any, key: dict[str, str], upload: str, manifest: Any, etags: set[str]
) -> None:
    """Complete; note the ETag if the service lived long enough to say it."""
    with contextlib.suppress(
        botocore.exceptions.ConnectionError,
        botocore.exceptions.HTTPClientError,
    ):
        done = client.complete_multipart_upload(
            **key, UploadId=upload, MultipartUpload=manifest
        )
        etags.add(done["ETag"])
