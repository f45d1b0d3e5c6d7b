"""Actions on dead letters: see them, try them again, write them off."""

from s3o.admin.action import Given
from s3o.admin.desk import Desk
from s3o.admin.refusal import Document, Refused
from s3o.model.limits import ADMIN_LETTERS
from s3o.services.dead_letters import Chosen
from s3o.wire.dates import render_iso_date


async def show_dead_letters(desk: Desk, given: Given) -> Document:
    """Tell of dead letters by id; next_after is there while there are more."""
    limit = given.count("limit") or ADMIN_LETTERS
    letters = await desk.dead_letters.page(
        limit + 1, given.count("after") or 0, given.text("backend")
    )
    document: dict[str, object] = {
        "items": [
            {
                "id": letter.id,
                "backend": letter.backend,
                "storage_key": letter.storage_key,
                "key": letter.key,
                "backend_upload_id": letter.backend_upload_id,
                "reason": letter.reason,
                "attempts": letter.attempts,
                "size_bytes": letter.stored_bytes,
                "last_error": letter.last_error,
                "first_enqueued_at": render_iso_date(letter.first_enqueued_at_us),
                "moved_at": render_iso_date(letter.moved_at_us),
            }
            for letter in letters[:limit]
        ]
    }
    if len(letters) > limit:
        document["next_after"] = letters[limit - 1].id
    return document


async def retry_dead_letters(desk: Desk, given: Given) -> Document:
    """Queue the bytes again, due at once."""
    done = await desk.dead_letters.retry(_chosen(given))
    return {"status": "ok", "retried": done.count, "total_bytes": done.total_bytes}


async def write_off_dead_letters(desk: Desk, given: Given) -> Document:
    """Release the bytes from the quota, if confirm says so; else tell what would be."""
    chosen = _chosen(given)
    if not given.flag("confirm"):
        meant = await desk.dead_letters.measure(chosen)
        return {
            "status": "confirmation required",
            "count": meant.count,
            "total_bytes": meant.total_bytes,
        }
    done = await desk.dead_letters.write_off(chosen)
    return {"status": "ok", "written_off": done.count, "total_bytes": done.total_bytes}


def _chosen(given: Given) -> Chosen:
    ids, is_all = given.ids("ids"), given.flag("all")
    if bool(ids) == is_all:
        raise Refused(400, "either ids or all must say which dead letters are meant")
    return Chosen(ids, is_all, given.text("backend"))
