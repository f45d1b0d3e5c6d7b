"""Run seeds, or mutants: `python -m tests.simulation --seeds 0-99 [--digest]`."""

import argparse
import sys
import traceback

from tests.simulation.catalogue import is_killed
from tests.simulation.mutants import MUTANTS
from tests.simulation.scenario import simulate


def main() -> int:
    """Play the seeds or the mutants; return 1 if any of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", default="0-19", help="A-B or one number")
    parser.add_argument("--digest", action="store_true", help="print digests only")
    parser.add_argument("--mutants", action="store_true", help="kill them all")
    given = parser.parse_args()
    if given.mutants:
        return _kill_mutants()
    first, _, last = given.seeds.partition("-")
    failed = []
    for seed in range(int(first), int(last or first) + 1):
        try:
            run = simulate(seed)
        except Exception:
            traceback.print_exc()
            print(f"seed {seed}: FAILED", flush=True)
            failed.append(seed)
            continue
        assert run.digest is not None
        if given.digest:
            print(f"{seed} {run.digest.steps} {run.digest.hexdigest()}")
            continue
        reaped = dict(run.outside.reaped)
        print(f"seed {seed}: {run.tally} {reaped}", flush=True)
        if run.complaints:
            failed.append(seed)
            print("\n".join(run.complaints), f"seed {seed}: FAILED", sep="\n")
    if failed:
        print(f"failed seeds: {failed}")
    return 1 if failed else 0


def _kill_mutants() -> int:
    survivors = 0
    for name, mutant in MUTANTS.items():
        is_dead = is_killed(name)
        survivors += not is_dead
        fate = "killed by" if is_dead else "SURVIVES"
        print(f"{name} {fate} {mutant.story!r}", flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
