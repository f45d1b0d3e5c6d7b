"""Fill an empty ledger from backups and from what blobs say about themselves.

Nothing here serves requests: one process works on a file of its own. Quotas are not
moved step by step but counted once, at the end (finish). Of two tellings of a key the
higher sequence wins, and the later telling of the same sequence. Locations are `lost`
until a listing has shown them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from s3o.ledger import rows
from s3o.ledger.backup_pages import LOCATION_COLUMNS, OBJECT_COLUMNS, current_sequence
from s3o.ledger.backups import BackupCopy
from s3o.ledger.meta import begin_epoch, count_time, note_time
from s3o.ledger.objects import find_current
from s3o.ledger.quotas import sync_quotas
from s3o.ledger.seam import Tx, Value
from s3o.model.errors import LedgerDamaged
from s3o.model.names import (
    BackendName,
    BucketId,
    BucketName,
    ObjectKey,
    StorageKey,
)
from s3o.model.values import LocationState

Columns = Mapping[str, Value]

ROOM_FOR_UNSEEN = 1_000_000  # sequences that nobody told of may have been drawn


class Known(StrEnum):
    """What the new ledger knows of a listed name."""

    LOCATION = "location"
    WRONG_SIZE = "wrong size"
    UNKNOWN = "unknown"


async def restore_bucket(tx: Tx, columns: Columns) -> None:
    """Take one bucket over; of two with one name the one made later is right."""
    bucket_id = BucketId(rows.number(columns["id"]))
    twin = await tx.one("find_bucket", name=columns["name"])
    if twin is not None and twin[0] != bucket_id:
        other = BucketId(rows.number(twin[0]))
        if other > bucket_id:
            return
        await forget_bucket(tx, other)
    await tx.run(
        "restore_bucket",
        id=bucket_id,
        name=rows.text(columns["name"]),
        versioning=rows.text(columns["versioning"]),
        created_at=rows.number(columns["created_at"]),
        owner=rows.text(columns["owner"]),
        config=rows.optional_text(columns["config"]),
    )


async def forget_bucket(tx: Tx, bucket_id: BucketId) -> None:
    """Drop a bucket that was deleted, and what was in it."""
    await tx.run("forget_bucket_objects", bucket_id=bucket_id)
    await tx.run("delete_bucket", bucket_id=bucket_id)
    await tx.run("forget_lost_versions")


async def keep_buckets(tx: Tx, ids: Collection[int]) -> None:
    """Drop every bucket that is not among ids."""
    for (bucket_id,) in await tx.all("list_bucket_ids"):
        if bucket_id not in ids:
            await forget_bucket(tx, BucketId(rows.number(bucket_id)))


async def has_bucket(tx: Tx, bucket_id: BucketId) -> bool:
    """Whether there is a bucket of that id."""
    return await tx.one("hold_bucket", bucket_id=bucket_id) is not None


async def make_bucket(
    tx: Tx, bucket_id: BucketId, name: BucketName, now_us: int
) -> None:
    """Make a bucket that only blobs tell of; its owner is not known."""
    columns: Columns = {
        "id": bucket_id,
        "name": name,
        "versioning": "off",
        "created_at": now_us,
        "owner": "",
        "config": None,
    }
    await restore_bucket(tx, columns)


async def restore_object(
    tx: Tx, columns: Columns, locations: Sequence[Columns]
) -> bool:
    """Take one version over unless a newer word of its key is known; say whether.

    Raises LedgerDamaged for what cannot be a version, KeyError for missing columns.
    """
    values = {name: columns[name] for name in OBJECT_COLUMNS}
    bucket_id = BucketId(_number(values["bucket_id"]))
    key = ObjectKey(_text(values["key"]))
    told = rows.version_of(bucket_id, key, tuple(values.values())[2:19])
    current = await find_current(tx, bucket_id, key)
    if current is not None and current.sequence > told.sequence:
        return False
    grave = await tx.one("find_tombstone", bucket_id=bucket_id, key=key)
    if grave is not None and rows.size(grave[0]) >= told.sequence:
        return False
    if current is not None:
        await tx.run("forget_locations", version_id=current.version_id)
    await tx.run("forget_locations", version_id=told.version_id)
    created_at = values.pop("created_at")
    await tx.run("put_object", **values, now_us=created_at)
    for place in locations:
        given = {name: place[name] for name in LOCATION_COLUMNS}
        if given.pop("state") != LocationState.LIVE:
            given["verified_at"] = None  # a listing proves no bytes that were in doubt
        await tx.run(
            "restore_location",
            version_id=told.version_id,
            state=LocationState.LOST,
            **given,
        )
    return True


async def restore_tombstone(tx: Tx, columns: Columns) -> None:
    """Take one delete over, and its effect."""
    bucket_id = BucketId(_number(columns["bucket_id"]))
    key, sequence = ObjectKey(_text(columns["key"])), _number(columns["sequence"])
    current = await find_current(tx, bucket_id, key)
    if current is not None and current.sequence < sequence:
        await tx.run("delete_object", bucket_id=bucket_id, key=key)
        await tx.run("forget_locations", version_id=current.version_id)
    await tx.run(
        "restore_tombstone",
        bucket_id=bucket_id,
        key=key,
        sequence=sequence,
        created_at=_number(columns["created_at"]),
    )


async def restore_usage(tx: Tx, columns: Columns) -> None:
    """Take over what a backend was used for in a month."""
    await tx.run("restore_usage", **columns)


async def trust_backend(tx: Tx, backend: BackendName) -> None:
    """Believe the locations of a backend that was left out."""
    await tx.run("trust_locations", backend_name=backend)


async def match_names(
    tx: Tx, backend: BackendName, listed: Iterable[tuple[StorageKey, int]]
) -> list[Known]:
    """Say what is known of each listed name; a location that is there becomes live."""
    found: list[Known] = []
    for storage_key, size in listed:
        row = await tx.one(
            "locate_by_name", backend_name=backend, storage_key=storage_key
        )
        if row is None:
            found.append(Known.UNKNOWN)
            continue
        is_right = row[2] == size
        await tx.run(
            "set_location_state",
            backend_name=backend,
            storage_key=storage_key,
            state=LocationState.LIVE if is_right else LocationState.SUSPECT,
        )
        found.append(Known.LOCATION if is_right else Known.WRONG_SIZE)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What closes a recovery. limits: the configuration's quotas."""

    epoch: int
    highest_sequence: int
    highest_bucket_id: int
    limits: Mapping[BackendName, int]
    backups: tuple[BackupCopy, ...]
    now_us: int


