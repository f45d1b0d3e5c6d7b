"""The ledger as everybody above sees it: one engine behind one circuit breaker.

The breaker counts outages of the database and nothing else: a refusal or a bad key says
that the database answered, a client that left says nothing. While it is open nothing
is asked, so that requests fail at once and reads can go on without the ledger.
"""

from collections.abc import Callable, Coroutine

import trio

from s3o.ledger.seam import Engine, Step, T
from s3o.model.errors import CommitUnknown, LedgerUnavailable, Overloaded
from s3o.model.facts import BreakerChanged
from s3o.model.seams import Clock, Entropy, Observer
from s3o.policy.breaker import Change, CircuitBreaker, Ticket

BREAKER_NAME = "database"


class Ledger:
    """Read, scan and write steps; see seam.Engine for what each promises."""

    def __init__(
        self,
        engine: Engine,
        breaker: CircuitBreaker,
        observer: Observer,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._engine = engine
        self._breaker = breaker
        self._observer = observer
        self._clock = clock
        self._entropy = entropy

    @property
    def breaker(self) -> CircuitBreaker:
        """The database's breaker, for health, metrics and the watchdog."""
        return self._breaker

    async def read(self, step: Step[T]) -> T:
        """Run a step that reads at most a few rows. Raises LedgerUnavailable."""
        return await self._guard(self._engine.read, step)

    async def scan(self, step: Step[T]) -> T:
        """Run a step that may read many rows. Raises LedgerUnavailable."""
        return await self._guard(self._engine.scan, step)

    async def write(self, step: Step[T]) -> T:
        """Run a step as one durable transaction.

        Raises LedgerUnavailable (nothing changed), CommitUnknown (who knows).
        """
        return await self._guard(self._engine.write, step)

    def expire_probe(self) -> None:
        """Give up a probe that never ended (the watchdog's call)."""
        self._tell(self._breaker.expire_probe(self._clock.monotonic_s()))

    async def aclose(self) -> None:
        """Close the engine."""
        await self._engine.aclose()

    async def _guard(
        self, call: Callable[[Step[T]], Coroutine[object, None, T]], step: Step[T]
    ) -> T:
        # A caller that is cancelled already must not begin a transaction; one that is
        # cancelled later waits for the outcome.
        await trio.lowlevel.checkpoint_if_cancelled()
        ticket = self._breaker.allow(self._clock.monotonic_s())
        if ticket is None:
            raise LedgerUnavailable("the database's circuit is open")
        for change in ticket.changes:
            self._tell(change)
        try:
            value = await call(step)
        except BaseException as error:
            self._judge(ticket, error)
            raise
        self._tell(self._breaker.succeeded(ticket))
        return value

    def _judge(self, ticket: Ticket, error: BaseException) -> None:
        if isinstance(error, LedgerUnavailable | CommitUnknown):
            jitter = self._entropy.uniform(0.0, 1.0)
            now_s = self._clock.monotonic_s()
            self._tell(self._breaker.failed(ticket, now_s, jitter))
        elif isinstance(error, Overloaded | trio.Cancelled):
            self._breaker.abandoned(ticket)
        else:
            self._tell(self._breaker.succeeded(ticket))

    def _tell(self, change: Change | None) -> None:
        if change is not None:
            self._observer.note(
                BreakerChanged(
                    name=BREAKER_NAME,
                    previous=change.previous,
                    state=change.state,
                    reason=change.reason,
                )
            )
