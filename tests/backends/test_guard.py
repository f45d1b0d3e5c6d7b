"""The guard keeps sick backends away and blames none for another's fault."""

from collections.abc import Sequence

import pytest
import trio
import trio.testing

from s3o.backends.call import CallMeter
from s3o.backends.guard import BackendLimits
from s3o.backends.seam import DeleteOutcome
from s3o.model.errors import (
    BackendCircuitOpen,
    BackendError,
    BackendOverUsage,
    BackendProtocolError,
    BackendRefused,
    BackendTimeout,
    BackendUnreachable,
    BlobMissing,
    ClientGone,
)
from s3o.model.facts import BackendCalled, BreakerChanged, UsageRejected
from s3o.model.names import StorageKey
from s3o.model.values import BlobHeaders, BreakerState, Interval, Usage
from s3o.policy.usage import UsageLimits
from tests.backends.rig import OPEN_S, TIMEOUT_S, Rig, make_rig
from tests.fakes.faults import Fault
from tests.fakes.memory_backend import MemoryBackend
from tests.fakes.sources import BytesSource, StalledSource, pattern

KEY = StorageKey("photos/cat.jpg!" + "0" * 32)
HEADERS = BlobHeaders()


def key(number: int) -> StorageKey:
    """A storage key of its own."""
    return StorageKey(f"photos/cat.jpg!{number:032x}")


async def put(rig: Rig, number: int, body: bytes = b"meow") -> None:
    """Store one blob through the guard."""
    await rig.guarded().put(key(number), BytesSource(body), HEADERS)


async def get(rig: Rig, number: int, interval: Interval | None = None) -> bytes:
    """Read one blob through the guard."""
    pieces = []
    async with rig.guarded().open(key(number), interval) as reader:
        while piece := await reader.read():
            pieces.append(piece)
    return b"".join(pieces)


async def test_what_was_put_is_read(autojump_clock: trio.testing.MockClock) -> None:
    """The guard must not change what goes through it."""
    rig = make_rig()
    body = pattern(1_000_000)
    await put(rig, 1, body)

    assert body == await get(rig, 1)
    assert body[10:999_990] == await get(rig, 1, Interval(10, 999_990))
    statuses = {(f.operation, f.status) for f in rig.observer.of(BackendCalled)}
    assert {("PutObject", "success"), ("GetObject", "success")} == statuses


