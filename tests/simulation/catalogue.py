"""All scenes, races and mutants there are, of every room.

A room keeps its own in files of its own, which are found here by their names:
`scenes_<room>.py` with a SCENES of its own, `races_<room>.py` with a RACES, and
`mutants_<room>.py`, whose functions register with mutants.killed_by. Names are unique.
"""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import pytest

from tests import simulation
from tests.simulation import races, scenes
from tests.simulation.mutants import MUTANTS
from tests.simulation.races import Race
from tests.simulation.scenes import Scene, lowered_limits


def _rooms(kind: str) -> list[ModuleType]:
    found = [one.name for one in pkgutil.iter_modules(simulation.__path__)]
    return [
        import_module(f"{simulation.__name__}.{name}")
        for name in sorted(found)
        if name.startswith(f"{kind}_")
    ]


def _gather(kind: str, first: dict[str, object]) -> dict[str, object]:
    every = dict(first)
    for room in _rooms(kind):
        own = getattr(room, kind.upper())
        assert not every.keys() & own.keys(), f"{room.__name__} repeats a name"
        every |= own
    return every


ALL_SCENES: dict[str, Scene] = _gather("scenes", scenes.SCENES)
ALL_RACES: dict[str, Race] = _gather("races", races.RACES)
_rooms("mutants")
assert not ALL_SCENES.keys() & ALL_RACES.keys(), "a scene and a race of one name"


def tell(story: str) -> Iterator[str]:
    """Tell a scene or a race; yield what went wrong."""
    if story in ALL_SCENES:
        yield from ALL_SCENES[story].complaints()
        return
    with lowered_limits():
        yield from ALL_RACES[story]()


def is_killed(mutant: str) -> bool:
    """Whether the mutant's story finds it."""
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS[mutant].plant(patch)
        return next(tell(MUTANTS[mutant].story), None) is not None
