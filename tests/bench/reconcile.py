"""Compare a backend's listing with the ledger, both of many names; print what it costs.

    python -m tests.bench.reconcile 1000000

The ledger is a file as the service has it. Every hundredth name is only listed, another
hundredth only in the ledger. Printed are seconds, the peak of the process's memory in
MiB, and what was found.
"""

import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import trio

from s3o.ledger.ledger import Ledger
from s3o.ledger.quotas import sync_quotas
from s3o.ledger.sqlite import open_sqlite
from s3o.model.names import BackendName, ObjectKey, WriteId, make_storage_key
from s3o.model.values import BlobPage, ListedBlob
from s3o.policy.breaker import CircuitBreaker
from s3o.policy.importing import map_by_prefix
from s3o.services.ledger_upkeep import LedgerUpkeep
from s3o.services.reconcile_counts import Reconciled
from s3o.services.reconciler import ReconcilePace, Reconciler
from tests.backends.rig import make_rig
from tests.fakes.clock import START_US
from tests.fakes.entropy import SeededEntropy
from tests.ledger.house import PHOTOS

ONE = BackendName("a")
SIZE = 1000
OLD_US = START_US - 86_400_000_000


def name_of(number: int) -> str:
    """Return the number-th name, in byte order."""
    key = ObjectKey(f"2024/{number // 1000:06d}/image-{number:09d}.jpg")
    return make_storage_key(PHOTOS, key, WriteId(f"{number:032x}"))


def fill(path: Path, count: int) -> None:
    """Give the ledger count locations on one backend, but each hundredth."""
    connection = sqlite3.connect(path)

    def locations() -> Iterator[tuple[object, ...]]:
        for number in range(count):
            if number % 100 != 1:
                yield (f"{number:032x}", 0, ONE, name_of(number), SIZE, OLD_US)

    with connection:
        connection.executemany(
            "INSERT INTO object_locations (version_id, blob, backend_name,"
            " storage_key, stored_bytes, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            locations(),
        )
    connection.close()


class GeneratedListing:
    """A backend's listing that nobody holds; the token is the next number."""

    def __init__(self, count: int) -> None:
        self.count = count

    async def list_page(
        self, prefix: str, token: str | None = None, limit: int = 1000
    ) -> BlobPage:
        """The next names, without each hundredth."""
        await trio.lowlevel.checkpoint()
        start = int(token or 0)
        stop = min(start + limit, self.count)
        return BlobPage(
            blobs=tuple(
                ListedBlob(name=name_of(number), stored_bytes=SIZE)
                for number in range(start, stop)
                if number % 100 != 2
            ),
            next_token=str(stop) if stop < self.count else None,
        )


async def compare(path: Path, count: int) -> tuple[Reconciled, float]:
    """Make the ledger and one pass over it; return what it found, and seconds."""
    rig = make_rig(ONE)
    listing = GeneratedListing(count)
    rig.inner[ONE].list_page = listing.list_page  # type: ignore[method-assign]
    async with open_sqlite(path, now_us=START_US, on_broken=print) as engine:
        await engine.write(lambda tx: sync_quotas(tx, {ONE: 0}))
    await trio.to_thread.run_sync(fill, path, count)
    async with open_sqlite(path, now_us=START_US, on_broken=print) as engine:
        ledger = Ledger(
            engine,
            CircuitBreaker(failure_threshold=3, open_timeout_s=15.0),
            rig.observer,
            rig.clock,
            SeededEntropy(0, "ledger"),
        )
        stopping = trio.Event()
        upkeep = LedgerUpkeep(ledger, rig.observer, rig.clock, stopping=stopping)
        reconciler = Reconciler(
            ledger,
            rig.fleet,
            rig.observer,
            rig.clock,
            SeededEntropy(0, "reconciler"),
            mapper=lambda: map_by_prefix({}),
            count_time=upkeep.note_clocks,
            pace=ReconcilePace,
            poke_cleanup=lambda: None,
            stopping=stopping,
        )
        began_s = time.perf_counter()
        done = await reconciler.reconcile(None)
        return done, time.perf_counter() - began_s


def main() -> None:
    """Print the figures."""
    count = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        done, seconds = trio.run(compare, Path(folder) / "ledger.db", count)
    peak_mib = _peak_kib() / 1024
    print(f"{seconds:.1f} {peak_mib:.0f} {done.missing} {done.unknown} {done.errors}")


def _peak_kib() -> int:
    """The most memory it held: of itself, unlike ru_maxrss, which exec inherits."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)


if __name__ == "__main__":
    main()
