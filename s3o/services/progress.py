"""How far a long pass has come, for whoever watches it.

A pass notes counters of its own names; nobody waits for anybody. A pass that nobody
watches is given None instead.
"""


class Progress:
    """Counters of one pass; the last note of a name counts."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def note(self, **counts: int) -> None:
        """Set counters."""
        self._counts.update(counts)

    def snapshot(self) -> dict[str, int]:
        """Return all counters as they are now."""
        return dict(self._counts)
