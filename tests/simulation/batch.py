"""Many seeds, one after the other: recorded, resumable, and summed up at the end.

A record is a file of JSON lines, one per seed. A seed that stands in it is not played
again, so that a range that was interrupted goes on where it ended.
"""

import json
import signal
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path

from tests.simulation.scenario import Run, play
from tests.simulation.swarm import Swarm, draw

LONGEST_WALL_S = 300
COMPLAINT_CHARACTERS = 6000


@dataclass(kw_only=True)
class Result:
    """What became of one seed. digest: of its schedule, "" if it did not end."""

    seed: int
    complaints: list[str]
    digest: str = ""
    steps: int = 0
    simulated_s: float = 0.0
    requests: int = 0
    crashes: int = 0
    sometimes: dict[str, int] = field(default_factory=dict)

    @property
    def is_fine(self) -> bool:
        """Whether nothing is to be complained of."""
        return not self.complaints


class TooSlow(BaseException):
    """A run that does not end by the clock on the wall."""


@contextmanager
def _watchdog() -> Iterator[None]:
    def bark(_number: int, _frame: object) -> None:
        raise TooSlow(f"not over after {LONGEST_WALL_S} s")

    before = signal.signal(signal.SIGALRM, bark)
    signal.alarm(LONGEST_WALL_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def try_swarm(swarm: Swarm) -> Result:
    """Play one swarm; whatever it raises is a complaint."""
    try:
        with _watchdog():
            run = play(swarm)
    except (Exception, TooSlow) as error:
        text = "".join(traceback.format_exception(error))
        return Result(seed=swarm.seed, complaints=[text[-COMPLAINT_CHARACTERS:]])
    return result_of(run)


def result_of(run: Run) -> Result:
    """Return what is kept of a run."""
    tally, digest = run.tally, run.digest
    assert digest is not None
    return Result(
        seed=run.swarm.seed,
        complaints=[text[:COMPLAINT_CHARACTERS] for text in run.complaints],
        digest=digest.hexdigest(),
        steps=digest.steps,
        simulated_s=round(run.simulated_s, 3),
        requests=sum((tally.acknowledged, tally.unknown, tally.refused, tally.no_room))
        + tally.reads,
        crashes=tally.crashes,
        sometimes=dict(sorted(run.outside.sometimes.items())),
    )


def try_seed(seed: int) -> Result:
    """Play one seed."""
    return try_swarm(draw(seed))


def read_record(path: Path | None) -> dict[int, Result]:
    """Return the seeds that were played already; half a last line is forgotten."""
    if path is None or not path.exists():
        return {}
    results = {}
    for line in path.read_text().splitlines():
        try:
            result = Result(**json.loads(line))
        except (ValueError, TypeError):
            continue
        results[result.seed] = result
    return results


def play_seeds(
    seeds: Sequence[int], record: Path | None = None, processes: int = 1
) -> Iterator[Result]:
    """Play the seeds that the record does not have; yield all, in order of ending."""
    known = read_record(record)
    for seed in seeds:
        if seed in known:
            yield known[seed]
    left = [seed for seed in seeds if seed not in known]
    for result in _play(left, processes):
        if record is not None:
            with record.open("a") as file:  # a line of its own, whatever was cut off
                file.write(f"\n{json.dumps(asdict(result))}\n")
        yield result


def _play(seeds: Sequence[int], processes: int) -> Iterator[Result]:
    if processes == 1 or len(seeds) < 2:
        yield from map(try_seed, seeds)
        return
    with get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(try_seed, seeds)


def sum_up(results: Sequence[Result]) -> Iterator[str]:
    """Yield the lines of a report; the last one says how many violations there are."""
    sometimes: Counter[str] = Counter()
    for result in results:
        sometimes.update(dict.fromkeys(result.sometimes, 1))
    hours = sum(result.simulated_s for result in results) / 3600
    requests = sum(result.requests for result in results)
    crashes = sum(result.crashes for result in results)
    for name, count in sorted(sometimes.items()):
        yield f"  {name}: in {count} seeds"
    missing = missing_of(sometimes)
    if missing:
        yield f"never reached: {', '.join(missing)}"
    yield f"{hours:.0f} simulated hours, {requests} requests, {crashes} processes ended"
    bad = sorted(result.seed for result in results if not result.is_fine)
    if bad:
        yield f"seeds with violations: {bad}"
    yield f"{len(results)} seeds, {len(bad)} violations"


#: What a large batch has to reach, or it proves less than it seems to.
WANTED = (
    "ambiguous commit",
    "circuit of a backend opened",
    "circuit of the ledger opened",
    "configuration reloaded",
    "cleanup retry",
    "copy made",
    "drain called off",
    "drain ordered",
    "object expired",
    "object rebalanced",
    "provider lost a copy",
    "surplus copy removed",
    "wrong bytes found",
    "cleanup success",
    "ledger down",
    "network: address changed",
    "network: client cut while it receives",
    "network: client cut while it sends",
    "network: interrupted",
    "paused after put",
    "paused after write",
    "paused before delete",
    "paused before open",
    "process ended at call",
    "process ended frozen",
    "process ended in order",
    "process ended later",
    "provider down",
    "read failed over",
    "reaper dropped",
    "reaper promoted",
    "reaper superseded",
    "wall clock jumped",
    "write failed over",
)


def missing_of(sometimes: Counter[str]) -> list[str]:
    """Return what was wanted and never happened."""
    return [name for name in WANTED if not sometimes[name]]
