"""What a background service is: a name, an interval, and one pass that may be repeated.

Rules: a pass is idempotent and may be cancelled at any await; it works through bounded
batches and looks at `stopping` between items; correctness never comes from the lock
that keeps instances out of each other's way, but from the ledger's own checks.
"""

from typing import Protocol

import trio


class Wakeup:
    """Asks for a pass soon; asking twice before it begins is asking once."""

    def __init__(self) -> None:
        self._asked = trio.Event()

    def poke(self) -> None:
        """Ask; never waits."""
        self._asked.set()

    @property
    def is_poked(self) -> bool:
        """Whether somebody has asked and no pass has begun since."""
        return self._asked.is_set()

    def take(self) -> None:
        """Forget who has asked: a pass begins."""
        if self._asked.is_set():
            self._asked = trio.Event()

    async def wait(self) -> None:
        """Wait until somebody asks."""
        await self._asked.wait()


class Service(Protocol):
    """One background service; see services/runner for who calls it."""

    @property
    def name(self) -> str:
        """Its name in logs, metrics and the lock: words with dashes."""
        ...

    @property
    def interval_s(self) -> float:
        """How long to wait after a pass; asked again each time."""
        ...

    @property
    def gather_s(self) -> float:
        """How long a poked pass waits, so that one pass serves many pokes."""
        ...

    @property
    def is_exclusive(self) -> bool:
        """Whether only one instance on a ledger may run it at a time."""
        ...

    @property
    def wakeup(self) -> Wakeup:
        """How to ask for a pass before its time."""
        ...

    async def run_once(self) -> str:
        """Make one pass; return what was done in a few words, "" for nothing."""
        ...


class Leases(Protocol):
    """Who may run an exclusive service now; with several instances on one ledger."""

    async def take(self, name: str) -> int | None:
        """Return the fencing epoch of a lease now ours, or None: somebody has it."""
        ...

    async def keep(self, name: str, epoch: int) -> None:
        """Beat for the lease until cancelled; returns when it was lost."""
        ...

    async def release(self, name: str, epoch: int) -> None:
        """Let go of it."""
        ...


class NoLeases:
    """One process on its ledger: nobody to agree with."""

    async def take(self, name: str) -> int | None:
        """Return an epoch at once."""
        await trio.lowlevel.checkpoint()
        return 0

    async def keep(self, name: str, epoch: int) -> None:
        """Wait for the end."""
        await trio.sleep_forever()

    async def release(self, name: str, epoch: int) -> None:
        """Nothing to let go of."""
        await trio.lowlevel.checkpoint()
