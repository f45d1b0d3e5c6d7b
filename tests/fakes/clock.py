"""Clocks for tests: one moved by hand, one that follows trio's (virtual) clock."""

import trio

# 2026-01-15 12:00:00 UTC: mid-month, so that no test rolls over by chance.
START_US = 1_768_478_400_000_000


class ManualClock:
    """A model.seams.Clock that stands still until it is moved."""

    def __init__(self, start_us: int = START_US) -> None:
        self.wall_us = start_us
        self.elapsed_s = 0.0

    def now_us(self) -> int:
        """The wall clock."""
        return self.wall_us

    def monotonic_s(self) -> float:
        """Seconds moved so far; jumps of the wall do not count."""
        return self.elapsed_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds >= 0
        self.elapsed_s += seconds
        self.wall_us += round(seconds * 1_000_000)

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock forwards or back, as an operator or NTP does."""
        self.wall_us += round(seconds * 1_000_000)


class TrioClock:
    """A model.seams.Clock over trio's clock: virtual under a MockClock.

    Within trio only; offset_us moves the wall alone.
    """

    def __init__(self, start_us: int = START_US) -> None:
        self.start_us = start_us
        self.offset_us = 0

    def now_us(self) -> int:
        """The wall clock."""
        return self.start_us + self.offset_us + round(trio.current_time() * 1_000_000)

    def monotonic_s(self) -> float:
        """Trio's time."""
        return trio.current_time()
