"""Actions on bytes: read the next copies and judge them, compute missing checksums."""

from s3o.admin.action import Given
from s3o.admin.desk import Desk
from s3o.admin.refusal import Document

NOT_ENABLED = "integrity verification is not enabled"
BACKFILL_BATCH = 100


async def scrub(desk: Desk, given: Given) -> Document:
    """Make one pass of the scrubber, also where none runs by itself."""
    if not desk.settings().integrity.enabled:
        return {"status": "skipped", "reason": NOT_ENABLED}
    done = await desk.scrubber.cycle(given.count("batch_size"))
    return {
        "status": "ok",
        "checked": done.checked,
        "failed": done.failed,
        "unread": done.unread,
        "repaired": done.repaired,
        "quarantined": done.quarantined,
    }


async def backfill_checksums(desk: Desk, given: Given) -> Document:
    """Compute the SHA-256 of every object without one; batch_size is of a page."""
    if not desk.settings().integrity.enabled:
        return {"status": "skipped", "reason": NOT_ENABLED}
    batch = given.count("batch_size") or BACKFILL_BATCH
    processed = await desk.scrubber.backfill(batch, given.progress)
    failed = given.progress.snapshot().get("failed", 0)
    return {"status": "ok", "processed": processed, "failed": failed}
