"""Clients that do not come with pip: other languages' SDKs, backup tools, a mount.

tests/clients/install.sh installs them; `just test-real` runs it first.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.clients import body, environment, run
from tests.process.daemon import ACCESS_KEY, BUCKET, SECRET_KEY, Daemon

CLIENTS = Path(__file__).parents[1] / "clients"
# Debian's, not the one that pip brings.
AWS_V2 = Path("/usr/bin/aws")
MOUNT_S = 20

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", params=["http", "tls"])
def daemon(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """One service per scheme for all clients."""
    folder = tmp_path_factory.mktemp(f"others-{request.param}")
    with Daemon(folder, tls=request.param == "tls") as running:
        yield running


def needs(program: str | Path) -> None:
    """Skip where a program's language is not installed."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


@pytest.mark.parametrize("script", ["aws.mjs", "minio.mjs"])
def test_javascript(daemon: Daemon, script: str) -> None:
    """The AWS SDK for JavaScript v3, which streams with trailers, and minio-js."""
    needs("node")

    shown = run(
        daemon,
        "node",
        CLIENTS / "js" / script,
        *(daemon.endpoint, BUCKET, ACCESS_KEY, SECRET_KEY),
    )

    assert "done\n" == shown


def test_go(daemon: Daemon) -> None:
    """The AWS SDK for Go v2: velero, Terraform, WAL-G and many others stand on it."""
    program = CLIENTS / "go" / "s3clients"
    needs(program)

    shown = run(daemon, program, daemon.endpoint, BUCKET, ACCESS_KEY, SECRET_KEY)

    assert "done\n" == shown


def test_aws_cli_v2(daemon: Daemon, tmp_path: Path) -> None:
    """A version from before the new checksums: small, large, sync, copy, remove."""
    aws = (AWS_V2, "--endpoint-url", daemon.endpoint)
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for size in (0, 5000, 20_000_000):
        (source / str(size)).write_bytes(body(size))

    run(daemon, *aws, "s3", "sync", source, f"s3://{BUCKET}/cli2/a")
    run(
        *(daemon, *aws, "s3", "cp", "--recursive"),
        *(f"s3://{BUCKET}/cli2/a", f"s3://{BUCKET}/cli2/b"),
    )
    run(daemon, *aws, "s3", "sync", f"s3://{BUCKET}/cli2/b", target)
    assert "" == run(daemon, *aws, "s3", "sync", f"s3://{BUCKET}/cli2/b", target)
    for path in source.iterdir():
        assert path.read_bytes() == (target / path.name).read_bytes()
    run(daemon, *aws, "s3", "rm", "--recursive", f"s3://{BUCKET}/cli2")


def test_restic(daemon: Daemon, tmp_path: Path) -> None:
    """Backup, check with all data read, restore, forget and prune."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for size in (0, 1, 5000, 3_000_000, 30_000_000):
        (source / f"file {size}").write_bytes(os.urandom(size))
    flags = ["--cacert", daemon.ca_file] if daemon.is_tls else []
    place = f"s3:{daemon.endpoint}/{BUCKET}/restic"
    secret = tmp_path / "password"
    secret.write_text("correct horse")
    restic = (
        *("restic", "--no-cache", "-q", *flags),
        *("-r", place, "--password-file", secret),
    )

    run(daemon, *restic, "init")
    run(daemon, *restic, "backup", source)
    (source / "file 1").write_bytes(b"2")
    run(daemon, *restic, "backup", source)
    run(daemon, *restic, "check", "--read-data")
    run(daemon, *restic, "restore", "latest", "--target", target)
    restored = target / source.relative_to("/")
    for path in source.iterdir():
        assert path.read_bytes() == (restored / path.name).read_bytes()
    run(daemon, *restic, "forget", "--keep-last", "1", "--prune")
    run(daemon, *restic, "check", "--read-data")


def test_s3cmd(daemon: Daemon, tmp_path: Path) -> None:
    """Lists with version 1, asks for the location first, compares MD5s."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(body(20_000_000))
    flags = ["--ssl", f"--ca-certs={daemon.ca_file}"] if daemon.is_tls else ["--no-ssl"]
    s3cmd = (
        *(
            "s3cmd",
            "--config=/dev/null",
            *flags,
            "--no-progress",
            "--no-check-hostname",
        ),
        *(f"--access_key={ACCESS_KEY}", f"--secret_key={SECRET_KEY}"),
        *(f"--host=localhost:{daemon.port}", f"--host-bucket=localhost:{daemon.port}"),
    )

    run(daemon, *s3cmd, "put", source, f"s3://{BUCKET}/s3cmd/file")
    assert "s3cmd/file" in run(daemon, *s3cmd, "ls", f"s3://{BUCKET}/s3cmd/")
    run(daemon, *s3cmd, "cp", f"s3://{BUCKET}/s3cmd/file", f"s3://{BUCKET}/s3cmd/two")
    run(daemon, *s3cmd, "get", f"s3://{BUCKET}/s3cmd/two", target)
    assert body(20_000_000) == target.read_bytes()
    run(daemon, *s3cmd, "del", "--recursive", "--force", f"s3://{BUCKET}/s3cmd/")


@pytest.fixture
def mounted(daemon: Daemon, tmp_path: Path) -> Iterator[Path]:
    """The bucket as a folder."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("no FUSE here")
    secret, folder = tmp_path / "secret", tmp_path / "mount"
    secret.write_text(f"{ACCESS_KEY}:{SECRET_KEY}")
    secret.chmod(0o600)
    folder.mkdir()
    variables = environment(daemon)
    options = (
        f"passwd_file={secret},url={daemon.endpoint},use_path_request_style,"
        "endpoint=us-east-1,retries=1,multipart_size=10"
    )
    if daemon.is_tls:
        # Debian's libcurl takes no CA from the environment.
        options += ",no_check_certificate,ssl_verify_hostname=0"
    done = subprocess.run(
        ["s3fs", BUCKET, str(folder), "-o", options],
        env=variables,
        capture_output=True,
        text=True,
        timeout=MOUNT_S,
        check=False,
    )
    if done.returncode and "fuse: device not found" in done.stderr:
        pytest.skip("no FUSE here")
    assert done.returncode == 0, done.stderr
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=MOUNT_S)


def test_s3fs(mounted: Path) -> None:
    """A mount: write, append, read, rename, change mode, list, remove."""
    folder = mounted / "s3fs"
    folder.mkdir()
    path = folder / "file"
    path.write_bytes(body(25_000_000))
    with path.open("ab") as file:
        file.write(b"the end")
    path.chmod(0o640)
    path.rename(folder / "renamed")

    assert body(25_000_000) + b"the end" == (folder / "renamed").read_bytes()
    assert 0o640 == (folder / "renamed").stat().st_mode & 0o777
    assert ["renamed"] == [one.name for one in folder.iterdir()]
    (folder / "renamed").unlink()
    folder.rmdir()
    assert not folder.exists()


def test_no_unhandled_exception(daemon: Daemon) -> None:
    """After all clients: nothing in the log is a surprise."""
    lines = daemon.log_lines()

    assert lines
    assert not [line for line in lines if line.get("level") == "ERROR"]
