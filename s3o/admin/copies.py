"""Actions on copies: make those that lack, show and remove those over the factor."""

from s3o.admin.action import Given
from s3o.admin.desk import Desk
from s3o.admin.refusal import Document

NOT_CONFIGURED = "replication not configured or factor <= 1"


async def replicate(desk: Desk, given: Given) -> Document:
    """Make one cycle of the replicator."""
    if desk.settings().replication.factor < 2:
        return {"status": "skipped", "copies_created": 0, "reason": NOT_CONFIGURED}
    done = await desk.replicator.cycle(given.count("batch_size"))
    return {
        "status": "ok",
        "copies_created": done.created,
        "objects_checked": done.checked,
        "failed": done.failed,
    }


async def show_over_replication(desk: Desk, _given: Given) -> Document:
    """Count the blobs with more copies than the factor asks for."""
    factor = desk.settings().replication.factor
    if factor < 2:
        return {"factor": 0, "pending": 0, "status": "replication not configured"}
    return {"factor": factor, "pending": await desk.over_replication.pending()}


async def clean_over_replication(desk: Desk, given: Given) -> Document:
    """Make one cycle of the over-replication cleaner."""
    if desk.settings().replication.factor < 2:
        return {"status": "skipped", "copies_removed": 0, "reason": NOT_CONFIGURED}
    if not desk.safety.may_destroy:
        return {"status": "skipped", "copies_removed": 0, "reason": desk.safety.reason}
    done = await desk.over_replication.cycle(given.count("batch_size"))
    return {
        "status": "ok",
        "copies_removed": done.removed,
        "objects_checked": done.checked,
        "failed": done.failed,
    }
