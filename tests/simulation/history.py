"""What clients saw of one key, and whether one register could have answered so.

The search is Wing and Gong's, with a memory of states: linearize the operations one
after the other, never one whose start lies after the end of another still open. A write
whose outcome is unknown may take effect at any time after its start, or never.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

ABSENT = ""  # the value of a key that does not exist


@dataclass(slots=True, kw_only=True)
class Operation:
    """One read or write of a key; value is the MD5 of the bytes or ABSENT."""

    is_write: bool
    value: str
    began: float
    ended: float = math.inf  # for ever: nobody knows the outcome
    who: str = ""

    def __str__(self) -> str:
        verb = "write" if self.is_write else "read"
        value = self.value[:8] or "absent"
        return f"{self.began:10.3f}..{self.ended:10.3f} {self.who} {verb} {value}"


def is_linearizable(history: Sequence[Operation]) -> bool:
    """Whether some order of the operations explains every read."""
    seen = {one.value for one in history if not one.is_write}
    useful = [
        one
        for one in history
        # A write that nobody saw and that perhaps never was explains nothing.
        if one.ended < math.inf or (one.is_write and one.value in seen)
    ]
    useful.sort(key=lambda one: one.began)
    must = sum(1 << n for n, one in enumerate(useful) if one.ended < math.inf)
    tried: set[tuple[int, str]] = set()
    waiting = [(0, ABSENT)]
    while waiting:
        state = waiting.pop()
        if state in tried:
            continue
        tried.add(state)
        done, value = state
        if done & must == must:
            return True
        waiting.extend(_steps(useful, done, value))
    return False


def _steps(
    history: Sequence[Operation], done: int, value: str
) -> list[tuple[int, str]]:
    left = [n for n in range(len(history)) if not done >> n & 1]
    first_end = min(history[n].ended for n in left)
    steps = []
    for n in left:
        one = history[n]
        if one.began > first_end:
            break
        if one.is_write or one.value == value:
            steps.append((done | 1 << n, one.value))
    return steps
