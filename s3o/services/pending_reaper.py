"""Finish or drop the writes whose process died.

Only an intent whose heartbeat has stood still for min_age, by our own monotonic clock,
is touched; the time of day and other machines' clocks mean nothing here. It is promoted
only if everything about it is known and a HEAD proves that the backend holds exactly
its bytes; the ledger then decides, in the promoting transaction, about conditions and
newer writes. In every other case it is dropped and its name queued for deletion: the
client was never told that the write succeeded, so dropping is always safe. What cannot
be found out now (the backend does not answer) is left for the next pass.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import trio

from s3o.backends.fleet import Fleet
from s3o.backends.guard import Guarded
from s3o.ledger.intents import Promotion, drop_intent, list_intents, promote_intent
from s3o.ledger.ledger import Ledger
from s3o.ledger.pending import IntentKind, IntentRow
from s3o.ledger.seam import Step
from s3o.ledger.upload_parts import drop_part
from s3o.model.errors import BackendError, BlobMissing, LedgerDamaged
from s3o.model.facts import CleanupEnqueued, IntentResolved
from s3o.model.limits import REAPER_BATCH
from s3o.model.names import StorageKey, UploadId
from s3o.model.seams import Clock, Observer
from s3o.model.values import BlobInfo, Digests
from s3o.services.service import Wakeup

CONCURRENCY = 4
SHORTEST_SILENCE_S = 5.0  # whatever the operator says: heartbeats take time, too
REASON = "pending_dropped"


def least_silence_s(min_age_s: float) -> float:
    """Return how long a heartbeat must stand still before its write is dead."""
    return max(min_age_s, SHORTEST_SILENCE_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaperPace:
    """How often, after how much silence, and how many at most in one pass."""

    interval_s: float = 60.0
    min_age_s: float = 300.0
    batch: int = 50


@dataclass(frozen=True, slots=True)
class _Seen:
    """A heartbeat, and since when on our own clock it has stood still."""

    heartbeat: int
    since_s: float


class PendingReaper:
    """The service.

    is_live tells which writes this very process is working on. resume_complete goes on
    with a Complete and says what became of it, None: not now.
    """

    name = "pending-reaper"
    is_exclusive = True
    gather_s = 0.0

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        clock: Clock,
        *,
        is_live: Callable[[StorageKey], bool],
        resume_complete: Callable[[UploadId], Awaitable[str | None]],
        pace: Callable[[], ReaperPace],
        stopping: trio.Event,
    ) -> None:
        self.wakeup = Wakeup()
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock
        self._is_live = is_live
        self._resume_complete = resume_complete
        self._pace = pace
        self._stopping = stopping
        self._seen: dict[StorageKey, _Seen] = {}
        self._last = StorageKey("")  # where the pass before ended

    @property
    def interval_s(self) -> float:
        """As configured."""
        return self._pace().interval_s

    async def run_once(self) -> str:
        """Resolve the intents that have been silent long enough."""
        silent = await self._find_silent()
        outcomes: list[str] = []
        limiter = trio.CapacityLimiter(CONCURRENCY)
        async with trio.open_nursery() as nursery:
            for intent in self._take_turns(silent):
                await limiter.acquire_on_behalf_of(intent.storage_key)
                if self._stopping.is_set():
                    break
                nursery.start_soon(self._resolve_one, intent, limiter, outcomes)
        counts = {name: outcomes.count(name) for name in sorted(set(outcomes))}
        return ", ".join(f"{name} {count}" for name, count in counts.items())

    def _take_turns(self, silent: list[IntentRow]) -> list[IntentRow]:
        """Return a batch; those it leaves out come first in the next pass.

        What cannot be resolved now (its backend is down) would else hold the others
        back for as long as that lasts.
        """
        waiting = sorted(silent, key=lambda one: one.storage_key <= self._last)
        batch = waiting[: self._pace().batch]
        self._last = batch[-1].storage_key if batch else StorageKey("")
        return batch

    async def _find_silent(self) -> list[IntentRow]:
        """Look at all intents; remember what their heartbeats say."""
        now_s = self._clock.monotonic_s()
        silence_s = least_silence_s(self._pace().min_age_s)
        seen: dict[StorageKey, _Seen] = {}
        silent: list[IntentRow] = []
        after = ""
        while True:
            page = await self._ledger.scan(
                partial(list_intents, limit=REAPER_BATCH, after=after)
            )
            for intent in page:
                mark = self._seen.get(intent.storage_key)
                if mark is None or mark.heartbeat != intent.heartbeat:
                    mark = _Seen(intent.heartbeat, now_s)
                seen[intent.storage_key] = mark
                if intent.is_native_part:
                    continue  # ends with its upload, which says when
                is_dead = now_s - mark.since_s >= silence_s
                if is_dead and not self._is_live(intent.storage_key):
                    silent.append(intent)
            if len(page) < REAPER_BATCH:
                break
            after = page[-1].storage_key
        self._seen = seen
        return silent

    async def _resolve_one(
        self, intent: IntentRow, limiter: trio.CapacityLimiter, outcomes: list[str]
    ) -> None:
        try:
            outcome = await self._resolve(intent)
        except LedgerDamaged:
            return  # a row of its key that cannot be true: fsck tells of it
        finally:
            limiter.release_on_behalf_of(intent.storage_key)
        if outcome is None:
            return
        outcomes.append(outcome)
        self._observer.note(
            IntentResolved(
                outcome=outcome,
                backend=intent.backend,
                storage_key=intent.storage_key,
                is_by_reaper=True,
            )
        )

    async def _resolve(self, intent: IntentRow) -> str | None:
        """Return what became of the intent, or None: not now."""
        if intent.kind is IntentKind.COMPLETE:
            assert intent.upload_id is not None
            return await self._resume_complete(intent.upload_id)
        if intent.kind is IntentKind.PART:
            return await self._drop_part(intent)
        if intent.kind is IntentKind.COPY:
            return await self._drop(intent)  # another copy costs less than a doubt
        assert intent.kind is IntentKind.OBJECT, intent.kind
        backend = self._fleet.find(intent.backend)
        if backend is None:
            return await self._drop(intent)
        if not backend.may_call():
            return None
        try:
            digests = _proven(intent, await _head(backend, intent.storage_key))
        except BackendError:
            return None
        if digests is None:
            return await self._drop(intent)
        outcome = await self._ledger.write(
            partial(
                promote_intent,
                storage_key=intent.storage_key,
                digests=digests,
                now_us=self._clock.now_us(),
            )
        )
        if outcome in (Promotion.DROPPED, Promotion.SUPERSEDED):
            self._observer.note(CleanupEnqueued(reason=outcome))
        return str(outcome)

    async def _drop(self, intent: IntentRow) -> str:
        return await self._drop_by(
            partial(
                drop_intent,
                storage_key=intent.storage_key,
                reason=REASON,
                now_us=self._clock.now_us(),
                # The dead process's request may still be on its way to the backend.
                is_ambiguous=True,
            )
        )

    async def _drop_part(self, intent: IntentRow) -> str:
        return await self._drop_by(
            partial(
                drop_part,
                intent_key=intent.storage_key,
                reason=REASON,
                now_us=self._clock.now_us(),
                is_ambiguous=True,
                was_started=True,
            )
        )

    async def _drop_by(self, step: Step[bool]) -> str:
        is_dropped = await self._ledger.write(step)
        if not is_dropped:
            return str(Promotion.RESOLVED)
        self._observer.note(CleanupEnqueued(reason=REASON))
        return "dropped"


async def _head(backend: Guarded, storage_key: StorageKey) -> BlobInfo | None:
    try:
        return await backend.head(storage_key)
    except BlobMissing:
        return None


def _proven(intent: IntentRow, info: BlobInfo | None) -> Digests | None:
    """Return the object's digests if the backend provably holds all of it."""
    if info is None or intent.digests is None or intent.stored_md5 is None:
        return None
    is_whole = info.stored_bytes == intent.stored_bytes
    # Equality proves the bytes, whatever kind of ETag the provider has; where the ETag
    # is something else there is no proof, and dropping is safe.
    return intent.digests if is_whole and info.etag == intent.stored_md5 else None
