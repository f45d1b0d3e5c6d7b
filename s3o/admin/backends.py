"""Actions on backends: empty one, take one away, even them all out."""

from s3o.admin.action import Given
from s3o.admin.desk import Desk
from s3o.admin.refusal import Document, Refused
from s3o.model.errors import OnlyCopies
from s3o.model.names import BackendName


async def start_drain(desk: Desk, given: Given) -> Document:
    """Close a backend and begin to empty it."""
    name = given.text("name")
    await desk.drains.start(BackendName(name))
    return {"status": "drain started", "backend": name}


async def show_drain(desk: Desk, given: Given) -> Document:
    """Tell how far a drain is, what remains and why."""
    name = given.text("name")
    status = await desk.drains.status(BackendName(name))
    document: dict[str, object] = {
        "backend": name,
        "active": status.active,
        "state": status.state,
        "objects_remaining": status.objects_remaining,
        "bytes_remaining": status.bytes_remaining,
        "objects_moved": status.objects_moved,
        "bytes_moved": status.bytes_moved,
        "waiting": dict(status.waiting),
    }
    if status.error:
        document["error"] = status.error
    return document


async def cancel_drain(desk: Desk, given: Given) -> Document:
    """Make the backend an ordinary one again."""
    name = given.text("name")
    await desk.drains.cancel(BackendName(name))
    return {"status": "drain cancelled", "backend": name}


async def remove_backend(desk: Desk, given: Given) -> Document:
    """Take a backend out of the ledger; with a purge only what was confirmed."""
    name, purge = given.text("name"), given.flag("purge")
    if purge and not given.flag("confirm"):
        found = await desk.removal.preview(BackendName(name))
        return {
            "status": "confirmation required",
            "backend": name,
            "object_count": found.objects,
            "total_bytes": found.stored_bytes,
            "only_copies": found.only_copies,
            "only_copies_bytes": found.only_bytes,
        }
    try:
        status = await desk.removal.remove(BackendName(name), purge=purge)
    except OnlyCopies as refusal:
        raise Refused(
            409,
            f"{refusal.objects} objects have no other good copy: "
            "drain the backend, or purge it",
            object_count=refusal.objects,
            total_bytes=refusal.stored_bytes,
        ) from None
    if status.is_removed:
        done = "backend purged" if purge else "backend removed"
        return {"status": done, "backend": name}
    return {
        "status": "removal goes on",
        "backend": name,
        "waiting": dict(status.waiting),
        "reason": status.error,
    }


async def rebalance(desk: Desk, _given: Given) -> Document:
    """Make one cycle of the rebalancer, whether it is switched on or not."""
    done = await desk.rebalancer.cycle()
    if done.skipped:
        return {"status": "skipped", "objects_moved": 0, "reason": done.skipped}
    return {
        "status": "ok",
        "objects_moved": done.moved,
        "planned": done.planned,
        "failed": done.failed,
    }
