"""When objects expire: what a rule means, and which time is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.model.names import ObjectKey
from s3o.model.tenants import LifecycleRule
from s3o.policy.lifecycle import (
    CATCH_UP,
    DAY_US,
    Abort,
    Aging,
    Expiry,
    aborts_of,
    believe,
    cover,
    expiries_of,
    find_abort,
    find_expiry,
    oldest_due,
)

HOUR_US = DAY_US // 24


def aging(key: str = "tmp/a", size: int = 10, tags=(), created_us: int = 0) -> Aging:
    """An object."""
    return Aging(key=ObjectKey(key), size=size, created_at_us=created_us, tags=tags)


@pytest.mark.parametrize(
    ("created_us", "due_us"),
    [
        (0, 3 * DAY_US),
        (1, 4 * DAY_US),
        (10 * HOUR_US, 4 * DAY_US),
        (DAY_US - 1, 4 * DAY_US),
        (DAY_US, 4 * DAY_US),
    ],
)
def test_days_are_rounded_up_to_midnight(created_us: int, due_us: int) -> None:
    """AWS: the next midnight UTC once the days are over."""
    assert due_us == Expiry(id="r", days=3).due_us(created_us)


def test_rules_of_the_file_end_with_their_days() -> None:
    """Documented: what is older than so many days."""
    rule = Expiry(id="r", days=3, is_rounded=False)

    assert 3 * DAY_US + 7 == rule.due_us(7)


def test_a_date_is_one_moment_for_all() -> None:
    """However old they are."""
    assert 9 * DAY_US == Expiry(id="r", at_us=9 * DAY_US).due_us(8 * DAY_US)


@pytest.mark.parametrize(
    ("rule", "is_meant"),
    [
        (Expiry(id="r", days=1), True),
        (Expiry(id="r", days=1, prefix="tmp/"), True),
        (Expiry(id="r", days=1, prefix="TMP/"), False),
        (Expiry(id="r", days=1, prefix="mp/"), False),
        (Expiry(id="r", days=1, size_above=9), True),
        (Expiry(id="r", days=1, size_above=10), False),
        (Expiry(id="r", days=1, size_below=11), True),
        (Expiry(id="r", days=1, size_below=10), False),
        (Expiry(id="r", days=1, tags=(("a", "1"),)), True),
        (Expiry(id="r", days=1, tags=(("a", "1"), ("b", "2"))), True),
        (Expiry(id="r", days=1, tags=(("a", "2"),)), False),
        (Expiry(id="r", days=1, tags=(("a", "1"), ("c", "3"))), False),
        (Expiry(id="r", days=1, prefix="tmp/", size_above=99), False),
    ],
)
def test_a_rule_is_met_whole(rule: Expiry, is_meant: bool) -> None:
    """A rule that loses a condition deletes what it must not."""
    found = find_expiry([rule], aging(tags=(("a", "1"), ("b", "2"))))

    assert is_meant == (found is not None)


def test_the_earliest_rule_wins() -> None:
    """Overlapping rules: the shorter life."""
    rules = [Expiry(id="long", days=9), Expiry(id="short", days=2)]

    found = find_expiry(rules, aging())

    assert found is not None
    assert (2 * DAY_US, "short") == (found[0], found[1].id)


def test_only_enabled_rules_with_an_action_count() -> None:
    """Disabled is how an owner says not now."""
    rules = [
        LifecycleRule(id="off", is_enabled=False, expire_days=1, abort_upload_days=1),
        LifecycleRule(id="abort", is_enabled=True, prefix="u/", abort_upload_days=2),
        LifecycleRule(id="on", is_enabled=True, expire_days=3),
    ]

    assert ["on"] == [rule.id for rule in expiries_of(rules)]
    assert [Abort(prefix="u/", days=2)] == aborts_of(rules)


def test_uploads_end_by_their_prefix() -> None:
    """Days after they began, rounded like all days."""
    rules = [Abort(prefix="u/", days=2), Abort(prefix="u/x", days=1)]

    assert None is find_abort(rules, "v", 0)
    assert 3 * DAY_US == find_abort(rules, "u/a", 1)
    assert 2 * DAY_US == find_abort(rules, "u/x", 1)


RULES = st.lists(
    st.one_of(
        st.builds(Expiry, id=st.just("d"), days=st.integers(1, 5)),
        st.builds(
            Expiry, id=st.just("f"), days=st.integers(1, 5), is_rounded=st.just(False)
        ),
        st.builds(Expiry, id=st.just("a"), at_us=st.integers(0, 9 * DAY_US)),
    ),
    max_size=4,
)


@given(RULES, st.integers(0, 9 * DAY_US), st.integers(0, 9 * DAY_US))
def test_what_is_too_young_for_every_rule_is_not_due(
    rules: list[Expiry], created_us: int, now_us: int
) -> None:
    """The shortcut over most of a bucket leaves nothing out."""
    found = find_expiry(rules, aging(created_us=created_us))
    is_due = found is not None and found[0] <= now_us
    until_us = oldest_due(rules, now_us)

    assert not is_due or (until_us is not None and created_us <= until_us)


@given(st.lists(st.text("ab", max_size=4), max_size=8), st.text("ab", max_size=5))
def test_cover_means_the_same_keys_once(prefixes: list[str], key: str) -> None:
    """No key is looked at twice, and none is left out."""
    covering = [prefix for prefix in cover(prefixes) if key.startswith(prefix)]

    assert len(covering) == any(key.startswith(prefix) for prefix in prefixes)


def test_believed_time_catches_up_but_does_not_jump() -> None:
    """Ten years ahead at once would end every object; far back, no rule for years."""
    year_us = 365 * DAY_US

    assert CATCH_UP * HOUR_US == believe(0, HOUR_US, year_us)
    assert HOUR_US == believe(0, HOUR_US, HOUR_US)
    assert 0 == believe(0, 0, year_us)
    assert year_us - CATCH_UP * HOUR_US == believe(year_us, HOUR_US, 5)
    assert 5 == believe(HOUR_US, HOUR_US, 5)
