"""The Engine seam: what a metadata database can do for us.

Implementations: SQLite with a writer thread, SQLite inline (tests, simulation); one
contract suite runs over them (tests/ledger). A *step* is a coroutine function over one
transaction. It may only await the transaction's own methods: the SQLite engine drives
it synchronously and a step that waits for anything else is a bug. Steps take time and
chance as arguments, name queries and hold no SQL, so they are the same on every engine.
"""

from collections.abc import Callable, Coroutine
from typing import Protocol, TypeVar

Value = str | int | bytes | None
Row = tuple[Value, ...]

T = TypeVar("T")


class Tx(Protocol):
    """One transaction, or one consistent snapshot for reading."""

    async def one(self, query: str, /, **values: Value) -> Row | None:
        """Run a named query; return its only row, or None if it has none."""
        ...

    async def all(self, query: str, /, **values: Value) -> list[Row]:
        """Run a named query; return its rows in order."""
        ...

    async def run(self, query: str, /, **values: Value) -> int:
        """Run a named query; return how many rows it changed."""
        ...


Step = Callable[[Tx], Coroutine[object, None, T]]


class Engine(Protocol):
    """One metadata database.

    Every method raises LedgerUnavailable when the database does not do its part (then
    nothing was changed), and whatever the step raises (then nothing was changed,
    either). None is cancelled half-way: a cancellation waits for the outcome.
    """

    async def read(self, step: Step[T]) -> T:
        """Run a step that reads at most a few rows, over one snapshot."""
        ...

    async def scan(self, step: Step[T]) -> T:
        """Run a step that may read many rows, over one snapshot, out of the way."""
        ...

    async def write(self, step: Step[T]) -> T:
        """Run a step as one transaction; return only after it is durable.

        Raises CommitUnknown when only a restart can tell whether it was committed.
        """
        ...

    async def aclose(self) -> None:
        """Finish what was accepted, then let go of the database."""
        ...
