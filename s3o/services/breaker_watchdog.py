"""Keep circuit breakers from staying open for want of traffic.

A breaker only learns from calls. Where there are none (readiness is off because every
circuit is open, so the load balancer sends nothing) a recovered backend would stay
refused for ever: when an open circuit may be probed and nobody did, this service does.
It also gives up probes that never ended.
"""

import trio

from s3o.backends.fleet import Fleet
from s3o.backends.guard import Guarded
from s3o.ledger.ledger import Ledger
from s3o.model.errors import BackendError
from s3o.model.values import BreakerState
from s3o.services.service import Wakeup

INTERVAL_S = 60.0


class BreakerWatchdog:
    """The service."""

    name = "cb-watchdog"
    is_exclusive = False  # breakers are each process's own
    gather_s = 0.0
    interval_s = INTERVAL_S

    def __init__(self, ledger: Ledger, fleet: Fleet) -> None:
        self.wakeup = Wakeup()
        self._ledger = ledger
        self._fleet = fleet

    async def run_once(self) -> str:
        """Look at every breaker once."""
        self._ledger.expire_probe()
        self._fleet.expire_probes()
        async with trio.open_nursery() as nursery:
            for backend in self._fleet:
                if backend.state is not BreakerState.CLOSED and backend.may_call():
                    nursery.start_soon(_probe, backend)
        return ""


async def _probe(backend: Guarded) -> None:
    try:
        await backend.probe()
    except BackendError:
        return  # the guard has told the breaker, the metrics and the log
