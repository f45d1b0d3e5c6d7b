"""Is the process alive, and should it get requests?

`/health` is for whoever would restart the process: always 200, "degraded" while the
database's circuit is not closed, for a restart cures no database. `/health/ready` is
for the load balancer: 200 only if a request sent now could be served. The question to
the ledger is asked at most once per PROBE_FRESH_S, however many ask us.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from s3o.admin.answers import respond_json, respond_method_not_allowed
from s3o.model.errors import LedgerError
from s3o.model.seams import Clock
from s3o.net.exchange import Exchange

PROBE_FRESH_S = 2.0
PROBE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """What health is judged by; every member is asked anew each time.

    ask_ledger makes a cheap read and raises LedgerError when there is no answer.
    """

    is_listening: Callable[[], bool]
    is_draining: Callable[[], bool]
    is_database_closed: Callable[[], bool]
    is_any_backend_usable: Callable[[], bool]
    ask_ledger: Callable[[], Awaitable[object]]


class HealthDoor:
    """The handlers of /health and /health/ready."""

    def __init__(self, vitals: Vitals, clock: Clock) -> None:
        self._vitals = vitals
        self._clock = clock
        self._asking = trio.Lock()
        self._asked_s: float | None = None  # None: never
        self._has_answered = False

    async def health(self, exchange: Exchange) -> None:
        """Answer 200 with {"status": "ok"} or {"status": "degraded"}."""
        if exchange.head.method not in ("GET", "HEAD"):
            await respond_method_not_allowed(exchange)
            return
        is_ok = self._vitals.is_database_closed()
        await respond_json(exchange, 200, {"status": "ok" if is_ok else "degraded"})

    async def ready(self, exchange: Exchange) -> None:
        """Answer 200 with {"status": "ready"} or 503 with {"status": "not ready"}."""
        if exchange.head.method not in ("GET", "HEAD"):
            await respond_method_not_allowed(exchange)
        elif await self.is_ready():
            await respond_json(exchange, 200, {"status": "ready"})
        else:
            await respond_json(exchange, 503, {"status": "not ready"})

    async def is_ready(self) -> bool:
        """Whether a request that comes now could be served."""
        vitals = self._vitals
        return (
            vitals.is_listening()
            and not vitals.is_draining()
            and vitals.is_any_backend_usable()
            and await self._does_ledger_answer()
            and not vitals.is_draining()  # it may have begun while we asked
        )

    async def _does_ledger_answer(self) -> bool:
        async with self._asking:
            now_s = self._clock.monotonic_s()
            if self._asked_s is None or now_s - self._asked_s >= PROBE_FRESH_S:
                self._has_answered = await self._ask()
                self._asked_s = self._clock.monotonic_s()
            return self._has_answered

    async def _ask(self) -> bool:
        with trio.move_on_after(PROBE_S) as scope:
            try:
                await self._vitals.ask_ledger()
            except LedgerError:
                return False
        return not scope.cancelled_caught
