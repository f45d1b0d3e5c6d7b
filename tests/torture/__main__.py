"""Kill the service again and again under load: `python -m tests.torture --kills 500`.

Eight clients write, overwrite, copy, delete and upload in parts, each its own keys, so
that per key there is one history; the service runs with copies on two of three
backends, integrity checks, reconciling, rebalancing and backups of the ledger, all at a
hurried pace. After every kill each client reads its keys back: what it reads must be
the last acknowledged value, or one that was sent since. At the end everything comes to
rest, and fsck must find no difference between ledger and backends.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.process.daemon import COMMAND, Daemon, directory_backends
from tests.torture.client import Client
from tests.torture.rest import come_to_rest

CLIENTS = 8
QUOTAS = {"one": 1 << 33, "two": 1 << 33, "three": 1 << 33}
HURRIED: dict[str, Any] = {
    "routing_strategy": "spread",
    "replication": {
        "factor": 2,
        "worker_interval": "1s",
        "batch_size": 200,
        "unhealthy_threshold": "30s",
    },
    "integrity": {
        "enabled": True,
        "verify_on_read": True,
        "scrubber_interval": "3s",
        "scrubber_batch_size": 50,
    },
    "reconcile": {"enabled": True, "interval": "5s"},
    "rebalance": {"enabled": True, "interval": "5s", "threshold": 0.0001},
    "lifecycle": {"rules": [{"prefix": "never/", "expiration_days": 1}]},
    "ledger_backup": {"log_interval": "2s", "snapshot_interval": "30s"},
    "write_path": {"pending_pattern": {"reaper_tick": "1s", "min_age": "1s"}},
    "usage_flush": {"interval": "2s", "fast_interval": "1s"},
    "backend_circuit_breaker": {"enabled": True, "open_timeout": "1s"},
}


def main() -> int:
    """Torture; return 0 if nothing was lost and nothing is left over."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the data folder")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="s3o-torture-"))
    print(f"data in {folder}", flush=True)
    try:
        return torture(folder, kills=given.kills, seed=given.seed)
    finally:
        if not given.keep:
            shutil.rmtree(folder, ignore_errors=True)


def torture(folder: Path, *, kills: int, seed: int) -> int:
    """Kill the service so often; print what happened; return the exit code."""
    daemon = Daemon(folder, backends=directory_backends(folder, QUOTAS), extra=HURRIED)
    daemon.config["server"]["min_part_size"] = 65_536
    chance = random.Random(seed)
    clients = [Client(number, seed) for number in range(CLIENTS)]
    began_s = time.monotonic()
    for number in range(1, kills + 1):
        one_round(
            daemon, clients, chance.choice((0.05, 0.3, 1.0, 3.0)) * chance.random()
        )
        complaints = [text for client in clients for text in client.complaints]
        if complaints:
            print("\n".join(complaints), f"kill {number}, seed {seed}", sep="\n")
            return 1
        if number % 25 == 0:
            tell(number, clients, began_s)
    with daemon:
        come_to_rest(daemon)
        check(daemon, clients)
    complaints = [text for client in clients for text in client.complaints]
    done = subprocess.run(
        [COMMAND, "fsck", "--config", daemon.config_file],
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout, done.stderr)
    tell(kills, clients, began_s)
    print("\n".join(complaints))
    print(f"{kills} kills, {len(complaints)} lost, fsck exit {done.returncode}")
    return 1 if complaints or done.returncode else 0


def tell(number: int, clients: list[Client], began_s: float) -> None:
    """Print how far it is."""
    acknowledged = sum(client.acknowledged for client in clients)
    unanswered = sum(client.unanswered for client in clients)
    print(
        f"{number} kills, {acknowledged} acknowledged, {unanswered} unanswered, "
        f"{time.monotonic() - began_s:.0f} s",
        flush=True,
    )


def one_round(daemon: Daemon, clients: list[Client], load_s: float) -> None:
    """Start, read back, load, kill."""
    stop = threading.Event()
    daemon.start()
    check(daemon, clients)
    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(one.load, daemon.port, stop) for one in clients]
        time.sleep(load_s)
        daemon.kill()
        stop.set()
        for future in running:
            future.result()


def check(daemon: Daemon, clients: list[Client]) -> None:
    """Let every client read its keys back."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda client: client.check(daemon.port), clients))


if __name__ == "__main__":
    sys.exit(main())
