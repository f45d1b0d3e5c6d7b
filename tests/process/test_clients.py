"""Every S3 client people use puts, gets, lists and deletes, over HTTP and over TLS.

Nothing here is a mock: the service is a process, the clients are the real programs.
"""

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process.clients import BIN, body, boto, rclone, run
from tests.process.daemon import ACCESS_KEY, BUCKET, SECRET_KEY, Daemon

SIZES = (0, 1, 5000, 65536, 1_000_003, 6_000_000)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["http", "tls"])
def daemon(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """One service per scheme for all clients."""
    folder = tmp_path_factory.mktemp(f"clients-{request.param}")
    with Daemon(folder, tls=request.param == "tls") as running:
        yield running


@pytest.mark.parametrize("size", SIZES)
def test_boto3(daemon: Daemon, size: int) -> None:
    """The SDK whose default upload over TLS is aws-chunked with a trailer."""
    client = boto(daemon)
    key = f"boto3/{size} é+%.bin"

    put = client.put_object(
        Bucket=BUCKET, Key=key, Body=body(size), Metadata={"colour": "blue"}
    )
    got = client.get_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
    assert body(size) == got["Body"].read()
    assert put["ETag"] == got["ETag"]
    assert {"colour": "blue"} == got["Metadata"]
    assert put["ChecksumCRC32"] == got["ChecksumCRC32"]
    listed = client.list_objects_v2(Bucket=BUCKET, Prefix="boto3/")
    assert key in [entry["Key"] for entry in listed["Contents"]]
    client.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(client.exceptions.NoSuchKey):
        client.get_object(Bucket=BUCKET, Key=key)


def test_boto3_delete_objects(daemon: Daemon) -> None:
    """DeleteObjects comes without Content-MD5 nowadays."""
    client = boto(daemon)
    keys = [f"many/{number}" for number in range(30)]
    for key in keys:
        client.put_object(Bucket=BUCKET, Key=key, Body=b"x")

    answer = client.delete_objects(
        Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]}
    )

    assert keys == [deleted["Key"] for deleted in answer["Deleted"]]
    assert "Contents" not in client.list_objects_v2(Bucket=BUCKET, Prefix="many/")


def test_boto3_presigned(daemon: Daemon) -> None:
    """A link that a browser opens."""
    client = boto(daemon, signature_version="s3v4")
    client.put_object(Bucket=BUCKET, Key="shared", Body=b"for you")
    url = client.generate_presigned_url(
        "get_object", Params={"Bucket": BUCKET, "Key": "shared"}, ExpiresIn=60
    )

    status, _, content = daemon.request("GET", url.removeprefix(daemon.endpoint))

    assert (200, b"for you") == (status, content)


@pytest.mark.parametrize("size", SIZES[:5])
def test_aws_cli(daemon: Daemon, tmp_path: Path, size: int) -> None:
    """`aws s3 cp`, as in the README."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(body(size))
    aws = (BIN / "aws", "--endpoint-url", daemon.endpoint)

    run(daemon, *aws, "s3", "cp", source, f"s3://{BUCKET}/aws/{size}")
    assert f"{size} " in run(daemon, *aws, "s3", "ls", f"s3://{BUCKET}/aws/{size}")
    run(daemon, *aws, "s3", "cp", f"s3://{BUCKET}/aws/{size}", target)
    assert body(size) == target.read_bytes()
    run(daemon, *aws, "s3", "rm", f"s3://{BUCKET}/aws/{size}")


def test_rclone(daemon: Daemon, tmp_path: Path) -> None:
    """rclone creates the bucket first and keeps the time in metadata."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for size in SIZES[:5]:
        (source / f"file {size}").write_bytes(body(size))

    run(daemon, *rclone(daemon), "copy", source, f":s3:{BUCKET}/rclone")
    run(daemon, *rclone(daemon), "check", source, f":s3:{BUCKET}/rclone")
    run(daemon, *rclone(daemon), "copy", f":s3:{BUCKET}/rclone", target)
    assert sorted(p.name for p in source.iterdir()) == sorted(
        p.name for p in target.iterdir()
    )
    for path in source.iterdir():
        assert path.read_bytes() == (target / path.name).read_bytes()
    run(daemon, *rclone(daemon), "delete", f":s3:{BUCKET}/rclone")
    assert "" == run(daemon, *rclone(daemon), "lsf", "-R", f":s3:{BUCKET}/rclone")


