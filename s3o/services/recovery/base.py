"""The base of a recovery: the newest snapshot that can be read, and the logs behind it.

Every segment lies on several backends; a copy that cannot be read or is not what was
written costs a try of the next one. A snapshot that is nowhere whole costs a fall back
to the one before; a log that is nowhere whole ends the chain, and what came behind it
is looked for on the backends.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from s3o.backends.fleet import Fleet
from s3o.ledger import recovery as steps
from s3o.ledger.ledger import Ledger
from s3o.ledger.seam import Tx
from s3o.model.backup_names import BackupKind, BackupName
from s3o.model.errors import BackendError, LedgerDamaged
from s3o.model.limits import RECOVERY_COMPLAINTS, SEGMENT_READ_BYTES
from s3o.model.names import StorageKey
from s3o.policy.ledger_backups import Snapshot, complete_snapshots, follow_logs
from s3o.services.backup_listing import FoundBackup
from s3o.wire import ledger_segment as wire
from s3o.wire.ledger_segment import SegmentHead, SegmentLine, read_segment

LINES_PER_STEP = 500


class RecoveryError(Exception):
    """The ledger cannot be recovered as things are; says why."""


Say = Callable[[str], None]


@dataclass(slots=True)
class Base:
    """What was read. through -1: no snapshot could be read."""

    through: int = -1
    objects: int = 0
    tombstones: int = 0
    damaged_lines: int = 0
    highest_bucket_id: int = 0
    bucket_ids: frozenset[int] = frozenset()
    intents: frozenset[StorageKey] = frozenset()
    complaints: list[str] = field(default_factory=list)


class BaseReader:
    """Reads segments into an empty ledger."""

    def __init__(
        self, ledger: Ledger, fleet: Fleet, found: Iterable[FoundBackup], say: Say
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._say = say
        self._copies: dict[BackupName, list[FoundBackup]] = {}
        for one in found:
            self._copies.setdefault(one.name, []).append(one)
        self._base = Base()
        self._bucket_ids: set[int] = set()

    async def read(self) -> Base:
        """Read the newest whole snapshot and its logs; return what there was."""
        for snapshot in reversed(complete_snapshots(self._copies)):
            if await self._is_readable(snapshot):
                await self._apply_snapshot(snapshot)
                await self._apply_logs(snapshot)
                break
        return self._base

    async def _is_readable(self, snapshot: Snapshot) -> bool:
        """Look at every segment before the first one is applied."""
        for name in snapshot:
            if await self._fetch(name) is None:
                self._complain(f"snapshot through {name.through} cannot be read")
                return False
        return True

    async def _apply_snapshot(self, snapshot: Snapshot) -> None:
        self._base.through = snapshot[0].through
        for name in snapshot:
            if not await self._apply(name):
                raise RecoveryError(f"snapshot segment {name.number} is gone now")
            self._say(f"read snapshot segment {name.number + 1} of {len(snapshot)}")
        await self._keep_buckets()

    async def _apply_logs(self, snapshot: Snapshot) -> None:
        first = snapshot[0]
        logs = follow_logs(self._copies, first.epoch, first.through, first.run)
        for name in logs:
            self._base.intents = frozenset()
            if not await self._apply(name):
                self._complain(f"log behind {name.after} cannot be read")
                return
            self._base.through = name.through
            await self._keep_buckets()
            self._say(f"read log through {name.through}")

    async def _keep_buckets(self) -> None:
        """A snapshot's first segment and every log name all buckets there were."""
        if self._bucket_ids:
            ids = frozenset(self._bucket_ids)
            await self._ledger.write(partial(steps.keep_buckets, ids=ids))
            self._base.highest_bucket_id = max(self._base.highest_bucket_id, *ids)
            self._base.bucket_ids = ids
        self._bucket_ids = set()

    async def _apply(self, name: BackupName) -> bool:
        lines = await self._fetch(name)
        if lines is None:
            return False
        if name.kind is BackupKind.LOG:
            self._base.intents = frozenset(
                StorageKey(line.name) for line in lines if line.kind == wire.INTENT
            )
        for at in range(0, len(lines), LINES_PER_STEP):
            batch = lines[at : at + LINES_PER_STEP]
            self._base.damaged_lines += await self._ledger.write(
                partial(_restore, lines=batch)
            )
        for line in lines:
            self._base.objects += line.kind == wire.OBJECT
            self._base.tombstones += line.kind == wire.TOMBSTONE
            bucket_id = line.columns.get("id")
            if line.kind == wire.BUCKET and type(bucket_id) is int:
                self._bucket_ids.add(bucket_id)
        return True

    async def _fetch(self, name: BackupName) -> Sequence[SegmentLine] | None:
        """Return the lines of a segment from the first copy that is whole."""
        for copy in self._copies[name]:
            try:
                raw = await self._read(copy)
                head, lines = read_segment(raw)
            except (BackendError, ValueError) as error:
                self._complain(f"{copy.storage_key} on {copy.backend}: {error}")
                continue
            if _belongs(head, name):
                return lines
            self._complain(f"{copy.storage_key} on {copy.backend}: another segment")
        return None

    async def _read(self, copy: FoundBackup) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async with self._fleet.get(copy.backend).open(copy.storage_key) as reader:
            while piece := await reader.read():
                size += len(piece)
                if size > SEGMENT_READ_BYTES:
                    raise ValueError("larger than any segment")
                pieces.append(piece)
        return b"".join(pieces)

    def _complain(self, text: str) -> None:
        keep(self._base.complaints, text)
        self._say(text)


def _belongs(head: SegmentHead, name: BackupName) -> bool:
    """Whether a segment is what its name says: a backend may have swapped two."""
    return (head.cluster_id, head.kind, head.epoch, head.after) == (
        name.cluster_id,
        name.kind,
        name.epoch,
        name.after,
    ) and (head.through, head.number) == (name.through, name.number)


def keep(complaints: list[str], text: str) -> None:
    """Remember a complaint for the report, while there are not too many."""
    if len(complaints) < RECOVERY_COMPLAINTS:
        complaints.append(text)


async def _restore(tx: Tx, lines: Sequence[SegmentLine]) -> int:
    """Take lines over; return how many could not be what they say."""
    damaged = 0
    for line in lines:
        try:
            await _restore_line(tx, line)
        except (LedgerDamaged, KeyError, ValueError):
            damaged += 1
    return damaged


async def _restore_line(tx: Tx, line: SegmentLine) -> None:
    match line.kind:
        case wire.OBJECT:
            await steps.restore_object(tx, line.columns, line.locations)
        case wire.TOMBSTONE:
            await steps.restore_tombstone(tx, line.columns)
        case wire.BUCKET:
            await steps.restore_bucket(tx, line.columns)
        case wire.USAGE:
            await steps.restore_usage(tx, line.columns)
        case _:
            pass  # an intent: of use only while candidates are judged
