"""The action that compares backends with the ledger."""

from s3o.admin.action import Given
from s3o.admin.desk import Desk
from s3o.admin.refusal import Document, Refused
from s3o.model.names import BackendName


async def reconcile(desk: Desk, given: Given) -> Document:
    """Compare one backend, or all, now; also where no pass runs by itself."""
    name = given.text("backend")
    backend = BackendName(name) if name else None
    if backend is not None and desk.fleet.find(backend) is None:
        raise Refused(404, f"there is no backend {name[:64]!r}")
    done = await desk.reconciler.reconcile(backend, given.progress)
    return {
        "status": "error" if done.errors and not done.backends_scanned else "ok",
        "imported": done.imported,
        "imported_bytes": done.imported_bytes,
        "removed": done.removed,
        "backends_scanned": done.backends_scanned,
        "skipped": done.skipped,
        "missing": done.missing,
        "unknown": done.unknown,
        "lost": done.lost,
        "changed": done.changed,
        "errors": list(done.errors),
    }
