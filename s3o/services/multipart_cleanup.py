"""End the multipart uploads nobody goes on with, here and on the backends.

An upload without a sign of life for `multipart_stale_timeout` is aborted as its client
would abort it. A clock that jumps must not end one that is being filled, so it must
also have stood still for an hour by our own monotonic clock; for all of that time where
the clock was set within it, or its last sign of life is to come.

A backend may hold an upload of its own that serves nobody: its Create or Abort was lost
with its process. Such a one is aborted only on positive evidence: it lies under the
name of an upload that has ended here, or whose binding was never answered; a name is
given out once. What is merely unknown is reported, never touched: the bucket on the
backend may hold more than ours. The row that is the evidence is forgotten once a
listing shows nothing of its name.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import trio

from s3o.backends.fleet import Fleet
from s3o.backends.guard import Guarded
from s3o.ledger.ledger import Ledger
from s3o.ledger.seam import Tx
from s3o.ledger.upload_endings import abort_upload
from s3o.ledger.uploads import (
    expire_completed,
    find_upload_names,
    finished_native,
    forget_upload,
    look_up,
    stale_uploads,
)
from s3o.model.errors import (
    BackendCircuitOpen,
    BackendError,
    LedgerDamaged,
    StateError,
)
from s3o.model.facts import Happened
from s3o.model.limits import BACKEND_UPLOAD_PAGES, STALE_UPLOADS, UPLOAD_BATCH
from s3o.model.multipart import Upload, UploadState
from s3o.model.names import BackendName, StorageKey, UploadId, parse_storage_key
from s3o.model.seams import Clock, Observer
from s3o.observe.operation import Operation
from s3o.policy.steadiness import Steadiness
from s3o.services.safety import always
from s3o.services.service import Wakeup

INTERVAL_S = 3600.0
# How long something must have stood still by our own clock, whatever others say.
QUIET_S = 3600.0
TO_COME_US = 3_600_000_000  # clocks of instances differ; more was another clock
REMEMBER_S = 86_400.0  # a Complete may be repeated for a day


class MultipartCleanup:
    """The service; live returns the names being written in this process."""

    name = "multipart-cleanup"
    is_exclusive = True
    gather_s = 0.0
    interval_s = INTERVAL_S

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        clock: Clock,
        *,
        idle_s: Callable[[], float],
        live: Callable[[], Sequence[StorageKey]],
        poke_cleanup: Callable[[], None],
        stopping: trio.Event,
        may_destroy: Callable[[], bool] = always,
    ) -> None:
        self.wakeup = Wakeup()
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock
        self._idle_s = idle_s
        self._live = live
        self._poke_cleanup = poke_cleanup
        self._stopping = stopping
        self._may_destroy = may_destroy
        self._steadiness = Steadiness()
        self._past = _Past()
        self._stale = _Quiet()
        self._ended = _Quiet()
        self._unknown: dict[BackendName, frozenset[str]] = {}

    async def run_once(self) -> str:
        """Abort what is stale; sweep what the backends have left over."""
        if not self._may_destroy():
            return ""
        now_us, now_s = self._clock.now_us(), self._clock.monotonic_s()
        steady_s = self._steadiness.lasted_s(now_us, now_s)
        if not self._steadiness.has_jumped:
            steady_s = math.inf
        aborted = await self._abort_stale(now_us, now_s, steady_s)
        before_us = self._past.before_us(now_us, now_s)
        await self._ledger.write(partial(expire_completed, before_us=before_us))
        swept = await self._sweep()
        found = [
            f"aborted {aborted} stale uploads" if aborted else "",
            f"ended {swept} on backends" if swept else "",
        ]
        return ", ".join(text for text in found if text)

    async def _abort_stale(self, now_us: int, now_s: float, steady_s: float) -> int:
        """Abort uploads; the clock was not set for steady_s."""
        idle_us = round(self._idle_s() * 1_000_000)
        found = await self._ledger.scan(
            partial(
                stale_uploads,
                idle_before_us=now_us - idle_us,
                limit=STALE_UPLOADS,
                to_come_us=now_us + TO_COME_US,
            )
        )
        marks = {upload.upload_id: upload.active_at_us for upload in found}
        still_s = self._stale.observe(marks, now_s)
        count = 0
        for upload in found:
            if self._stopping.is_set():
                break
            is_doubtful = steady_s < self._idle_s() or upload.active_at_us > now_us
            if still_s[upload.upload_id] >= self._patience_s(is_doubtful):
                count += not self._is_being_filled(upload) and await self._abort(upload)
        if count:
            self._poke_cleanup()
            if len(found) == STALE_UPLOADS:
                self.wakeup.poke()  # to look at those behind them
        return count

    def _patience_s(self, is_doubtful: bool) -> float:
        """How long it must stand still by our own clock; is_doubtful: the other is."""
        return max(self._idle_s(), QUIET_S) if is_doubtful else QUIET_S

    def _is_being_filled(self, upload: Upload) -> bool:
        """Whether this process sends a part of the key; one may take days."""
        for name in self._live():
            own, _, number = name.partition("#")
            if number:
                if own == upload.storage_key:
                    return True
                continue
            if parse_storage_key(name).key in (upload.key, None):
                return True
        return False

    async def _abort(self, upload: Upload) -> bool:
        async def step(tx: Tx) -> bool:
            now = await look_up(tx, upload.upload_id)
            if now is None or now.active_at_us != upload.active_at_us:
                return False
            await abort_upload(
                tx,
                upload.bucket_id,
                upload.key,
                upload.upload_id,
                self._clock.now_us(),
            )
            return True

        with Operation(
            self._observer, self._clock, "MultipartCleanup", key=upload.key
        ) as operation:
            operation.backend = upload.backend or ""
            try:
                return await self._ledger.write(step)
            except StateError:
                return False  # it has ended by itself
            except LedgerDamaged:
                return False  # for a person; fsck tells of it

    async def _sweep(self) -> int:
        count = 0
        marks: dict[UploadId, int] = {}
        leftovers: list[tuple[Guarded, list[Upload]]] = []
        for backend in self._fleet:
            if backend.traits.has_multipart and backend.may_call():
                rows = await self._rows_of(backend)
                marks |= {row.upload_id: _state_mark(row) for row in rows}
                leftovers.append((backend, rows))
        still_s = self._ended.observe(marks, self._clock.monotonic_s())
        for backend, rows in leftovers:
            ripe = [row for row in rows if still_s[row.upload_id] >= QUIET_S]
            if ripe and not self._stopping.is_set():
                count += await self._sweep_backend(backend, ripe)
        return count

    async def _rows_of(self, backend: Guarded) -> list[Upload]:
        """Return the uploads under whose names backend should hold none of its own."""
        found: list[Upload] = []
        after = ""
        while True:
            page = await self._ledger.scan(
                partial(
                    finished_native,
                    backend=backend.name,
                    limit=UPLOAD_BATCH,
                    after=after,
                )
            )
            found += page
            if len(page) < UPLOAD_BATCH or len(found) >= BACKEND_UPLOAD_PAGES * 1000:
                return found
            after = page[-1].upload_id

    async def _sweep_backend(self, backend: Guarded, ripe: Sequence[Upload]) -> int:
        """Abort what lies under ripe rows' names; forget rows that nothing lies under.

        The rows were read before the listing, so what it does not show is gone.
        """
        count = 0
        try:
            listed = await _list_all(backend)
            if listed is None:
                return 0
            for row in ripe:
                assert row.storage_key is not None, "it is bound"
                under_way = listed.get(row.storage_key, ())
                count += await _abort_all(backend, row.storage_key, under_way)
                if not under_way and row.state is not UploadState.OPENING:
                    await self._ledger.write(
                        partial(forget_upload, upload_id=row.upload_id)
                    )
        except BackendError:
            return count  # the next pass goes on
        await self._report_unknown(backend, list(listed))
        return count

    async def _report_unknown(
        self, backend: Guarded, listed: Sequence[StorageKey]
    ) -> None:
        """Tell of uploads with names of our shape that no row explains, twice seen."""
        explained: set[str] = set()
        for start in range(0, len(listed), UPLOAD_BATCH):
            names = listed[start : start + UPLOAD_BATCH]
            explained |= await self._ledger.scan(
                partial(find_upload_names, backend=backend.name, names=names)
            )
        unknown = frozenset(name for name in listed if name not in explained)
        lasting = unknown & self._unknown.get(backend.name, frozenset())
        self._unknown[backend.name] = unknown
        if lasting:
            self._observer.note(
                Happened(
                    level="warning",
                    message="a backend holds multipart uploads that are not known here",
                    fields=(("backend", backend.name), ("count", len(lasting))),
                )
            )


def _state_mark(upload: Upload) -> int:
    return list(UploadState).index(upload.state)


async def _abort_all(
    backend: Guarded, name: StorageKey, upload_ids: Sequence[str]
) -> int:
    """Abort the backend's uploads under a name; return how many it has ended.

    One that it keeps has its turn in the next pass, and holds no other back. Raises
    BackendCircuitOpen.
    """
    count = 0
    for upload_id in upload_ids:
        try:
            await backend.abort_upload(name, upload_id)
        except BackendCircuitOpen:
            raise
        except BackendError:
            continue
        count += 1
    return count


async def _list_all(backend: Guarded) -> dict[StorageKey, list[str]] | None:
    """Return the backend's own uploads with names of our shape; None: too many."""
    found: dict[StorageKey, list[str]] = {}
    token: str | None = None
    for _ in range(BACKEND_UPLOAD_PAGES):
        page = await backend.list_uploads("", token)
        for upload in page.uploads:
            try:
                parse_storage_key(upload.name)
            except ValueError:
                continue  # somebody else's
            found.setdefault(StorageKey(upload.name), []).append(upload.upload_id)
        token = page.next_token
        if token is None:
            return found
    return None


