"""Turn rows into values and back; believe nothing that cannot be true.

The columns of a row stand in the order of the query that selects them, so a query in
schema/queries/objects.sql and its reader here change together. A database that somebody
edited by hand must not crash a request: what cannot be true raises LedgerDamaged, and
a damaged location is left out, so that another copy can serve.
"""

import json
from collections.abc import Sequence

from s3o.ledger.bucket_config import config_of
from s3o.ledger.seam import Row, Value
from s3o.model.errors import LedgerDamaged
from s3o.model.names import (
    BackendName,
    BucketId,
    BucketName,
    ObjectKey,
    StorageKey,
    UploadId,
    VersionId,
)
from s3o.model.values import (
    Bucket,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    Location,
    LocationState,
    ObjectFacts,
    ObjectVersion,
    Pairs,
    StoredObject,
    WriteConditions,
)

IMPORTED = "imported"
OWN = "own"
_YEAR_10000_US = 253_402_300_800_000_000

VERSION_COLUMNS = 17

_NO_FACTS = ObjectFacts()
# A lookup costs a tenth of what the enumeration's own call does.
_ALGORITHMS = {algorithm.value: algorithm for algorithm in ChecksumAlgorithm}
_TYPES = {kind.value: kind for kind in ChecksumType}


def text(value: object) -> str:
    """Return a column that must be text."""
    if type(value) is str:
        return value
    raise ValueError("not text")


def optional_text(value: Value) -> str | None:
    """Return a column that is text or NULL."""
    return None if value is None else text(value)


def number(value: object) -> int:
    """Return a column that must be an integer, of any sign."""
    if type(value) is int:
        return value
    raise ValueError("not an integer")


def size(value: object) -> int:
    """Return a column that must be an integer of at least 0."""
    if type(value) is int and value >= 0:
        return value
    raise ValueError("not a size")


def moment(value: object) -> int:
    """Return a column that must be a time from 1970 to 9999: no other has a date."""
    if type(value) is int and 0 <= value < _YEAR_10000_US:
        return value
    raise ValueError("not a time")


def flag(value: Value) -> bool:
    """Return a column that must be 0 or 1."""
    return number(value) != 0


def backend_name(value: Value) -> BackendName:
    """Return a column that names a backend."""
    return BackendName(text(value))


def storage_key(value: Value) -> StorageKey:
    """Return a column that names a blob."""
    return StorageKey(text(value))


def optional_upload_id(value: Value) -> UploadId | None:
    """Return a column that names an upload, or NULL."""
    return None if value is None else UploadId(text(value))


def bucket_of(row: Row) -> Bucket:
    """Read a row of buckets."""
    found_id, name, created_at, owner, config = row
    try:
        return Bucket(
            id=BucketId(number(found_id)),
            name=BucketName(text(name)),
            created_at_us=number(created_at),
            owner=text(owner),
            config=config_of(config),
        )
    except ValueError as error:
        raise LedgerDamaged("buckets", str(error)) from None


def pairs_text(pairs: Pairs) -> str | None:
    """Render pairs for a column; none at all is NULL."""
    return json.dumps(pairs, separators=(",", ":")) if pairs else None


def pairs_of(value: Value) -> Pairs:
    """Read pairs back."""
    if value is None:
        return ()
    found: list[tuple[str, str]] = []
    for item in _json_list(value):
        name, content = _list(item)
        found.append((text(name), text(content)))
    return tuple(found)


def conditions_text(conditions: WriteConditions) -> str | None:
    """Render conditions for the intent; none at all is NULL."""
    if not conditions:
        return None
    return json.dumps(
        [
            conditions.if_match,
            conditions.if_none_match_any,
            conditions.if_match_last_modified_us,
            conditions.if_match_size,
        ]
    )


def conditions_of(value: Value) -> WriteConditions:
    """Read conditions back."""
    if value is None:
        return WriteConditions()
    if_match, if_none_match_any, modified_us, match_size = _json_list(value)
    return WriteConditions(
        if_match=tuple(text(etag) for etag in _list(if_match)),
        if_none_match_any=bool(if_none_match_any),
        if_match_last_modified_us=None if modified_us is None else number(modified_us),
        if_match_size=None if match_size is None else number(match_size),
    )


def facts_of(columns: Sequence[Value]) -> ObjectFacts:
    """Read content_type, storage_class, headers, metadata, tags."""
    content_type, storage_class, headers, metadata, tags = columns
    return ObjectFacts(
        content_type=text(content_type),
        storage_class=text(storage_class),
        headers=pairs_of(headers),
        metadata=pairs_of(metadata),
        tags=pairs_of(tags),
    )


