"""Clients at work: uploads in parts, copies, syncs, analytics, locks; HTTP and TLS."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig

from tests.process.clients import BIN, body, boto, rclone, run
from tests.process.daemon import ACCESS_KEY, BUCKET, SECRET_KEY, Daemon

DUCKDB = Path(__file__).parents[1] / "clients" / "duck.py"
LARGE = 25_000_003

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["http", "tls"])
def daemon(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """One service per scheme for all clients."""
    folder = tmp_path_factory.mktemp(f"large-{request.param}")
    with Daemon(folder, tls=request.param == "tls") as running:
        yield running


def test_boto3_managed_transfer(daemon: Daemon, tmp_path: Path) -> None:
    """upload_file, copy and download_file as programs use them, in parts."""
    client = boto(daemon)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(body(LARGE))
    parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)

    client.upload_file(str(source), BUCKET, "managed/a", Config=parts)
    client.copy(
        {"Bucket": BUCKET, "Key": "managed/a"}, BUCKET, "managed/b", Config=parts
    )
    client.download_file(BUCKET, "managed/b", str(target), Config=parts)

    assert body(LARGE) == target.read_bytes()
    head = client.head_object(Bucket=BUCKET, Key="managed/a", PartNumber=2)
    assert (5 << 20, 5) == (head["ContentLength"], head["PartsCount"])
    client.delete_object(Bucket=BUCKET, Key="managed/a")
    client.delete_object(Bucket=BUCKET, Key="managed/b")


def test_boto3_copy_object(daemon: Daemon) -> None:
    """A copy keeps what it is told to keep."""
    client = boto(daemon)
    client.put_object(
        Bucket=BUCKET,
        Key="copy/a b",
        Body=body(5000),
        Metadata={"colour": "blue"},
        ContentType="text/plain",
        Tagging="k=v",
    )
    source = {"Bucket": BUCKET, "Key": "copy/a b"}

    client.copy_object(Bucket=BUCKET, Key="copy/kept", CopySource=source)
    client.copy_object(
        Bucket=BUCKET,
        Key="copy/new",
        CopySource=source,
        Metadata={"colour": "red"},
        MetadataDirective="REPLACE",
    )

    kept = client.get_object(Bucket=BUCKET, Key="copy/kept")
    assert body(5000) == kept["Body"].read()
    assert ("text/plain", {"colour": "blue"}) == (kept["ContentType"], kept["Metadata"])
    assert 1 == kept["TagCount"]
    new = client.head_object(Bucket=BUCKET, Key="copy/new")
    assert {"colour": "red"} == new["Metadata"]
    for key in ("copy/a b", "copy/kept", "copy/new"):
        client.delete_object(Bucket=BUCKET, Key=key)


def test_terraform_lock_file(daemon: Daemon) -> None:
    """The S3 backend's `use_lockfile`: create if absent, refuse a second, let go."""
    client = boto(daemon)
    lock = {"Bucket": BUCKET, "Key": "state/terraform.tfstate.tflock"}
    create = {
        **lock,
        "Body": b'{"ID":"1"}',
        "ContentType": "application/json",
        "ChecksumAlgorithm": "SHA256",
        "IfNoneMatch": "*",
    }

    client.head_bucket(Bucket=BUCKET)
    client.put_object(**create)
    with pytest.raises(client.exceptions.ClientError) as refused:
        client.put_object(**create)
    assert "PreconditionFailed" == refused.value.response["Error"]["Code"]
    assert b'{"ID":"1"}' == client.get_object(**lock)["Body"].read()
    client.delete_object(**lock)
    client.put_object(**create)
    client.delete_object(**lock)


