"""What an operator may do with bytes whose deletion failed ten times.

Retry: the row goes back to the queue, due at once, with all attempts before it. Write
off: the operator says that the bytes are gone, and they leave the quota. Nothing here
runs by itself, and nothing is done to a letter twice: each step looks again.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from s3o.ledger.cleanup import depths
from s3o.ledger.dead_letters import (
    DeadLetter,
    list_dead_letters,
    retry_dead_letter,
    write_off,
)
from s3o.ledger.ledger import Ledger
from s3o.ledger.recovery_candidates import FOR_A_PERSON
from s3o.ledger.seam import Tx
from s3o.model.facts import QueueObserved
from s3o.model.limits import DEAD_LETTER_BATCH
from s3o.model.seams import Clock, Observer

Settle = Callable[[Tx, int], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which letters: those ids, or all; of one backend, or of any ("").

    What a recovery kept for a person may be an object's only bytes: all leaves it out.
    """

    ids: tuple[int, ...] = ()
    is_all: bool = False
    backend: str = ""

    def means(self, letter: DeadLetter) -> bool:
        """Whether the letter is one of them."""
        is_garbage = letter.reason not in FOR_A_PERSON
        is_named = (self.is_all and is_garbage) or letter.id in self.ids
        return is_named and self.backend in ("", letter.backend)


@dataclass(frozen=True, slots=True)
class Letters:
    """How many letters, and how many bytes they keep on the quota."""

    count: int = 0
    total_bytes: int = 0


class DeadLetters:
    """Lists and settles dead letters. poke: something was queued for cleanup."""

    def __init__(
        self,
        ledger: Ledger,
        observer: Observer,
        clock: Clock,
        *,
        poke: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._observer = observer
        self._clock = clock
        self._poke = poke

    async def page(
        self, limit: int, after: int = 0, backend: str = ""
    ) -> list[DeadLetter]:
        """Return letters by id, those behind after."""
        found: list[DeadLetter] = []
        while len(found) < limit:
            page = await self._read(after)
            found += [one for one in page if backend in ("", one.backend)]
            if len(page) < DEAD_LETTER_BATCH:
                break
            after = page[-1].id
        return found[:limit]

    async def measure(self, chosen: Chosen) -> Letters:
        """Return what is meant, changing nothing."""
        return await self._each(chosen, None)

    async def retry(self, chosen: Chosen) -> Letters:
        """Queue them again; return which were."""
        now_us = self._clock.now_us()
        done = await self._each(chosen, partial(_retry, now_us=now_us))
        if done.count:
            self._poke()
        return done

    async def write_off(self, chosen: Chosen) -> Letters:
        """Release their bytes; return which were."""
        return await self._each(chosen, write_off)

    async def _each(self, chosen: Chosen, settle: Settle | None) -> Letters:
        count = total_bytes = after = 0
        while page := await self._read(after):
            after = page[-1].id
            meant = [letter for letter in page if chosen.means(letter)]
            if settle is not None and meant:
                meant = await self._ledger.write(
                    partial(_settle, letters=meant, settle=settle)
                )
            count += len(meant)
            total_bytes += sum(letter.stored_bytes for letter in meant)
            if len(page) < DEAD_LETTER_BATCH:
                break
        if settle is not None:
            await self._tell_depths()
        return Letters(count, total_bytes)

    async def _read(self, after: int) -> list[DeadLetter]:
        return await self._ledger.scan(
            partial(list_dead_letters, limit=DEAD_LETTER_BATCH, after=after)
        )

    async def _tell_depths(self) -> None:
        """Alarms on the depth end with the operator's deed, not a flush later."""
        found = await self._ledger.scan(depths)
        self._observer.note(
            QueueObserved(
                cleanup_rows=found.cleanup_rows,
                dead_letters=found.dead_letters,
                intents=found.intents,
            )
        )


async def _retry(tx: Tx, letter_id: int, now_us: int) -> bool:
    return await retry_dead_letter(tx, letter_id, now_us)


async def _settle(
    tx: Tx, letters: Sequence[DeadLetter], settle: Settle
) -> list[DeadLetter]:
    return [letter for letter in letters if await settle(tx, letter.id)]
