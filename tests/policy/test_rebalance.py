"""Plans of the rebalancer: towards the goal, never past it, and then at rest."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from s3o.model.names import BackendName, StorageKey, VersionId
from s3o.model.values import QuotaRow, Usage
from s3o.policy.rebalance import (
    BackendState,
    MovableBlob,
    Move,
    is_due,
    order_sources,
    plan_moves,
    state_of,
)
from s3o.policy.routing import Strategy
from s3o.policy.usage import UsageLimits

PACK, SPREAD = Strategy.PACK, Strategy.SPREAD
Blobs = Mapping[BackendName, Sequence[MovableBlob]]

numbers = count()


def state(
    name: str, limit: int = 0, used: int = 0, *, orphan: int = 0, reserved: int = 0
) -> BackendState:
    """One backend."""
    quota = QuotaRow(
        backend=BackendName(name),
        limit_bytes=limit,
        used_bytes=used,
        reserved_bytes=reserved,
        orphan_bytes=orphan,
    )
    return BackendState(quota=quota)


def blob(size: int, *holders: str, version: str = "") -> MovableBlob:
    """One copy of size bytes, on holders."""
    name = version or f"{next(numbers):032x}"
    return MovableBlob(
        version_id=VersionId(name),
        blob=0,
        storage_key=StorageKey(f"photos/a!{name}"),
        stored_bytes=size,
        size=size,
        holders=frozenset(BackendName(holder) for holder in holders),
    )


def on(**sizes: Sequence[int]) -> Blobs:
    """Blobs of these sizes, each on one backend only."""
    return {
        BackendName(name): [blob(size, name) for size in found]
        for name, found in sizes.items()
    }


def told(moves: Sequence[Move]) -> list[tuple[str, str, int]]:
    """Moves in short."""
    return [(move.source, move.target, move.blob.stored_bytes) for move in moves]


def plan(
    strategy: Strategy, states: Sequence[BackendState], blobs: Blobs, batch: int = 100
) -> list[tuple[str, str, int]]:
    """Plan, in short."""
    return told(plan_moves(strategy, states, blobs, batch=batch))


def test_pack_fills_in_configured_order_from_the_back() -> None:
    """Free space ends up on the last backend, as the first allocation is paid for."""
    states = [state("a", 100, 70), state("b", 100, 50), state("c", 100, 40)]
    blobs = on(b=[25, 25], c=[20, 20])

    assert [("c", "a", 20), ("c", "b", 20)] == plan(PACK, states, blobs)


def test_spread_moves_no_more_than_evens_out() -> None:
    """The largest excess first; a blob larger than what is too much stays."""
    states = [state("a", 100, 90), state("b", 100, 50), state("c", 100, 10)]
    blobs = on(a=[50, 30, 10, 10], b=[25, 25])

    assert [("a", "c", 30), ("a", "c", 10)] == plan(SPREAD, states, blobs)


def test_a_run_is_due_from_the_threshold_on() -> None:
    """Egress costs money: small differences are left alone."""
    states = [state("a", 100, 50), state("b", 1000, 400)]

    assert is_due(SPREAD, states, 0.1)
    assert not is_due(SPREAD, states, 0.11)
    assert not is_due(SPREAD, states[:1], 0.0)


def test_bytes_that_are_owed_are_neither_moved_again_nor_written_over() -> None:
    """The last plan's blobs lie on the source until they are deleted."""
    source, target = state("a", 100, 50, orphan=40), state("b", 100, 10, orphan=15)

    assert [("a", "b", 5)] == plan(SPREAD, [source, target], on(a=[20, 10, 5]))
    assert ["a"] == order_sources(SPREAD, [source, target])
    assert not is_due(SPREAD, [state("a", 100, 30, orphan=60), target], 0.3)
    full = state("a", 100, 40, reserved=30, orphan=30)
    assert [] == plan(PACK, [full, state("b", 100, 10)], on(b=[1]))


