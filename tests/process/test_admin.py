"""The admin command against a running service: flags, tables, JSON, exit codes, TLS."""

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.process.clients import boto
from tests.process.daemon import BUCKET, COMMAND, Daemon, directory_backends

pytestmark = pytest.mark.slow

TOKEN = "a-very-long-admin-token"
UI = {"ui": {"admin_key": "admin", "admin_token": TOKEN}}


def admin(daemon: Daemon, *words: str) -> subprocess.CompletedProcess[str]:
    """Run an admin command into a pipe."""
    return subprocess.run(
        [COMMAND, "admin", "-config", daemon.config_file, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def done(daemon: Daemon, *words: str) -> Any:
    """Run a command that succeeds; return its JSON."""
    run = admin(daemon, *words)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def on_terminal(daemon: Daemon, *words: str) -> str:
    """Run a command on a terminal; return what a person sees."""
    ours, theirs = pty.openpty()
    run = subprocess.Popen(
        [COMMAND, "admin", "-config", daemon.config_file, *words],
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 65536):
            seen += piece
    except OSError:
        pass  # the terminal's other end is closed
    finally:
        os.close(ours)
    assert run.wait(60) == 0, seen
    return seen.decode()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One service with two objects."""
    folder = tmp_path_factory.mktemp("admin")
    quotas = {"one": 1 << 30, "two": 1 << 30}
    one = Daemon(folder, backends=directory_backends(folder, quotas), extra=UI)
    with one:
        client = boto(one)
        client.put_object(Bucket=BUCKET, Key="a b&c/\u00e4", Body=b"x" * 2048)
        yield one


def test_json_into_a_pipe_tables_on_a_terminal(daemon: Daemon) -> None:
    """Scripts read what the service said, people read rows."""
    status = done(daemon, "status")
    seen = on_terminal(daemon, "status")

    assert ["one", "two"] == [one["name"] for one in status["backends"]]
    assert "BACKEND" in seen
    assert "2.0 KiB" in seen
    assert '"db_healthy": true' in on_terminal(daemon, "status", "--json")


@pytest.mark.parametrize("flag", ["-key", "--key"])
def test_flags_have_both_spellings(daemon: Daemon, flag: str) -> None:
    """And keys are escaped on the way."""
    found = done(daemon, "object-locations", flag, f"{BUCKET}/a b&c/\u00e4")

    assert (2048, "one") == (found["size"], found["locations"][0]["backend"])


def test_every_showing_command_has_a_table(daemon: Daemon) -> None:
    """Nothing that is documented ends in a traceback."""
    for words in (
        ("cleanup-queue",),
        ("dlq", "list"),
        ("dlq", "retry", "--all"),
        ("dlq", "write-off", "--all"),
        ("lifecycle",),
        ("replicate",),
        ("over-replication", "--execute", "--batch-size", "200"),
        ("rebalance",),
        ("scrub", "-batch-size", "10"),
        ("backfill-checksums",),
        ("reconcile", "-backend", "one"),
        ("drain-status", "one"),
        ("remove-backend", "one", "--purge"),
        ("jobs",),
        ("object-locations", "-key", f"{BUCKET}/a b&c/\u00e4"),
    ):
        assert "Traceback" not in on_terminal(daemon, *words)
        done(daemon, *words)


def test_log_level_is_set_and_refused(daemon: Daemon) -> None:
    """Exit code 1 and the reason for what is no level."""
    changed = done(daemon, "log-level", "-set", "debug")
    wrong = admin(daemon, "log-level", "--set", "loud")
    after = done(daemon, "log-level")
    done(daemon, "log-level", "--set", "info")

    assert {"level": "debug"} == changed == after
    assert 1 == wrong.returncode
    assert "unknown log level 'loud'" in wrong.stderr


def test_failures_are_exit_code_1_with_the_reason(daemon: Daemon) -> None:
    """For whoever scripts it."""
    missing = admin(daemon, "object-locations", "-key", f"{BUCKET}/none")
    nobody = admin(daemon, "-addr", "127.0.0.1:1", "status")
    job = admin(daemon, "job", "unknown")

    assert (1, 1, 1) == (missing.returncode, nobody.returncode, job.returncode)
    assert "no such object" in missing.stderr
    assert "no such object" == json.loads(missing.stdout)["error"]
    assert "is it running" in nobody.stderr


def test_admin_acts_are_audited_without_the_token(daemon: Daemon) -> None:
    """Who did what, from where."""
    done(daemon, "usage-flush")
    lines = [json.loads(line) for line in daemon.logs().splitlines()]
    acts = [line for line in lines if line.get("event") == "admin.UsageFlush"]

    assert acts
    assert acts[-1]["remote"].startswith("127.0.0.1:")
    assert TOKEN not in daemon.logs()


def test_over_tls_only_the_configured_certificate_is_believed(tmp_path: Path) -> None:
    """Whoever else answers there must not be shown the token."""
    with Daemon(tmp_path, tls=True, extra=UI) as daemon:
        assert done(daemon, "status")["db_healthy"] is True
        ca = str(daemon.ca_file)
        assert done(daemon, "-ca-file", ca, "status")["db_healthy"] is True
        daemon._make_certificate()  # another one, in the same files
        wrong = admin(daemon, "status")
        anybody = done(daemon, "-insecure", "status")

    assert (1, True) == (wrong.returncode, anybody["db_healthy"])
    assert "certificate" in wrong.stderr.lower()
