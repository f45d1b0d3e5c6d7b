"""Plausible mistakes in the protocol of writes, each with the story that finds it.

A simulation that accepts a broken protocol proves nothing about a whole one. A mutant
replaces one rule of the product for the length of one story; a mutant that survives is
a hole in the stories.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from s3o.backends.guard import Guarded
from s3o.backends.seam import DeleteOutcome
from s3o.ledger import cleanup, cleanup_rows, commits, deletes, displacing, intents
from s3o.ledger.cleanup import CleanupRow
from s3o.ledger.commits import Commit, Committed, commit_object
from s3o.ledger.intents import list_intents
from s3o.ledger.objects import find_current
from s3o.ledger.pending import IntentRow
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Row, Tx, Value
from s3o.model.errors import BackendsFailed, LedgerError, NoSuchKey
from s3o.model.names import BackendName, StorageKey
from s3o.objects.announce import Announcer
from s3o.objects.live import LiveReads
from s3o.objects.read import ObjectReader
from s3o.objects.room import Patience
from s3o.services import cleanup_queue, pending_reaper
from s3o.services.heartbeats import Heartbeats

Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """plant breaks the rule; story is the name of a scene or a race."""

    plant: Plant
    story: str


MUTANTS: dict[str, Mutant] = {}


def killed_by(story: str) -> Callable[[Plant], Plant]:
    """Register a mutant under its function's name."""

    def register(plant: Plant) -> Plant:
        assert plant.__name__ not in MUTANTS, f"two mutants {plant.__name__}"
        MUTANTS[plant.__name__] = Mutant(plant, story)
        return plant

    return register


@killed_by("large put")
def reaper_asks_nobody(patch: pytest.MonkeyPatch) -> None:
    """The reaper promotes without the HEAD's proof."""
    patch.setattr(pending_reaper, "_proven", lambda intent, _info: intent.digests)


@killed_by("store part")
def reaper_takes_any_bytes(patch: pytest.MonkeyPatch) -> None:
    """The reaper promotes whatever lies there."""
    patch.setattr(
        pending_reaper,
        "_proven",
        lambda intent, info: intent.digests if info is not None else None,
    )


@killed_by("store then hang, then delete")
def reaper_ignores_tombstones(patch: pytest.MonkeyPatch) -> None:
    """The reaper looks for newer versions, not for newer deletes."""

    async def is_superseded(tx: Tx, intent: IntentRow) -> bool:
        current = await find_current(tx, intent.bucket_id, intent.key)
        return current is not None and current.sequence > intent.sequence

    patch.setattr(intents, "is_superseded", is_superseded)


@killed_by("store then hang, then put")
def reaper_ignores_newer_writes(patch: pytest.MonkeyPatch) -> None:
    """The reaper lets the older write win."""

    async def is_superseded(_tx: Tx, _intent: IntentRow) -> bool:
        return False

    patch.setattr(intents, "is_superseded", is_superseded)


@killed_by("slow upload")
def reaper_ignores_heartbeats(patch: pytest.MonkeyPatch) -> None:
    """The reaper measures the age of a write, not its silence."""

    async def aged(tx: Tx, limit: int, after: str = "") -> list[IntentRow]:
        found = await list_intents(tx, limit, after)
        return [replace(intent, heartbeat=0) for intent in found]

    patch.setattr(pending_reaper, "list_intents", aged)


@killed_by("slow upload")
def writers_do_not_beat(patch: pytest.MonkeyPatch) -> None:
    """Nobody says that a write is alive."""

    async def run_once(_self: Heartbeats) -> str:
        return ""

    patch.setattr(Heartbeats, "run_once", run_once)


@killed_by("hang then store")
def reaper_never_drops_twice(patch: pytest.MonkeyPatch) -> None:
    """The reaper takes a dead process's request for dead, too."""
    drop = pending_reaper.drop_intent

    async def drop_once(tx: Tx, *, is_ambiguous: bool, **given: object) -> bool:
        return await drop(tx, is_ambiguous=False, **given)

    patch.setattr(pending_reaper, "drop_intent", drop_once)


@killed_by("hang then store")
def cleanup_never_repeats(patch: pytest.MonkeyPatch) -> None:
    """An ambiguous name is deleted once."""
    patch.setattr(cleanup_rows, "REPEAT_AFTER_US", ())
    patch.setattr(cleanup, "REPEAT_AFTER_US", ())


@killed_by("two creators")
def commit_ignores_conditions(patch: pytest.MonkeyPatch) -> None:
    """Conditions are checked before the upload only."""
    patch.setattr(commits, "check_write", lambda *_given, **_more: None)


@killed_by("put, before commit")
def writes_are_acknowledged_early(patch: pytest.MonkeyPatch) -> None:
    """The client is told of success although the commit failed."""

    async def commit(self: Announcer, commit: Commit) -> Committed:
        done: list[Committed] = []

        async def step(tx: Tx) -> Committed:
            done.append(await commit_object(tx, commit))
            return done[-1]

        try:
            return await self._ledger.write(step)
        except LedgerError:
            if done:
                return done[-1]
            raise

    patch.setattr(Announcer, "commit", commit)


