"""Go through all blobs in the order of their versions, a bounded look at a time.

Cost follows the locations looked at, whatever is found among them; where a look ended
is a mark, from which the next one goes on, so no blob waits for another one.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from s3o.ledger import rows
from s3o.ledger.seam import Row, Tx, Value
from s3o.model.errors import LedgerDamaged
from s3o.model.limits import COPY_SCAN_ROWS
from s3o.model.names import BackendName, VersionId

_LAST = "~"  # behind every version id


class BlobMark(NamedTuple):
    """One blob in the order of all; the default stands before the first."""

    version_id: VersionId = VersionId("")
    blob: int = -1


@dataclass(frozen=True, slots=True)
class Look:
    """What one look has found; mark None: it reached the end."""

    found: tuple[BlobMark, ...]
    mark: BlobMark | None


async def look_for_thin(
    tx: Tx,
    after: BlobMark,
    *,
    factor: int,
    counted: Collection[BackendName],
    limit: int,
) -> Look:
    """Return up to limit blobs with fewer than factor good copies on counted."""
    names = "".join(f"/{name}/" for name in sorted(counted))
    return await _look(
        tx, "list_thin_blobs", after, limit, factor=factor, counted=names
    )


async def look_for_surplus(tx: Tx, after: BlobMark, *, factor: int, limit: int) -> Look:
    """Return up to limit blobs with more than factor locations."""
    return await _look(tx, "list_surplus_blobs", after, limit, factor=factor)


async def _look(
    tx: Tx, query: str, after: BlobMark, limit: int, **values: Value
) -> Look:
    end = await tx.one(
        "find_window_end", after=after.version_id, max_rows=COPY_SCAN_ROWS
    )
    until = _LAST if end is None else str(end[0])
    found = [
        _mark_of(row)
        for row in await tx.all(
            query,
            after=after.version_id,
            after_blob=after.blob,
            until=until,
            max_rows=limit,
            **values,
        )
    ]
    if len(found) == limit:
        return Look(tuple(found), found[-1])
    if end is None:
        return Look(tuple(found), None)
    return Look(tuple(found), BlobMark(VersionId(until), _BLOBS))


_BLOBS = 2**31  # behind every blob's number


def _mark_of(row: Row) -> BlobMark:
    try:
        return BlobMark(VersionId(rows.text(row[0])), rows.size(row[1]))
    except ValueError as error:
        raise LedgerDamaged("object_locations", str(error)) from None
