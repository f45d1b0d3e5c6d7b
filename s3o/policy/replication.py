"""How many copies a blob lacks, where they may go, and which of too many goes first.

Rule 1: only good copies count: live, proved, and on a backend that is configured and
not down for long. Rule 2: a copy whose bytes were never proved is proved before
another one is made; it takes its backend either way. Rule 3: a copy goes only where no
other one of the blob is, except in the place of a bad one. Source: product description,
Replication, Health-Aware Replication, Over-Replication Cleanup.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from s3o.model.names import BackendName
from s3o.model.values import BreakerState, Location, LocationState, QuotaRow

_BAD = frozenset({LocationState.SUSPECT, LocationState.LOST})

BAD_COPY = -1.0
DRAINING = 0.0
BROKEN = 1.0
HEALTHY = 2.0
WITHOUT_QUOTA = 2.5  # nobody knows how full it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One backend, as far as copies are concerned; down_s None: its circuit is closed.

    share: of its quota in use, None where it has none.
    """

    backend: BackendName
    state: BreakerState = BreakerState.CLOSED
    down_s: float | None = None
    is_draining: bool = False
    share: float | None = None

    @property
    def is_healthy(self) -> bool:
        """Whether calls go through freely."""
        return self.state is BreakerState.CLOSED


def counted_backends(
    fleet: Sequence[Health], unhealthy_threshold_s: float
) -> frozenset[BackendName]:
    """Return the backends whose copies count: none that is down for the threshold."""
    return frozenset(
        one.backend
        for one in fleet
        if one.down_s is None or one.down_s < unhealthy_threshold_s
    )


def good_copies(
    places: Sequence[Location], counted: Collection[BackendName]
) -> list[Location]:
    """Return the copies that count."""
    return [
        place
        for place in places
        if place.state is LocationState.LIVE
        and place.verified_at_us is not None
        and place.backend in counted
    ]


def unproved_copies(
    places: Sequence[Location], counted: Collection[BackendName]
) -> list[Location]:
    """Return the copies that would count if their bytes were proved."""
    return [
        place
        for place in places
        if place.state is LocationState.LIVE
        and place.verified_at_us is None
        and place.backend in counted
    ]


def plan_targets(
    order: Sequence[BackendName], places: Sequence[Location], fleet: Sequence[Health]
) -> list[BackendName]:
    """Return where a copy may go, the best first: healthy, not draining, not there yet.

    order: the routing's, of those with room and within their limits. A backend with a
    bad copy comes last: it has shown what it does.
    """
    may = {one.backend for one in fleet if one.is_healthy and not one.is_draining}
    taken = {place.backend for place in places if place.state not in _BAD}
    bad = {place.backend for place in places} - taken
    free = [name for name in order if name in may and name not in taken]
    return sorted(free, key=lambda name: name in bad)


def plan_removals(
    places: Sequence[Location], fleet: Sequence[Health], factor: int
) -> list[tuple[Location, float]]:
    """Return the copies over factor with their scores, the first to go first.

    More than are over, where some of the others do not count: the ledger decides at
    each removal whether enough good ones remain. Ties go by the configured order, the
    last one first. Quarantined copies are kept for a person.
    """
    health = {one.backend: one for one in fleet}
    position = {one.backend: -number for number, one in enumerate(fleet)}
    movable = [p for p in places if p.state is not LocationState.QUARANTINED]
    if len(movable) <= factor:
        return []
    scored = [
        (place, score_copy(place, health.get(place.backend))) for place in movable
    ]
    return sorted(scored, key=lambda one: (one[1], position.get(one[0].backend, 1)))


def score_copy(place: Location, health: Health | None) -> float:
    """Return how much a copy is worth keeping; None: its backend is not configured."""
    if place.state in _BAD:
        return BAD_COPY
    if health is None or health.is_draining:
        return DRAINING
    if not health.is_healthy:
        return BROKEN
    if health.share is None:
        return WITHOUT_QUOTA
    return HEALTHY + (1.0 - min(health.share, 1.0))


def shares_of(rows: Sequence[QuotaRow]) -> Mapping[BackendName, float | None]:
    """Return each backend's used share, orphan bytes among it; None without quota."""
    return {
        row.backend: (
            (row.used_bytes + row.orphan_bytes) / row.limit_bytes
            if row.limit_bytes
            else None
        )
        for row in rows
    }