async def test_failures_in_a_row_open_the_circuit(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A dead backend must cost nothing once it is known to be dead."""
    rig = make_rig(threshold=3)
    rig.inner["a"].faults.down = Fault.UNREACHABLE
    for number in range(3):
        with pytest.raises(BackendUnreachable):
            await put(rig, number)
    calls = len(rig.inner["a"].books.calls)

    with pytest.raises(BackendCircuitOpen):
        await put(rig, 9)

    assert calls == len(rig.inner["a"].books.calls)
    changed = [(f.previous, f.state) for f in rig.observer.of(BreakerChanged)]
    assert [(BreakerState.CLOSED, BreakerState.OPEN)] == changed
    assert not rig.fleet.is_any_serving()


async def test_next_call_after_the_open_timeout_is_the_probe(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A backend that came back must be used again without anybody's help."""
    rig = make_rig(threshold=1)
    rig.inner["a"].faults.down = Fault.UNREACHABLE
    with pytest.raises(BackendUnreachable):
        await put(rig, 1)
    rig.inner["a"].faults.heal()
    await trio.sleep(OPEN_S * 1.25)

    await put(rig, 2)

    assert BreakerState.CLOSED is rig.guarded().state
    states = [fact.state for fact in rig.observer.of(BreakerChanged)]
    assert [BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED] == states


@pytest.mark.parametrize("fault", [Fault.MISSING, Fault.FULL])
async def test_an_answer_of_a_healthy_backend_is_no_failure(
    fault: Fault, autojump_clock: trio.testing.MockClock
) -> None:
    """A full or empty backend is not a sick one; reads of it must go on."""
    rig = make_rig(threshold=1)
    await put(rig, 1)
    operation = "open" if fault is Fault.MISSING else "put"
    rig.inner["a"].faults.next(operation, fault)

    with pytest.raises(BackendError):
        await (get(rig, 1) if fault is Fault.MISSING else put(rig, 2))

    assert BreakerState.CLOSED is rig.guarded().state


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.FORBIDDEN, BackendRefused),
        (Fault.ERROR_BEFORE, BackendRefused),
        (Fault.ERROR_AFTER, BackendRefused),
        (Fault.LOST_ANSWER, BackendUnreachable),
        (Fault.HANG, BackendTimeout),
        (Fault.HANG_THEN_STORE, BackendTimeout),
        (Fault.STORE_THEN_HANG, BackendTimeout),
    ],
)
async def test_signs_of_sickness_count(
    fault: Fault,
    error: type[BackendError],
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Expired credentials, 5xx and silence concern every call to come."""
    rig = make_rig(threshold=1)
    rig.inner["a"].faults.next("put", fault)

    with pytest.raises(error):
        await put(rig, 1)

    assert BreakerState.OPEN is rig.guarded().state


async def test_silence_ends_after_the_timeout(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A backend that accepts and never answers must not hold a request for ever."""
    rig = make_rig()
    rig.inner["a"].faults.next("head", Fault.HANG)
    began_at = trio.current_time()

    with pytest.raises(BackendTimeout):
        await rig.guarded().head(KEY)

    assert TIMEOUT_S <= trio.current_time() - began_at <= TIMEOUT_S * 1.13


async def test_client_that_breaks_off_is_no_failure_of_the_backend(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Otherwise five impatient clients take a healthy backend out of service."""
    rig = make_rig(threshold=1)
    source = BytesSource(pattern(600_000), fail_at=300_000, error=ClientGone())

    with pytest.raises(ClientGone):
        await rig.guarded().put(KEY, source, HEADERS)

    assert BreakerState.CLOSED is rig.guarded().state
    assert [] == rig.inner["a"].names()
    assert ["aborted"] == [fact.status for fact in rig.observer.of(BackendCalled)]


async def test_failing_source_backend_is_not_the_targets_fault(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A copy reads from another backend inside the write: its error is that one's."""
    rig = make_rig(threshold=1)
    error = BackendUnreachable("b", "open", "cut")
    source = BytesSource(pattern(600_000), fail_at=300_000, error=error)

    with pytest.raises(BackendUnreachable):
        await rig.guarded().put(KEY, source, HEADERS)

    assert BreakerState.CLOSED is rig.guarded().state


async def test_slow_client_is_not_the_backends_silence(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A phone may take a minute for each piece; the backend only waits."""
    rig = make_rig(threshold=1)
    source = BytesSource(pattern(700_000), pause_s=TIMEOUT_S * 3)
    await rig.guarded().put(KEY, source, HEADERS)

    assert [KEY] == rig.inner["a"].names()
    assert rig.observer.of(BackendCalled)[0].duration_s < 1


async def test_cancelled_caller_says_nothing_about_the_backend(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A request that is cut down is our own doing."""
    rig = make_rig(threshold=1)
    source = StalledSource(100)
    with trio.move_on_after(1):
        await rig.guarded().put(KEY, source, HEADERS)
    rig.inner["a"].faults.next("head", Fault.HANG)
    with trio.move_on_after(1):
        await rig.guarded().head(KEY)

    assert BreakerState.CLOSED is rig.guarded().state


async def test_probing_download_closes_with_its_first_piece(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The other clients must not wait until a slow one has read all of a film."""
    rig = make_rig(threshold=1)
    await put(rig, 1, pattern(1_000_000))
    rig.inner["a"].faults.next("head", Fault.UNREACHABLE)
    with pytest.raises(BackendUnreachable):
        await rig.guarded().head(KEY)
    await trio.sleep(OPEN_S * 1.25)

    async with rig.guarded().open(key(1)) as reader:
        assert await reader.read()
        assert BreakerState.CLOSED is rig.guarded().state


async def test_reader_that_leaves_early_neither_blames_nor_praises(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """It may have left because the body stalled, or because it had enough."""
    rig = make_rig(threshold=2)
    await put(rig, 1, pattern(1_000_000))
    rig.inner["a"].faults.next("head", Fault.UNREACHABLE, Fault.UNREACHABLE)
    with pytest.raises(BackendUnreachable):
        await rig.guarded().head(KEY)
    async with rig.guarded().open(key(1)) as reader:
        await reader.read()
    with pytest.raises(BackendUnreachable):
        await rig.guarded().head(KEY)

    assert BreakerState.OPEN is rig.guarded().state


async def test_long_delete_gets_its_time_for_each_request(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A provider without multi-delete takes a thousand calls, each a sign of life."""

    class OneByOne(MemoryBackend):
        async def delete(
            self, storage_keys: Sequence[StorageKey]
        ) -> list[DeleteOutcome]:
            outcomes = []
            for storage_key in storage_keys:
                outcomes += await super().delete([storage_key])
                await trio.sleep(TIMEOUT_S / 3)
            return outcomes

    rig = make_rig()
    guard = rig.guarded()
    guard._inner = OneByOne("a", meter=CallMeter(rig.counters.of(guard.name)))
    began_at = trio.current_time()
    await guard.delete([key(number) for number in range(20)])

    assert trio.current_time() - began_at > TIMEOUT_S * 6


async def test_probe_given_up_by_its_caller_lets_the_next_one_probe(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Half-open must not be a trap when the probing client leaves."""
    rig = make_rig(threshold=1)
    rig.inner["a"].faults.next("put", Fault.UNREACHABLE)
    with pytest.raises(BackendUnreachable):
        await put(rig, 1)
    await trio.sleep(OPEN_S * 1.25)
    rig.inner["a"].faults.next("head", Fault.HANG)
    with trio.move_on_after(1):
        await rig.guarded().head(KEY)
    assert BreakerState.HALF_OPEN is rig.guarded().state

    await put(rig, 2)

    assert BreakerState.CLOSED is rig.guarded().state


async def test_body_that_breaks_off_or_stalls_is_the_backends_failure(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A good head does not make up for a body that never comes."""
    rig = make_rig(threshold=2)
    await put(rig, 1, pattern(1_000_000))
    rig.inner["a"].faults.next("open", Fault.TRUNCATED, Fault.STALLED)
    with pytest.raises(BackendProtocolError):
        await get(rig, 1)
    with pytest.raises(BackendTimeout):
        await get(rig, 1)

    assert BreakerState.OPEN is rig.guarded().state


async def test_body_that_never_begins_is_known_before_it_is_promised(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Another copy can still take over: no head was sent to the client yet."""
    rig = make_rig(threshold=1)
    await put(rig, 1, b"x")
    rig.inner["a"].faults.next("open", Fault.STALLED)

    with pytest.raises(BackendTimeout):
        await rig.guarded().open(key(1)).__aenter__()

    assert BreakerState.OPEN is rig.guarded().state


async def test_slow_reader_is_not_the_backends_silence(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """No deadline runs while the client takes its time over a piece."""
    rig = make_rig(threshold=1)
    await put(rig, 1, pattern(1_000_000))
    async with rig.guarded().open(key(1)) as reader:
        while await reader.read():
            await trio.sleep(TIMEOUT_S * 5)

    assert BreakerState.CLOSED is rig.guarded().state


async def test_missing_blob_raises_and_is_counted(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A backend's 404 is one location's failure, and one billed request."""
    rig = make_rig()
    with pytest.raises(BlobMissing):
        await get(rig, 1)

    assert 1 == rig.guarded()._usage.effective().api_requests


async def test_usage_limits_refuse_before_anything_is_sent(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A free tier must not cost a cent; deletes are always allowed."""
    limits = BackendLimits(usage=UsageLimits(ingress_bytes=10, egress_bytes=6))
    rig = make_rig(limits={"a": limits})
    await put(rig, 1, b"12345678")
    calls = len(rig.inner["a"].books.calls)
    with pytest.raises(BackendOverUsage) as write:
        await put(rig, 2, b"123")
    with pytest.raises(BackendOverUsage) as read:
        await get(rig, 1, Interval(0, 7))

    assert calls == len(rig.inner["a"].books.calls)
    assert "ingress_bytes" == write.value.limit_type
    assert "egress_bytes" == read.value.limit_type
    assert 2 == len(rig.observer.of(UsageRejected))
    await put(rig, 3, b"12")
    assert b"123456" == await get(rig, 1, Interval(0, 6))
    await rig.guarded().delete([key(1)])


async def test_usage_is_what_crossed_the_line(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The provider bills failed requests and bytes as well."""
    rig = make_rig()
    await put(rig, 1, b"x" * 100)
    await get(rig, 1, Interval(20, 50))
    await rig.guarded().head(key(1))
    await rig.guarded().list_page("photos/")
    await rig.guarded().delete([key(1)])
    rig.inner["a"].faults.next("put", Fault.ERROR_AFTER)
    with pytest.raises(BackendRefused):
        await put(rig, 2, b"y" * 7)

    expected = Usage(api_requests=6, egress_bytes=30, ingress_bytes=107)
    assert expected == rig.counters.effective()["a"]


async def test_disabled_breaker_never_opens(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """It is off unless the operator asks for it."""
    rig = make_rig(threshold=0)
    rig.inner["a"].faults.down = Fault.UNREACHABLE
    for number in range(50):
        with pytest.raises(BackendUnreachable):
            await put(rig, number)

    assert BreakerState.CLOSED is rig.guarded().state
