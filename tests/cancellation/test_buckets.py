"""A client may go away at any instant: buckets made, configured, deleted."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from s3o.ledger.audit import audit
from s3o.ledger.buckets import list_buckets
from s3o.ledger.ledger import Ledger
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.model.errors import NoSuchBucket
from s3o.model.names import BucketName
from s3o.model.tenants import Account, BucketConfig, Tenants
from s3o.model.values import Bucket
from s3o.objects.buckets import BucketDirectory, enter_buckets
from s3o.policy.breaker import CircuitBreaker
from tests.cancellation.rules import MAX_STEPS
from tests.cancellation.sweep import cancel_at
from tests.fakes.clock import START_US, ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.observer import RecordingObserver

NAME = BucketName("anns")
TENANTS = Tenants(statics={}, accounts={"ann": Account(name="ann")})
Operate = Callable[[BucketDirectory], Awaitable[object]]


async def make(buckets: BucketDirectory) -> None:
    """CreateBucket."""
    await buckets.create("ann", NAME, BucketConfig())


async def tag(buckets: BucketDirectory) -> None:
    """PutBucketTagging."""
    tags = (("k", "v"),)
    await buckets.configure(
        buckets.find(NAME), lambda config: replace(config, tags=tags)
    )


async def delete(buckets: BucketDirectory) -> None:
    """DeleteBucket."""
    await buckets.delete(buckets.find(NAME))


def served(buckets: BucketDirectory) -> Bucket | None:
    """Return the bucket as requests find it."""
    try:
        return buckets.find(NAME)
    except NoSuchBucket:
        return None


@pytest.mark.parametrize(
    ("operate", "exists_before"), [(make, False), (tag, True), (delete, True)]
)
async def test_what_is_served_is_what_was_committed(
    operate: Operate, exists_before: bool, autojump_clock: MockClock
) -> None:
    """At every step: the snapshot follows the commit, and the lock is let go of."""
    for number in range(1, MAX_STEPS):
        connection = open_inline(now_us=START_US)
        ledger = Ledger(
            InlineEngine(connection, on_broken=print),
            CircuitBreaker(failure_threshold=3, open_timeout_s=15.0),
            RecordingObserver(),
            ManualClock(),
            SeededEntropy(0, "ledger"),
        )
        buckets = BucketDirectory(ledger, ManualClock())
        rows = await ledger.write(lambda tx: enter_buckets(tx, TENANTS, START_US))
        buckets.use(TENANTS, rows)
        if exists_before:
            await make(buckets)

        async def once(buckets: BucketDirectory = buckets) -> None:
            await operate(buckets)

        outcome = await cancel_at(number, once)
        committed = {row.name: row for row in await ledger.read(list_buckets)}
        assert committed.get(NAME) == served(buckets), f"step {number}: {outcome}"
        assert [] == await ledger.scan(audit)
        with trio.fail_after(1):
            async with buckets.changing:
                pass
        connection.close()
        if outcome == "over":
            return
    raise AssertionError("the operation does not end")
