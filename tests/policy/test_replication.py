"""Which copies count, where new ones go, and which of too many go first."""

import pytest

from s3o.model.names import BackendName, StorageKey
from s3o.model.values import BreakerState, Location, LocationState, QuotaRow
from s3o.policy.replication import (
    BAD_COPY,
    BROKEN,
    DRAINING,
    WITHOUT_QUOTA,
    Health,
    counted_backends,
    good_copies,
    plan_removals,
    plan_targets,
    score_copy,
    shares_of,
    unproved_copies,
)

A, B, C, D = (BackendName(name) for name in "abcd")
OPEN = BreakerState.OPEN


def place(
    backend: BackendName,
    *,
    state: LocationState = LocationState.LIVE,
    verified: bool = True,
) -> Location:
    """One copy."""
    return Location(
        backend=backend,
        storage_key=StorageKey(f"k-{backend}"),
        stored_bytes=10,
        verified_at_us=1 if verified else None,
        state=state,
    )


def test_only_a_backend_that_is_down_for_long_stops_counting() -> None:
    """A short outage must not start copies that cost egress."""
    fleet = [
        Health(backend=A),
        Health(backend=B, state=OPEN, down_s=599.9),
        Health(backend=C, state=BreakerState.HALF_OPEN, down_s=600.0),
    ]

    assert {A, B} == counted_backends(fleet, 600.0)


def test_copies_count_when_they_are_live_proved_and_reachable() -> None:
    """A row is not a copy."""
    places = [
        place(A),
        place(B, verified=False),
        place(C, state=LocationState.SUSPECT),
        place(D),
    ]

    assert [A] == [one.backend for one in good_copies(places, {A, B, C})]
    assert [B] == [one.backend for one in unproved_copies(places, {A, B, C})]


def test_a_copy_goes_where_none_is_and_in_the_place_of_a_bad_one() -> None:
    """Distinct backends, healthy ones, none that is being emptied."""
    fleet = [
        Health(backend=A),
        Health(backend=B),
        Health(backend=C, state=BreakerState.HALF_OPEN, down_s=1.0),
        Health(backend=D, is_draining=True),
    ]
    bad = place(B, state=LocationState.LOST)

    assert [B] == plan_targets([A, B, C, D], [place(A), bad], fleet)
    kept = place(B, state=LocationState.QUARANTINED)
    assert [] == plan_targets([A, B, C, D], [place(A), kept], fleet)
    assert [B, A] == plan_targets([B, A], [], fleet)
    assert [A, B] == plan_targets([B, A], [bad], fleet)


@pytest.mark.parametrize(
    ("health", "score"),
    [
        (None, DRAINING),
        (Health(backend=A, is_draining=True), DRAINING),
        (Health(backend=A, state=OPEN, down_s=1.0, share=0.1), BROKEN),
        (Health(backend=A, state=BreakerState.HALF_OPEN, share=0.1), BROKEN),
        (Health(backend=A, share=0.0), 3.0),
        (Health(backend=A, share=0.25), 2.75),
        (Health(backend=A, share=1.5), 2.0),
        (Health(backend=A), WITHOUT_QUOTA),
    ],
)
def test_scores_are_the_documented_ones(health: Health | None, score: float) -> None:
    """Operators read them in the audit log."""
    assert score == score_copy(place(A), health)


def test_the_least_valuable_copies_go_first() -> None:
    """Bad, draining, broken, then the fullest; ties from the end of the file."""
    fleet = [
        Health(backend=A, share=0.5),
        Health(backend=B, share=0.5),
        Health(backend=C, share=0.9),
        Health(backend=D, is_draining=True),
    ]
    places = [place(A), place(B), place(C), place(D)]

    assert [D, C, B, A] == [one.backend for one, _ in plan_removals(places, fleet, 1)]
    bad = [place(A, state=LocationState.SUSPECT), *places[1:]]
    plan = plan_removals(bad, fleet, 2)
    assert (A, BAD_COPY) == (plan[0][0].backend, plan[0][1])
    assert [] == plan_removals(places, fleet, 4)


def test_a_quarantined_copy_is_never_planned_away() -> None:
    """It is kept for a person."""
    fleet = [Health(backend=A), Health(backend=B)]
    kept = place(A, state=LocationState.QUARANTINED)

    assert [] == plan_removals([kept, place(B)], fleet, 1)


def test_orphan_bytes_fill_a_backend_too() -> None:
    """They are still on its disk."""
    row = QuotaRow(
        backend=A, limit_bytes=100, used_bytes=30, reserved_bytes=40, orphan_bytes=20
    )
    free = QuotaRow(
        backend=B, limit_bytes=0, used_bytes=30, reserved_bytes=0, orphan_bytes=0
    )

    assert {A: 0.5, B: None} == dict(shares_of([row, free]))