class _Without:
    """A transaction that leaves one query out."""

    def __init__(self, tx: Tx, query: str) -> None:
        self._tx = tx
        self._query = query

    async def one(self, query: str, /, **values: Value) -> Row | None:
        return await self._tx.one(query, **values)

    async def all(self, query: str, /, **values: Value) -> list[Row]:
        return await self._tx.all(query, **values)

    async def run(self, query: str, /, **values: Value) -> int:
        if query == self._query:
            return 1
        return await self._tx.run(query, **values)


@killed_by("store then hang, then delete")
def deletes_leave_no_tombstone(patch: pytest.MonkeyPatch) -> None:
    """A delete removes the row and remembers nothing."""
    delete = deletes._delete

    async def forget(tx: Tx, *given: object, **more: object) -> bool:
        return await delete(_Without(tx, "put_tombstone"), *given, **more)

    patch.setattr(deletes, "_delete", forget)


@killed_by("slow reader")
def cleanup_ignores_readers(patch: pytest.MonkeyPatch) -> None:
    """Bytes are deleted under who reads them."""
    patch.setattr(LiveReads, "is_being_read", lambda _self, _key: False)


@killed_by("failing delete")
def cleanup_believes_itself(patch: pytest.MonkeyPatch) -> None:
    """A delete counts as confirmed because it was sent."""
    send = cleanup_queue.delete_blobs

    async def believe(
        backend: Guarded, rows: Sequence[CleanupRow]
    ) -> list[DeleteOutcome]:
        try:
            await send(backend, rows)
        finally:
            return [DeleteOutcome(row.storage_key) for row in rows]  # noqa: B012

    patch.setattr(cleanup_queue, "delete_blobs", believe)


@killed_by("put")
def drops_forget_the_name(patch: pytest.MonkeyPatch) -> None:
    """A dropped write's bytes are never deleted."""

    async def release(
        _tx: Tx, intent: IntentRow, moves: QuotaMoves, *_given: object, **_more: object
    ) -> None:
        moves.add(intent.backend, reserved=-intent.stored_bytes)

    patch.setattr(intents, "release_taken", release)


@killed_by("put")
def drops_keep_the_reservation(patch: pytest.MonkeyPatch) -> None:
    """A dropped write's room is never given back."""
    release = intents.release_taken

    async def keep(
        tx: Tx, intent: IntentRow, moves: QuotaMoves, *given: object, **more: object
    ) -> None:
        await release(tx, intent, moves, *given, **more)
        moves.add(intent.backend, reserved=intent.stored_bytes)

    patch.setattr(intents, "release_taken", keep)


@killed_by("overwrite")
def overwrites_forget_old_bytes(patch: pytest.MonkeyPatch) -> None:
    """Displaced bytes are neither counted nor deleted."""

    async def forget(*_given: object) -> None:
        pass

    patch.setattr(displacing, "enqueue", forget)


@killed_by("one room for two")
def room_is_given_twice(patch: pytest.MonkeyPatch) -> None:
    """Room is looked at, then taken, without a condition."""

    async def take(tx: Tx, backend: BackendName, size: int) -> bool:
        moves = QuotaMoves()
        moves.add(backend, reserved=size)
        await moves.apply(tx)
        return True

    patch.setattr(intents, "reserve", take)
    patch.setattr(intents, "quota_rows", _first_rows())


def _first_rows() -> Callable[[Tx], object]:
    """As memory would answer that was filled once."""
    ask = intents.quota_rows
    known: list[object] = []

    async def rows(tx: Tx) -> object:
        if not known:
            known.append(await ask(tx))
        return known[0]

    return rows


@killed_by("owed room")
def writes_do_not_wait(patch: pytest.MonkeyPatch) -> None:
    """A write is refused although room was about to be freed."""

    async def make_room(_self: Patience, *_given: object) -> bool:
        return False

    patch.setattr(Patience, "make_room", make_room)


@killed_by("late bytes")
def writers_never_drop_twice(patch: pytest.MonkeyPatch) -> None:
    """A request that was given up counts as never sent."""
    drop = Announcer.drop

    async def drop_once(
        self: Announcer, storage_key: StorageKey, reason: str, *, is_ambiguous: bool
    ) -> None:
        await drop(self, storage_key, reason, is_ambiguous=False)

    patch.setattr(Announcer, "drop", drop_once)


@killed_by("missing blob")
def providers_decide_what_exists(patch: pytest.MonkeyPatch) -> None:
    """A backend's 404 becomes the client's."""
    enter = ObjectReader.__aenter__

    async def enter_or_deny(self: ObjectReader) -> ObjectReader:
        try:
            return await enter(self)
        except BackendsFailed:
            raise NoSuchKey("photos", "a") from None

    patch.setattr(ObjectReader, "__aenter__", enter_or_deny)
