"""Backups of the ledger leave a backend that is being drained.

A segment that another backend has, too, is simply dropped. Where this backend has the
only copy, a new snapshot is written elsewhere first: it tells everything that the old
segments tell.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from s3o.backends.fleet import Fleet
from s3o.ledger.backups import BackupCopy, drop_backups, list_backups
from s3o.ledger.ledger import Ledger
from s3o.model.errors import BackendError, NoRoom
from s3o.model.names import BackendName
from s3o.model.seams import Clock

DRAINED = "drained"


class BackupsAway:
    """Drops a backend's backups as soon as others are enough. Owns: nothing."""

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        clock: Clock,
        *,
        is_backed_up: Callable[[], bool],
        snapshot: Callable[[], Awaitable[object]],
        poke_cleanup: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._clock = clock
        self._is_backed_up = is_backed_up
        self._snapshot = snapshot
        self._poke_cleanup = poke_cleanup

    async def leave(self, backend: BackendName) -> None:
        """Drop what may go; what may not stays, for the next pass.

        Raises LedgerError. A backend that takes no snapshot now may take one later.
        """
        found = await self._ledger.read(list_backups)
        here = [one for one in found if one.backend == backend]
        if not here:
            return
        if self._is_backed_up() and self._alone(found, backend):
            try:
                await self._snapshot()
            except (BackendError, NoRoom):
                alone = {one.storage_key for one in self._alone(found, backend)}
                here = [one for one in here if one.storage_key not in alone]
        step = partial(
            drop_backups, copies=here, reason=DRAINED, now_us=self._clock.now_us()
        )
        if await self._ledger.write(step):
            self._poke_cleanup()

    def _alone(self, found: list[BackupCopy], backend: BackendName) -> list[BackupCopy]:
        """Return the whole segments of which no backend that stays has a copy."""
        elsewhere = {
            one.name
            for one in found
            if one.is_whole
            and one.backend not in self._fleet.draining
            and self._fleet.find(one.backend) is not None
        }
        return [
            one
            for one in found
            if one.backend == backend and one.is_whole and one.name not in elsewhere
        ]
