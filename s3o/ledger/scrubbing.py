"""What the scrubber writes down: verdicts, digests, and how far it has come.

Each backend has a cursor of its own, so that one that is down holds none of the others
back; together they are one small row, written with each verdict. A cursor that somebody
edited begins anew.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from s3o.ledger import rows
from s3o.ledger.seam import Tx
from s3o.model.names import BackendName, BucketId, ObjectKey, VersionId
from s3o.model.values import LocationState, ObjectVersion

_CURSOR = "scrub_cursor"


@dataclass(frozen=True, slots=True)
class BlobId:
    """One blob of one version."""

    version_id: VersionId
    blob: int


@dataclass(frozen=True, slots=True)
class CopyCount:
    """How many locations are in one state, and the oldest proof (or birth) of any."""

    count: int
    oldest_us: int


async def read_cursors(tx: Tx) -> dict[str, str]:
    """Return the last storage key that was looked at, per backend."""
    row = await tx.one("read_meta", name=_CURSOR)
    if row is None:
        return {}
    try:
        found = json.loads(rows.text(row[0]))
        return {rows.text(name): rows.text(after) for name, after in found.items()}
    except (ValueError, AttributeError):
        return {}


async def put_cursor(tx: Tx, backend: BackendName, after: str) -> None:
    """Write down how far a backend was looked at; "" begins anew."""
    cursors = {**await read_cursors(tx), backend: after}
    await tx.run("put_meta", name=_CURSOR, value=json.dumps(cursors))


async def list_suspects(tx: Tx, after: BlobId, limit: int) -> list[BlobId]:
    """Return blobs with a suspect copy, in order, behind after."""
    found = await tx.all(
        "list_suspects",
        after_version_id=after.version_id,
        after_blob=after.blob,
        max_rows=limit,
    )
    return [BlobId(VersionId(rows.text(row[0])), rows.size(row[1])) for row in found]


async def put_sha256(tx: Tx, version: ObjectVersion, sha256: str) -> bool:
    """Write down a version's SHA-256 that nobody knew; False: not current, or known."""
    changed = await tx.run(
        "put_content_hash",
        bucket_id=version.bucket_id,
        key=version.key,
        version_id=version.version_id,
        sha256=sha256,
    )
    if changed:
        await tx.run("touch_object", bucket_id=version.bucket_id, key=version.key)
    return changed == 1


async def list_unhashed(
    tx: Tx, after: tuple[int, str], limit: int
) -> list[tuple[BucketId, ObjectKey, VersionId]]:
    """Return current versions without a SHA-256, behind (bucket id, key)."""
    found = await tx.all(
        "list_unhashed",
        after_bucket_id=after[0],
        after_key=after[1],
        max_rows=limit,
    )
    return [
        (
            BucketId(rows.number(row[0])),
            ObjectKey(rows.text(row[1])),
            VersionId(rows.text(row[2])),
        )
        for row in found
    ]


async def count_copies(tx: Tx) -> Mapping[LocationState, CopyCount]:
    """Count locations by state; belongs into a scan. Nonsense is left to fsck."""
    found = {row[0]: row for row in await tx.all("count_copies_by_state")}
    return {
        state: CopyCount(rows.size(found[state][1]), rows.number(found[state][2]))
        for state in LocationState
        if state in found
    }
