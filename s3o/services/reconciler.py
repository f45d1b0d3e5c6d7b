"""Compare what the backends list with what the ledger knows, backend by backend.

A pass imports foreign names under configured buckets and marks what is amiss; only two
complete listings a day apart, and a HEAD, conclude anything (reconcile_findings). A
listing that breaks off, steps back, repeats itself or never ends concludes nothing. A
backend that is being emptied, or whose circuit is open, is left alone. Memory is a page
of each side.

Source: product description, "Orphan Reconciliation"; data model, "Imported".
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import trio

from s3o.backends.fleet import Fleet
from s3o.backends.guard import Guarded
from s3o.ledger.ledger import Ledger
from s3o.ledger.reconcile import last_mark
from s3o.model.errors import BackendError
from s3o.model.facts import Happened, ReconcileFinished
from s3o.model.names import BackendName
from s3o.model.seams import Clock, Entropy, Observer
from s3o.observe.operation import describe
from s3o.policy.importing import Mapper, map_nothing
from s3o.services.importing import Importer
from s3o.services.progress import Progress
from s3o.services.reconcile_counts import BackendCounts, Reconciled
from s3o.services.reconcile_findings import Settler
from s3o.services.reconcile_pass import BackendPass, Interrupted
from s3o.services.safety import always
from s3o.services.service import Wakeup


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcilePace:
    """When passes run by themselves; asked for, they always do."""

    is_enabled: bool = True
    interval_s: float = 86_400.0


class Reconciler:
    """The service. mapper: which foreign names belong to which bucket, just now.

    count_time: the ledger's counted clock, brought up to date.
    """

    name = "reconcile"
    is_exclusive = True
    gather_s = 0.0

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        clock: Clock,
        entropy: Entropy,
        *,
        mapper: Callable[[], Mapper],
        count_time: Callable[[], Awaitable[int]],
        pace: Callable[[], ReconcilePace],
        poke_cleanup: Callable[[], None],
        stopping: trio.Event,
        may_destroy: Callable[[], bool] = always,
    ) -> None:
        self.wakeup = Wakeup()
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock
        self._mapper = mapper
        self._count_time = count_time
        self._pace = pace
        self._poke_cleanup = poke_cleanup
        self._stopping = stopping
        self._may_destroy = may_destroy
        self._running = trio.Lock()
        self._importer = Importer(ledger, clock, entropy)
        self._settler = Settler(
            ledger,
            clock,
            may_destroy=may_destroy,
            is_stopping=stopping.is_set,
        )

    @property
    def interval_s(self) -> float:
        """A day, or what the configuration says."""
        return self._pace().interval_s

    async def run_once(self) -> str:
        """Compare all backends, if the operator has switched it on."""
        if not self._pace().is_enabled:
            return ""
        return (await self.reconcile(None)).report()

    async def reconcile(
        self,
        backend: BackendName | None,
        progress: Progress | None = None,
    ) -> Reconciled:
        """Compare one backend, or all; one that fails is in errors.

        progress hears counts after every page. Raises KeyError for a backend that
        is not configured, and LedgerError.
        """
        chosen = [self._fleet.get(backend)] if backend is not None else [*self._fleet]
        total = Reconciled()
        async with self._running:
            for one in chosen:
                if not self._stopping.is_set():
                    total = await self._reconcile_one(one, total, progress)
        if total.removed:
            self._poke_cleanup()
        return total

    async def _reconcile_one(
        self,
        backend: Guarded,
        total: Reconciled,
        progress: Progress | None,
    ) -> Reconciled:
        began_s = self._clock.monotonic_s()
        running = await self._begin(backend, partial(_tell, progress, total))
        counts, error = running.counts, ""
        try:
            if backend.name in self._fleet.draining:
                error = "it is being emptied, or is to be removed"
            elif not backend.may_call():
                error = "its circuit is open"
            else:
                await running.run()
                await self._settler.settle(backend, counts, running.mark_us)
        except BackendError as failure:
            error = describe(failure)
        except Interrupted:
            error = "the service stops"
        self._tell(backend.name, counts, self._clock.monotonic_s() - began_s, error)
        return total.plus(counts, error=error and f"{backend.name}: {error}")

    async def _begin(
        self, backend: Guarded, on_page: Callable[[BackendCounts], None]
    ) -> BackendPass:
        counted_us = await self._count_time()
        latest_us = await self._ledger.scan(partial(last_mark, backend=backend.name))

        def watch(counts: BackendCounts) -> None:
            if self._stopping.is_set():
                raise Interrupted
            on_page(counts)

        return BackendPass(
            self._ledger,
            self._clock,
            self._importer,
            backend,
            # An old ledger does not know what was deleted since: it imports nothing.
            self._mapper() if self._may_destroy() else map_nothing,
            # Two passes within one tick of the clock are two passes all the same.
            mark_us=max(counted_us, latest_us + 1),
            on_page=watch,
        )

    def _tell(
        self,
        backend: BackendName,
        counts: BackendCounts,
        duration_s: float,
        error: str,
    ) -> None:
        imports = counts.imports
        self._observer.note(
            ReconcileFinished(
                backend=backend,
                duration_s=duration_s,
                imported=imports.imported,
                removed=counts.taken + counts.queued,
                lost=counts.lost,
                changed=counts.changed,
                missing=counts.missing,
                unknown=counts.unknown,
                skipped=imports.skipped,
                error=error,
            )
        )
        for level, message, count in (
            ("error", "a backend has lost the bytes of objects", counts.lost),
            (
                "error",
                "a backend holds bytes that a later life of this ledger wrote: "
                "nothing of them is touched; see `recover`",
                counts.ahead,
            ),
            (
                "warning",
                "a backend holds names of this product that are not this cluster's",
                counts.kept - counts.ahead,
            ),
            ("warning", "blobs are not what the ledger says", counts.changed),
        ):
            if count:
                self._alarm(level, message, backend, count, counts)

    def _alarm(
        self,
        level: str,
        message: str,
        backend: BackendName,
        count: int,
        counts: BackendCounts,
    ) -> None:
        fields: list[tuple[str, str | int]] = [("backend", backend), ("count", count)]
        if message.startswith("a backend has lost"):
            fields.append(("first", ", ".join(counts.examples)))
        self._observer.note(
            Happened(level=level, message=message, fields=tuple(fields))
        )


def _tell(progress: Progress | None, total: Reconciled, counts: BackendCounts) -> None:
    if progress is not None:
        progress.note(
            listed=counts.listed,
            imported=total.imported + counts.imports.imported,
            missing=total.missing + counts.missing,
            unknown=total.unknown + counts.unknown,
            backends_scanned=total.backends_scanned,
        )