class _Past:
    """Which times are REMEMBER_S ago, by the wall clock and by our own."""

    def __init__(self) -> None:
        self._looks: deque[tuple[int, float]] = deque()  # of one day, by our own clock

    def before_us(self, now_us: int, now_s: float) -> int:
        """Return the latest of them, as the wall clock was then."""
        looks = self._looks
        looks.append((now_us, now_s))
        while len(looks) > 1 and looks[1][1] <= now_s - REMEMBER_S:
            looks.popleft()
        then_us, then_s = looks[0]
        counted_us = then_us + round((now_s - then_s) * 1_000_000)
        return min(now_us, counted_us) - round(REMEMBER_S * 1_000_000)


class _Quiet:
    """Since when, by our own clock, something has stood still."""

    def __init__(self) -> None:
        self._seen: dict[UploadId, tuple[int, float]] = {}

    def observe(
        self, marks: Mapping[UploadId, int], now_s: float
    ) -> Mapping[UploadId, float]:
        """Take what is seen now; return for how many seconds each has been the same."""
        seen: dict[UploadId, tuple[int, float]] = {}
        for upload_id, mark in marks.items():
            before = self._seen.get(upload_id)
            since_s = before[1] if before is not None and before[0] == mark else now_s
            seen[upload_id] = (mark, since_s)
        self._seen = seen
        return {upload_id: now_s - since_s for upload_id, (_, since_s) in seen.items()}
