"""Backends on their way out: what is being emptied, and what is left on it.

A row of backend_drains closes the backend: from its transaction on nothing reserves
room there (schema/queries/quotas.sql), in whatever process, so what is left only
becomes less. Each change of state is a compare-and-set, and a drain ends in the
transaction that finds nothing left.

    (none) -> draining -> drained
    (none) | drained -> removing -> removed, or (none) if it is configured no more

Each may be cancelled: what has left the backend stays where it is, the rest is there.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from s3o.ledger import rows
from s3o.ledger.seam import Row, Tx
from s3o.model.errors import DrainConflict, LedgerDamaged
from s3o.model.names import BackendName


class DrainState(StrEnum):
    """How far a backend is.

    draining: its objects move away. drained: nothing is left on it. removing: its rows
    leave the ledger. removed: they have, but the configuration still has the backend.
    """

    DRAINING = "draining"
    DRAINED = "drained"
    REMOVING = "removing"
    REMOVED = "removed"


# Over when the configuration has the backend no more.
_OVER = (DrainState.DRAINED, DrainState.REMOVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """One row; moved_* count since the start, and may miss what a crash cut off."""

    backend: BackendName
    state: DrainState
    is_purging: bool
    moved_objects: int
    moved_bytes: int
    last_error: str | None
    started_at_us: int
    updated_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """How many rows still name a backend; stored_bytes are its locations'.

    uploads are under way; ended_uploads wait until a listing shows nothing of them.
    """

    locations: int
    stored_bytes: int
    intents: int
    parts: int
    uploads: int
    ended_uploads: int
    cleanup_rows: int
    dead_letters: int
    ledger_backups: int

    def __bool__(self) -> bool:
        """Whether there is any."""
        return any(count for _, count in self.others()) or self.locations > 0

    def others(self) -> tuple[tuple[str, int], ...]:
        """Return what is no location, in an operator's words, with its count."""
        return (
            ("writes under way", self.intents),
            ("parts of uploads", self.parts),
            ("multipart uploads under way", self.uploads),
            ("ended uploads whose backend must confirm it", self.ended_uploads),
            ("blobs waiting to be deleted", self.cleanup_rows),
            ("dead letters", self.dead_letters),
            ("backups of the ledger", self.ledger_backups),
        )


async def begin_drain(tx: Tx, backend: BackendName, now_us: int) -> None:
    """Close the backend and begin to empty it. Raises DrainConflict."""
    if await tx.run("begin_drain", backend_name=backend, now_us=now_us):
        return
    drain = await find_drain(tx, backend)
    state = drain.state if drain is not None else ""
    raise DrainConflict(backend, state, f"the backend is {state} already")


async def list_drains(tx: Tx) -> list[Drain]:
    """Return all backends that are closed, by name."""
    return [_drain_of(row) for row in await tx.all("list_drains")]


async def find_drain(tx: Tx, backend: BackendName) -> Drain | None:
    """Return one; None: the backend is an ordinary one, or unknown."""
    row = await tx.one("find_drain", backend_name=backend)
    return None if row is None else _drain_of(row)


async def note_drain(
    tx: Tx,
    backend: BackendName,
    *,
    objects: int,
    stored_bytes: int,
    error: str | None,
    now_us: int,
) -> None:
    """Count what has left, and say why no more has; no row is no trouble."""
    await tx.run(
        "note_drain",
        backend_name=backend,
        objects=objects,
        bytes=stored_bytes,
        error=error,
        now_us=now_us,
    )


async def finish_drain(tx: Tx, backend: BackendName, now_us: int) -> bool:
    """Call the backend drained if nothing is left on it; say whether it is."""
    if not await is_empty(tx, backend):
        return False
    return await change_drain(
        tx, backend, DrainState.DRAINING, DrainState.DRAINED, now_us
    )


async def change_drain(
    tx: Tx, backend: BackendName, seen: DrainState, state: DrainState, now_us: int
) -> bool:
    """Change the state if it still is as seen; say whether it was."""
    changed = await tx.run(
        "change_drain",
        backend_name=backend,
        seen_state=seen,
        state=state,
        now_us=now_us,
    )
    return changed == 1


async def cancel_drain(tx: Tx, backend: BackendName) -> DrainState | None:
    """Make the backend an ordinary one again; return what it was, None for that."""
    drain = await find_drain(tx, backend)
    if drain is None:
        return None
    await tx.run("end_drain", backend_name=backend, seen_state=drain.state)
    return drain.state


async def forget_unconfigured(tx: Tx, configured: Collection[BackendName]) -> None:
    """Forget what is over with backends that the configuration has no more.

    A backend of that name that comes back one day is an ordinary one.
    """
    for drain in await list_drains(tx):
        if drain.state in _OVER and drain.backend not in configured:
            await tx.run(
                "end_drain", backend_name=drain.backend, seen_state=drain.state
            )


async def count_remaining(tx: Tx, backend: BackendName) -> Remaining:
    """Count what still names the backend; reads many rows, so it is for a scan."""
    row = await tx.one("count_remaining", backend_name=backend)
    assert row is not None
    counts = [rows.size(value) for value in row]
    return Remaining(
        locations=counts[0],
        stored_bytes=counts[1],
        intents=counts[2],
        parts=counts[3],
        uploads=counts[4],
        ended_uploads=counts[5],
        cleanup_rows=counts[6],
        dead_letters=counts[7],
        ledger_backups=counts[8],
    )


async def is_empty(tx: Tx, backend: BackendName) -> bool:
    """Whether nothing names the backend, nor will: for a backend that is closed."""
    await tx.run("lock_quota", backend_name=backend)
    return await tx.one("find_remaining", backend_name=backend) is None


def _drain_of(row: Row) -> Drain:
    try:
        return Drain(
            backend=rows.backend_name(row[0]),
            state=DrainState(rows.text(row[1])),
            is_purging=rows.flag(row[2]),
            moved_objects=rows.size(row[3]),
            moved_bytes=rows.size(row[4]),
            last_error=rows.optional_text(row[5]),
            started_at_us=rows.number(row[6]),
            updated_at_us=rows.number(row[7]),
        )
    except ValueError as error:
        raise LedgerDamaged("backend_drains", str(error)) from None
