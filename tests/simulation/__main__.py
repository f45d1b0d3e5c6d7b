"""`just sim`: play seeds, replay one, shrink one, or kill the mutants.

    just sim --seeds 0-99 [--record FILE] [--processes 2]
    just sim --seed 7 [--shrink]
    just sim --mutants

A range ends with `N seeds, M violations`; with a record it goes on where it ended.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.simulation.batch import Result, play_seeds, sum_up, try_swarm
from tests.simulation.catalogue import is_killed
from tests.simulation.mutants import MUTANTS
from tests.simulation.shrink import shrink
from tests.simulation.swarm import Swarm, draw

LAST_EVENTS = 50


def main() -> int:
    """Do what the command line asks for; return 1 if anything was violated."""
    parser = argparse.ArgumentParser(prog="just sim", description=__doc__)
    parser.add_argument("--seeds", default="0-19", help="A-B or one number")
    parser.add_argument("--seed", type=int, help="replay one and tell everything")
    parser.add_argument("--shrink", action="store_true", help="make --seed smaller")
    parser.add_argument("--record", type=Path, help="keep results here, and resume")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--digest", action="store_true", help="print digests only")
    parser.add_argument("--mutants", action="store_true", help="kill them all")
    given = parser.parse_args()
    if given.mutants:
        return _kill_mutants()
    if given.seed is not None:
        return _replay(draw(given.seed), is_shrinking=given.shrink)
    first, _, last = given.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    if given.digest:
        return _print_digests(seeds)
    results = []
    for result in play_seeds(seeds, given.record, given.processes):
        results.append(result)
        if not result.is_fine:
            _tell(result)
    print(*sum_up(results), sep="\n", flush=True)
    return 0 if all(result.is_fine for result in results) else 1


def _print_digests(seeds: Sequence[int]) -> int:
    for result in play_seeds(seeds):
        print(f"{result.seed} {result.steps} {result.digest}", flush=True)
    return 0


def _replay(swarm: Swarm, *, is_shrinking: bool) -> int:
    result = try_swarm(swarm)
    if is_shrinking and not result.is_fine:
        swarm = shrink(swarm, lambda one: not try_swarm(one).is_fine)
        result = try_swarm(swarm)
    _tell(result, swarm)
    print(*sum_up([result]), sep="\n", flush=True)
    return 0 if result.is_fine else 1


def _tell(result: Result, swarm: Swarm | None = None) -> None:
    """Say what is needed to see it again: seed, commit, swarm, last events."""
    print(f"seed {result.seed} of {_commit()}:")
    print((swarm or draw(result.seed)).tell())
    for complaint in result.complaints:
        head, *events = complaint.splitlines()
        print(head)
        # A traceback's end and a history's end are what matters.
        print(*events[-LAST_EVENTS:], sep="\n")
    fate = "fine" if result.is_fine else "VIOLATED"
    print(f"seed {result.seed}: {fate}; replay: just sim --seed {result.seed}")


def _commit() -> str:
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
        text=True,
    ).stdout.strip()
    return told if re.fullmatch(r"[\w.-]+", told) else "an unknown commit"


def _kill_mutants() -> int:
    survivors = 0
    for name, mutant in MUTANTS.items():
        is_dead = is_killed(name)
        survivors += not is_dead
        fate = "killed by" if is_dead else "SURVIVES"
        print(f"{name} {fate} {mutant.story!r}", flush=True)
    print(f"{len(MUTANTS)} mutants, {survivors} survive")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
