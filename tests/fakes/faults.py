"""What a provider can do wrong, drawn from a seed or scripted call by call.

The list is that of the simulation recipe: errors before and after storing, answers that
come too late or never, wrong bytes, lies about deletes and listings.
"""

from collections import defaultdict, deque
from collections.abc import Mapping
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """One way to misbehave; which operations it fits stands in FITTING."""

    UNREACHABLE = "unreachable"  # nothing happened, no answer
    ERROR_BEFORE = "error before"  # 500, nothing happened
    ERROR_AFTER = "error after"  # 500, although it happened
    LOST_ANSWER = "lost answer"  # it happened, the connection broke
    HANG = "hang"  # nothing happens, no answer ever
    HANG_THEN_STORE = "hang then store"  # no answer; stored much later (a late PUT)
    STORE_THEN_HANG = "store then hang"
    STORE_PART = "store part"  # stores half of the body, no answer ever
    FORBIDDEN = "forbidden"  # expired credentials
    REFUSED = "refused"  # the whole body was read, nothing is stored, and it says so
    THROTTLED = "throttled"
    FULL = "full"
    MISSING = "missing"  # 404 for a blob or an upload that exists
    TRUNCATED = "truncated"  # the body ends early; the reader notices by its length
    STALLED = "stalled"  # the body stops in the middle and never goes on
    SLOW = "slow"  # every piece of the body takes its time
    FLIPPED = "flipped"  # one wrong bit, right length
    SWAPPED = "swapped"  # another blob's bytes, right length
    OTHER_BLOB = "other blob"  # another blob, whole: its bytes, length and headers
    EMPTY = "empty"  # no bytes, and says so
    DUPLICATED = "duplicated"  # stored and answered, and stored once more much later
    DELETE_LIES = "delete lies"  # says deleted, keeps it
    LIST_DROPS = "list drops"  # leaves some entries out
    LIST_REPEATS = "list repeats"  # names an entry twice


_ANY = (
    Fault.UNREACHABLE,
    Fault.ERROR_BEFORE,
    Fault.HANG,
    Fault.FORBIDDEN,
    Fault.THROTTLED,
)
_LATE = (
    Fault.REFUSED,
    Fault.ERROR_AFTER,
    Fault.LOST_ANSWER,
    Fault.HANG_THEN_STORE,
    Fault.STORE_THEN_HANG,
)
FITTING: Mapping[str, tuple[Fault, ...]] = {
    "put": (
        *_ANY,
        *_LATE,
        Fault.STORE_PART,
        Fault.FULL,
        Fault.DUPLICATED,
    ),
    "open": (
        *_ANY,
        Fault.MISSING,
        Fault.TRUNCATED,
        Fault.STALLED,
        Fault.SLOW,
        Fault.FLIPPED,
        Fault.SWAPPED,
        Fault.OTHER_BLOB,
        Fault.EMPTY,
    ),
    "head": (*_ANY, Fault.MISSING),
    "delete": (*_ANY, Fault.ERROR_AFTER, Fault.LOST_ANSWER, Fault.DELETE_LIES),
    "list_page": (*_ANY, Fault.LIST_DROPS, Fault.LIST_REPEATS),
    "probe": _ANY,
    "create_upload": (*_ANY, *_LATE),
    "upload_part": (*_ANY, *_LATE, Fault.FULL),
    "complete_upload": (*_ANY, *_LATE, Fault.MISSING),
    "abort_upload": (*_ANY, Fault.ERROR_AFTER, Fault.LOST_ANSWER, Fault.DELETE_LIES),
    "list_parts": (*_ANY, Fault.MISSING),
    "list_uploads": (*_ANY, Fault.LIST_DROPS),
    "copy": (*_ANY, *_LATE, Fault.FULL, Fault.MISSING, Fault.FLIPPED),
    "copy_part": (*_ANY, *_LATE, Fault.FULL, Fault.MISSING, Fault.FLIPPED),
}


class FaultPlan:
    """Decides, call by call, which fault strikes.

    rates: the chance of each fault per fitting call; the seeded Random makes runs
    repeatable. Scripted faults (`next`) come first, in order.
    """

    def __init__(
        self, random: Random | None = None, rates: Mapping[Fault, float] | None = None
    ) -> None:
        self.random = random or Random(0)
        self.rates: dict[Fault, float] = dict(rates or {})
        self.down: Fault | None = None
        self.struck: list[tuple[str, Fault]] = []
        self._scripted: dict[str, deque[Fault | None]] = defaultdict(deque)

    def next(self, operation: str, *faults: Fault | None) -> None:
        """Let the next calls of operation meet these faults (None: none)."""
        for fault in faults:
            assert fault is None or fault in FITTING[operation]
        self._scripted[operation].extend(faults)

    def heal(self) -> None:
        """No faults from now on."""
        self.down = None
        self.rates.clear()
        self._scripted.clear()

    def draw(self, operation: str) -> Fault | None:
        """Decide for one call."""
        fault = self._draw(operation)
        if fault is not None:
            self.struck.append((operation, fault))
        return fault

    def _draw(self, operation: str) -> Fault | None:
        if self.down is not None:
            return self.down
        scripted = self._scripted[operation]
        if scripted:
            return scripted.popleft()
        for fault in FITTING[operation]:
            rate = self.rates.get(fault, 0.0)
            if rate and self.random.random() < rate:
                return fault
        return None
