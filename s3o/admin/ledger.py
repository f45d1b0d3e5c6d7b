"""Actions about the ledger itself: its backups, and an operator's word for it."""

from s3o.admin.action import Given
from s3o.admin.desk import Desk
from s3o.admin.refusal import Document


async def back_up_ledger(desk: Desk, _given: Given) -> Document:
    """Write a log of the ledger to the backends now, or a snapshot if that is due."""
    if not desk.safety.may_destroy:
        return {"status": "skipped", "reason": desk.safety.reason}
    return {"status": "ok", "report": await desk.ledger_backup.write_now()}


async def accept_ledger(desk: Desk, _given: Given) -> Document:
    """Take the ledger for the right one, whatever the backends know of another."""
    held_back = desk.safety.reason
    epoch = await desk.ledger_check.accept()
    return {
        "status": "ok",
        "epoch": epoch,
        "was_held_back_by": held_back,
        "held_back_by": desk.safety.reason,
    }
