"""Plausible mistakes in backing the ledger up and in recovering it."""

from collections.abc import Iterable

import pytest

from s3o.ledger import backup_pages, backups, recovery
from s3o.ledger.backup_pages import LogPage
from s3o.ledger.backups import NewBackup
from s3o.ledger.recovery_candidates import Knowledge
from s3o.ledger.seam import Tx
from s3o.model.names import BackendName, StorageKey
from s3o.services import ledger_backup
from s3o.services.ledger_backup import LedgerBackup
from tests.simulation.mutants import killed_by


@killed_by("log of a delete whose bytes stay")
def logs_forget_deletes(patch: pytest.MonkeyPatch) -> None:
    """A log tells of versions only."""
    dump = backup_pages.dump_log

    async def without(tx: Tx, after: int, limit: int) -> LogPage:
        page = await dump(tx, after, limit)
        return LogPage(
            objects=page.objects,
            tombstones=(),
            touched=page.touched,
            intents=page.intents,
            through=page.through,
            is_last=page.is_last,
        )

    patch.setattr(backup_pages, "dump_log", without)

    async def keep_nothing(_tx: Tx, _columns: object) -> None:
        pass

    patch.setattr(recovery, "restore_tombstone", keep_nothing)


@killed_by("snapshot")
def half_backups_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Rows of a dead pass go without their bytes being queued."""

    async def forget(tx: Tx, copies: Iterable[object], *_given: object) -> int:
        for copy in copies:
            await tx.one(
                "take_backup",
                backend_name=copy.backend,  # type: ignore[attr-defined]
                storage_key=copy.storage_key,  # type: ignore[attr-defined]
            )
        return 0

    async def drop(self: LedgerBackup, copies: Iterable[object], _reason: str) -> None:
        await self._ledger.write(lambda tx: forget(tx, copies))

    patch.setattr(LedgerBackup, "_drop", drop)


@killed_by("log that a provider loses")
def backups_are_whole_when_announced(patch: pytest.MonkeyPatch) -> None:
    """A segment counts before the backend has it."""
    announce = backups.open_backup

    async def open_and_finish(
        tx: Tx, new: NewBackup, order: backups.Order
    ) -> BackendName | None:
        backend = await announce(tx, new=new, order=order)
        if backend is not None:
            await backups.finish_backup(tx, backend, new.storage_key, new.stored_bytes)
        return backend

    patch.setattr(ledger_backup, "open_backup", open_and_finish)


@killed_by("log of a delete whose bytes stay")
def garbage_beats_the_log(patch: pytest.MonkeyPatch) -> None:
    """Every whole blob is taken for a write after the last log."""

    def is_newer(_self: Knowledge, _storage_key: StorageKey, _sequence: int) -> bool:
        return True

    patch.setattr(Knowledge, "is_newer", is_newer)
