"""Keep the ledger on the backends as well: snapshots, and logs of what came since.

Whoever loses the ledger's file, or restores an old one, gets it back from there
(services/recovery). A log goes out every log_interval if anything was committed, and
within a minute after an upload was completed, whose layout stands nowhere else. A
snapshot follows every snapshot_interval. Each segment lies on `copies` backends, takes
quota like any other bytes, and is deleted through the cleanup queue when two newer
snapshots make it useless.

Source: data model, "The record: surviving the loss of the ledger".
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import trio

from s3o.backends.fleet import Fleet
from s3o.ledger import backup_pages as pages
from s3o.ledger.backups import (
    BackupCopy,
    NewBackup,
    drop_backups,
    finish_backup,
    last_completed_us,
    list_backups,
    open_backup,
)
from s3o.ledger.ledger import Ledger
from s3o.ledger.meta import cluster_id, ledger_epoch
from s3o.ledger.seam import Tx
from s3o.model.backup_names import BackupKind, BackupName
from s3o.model.errors import BackendError, NoRoom
from s3o.model.facts import Happened
from s3o.model.names import BackendName
from s3o.model.seams import Clock, Entropy, Observer
from s3o.model.values import BlobHeaders, QuotaRow
from s3o.objects.naming import new_write_id
from s3o.policy.ledger_backups import complete_snapshots, known_through, unneeded
from s3o.policy.receipts import check_receipt
from s3o.services.memory_source import MemorySource
from s3o.services.safety import always
from s3o.services.service import Wakeup
from s3o.wire import ledger_segment as wire
from s3o.wire.ledger_segment import SegmentHead, SegmentWriter

LOOK_S = 60.0
PAGE_ROWS = 500
SUPERSEDED, UNFINISHED = "ledger_backup_superseded", "ledger_backup_unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupPace:
    """What the configuration of the moment asks for."""

    is_enabled: bool
    log_interval_s: float
    snapshot_interval_s: float
    copies: int


class LedgerBackup:
    """The service."""

    name = "ledger-backup"
    is_exclusive = True
    gather_s = 0.0

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        clock: Clock,
        entropy: Entropy,
        *,
        pace: Callable[[], BackupPace],
        poke_cleanup: Callable[[], None],
        stopping: trio.Event,
        may_destroy: Callable[[], bool] = always,
    ) -> None:
        self.wakeup = Wakeup()
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock
        self._entropy = entropy
        self._pace = pace
        self._poke_cleanup = poke_cleanup
        self._stopping = stopping
        self._may_destroy = may_destroy

    @property
    def interval_s(self) -> float:
        """How often to look; seldom is a log due then."""
        return min(LOOK_S, self._pace().log_interval_s)

    async def run_once(self) -> str:
        """Write what is due, and drop what nobody needs."""
        if not self._pace().is_enabled or not self._may_destroy():
            return ""  # an old ledger's word must not stand among the newer ones
        copies = await self._ledger.read(list_backups)
        if not await self._is_log_due(copies):
            return ""
        return await self._write_due(copies)

    async def write_now(self) -> str:
        """Write a log, or a snapshot if that is due, whatever the time."""
        return await self._write_due(await self._ledger.read(list_backups))

    async def _write_due(self, copies: Sequence[BackupCopy]) -> str:
        """Write behind what copies, read just before, tell already."""
        left = [one for one in copies if not one.is_whole]
        if left:  # of a process that died while it wrote them
            await self._drop(left, UNFINISHED)
        whole = [one for one in copies if one.is_whole]
        life = await self._life()
        report = await self._write(life, whole)
        await self._retire()
        return report

    async def _is_log_due(self, copies: Sequence[BackupCopy]) -> bool:
        """Whether it is time, or an upload was completed meanwhile."""
        now_us = self._clock.now_us()
        last_us = max((one.created_at_us for one in copies), default=None)
        has_failed = not all(one.is_whole for one in copies)
        if last_us is None or last_us > now_us or has_failed:
            return True
        if now_us - last_us >= self._pace().log_interval_s * 1_000_000:
            return True
        completed_us = await self._ledger.read(last_completed_us)
        return completed_us is not None and completed_us > last_us

    async def snapshot_now(self) -> int:
        """Write a snapshot whether due or not; return how many segments it has."""
        return await self._snapshot(await self._life())

    async def _life(self) -> "_Life":
        async def ask(tx: Tx) -> "_Life":
            return _Life(
                await cluster_id(tx),
                await ledger_epoch(tx),
                await pages.current_sequence(tx),
            )

        return await self._ledger.read(ask)

    async def _write(self, life: "_Life", whole: Sequence[BackupCopy]) -> str:
        segments = {one.name for one in whole}
        through = known_through(segments, life.epoch)
        if life.sequence == 0:
            return ""  # nothing was ever committed
        if through is None or self._is_snapshot_due(life, whole):
            count = await self._snapshot(life)
            return f"wrote a snapshot of {count} segments"
        count = await self._log(life, through)
        return f"wrote {count} logs" if count else ""

    def _is_snapshot_due(self, life: "_Life", whole: Sequence[BackupCopy]) -> bool:
        newest = complete_snapshots({one.name for one in whole})[-1]
        if newest[0].through == life.sequence:
            return False
        made_us = max(one.created_at_us for one in whole if one.name in newest)
        age_s = (self._clock.now_us() - made_us) / 1_000_000
        return age_s >= self._pace().snapshot_interval_s or age_s < 0

    async def _snapshot(self, life: "_Life") -> int:
        """Walk through everything once; return the number of segments."""
        run = self._run()
        row = _Row(life, BackupKind.SNAPSHOT, 0, life.sequence, run)
        writer = self._begin(row)
        after = pages.FIRST
        await self._add_buckets(writer)
        while True:
            found = await self._ledger.scan(
                partial(pages.dump_objects, after=after, limit=PAGE_ROWS)
            )
            for one in found:
                writer.add(wire.OBJECT, one.columns, one.locations)
            if len(found) < PAGE_ROWS:
                break
            after = found[-1].place
            writer = await self._turn(row, writer)
        after = pages.FIRST
        while True:
            graves = await self._ledger.scan(
                partial(pages.dump_tombstones, after=after, limit=PAGE_ROWS)
            )
            for grave in graves:
                writer.add(wire.TOMBSTONE, grave)
            if len(graves) < PAGE_ROWS:
                break
            after = pages.place_of(graves[-1])
            writer = await self._turn(row, writer)
        await self._add_buckets(writer)  # once more: some are younger than the walk
        await self._send(row, writer, is_last=True)
        await self._log(life, life.sequence)
        return row.number

    async def _turn(self, row: "_Row", writer: SegmentWriter) -> SegmentWriter:
        """Return the writer to go on with: another one where this one is full."""
        if not writer.is_full:
            return writer
        await self._send(row, writer, is_last=False)
        return self._begin(row)

    async def _log(self, life: "_Life", through: int) -> int:
        """Tell of everything behind through; return the number of segments."""
        run = self._run()
        count = 0
        while not self._stopping.is_set():
            page = await self._ledger.scan(
                partial(pages.dump_log, after=through, limit=PAGE_ROWS)
            )
            if not (page.objects or page.tombstones or page.touched):
                break
            row = _Row(life, BackupKind.LOG, through, page.through, run, count)
            writer = self._begin(row)
            await self._add_buckets(writer)
            for one in (*page.objects, *(each.object for each in page.touched)):
                writer.add(wire.OBJECT, one.columns, one.locations)
            for grave in page.tombstones:
                writer.add(wire.TOMBSTONE, grave)
            for storage_key in page.intents:
                writer.add(wire.INTENT, storage_key)
            await self._send(row, writer, is_last=True)
            if page.touched:
                await self._ledger.write(
                    partial(pages.forget_touched, touched=page.touched)
                )
            count, through = count + 1, page.through
            if page.is_last:
                break
        return count

    def _run(self) -> str:
        """Return a name for this pass; a later one's is greater."""
        return f"{self._clock.now_us() // 1000:012x}"

    async def _add_buckets(self, writer: SegmentWriter) -> None:
        after = -1
        while True:
            found = await self._ledger.scan(
                partial(pages.dump_buckets, after=after, limit=PAGE_ROWS)
            )
            for bucket in found:
                writer.add(wire.BUCKET, bucket)
            if len(found) < PAGE_ROWS:
                break
            after = pages.bucket_id_of(found[-1])
        for usage in await self._ledger.scan(pages.dump_usage):
            writer.add(wire.USAGE, usage)

    def _begin(self, row: "_Row") -> SegmentWriter:
        return SegmentWriter(
            SegmentHead(
                cluster_id=row.life.cluster_id,
                kind=row.kind,
                epoch=row.life.epoch,
                after=row.after,
                through=row.through,
                number=row.number,
                written_at_us=self._clock.now_us(),
            )
        )

    async def _send(self, row: "_Row", writer: SegmentWriter, *, is_last: bool) -> None:
        """Store one segment on as many backends as wanted; one at least.

        Raises BackendError or NoRoom when not even one could take it.
        """
        body = writer.finish()
        name = row.name(is_last=is_last)
        row.number += 1
        tried: set[BackendName] = set()
        stored = 0
        failure: BackendError | None = None
        while stored < self._pace().copies:
            try:
                if not await self._store(name, body, tried):
                    break
            except BackendError as error:
                failure = error
            else:
                stored += 1
        if not stored:
            raise failure or NoRoom(len(body))
        if stored < min(self._pace().copies, len(self._fleet)):
            self._warn(name, stored)

    async def _store(
        self, name: BackupName, body: bytes, tried: set[BackendName]
    ) -> bool:
        """Store one copy on a backend not tried yet; False: there is none with room."""
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        storage_key = name.storage_key(new_write_id(self._entropy))
        new = NewBackup(
            name=name,
            storage_key=storage_key,
            stored_bytes=len(body),
            stored_md5=md5,
            now_us=self._clock.now_us(),
        )

        def order(rows: Sequence[QuotaRow]) -> Sequence[BackendName]:
            return self._fleet.order_for_write(
                rows, size=len(body), stored_size=len(body), without=tried
            )

        backend = await self._ledger.write(partial(open_backup, new=new, order=order))
        if backend is None:
            return False
        tried.add(backend)
        headers = BlobHeaders(content_type=wire.CONTENT_TYPE, stored_md5=md5)
        receipt = await self._fleet.get(backend).put(
            storage_key, MemorySource(body), headers
        )
        check_receipt(
            receipt,
            md5,
            backend=backend,
            operation="PutObject",
            storage_key=storage_key,
        )
        await self._ledger.write(
            partial(
                finish_backup,
                backend=backend,
                storage_key=storage_key,
                size=len(body),
            )
        )
        return True

    async def _retire(self) -> None:
        copies = await self._ledger.read(list_backups)
        whole = [one for one in copies if one.is_whole]
        useless = unneeded({one.name for one in whole})
        unfinished = [one for one in copies if not one.is_whole]
        if unfinished:
            await self._drop(unfinished, UNFINISHED)
        leaving = [one for one in whole if one.name in useless]
        if leaving:
            await self._drop(leaving, SUPERSEDED)

    async def _drop(self, copies: Sequence[BackupCopy], reason: str) -> None:
        step = partial(
            drop_backups, copies=copies, reason=reason, now_us=self._clock.now_us()
        )
        if await self._ledger.write(step):
            self._poke_cleanup()

    def _warn(self, name: BackupName, stored: int) -> None:
        fields = (
            ("segment", f"{name.kind} through {name.through}"),
            ("copies", stored),
        )
        message = "a backup of the ledger has fewer copies than wanted"
        self._observer.note(Happened(level="warning", message=message, fields=fields))


@dataclass(frozen=True, slots=True)
class _Life:
    """Whose ledger it is, which life of it, and how far it has come."""

    cluster_id: str
    epoch: int
    sequence: int


@dataclass(slots=True)
class _Row:
    """The segments of one pass, being written one after the other."""

    life: _Life
    kind: BackupKind
    after: int
    through: int
    run: str
    number: int = 0

    def name(self, *, is_last: bool) -> BackupName:
        """Return the name of the segment in hand."""
        return BackupName(
            cluster_id=self.life.cluster_id,
            kind=self.kind,
            epoch=self.life.epoch,
            after=self.after,
            through=self.through,
            run=self.run,
            number=self.number,
            is_last=is_last,
        )
