"""Write counted usage to the ledger, and show operators what the ledger holds.

Counts are taken, added and settled in one pass, or put back: the limits never see a gap
in between. The ledger's figures of the month become the new baseline, so that several
instances share the limits; which backends are closed is read with them. With `adaptive`
the passes come faster while a backend is near a limit, since the others' use is only
known as of the last flush.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from s3o.backends.fleet import Fleet
from s3o.ledger.cleanup import Depths, depths
from s3o.ledger.drains import Drain, DrainState, list_drains
from s3o.ledger.ledger import Ledger
from s3o.ledger.quotas import object_counts, quota_rows, upload_counts
from s3o.ledger.seam import Tx
from s3o.ledger.usage import add_usage, read_usage
from s3o.model.facts import (
    DrainsObserved,
    Happened,
    QueueObserved,
    QuotaObserved,
    UsageObserved,
)
from s3o.model.names import BackendName
from s3o.model.seams import Clock, Observer
from s3o.model.values import QuotaRow, Usage
from s3o.services.service import Wakeup

CAPACITY_WARNING = 0.8  # of the quota, as the documented warning has it


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushPace:
    """How often; fast_threshold None: always interval_s."""

    interval_s: float = 30.0
    fast_interval_s: float = 5.0
    fast_threshold: float | None = None


@dataclass(frozen=True, slots=True)
class _Figures:
    """One consistent look at what the ledger holds."""

    quotas: list[QuotaRow]
    objects: Mapping[BackendName, int]
    uploads: Mapping[BackendName, int]
    depths: Depths
    drains: list[Drain]


class UsageFlush:
    """The service; run it once more after everything else has stopped."""

    name = "usage-flush"
    is_exclusive = False  # every instance has counts of its own
    gather_s = 0.0

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        clock: Clock,
        *,
        pace: Callable[[], FlushPace],
    ) -> None:
        self.wakeup = Wakeup()
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock
        self._pace = pace
        self._warned: set[BackendName] = set()

    @property
    def interval_s(self) -> float:
        """The pace, fast while a backend is near a limit."""
        pace = self._pace()
        if pace.fast_threshold is None:
            return pace.interval_s
        is_near = self._fleet.used_share() >= pace.fast_threshold
        return pace.fast_interval_s if is_near else pace.interval_s

    async def run_once(self) -> str:
        """Flush, take the new baseline, tell the gauges."""
        report = await self._flush()
        figures = await self._ledger.scan(_look)
        # Another process may have begun or ended one.
        self._fleet.set_draining(drain.backend for drain in figures.drains)
        self._tell(figures)
        return report

    async def _flush(self) -> str:
        counters = self._fleet.counters
        period, now_us = counters.period(), self._clock.now_us()
        taken = counters.take()

        async def add(tx: Tx) -> Mapping[BackendName, Usage]:
            for month, used in taken.items():
                await add_usage(tx, month, used, now_us)
            return await read_usage(tx, period)

        try:
            if taken:
                baseline = await self._ledger.write(add)
            else:
                baseline = await self._ledger.read(add)
        except BaseException:
            counters.put_back()
            raise
        counters.settle(period, baseline)
        backends = {name for used in taken.values() for name in used}
        return f"flushed {len(backends)} backends" if backends else ""

    def _tell(self, figures: _Figures) -> None:
        for row in figures.quotas:
            if self._fleet.find(row.backend) is None:
                continue
            self._observer.note(
                QuotaObserved(
                    backend=row.backend,
                    limit_bytes=row.limit_bytes,
                    used_bytes=row.used_bytes,
                    orphan_bytes=row.orphan_bytes,
                    objects=figures.objects.get(row.backend, 0),
                    multipart_uploads=figures.uploads.get(row.backend, 0),
                )
            )
            self._warn_of_capacity(row)
        for name, usage in self._fleet.counters.effective().items():
            self._observer.note(
                UsageObserved(
                    backend=name,
                    api_requests=usage.api_requests,
                    egress_bytes=usage.egress_bytes,
                    ingress_bytes=usage.ingress_bytes,
                )
            )
        waiting = figures.depths
        self._observer.note(
            QueueObserved(
                cleanup_rows=waiting.cleanup_rows,
                dead_letters=waiting.dead_letters,
                intents=waiting.intents,
            )
        )
        states = [drain.state for drain in figures.drains]
        self._observer.note(DrainsObserved(draining=states.count(DrainState.DRAINING)))

    def _warn_of_capacity(self, row: QuotaRow) -> None:
        held_bytes = row.used_bytes + row.orphan_bytes
        is_near = held_bytes >= CAPACITY_WARNING * row.limit_bytes > 0
        if not is_near:
            self._warned.discard(row.backend)
        elif row.backend not in self._warned:
            self._warned.add(row.backend)
            self._observer.note(
                Happened(
                    level="warning",
                    message="backend approaching capacity",
                    fields=(
                        ("backend", row.backend),
                        ("used_bytes", row.used_bytes),
                        ("orphan_bytes", row.orphan_bytes),
                        ("limit_bytes", row.limit_bytes),
                    ),
                )
            )


async def _look(tx: Tx) -> _Figures:
    return _Figures(
        await quota_rows(tx),
        await object_counts(tx),
        await upload_counts(tx),
        await depths(tx),
        await list_drains(tx),
    )