def test_a_backend_without_a_quota_never_fills_up() -> None:
    """Spread has nothing to even out there; pack may fill it for ever."""
    free, tight = state("free", 0, 10**9), state("tight", 100, 80)
    other = state("other", 100, 0)
    blobs = on(free=[10, 20], tight=[40])

    assert [] == plan(SPREAD, [free, tight], blobs)
    assert [("tight", "other", 40)] == plan(SPREAD, [free, tight, other], blobs)
    assert [("tight", "free", 40)] == plan(PACK, [free, tight], blobs)
    assert [("free", "tight", 10)] == plan(PACK, [tight, free], blobs)
    assert is_due(PACK, [free, tight], 0.8)
    assert not is_due(SPREAD, [free, tight], 0.0)


def test_a_holder_is_no_target_and_a_blob_moves_once() -> None:
    """Onto a copy's backend the move would lose that copy."""
    states = [state("a", 100, 0), state("b", 100, 0), state("c", 100, 40)]
    both = blob(10, "a", "c")
    twin = blob(10, "c", version=both.version_id)

    assert [("c", "b", 10)] == plan(PACK, states, {BackendName("c"): [both, twin]})
    nowhere = blob(10, "a", "b", "c")
    assert [] == plan(PACK, states, {BackendName("c"): [nowhere]})


def test_sick_draining_and_small_backends_are_no_targets() -> None:
    """Each for its own reason; a drain moves what a draining backend has."""
    small = replace(state("small", 100), max_object_size=9)
    sick = replace(state("sick", 100), is_reachable=False)
    leaving = replace(state("leaving", 100), is_draining=True)
    source = state("source", 100, 50)
    blobs = on(source=[10], leaving=[10], sick=[10])

    assert [] == plan(PACK, [small, sick, leaving, source], blobs)
    assert [] == plan(PACK, [source, sick, leaving], blobs)
    assert [] == plan(SPREAD, [source, leaving], blobs)


def test_what_the_month_leaves_is_spent_in_the_plan() -> None:
    """A free tier's egress must not be burnt by a schedule."""
    limits = UsageLimits(api_requests=10, egress_bytes=100, ingress_bytes=1000)

    def metered(name: str, used: int, usage: Usage) -> BackendState:
        return state_of(
            state(name, 1000, used).quota,
            is_reachable=True,
            is_draining=False,
            max_object_size=0,
            limits=limits,
            used=usage,
        )

    source = metered("b", 500, Usage(0, 50, 0))
    blobs = on(b=[30, 30, 20, 10])

    assert [("b", "a", 30), ("b", "a", 20)] == plan(
        PACK, [metered("a", 0, Usage()), source], blobs
    )
    assert [("b", "a", 30)] == plan(
        PACK, [metered("a", 0, Usage(9, 0, 0)), source], blobs
    )
    assert [("b", "a", 30)] == plan(
        PACK, [metered("a", 0, Usage(0, 0, 970)), source], blobs
    )


def test_blobs_without_bytes_are_not_spread() -> None:
    """Moving them would go on for ever and change nothing."""
    states = [state("a", 100, 90), state("b", 100, 10)]

    assert [] == plan(SPREAD, states, on(a=[0, 0]))


# ---- properties, over whole worlds

sizes = st.lists(st.integers(0, 60), max_size=12)
strategies = st.sampled_from([PACK, SPREAD])


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[BackendState], Blobs]:
    """Backends and what lies on them; some owe bytes, some are sick or leave."""
    states: list[BackendState] = []
    blobs: dict[BackendName, list[MovableBlob]] = {}
    for position in range(draw(st.integers(1, 5))):
        name = BackendName(f"b{position}")
        found = draw(sizes)
        other = f"b{draw(st.integers(0, 4))}"
        used = sum(found)
        reserved, orphan = draw(st.integers(0, 30)), draw(st.integers(0, 30))
        is_limited = draw(st.booleans())
        spare = draw(st.integers(0, 200))
        one = state(
            name,
            used + reserved + orphan + spare if is_limited else 0,
            used,
            reserved=reserved,
            orphan=orphan,
        )
        states.append(
            replace(
                one,
                is_reachable=draw(st.integers(0, 9)) > 0,
                is_draining=draw(st.integers(0, 9)) == 0,
                max_object_size=draw(st.sampled_from([0, 0, 40])),
                requests_left=draw(st.sampled_from([None, None, 3])),
                egress_left=draw(st.sampled_from([None, None, 100])),
                ingress_left=draw(st.sampled_from([None, None, 100])),
            )
        )
        blobs[name] = [blob(size, name, other) for size in found]
    return states, blobs


