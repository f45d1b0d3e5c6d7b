"""Memory does not depend on the size of objects, and little on their number at once.

Bodies are made and dropped on the way, so that neither end holds one; what is measured
is the service's resident memory, sampled while the transfers run.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.process.daemon import Daemon
from tests.process.raw import RawClient

pytestmark = pytest.mark.slow

MIB = 1 << 20
PIECE = bytes(range(256)) * (MIB // 256)
LARGE_PIECES = 2048  # of 1 MiB
CLIENTS, PIECES_EACH = 64, 64
GROWTH_LIMIT, CROWD_LIMIT = 64 * MIB, 400 * MIB


class Peak:
    """The most resident memory seen between start and end. Owns: a thread."""

    def __init__(self, daemon: Daemon) -> None:
        self.bytes = 0
        self._daemon = daemon
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            self.bytes = max(self.bytes, self._daemon.rss_bytes())

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def pieces(count: int) -> Iterator[bytes]:
    """Make a body that is never all there."""
    for _ in range(count):
        yield PIECE


def put(daemon: Daemon, key: str, count: int) -> None:
    """Store a body of count MiB."""
    with RawClient(daemon.port, timeout_s=300) as client:
        status, answer = client.ask("PUT", key, pieces(count), count * MIB)
    assert status == 200, (key, status, answer)


def get_size(daemon: Daemon, key: str) -> int:
    """Read a body, compare and drop it; return its size."""
    size, piece = 0, bytearray(MIB)
    with RawClient(daemon.port, timeout_s=300) as client:
        answer = client.send("GET", key)
        assert answer.status == 200
        while count := answer.readinto(piece):
            begin = size % 256
            assert PIECE[begin : begin + 64] == piece[:64] or count < 64
            size += count
    return size


def test_a_large_object_passes_through(
    tmp_path: Path,
) -> None:
    """2 GiB in and out on a machine with far less to spare."""
    with Daemon(tmp_path) as daemon:
        put(daemon, "warm", 8)
        assert 8 * MIB == get_size(daemon, "warm")
        before = daemon.rss_bytes()

        with Peak(daemon) as peak:
            put(daemon, "large", LARGE_PIECES)
            assert LARGE_PIECES * MIB == get_size(daemon, "large")

        with RawClient(daemon.port) as client:
            assert 204 == client.ask("DELETE", "large")[0]
    growth = peak.bytes - before
    print(f"growth {growth / MIB:.1f} MiB over {before / MIB:.1f} MiB")
    assert growth < GROWTH_LIMIT


def test_a_crowd_of_uploads_fits(
    tmp_path: Path,
) -> None:
    """A backup job with all its threads at once."""
    with Daemon(tmp_path) as daemon:
        with Peak(daemon) as peak, ThreadPoolExecutor(CLIENTS) as pool:
            running = [
                pool.submit(put, daemon, f"crowd/{number}", PIECES_EACH)
                for number in range(CLIENTS)
            ]
            for future in running:
                future.result()
        with RawClient(daemon.port) as client:
            for number in range(CLIENTS):
                assert 204 == client.ask("DELETE", f"crowd/{number}")[0]
    print(f"peak {peak.bytes / MIB:.1f} MiB")
    assert peak.bytes < CROWD_LIMIT
