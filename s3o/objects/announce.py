"""Announce a write, then commit it or give it up: what PUT, parts and copies share.

An intent in the ledger says what may lie on which backend, so whoever comes later can
finish or undo it. Here are its three ends as a request sees them: room reserved (with
patience where cleanup may free some), committed, or dropped. Bytes are never deleted
on doubt: when the ledger does not answer, the intent stays.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import TypeVar

import trio

from s3o.backends.fleet import Fleet
from s3o.ledger.commits import Commit, Committed
from s3o.ledger.intents import Choose
from s3o.ledger.ledger import Ledger
from s3o.ledger.seam import Step, Tx
from s3o.ledger.upload_parts import PartCommit, commit_part, drop_part
from s3o.ledger.wide_writes import EndedSide, commit_wide, drop_wide
from s3o.model.errors import (
    BackendError,
    BackendsFailed,
    LedgerError,
    NoRoom,
    WriteLost,
)
from s3o.model.facts import IntentOpened, IntentResolved
from s3o.model.multipart import Part
from s3o.model.names import BackendName, StorageKey
from s3o.model.seams import Clock, Observer
from s3o.model.values import QuotaRow
from s3o.objects.room import RoomMaker
from s3o.objects.wanted import CopiesWanted

T = TypeVar("T")
Reserve = Callable[[Tx, Choose], Coroutine[object, None, T]]

# Long enough for a group commit behind a slow disk, short enough for a shutdown.
DROP_S = 10.0


def left_nothing(error: BaseException) -> bool:
    """Whether the backend call that failed so certainly stored nothing, now or later.

    Then one delete, for safety, is enough; otherwise late bytes must be looked for.
    """
    return isinstance(error, BackendError) and error.is_definite


class Announcer:
    """Opens, commits and drops intents. Owns: nothing."""

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        clock: Clock,
        room: RoomMaker,
        wanted: CopiesWanted | None = None,
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock
        self._room = room
        self.wanted = CopiesWanted() if wanted is None else wanted

    async def open(
        self,
        reserve: Reserve[T],
        *,
        operation: str,
        kind: str,
        size: int,
        stored_size: int,
        failed: Mapping[BackendName, str],
    ) -> T:
        """Run reserve as a transaction with the candidates for a write of size bytes.

        reserve opens the intent on the best candidate and raises NoRoom if none has
        room; then this waits for cleanup where that may help. failed: backends that
        this write has failed on, and why. Raises NoRoom, BackendsFailed, and what
        reserve raises.
        """
        seen: list[Sequence[QuotaRow]] = [()]

        def choose(rows: Sequence[QuotaRow]) -> Sequence[BackendName]:
            # No room will be made on a backend that takes no writes.
            seen[0] = [row for row in rows if row.backend not in self._fleet.draining]
            return self._fleet.order_for_write(
                rows, size=size, stored_size=stored_size, without=failed
            )

        patience = self._room.patience()
        while True:
            try:
                opened = await self._ledger.write(lambda tx: reserve(tx, choose))
            except NoRoom as full:
                if failed or self._fleet.is_held_back(seen[0], stored_size, size=size):
                    raise BackendsFailed(operation, tuple(failed.values())) from full
                if not await patience.make_room(seen[0], stored_size):
                    raise
                continue
            self._observer.note(IntentOpened(kind=kind))
            return opened

    async def commit(
        self, commit: Commit, sides: Sequence[EndedSide] = ()
    ) -> Committed:
        """Make the intent its key's current version, with its copies among sides.

        Raises WriteLost, LedgerError (the intent stays), and what the commit refuses
        (then the intent is dropped before this raises).
        """
        drop = partial(
            self.drop,
            commit.storage_key,
            "commit refused",
            is_ambiguous=False,
            sides=sides,
        )
        committed = await self.settle(
            partial(commit_wide, commit=commit, sides=sides), commit.storage_key, drop
        )
        are_left_out = any(side.proof is None for side in sides)
        if committed.displaced or are_left_out:
            self.poke()
        if are_left_out or not sides:
            self.wanted.note(committed.version.version_id)
        return committed

    async def commit_part(self, commit: PartCommit) -> Part:
        """Make the intent its number's part; raises as commit does."""
        return await self.settle(
            partial(commit_part, commit=commit),
            commit.intent_key,
            partial(self.drop_part, commit.intent_key, "commit refused"),
        )

    @property
    def observer(self) -> Observer:
        """Where facts about writes go."""
        return self._observer

    def poke(self) -> None:
        """There is something to clean up."""
        self._room.poke()

    async def settle(
        self,
        step: Step[T],
        storage_key: StorageKey,
        drop: Callable[[], Awaitable[None]],
    ) -> T:
        """Run a committing step; drop ends the intent when the step is refused.

        Raises WriteLost, LedgerError (the intent stays), and what the step refuses.
        """
        try:
            done = await self._ledger.write(step)
        except (LedgerError, WriteLost):
            # Unknown or undone by somebody else: bytes are never deleted on doubt.
            self.resolved("ambiguous", storage_key)
            raise
        except BaseException:
            await drop()
            raise
        self.resolved("committed", storage_key)
        return done

    async def drop(
        self,
        storage_key: StorageKey,
        reason: str,
        *,
        is_ambiguous: bool,
        sides: Sequence[EndedSide] = (),
    ) -> None:
        """Undo an intent, whatever is going on; the reaper does it if this fails."""
        await self.undo(
            partial(
                drop_wide,
                storage_key=storage_key,
                sides=sides,
                reason=reason,
                now_us=self._clock.now_us(),
                is_ambiguous=is_ambiguous,
            ),
            storage_key,
        )

    async def drop_part(
        self,
        intent_key: StorageKey,
        reason: str,
        *,
        was_started: bool = True,
        is_ambiguous: bool = False,
    ) -> None:
        """Undo a part's intent, as drop does.

        was_started: something may have been sent. is_ambiguous: the blob may still
        appear; what a backend's own upload got stays there until the upload ends.
        """
        await self.undo(
            partial(
                drop_part,
                intent_key=intent_key,
                reason=reason,
                now_us=self._clock.now_us(),
                is_ambiguous=is_ambiguous,
                was_started=was_started,
            ),
            intent_key,
        )

    async def undo(self, step: Step[object], storage_key: StorageKey) -> None:
        """Run a dropping step, whatever is going on; the reaper does it otherwise."""
        with trio.move_on_after(DROP_S, shield=True):
            try:
                await self._ledger.write(step)
            except LedgerError:
                self.resolved("ambiguous", storage_key)
            else:
                self.resolved("dropped", storage_key)
                self._room.poke()

    def resolved(self, outcome: str, storage_key: StorageKey) -> None:
        """Note what became of an intent."""
        self._observer.note(IntentResolved(outcome=outcome, storage_key=storage_key))
