"""Decide what becomes of the copies of one blob after each of them was looked at.

Good copies repair bad ones. Where none is good, nothing is touched as long as any copy
might still be: it was not readable just now. Only when every copy was looked at and
none is good is the blob beyond a machine: what bytes there are stay where they are, in
quarantine, for a person.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from s3o.model.names import BackendName


class Finding(StrEnum):
    """What is known of one copy. open: it could not be judged now."""

    GOOD = "good"
    BAD = "bad"
    GONE = "gone"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairPlan:
    """replace: bad copies to be replaced from sources. lose: there is nothing there.

    quarantine: the last bytes, all of them bad. is_lost: no copy has any bytes.
    """

    sources: tuple[BackendName, ...] = ()
    replace: tuple[BackendName, ...] = ()
    lose: tuple[BackendName, ...] = ()
    quarantine: tuple[BackendName, ...] = ()
    is_lost: bool = False


def plan_repair(findings: Mapping[BackendName, Finding]) -> RepairPlan:
    """Return what to do about a blob whose copies are as found."""

    def which(wanted: Finding) -> tuple[BackendName, ...]:
        return tuple(name for name, found in findings.items() if found is wanted)

    good, bad, gone = which(Finding.GOOD), which(Finding.BAD), which(Finding.GONE)
    if good:
        return RepairPlan(sources=good, replace=bad, lose=gone)
    if which(Finding.OPEN):
        return RepairPlan()
    if bad:
        return RepairPlan(lose=gone, quarantine=bad)
    return RepairPlan(is_lost=True)
