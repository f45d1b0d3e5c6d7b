"""What checks of bytes write down, and where they go on."""

from s3o.ledger.seam import Tx
from s3o.model.names import VersionId
from s3o.model.values import Location


async def mark_suspect(tx: Tx, version_id: VersionId, place: Location) -> bool:
    """Write down that a copy's bytes were wrong; False: it is another one by now."""
    changed = await tx.run(
        "mark_suspect",
        version_id=version_id,
        blob=place.blob,
        backend_name=place.backend,
        storage_key=place.storage_key,
    )
    return changed == 1