def test_aws_cli_large_and_sync(daemon: Daemon, tmp_path: Path) -> None:
    """Parts, a sync that moves nothing the second time, a copy on the server."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "large").write_bytes(body(LARGE))
    (source / "small").write_bytes(body(5000))
    aws = (BIN / "aws", "--endpoint-url", daemon.endpoint, "s3")
    one, two = f"s3://{BUCKET}/sync/one", f"s3://{BUCKET}/sync/two"

    assert "upload" in run(daemon, *aws, "sync", source, one)
    assert "" == run(daemon, *aws, "sync", source, one)
    run(daemon, *aws, "cp", "--recursive", one, two)
    run(daemon, *aws, "sync", two, target)
    for name in ("large", "small"):
        assert (source / name).read_bytes() == (target / name).read_bytes()
    run(daemon, *aws, "rm", "--recursive", f"s3://{BUCKET}/sync")


def test_rclone_large_sync_and_copy(daemon: Daemon, tmp_path: Path) -> None:
    """Multipart, sync with deletion, copyto on the server, hashes compared."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "large").write_bytes(body(LARGE))
    (source / "small").write_bytes(body(5000))
    remote = f":s3:{BUCKET}/rsync"
    tool = (*rclone(daemon), "--s3-upload-cutoff=5Mi", "--s3-chunk-size=5Mi")

    run(daemon, *tool, "sync", source, f"{remote}/a")
    (source / "small").unlink()
    run(daemon, *tool, "sync", source, f"{remote}/a")
    assert "large\n" == run(daemon, *tool, "lsf", f"{remote}/a")
    run(daemon, *tool, "copyto", f"{remote}/a/large", f"{remote}/b/copied")
    run(daemon, *tool, "--s3-copy-cutoff=5Mi", "copy", f"{remote}/a", f"{remote}/c")
    run(daemon, *tool, "check", "--download", source, f"{remote}/c")
    run(daemon, *tool, "moveto", f"{remote}/b/copied", f"{remote}/d/large")
    run(daemon, *tool, "check", "--download", source, f"{remote}/d")
    run(daemon, *tool, "purge", remote)


def test_s5cmd_large(daemon: Daemon, tmp_path: Path) -> None:
    """Parts of 5 MiB side by side, and a copy on the server."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(body(LARGE))
    flags = ["--no-verify-ssl"] if daemon.is_tls else []
    s5cmd = (BIN / "s5cmd", *flags, "--endpoint-url", daemon.endpoint)

    run(daemon, *s5cmd, "cp", "-p", "5", source, f"s3://{BUCKET}/s5l/a")
    run(daemon, *s5cmd, "cp", f"s3://{BUCKET}/s5l/a", f"s3://{BUCKET}/s5l/b")
    run(daemon, *s5cmd, "cp", f"s3://{BUCKET}/s5l/b", target)
    assert body(LARGE) == target.read_bytes()
    run(daemon, *s5cmd, "rm", f"s3://{BUCKET}/s5l/*")


def test_duckdb_and_pyarrow_over_parquet(daemon: Daemon) -> None:
    """Column reads are ranged GETs, writes are uploads in parts, globs are listings."""
    ca = str(daemon.ca_file) if daemon.is_tls else ""

    shown = run(daemon, sys.executable, DUCKDB, daemon.endpoint, BUCKET, ca)

    assert "done\n" == shown


def test_obstore_multipart_and_update(daemon: Daemon) -> None:
    """Large puts go in parts; an update holds only if nobody was faster."""
    import obstore
    from obstore.exceptions import PreconditionError
    from obstore.store import S3Store

    is_tls = daemon.is_tls
    options: dict[str, Any] = (
        {"allow_invalid_certificates": True} if is_tls else {"allow_http": True}
    )
    store = S3Store(
        BUCKET,
        endpoint=daemon.endpoint,
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET_KEY,
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options=options,
    )

    obstore.put(store, "obl/large", body(LARGE), chunk_size=5 << 20)
    assert body(LARGE) == bytes(obstore.get(store, "obl/large").bytes())
    obstore.copy(store, "obl/large", "obl/copy")
    assert body(LARGE) == bytes(obstore.get(store, "obl/copy").bytes())
    first = obstore.put(store, "obl/state", b"1", use_multipart=False)
    known = {"e_tag": first["e_tag"]}
    obstore.put(store, "obl/state", b"2", mode=known, use_multipart=False)
    with pytest.raises(PreconditionError):
        obstore.put(store, "obl/state", b"3", mode=known, use_multipart=False)
    assert b"2" == bytes(obstore.get(store, "obl/state").bytes())
    obstore.delete(store, ["obl/large", "obl/copy", "obl/state"])


def test_no_unhandled_exception(daemon: Daemon) -> None:
    """After all clients: nothing in the log is a surprise, every line is JSON."""
    lines = daemon.log_lines()

    assert lines
    assert not [line for line in lines if line.get("level") == "ERROR"]
