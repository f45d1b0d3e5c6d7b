"""A backend is drained while the service dies by kill -9: nothing is lost or left."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.process.daemon import Daemon, directory_backends
from tests.process.raw import RawClient
from tests.process.test_kill import assert_ledger_is_true, ledger, settle, stored_names

pytestmark = pytest.mark.slow

OBJECTS, THREADS = 2_000, 8
MOVED_BEFORE_DEATH = 300
DRAIN_S = 120.0
TOKEN = "a-long-admin-token"


def body_of(number: int) -> bytes:
    """Bytes that no other object has."""
    return f"object {number} ".encode() * (1 + number % 40)


def ask(daemon: Daemon, method: str, path: str) -> dict[str, Any]:
    """Ask the admin API."""
    headers = {"X-Admin-Token": TOKEN}
    if method == "POST":
        headers["Content-Length"] = "0"
    status, _, body = daemon.request(method, f"/admin/api{path}", headers)
    assert status < 300, body
    found: dict[str, Any] = json.loads(body)
    return found


def each(daemon: Daemon, act: Any) -> None:
    """Let several clients do something for every object."""

    def work(worker: int) -> None:
        with RawClient(daemon.port) as client:
            for number in range(worker, OBJECTS, THREADS):
                act(client, number)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))


def store(client: RawClient, number: int) -> None:
    """Store an object."""
    status, answer = client.ask("PUT", f"k{number:04}", body_of(number))
    assert status == 200, answer


def check(client: RawClient, number: int) -> None:
    """Read it back."""
    assert (200, body_of(number)) == client.ask("GET", f"k{number:04}")


def wait_for(daemon: Daemon, is_enough: Any) -> dict[str, Any]:
    """Ask for the drain's status until it is enough."""
    deadline = time.monotonic() + DRAIN_S
    while time.monotonic() < deadline:
        status = ask(daemon, "GET", "/backends/one/drain")
        if is_enough(status):
            return status
        time.sleep(0.05)
    raise AssertionError(status)


def test_a_drain_survives_kill_9(tmp_path: Path) -> None:
    """Bytes, rows and sums are exact, on both sides, and every object is there once."""
    daemon = Daemon(
        tmp_path,
        backends=directory_backends(tmp_path, {"one": 1 << 40, "two": 1 << 40}),
        extra={
            "ui": {"admin_key": "admin", "admin_token": TOKEN},
            "write_path": {"pending_pattern": {"min_age": "2s", "reaper_tick": "1s"}},
        },
    ).start()
    each(daemon, store)
    assert "two" not in {row["backend"] for row in located(daemon)}
    ask(daemon, "POST", "/backends/one/drain")
    before = wait_for(
        daemon,
        lambda status: status["objects_remaining"] < OBJECTS - MOVED_BEFORE_DEATH,
    )
    daemon.kill()
    assert before["active"], "it was over before its death"
    daemon.start()
    with RawClient(daemon.port) as client:
        store(client, 0)  # nothing new goes there, from the first request on
    ended = wait_for(daemon, lambda status: not status["active"])

    assert ("drained", 0, 0) == (
        ended["state"],
        ended["objects_remaining"],
        ended["bytes_remaining"],
    )
    each(daemon, check)
    settle(daemon)
    assert {} == stored_names(tmp_path / "one")
    rows = located(daemon)
    assert OBJECTS == len(rows)
    assert {"two"} == {row["backend"] for row in rows}
    assert OBJECTS == len({row["version"] for row in rows})
    for backend in ("one", "two"):
        assert_ledger_is_true(daemon, backend)
    assert {"status": "backend removed", "backend": "one"} == ask(
        daemon, "DELETE", "/backends/one"
    )
    assert 0 == daemon.stop()
    changes = [
        line["event"]
        for line in daemon.log_lines()
        if line.get("event", "").startswith(("storage.DrainC", "storage.RemoveB"))
    ]
    assert ["storage.DrainComplete", "storage.RemoveBackend"] == changes


def located(daemon: Daemon) -> list[dict[str, str]]:
    """Return where the ledger says that every blob is."""
    with ledger(daemon) as database:
        found = database.execute(
            "SELECT backend_name, version_id FROM object_locations"
        ).fetchall()
    return [{"backend": backend, "version": version} for backend, version in found]