async def finish(tx: Tx, ending: Ending) -> None:
    """Count every sum, and begin the ledger's next life above all that was seen."""
    for copy in ending.backups:
        await tx.run(
            "insert_found_backup",
            backend_name=copy.backend,
            storage_key=copy.storage_key,
            kind=copy.name.kind,
            after_sequence=copy.name.after,
            through_sequence=copy.name.through,
            stored_bytes=copy.stored_bytes,
            now_us=ending.now_us,
        )
    known = {
        rows.backend_name(name): 0 for (name,) in await tx.all("list_located_backends")
    }
    await sync_quotas(tx, {**known, **ending.limits})
    for (owner,) in await tx.all("list_owners"):
        await tx.run("ensure_account", owner=owner)
    await tx.run("recount_quotas")
    await tx.run("recount_accounts")
    sequence = max(ending.highest_sequence, await current_sequence(tx))
    await tx.one("raise_sequence", value=sequence + ROOM_FOR_UNSEEN)
    ghost = ending.highest_bucket_id + 1
    await make_bucket(tx, BucketId(ghost), BucketName(".recovered"), ending.now_us)
    await tx.run("delete_bucket", bucket_id=ghost)
    await begin_epoch(tx, ending.epoch)
    await note_time(tx, ending.now_us)
    await count_time(tx, None, ending.now_us)


def _number(value: Value) -> int:
    try:
        return rows.size(value)
    except ValueError as error:
        raise LedgerDamaged("backup", str(error)) from None


def _text(value: Value) -> str:
    try:
        return rows.text(value)
    except ValueError as error:
        raise LedgerDamaged("backup", str(error)) from None
