"""What becomes of a blob's copies, whatever was found of each."""

import itertools

import pytest

from s3o.model.names import BackendName
from s3o.policy.repair import Finding, RepairPlan, plan_repair

NAMES = [BackendName(name) for name in "abc"]
ALL = [
    dict(zip(NAMES, findings, strict=False))
    for count in (1, 2, 3)
    for findings in itertools.product(Finding, repeat=count)
]


@pytest.mark.parametrize("findings", ALL, ids=lambda one: "-".join(one.values()))
def test_nothing_is_replaced_without_a_good_copy(
    findings: dict[BackendName, Finding],
) -> None:
    """Over every combination of up to three copies."""
    plan = plan_repair(findings)
    good = {name for name, found in findings.items() if found is Finding.GOOD}

    assert set(plan.sources) == good
    assert not plan.replace or good
    assert all(findings[name] is Finding.BAD for name in plan.replace)
    assert all(findings[name] is Finding.GONE for name in plan.lose)
    assert not (plan.lose and not good and not plan.quarantine)


@pytest.mark.parametrize("findings", ALL, ids=lambda one: "-".join(one.values()))
def test_nothing_is_given_up_while_a_copy_may_be_good(
    findings: dict[BackendName, Finding],
) -> None:
    """A backend that is down has the right bytes until it was asked."""
    plan = plan_repair(findings)
    found = set(findings.values())

    if found & {Finding.GOOD, Finding.OPEN}:
        assert not plan.quarantine
        assert not plan.is_lost
    else:
        assert bool(plan.quarantine) == (Finding.BAD in found)
        assert plan.is_lost == (found == {Finding.GONE})


def test_every_copy_in_doubt_is_dealt_with() -> None:
    """Good ones repair bad ones; what is gone is lost."""
    a, b, c = NAMES
    findings = {a: Finding.BAD, b: Finding.GOOD, c: Finding.GONE}

    assert RepairPlan(sources=(b,), replace=(a,), lose=(c,)) == plan_repair(findings)
