"""Take a version's locations away and queue their bytes."""

from s3o.ledger import rows
from s3o.ledger.cleanup_rows import Discard, enqueue
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Tx
from s3o.model.errors import LedgerDamaged
from s3o.model.values import Location, ObjectVersion


async def displace(
    tx: Tx, version: ObjectVersion, moves: QuotaMoves, reason: str, now_us: int
) -> tuple[Location, ...]:
    """Remove every location of version; return them. Their bytes become orphans."""
    moves.charge(version.bucket_id, -version.size)
    taken = await _take(tx, version)
    first_blob = min((location.blob for location in taken), default=0)
    for location in taken:
        # A version counts where its lowest blob is: blob 0 need not exist.
        moves.add(
            location.backend,
            used=-location.stored_bytes,
            objects=-int(location.blob == first_blob),
        )
        discard = Discard(
            backend=location.backend,
            bucket_id=version.bucket_id,
            key=version.key,
            storage_key=location.storage_key,
            size_bytes=location.stored_bytes,
            reason=reason,
            is_imported=location.is_imported,
            backend_version=location.backend_version,
            backend_etag=location.backend_etag,
        )
        await enqueue(tx, discard, moves, now_us)
    return tuple(taken)


async def _take(tx: Tx, version: ObjectVersion) -> list[Location]:
    try:
        return [
            rows.location_of(row)
            for row in await tx.all("take_locations", version_id=version.version_id)
        ]
    except ValueError as error:
        raise LedgerDamaged("object_locations", str(error)) from None