def carry_out(
    states: Sequence[BackendState], blobs: Blobs, moves: Sequence[Move], *, owed: bool
) -> tuple[list[BackendState], dict[BackendName, list[MovableBlob]]]:
    """Return the world after moves; owed: sources have not deleted anything yet."""
    after = {name: list(found) for name, found in blobs.items()}
    held = {state.backend: state.quota for state in states}
    for move in moves:
        size = move.blob.stored_bytes
        source, target = held[move.source], held[move.target]
        held[move.source] = replace(
            source,
            used_bytes=source.used_bytes - size,
            orphan_bytes=source.orphan_bytes + (size if owed else 0),
        )
        held[move.target] = replace(target, used_bytes=target.used_bytes + size)
        after[move.source].remove(move.blob)
        holders = move.blob.holders - {move.source} | {move.target}
        after[move.target].append(replace(move.blob, holders=holders))
    return [replace(one, quota=held[one.backend]) for one in states], after


@given(worlds(), strategies, st.integers(0, 20))
def test_plans_keep_every_bound(
    world: tuple[list[BackendState], Blobs], strategy: Strategy, batch: int
) -> None:
    """Quotas, limits, copies, batch: whatever the world looks like."""
    states, blobs = world
    moves = plan_moves(strategy, states, blobs, batch=batch)
    after, _ = carry_out(states, blobs, moves, owed=True)

    assert len(moves) <= batch
    assert len({move.blob.version_id for move in moves}) == len(moves)
    for before, then in zip(states, after, strict=True):
        name = before.backend
        taken = [move.blob for move in moves if move.target == name]
        given_ = [move.blob for move in moves if move.source == name]
        assert all(name not in one.holders for one in taken)
        if before.is_draining or not before.is_reachable:
            assert not taken
            assert not given_
        if before.max_object_size:
            assert all(one.size <= before.max_object_size for one in taken)
        if then.quota.limit_bytes:
            assert not taken or then.quota.has_room(0)
        spent = (
            (before.requests_left, len(taken) + len(given_)),
            (before.egress_left, sum(one.stored_bytes for one in given_)),
            (before.ingress_left, sum(one.stored_bytes for one in taken)),
        )
        for left, amount in spent:
            assert left is None or amount <= left


@given(worlds())
def test_spread_never_overshoots(world: tuple[list[BackendState], Blobs]) -> None:
    """No backend crosses the common share, from either side."""
    states, blobs = world
    moves = plan_moves(SPREAD, states, blobs, batch=1000)
    after, _ = carry_out(states, blobs, moves, owed=True)
    limited = [one for one in states if one.quota.limit_bytes and not one.is_draining]
    limit = sum(one.quota.limit_bytes for one in limited)
    total = sum(one.lasting_bytes for one in limited)

    for before, then in zip(states, after, strict=True):
        if before.lasting_bytes == then.lasting_bytes:
            continue
        goal = then.quota.limit_bytes * total // limit
        if then.lasting_bytes < before.lasting_bytes:
            assert then.lasting_bytes >= goal
        else:
            assert then.lasting_bytes <= goal


@given(worlds(), strategies, st.booleans())
def test_repeated_plans_come_to_rest(
    world: tuple[list[BackendState], Blobs], strategy: Strategy, owed: bool
) -> None:
    """A rebalancer that goes on for ever pays for ever."""
    states, blobs = world
    # A plan is a promise about one month; without limits it could go on the longest.
    states = [
        replace(one, requests_left=None, egress_left=None, ingress_left=None)
        for one in states
    ]
    pieces = sum(len(found) for found in blobs.values())
    moved: set[tuple[str, str, str]] = set()
    for _ in range(pieces * len(states) + 1):
        moves = plan_moves(strategy, states, blobs, batch=3)
        if not moves:
            break
        for move in moves:
            step = (move.blob.version_id, move.source, move.target)
            assert step not in moved, "there and back"
            moved.add(step)
        states, blobs = carry_out(states, blobs, moves, owed=owed)

    assert [] == plan_moves(strategy, states, blobs, batch=3)
