"""Say that this process's writes are alive, so that no reaper takes them for dead.

A long upload holds an intent for hours. Its heartbeat is a counter, not a time: the
reaper judges by its own clock how long a counter has stood still, so clocks of
different machines need not agree.
"""

from collections.abc import Callable, Sequence
from functools import partial

from s3o.ledger.intents import beat
from s3o.ledger.ledger import Ledger
from s3o.model.names import StorageKey
from s3o.services.pending_reaper import least_silence_s
from s3o.services.service import Wakeup

BEATS_PER_SILENCE = 5  # some may fail before anybody worries
LONGEST_S = 30.0
BATCH = 500


class Heartbeats:
    """The service; live returns the storage keys being written in this process."""

    name = "heartbeats"
    is_exclusive = False
    gather_s = 0.0

    def __init__(
        self,
        ledger: Ledger,
        *,
        live: Callable[[], Sequence[StorageKey]],
        min_age_s: Callable[[], float],
    ) -> None:
        self.wakeup = Wakeup()
        self._ledger = ledger
        self._live = live
        self._min_age_s = min_age_s

    @property
    def interval_s(self) -> float:
        """Several beats within the shortest silence that would end a write."""
        silence_s = least_silence_s(self._min_age_s())
        return min(LONGEST_S, silence_s / BEATS_PER_SILENCE)

    async def run_once(self) -> str:
        """Beat once for every live write."""
        live = self._live()
        for start in range(0, len(live), BATCH):
            batch = live[start : start + BATCH]
            await self._ledger.write(partial(beat, storage_keys=batch))
        return ""
