"""Wait until nothing is undecided, owed, or under way any more."""

import contextlib
import sqlite3
import time

from tests.process.daemon import Daemon

REST_S = 300.0
WAITING = {
    "intents": "SELECT count(*) FROM pending_objects",
    "deletes": "SELECT count(*) FROM cleanup_queue WHERE is_ambiguous = 0",
    "halves of backups": "SELECT count(*) FROM ledger_backups WHERE state <> 'whole'",
    "blobs with too few copies": (
        "SELECT count(*) FROM (SELECT 1 FROM object_locations WHERE state = 'live'"
        " GROUP BY version_id, blob HAVING count(*) < 2)"
    ),
    "blobs with too many copies": (
        "SELECT count(*) FROM (SELECT 1 FROM object_locations"
        " GROUP BY version_id, blob HAVING count(*) > 2)"
    ),
    "suspect copies": "SELECT count(*) FROM object_locations WHERE state <> 'live'",
}


def come_to_rest(daemon: Daemon) -> None:
    """Wait; AssertionError tells what does not end."""
    deadline = time.monotonic() + REST_S
    uri = f"file:{daemon.folder / 'ledger.db'}?mode=ro"
    while True:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as ledger:
            left = {
                name: count
                for name, query in WAITING.items()
                if (count := ledger.execute(query).fetchone()[0])
            }
        if not left:
            return
        assert time.monotonic() < deadline, f"no rest: {left}"
        time.sleep(1)
