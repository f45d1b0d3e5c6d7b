"""`sync`: what a person who brings a full backend types first."""

import fcntl
import sqlite3

import pytest

from s3o.cli import main

CONFIG = """\
server: {{listen_addr: "127.0.0.1:0"}}
database: {{driver: sqlite, path: {root}/ledger.db}}
buckets:
  - name: photos
    credentials: [{{token: t}}]
backends:
  - {{name: disk, type: directory, path: {root}/disk, quota_bytes: 1000000000}}
"""
FILES = {
    "2024.d/cat.jpg.b": b"cat",
    "2024.d/dog.jpg.b": b"a dog",
    "top.b": b"t",
}


@pytest.fixture
def root(tmp_path):
    """A configuration, and a directory backend that others have filled."""
    (tmp_path / "config.yaml").write_text(CONFIG.format(root=tmp_path))
    for path, body in FILES.items():
        file = tmp_path / "disk" / "blobs" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    return tmp_path


def sync(root, *flags: str) -> int:
    """Run the command."""
    return main(
        ["sync", "--config", f"{root}/config.yaml", "--backend", "disk", *flags]
    )


def keys(root) -> list[tuple[str, int]]:
    """Key and size of every object in the ledger."""
    connection = sqlite3.connect(root / "ledger.db")
    try:
        return connection.execute("SELECT key, size FROM objects").fetchall()
    finally:
        connection.close()


def test_sync_imports_everything_into_the_bucket(root, capsys):
    """Under the names that the objects have there, and once."""
    assert 0 == sync(root, "--bucket", "photos")
    assert [("2024/cat.jpg", 3), ("2024/dog.jpg", 5), ("top", 1)] == keys(root)
    out = capsys.readouterr().out
    assert "page 1: imported 3, skipped 0" in out
    assert "imported: 3 objects, 9 bytes" in out

    assert 0 == sync(root, "-bucket", "photos")
    assert "imported: 0 objects, 0 bytes" in capsys.readouterr().out
    assert 3 == len(keys(root))


def test_dry_run_writes_no_object(root, capsys):
    """It says the same numbers as the run that follows it."""
    assert 0 == sync(root, "-bucket", "photos", "-dry-run")
    assert [] == keys(root)
    out = capsys.readouterr().out

    assert "would import: 3 objects, 9 bytes" in out
    assert "--dry-run" in out


def test_prefix_is_of_the_names_there(root):
    """And stays a part of the keys."""
    assert 0 == sync(root, "--bucket", "photos", "--prefix", "2024/d")

    assert [("2024/dog.jpg", 5)] == keys(root)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--bucket", "nobodys"), "no bucket 'nobodys'"),
        (("--bucket", "photos", "--backend", "tape"), "no backend 'tape'"),
        (("--bucket", "photos", "--config", "/nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_what_is_not_there_is_said(root, capsys, flags, reason):
    """With exit code 1, in a line."""
    assert 1 == sync(root, *flags)

    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("flags", [(), ("--bucket",), ("--bucket", "a", "--wet-run")])
def test_command_line_without_sense_is_a_usage_error(root, flags):
    """Exit code 2, as everywhere."""
    assert 2 == sync(root, *flags)


def test_running_service_keeps_its_ledger(root, capsys):
    """Two writers of one ledger would be the end of it."""
    with open(root / "ledger.db.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert 1 == sync(root, "--bucket", "photos")

    assert "another process serves from" in capsys.readouterr().err
    assert not (root / "ledger.db").exists()


def test_backend_that_is_gone_is_said(root, capsys):
    """An unmounted disk is no empty one; what is imported is told by the exit code."""
    (root / "disk").rename(root / "elsewhere")
    (root / "disk").write_text("a file")

    assert 1 == sync(root, "--bucket", "photos")
    assert "error:" in capsys.readouterr().err


def test_new_ledger_in_place_of_a_lost_one_imports_nothing(root, capsys):
    """It knows of no delete; `recover` does, from the backups that lie there."""
    name = f"snapshot-00000001-{0:018}-{9:018}-{0:012}-{0:06}l!{0:032}.b"
    backup = root / "disk" / "blobs" / ".s3o.d" / "another.d" / name
    backup.parent.mkdir(parents=True)
    backup.write_bytes(b"")

    assert 1 == sync(root, "--bucket", "photos")
    assert "recover" in capsys.readouterr().err
    assert [] == keys(root)
