"""Three real S3 servers, two copies of everything; one server is killed under load."""

import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.process.daemon import Daemon, free_port
from tests.process.raw import RawClient

pytestmark = [pytest.mark.slow, pytest.mark.real]

OBJECTS, READERS = 40, 3
PATIENCE_S = 90.0
GOOD = (
    "SELECT o.key, l.backend_name, l.storage_key FROM objects AS o"
    " JOIN object_locations AS l ON l.version_id = o.version_id"
    " WHERE l.state = 'live' AND l.verified_at IS NOT NULL"
)


def body_of(number: int) -> bytes:
    """Bytes that no other object has."""
    return f"object {number} ".encode() * (1000 + number)


class Provider:
    """rclone's S3 server over a folder that outlives it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.port = free_port()
        self.data = folder / f"provider-{name}"
        (self.data / "ours").mkdir(parents=True)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Serve; return when it listens."""
        log = (self.data.parent / f"{self.name}.log").open("ab")
        self.process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("rclone")),
                *("serve", "s3", str(self.data)),
                *("--addr", f"127.0.0.1:{self.port}"),
                *("--auth-key", "rclonekey,rclonesecret", "--config", "/dev/null"),
            ],
            stdout=log,
            stderr=log,
        )
        log.close()
        wait_until(self._listens, f"{self.name} listens")

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def settings(self) -> dict[str, Any]:
        """The backend's section."""
        return {
            "name": self.name,
            "endpoint": f"http://127.0.0.1:{self.port}",
            "bucket": "ours",
            "access_key_id": "rclonekey",
            "secret_access_key": "rclonesecret",
            "force_path_style": True,
            "quota_bytes": 1 << 30,
        }

    def names(self) -> set[str]:
        """Every blob that lies there, backups of the ledger left out."""
        root = self.data / "ours"
        names = {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}
        return {name for name in names if not name.startswith(".s3o/")}


@contextmanager
def providers(folder: Path) -> Iterator[dict[str, Provider]]:
    """Three of them."""
    with ExitStack() as stack:
        found = {name: Provider(folder, name) for name in ("one", "two", "three")}
        for one in found.values():
            stack.callback(one.kill)
            one.start()
        yield found


@dataclass
class Load:
    """Clients that read and write all the time, and what went wrong for them."""

    daemon: Daemon
    failures: list[str] = field(default_factory=list)
    reads: int = 0
    writes: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def read(self, seed: int) -> None:
        """Read objects that are there."""
        chance = Random(seed)
        with RawClient(self.daemon.port) as client:
            while not self.over.is_set():
                number = chance.randrange(OBJECTS)
                status, body = client.ask("GET", f"k{number}")
                if (status, body) != (200, body_of(number)):
                    self.failures.append(f"GET k{number}: {status}")
                self.reads += 1

    def write(self) -> None:
        """Write new objects."""
        with RawClient(self.daemon.port) as client:
            while not self.over.is_set():
                status, _ = client.ask("PUT", f"w{self.writes}", body_of(self.writes))
                if status != 200:
                    self.failures.append(f"PUT w{self.writes}: {status}")
                self.writes += 1
                time.sleep(0.1)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let them work meanwhile."""
        threads = [
            threading.Thread(target=self.read, args=(seed,)) for seed in range(READERS)
        ]
        threads.append(threading.Thread(target=self.write))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join()


def wait_until(is_true: Callable[[], bool], what: str) -> float:
    """Wait for something outside; return how long it took."""
    began = time.monotonic()
    while not is_true():
        assert time.monotonic() - began < PATIENCE_S, f"never: {what}"
        time.sleep(0.1)
    return time.monotonic() - began


def good_copies(daemon: Daemon) -> dict[str, set[str]]:
    """On which backends each object has good copies, as the ledger has it."""
    with sqlite3.connect(
        f"file:{daemon.folder / 'ledger.db'}?mode=ro", uri=True
    ) as file:
        found: dict[str, set[str]] = {}
        for key, backend, _ in file.execute(GOOD):
            found.setdefault(key, set()).add(backend)
    return found


def count(daemon: Daemon, query: str) -> int:
    """Ask the ledger for one number."""
    with sqlite3.connect(
        f"file:{daemon.folder / 'ledger.db'}?mode=ro", uri=True
    ) as file:
        return int(file.execute(query).fetchone()[0])


def has_copies(daemon: Daemon, without: str = "") -> bool:
    """Whether every old object has two copies, not counting one backend's.

    One that is written just now has its second copy a second later.
    """
    found = good_copies(daemon)
    old = [found.get(f"k{number}", set()) for number in range(OBJECTS)]
    return all(len(on - {without}) >= 2 for on in old)


OWED = "SELECT COUNT(*) FROM cleanup_queue WHERE is_ambiguous = 0"


def is_tidy(daemon: Daemon) -> bool:
    """Whether every object has two copies exactly, and nothing waits.

    What was under way when the provider died is deleted again for a day.
    """
    return (
        all(len(on) == 2 for on in good_copies(daemon).values())
        and count(daemon, OWED) == 0
        and count(daemon, "SELECT COUNT(*) FROM pending_objects") == 0
    )


@pytest.mark.parametrize("write_copies", [False, True])
def test_a_provider_dies_under_load(tmp_path: Path, write_copies: bool) -> None:
    """No read fails; two reachable copies again after the threshold; two in the end."""
    with providers(tmp_path) as three:
        daemon = Daemon(
            tmp_path,
            backends=[one.settings() for one in three.values()],
            extra={
                "server": {"backend_timeout": "3s"},
                "replication": {
                    "factor": 2,
                    "worker_interval": "1s",
                    "unhealthy_threshold": "3s",
                    "write_copies": write_copies,
                },
                "backend_circuit_breaker": {
                    "enabled": True,
                    "failure_threshold": 3,
                    "open_timeout": "1s",
                },
            },
        )
        with daemon:
            with RawClient(daemon.port) as client:
                for number in range(OBJECTS):
                    assert client.ask("PUT", f"k{number}", body_of(number))[0] == 200
            first_s = wait_until(lambda: has_copies(daemon), "two copies")
            load = Load(daemon)
            with load.running():
                time.sleep(1)
                three["one"].kill()
                restored_s = wait_until(
                    lambda: has_copies(daemon, without="one"), "two reachable copies"
                )
            three["one"].start()
            tidy_s = wait_until(lambda: is_tidy(daemon), "two copies and no more")
            print(
                f"copies after {first_s:.1f} s, restored after {restored_s:.1f} s,"
                f" tidy after {tidy_s:.1f} s; {load.reads} reads, {load.writes} writes"
            )

            assert [] == load.failures
            assert load.reads > OBJECTS
            told: dict[str, set[str]] = {}
            with sqlite3.connect(tmp_path / "ledger.db") as file:
                for _, backend, name in file.execute(GOOD):
                    told.setdefault(backend, set()).add(name)
            wait_until(
                lambda: told == {n: p.names() for n, p in three.items() if p.names()},
                "the providers hold what the ledger says",
            )
            with RawClient(daemon.port) as client:
                for number in range(OBJECTS):
                    assert (200, body_of(number)) == client.ask("GET", f"k{number}")
