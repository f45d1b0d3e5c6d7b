"""Is this ledger the newest one? The backends are asked at start, before any delete.

The names of the ledger's backups say how far the backends' knowledge reaches. If they
know more than the ledger, it is an old copy; if they know another cluster and this
ledger has never committed anything, it is a new one in place of a lost one. Either way
the destructive services stay off (safety) until `recover` has run or an operator has
accepted the ledger as it is; an old copy is remembered as one, for it goes on counting.

Backups lie on several backends, so not every backend has to answer before deletes may
begin: enough of them that at least one holder of every backup was among them.
"""

from collections.abc import Callable, Sequence
from functools import partial

import trio

from s3o.backends.fleet import Fleet
from s3o.backends.guard import Guarded
from s3o.ledger.backup_pages import current_sequence
from s3o.ledger.ledger import Ledger
from s3o.ledger.meta import (
    accept_clusters,
    accepted_clusters,
    begin_epoch,
    cluster_id,
    held_back,
    hold_back,
    ledger_epoch,
)
from s3o.ledger.seam import Tx
from s3o.model.errors import BackendError
from s3o.model.facts import Happened
from s3o.model.names import BackendName
from s3o.model.seams import Observer
from s3o.services.backup_listing import FoundBackup, list_found_backups
from s3o.services.safety import Safety
from s3o.services.service import Wakeup

UNDECIDED_S = 30.0
DECIDED_S = 86_400.0
Reach = dict[str, tuple[int, int]]  # by cluster: epoch, and sequence in it
NOTHING = (0, 0)
UNASKED, STALE, LOST = "unasked", "stale", "lost"


class LedgerCheck:
    """The service; one pass at start, more while backends have not answered."""

    name = "ledger-check"
    is_exclusive = False
    gather_s = 0.0

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        safety: Safety,
        *,
        copies: Callable[[], int],
        poke: Callable[[], None],
    ) -> None:
        self.wakeup = Wakeup()
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._safety = safety
        self._copies = copies
        self._poke = poke
        self._answered: dict[BackendName, Reach] = {}
        safety.close(UNASKED, "the backends were not asked yet what they know")

    @property
    def interval_s(self) -> float:
        """Short while a backend has not answered yet."""
        return DECIDED_S if len(self._answered) == len(self._fleet) else UNDECIDED_S

    async def run_once(self) -> str:
        """Ask who has not answered yet, and judge."""
        async with trio.open_nursery() as nursery:
            for backend in self._fleet:
                if backend.name not in self._answered and backend.may_call():
                    nursery.start_soon(self._ask, backend)
        await self._judge()
        if len(self._answered) >= self._needed():
            self._safety.clear(UNASKED)
            self._poke()
        return self._safety.reason

    async def accept(self) -> int:
        """Take the ledger for the right one: an operator's decision.

        Its next life begins above all that the backends know; returns its number.
        """
        reach = self._reach()

        async def decide(tx: Tx) -> int:
            own = await cluster_id(tx)
            newest, _ = reach.get(own, NOTHING)
            epoch = max(newest, await ledger_epoch(tx)) + 1
            await begin_epoch(tx, epoch)
            await accept_clusters(tx, frozenset(reach) - {own})
            await hold_back(tx, "")
            return epoch

        epoch = await self._ledger.write(decide)
        await self._judge()
        self._poke()
        return epoch

    async def _ask(self, backend: Guarded) -> None:
        try:
            found = await list_found_backups(backend)
        except BackendError:
            return  # down; it is asked again
        self._answered[backend.name] = _reach_of(found)

    def _reach(self) -> Reach:
        """How far all backends together know each cluster."""
        together: Reach = {}
        for reach in self._answered.values():
            for cluster, place in reach.items():
                together[cluster] = max(place, together.get(cluster, NOTHING))
        return together

    def _needed(self) -> int:
        """How many must answer so that a holder of every backup was asked."""
        return max(len(self._fleet) - self._copies() + 1, min(1, len(self._fleet)))

    async def _judge(self) -> None:
        reach = self._reach()
        own, epoch, sequence, accepted, held = await self._ledger.read(_self_knowledge)
        newest = reach.get(own, NOTHING)
        is_found = not held and newest > (epoch, sequence)
        if is_found:
            held = (
                f"the backends know the ledger up to {newest[0]}/{newest[1]}, this one "
                f"has come to {epoch}/{sequence}: it is an old copy; stop the service "
                "and run `recover`, or accept it with `admin ledger-accept`"
            )
        self._set(STALE, bool(held), held)
        if is_found:  # it goes on from here, and will soon have drawn as many
            await self._ledger.write(partial(hold_back, reason=held))
        others = reach.keys() - {own} - accepted
        self._set(
            LOST,
            bool(others) and own not in reach,
            "the backends hold backups of another ledger "
            f"({', '.join(sorted(others))}) and none of this one: if it was lost, stop "
            "the service and run `recover`; else accept it with `admin ledger-accept`",
        )

    def _set(self, cause: str, is_so: bool, reason: str) -> None:
        if not is_so:
            self._safety.clear(cause)
            return
        self._safety.close(cause, reason)
        self._observer.note(
            Happened(
                level="error",
                message="nothing is deleted until an operator decides",
                fields=(("reason", reason),),
            )
        )


def _reach_of(found: Sequence[FoundBackup]) -> Reach:
    reach: Reach = {}
    for one in found:
        place = (one.name.epoch, one.name.through)
        cluster = one.name.cluster_id
        reach[cluster] = max(place, reach.get(cluster, NOTHING))
    return reach


async def _self_knowledge(tx: Tx) -> tuple[str, int, int, frozenset[str], str]:
    return (
        await cluster_id(tx),
        await ledger_epoch(tx),
        await current_sequence(tx),
        await accepted_clusters(tx),
        await held_back(tx),
    )
