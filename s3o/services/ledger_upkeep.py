"""Keep the ledger's clocks, and forget deletes that nothing can undo any more.

A tombstone lives at least thirty days, for rebuild, restore and reconcile must not
bring its key back. Those days are told by the ledger's counted clock (ledger/meta): a
wall clock that jumps, on this machine or another, makes none of them shorter. They last
longer where the service is off for part of them.

Source: data model, "Deletes".
"""

from collections.abc import Callable
from functools import partial

import trio

from s3o.ledger.ledger import Ledger
from s3o.ledger.meta import count_time, note_time
from s3o.ledger.seam import Tx
from s3o.ledger.tombstones import (
    START,
    forget_tombstones,
    list_expired_tombstones,
)
from s3o.model.facts import Happened
from s3o.model.limits import TOMBSTONE_BATCH
from s3o.model.seams import Clock, Observer
from s3o.services.safety import always
from s3o.services.service import Wakeup

INTERVAL_S = 600.0  # seldom, so that the disks of an idle service may sleep
BEHIND_S = 60.0  # less than that is how clocks are kept right
DAY_S = 86_400.0
LIFE_S = 30 * DAY_S
# The counted clock is written once a pass, and a tombstone made by a wall clock that
# stands behind gets the last time written. So no pass counts more than MOST_S, and
# tombstones live that much longer than they must.
MOST_S = DAY_S


class LedgerUpkeep:
    """The service; note_clocks() is also called once before anything is served."""

    name = "ledger-upkeep"
    is_exclusive = True
    gather_s = 0.0
    interval_s = INTERVAL_S

    def __init__(
        self,
        ledger: Ledger,
        observer: Observer,
        clock: Clock,
        *,
        stopping: trio.Event,
        may_destroy: Callable[[], bool] = always,
    ) -> None:
        self.wakeup = Wakeup()
        self._ledger = ledger
        self._observer = observer
        self._clock = clock
        self._stopping = stopping
        self._may_destroy = may_destroy
        self._counted_us: int | None = None
        self._counted_at_s = 0.0
        self._is_behind = False

    async def note_clocks(self) -> int:
        """Write both clocks; return the counted one. Warns of a wall clock set back."""
        now_us, now_s = self._clock.now_us(), self._clock.monotonic_s()
        if self._counted_us is None:
            wanted_us = None
        else:
            passed_s = min(now_s - self._counted_at_s, MOST_S)
            wanted_us = self._counted_us + int(passed_s * 1_000_000)

        async def note(tx: Tx) -> tuple[int, int]:
            return await note_time(tx, now_us), await count_time(tx, wanted_us, now_us)

        highest_us, counted_us = await self._ledger.write(note)
        self._counted_us, self._counted_at_s = counted_us, now_s
        self._warn_if_behind((highest_us - now_us) / 1_000_000)
        return counted_us

    async def run_once(self) -> str:
        """Note the time; forget tombstones page by page."""
        counted_us = await self.note_clocks()
        before_us = counted_us - round((LIFE_S + MOST_S) * 1_000_000)
        count = 0
        after = START
        while self._may_destroy() and not self._stopping.is_set():
            page = await self._ledger.scan(
                partial(
                    list_expired_tombstones,
                    before_us=before_us,
                    limit=TOMBSTONE_BATCH,
                    after=after,
                )
            )
            if page:
                count += await self._ledger.write(
                    partial(forget_tombstones, tombstones=page, before_us=before_us)
                )
                after = page[-1]
            if len(page) < TOMBSTONE_BATCH:
                break
        return f"forgot {count} deletes" if count else ""

    def _warn_if_behind(self, behind_s: float) -> None:
        was_behind, self._is_behind = self._is_behind, behind_s > BEHIND_S
        if self._is_behind and not was_behind:
            self._observer.note(
                Happened(
                    level="warning",
                    message="the clock is behind a time that the ledger has seen",
                    fields=(("behind_s", round(behind_s)),),
                )
            )
