"""Lifecycle rules in the way of clients, and believing a clock that is wrong."""

from collections.abc import Iterator
from typing import cast

import trio

from s3o.ledger.ledger import Ledger
from s3o.ledger.seam import Step, T
from tests.simulation.life import Life
from tests.simulation.races import SEEDS, Race
from tests.simulation.scenes import Stage, put_newer, put_old
from tests.simulation.scenes_admin import DAY_S, LIFECYCLE, RULES, put_and_wait

YEAR_US = 365 * 86_400_000_000


class _Overtaken:
    """The ledger of a pass that a client overtakes once it has listed the keys."""

    def __init__(self, ledger: Ledger, stage: Stage) -> None:
        self.read, self.write = ledger.read, ledger.write
        self._ledger = ledger
        self._stage = stage

    async def scan(self, step: Step[T]) -> T:
        """Read, and let the client have its way before anybody sees the answer."""
        found = await self._ledger.scan(step)
        if found.due:
            await put_newer(self._stage)
        return found


def overwritten_while_it_expires() -> Iterator[str]:
    """A client overwrites an old object between a pass's listing and its delete."""
    for seed in SEEDS:
        stage = Stage(seed, settings=RULES)

        async def tell(nursery: trio.Nursery, stage: Stage = stage) -> None:
            life = await stage.start(nursery)
            await put_and_wait(stage)
            assert life.services is not None
            service = life.services.lifecycle
            ledger = service._ledger
            service._ledger = cast("Ledger", _Overtaken(ledger, stage))
            await stage.run_service(LIFECYCLE)
            service._ledger = ledger
            await stage.heal()
            await stage.end()

        stage.perform(tell)
        yield from stage.witness.complaints


def clock_a_year_ahead() -> Iterator[str]:
    """The next process has a clock that is a year ahead: nothing ends that day."""
    stage = Stage(0, settings=RULES)

    async def tell(nursery: trio.Nursery) -> None:
        first = await stage.start(nursery)
        await put_old(stage)
        await stage.run_service(LIFECYCLE)
        first.stop()
        await trio.sleep(60)
        stage.life = Life(
            stage.outside,
            stage.settings,
            "ahead",
            rest_s=DAY_S,
            skew_us=YEAR_US,
        )
        nursery.start_soon(stage.life.run)
        await stage.life.ready.wait()
        for _ in range(12):
            await stage.run_service(LIFECYCLE)
            await trio.sleep(3600)
        stage.life.stop()
        await trio.sleep(60)
        await stage.start(nursery)
        await stage.end()

    stage.perform(tell)
    yield from stage.witness.complaints


RACES: dict[str, Race] = {
    "overwritten while it expires": overwritten_while_it_expires,
    "clock a year ahead": clock_a_year_ahead,
}
