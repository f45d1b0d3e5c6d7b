"""Whether the wall clock can be believed: how long it has kept pace with our own.

A wall clock that was just set, forwards or back, says nothing about which of its two
times was right. Pure: both clocks are arguments.
"""

TOLERANCE_S = 60.0  # between two looks; more than a slewing NTP does to an hour


class Steadiness:
    """Compares two clocks, look by look."""

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._since_s = 0.0
        #: whether a jump was seen at all
        self.has_jumped = False

    def lasted_s(self, wall_us: int, monotonic_s: float) -> float:
        """Return for how long, up to this look, no jump was seen; in seconds."""
        offset_s = wall_us / 1_000_000 - monotonic_s
        if self._offset_s is None:
            self._since_s = monotonic_s
        elif abs(offset_s - self._offset_s) > TOLERANCE_S:
            self._since_s, self.has_jumped = monotonic_s, True
        self._offset_s = offset_s
        return monotonic_s - self._since_s
