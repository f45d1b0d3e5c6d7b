"""Run a Trio program so that a seed alone decides what happens.

Trio shuffles each batch of tasks with a private Random, which has to be seeded, and
sorts the batch before only behind a private switch; time is virtual; the garbage
collector, whose finalizers could run anywhere, waits; there are no threads.
"""

import gc
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import trio
import trio.testing
from trio._core import _run


class ScheduleDigest(trio.abc.Instrument):
    """A digest of which task stepped when."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.steps = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps += 1
        self._hash.update(f"{task.name}@{trio.current_time()!r}\n".encode())

    def hexdigest(self) -> str:
        """The digest so far."""
        return self._hash.hexdigest()


async def _in_line(
    work: Callable[..., object], *arguments: object, **_options: object
) -> object:
    """Do here what production does in a thread: no time passes, no other order."""
    await trio.lowlevel.checkpoint()
    return work(*arguments)


@contextmanager
def _deterministic(seed: int, *, is_tidy: bool) -> Iterator[None]:
    switch, run_sync = _run._ALLOW_DETERMINISTIC_SCHEDULING, trio.to_thread.run_sync
    chance = _run._r.getstate()
    if is_tidy:
        gc.collect()
    gc.disable()
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True
    _run._r.seed(seed)
    trio.to_thread.run_sync = _in_line
    try:
        yield
    finally:
        trio.to_thread.run_sync = run_sync
        _run._r.setstate(chance)
        _run._ALLOW_DETERMINISTIC_SCHEDULING = switch
        gc.enable()


def run_seeded(
    program: Callable[[], Awaitable[None]], seed: int, *, is_tidy: bool = True
) -> ScheduleDigest:
    """Run program to its end; return the digest of its schedule.

    is_tidy: collect garbage first and digest, which takes longer than a short program.
    """
    clock = trio.testing.MockClock(autojump_threshold=0)
    clock._real_clock = lambda: 0.0
    digest = ScheduleDigest()
    with _deterministic(seed, is_tidy=is_tidy):
        trio.run(program, clock=clock, instruments=[digest] if is_tidy else [])
    return digest
