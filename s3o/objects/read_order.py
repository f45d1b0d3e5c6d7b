"""In which order the copies of a blob are asked for its bytes.

Live ones first, among them those behind a closed circuit, among them those whose bytes
were proved once; a suspect one only when nothing else serves. A lost or quarantined one
is never asked: it has no bytes, or wrong ones.
"""

from collections.abc import Iterable

from s3o.backends.fleet import Fleet
from s3o.model.values import Location, LocationState

_SERVING = frozenset({LocationState.LIVE, LocationState.SUSPECT})


def order_for_read(fleet: Fleet, locations: Iterable[Location]) -> tuple[Location, ...]:
    """Return the copies to ask, the best first; equals stay in the ledger's order."""

    def rank(place: Location) -> tuple[bool, bool, bool]:
        return (
            place.state is LocationState.SUSPECT,
            not fleet.get(place.backend).may_call(),
            place.verified_at_us is None,
        )

    return tuple(
        sorted(
            (
                place
                for place in locations
                if place.state in _SERVING and fleet.find(place.backend)
            ),
            key=rank,
        )
    )
