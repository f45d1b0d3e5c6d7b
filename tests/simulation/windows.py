"""Rare long pauses at the instants between two calls of the seams (BUGGIFY).

A race needs somebody who stands still at the wrong moment: between a lookup and the GET
(`before open`), an upload and its commit (`after put`), a commit and its answer (`after
write`), before a cleanup's delete (`before delete`), between a check and what is based
on it (`after head`). The product knows nothing of this; the seams' wrappers pause here.
"""

from collections import Counter
from random import Random

import trio

PAUSES_S = (1.0, 20.0, 90.0, 400.0)  # the last is longer than the reaper's patience
WINDOWS = (
    "before open",
    "after open",
    "before put",
    "after put",
    "after head",
    "before delete",
    "after delete",
    "after copy",
    "after complete_upload",
    "after upload_part",
    "after read",
    "before write",
    "after write",
)


class Windows:
    """Which windows are open, and how often somebody stands still in one."""

    def __init__(self, chance: Random, sometimes: Counter[str]) -> None:
        self.rates: dict[str, float] = {}
        self.chance = chance
        self._sometimes = sometimes

    async def pause(self, name: str) -> None:
        """Stand still, perhaps."""
        rate = self.rates.get(name, 0.0)
        if rate and self.chance.random() < rate:
            self._sometimes[f"paused {name}"] += 1
            await trio.sleep(self.chance.choice(PAUSES_S))
