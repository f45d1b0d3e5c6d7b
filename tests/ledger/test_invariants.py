"""Random lives of a ledger: after every transaction every sum is that of its rows.

A model keeps, per key, what the last acknowledged write said; faults refuse commits,
leave them unknown or end the process. Seeds make each life repeatable.
"""

import random
import sqlite3
from collections.abc import Awaitable, Callable

import pytest

from s3o.ledger.audit import audit
from s3o.ledger.cleanup import confirm, due_rows, exhaust, retry
from s3o.ledger.commits import Commit, commit_object
from s3o.ledger.dead_letters import list_dead_letters, retry_dead_letter, write_off
from s3o.ledger.deletes import delete_object, delete_objects
from s3o.ledger.intents import NewIntent, promote_intent
from s3o.ledger.objects import find_object
from s3o.ledger.quotas import quota_rows
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.ledger.tombstones import forget_tombstones, list_expired_tombstones
from s3o.model.errors import (
    CapacityError,
    CommitUnknown,
    LedgerUnavailable,
    StateError,
)
from s3o.model.names import ObjectKey
from s3o.model.values import StoredObject, WriteConditions
from tests.ledger.house import DIGESTS, NOW_US, ONE, TWO, Writer, furnish

FAST_SEEDS = 1  # the others take half a minute and run in `just test`

STEPS = 150
LIMITS = {ONE: 3_000, TWO: 5_000}


class Died(BaseException):
    """The process ended here."""


