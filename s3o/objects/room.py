"""Room that is owed: bytes of deleted or displaced objects that still lie on backends.

A write that finds no room asks the cleanup queue to hurry and waits for its passes
while they free something, before the client is told 507. Without this, deleting a file
and storing another one into the freed room would fail for a minute.
"""

from collections.abc import Sequence
from typing import Protocol

import trio

from s3o.model.values import QuotaRow

# Covers the grace that readers of other processes get (60 s) and one more pass.
PATIENCE_S = 75.0


class CleanupPass(Protocol):
    """The cleanup queue, as far as a waiting write knows it."""

    def poke(self) -> None:
        """Run soon."""
        ...

    async def next_pass(self) -> int:
        """Wait until a pass that began after this call ends; return bytes freed."""
        ...


class NoCleanup:
    """For a store without background services: nothing will free room."""

    def poke(self) -> None:
        """Do nothing."""

    async def next_pass(self) -> int:
        """Nothing was freed."""
        await trio.lowlevel.checkpoint()
        return 0


class Patience:
    """One write's waiting for room, bounded in time."""

    def __init__(self, cleanup: CleanupPass) -> None:
        self._cleanup = cleanup
        self._deadline = trio.current_time() + PATIENCE_S

    async def make_room(self, rows: Sequence[QuotaRow], size: int) -> bool:
        """Wait for one pass if it could make room for size; False ends the waiting."""
        could_help = any(
            row.orphan_bytes and row.limit_bytes - row.used_bytes >= size
            for row in rows
        )
        if not could_help:
            return False
        with trio.move_on_at(self._deadline):
            self._cleanup.poke()
            return await self._cleanup.next_pass() > 0
        return False


class RoomMaker:
    """Where writes find the cleanup queue; connected once services exist."""

    def __init__(self) -> None:
        self._cleanup: CleanupPass = NoCleanup()

    def connect(self, cleanup: CleanupPass) -> None:
        """Use this cleanup queue from now on."""
        self._cleanup = cleanup

    def poke(self) -> None:
        """There is something to clean up."""
        self._cleanup.poke()

    def patience(self) -> Patience:
        """Begin one write's waiting."""
        return Patience(self._cleanup)
