"""What clients saw of one key, and whether one register could have answered so.

The search is Wing and Gong's, with a memory of states: linearize the operations one
after the other, never one whose start lies after the end of another still open. A write
whose outcome is unknown may take effect at any time after its start, or never; once its
process is dead, it may no more take effect over a write that began after that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

ABSENT = ""  # the value of a key that does not exist


@dataclass(slots=True, kw_only=True)
class Operation:
    """One read or write of a key; value is the MD5 of the bytes or ABSENT.

    when: the values on which a conditional write takes effect (empty: any); of a write
    that was refused for its condition, the values that were not there.
    """

    is_write: bool
    value: str
    began: float
    ended: float = math.inf  # for ever: nobody knows the outcome
    lost: float = math.inf  # when its process died
    when: tuple[str, ...] = ()
    is_refused: bool = False
    who: str = ""

    @property
    def is_known(self) -> bool:
        """Whether it was answered."""
        return self.ended < math.inf

    def fits(self, value: str) -> bool:
        """Whether it could have happened when the key had value."""
        if self.is_refused:
            return value not in self.when
        if self.is_write:
            return not self.when or value in self.when
        return value == self.value

    def __str__(self) -> str:
        verb = "write" if self.is_write else "read"
        verb = "refused" if self.is_refused else verb
        value = self.value[:8] or "absent"
        when = f" when {', '.join(one[:8] or 'absent' for one in self.when)}"
        return (
            f"{self.began:10.3f}..{self.ended:10.3f} {self.who} {verb} {value}"
            f"{when if self.when else ''}"
        )


def is_linearizable(history: Sequence[Operation]) -> bool:
    """Whether some order of the operations explains every read."""
    seen = {one.value for one in history if not (one.is_write or one.is_refused)}
    needed = {value for one in history for value in one.when}
    has_refusals = any(one.is_refused for one in history)
    useful = [
        one
        for one in history
        # A write that nobody saw and that perhaps never was explains nothing, except
        # why another one was refused.
        if one.is_known or has_refusals or one.value in seen | needed
    ]
    useful.sort(key=lambda one: one.began)
    must = sum(1 << n for n, one in enumerate(useful) if one.is_known)
    too_late = [_began_after(useful, one.lost) for one in useful]
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
        waiting.extend(_steps(useful, too_late, done, value))
    return False


def _began_after(history: Sequence[Operation], moment: float) -> int:
    """Return the writes that began after moment, as bits."""
    return sum(
        1 << n for n, one in enumerate(history) if one.is_write and one.began > moment
    )


def _steps(
    history: Sequence[Operation], too_late: Sequence[int], done: int, value: str
) -> list[tuple[int, str]]:
    left = [n for n in range(len(history)) if not done >> n & 1]
    first_end = min(history[n].ended for n in left)
    steps = []
    for n in left:
        one = history[n]
        if one.began > first_end:
            break
        if one.fits(value) and not done & too_late[n]:
            steps.append((done | 1 << n, one.value if one.is_write else value))
    return steps