class Life:
    """One database, one writer, the faults that meet it, and what must be true."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.connection = open_inline(now_us=NOW_US)
        self.now_us = NOW_US
        self.open: dict[str, NewIntent] = {}
        # Per key the sizes that may be current; None is absent.
        self.allowed: dict[str, set[int | None]] = {}
        self.writer: Writer

    async def begin(self) -> None:
        """Furnish before the faults begin."""
        self.writer = await furnish(InlineEngine(self.connection), LIMITS)
        self.restart()

    def restart(self) -> None:
        """A new process over the same disk."""
        self.writer.engine = InlineEngine(
            self.connection,
            before_commit=self.before_commit,
            after_commit=self.after_commit,
        )

    def before_commit(self) -> None:
        """Sometimes the database refuses, the disk is full, or the power fails."""
        match self.chance.randrange(60):
            case 0:
                raise LedgerUnavailable("injected")
            case 1:
                raise Died
            case 2:
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error

    def after_commit(self) -> None:
        """Sometimes it was committed and nobody hears of it."""
        match self.chance.randrange(60):
            case 0:
                raise CommitUnknown("injected")
            case 1:
                raise Died

    def key(self) -> str:
        """One of few keys, so that writes meet."""
        return self.chance.choice(["a", "b", "c/d", "ä"])

    def conditions(self) -> WriteConditions:
        """Mostly none."""
        return self.chance.choice(
            [
                WriteConditions(),
                WriteConditions(),
                WriteConditions(if_none_match_any=True),
                WriteConditions(if_match=(DIGESTS.md5,)),
                WriteConditions(if_match=("other",)),
            ]
        )

    async def step(self) -> None:
        """Do one thing; note what it may have changed."""
        self.now_us += self.chance.choice([1, 1_000_000, 400_000_000])
        self.writer.now_us = self.now_us
        action = self.chance.choice(self.actions())
        try:
            await action()
        except (StateError, CapacityError, LedgerUnavailable):
            pass  # refused: nothing changed
        except (CommitUnknown, Died):
            self.restart()

    def actions(self) -> list[Callable[[], Awaitable[None]]]:
        """What may happen; writes happen most."""
        writes = [self.announce, self.commit]
        others = [self.drop, self.promote, self.delete, self.delete_many]
        return [*writes, *writes, *others, self.clean, self.bury]

    async def announce(self) -> None:
        """Open an intent."""
        intent = self.writer.intent(
            self.key(), self.chance.randrange(900), self.conditions()
        )
        self.open[intent.storage_key] = intent
        await self.writer.open(intent)

    def any_intent(self) -> NewIntent | None:
        """One that was announced some time, perhaps gone since."""
        return self.chance.choice(list(self.open.values())) if self.open else None

    async def commit(self) -> None:
        """Commit an intent, with another one as a failed attempt."""
        intent, failed = self.any_intent(), self.any_intent()
        if intent is None or failed is None or failed is intent:
            return
        commit = Commit(
            storage_key=intent.storage_key,
            digests=DIGESTS,
            etag=DIGESTS.md5,
            now_us=self.now_us,
            extra_failed=(failed.storage_key,) * self.chance.randrange(2),
        )
        await self.change(
            intent.key,
            intent.size,
            self.writer.engine.write(lambda tx: commit_object(tx, commit)),
        )

    async def change(
        self, key: str, size: int | None, writing: Awaitable[object]
    ) -> None:
        """Await a write of key; an outcome that nobody knows allows both."""
        before = self.allowed.get(key, {None})
        try:
            await writing
        except (CommitUnknown, Died):
            self.allowed[key] = before | {size}
            raise
        self.allowed[key] = {size}

    async def drop(self) -> None:
        """Give an intent up."""
        intent = self.any_intent()
        if intent is not None:
            await self.writer.drop(intent.storage_key, self.chance.random() < 0.5)

    async def promote(self) -> None:
        """Let the reaper have one."""
        intent = self.any_intent()
        if intent is None:
            return
        before = self.allowed.get(intent.key, {None})
        # Whether it is promoted is the reaper's to say; find out what is current.
        self.allowed[intent.key] = before | {intent.size}
        await self.writer.engine.write(
            lambda tx: promote_intent(tx, intent.storage_key, DIGESTS, self.now_us)
        )

    async def delete(self) -> None:
        """DELETE, perhaps conditional."""
        key = self.key()
        conditions = self.conditions()
        if conditions.if_none_match_any:
            return
        writing = self.writer.engine.write(
            lambda tx: delete_object(
                tx, self.writer.bucket, ObjectKey(key), conditions, self.now_us
            )
        )
        await self.change(key, None, writing)

    async def delete_many(self) -> None:
        """DeleteObjects over two keys."""
        wanted = [(ObjectKey(self.key()), WriteConditions()) for _ in range(2)]
        for key, _ in wanted:
            self.allowed[key] = self.allowed.get(key, {None}) | {None}
        await self.writer.engine.write(
            lambda tx: delete_objects(tx, self.writer.bucket, wanted, self.now_us)
        )
        for key, _ in wanted:
            self.allowed[key] = {None}

    async def clean(self) -> None:
        """Confirm, retry and bury what is due."""
        backend = self.chance.choice([ONE, TWO])
        found = await self.writer.engine.scan(
            lambda tx: due_rows(tx, backend, self.now_us, 3)
        )
        for row in found:
            match self.chance.randrange(4):
                case 0:
                    await self.writer.engine.write(
                        lambda tx, row=row: retry(
                            tx, row.id, "no", self.now_us + 1, self.now_us
                        )
                    )
                case 1:
                    await self.writer.engine.write(
                        lambda tx, row=row: exhaust(tx, row.id, "no", self.now_us)
                    )
                case _:
                    await self.writer.engine.write(
                        lambda tx, row=row: confirm(tx, [row.id, row.id], self.now_us)
                    )

    async def bury(self) -> None:
        """Be the operator, and forget old tombstones."""
        found = await self.writer.engine.scan(lambda tx: list_dead_letters(tx, 5))
        for letter in found:
            if self.chance.random() < 0.5:
                await self.writer.engine.write(
                    lambda tx, letter=letter: write_off(tx, letter.id)
                )
            else:
                await self.writer.engine.write(
                    lambda tx, letter=letter: retry_dead_letter(
                        tx, letter.id, self.now_us
                    )
                )
        engine = self.writer.engine
        old = await engine.scan(
            lambda tx: list_expired_tombstones(tx, self.now_us, limit=5)
        )
        await engine.write(lambda tx: forget_tombstones(tx, old, self.now_us))

    async def check(self) -> None:
        """What must be true between any two transactions."""
        engine = InlineEngine(self.connection)
        assert [] == await engine.scan(audit)
        for row in await engine.read(quota_rows):
            assert row.held_bytes <= row.limit_bytes
        for key, allowed in self.allowed.items():
            found = await engine.read(
                lambda tx, key=key: find_object(
                    tx, self.writer.bucket.id, ObjectKey(key)
                )
            )
            size = None if found is None else found.version.size
            assert size in allowed, key
            self.allowed[key] = {size}
            if found is not None:
                check_bytes(found)


def check_bytes(found: StoredObject) -> None:
    """Every blob of the layout is there, and they weigh what the parts weighed."""
    version = found.version
    layout = version.layout or ((0, 0, version.size),)
    parts = version.part_sizes or (version.size,)
    assert {blob for blob, _, _ in layout} == {at.blob for at in found.locations}
    assert version.size == sum(length for _, _, length in layout)
    assert version.size + 28 * len(parts) == sum(
        at.stored_bytes for at in found.locations
    )


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(seed, marks=() if seed < FAST_SEEDS else pytest.mark.slow)
        for seed in range(25)
    ],
)
async def test_every_life_of_a_ledger_adds_up(seed: int) -> None:
    """Quota drift and lost writes are the faults that nobody notices for months."""
    life = Life(seed)
    await life.begin()
    for _ in range(STEPS):
        await life.step()
        await life.check()
    life.connection.close()


async def test_the_audit_notices_what_it_is_for() -> None:
    """An audit that never complains proves nothing."""
    connection = open_inline(now_us=NOW_US)
    writer = await furnish(InlineEngine(connection), LIMITS)
    await writer.put("a")
    await writer.put("b")
    intent = writer.intent("c")
    await writer.open(intent)
    await writer.put("a")
    damages = {
        "used is": "UPDATE backend_quotas SET bytes_used = bytes_used + 1",
        "reserved is": "DELETE FROM pending_objects",
        "orphan is": "UPDATE cleanup_queue SET size_bytes = 7",
        "objects is": "UPDATE backend_quotas SET object_count = 9",
        "without a quota": "UPDATE pending_objects SET backend_name = 'x'",
        "bucket that is gone": "UPDATE objects SET bucket_id = 7 WHERE key = 'a'",
        "without a location": "DELETE FROM object_locations",
        "without a version": "DELETE FROM objects WHERE key = 'a'",
        "two purposes": "UPDATE cleanup_queue SET storage_key ="
        " (SELECT storage_key FROM pending_objects)",
        "cannot be": "UPDATE objects SET size = -1 WHERE key = 'b'",
        "newer than": "INSERT INTO tombstones VALUES (1, 'a', 999, 0)",
    }
    for complaint, damage in damages.items():
        damaged = sqlite3.connect(":memory:", isolation_level=None)
        connection.backup(damaged)
        damaged.execute(damage)
        heard = await InlineEngine(damaged).scan(audit)
        damaged.close()

        assert any(complaint in line for line in heard), (complaint, heard)
    connection.close()
