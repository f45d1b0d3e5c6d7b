"""All backends together: where writes go, what reads cost, what a reload does."""

import pytest
import trio
import trio.testing

from s3o.backends.guard import BackendLimits
from s3o.model.errors import BackendUnreachable
from s3o.model.names import BackendName, StorageKey
from s3o.model.values import BlobHeaders, BreakerState, QuotaRow, Usage
from s3o.policy.breaker import STALE_PROBE_S
from s3o.policy.routing import Strategy
from s3o.policy.usage import LimitType, UsageLimits
from tests.backends.rig import OPEN_S, Rig, make_rig
from tests.fakes.faults import Fault
from tests.fakes.sources import BytesSource, StalledSource

KEY = StorageKey("photos/cat.jpg!" + "0" * 32)
A, B, C = BackendName("a"), BackendName("b"), BackendName("c")


def row(name: BackendName, limit: int, used: int = 0) -> QuotaRow:
    """What the ledger holds."""
    return QuotaRow(
        backend=name,
        limit_bytes=limit,
        used_bytes=used,
        reserved_bytes=0,
        orphan_bytes=0,
    )


ROWS = [row(C, 100, 10), row(A, 100, 50), row(B, 100, 20)]


def order(rig: Rig, size: int = 10, without: tuple[BackendName, ...] = ()) -> list[str]:
    """The candidates of a write."""
    return [
        *rig.fleet.order_for_write(ROWS, size=size, stored_size=size, without=without)
    ]


async def open_circuit(rig: Rig, name: str) -> None:
    """Make a backend fail until its circuit opens."""
    rig.inner[name].faults.down = Fault.UNREACHABLE
    while rig.guarded(name).state is not BreakerState.OPEN:
        with pytest.raises(BackendUnreachable):
            await rig.guarded(name).head(KEY)


async def test_order_is_that_of_the_configuration_not_of_the_rows() -> None:
    """pack fills the first backend of the file, however the ledger sorts."""
    rig = make_rig("a", "b", "c")

    assert ["a", "b", "c"] == order(rig)
    assert ["b", "c"] == order(rig, without=(A,))
    assert ["c", "b", "a"] == order(make_rig("a", "b", "c", strategy=Strategy.SPREAD))


async def test_backend_the_ledger_does_not_know_gets_nothing() -> None:
    """Without a quota row nothing could be reserved on it."""
    rig = make_rig("a", "new")

    assert ["a"] == order(rig)


async def test_sick_backend_is_skipped_until_it_may_be_probed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The probe is an ordinary write: it has to be sent there."""
    rig = make_rig("a", "b", "c")
    await open_circuit(rig, "a")
    assert ["b", "c"] == order(rig)
    assert rig.fleet.is_held_back([row(A, 100), row(B, 100, 99)], 10)
    assert not rig.fleet.is_held_back([row(A, 100, 99), row(B, 100, 99)], 10)
    await trio.sleep(OPEN_S * 1.25)

    assert ["a", "b", "c"] == order(rig)


async def test_monthly_limits_keep_writes_and_reads_away(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Writes overflow to the next backend, reads go to another copy."""
    limits = {
        "a": BackendLimits(usage=UsageLimits(ingress_bytes=15, egress_bytes=5)),
        "b": BackendLimits(max_object_size=9),
    }
    rig = make_rig("a", "b", "c", limits=limits)
    assert ["a", "c"] == order(rig)
    await rig.guarded("a").put(KEY, BytesSource(b"123456"), BlobHeaders())

    assert ["c"] == order(rig)
    assert LimitType.EGRESS_BYTES is rig.fleet.may_read(A, 6)
    assert rig.fleet.may_read(A, 5) is None
    assert rig.fleet.may_read(B, 10**12) is None
    assert 6 / 15 == rig.fleet.used_share()


async def test_reload_replaces_all_limits_at_once() -> None:
    """A request must see the old limits or the new ones."""
    rig = make_rig("a", "b")
    rig.fleet.replace_limits(
        {
            A: BackendLimits(quota_bytes=7, max_object_size=9),
            B: BackendLimits(quota_bytes=8),
        }
    )

    assert ["b"] == order(rig)
    assert [7, 8] == [backend.limits.quota_bytes for backend in rig.fleet]


async def test_ready_while_one_circuit_is_not_open(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """One backend is enough to serve something."""
    rig = make_rig("a", "b")
    await open_circuit(rig, "a")
    assert rig.fleet.is_any_serving()
    await open_circuit(rig, "b")

    assert not rig.fleet.is_any_serving()


async def test_watchdog_frees_a_probe_that_never_ended(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A probing upload whose client stalls must not keep the others away."""
    rig = make_rig("a")
    await open_circuit(rig, "a")
    rig.inner["a"].faults.heal()
    await trio.sleep(OPEN_S * 1.25)
    source = StalledSource(100)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.guarded().put, KEY, source, BlobHeaders())
        await source.is_stalled.wait()
        assert BreakerState.HALF_OPEN is rig.guarded().state
        await trio.sleep(STALE_PROBE_S + 1)
        rig.fleet.expire_probes()
        assert BreakerState.OPEN is rig.guarded().state
        nursery.cancel_scope.cancel()

    assert BreakerState.OPEN is rig.guarded().state
    await rig.guarded().probe()
    assert BreakerState.CLOSED is rig.guarded().state


async def test_usage_of_all_backends_is_flushed_together(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """One transaction writes the month's figures."""
    rig = make_rig("a", "b")
    await rig.guarded("b").put(KEY, BytesSource(b"1234"), BlobHeaders())
    taken = rig.counters.take()

    assert {rig.counters.period(): {B: Usage(1, 0, 4)}} == taken


async def test_unknown_backend_is_none() -> None:
    """Locations may name a backend that the operator has removed."""
    rig = make_rig("a")

    assert rig.fleet.find(B) is None
    assert ("a",) == rig.fleet.names
    assert 1 == len(rig.fleet)
    await rig.fleet.aclose()
    assert rig.inner["a"].is_closed


async def test_a_draining_backend_is_read_but_never_written_to() -> None:
    """Nor does its room count as room that only its circuit keeps away."""
    rig = make_rig("a", "b", "c")
    rig.fleet.set_draining([A])

    assert ["b", "c"] == order(rig)
    assert frozenset([A]) == rig.fleet.draining
    assert not rig.fleet.is_held_back([row(A, 100)], 10)
    assert rig.fleet.may_read(A, 5) is None
    rig.fleet.set_draining([])
    assert ["a", "b", "c"] == order(rig)
