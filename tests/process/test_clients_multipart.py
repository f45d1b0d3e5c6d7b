"""Large files through the clients people use, in parts, over HTTP and over TLS.

The backend is a directory, so every part is a blob of its own and reads cross seams.
"""

import hashlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from boto3.s3.transfer import TransferConfig

from tests.process.daemon import ACCESS_KEY, BUCKET, SECRET_KEY, Daemon
from tests.process.test_clients import BIN, boto, rclone, run

MIB = 1 << 20
SIZE = 40 * MIB + 12_345
PART = 5 * MIB

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["http", "tls"])
def daemon(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """One service per scheme for all clients."""
    folder = tmp_path_factory.mktemp(f"parts-{request.param}")
    with Daemon(folder, tls=request.param == "tls") as running:
        yield running


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose every block differs, so that a part in the wrong place shows."""
    path = tmp_path_factory.mktemp("parts") / "source"
    with path.open("wb") as file:
        for block in range(SIZE // 32 + 1):
            file.write(hashlib.sha256(block.to_bytes(4, "big")).digest())
        file.truncate(SIZE)
    return path


def test_boto3(daemon: Daemon, source: Path, tmp_path: Path) -> None:
    """upload_file and download_file, both in parts and in parallel."""
    client = boto(daemon)
    config = TransferConfig(
        multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=4
    )
    target = tmp_path / "target"

    client.upload_file(str(source), BUCKET, "boto3/large", Config=config)
    client.download_file(BUCKET, "boto3/large", str(target), Config=config)

    head = client.head_object(Bucket=BUCKET, Key="boto3/large", ChecksumMode="ENABLED")
    parts = -(-SIZE // PART)
    assert source.read_bytes() == target.read_bytes()
    assert head["ETag"].endswith(f'-{parts}"')
    assert SIZE == head["ContentLength"]
    assert "ChecksumCRC32" in head
    assert "Uploads" not in client.list_multipart_uploads(Bucket=BUCKET)
    client.delete_object(Bucket=BUCKET, Key="boto3/large")


def test_boto3_call_by_call(daemon: Daemon) -> None:
    """What resuming tools do: list, send the rest, complete; or abort."""
    client = boto(daemon)
    where = {"Bucket": BUCKET, "Key": "boto3/by hand é+"}
    upload = client.create_multipart_upload(**where, Metadata={"colour": "blue"})
    where["UploadId"] = upload["UploadId"]
    bodies = [b"a" * PART, b"b" * PART, b"c"]
    sent = [
        client.upload_part(**where, PartNumber=number, Body=body)
        for number, body in enumerate(bodies, 1)
    ]

    listed = client.list_parts(**where)
    assert [part["ETag"] for part in sent] == [p["ETag"] for p in listed["Parts"]]
    [found] = client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    assert (where["Key"], where["UploadId"]) == (found["Key"], found["UploadId"])
    manifest = {
        "Parts": [
            {key: part[key] for key in ("PartNumber", "ETag")}
            for part in listed["Parts"]
        ]
    }
    first = client.complete_multipart_upload(**where, MultipartUpload=manifest)
    again = client.complete_multipart_upload(**where, MultipartUpload=manifest)
    assert first["ETag"] == again["ETag"]
    with pytest.raises(client.exceptions.NoSuchUpload):
        client.abort_multipart_upload(**where)
    del where["UploadId"]
    got = client.get_object(**where, Range=f"bytes={PART - 1}-{2 * PART}")
    assert b"a" + bodies[1] + b"c" == got["Body"].read()
    assert {"colour": "blue"} == got["Metadata"]
    client.delete_object(**where)


def test_aws_cli(daemon: Daemon, source: Path, tmp_path: Path) -> None:
    """`aws s3 cp` of a large file: parts of 8 MiB with CRC64NVME trailers."""
    target = tmp_path / "target"
    aws = (BIN / "aws", "--endpoint-url", daemon.endpoint)

    run(daemon, *aws, "s3", "cp", source, f"s3://{BUCKET}/aws/large")
    run(daemon, *aws, "s3", "cp", f"s3://{BUCKET}/aws/large", target)

    assert source.read_bytes() == target.read_bytes()


def test_rclone(daemon: Daemon, source: Path, tmp_path: Path) -> None:
    """In parts, then checked by MD5 and by size."""
    flags = ("--s3-upload-cutoff=5Mi", "--s3-chunk-size=5Mi")

    run(daemon, *rclone(daemon), *flags, "copy", source, f":s3:{BUCKET}/rclone")
    run(daemon, *rclone(daemon), "check", source.parent, f":s3:{BUCKET}/rclone")
    run(daemon, *rclone(daemon), "copy", f":s3:{BUCKET}/rclone", tmp_path)

    assert source.read_bytes() == (tmp_path / "source").read_bytes()


def test_boto3_copies(daemon: Daemon, source: Path) -> None:
    """Its managed copy makes a large object of ranges of another."""
    client = boto(daemon)
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
    where = {"Bucket": BUCKET, "Key": "boto3/copied é+"}
    origin = {"Bucket": BUCKET, "Key": "boto3/origin é+"}
    client.upload_file(str(source), *origin.values(), Config=config)

    client.copy(origin, *where.values(), Config=config)

    got = client.get_object(**where)
    assert source.read_bytes() == got["Body"].read()
    assert got["ETag"].endswith(f'-{-(-SIZE // PART)}"')
    for each in (where, origin):
        client.delete_object(**each)


def etag(daemon: Daemon, key: str) -> str:
    """Of an object; a copy that is not made of parts has no number in it."""
    return str(boto(daemon).head_object(Bucket=BUCKET, Key=key)["ETag"])


def test_aws_cli_copies(daemon: Daemon, source: Path, tmp_path: Path) -> None:
    """`aws s3 mv` from key to key: large objects go range by range."""
    target = tmp_path / "target"
    aws = (BIN / "aws", "--endpoint-url", daemon.endpoint, "s3")
    first, second = (f"s3://{BUCKET}/aws-copies/{name}" for name in ("a", "b"))

    run(daemon, *aws, "cp", source, first)
    run(daemon, *aws, "mv", first, second)
    run(daemon, *aws, "cp", second, target)

    assert etag(daemon, "aws-copies/b").endswith(f'-{-(-SIZE // (8 * MIB))}"')
    assert source.read_bytes() == target.read_bytes()


def test_rclone_copies(daemon: Daemon, source: Path) -> None:
    """Over its cutoff rclone copies within a bucket by parts; its MD5 holds."""
    flags = ("--s3-upload-cutoff=5Mi", "--s3-chunk-size=5Mi", "--s3-copy-cutoff=5Mi")
    first, second = (f":s3:{BUCKET}/rclone-copies/{name}" for name in ("a", "b"))

    run(daemon, *rclone(daemon), *flags, "copy", source, first)
    run(daemon, *rclone(daemon), *flags, "copy", first, second)
    run(daemon, *rclone(daemon), "check", "--download", source.parent, second)

    copied = etag(daemon, f"rclone-copies/b/{source.name}")
    assert copied.endswith(f'-{-(-SIZE // PART)}"')


def test_s5cmd(daemon: Daemon, source: Path, tmp_path: Path) -> None:
    """The Go SDK, version 1, parts in parallel both ways."""
    target = tmp_path / "target"
    flags = ["--no-verify-ssl"] if daemon.is_tls else []
    s5cmd = (BIN / "s5cmd", *flags, "--endpoint-url", daemon.endpoint)

    run(daemon, *s5cmd, "cp", "--part-size=5", source, f"s3://{BUCKET}/s5/large")
    run(daemon, *s5cmd, "cp", "--part-size=5", f"s3://{BUCKET}/s5/large", target)

    assert source.read_bytes() == target.read_bytes()


def test_minio_py(daemon: Daemon, source: Path, tmp_path: Path) -> None:
    """Puts of unknown length become uploads, too."""
    import minio
    import urllib3

    pool = urllib3.PoolManager(ca_certs=str(daemon.ca_file) if daemon.is_tls else None)
    client = minio.Minio(
        endpoint=f"localhost:{daemon.port}",
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        secure=daemon.is_tls,
        http_client=pool,
    )
    target = tmp_path / "target"
    with source.open("rb") as file:
        client.put_object(
            bucket_name=BUCKET,
            object_name="minio/large",
            data=file,
            length=-1,
            part_size=PART,
        )

    client.fget_object(
        bucket_name=BUCKET, object_name="minio/large", file_path=str(target)
    )
    assert source.read_bytes() == target.read_bytes()
    pool.clear()


PYARROW = """
import sys
from pyarrow import fs
endpoint, bucket, ca, path = sys.argv[1:]
scheme, _, host = endpoint.partition("://")
s3 = fs.S3FileSystem(
    access_key="photoskey", secret_key="photossecret", region="us-east-1",
    endpoint_override=host, scheme=scheme, allow_bucket_creation=False,
    **({"tls_ca_file_path": ca} if ca else {}),
)
data = open(path, "rb").read()
with s3.open_output_stream(f"{bucket}/arrow/large") as out:
    for start in range(0, len(data), 3_000_000):
        out.write(data[start:start + 3_000_000])
assert s3.open_input_stream(f"{bucket}/arrow/large").read() == data
with s3.open_input_file(f"{bucket}/arrow/large") as f:
    for start in (0, 5242879, 10485759, len(data) - 10):
        f.seek(start); assert f.read(100) == data[start:start + 100]
s3.delete_file(f"{bucket}/arrow/large")
print("done")
"""


def test_pyarrow(daemon: Daemon, source: Path) -> None:
    """Creates without an algorithm, yet sends a checksum with every part."""
    ca = str(daemon.ca_file) if daemon.is_tls else ""
    arguments = (daemon.endpoint, BUCKET, ca, source)

    assert "done\n" == run(daemon, sys.executable, "-c", PYARROW, *arguments)


def test_no_unhandled_exception(daemon: Daemon) -> None:
    """After all clients: nothing in the log is a surprise."""
    with warnings.catch_warnings():
        lines = daemon.log_lines()

    assert lines
    assert not [line for line in lines if line.get("level") == "ERROR"]
