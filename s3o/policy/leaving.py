"""Decide how one copy leaves a backend that is being drained.

Where enough other good copies are left (live, and proved to hold the right bytes), the
copy is simply taken away. Where others would be enough if they were proved, proving one
is cheaper than another copy. Everything else moves, to a backend without a copy or with
one known to be bad. Pure.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from s3o.model.names import BackendName
from s3o.model.values import Location, LocationState

_BAD = frozenset({LocationState.SUSPECT, LocationState.LOST})


@dataclass(frozen=True, slots=True)
class Leave:
    """The other copies are enough."""


@dataclass(frozen=True, slots=True)
class Prove:
    """Read these; if they are good, the copy may leave."""

    places: tuple[Location, ...]


@dataclass(frozen=True, slots=True)
class MoveAway:
    """Make a copy elsewhere, not on these backends."""

    without: frozenset[BackendName]


Way = Leave | Prove | MoveAway


def _is_good(place: Location) -> bool:
    return place.state is LocationState.LIVE and place.verified_at_us is not None


def choose_way(
    places: Sequence[Location],
    backend: BackendName,
    *,
    counted: Collection[BackendName],
    factor: int,
) -> Way:
    """Return how the blob's copy on backend leaves; places: all of the blob's.

    counted: the backends whose copies count (reachable, and not leaving themselves).
    factor: how many other copies there must be, at least one.
    """
    others = [
        place
        for place in places
        if place.backend != backend and place.backend in counted
    ]
    missing = max(factor, 1) - sum(_is_good(place) for place in others)
    if missing <= 0:
        return Leave()
    unproved = [
        place
        for place in others
        if place.state is LocationState.LIVE and place.verified_at_us is None
    ]
    if len(unproved) >= missing:
        return Prove(tuple(unproved[:missing]))
    return MoveAway(
        frozenset(place.backend for place in places if place.state not in _BAD)
        | {backend}
    )
