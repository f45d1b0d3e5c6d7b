"""The engine without threads behaves like the one with them, faults included."""

import pytest
import trio

from s3o.ledger.buckets import ensure_bucket, list_buckets
from s3o.ledger.seam import Tx
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.model.errors import CommitUnknown, LedgerUnavailable
from s3o.model.names import BucketName
from s3o.model.values import Bucket
from tests.ledger.house import NOW_US


async def make(tx: Tx) -> Bucket:
    """A step that writes."""
    return await ensure_bucket(tx, BucketName("made"), NOW_US)


async def test_a_cancellation_waits_for_the_outcome() -> None:
    """As in the writer thread's queue: committed, told, and only then cancelled."""
    connection = open_inline(now_us=NOW_US)
    engine = InlineEngine(connection)
    told: list[str] = []

    with trio.CancelScope() as scope:
        scope.cancel()
        told.append((await engine.write(make)).name)
        await trio.lowlevel.checkpoint()
        told.append("never")

    assert ["made"] == told
    assert scope.cancelled_caught
    connection.close()


async def test_an_unknown_commit_ends_this_life_and_not_the_next() -> None:
    """The caller cannot know; whoever starts again finds out."""
    connection = open_inline(now_us=NOW_US)
    broken: list[str] = []

    def lose() -> None:
        raise CommitUnknown("lost")

    engine = InlineEngine(connection, after_commit=lose, on_broken=broken.append)
    with pytest.raises(CommitUnknown):
        await engine.write(make)
    with pytest.raises(LedgerUnavailable):
        await engine.write(make)
    with pytest.raises(LedgerUnavailable):
        await engine.read(list_buckets)

    assert ["lost"] == broken
    assert 1 == len(await InlineEngine(connection).read(list_buckets))
    connection.close()


async def test_a_crash_before_the_commit_leaves_nothing() -> None:
    """The disk keeps committed transactions and no others."""
    connection = open_inline(now_us=NOW_US)

    def crash() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await InlineEngine(connection, before_commit=crash).write(make)

    assert [] == await InlineEngine(connection).read(list_buckets)
    connection.close()
