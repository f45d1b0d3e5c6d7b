"""Decide which blobs a rebalance moves, and where to.

pack fills backends in their configured order, from the blobs of the last one on; spread
evens the shares of their quotas out. Rules:

- A source is judged by what it will hold when nothing is owed any more (used and
  reserved), a target by all that it holds and owes. So neither is ever overshot, and a
  plan made while the last one's bytes wait to be deleted does not move them again.
- A move only ever goes towards the goal, so repeated plans come to rest.
- A blob is planned once, and never onto a backend that has a copy of it.
- What a month's limits leave is spent in the plan, request by request.
- A backend without a quota has no share. Spread leaves it alone: nothing there is too
  much or too little. For pack it is one that never fills up.

Pure. Source: product description, Rebalancing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from s3o.model.names import BackendName, StorageKey, VersionId
from s3o.model.values import QuotaRow, Usage
from s3o.policy.routing import Strategy
from s3o.policy.usage import UsageLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendState:
    """One backend, as far as moving blobs is concerned; in config order.

    max_object_size: of the client's bytes; 0 is no limit. *_left: what the month's
    limits leave; None is no limit.
    """

    quota: QuotaRow
    is_reachable: bool = True  # its circuit would let calls through
    is_draining: bool = False  # it takes no part: a drain moves what it has
    max_object_size: int = 0
    requests_left: int | None = None
    egress_left: int | None = None
    ingress_left: int | None = None

    @property
    def backend(self) -> BackendName:
        """Its name."""
        return self.quota.backend

    @property
    def lasting_bytes(self) -> int:
        """What it holds once nothing is owed any more."""
        return self.quota.used_bytes + self.quota.reserved_bytes

    @property
    def share(self) -> Fraction | None:
        """How full it is; None without a quota."""
        limit = self.quota.limit_bytes
        return Fraction(self.lasting_bytes, limit) if limit else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MovableBlob:
    """One verified copy that may be moved; size is the client's, for max_object_size.

    holders: every backend that has a location of the blob, in whatever state.
    """

    version_id: VersionId
    blob: int
    storage_key: StorageKey
    stored_bytes: int
    size: int
    holders: frozenset[BackendName]


@dataclass(frozen=True, slots=True)
class Move:
    """One blob, and between which backends."""

    blob: MovableBlob
    source: BackendName
    target: BackendName


def is_due(
    strategy: Strategy, states: Sequence[BackendState], threshold: float
) -> bool:
    """Whether the shares differ by threshold or more, between any two backends.

    For pack a backend without a quota counts as empty, for it can take everything.
    """
    shares = [_counted_share(strategy, state) for state in _taking_part(states)]
    counted = [share for share in shares if share is not None]
    if len(counted) < 2:
        return False
    return max(counted) - min(counted) >= Fraction(str(threshold))


def _taking_part(states: Sequence[BackendState]) -> list[BackendState]:
    return [state for state in states if not state.is_draining]


def _counted_share(strategy: Strategy, state: BackendState) -> Fraction | None:
    if state.share is None and strategy is Strategy.PACK:
        return Fraction(0)
    return state.share


def order_sources(
    strategy: Strategy, states: Sequence[BackendState]
) -> list[BackendName]:
    """Return the backends that have something to give, the most urgent first."""
    states = _taking_part(states)
    able = [state for state in states if state.is_reachable and state.lasting_bytes]
    if strategy is Strategy.PACK:
        return [state.backend for state in reversed(able) if state is not states[0]]
    target = _target_share(states)
    over = [state for state in able if _excess(state, target)]
    over.sort(key=lambda state: -_excess(state, target))
    return [state.backend for state in over]


def plan_moves(
    strategy: Strategy,
    states: Sequence[BackendState],
    blobs: Mapping[BackendName, Iterable[MovableBlob]],
    *,
    batch: int,
) -> list[Move]:
    """Return at most batch moves; states in config order, blobs by their source.

    blobs need not be all that a source has: the next plan sees others.
    """
    plan = _Plan(strategy, _taking_part(states))
    moves: list[Move] = []
    for source in order_sources(strategy, states):
        for blob in blobs.get(source, ()):
            if len(moves) >= batch:
                return moves
            target = plan.place(blob, source)
            if target is not None:
                moves.append(Move(blob, source, target))
    return moves


def _target_share(states: Sequence[BackendState]) -> Fraction:
    limited = [state for state in states if state.share is not None]
    limit = sum(state.quota.limit_bytes for state in limited)
    held = sum(state.lasting_bytes for state in limited)
    return Fraction(held, limit) if limit else Fraction(0)


def _excess(state: BackendState, target: Fraction) -> int:
    """Whole bytes that the backend has beyond target; 0 for less, or no quota."""
    if not state.quota.limit_bytes:
        return 0
    return max(state.lasting_bytes - int(target * state.quota.limit_bytes), 0)


def _deficit(state: BackendState, target: Fraction) -> int:
    """Whole bytes that it may take until it has target, with all that it owes."""
    return max(int(target * state.quota.limit_bytes) - state.quota.held_bytes, 0)


@dataclass(slots=True)
class _Allowance:
    """What may still be done with one backend; None is no limit."""

    state: BackendState
    room: int | None  # of a target
    surplus: int | None  # of a source
    requests: int | None
    egress: int | None
    ingress: int | None

    def may_give(self, blob: MovableBlob) -> bool:
        """Whether it may be the source of one more move."""
        size = blob.stored_bytes
        return (
            self.state.is_reachable
            and _fits(size, self.surplus)
            and _fits(1, self.requests)
            and _fits(size, self.egress)
        )

    def may_take(self, blob: MovableBlob) -> bool:
        """Whether it may be the target of one more move."""
        size, largest = blob.stored_bytes, self.state.max_object_size
        return (
            self.state.is_reachable
            and self.state.backend not in blob.holders
            and (largest == 0 or blob.size <= largest)
            and _fits(size, self.room)
            and _fits(1, self.requests)
            and _fits(size, self.ingress)
        )


def _fits(amount: int, left: int | None) -> bool:
    return left is None or amount <= left


def _less(left: int | None, amount: int) -> int | None:
    return None if left is None else left - amount


@dataclass(slots=True)
class _Plan:
    """The books of one plan."""

    strategy: Strategy
    states: Sequence[BackendState]
    _order: list[_Allowance] = field(init=False)
    _planned: set[tuple[VersionId, int]] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self._order = [self._open(state) for state in self.states]
        if self.strategy is Strategy.SPREAD:
            # The emptiest first; what has no share is no target (room 0).
            self._order.sort(key=lambda one: -(one.room or 0))

    def place(self, blob: MovableBlob, source: BackendName) -> BackendName | None:
        """Book the move of a blob to the best target; None if there is none."""
        identity = (blob.version_id, blob.blob)
        giver = next(one for one in self._order if one.state.backend == source)
        if identity in self._planned or not giver.may_give(blob):
            return None
        if self.strategy is Strategy.SPREAD and not blob.stored_bytes:
            return None  # it would change nothing
        for taker in self._order:
            if taker is giver:
                if self.strategy is Strategy.PACK:
                    return None  # what comes behind it is no better place
                continue
            if taker.may_take(blob):
                self._book(blob, giver, taker)
                self._planned.add(identity)
                return taker.state.backend
        return None

    def _open(self, state: BackendState) -> _Allowance:
        quota = state.quota
        room: int | None = None
        surplus: int | None = None
        if self.strategy is Strategy.SPREAD:
            target = _target_share(self.states)
            room, surplus = _deficit(state, target), _excess(state, target)
        elif quota.limit_bytes:
            room = quota.limit_bytes - quota.held_bytes
        return _Allowance(
            state=state,
            room=room,
            surplus=surplus,
            requests=state.requests_left,
            egress=state.egress_left,
            ingress=state.ingress_left,
        )

    def _book(self, blob: MovableBlob, giver: _Allowance, taker: _Allowance) -> None:
        size = blob.stored_bytes
        giver.surplus = _less(giver.surplus, size)
        giver.requests = _less(giver.requests, 1)
        giver.egress = _less(giver.egress, size)
        taker.room = _less(taker.room, size)
        taker.requests = _less(taker.requests, 1)
        taker.ingress = _less(taker.ingress, size)


def state_of(
    quota: QuotaRow,
    *,
    is_reachable: bool,
    is_draining: bool,
    max_object_size: int,
    limits: UsageLimits,
    used: Usage,
) -> BackendState:
    """Join what the ledger and memory know of a backend; used: this month."""
    return BackendState(
        quota=quota,
        is_reachable=is_reachable,
        is_draining=is_draining,
        max_object_size=max_object_size,
        requests_left=_left(limits.api_requests, used.api_requests),
        egress_left=_left(limits.egress_bytes, used.egress_bytes),
        ingress_left=_left(limits.ingress_bytes, used.ingress_bytes),
    )


def _left(limit: int, used: int) -> int | None:
    return max(limit - used, 0) if limit else None
