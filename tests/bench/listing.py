"""LIST in CPU time: a page of 1000 keys costs the same among many as among few."""

import time

import trio

from s3o.ledger.sqlite import InlineEngine, open_inline
from tests.ledger.house import NOW_US
from tests.ledger.test_listing import insert_keys, page_of

FEW, MANY = 10_000, 500_000
ROUNDS = 20


async def _measure(count: int) -> dict[str, float]:
    figures = {}
    connection = open_inline(now_us=NOW_US)
    engine = InlineEngine(connection)
    insert_keys(connection, [f"k{n // 10:06d}/{n:08d}" for n in range(count)])
    for name, delimiter in (("flat", ""), ("delimiter", "/")):
        best = float("inf")
        for _ in range(ROUNDS):
            begin = time.process_time()
            await page_of(engine, "", delimiter, "", 1000)
            best = min(best, time.process_time() - begin)
        figures[name] = best * 1000
    connection.close()
    return figures


def bench_listing() -> None:
    """Print milliseconds of CPU per page and the ratio between the two ledgers."""
    few = trio.run(_measure, FEW)
    many = trio.run(_measure, MANY)
    for name in few:
        ratio = many[name] / few[name]
        print(
            f"LIST 1000 {name}: {few[name]:.2f} ms of {FEW}, "
            f"{many[name]:.2f} ms of {MANY}, ratio {ratio:.2f}"
        )
