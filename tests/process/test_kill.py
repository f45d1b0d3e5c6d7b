"""kill -9 under load, again and again: no acknowledged write is lost, no byte leaks.

Each client thread owns its keys, so per key there is one history: the last value that
was acknowledged, followed by those that were sent since without an answer. What a
restarted service shows must be in it, and never goes back in it.
"""

import contextlib
import hashlib
import http.client
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.process.daemon import Daemon, directory_backends
from tests.process.raw import RawClient

pytestmark = pytest.mark.slow

ROUNDS, THREADS, KEYS_PER_THREAD = 50, 8, 6
SEED = 20250806
SETTLE_S = 60.0
ABSENT = ""  # the digest of a key that does not exist


class Worker:
    """One client: its keys, their histories, its own chance."""

    def __init__(self, number: int) -> None:
        self.random = random.Random(SEED * 100 + number)
        keys = [f"w{number}/{index}" for index in range(KEYS_PER_THREAD)]
        self.history: dict[str, list[str]] = {key: [ABSENT] for key in keys}
        self.acknowledged = 0
        self.unanswered = 0
        self._written = 0

    def load(self, port: int, stop: threading.Event) -> None:
        """Write and delete until the service dies under it."""
        with RawClient(port) as client:
            while not stop.is_set():
                try:
                    self._write(client)
                except (OSError, http.client.HTTPException):
                    self.unanswered += 1
                    return

    def _write(self, client: RawClient) -> None:
        key = self.random.choice(list(self.history))
        body, digest = b"", ABSENT
        if self.random.random() < 0.75:
            body = self._body(key)
            digest = hashlib.sha256(body).hexdigest()
        self.history[key].append(digest)
        status, answer = client.ask("PUT" if body else "DELETE", key, body)
        assert status in (200, 204), (key, status, answer)
        self.history[key] = [digest]
        self.acknowledged += 1

    def _body(self, key: str) -> bytes:
        self._written += 1
        is_large = self.random.random() < 0.03
        size = 1_000_000 if is_large else self.random.randint(1000, 20_000)
        label = f"{key} {self._written} ".encode()
        return (label * (size // len(label) + 1))[:size]

    def check(self, port: int) -> None:
        """Read every key back."""
        with RawClient(port) as client:
            for key, history in self.history.items():
                status, body = client.ask("GET", key)
                assert status in (200, 404), (key, status, body)
                is_there = status == 200
                digest = hashlib.sha256(body).hexdigest() if is_there else ABSENT
                assert digest in history, f"{key}: {status}, {len(body)} bytes"
                self.history[key] = history[history.index(digest) :]


def one_round(daemon: Daemon, workers: list[Worker], load_s: float) -> None:
    """Start, read back, load, kill."""
    stop = threading.Event()
    daemon.start()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda worker: worker.check(daemon.port), workers))
        running = [pool.submit(worker.load, daemon.port, stop) for worker in workers]
        time.sleep(load_s)
        daemon.kill()
        stop.set()
        for future in running:
            future.result()


@contextlib.contextmanager
def ledger(daemon: Daemon) -> Iterator[sqlite3.Connection]:
    """Open the ledger's file for reading beside the service."""
    uri = f"file:{daemon.folder / 'ledger.db'}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        yield connection


def settle(daemon: Daemon) -> None:
    """Wait until no write is undecided and no delete is owed."""
    deadline = time.monotonic() + SETTLE_S
    with RawClient(daemon.port) as client:
        while time.monotonic() < deadline:
            # A delete wakes the cleanup queue.
            client.ask("PUT", "poke", b"x")
            client.ask("DELETE", "poke")
            with ledger(daemon) as database:
                pending = "SELECT count(*) FROM pending_objects"
                owed = (
                    "SELECT count(*) FROM cleanup_queue"
                    " WHERE is_ambiguous = 0 AND object_key <> 'poke'"
                )
                halves = "SELECT count(*) FROM ledger_backups WHERE state <> 'whole'"
                left = [
                    database.execute(query).fetchone()[0]
                    for query in (pending, owed, halves)
                ]
            if left[0] == left[2] == 0 and left[1] <= 1:  # the poke's own
                return
            time.sleep(1)
    raise AssertionError(f"not settled in {SETTLE_S} s: {left}")


def stored_names(folder: Path) -> dict[str, int]:
    """Return the blobs below a directory backend, each with its size."""
    root = folder / "blobs"
    return {
        path.relative_to(root).as_posix().replace(".d/", "/").removesuffix(".b"): (
            path.stat().st_size
        )
        for path in root.rglob("*.b")
    }


def assert_ledger_is_true(daemon: Daemon, backend: str) -> None:
    """Every file has its row, every row its file, and the quota is their sum."""
    files = stored_names(daemon.folder / backend)
    with ledger(daemon) as database:

        def rows(query: str) -> dict[str, int]:
            return dict(database.execute(query, (backend,)).fetchall())

        located = rows(
            "SELECT storage_key, stored_bytes FROM object_locations"
            " WHERE backend_name = ?"
        ) | rows(
            "SELECT storage_key, stored_bytes FROM ledger_backups"
            " WHERE backend_name = ?"
        )
        owed = rows(
            "SELECT storage_key, size_bytes FROM cleanup_queue WHERE backend_name = ?"
        )
        quota = database.execute(
            "SELECT sum(bytes_used), sum(bytes_reserved), sum(orphan_bytes)"
            " FROM backend_quotas WHERE backend_name = ?",
            (backend,),
        ).fetchone()
    kept = {name: size for name, size in files.items() if name not in owed}
    assert located == kept
    assert (sum(located.values()), 0, sum(owed.values())) == quota


def test_no_acknowledged_write_is_lost(tmp_path: Path) -> None:
    """The promise of every 200; and what the dead left behind is cleared away."""
    daemon = Daemon(
        tmp_path,
        backends=directory_backends(tmp_path, {"one": 1 << 40, "two": 1 << 40}),
        extra={
            "routing_strategy": "spread",
            "write_path": {"pending_pattern": {"reaper_tick": "1s", "min_age": "1s"}},
            "ledger_backup": {"log_interval": "1s"},
        },
    )
    chance = random.Random(SEED)
    workers = [Worker(number) for number in range(THREADS)]

    for _ in range(ROUNDS):
        one_round(daemon, workers, chance.uniform(0.05, 0.6))
    with daemon:
        settle(daemon)
        for worker in workers:
            worker.check(daemon.port)

    assert_ledger_is_true(daemon, "one")
    assert_ledger_is_true(daemon, "two")
    assert sum(worker.acknowledged for worker in workers) > 10 * ROUNDS
    assert sum(worker.unanswered for worker in workers) > ROUNDS