def test_s5cmd(daemon: Daemon, tmp_path: Path) -> None:
    """The Go SDK, version 1."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(body(1_000_003))
    flags = ["--no-verify-ssl"] if daemon.is_tls else []
    s5cmd = (BIN / "s5cmd", *flags, "--endpoint-url", daemon.endpoint)

    run(daemon, *s5cmd, "cp", source, f"s3://{BUCKET}/s5/file")
    assert "file" in run(daemon, *s5cmd, "ls", f"s3://{BUCKET}/s5/")
    run(daemon, *s5cmd, "cp", f"s3://{BUCKET}/s5/file", target)
    assert body(1_000_003) == target.read_bytes()
    run(daemon, *s5cmd, "rm", f"s3://{BUCKET}/s5/file")


def test_minio_py(daemon: Daemon, tmp_path: Path) -> None:
    """Asks for the bucket's location first; Content-MD5 over TLS."""
    import minio
    import urllib3

    source = tmp_path / "source"
    source.write_bytes(body(1_000_003))
    pool = urllib3.PoolManager(ca_certs=str(daemon.ca_file) if daemon.is_tls else None)
    client = minio.Minio(
        endpoint=f"localhost:{daemon.port}",
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        secure=daemon.is_tls,
        http_client=pool,
    )

    client.fput_object(
        bucket_name=BUCKET, object_name="minio/file", file_path=str(source)
    )
    answer = client.get_object(bucket_name=BUCKET, object_name="minio/file")
    assert body(1_000_003) == answer.read()
    answer.close()
    names = client.list_objects(bucket_name=BUCKET, prefix="minio/")
    assert ["minio/file"] == [entry.object_name for entry in names]
    client.remove_object(bucket_name=BUCKET, object_name="minio/file")
    pool.clear()


PYARROW = """
import sys
from pyarrow import fs
endpoint, bucket, ca = sys.argv[1:]
scheme, _, host = endpoint.partition("://")
s3 = fs.S3FileSystem(
    access_key="photoskey", secret_key="photossecret", region="us-east-1",
    endpoint_override=host, scheme=scheme, allow_bucket_creation=False,
    allow_delayed_open=True,  # one PutObject for a small file instead of an upload
    **({"tls_ca_file_path": ca} if ca else {}),
)
data = bytes(range(256)) * 4000
out = s3.open_output_stream(f"{bucket}/arrow/file")
out.write(data); out.close()
assert s3.open_input_stream(f"{bucket}/arrow/file").read() == data
with s3.open_input_file(f"{bucket}/arrow/file") as f:
    f.seek(1000); assert f.read(10) == data[1000:1010]
names = [i.path for i in s3.get_file_info(fs.FileSelector(f"{bucket}/arrow"))]
assert names == [f"{bucket}/arrow/file"], names
s3.delete_file(f"{bucket}/arrow/file")
print("done")
"""


def test_pyarrow(daemon: Daemon) -> None:
    """The C++ SDK always sends CRC64NVME trailers; it gets a process of its own."""
    ca = str(daemon.ca_file) if daemon.is_tls else ""

    shown = run(daemon, sys.executable, "-c", PYARROW, daemon.endpoint, BUCKET, ca)

    assert "done\n" == shown


def test_obstore(daemon: Daemon, tmp_path: Path) -> None:
    """object_store's conditional puts: what Iceberg, Delta and SlateDB stand on."""
    import obstore
    from obstore.exceptions import AlreadyExistsError
    from obstore.store import S3Store

    options: dict[str, Any] = {}
    if daemon.is_tls:
        options["allow_invalid_certificates"] = True
    else:
        options["allow_http"] = True
    store = S3Store(
        BUCKET,
        endpoint=daemon.endpoint,
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET_KEY,
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options=options,
    )

    obstore.put(store, "ob/file", body(5000), mode="create", use_multipart=False)
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "ob/file", b"again", mode="create", use_multipart=False)
    assert body(5000) == bytes(obstore.get(store, "ob/file").bytes())
    assert body(5000)[7:99] == bytes(
        obstore.get_range(store, "ob/file", start=7, end=99)
    )
    listed = [entry["path"] for page in obstore.list(store, "ob") for entry in page]
    assert ["ob/file"] == listed
    obstore.delete(store, "ob/file")


def test_no_unhandled_exception(daemon: Daemon) -> None:
    """After all clients: nothing in the log is a surprise, every line is JSON."""
    with warnings.catch_warnings():
        lines = daemon.log_lines()

    assert lines
    assert not [line for line in lines if line.get("level") == "ERROR"]
