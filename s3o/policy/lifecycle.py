"""When an object expires, by the rules of its bucket and of the configuration.

Rule 1: a rule is met only whole: prefix, every tag, both sizes. Rule 2: the age is the
version's own. Rule 3: a rule of the S3 API ends at midnight UTC, the next one after the
days are over, as AWS rounds it; one of the configuration file ends with its days.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from s3o.model.names import ObjectKey
from s3o.model.tenants import LifecycleRule
from s3o.model.values import Pairs

DAY_US = 86_400_000_000

_EVER_US = 1 << 62

#: How much faster than our own clock the believed time may run, ahead or back.
CATCH_UP = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """One rule by which objects expire; of days and at_us one is set.

    size_above and size_below are exclusive.
    """

    id: str
    prefix: str = ""
    tags: Pairs = ()
    size_above: int | None = None
    size_below: int | None = None
    days: int | None = None
    at_us: int | None = None
    is_rounded: bool = True

    def due_us(self, created_at_us: int) -> int:
        """Return when an object made at that time expires."""
        if self.at_us is not None:
            return self.at_us
        assert self.days is not None
        due_us = created_at_us + self.days * DAY_US
        return -(-due_us // DAY_US) * DAY_US if self.is_rounded else due_us

    def fits(self, key: str, size: int, tags: Pairs) -> bool:
        """Whether the rule means such an object."""
        return (
            key.startswith(self.prefix)
            and (self.size_above is None or size > self.size_above)
            and (self.size_below is None or size < self.size_below)
            and all(tag in tags for tag in self.tags)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Abort:
    """A rule by which uploads under way end, days after they began."""

    prefix: str
    days: int

    def due_us(self, created_at_us: int) -> int:
        """Return when an upload begun at that time is aborted."""
        return -(-(created_at_us + self.days * DAY_US) // DAY_US) * DAY_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Aging:
    """What a rule needs to know of an object."""

    key: ObjectKey
    size: int
    created_at_us: int
    tags: Pairs


def expiries_of(rules: Iterable[LifecycleRule]) -> list[Expiry]:
    """Return those of a bucket's rules that are enabled and expire objects."""
    return [
        Expiry(
            id=rule.id,
            prefix=rule.prefix or "",
            tags=rule.tags,
            size_above=rule.size_above,
            size_below=rule.size_below,
            days=rule.expire_days,
            at_us=rule.expire_at_us,
        )
        for rule in rules
        if rule.is_enabled
        and (rule.expire_days is not None or rule.expire_at_us is not None)
    ]


def aborts_of(rules: Iterable[LifecycleRule]) -> list[Abort]:
    """Return those of a bucket's rules that are enabled and abort uploads."""
    return [
        Abort(prefix=rule.prefix or "", days=rule.abort_upload_days)
        for rule in rules
        if rule.is_enabled and rule.abort_upload_days is not None
    ]


def find_expiry(rules: Iterable[Expiry], aging: Aging) -> tuple[int, Expiry] | None:
    """Return when the object expires first and by which rule; None: never."""
    found: tuple[int, Expiry] | None = None
    for rule in rules:
        if rule.fits(aging.key, aging.size, aging.tags):
            due_us = rule.due_us(aging.created_at_us)
            if found is None or due_us < found[0]:
                found = (due_us, rule)
    return found


def oldest_due(rules: Iterable[Expiry], now_us: int) -> int | None:
    """Return until when an object must have been made to be due now; None: none is."""
    until: int | None = None
    for rule in rules:
        if rule.at_us is None:
            assert rule.days is not None
            made_us = now_us - rule.days * DAY_US
        elif rule.at_us <= now_us:
            made_us = _EVER_US
        else:
            continue
        until = made_us if until is None else max(until, made_us)
    return until


def find_abort(rules: Iterable[Abort], key: str, created_at_us: int) -> int | None:
    """Return when an upload of key is aborted; None: never."""
    due = [r.due_us(created_at_us) for r in rules if key.startswith(r.prefix)]
    return min(due, default=None)


def cover(prefixes: Iterable[str]) -> Sequence[str]:
    """Return the fewest prefixes that mean the same keys, in byte order."""
    kept: list[str] = []
    for prefix in sorted(set(prefixes)):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return kept


def believe(believed_us: int, passed_us: int, wall_us: int) -> int:
    """Return the time that is believed, from what it was passed_us ago.

    It follows the wall clock, at most CATCH_UP times as fast as our own: what a machine
    slept is caught up with, while a wall clock that jumps years ahead needs days to do
    harm, and warns all the while; one that is years behind for an hour costs hours, not
    years. Ages are judged by the earlier of it and the wall clock.
    """
    most_us = CATCH_UP * passed_us
    return min(max(wall_us, believed_us - most_us), believed_us + most_us)
