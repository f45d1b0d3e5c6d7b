"""All backends, in the order of the configuration.

It answers what needs all of them at once: where a write may go, whether a read is
within the limits, whether anything serves. Placement reads memory and the ledger's
quota rows; it may refuse early, never admit (policy/routing).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from s3o.backends.guard import BackendLimits, Guarded
from s3o.backends.usage import UsageCounters
from s3o.model.names import BackendName
from s3o.model.values import BreakerState, QuotaRow, Usage
from s3o.policy.routing import (
    CandidateState,
    Strategy,
    is_held_back,
    order_candidates,
)
from s3o.policy.usage import LimitType, used_share

ROOMY_PARTS = 100  # an upload of unknown length should not fill its backend at once


class Fleet:
    """The backends and what concerns them together. Owns: their closing."""

    def __init__(
        self,
        backends: Sequence[Guarded],
        *,
        strategy: Strategy,
        counters: UsageCounters,
    ) -> None:
        self._backends = {backend.name: backend for backend in backends}
        assert len(self._backends) == len(backends), "two backends of one name"
        self._strategy = strategy
        self._draining: frozenset[BackendName] = frozenset()
        self.counters = counters

    def __iter__(self) -> Iterator[Guarded]:
        """Go through the backends in config order."""
        return iter(self._backends.values())

    def __len__(self) -> int:
        """How many there are."""
        return len(self._backends)

    @property
    def names(self) -> tuple[BackendName, ...]:
        """Their names in config order."""
        return tuple(self._backends)

    def get(self, name: BackendName) -> Guarded:
        """Return a backend; KeyError if the configuration has none of that name."""
        return self._backends[name]

    def find(self, name: BackendName) -> Guarded | None:
        """Return a backend, or None if it is no longer configured."""
        return self._backends.get(name)

    @property
    def draining(self) -> frozenset[BackendName]:
        """Those that are being emptied or removed: read, but never written to."""
        return self._draining

    def set_draining(self, names: Iterable[BackendName]) -> None:
        """Take what the ledger says, which refuses them in any case."""
        self._draining = frozenset(names)

    def order_for_write(
        self,
        rows: Sequence[QuotaRow],
        *,
        size: int,
        stored_size: int,
        without: Collection[BackendName] = (),
    ) -> list[BackendName]:
        """Return the candidates of a write, the best first.

        Changes nothing and reads only memory: safe inside a transaction, also in
        another thread. without: backends that this write has already failed on.
        """
        return order_candidates(
            self._strategy,
            self._states(rows, stored_size, without),
            size=size,
            stored_size=stored_size,
        )

    def order_for_binding(
        self, rows: Sequence[QuotaRow], *, size: int, stored_size: int
    ) -> list[BackendName]:
        """Return where an upload whose first part has size bytes may begin, best first.

        Only stores with uploads of their own; those with room for many more such parts
        come before the others.
        """
        order = self.order_for_write(rows, size=size, stored_size=stored_size)
        held = {row.backend: row for row in rows}
        able = [name for name in order if self._backends[name].traits.has_multipart]
        many = stored_size * ROOMY_PARTS
        return sorted(able, key=lambda name: not held[name].has_room(many))

    def is_held_back(
        self,
        rows: Sequence[QuotaRow],
        stored_size: int,
        *,
        size: int | None = None,
        without: Collection[BackendName] = (),
    ) -> bool:
        """Whether only an open circuit keeps the write from a backend with room."""
        return is_held_back(
            self._states(rows, stored_size, without),
            size=stored_size if size is None else size,
            stored_size=stored_size,
        )

    def may_read(self, name: BackendName, size: int) -> LimitType | None:
        """Return the monthly limit that keeps a read of size bytes away, or None."""
        return self._backends[name].exceeded(Usage(1, size, 0))

    def replace_limits(self, limits: Mapping[BackendName, BackendLimits]) -> None:
        """Take new limits for all backends at once (a reload); all must be named."""
        assert limits.keys() == self._backends.keys()
        for name, backend in self._backends.items():
            backend.limits = limits[name]

    def is_any_serving(self) -> bool:
        """Whether at least one circuit is not open."""
        return any(one.state is not BreakerState.OPEN for one in self)

    def expire_probes(self) -> None:
        """Give up probes that never ended."""
        for backend in self:
            backend.expire_probe()

    def used_share(self) -> float:
        """Return how near the tightest monthly limit of any backend is (1 = there)."""
        return max(
            (
                used_share(one.limits.usage, self.counters.of(one.name).effective())
                for one in self
                if one.limits.usage
            ),
            default=0.0,
        )

    async def aclose(self) -> None:
        """Close idle connections, one backend after the other."""
        for backend in self:
            await backend.aclose()

    def _states(
        self,
        rows: Sequence[QuotaRow],
        stored_size: int,
        without: Collection[BackendName],
    ) -> list[CandidateState]:
        """Join the ledger's rows with what memory knows, in config order."""
        by_name = {
            row.backend: row for row in rows if row.backend not in self._draining
        }
        proposed = Usage(1, 0, stored_size)
        return [
            CandidateState(
                quota=by_name[name],
                max_object_size=backend.limits.max_object_size,
                is_reachable=backend.may_call(),
                is_within_usage=backend.exceeded(proposed) is None,
            )
            for name, backend in self._backends.items()
            if name in by_name and name not in without
        ]
