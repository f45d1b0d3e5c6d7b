"""kill -9 in the middle of group commits: what was acknowledged is there."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from s3o.ledger.audit import audit
from s3o.ledger.objects import find_object
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.model.names import BucketId, ObjectKey
from tests.ledger.house import NOW_US

_PROGRAM = """
import sys
from pathlib import Path
import trio
from s3o.ledger.sqlite import open_sqlite
from tests.ledger.house import NOW_US, furnish

async def client(writer, name):
    for n in range(1_000_000):
        committed = await writer.put(f"{name}/{n % 7}", n)
        print(committed.version.key, committed.version.size, flush=True)

async def main():
    async with open_sqlite(Path(sys.argv[1]), now_us=NOW_US, on_broken=print) as engine:
        writer = await furnish(engine, {"one": 0})
        async with trio.open_nursery() as nursery:
            for name in "abcdefgh":
                nursery.start_soon(client, writer, name)

trio.run(main)
"""


@pytest.mark.parametrize("acknowledged", [1, 40, 200])
async def test_what_was_acknowledged_survives_kill_9(
    tmp_path: Path, acknowledged: int
) -> None:
    """The whole point of a ledger."""
    path = tmp_path / "ledger.db"
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(path)],
        stdout=subprocess.PIPE,
        cwd=os.getcwd(),
        text=True,
    )
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 15)[0]
    lines = [process.stdout.readline() for _ in range(acknowledged)]
    process.send_signal(signal.SIGKILL)
    lines += process.stdout.read().splitlines(keepends=True)
    process.stdout.close()
    process.wait()

    connection = open_inline(path, now_us=NOW_US)
    engine = InlineEngine(connection)
    told: dict[str, int] = {}
    for line in lines:
        if line.endswith("\n"):
            key, size = line.split()
            told[key] = int(size)
    assert told
    for key, size in told.items():
        found = await engine.read(
            lambda tx, key=key: find_object(tx, BucketId(1), ObjectKey(key))
        )
        assert found is not None
        assert size <= found.version.size  # a later one may not have been told
    assert [] == await engine.scan(audit)
    connection.close()
