"""Where a write may go: full, sick, small or dear backends are left out."""

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from s3o.model.names import BackendName
from s3o.model.values import QuotaRow
from s3o.policy.routing import (
    CandidateState,
    Strategy,
    is_held_back,
    order_candidates,
)


def state(
    name: str,
    limit: int = 0,
    used: int = 0,
    *,
    reserved: int = 0,
    orphan: int = 0,
    max_object_size: int = 0,
    is_reachable: bool = True,
    is_within_usage: bool = True,
) -> CandidateState:
    """One backend."""
    return CandidateState(
        quota=QuotaRow(
            backend=BackendName(name),
            limit_bytes=limit,
            used_bytes=used,
            reserved_bytes=reserved,
            orphan_bytes=orphan,
        ),
        max_object_size=max_object_size,
        is_reachable=is_reachable,
        is_within_usage=is_within_usage,
    )


def order(strategy: Strategy, *states: CandidateState, size: int = 10) -> list[str]:
    """Candidates of a write of size bytes, stored as they are."""
    return [*order_candidates(strategy, states, size=size, stored_size=size)]


def test_pack_keeps_the_configured_order() -> None:
    """One allocation is filled before the next is touched."""
    states = [state("a", 100, 90), state("b", 100, 0), state("c", 0)]

    assert ["a", "b", "c"] == order(Strategy.PACK, *states)
    assert ["b", "c"] == order(Strategy.PACK, *states, size=11)


def test_spread_takes_the_lowest_share_first() -> None:
    """Held bytes are what lies there, what is coming and what is owed."""
    states = [
        state("used", 100, 30),
        state("coming", 100, 0, reserved=20),
        state("owed", 100, 0, orphan=25),
        state("large", 1000, 100),
    ]

    assert ["large", "coming", "owed", "used"] == order(Strategy.SPREAD, *states)


def test_spread_keeps_the_configured_order_of_equals() -> None:
    """Ties must not depend on chance."""
    states = [state("b", 10, 1), state("a", 100, 10), state("none"), state("c", 0, 99)]

    assert ["none", "c", "b", "a"] == order(Strategy.SPREAD, *states, size=1)


def test_orphan_and_reserved_bytes_take_room() -> None:
    """Bytes that are not deleted yet are still on the provider's bill."""
    assert [] == order(Strategy.PACK, state("a", 100, 50, reserved=25, orphan=16))
    assert ["a"] == order(Strategy.PACK, state("a", 100, 50, reserved=24, orphan=16))


def test_sick_dear_and_small_backends_are_left_out() -> None:
    """Each for its own reason."""
    states = [
        state("sick", is_reachable=False),
        state("dear", is_within_usage=False),
        state("small", max_object_size=9),
        state("exact", max_object_size=10),
    ]

    assert ["exact"] == order(Strategy.PACK, *states)


def test_object_size_is_the_clients_and_room_is_the_stored_one() -> None:
    """They differ as soon as anything is encrypted."""
    exact = state("a", limit=128, max_object_size=100)

    assert ["a"] == order_candidates(Strategy.PACK, [exact], size=100, stored_size=128)
    assert [] == order_candidates(Strategy.PACK, [exact], size=100, stored_size=129)
    assert [] == order_candidates(Strategy.PACK, [exact], size=101, stored_size=128)


def test_held_back_means_only_the_breaker_stands_in_the_way() -> None:
    """Then the client is told to try again, and not that there is no room."""
    full = state("full", 10, 10)
    sick = state("sick", 100, 0, is_reachable=False)
    sick_and_full = state("both", 10, 10, is_reachable=False)
    sick_and_dear = state("dear", is_reachable=False, is_within_usage=False)

    assert is_held_back([full, sick], size=5, stored_size=5)
    assert not is_held_back([full, sick_and_full, sick_and_dear], size=5, stored_size=5)


states = st.lists(
    st.builds(
        state,
        st.integers(0, 10**6).map(str),
        st.integers(0, 2**62),
        st.integers(0, 2**62),
        reserved=st.integers(0, 2**40),
        orphan=st.integers(0, 2**40),
        max_object_size=st.integers(0, 2**40),
        is_reachable=st.booleans(),
        is_within_usage=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda one: one.backend,
)


@given(states, st.integers(0, 2**41), st.integers(0, 2**10))
def test_only_fitting_backends_are_named_and_both_strategies_agree_on_them(
    states: list[CandidateState], size: int, added: int
) -> None:
    """The strategy is about order alone."""
    pack = order_candidates(Strategy.PACK, states, size=size, stored_size=size + added)
    spread = order_candidates(
        Strategy.SPREAD, states, size=size, stored_size=size + added
    )
    by_name = {one.backend: one for one in states}

    assert sorted(pack) == sorted(spread)
    assert pack == [one.backend for one in states if one.backend in pack]
    for name in pack:
        quota = by_name[name].quota
        limit = quota.limit_bytes
        assert not limit or quota.held_bytes + size + added <= limit
    shares = [
        Fraction(quota.held_bytes, quota.limit_bytes) if quota.limit_bytes else 0
        for quota in (by_name[name].quota for name in spread)
    ]
    assert all(float(low) <= float(high) for low, high in pairwise(shares))
