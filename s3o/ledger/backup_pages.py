"""What a backup of the ledger tells, page by page, in order of keys or of sequences.

A snapshot walks through the keys over many transactions while writes go on. It needs no
single moment: a row that changes behind the walk has a higher sequence than the
snapshot, so a log tells of it, and of two tellings the higher sequence wins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from s3o.ledger import rows
from s3o.ledger.seam import Row, Tx, Value
from s3o.model.names import BucketId, ObjectKey, StorageKey

Columns = Mapping[str, Value]

OBJECT_COLUMNS = (
    *("bucket_id", "key", "version_id", "sequence", "size", "etag", "created_at"),
    *("content_type", "storage_class", "headers", "metadata", "tags"),
    *("checksum_algorithm", "checksum_type", "checksum_value", "content_hash"),
    *("part_sizes", "layout", "part_checksums"),
    *("encryption_header", "wrapped_key", "key_id"),
)
LOCATION_COLUMNS = (
    *("blob", "backend_name", "storage_key", "backend_version", "backend_etag"),
    *("stored_bytes", "stored_digest", "origin", "created_at", "verified_at"),
    "state",
)
TOMBSTONE_COLUMNS = ("bucket_id", "key", "sequence", "created_at")
BUCKET_COLUMNS = ("id", "name", "versioning", "created_at", "owner", "config")
USAGE_COLUMNS = (
    *("backend_name", "period", "api_requests", "egress_bytes", "ingress_bytes"),
    "updated_at",
)

FIRST = (BucketId(-1), ObjectKey(""))


@dataclass(frozen=True, slots=True)
class DumpedObject:
    """One current version with its locations, column by column."""

    columns: Columns
    locations: tuple[Columns, ...]

    @property
    def place(self) -> tuple[BucketId, ObjectKey]:
        """Where it stands in the order of keys."""
        return place_of(self.columns)

    @property
    def sequence(self) -> int:
        """When it was committed."""
        return rows.size(self.columns["sequence"])


@dataclass(frozen=True, slots=True)
class Touched:
    """An object that changed without a new sequence; changes: how often, when read."""

    object: DumpedObject
    changes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """What was committed behind one sequence, up to another; is_last: all of it."""

    objects: tuple[DumpedObject, ...]
    tombstones: tuple[Columns, ...]
    touched: tuple[Touched, ...]
    intents: tuple[StorageKey, ...]
    through: int
    is_last: bool


def place_of(columns: Columns) -> tuple[BucketId, ObjectKey]:
    """Return where an object or a tombstone stands in the order of keys."""
    bucket_id, key = columns["bucket_id"], columns["key"]
    return BucketId(rows.number(bucket_id)), ObjectKey(rows.text(key))


def bucket_id_of(bucket: Columns) -> int:
    """Return a bucket's id."""
    return rows.number(bucket["id"])


async def current_sequence(tx: Tx) -> int:
    """Return the last sequence that was drawn."""
    row = await tx.one("current_sequence")
    assert row is not None
    return rows.size(row[0])


async def dump_objects(
    tx: Tx, after: tuple[BucketId, ObjectKey], limit: int
) -> list[DumpedObject]:
    """Return versions behind after in order of keys."""
    found = await tx.all(
        "dump_objects", after_bucket_id=after[0], after_key=after[1], max_rows=limit
    )
    return [await _with_locations(tx, row) for row in found]


async def dump_tombstones(
    tx: Tx, after: tuple[BucketId, ObjectKey], limit: int
) -> list[Columns]:
    """Return tombstones behind after in order of keys."""
    return _named(
        TOMBSTONE_COLUMNS,
        await tx.all(
            "dump_tombstones",
            after_bucket_id=after[0],
            after_key=after[1],
            max_rows=limit,
        ),
    )


async def dump_buckets(tx: Tx, after: int, limit: int) -> list[Columns]:
    """Return buckets behind the id after."""
    found = await tx.all("dump_buckets", after=after, max_rows=limit)
    return _named(BUCKET_COLUMNS, found)


async def dump_usage(tx: Tx) -> list[Columns]:
    """Return what every backend was used for, month by month."""
    return _named(USAGE_COLUMNS, await tx.all("dump_usage"))


async def dump_log(tx: Tx, after: int, limit: int) -> LogPage:
    """Return what was committed behind the sequence after, at most about limit rows."""
    objects = [
        await _with_locations(tx, row)
        for row in await tx.all("dump_objects_since", after=after, max_rows=limit)
    ]
    tombstones = _named(
        TOMBSTONE_COLUMNS,
        await tx.all("dump_tombstones_since", after=after, max_rows=limit),
    )
    through = await current_sequence(tx)
    cut = [
        rows.size(page[-1]["sequence"]) for page in _full(objects, tombstones, limit)
    ]
    if cut:
        through = min(cut)
        objects = [one for one in objects if one.sequence <= through]
        tombstones = [
            one for one in tombstones if rows.size(one["sequence"]) <= through
        ]
    touched = [
        Touched(await _with_locations(tx, row[:-1]), rows.size(row[-1]))
        for row in await tx.all("dump_touched", max_rows=limit)
    ]
    intents = [rows.storage_key(row[0]) for row in await tx.all("dump_intents")]
    return LogPage(
        objects=tuple(objects),
        tombstones=tuple(tombstones),
        touched=tuple(touched),
        intents=tuple(intents),
        through=through,
        is_last=not cut and len(touched) < limit,
    )


async def forget_touched(tx: Tx, touched: Sequence[Touched]) -> None:
    """Forget changes that were logged, unless there were more since."""
    for one in touched:
        bucket_id, key = one.object.place
        await tx.run(
            "forget_touched", bucket_id=bucket_id, key=key, changes=one.changes
        )
    await tx.run("forget_touched_ghosts")


def _full(
    objects: Sequence[DumpedObject], tombstones: Sequence[Columns], limit: int
) -> list[Sequence[Columns]]:
    pages = ([one.columns for one in objects], tombstones)
    return [page for page in pages if len(page) >= limit]


async def _with_locations(tx: Tx, row: Row) -> DumpedObject:
    columns = dict(zip(OBJECT_COLUMNS, row, strict=True))
    found = await tx.all("dump_locations", version_id=columns["version_id"])
    return DumpedObject(columns, tuple(_named(LOCATION_COLUMNS, found)))


def _named(names: Sequence[str], found: Sequence[Row]) -> list[Columns]:
    return [dict(zip(names, row, strict=True)) for row in found]
