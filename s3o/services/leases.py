"""Leases of exclusive services, for instances that share a ledger.

A holder counts heartbeats in the ledger; whoever sees no beat for PATIENCE_S by its own
monotonic clock takes over. A holder that could not beat for HOLD_S stops by itself,
well before that. With one process on its ledger NoLeases does (service.py).
"""

from functools import partial

import trio

from s3o.ledger.ledger import Ledger
from s3o.ledger.locks import (
    LockWatch,
    beat_lock,
    read_lock,
    release_lock,
    take_lock,
)
from s3o.model.errors import LedgerError
from s3o.model.seams import Clock

BEAT_S = 10.0
HOLD_S = 30.0
PATIENCE_S = 60.0


class LedgerLeases:
    """service.Leases in the ledger's service_locks; holder names this process."""

    def __init__(self, ledger: Ledger, clock: Clock, holder: str) -> None:
        self._ledger = ledger
        self._clock = clock
        self._holder = holder
        self._watches: dict[str, LockWatch] = {}

    async def take(self, name: str) -> int | None:
        """Return the epoch of a lease now ours, or None: somebody else has it."""
        seen = await self._ledger.read(partial(read_lock, name=name))
        watch = self._watches.setdefault(name, LockWatch(PATIENCE_S))
        # One that is ours could not be released, for the runner asks once at a time.
        is_abandoned = seen is not None and (
            watch.is_abandoned(seen, self._clock.monotonic_s())
            or seen.holder == self._holder
        )
        if seen is not None and seen.holder is not None and not is_abandoned:
            return None
        return await self._ledger.write(
            partial(
                take_lock,
                name=name,
                holder=self._holder,
                abandoned=seen if is_abandoned else None,
            )
        )

    async def keep(self, name: str, epoch: int) -> None:
        """Beat until cancelled; returns when the lease was lost, or may be soon."""
        beat = partial(beat_lock, name=name, holder=self._holder, epoch=epoch)
        beaten_s = self._clock.monotonic_s()
        while self._clock.monotonic_s() - beaten_s < HOLD_S:
            await trio.sleep(BEAT_S)
            try:
                if not await self._ledger.write(beat):
                    return
            except LedgerError:
                continue  # the lease stays ours until nobody could know it any more
            beaten_s = self._clock.monotonic_s()

    async def release(self, name: str, epoch: int) -> None:
        """Let go; a lease that was lost before stays with its new holder."""
        await self._ledger.write(
            partial(release_lock, name=name, holder=self._holder, epoch=epoch)
        )
