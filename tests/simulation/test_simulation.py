"""Whatever fails and whenever the process dies, no acknowledged write is lost."""

import functools
import os
import subprocess
import sys
from collections import Counter
from random import Random

import pytest
from trio._core import _run

from tests.simulation.scenario import simulate


def test_trio_still_has_the_names_that_make_it_repeatable():
    """They are private: an upgrade may take them away."""
    assert isinstance(_run._ALLOW_DETERMINISTIC_SCHEDULING, bool)
    assert isinstance(_run._r, Random)


SEEDS = range(20)
played = functools.cache(simulate)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_faults_and_crashes_lose_nothing(seed):
    """The product's first promise."""
    run = played(seed)

    assert [] == run.complaints, f"python -m tests.simulation --seeds {seed}"
    assert run.tally.acknowledged > 0


@pytest.mark.slow
def test_seeds_meet_whatever_they_are_for():
    """A kind of trouble that never happens is a kind that nobody simulates."""
    runs = [played(seed) for seed in SEEDS]
    met = {
        name: sum(getattr(run.tally, name) for run in runs)
        for name in ("unknown", "refused", "no_room", "crashes", "faults")
    }
    met |= sum((run.outside.sometimes for run in runs), Counter())

    assert {"reaper dropped", "reaper superseded", "ambiguous commit"} <= met.keys()
    assert all(met.values()), met


@pytest.mark.slow
def test_seed_decides_the_whole_schedule():
    """A failure that cannot be repeated cannot be understood."""
    command = [sys.executable, "-m", "tests.simulation", "--seeds", "1-2", "--digest"]
    said = [
        subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]

    assert 2 == len(said[0].splitlines())
    assert said[0] == said[1]
