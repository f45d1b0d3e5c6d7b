"""`s3-orchestrator fsck` as an operator runs it: exit codes, words, JSON."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.process.clients import boto
from tests.process.daemon import BUCKET, COMMAND, Daemon

BODY = b"meow" * 1000
pytestmark = pytest.mark.slow


def fsck(daemon: Daemon, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run the command as an operator does."""
    return subprocess.run(
        [COMMAND, "fsck", "--config", daemon.config_file, *flags],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _blob(daemon: Daemon) -> Path:
    return next(
        path
        for path in (daemon.folder / "one").rglob("*")
        if path.is_file() and path.read_bytes() == BODY
    )


def test_fsck_tells_agreement_from_damage(tmp_path: Path) -> None:
    """Refused while the service runs; then 0, 1 with an explanation, and 2."""
    daemon = Daemon(tmp_path, extra={"integrity": {"enabled": True}})
    with daemon:
        client = boto(daemon)
        client.put_object(Bucket=BUCKET, Key="cat.jpg", Body=BODY)
        client.put_object(Bucket=BUCKET, Key="dog.jpg", Body=b"woof")
        client.delete_object(Bucket=BUCKET, Key="dog.jpg")
        running = fsck(daemon)

    assert 2 == running.returncode
    assert "another process serves from" in running.stderr
    clean = fsck(daemon, "--deep")
    assert 0 == clean.returncode, clean.stdout + clean.stderr
    assert "0 differences" in clean.stdout

    blob = _blob(daemon)
    content = bytearray(blob.read_bytes())
    content[7] ^= 1
    blob.write_bytes(content)
    assert 0 == fsck(daemon).returncode
    assert 1 == fsck(daemon, "--deep").returncode

    blob.unlink()
    different = fsck(daemon, "-json")
    assert 1 == different.returncode
    [told, summary] = map(json.loads, different.stdout.splitlines())
    assert ("last_missing", "one", BUCKET, "cat.jpg") == (
        told["difference"],
        told["backend"],
        told["bucket"],
        told["key"],
    )
    assert told["advice"]
    assert {"last_missing": 1} == summary["differences"]

    Path(daemon.config["database"]["path"]).unlink()
    nothing = fsck(daemon)
    assert 2 == nothing.returncode
    assert "there is no ledger" in nothing.stderr
    assert not Path(daemon.config["database"]["path"]).exists()
