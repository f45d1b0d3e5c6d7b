"""LIST in CPU time: a page of 1000 keys costs the same among many as among few."""

import time
from functools import partial
from pathlib import Path

import trio

from s3o.ledger.listing import list_page
from s3o.model.names import BucketId
from tests.ledger.filled import open_filled_ledger

FEW, MANY = 10_000, 500_000
ROUNDS = 20


async def _measure(folder: Path, count: int) -> dict[str, float]:
    figures = {}
    async with open_filled_ledger(folder / f"list-{count}.db", count) as ledger:
        for name, delimiter in (("flat", ""), ("delimiter", "/")):
            step = partial(
                list_page,
                bucket_id=BucketId(1),
                prefix="",
                delimiter=delimiter,
                after="",
                limit=1000,
            )
            await ledger.read(step)
            best = float("inf")
            for _ in range(ROUNDS):
                begin = time.process_time()
                await ledger.read(step)
                best = min(best, time.process_time() - begin)
            figures[name] = best * 1000
    return figures


def bench_listing(folder: Path) -> None:
    """Print milliseconds of CPU per page and the ratio between the two ledgers."""
    few = trio.run(_measure, folder, FEW)
    many = trio.run(_measure, folder, MANY)
    for name in few:
        ratio = many[name] / few[name]
        print(
            f"LIST 1000 {name}: {few[name]:.2f} ms of {FEW}, "
            f"{many[name]:.2f} ms of {MANY}, ratio {ratio:.2f}"
        )
