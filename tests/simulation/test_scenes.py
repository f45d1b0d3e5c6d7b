"""A process may die at any point of an operation; the operation's rules survive it."""

import pytest

from tests.simulation.catalogue import ALL_RACES, ALL_SCENES, is_killed, tell
from tests.simulation.mutants import MUTANTS
from tests.simulation.scenes import SCENES, lowered_limits


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL_SCENES)
def test_no_crash_point_loses_anything(name: str) -> None:
    """Random seeds rarely hit the few instants between storing and committing."""
    assert [] == list(tell(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL_RACES)
def test_no_race_loses_anything(name: str) -> None:
    """Two clients at once are an ordinary day."""
    assert [] == list(tell(name))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("hang", "dropped"),
        ("store then hang", "promoted"),
        ("store then hang, then delete", "superseded"),
        ("store then hang, then put", "superseded"),
        ("store part", "dropped"),
    ],
)
def test_reaper_does_what_the_scene_is_for(name: str, outcome: str) -> None:
    """A scene in which the reaper finds nothing proves nothing about it."""
    with lowered_limits():
        stage = SCENES[name].play(10**6)

    assert {outcome: 1} == stage.outside.reaped
    assert [] == stage.witness.complaints


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_broken_protocol_is_found(name: str) -> None:
    """Who cannot tell a broken protocol from a whole one has tested nothing."""
    assert is_killed(name), f"{name} survives {MUTANTS[name].story!r}"
