"""The ledger's file is deleted, or an old copy put in its place: recover mends it."""

import json
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process.clients import boto
from tests.process.daemon import BUCKET, COMMAND, Daemon, directory_backends
from tests.process.test_kill import assert_ledger_is_true

pytestmark = pytest.mark.slow

QUICK = {"ledger_backup": {"log_interval": "1s"}}
PART = 5 << 20


def make_daemon(folder: Path) -> Daemon:
    """Two directory backends, a log every second."""
    quotas = {"one": 1 << 40, "two": 1 << 40}
    return Daemon(
        folder,
        backends=directory_backends(folder, quotas),
        extra={**QUICK, "routing_strategy": "spread"},
    )


def recover(daemon: Daemon, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run the command as an operator does."""
    return subprocess.run(
        [COMMAND, "recover", "--config", daemon.config_file, *flags],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def lose(daemon: Daemon) -> None:
    """Delete the ledger's file and all that belongs to it."""
    for path in daemon.folder.glob("ledger.db*"):
        path.unlink()


def wait_for(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, half a minute at most."""
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def logged_through(daemon: Daemon) -> int:
    """The last sequence that a backup tells of."""
    uri = f"file:{daemon.folder / 'ledger.db'}?mode=ro"
    with sqlite3.connect(uri, uri=True) as ledger:
        [row] = ledger.execute(
            "SELECT COALESCE(MAX(through_sequence), 0) FROM ledger_backups"
            " WHERE state = 'whole'"
        )
        return int(row[0])


def sequence(daemon: Daemon) -> int:
    """The last sequence that was drawn."""
    uri = f"file:{daemon.folder / 'ledger.db'}?mode=ro"
    with sqlite3.connect(uri, uri=True) as ledger:
        [row] = ledger.execute("SELECT value FROM ledger_sequence")
        return int(row[0])


def fill(daemon: Daemon) -> dict[str, tuple[object, ...]]:
    """Store, describe, overwrite and delete; return what must be there at the end."""
    s3 = boto(daemon)
    for number in range(60):
        s3.put_object(
            Bucket=BUCKET,
            Key=f"dir/ö {number}",
            Body=b"first " * number,
            Metadata={"number": str(number)},
            ContentType="text/plain",
            CacheControl="no-cache",
            Tagging=f"n={number}",
        )
    for number in range(0, 60, 3):
        s3.delete_object(Bucket=BUCKET, Key=f"dir/ö {number}")
    for number in range(1, 60, 3):
        s3.put_object(Bucket=BUCKET, Key=f"dir/ö {number}", Body=b"second")
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="parts")["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(
                Bucket=BUCKET,
                Key="parts",
                UploadId=upload,
                PartNumber=number,
                Body=bytes([number]) * PART,
            )["ETag"],
        }
        for number in (1, 2, 3)
    ]
    s3.complete_multipart_upload(
        Bucket=BUCKET, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    return snapshot(daemon)


def snapshot(daemon: Daemon) -> dict[str, tuple[object, ...]]:
    """Everything that a client can see."""
    s3 = boto(daemon)
    seen: dict[str, tuple[object, ...]] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for entry in page.get("Contents", []):
            key = entry["Key"]
            got = s3.get_object(Bucket=BUCKET, Key=key)
            tags = s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]
            seen[key] = (
                got["ETag"],
                got["LastModified"],
                got["ContentType"],
                got.get("CacheControl"),
                tuple(sorted(got["Metadata"].items())),
                json.dumps(tags),
                got["Body"].read(),
            )
    return seen


def test_deleted_ledger_comes_back_with_every_object(tmp_path: Path) -> None:
    """Metadata, tags and dates with them; what was deleted stays deleted."""
    daemon = make_daemon(tmp_path)
    with daemon:
        expected = fill(daemon)
        wait_for(lambda: logged_through(daemon) == sequence(daemon))
        daemon.kill()
    lose(daemon)

    dry = recover(daemon, "--dry-run")
    assert 0 == dry.returncode, dry.stderr
    assert "nothing was changed" in dry.stdout
    assert not (tmp_path / "ledger.db").exists()
    done = recover(daemon, "-json")
    assert 0 == done.returncode, done.stderr
    assert 0 == json.loads(done.stdout)["gone"]["count"]
    with daemon:
        assert expected == snapshot(daemon)
        boto(daemon).put_object(Bucket=BUCKET, Key="new", Body=b"works")
    assert_ledger_is_true(daemon, "one")
    assert_ledger_is_true(daemon, "two")


def test_old_copy_of_the_ledger_is_noticed_and_replaced(tmp_path: Path) -> None:
    """It serves, but deletes nothing, until recover has run; the old file is kept."""
    daemon = make_daemon(tmp_path)
    with daemon:
        boto(daemon).put_object(Bucket=BUCKET, Key="early", Body=b"1")
        daemon.stop()
    shutil.copy(tmp_path / "ledger.db", tmp_path / "copy")
    with daemon:
        expected = fill(daemon)
        wait_for(lambda: logged_through(daemon) == sequence(daemon))
        daemon.kill()
    lose(daemon)
    shutil.copy(tmp_path / "copy", tmp_path / "ledger.db")
    with daemon:
        wait_for(lambda: "nothing is deleted until an operator" in daemon.logs())
        running = recover(daemon)
        assert 1 == running.returncode
        assert "another process serves" in running.stderr

    done = recover(daemon)
    assert 0 == done.returncode, done.stderr
    assert list(tmp_path.glob("ledger.db.before-recovery-*"))
    said = len(daemon.logs())
    with daemon:
        assert expected == snapshot(daemon)
    assert "until an operator" not in daemon.logs()[said:]


def test_what_cannot_be_recovered_is_said(tmp_path: Path) -> None:
    """No backup, no backend, no such configuration: a sentence and exit code 1."""
    daemon = make_daemon(tmp_path)
    with daemon:
        daemon.stop()
    for flags, words in (
        ((), "no backend holds a backup"),
        (("--without", "three"), "no backend 'three'"),
    ):
        done = recover(daemon, *flags)
        assert 1 == done.returncode
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    shutil.rmtree(tmp_path / "one")
    (tmp_path / "one").write_text("a file")
    assert 1 == recover(daemon).returncode
