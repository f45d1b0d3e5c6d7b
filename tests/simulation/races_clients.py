"""Connections that break under a client, clocks that are set, and orderly ends."""

from collections.abc import Iterator
from contextlib import suppress
from random import Random

import trio

from s3o.model.errors import LedgerError
from s3o.net.memory import MemoryStream
from tests.simulation import questions
from tests.simulation.client_network import CUT_UP, Line
from tests.simulation.life import AFTER, BEFORE
from tests.simulation.races import SEEDS, Race
from tests.simulation.scenes import KEY, NEW, OTHER, Stage, body_of, put_old
from tests.simulation.scenes_admin import LIFECYCLE, RULES

YEAR_US = 365 * 86_400_000_000
SENT_BYTES = (0, 1, 500, 700, 3_000, len(NEW) + 300)


class _CutAfter(Random):
    """Chance that cuts a connection after so many bytes, by a reset or in order."""

    def __init__(self, count: int, *, is_reset: bool) -> None:
        super().__init__(0)
        self._count = count
        self._is_reset = is_reset

    def choice(self, _choices: object) -> int:
        """How many bytes get through."""
        return self._count

    def random(self) -> float:
        """How the connection ends."""
        return 0.0 if self._is_reset else 1.0


def cut_request() -> Iterator[str]:
    """Half a request does nothing, wherever it was cut, and however."""
    for is_reset in (True, False):
        for count in SENT_BYTES:
            stage = Stage(0)

            def over(
                stream: MemoryStream, count: int = count, is_reset: bool = is_reset
            ) -> Line:
                return Line(stream, CUT_UP, _CutAfter(count, is_reset=is_reset))

            async def tell(nursery: trio.Nursery, stage: Stage = stage) -> None:
                await stage.start(nursery)
                await put_old(stage)
                honest, stage.witness.over = stage.witness.over, over
                client = stage.witness.client()
                await stage.witness.put(client, "cut", KEY, NEW)
                await stage.witness.delete_many(client, "cut", (KEY, OTHER) * 9)
                await questions.upload(stage.witness, client, "cut", OTHER, [NEW])
                stage.witness.over = honest
                await stage.heal()
                await stage.end()

            stage.perform(tell)
            yield from stage.witness.complaints


def orderly_end() -> Iterator[str]:
    """A process that ends in order leaves nothing open, and no call uncounted."""
    for seed in SEEDS:
        stage = Stage(seed)

        async def tell(nursery: trio.Nursery, stage: Stage = stage) -> None:
            first = await stage.start(nursery)
            for name in ("a", "b"):
                body = body_of(name, 3000)
                await stage.witness.put(stage.witness.client(), name, KEY, body)
                await stage.witness.get(stage.witness.client(), name, KEY)
            first.stop()
            await trio.sleep(60)
            await stage.start(nursery)
            await stage.heal()
            await stage.end()

        stage.perform(tell)
        yield from stage.witness.complaints


def clock_was_ahead() -> Iterator[str]:
    """Deleted while the clock was a year ahead: gone within days of its repair."""
    stage = Stage(0)

    async def tell(nursery: trio.Nursery) -> None:
        life = await stage.start(nursery)
        await put_old(stage)
        life.clock.offset_us = YEAR_US
        client = stage.witness.client()
        client.clock.offset_us = YEAR_US  # else it would be refused
        await stage.witness.delete(client, "ahead", KEY)
        life.clock.offset_us = 0
        await stage.heal()
        await stage.heal()
        await stage.end()

    stage.perform(tell)
    yield from stage.witness.complaints


def first_pass_a_year_ahead() -> Iterator[str]:
    """The first pass there ever was meets a clock that is a year ahead."""
    stage = Stage(0, settings=RULES)

    async def tell(nursery: trio.Nursery) -> None:
        life = await stage.start(nursery)
        await put_old(stage)
        await trio.sleep(600)
        life.clock.offset_us = YEAR_US
        await stage.run_service(LIFECYCLE)
        life.clock.offset_us = 0
        await stage.witness.read_all()
        await stage.end()

    stage.perform(tell)
    yield from stage.witness.complaints


def failed_flush() -> Iterator[str]:
    """The ledger fails under a flush of what was counted."""
    for fault in (BEFORE, AFTER):
        stage = Stage(0)

        async def tell(
            nursery: trio.Nursery, stage: Stage = stage, fault: str = fault
        ) -> None:
            life = await stage.start(nursery)
            await put_old(stage)
            life.fail_commit_in(1, fault)
            with suppress(LedgerError):
                await stage.run_service("usage-flush")
            stage.witness.expect(life.is_struck, "no flush failed")
            life.spare()
            if life.is_dead:  # of not knowing what its ledger holds
                await stage.start(nursery)
            await stage.heal()
            await stage.end()

        stage.perform(tell)
        # Counted twice, where nobody knows, is what is promised.
        is_unsure = fault == AFTER
        for complaint in stage.witness.complaints:
            if not (is_unsure and "calls are counted, only" in complaint):
                yield complaint


RACES: dict[str, Race] = {
    "cut request": cut_request,
    "orderly end": orderly_end,
    "clock was ahead": clock_was_ahead,
    "first pass a year ahead": first_pass_a_year_ahead,
    "failed flush": failed_flush,
}
