"""The checker of histories: lost and stale values are found, honest histories pass."""

import itertools
import math
import time
from collections.abc import Sequence
from random import Random

import pytest

from tests.simulation.history import ABSENT, Operation, is_linearizable


def write(value, began, ended):
    """A write that was acknowledged."""
    return Operation(is_write=True, value=value, began=began, ended=ended)


def read(value, began, ended):
    """A read that was answered."""
    return Operation(is_write=False, value=value, began=began, ended=ended)


def unknown(value, began, lost=math.inf, others=()):
    """A write whose outcome nobody knows."""
    return Operation(
        is_write=True, value=value, began=began, lost=lost, others=frozenset(others)
    )


def create(value, began, ended):
    """A write on the condition that there was nothing."""
    one = write(value, began, ended)
    one.when = ("",)
    return one


def refused(when, began, ended):
    """A write that was refused because the value was not `when`."""
    return Operation(
        is_write=False, value="", began=began, ended=ended, when=when, is_refused=True
    )


@pytest.mark.parametrize(
    ("history", "is_fine"),
    [
        ([], True),
        ([read("", 0, 1)], True),
        ([read("x", 0, 1)], False),
        ([write("x", 0, 1), read("", 2, 3)], False),
        ([write("x", 0, 1), read("", 0.5, 3)], True),
        ([write("x", 0, 1), write("y", 2, 3), read("x", 4, 5)], False),
        ([write("x", 0, 3), write("y", 2, 4), read("x", 5, 6)], True),
        ([unknown("x", 0), read("", 1, 2), read("x", 3, 4)], True),
        ([unknown("x", 0), read("x", 1, 2), read("", 3, 4)], False),
        ([unknown("x", 5), read("x", 1, 2)], False),
        ([write("x", 0, 1), unknown("", 2), read("x", 3, 4), read("", 5, 6)], True),
        ([unknown("x", 0), write("", 2, 3), read("x", 4, 5)], True),
        ([unknown("x", 0, 1), write("", 2, 3), read("x", 4, 5)], False),
        ([unknown("x", 0, 1), read("", 2, 3), read("x", 4, 5)], True),
        ([unknown("x", 0, 2), write("", 1, 3), read("x", 4, 5)], True),
        # One write takes effect once: after a delete its value does not come back.
        ([write("x", 0, 1), write("", 2, 3), read("x", 4, 5)], False),
        ([unknown("x", 0), read("x", 1, 2), write("", 3, 4), read("x", 5, 6)], False),
        # Two readers, one after the other, may not see a write and then not see it.
        ([write("x", 0, 9), read("x", 1, 2), read("", 3, 4)], False),
        ([write("x", 0, 9), read("", 1, 2), read("x", 3, 4)], True),
        ([create("x", 0, 1), create("y", 2, 3)], False),
        ([create("x", 0, 2), create("y", 1, 3)], False),
        ([create("x", 0, 1), write("", 0, 2), create("y", 1, 3)], True),
        ([refused(("",), 0, 1)], False),
        ([write("x", 0, 1), refused(("",), 2, 3), read("x", 4, 5)], True),
        ([unknown("x", 0), refused(("",), 2, 3)], True),
        ([write("x", 0, 1), refused(("", "x"), 2, 3)], False),
        ([unknown("?", 0, others=("x", "y")), read("y", 1, 2)], True),
        ([unknown("?", 0, others=("x", "y")), read("y", 1, 2), read("x", 3, 4)], False),
        ([unknown("?", 0, others=("x",)), read("y", 1, 2)], False),
    ],
)
def test_checker_knows_lost_and_stale_values(history, is_fine):
    """A checker that accepts everything would make every run green."""
    assert is_fine == is_linearizable(history)


def _is_explained(history: Sequence[Operation]) -> bool:
    """The definition itself: some order of some of the unknown writes and the rest."""
    known = [one for one in history if one.is_known]
    perhaps = [one for one in history if not one.is_known]
    for count in range(len(perhaps) + 1):
        for chosen in itertools.combinations(perhaps, count):
            for order in itertools.permutations([*known, *chosen]):
                if _is_in_time(order) and _is_legal(order, ABSENT):
                    return True
    return False


def _is_in_time(order: Sequence[Operation]) -> bool:
    return not any(
        later.ended < one.began
        or (one.is_write and later.is_write and one.began > later.lost)
        for one, later in itertools.combinations(order, 2)
    )


def _is_legal(order: Sequence[Operation], value: str) -> bool:
    if not order:
        return True
    first, rest = order[0], order[1:]
    if not first.fits(value):
        return False
    results = first.results() if first.is_write else (value,)
    return any(_is_legal(rest, result) for result in results)


def _anything(chance: Random) -> Operation:
    began = chance.randrange(8) + chance.random() / 2
    ended = began + chance.randrange(5) + 0.6
    value = chance.choice(("", "x", "y"))
    kind = chance.random()
    if kind < 0.4:
        return read(value, began, ended)
    if kind < 0.5:
        return refused((value,), began, ended)
    one = write(value, began, ended)
    if chance.random() < 0.4:
        one.ended = math.inf
        one.lost = chance.choice((math.inf, began + chance.random() * 3))
    if chance.random() < 0.3:
        one.when = (chance.choice(("", "x", "y")),)
    if chance.random() < 0.2:
        one.others = frozenset(chance.choice(("x", "y")))
    return one


def test_checker_agrees_with_the_definition():
    """Its shortcuts are where it could be wrong; trying everything has none."""
    chance = Random(1)
    verdicts = set()
    for _ in range(1500):
        history = [_anything(chance) for _ in range(chance.randrange(1, 6))]
        is_fine = _is_explained(history)
        verdicts.add(is_fine)
        told = "\n".join(map(str, history))
        assert is_fine == is_linearizable(history), told

    assert {True, False} == verdicts


def test_checker_is_quick_with_many_operations():
    """Three hundred operations of a key, one in six unknown, take no time."""
    chance, history, value = Random(1), [], ABSENT
    for number in range(300):
        began = number + chance.random()
        ended = began + chance.random() * 6
        if chance.random() < 0.5:
            value = f"v{number}"
            is_known = chance.random() < 0.66
            history.append(write(value, began, ended if is_known else math.inf))
        else:
            history.append(read(value, began, ended))
    began_s = time.perf_counter()

    assert is_linearizable(history)
    assert time.perf_counter() - began_s < 2
