"""What clients saw of one key, and whether one register could have answered so.

The search is Wing and Gong's, with Lowe's memory of states: linearize the operations
one after the other, never one whose start lies after the end of another still open. A
write whose outcome is unknown may take effect at any time after its start, or never;
once its process is dead, it may no more take effect over a write that began after that.

Sources: Wing & Gong, Testing and Verifying Concurrent Objects (1993); Lowe, Testing for
Linearizability (2016).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

MOST_STATES = 500_000  # of a search; few histories need a thousand
ABSENT = ""  # the value of a key that does not exist


@dataclass(slots=True, kw_only=True, eq=False)
class Operation:
    """One read or write of a key; value is the MD5 of the bytes or ABSENT.

    when: the values on which a conditional write takes effect (empty: any); of a write
    that was refused for its condition, the values that were not there. others: values
    that it may have written instead (of a copy nobody knows what it found).
    copy_of: the key whose values those are. carried_by: the connection that its last
    request went over. was_sent: whether a whole request ever went out for it.
    """

    is_write: bool
    value: str
    began: float
    ended: float = math.inf  # for ever: nobody knows the outcome
    lost: float = math.inf  # when its process died
    when: tuple[str, ...] = ()
    others: frozenset[str] = frozenset()
    copy_of: str | None = None
    is_refused: bool = False
    was_sent: bool = True
    who: str = ""
    carried_by: object = field(default=None, repr=False)

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

    def results(self) -> Iterator[str]:
        """The values that the key may have after this write."""
        yield self.value
        yield from sorted(self.others - {self.value})

    def __str__(self) -> str:
        verb = "write" if self.is_write else "read"
        verb = "refused" if self.is_refused else verb
        value = self.value[:8] or "absent"
        when = f" when {', '.join(one[:8] or 'absent' for one in self.when)}"
        return (
            f"{self.began:10.3f}..{self.ended:10.3f} {self.who} {verb} {value}"
            f"{when if self.when else ''}"
        )


def is_linearizable(history: Sequence[Operation]) -> bool | None:
    """Whether some order of the operations explains every read; None: too many."""
    search = _Search(_useful(history))
    return search.succeeds()


def _useful(history: Sequence[Operation]) -> list[Operation]:
    """Return what matters, by time.

    A write that perhaps never was, and whose value nobody saw or named, explains
    nothing, except why another one was refused.
    """
    seen = {one.value for one in history if not (one.is_write or one.is_refused)}
    seen |= {value for one in history for value in one.when}
    has_refusals = any(one.is_refused for one in history)
    useful = [
        one
        for one in history
        if one.is_known or has_refusals or ({one.value} | one.others) & seen
    ]
    return sorted(useful, key=lambda one: one.began)


class _Search:
    """Operations are bits of an integer, so a state is cheap to remember."""

    def __init__(self, history: Sequence[Operation]) -> None:
        self._history = history
        self._must = sum(1 << n for n, one in enumerate(history) if one.is_known)
        self._too_late = [
            sum(
                1 << n
                for n, other in enumerate(history)
                if other.is_write and other.began > one.lost
            )
            for one in history
        ]

    def succeeds(self) -> bool | None:
        tried: set[tuple[int, str]] = set()
        waiting = [(0, ABSENT)]
        while waiting:
            state = waiting.pop()
            if state in tried:
                continue
            if len(tried) >= MOST_STATES:
                return None
            tried.add(state)
            if state[0] & self._must == self._must:
                return True
            waiting.extend(self._steps(*state))
        return False

    def _steps(self, done: int, value: str) -> Iterator[tuple[int, str]]:
        """What may come next: whatever began before the first open end."""
        first_end = math.inf
        ready: list[int] = []
        missing = ~done & ((1 << len(self._history)) - 1)
        while missing:
            lowest = missing & -missing
            n = lowest.bit_length() - 1
            missing ^= lowest
            one = self._history[n]
            if one.began > first_end:
                break
            ready.append(n)
            first_end = min(first_end, one.ended)
        for n in ready:
            one = self._history[n]
            if not one.is_write and one.began <= first_end and one.fits(value):
                # It changes nothing, so whatever comes later can as well come after.
                yield done | 1 << n, value
                return
        for n in ready:
            one = self._history[n]
            is_too_late = one.began > first_end or done & self._too_late[n]
            if one.is_write and not is_too_late and one.fits(value):
                for result in one.results():
                    yield done | 1 << n, result