def checksum_of(columns: Sequence[Value]) -> Checksum | None:
    """Read checksum_algorithm, checksum_type, checksum_value."""
    algorithm, kind, value = columns
    if algorithm is None:
        return None
    try:
        known, how = _ALGORITHMS[text(algorithm)], _TYPES[text(kind)]
    except KeyError as error:
        raise ValueError(f"no checksum of ours: {error}") from None
    return Checksum(known, text(value), how)


def checksum_columns(checksum: Checksum | None) -> dict[str, Value]:
    """Return the parameters of checksum_algorithm, checksum_type, checksum_value."""
    if checksum is None:
        return dict.fromkeys(("checksum_algorithm", "checksum_type", "checksum_value"))
    return {
        "checksum_algorithm": checksum.algorithm,
        "checksum_type": checksum.type,
        "checksum_value": checksum.value,
    }


def current_of(bucket_id: BucketId, key: ObjectKey, row: Row) -> ObjectVersion:
    """Read find_current: enough of a version to decide conditions and replace it."""
    version_id, sequence, size_, etag, created_at = row
    try:
        return ObjectVersion(
            bucket_id=bucket_id,
            key=key,
            version_id=VersionId(text(version_id)),
            sequence=size(sequence),
            size=size(size_),
            etag=text(etag),
            created_at_us=number(created_at),
            facts=_NO_FACTS,
        )
    except ValueError as error:
        raise LedgerDamaged("objects", str(error)) from None


def version_of(bucket_id: BucketId, key: ObjectKey, row: Row) -> ObjectVersion:
    """Read the columns that find_version and find_object begin with."""
    try:
        return ObjectVersion(
            bucket_id=bucket_id,
            key=key,
            version_id=VersionId(text(row[0])),
            sequence=size(row[1]),
            size=size(row[2]),
            etag=text(row[3]),
            created_at_us=moment(row[4]),
            facts=facts_of(row[5:10]),
            checksum=checksum_of(row[10:13]),
            sha256=optional_text(row[13]),
            part_sizes=sizes_of(row[14]),
            layout=layout_of(row[15]),
            part_checksums=texts_of(row[16]),
        )
    except ValueError as error:
        raise LedgerDamaged("objects", str(error)) from None


def location_of(row: Row) -> Location:
    """Read blob, backend_name ... backend_etag; raises ValueError for nonsense."""
    seen = row[8]
    return Location(
        blob=size(row[0]),
        backend=backend_name(row[1]),
        storage_key=storage_key(row[2]),
        backend_version=optional_text(row[3]),
        stored_bytes=size(row[4]),
        stored_md5=optional_text(row[5]),
        is_imported=text(row[6]) == IMPORTED,
        created_at_us=moment(row[7]),
        verified_at_us=None if seen is None else moment(seen),
        state=LocationState(text(row[9])),
        backend_etag=optional_text(row[10]),
    )


def stored_object_of(
    bucket_id: BucketId, key: ObjectKey, rows: Sequence[Row]
) -> StoredObject:
    """Read what find_object returned; a location that cannot be true is left out."""
    version = version_of(bucket_id, key, rows[0])
    locations: list[Location] = []
    for row in rows:
        if row[VERSION_COLUMNS] is None:
            continue
        try:
            locations.append(location_of(row[VERSION_COLUMNS:]))
        except ValueError:
            continue  # refuse this copy; fsck reports the row
    return StoredObject(version=version, locations=tuple(locations))


def sizes_of(value: Value) -> tuple[int, ...]:
    """Read a JSON list of sizes back; NULL is none."""
    return () if value is None else tuple(size(item) for item in _json_list(value))


def texts_of(value: Value) -> tuple[str, ...]:
    """Read a JSON list of texts back; NULL is none."""
    return () if value is None else tuple(text(item) for item in _json_list(value))


def layout_of(value: Value) -> tuple[tuple[int, int, int], ...]:
    """Read a JSON list of (blob, offset, length) back; NULL is none."""
    if value is None:
        return ()
    spans: list[tuple[int, int, int]] = []
    for item in _json_list(value):
        blob, offset, length = _list(item)
        spans.append((size(blob), size(offset), size(length)))
    return tuple(spans)


def list_text(values: Sequence[object]) -> str | None:
    """Render sizes, texts or spans for a column; none at all is NULL."""
    return json.dumps(values, separators=(",", ":")) if values else None


def _json_list(value: Value) -> list[object]:
    return _list(json.loads(text(value)))


def _list(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    raise ValueError("not a list")
