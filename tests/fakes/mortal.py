"""A ledger engine that can be gone for a while."""

import sqlite3
from typing import ClassVar

import trio

from s3o.ledger.seam import Step, T
from s3o.ledger.sqlite import InlineEngine
from s3o.model.errors import LedgerUnavailable


class MortalEngine(InlineEngine):
    """An engine that takes no write while it is dead. last: the one made last."""

    last: ClassVar["MortalEngine"]

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.is_dead = False
        MortalEngine.last = self

    async def write(self, step: Step[T]) -> T:
        """As always, or raise LedgerUnavailable."""
        if self.is_dead:
            await trio.lowlevel.checkpoint()
            raise LedgerUnavailable("gone")
        return await super().write(step)
