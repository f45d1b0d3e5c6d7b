"""How answers of the admin API look on a terminal."""

from collections.abc import Mapping, Sequence

from s3o.cli.tables import human_bytes, plain, render_pairs, render_table

Document = Mapping[str, object]


def show_pairs(document: Document) -> str:
    """Return one line per member."""
    return render_pairs(document)


def show_status(document: Document) -> str:
    """Return the state of the database, and a row per backend."""
    words = "healthy" if document.get("db_healthy") is True else "NOT HEALTHY"
    waiting = [
        f"{title} {plain(document[name])}"
        for name, title in (
            ("cleanup_queue_depth", "cleanup queue"),
            ("dead_letters", "dead letters"),
            ("pending_intents", "pending intents"),
        )
        if name in document
    ]
    lines = [
        f"database: {words} (circuit {plain(document.get('db_circuit'))})",
        f"usage period: {plain(document.get('usage_period'))}",
        f"waiting: {', '.join(waiting) or 'unknown without the database'}",
    ]
    if held_back := document.get("deletes_held_back_by"):
        lines.append(f"DELETES HELD BACK: {plain(held_back)}")
    headers = ["BACKEND", "STATE", "USED", "LIMIT", "USE", "ORPHANED", "OBJECTS"]
    headers += ["UPLOADS", "REQUESTS", "EGRESS", "INGRESS"]
    rows = [_backend_row(backend) for backend in _items(document, "backends")]
    return "\n".join([*lines, "", render_table(headers, rows)])


def show_locations(document: Document) -> str:
    """Return what the object is, and a row per copy."""
    rows = [
        (
            one.get("backend"),
            one.get("blob"),
            one.get("state"),
            human_bytes(one.get("stored_bytes")),
            one.get("verified_at") or "never",
            one.get("storage_key"),
        )
        for one in _items(document, "locations")
    ]
    headers = ("BACKEND", "BLOB", "STATE", "STORED", "VERIFIED", "NAME THERE")
    return (
        f"{plain(document.get('key'))}: {human_bytes(document.get('size'))}, "
        f"written {plain(document.get('created_at'))}, "
        f"version {plain(document.get('version_id'))}\n\n{render_table(headers, rows)}"
    )


def show_queue(document: Document) -> str:
    """Return how much waits, and what is due next."""
    rows = [
        (
            one.get("id"),
            one.get("backend"),
            human_bytes(one.get("size_bytes")),
            one.get("reason"),
            one.get("attempts"),
            one.get("next_retry"),
            one.get("key"),
            one.get("last_error"),
        )
        for one in _items(document, "items")
    ]
    headers = ("ID", "BACKEND", "SIZE", "REASON", "TRIES", "NEXT TRY", "KEY", "ERROR")
    return (
        f"{plain(document.get('depth'))} wait, "
        f"{plain(document.get('dead_letters'))} dead letters\n\n"
        f"{render_table(headers, rows)}"
    )


def show_dead_letters(document: Document) -> str:
    """Return a row per letter."""
    rows = [
        (
            one.get("id"),
            one.get("backend"),
            human_bytes(one.get("size_bytes")),
            one.get("reason"),
            one.get("moved_at"),
            one.get("storage_key"),
            one.get("last_error"),
        )
        for one in _items(document, "items")
    ]
    headers = ("ID", "BACKEND", "SIZE", "REASON", "GIVEN UP", "NAME THERE", "ERROR")
    more = document.get("next_after")
    tail = f"\n\nmore: --after {plain(more)}" if more is not None else ""
    return render_table(headers, rows) + tail


def show_write_off(document: Document) -> str:
    """Return what was done, or what would be."""
    if document.get("status") != "confirmation required":
        return render_pairs(document)
    return (
        f"{plain(document.get('count'))} dead letters, "
        f"{human_bytes(document.get('total_bytes'))}, would leave the quota as if the "
        "bytes were gone.\nRe-run with --confirm to proceed."
    )


def show_removal(document: Document) -> str:
    """Return what was removed, or what a purge would destroy."""
    if document.get("status") != "confirmation required":
        return render_pairs(document)
    return (
        f'Backend "{plain(document.get("backend"))}" contains '
        f"{plain(document.get('object_count'))} objects "
        f"({human_bytes(document.get('total_bytes'))}).\n"
        f"{plain(document.get('only_copies'))} of them "
        f"({human_bytes(document.get('only_copies_bytes'))}) have no other copy and "
        "would be lost for ever.\nRe-run with --confirm to proceed."
    )


def show_jobs(document: Document) -> str:
    """Return a row per job."""
    rows = [
        (
            one.get("id"),
            one.get("action"),
            one.get("state"),
            one.get("started_at"),
            one.get("ended_at"),
            show_progress(one),
            one.get("error"),
        )
        for one in _items(document, "jobs")
    ]
    headers = ("ID", "ACTION", "STATE", "STARTED", "ENDED", "PROGRESS", "ERROR")
    return render_table(headers, rows)


def show_progress(job: Document) -> str:
    """Return a job's counters in one line."""
    progress = job.get("progress")
    if not isinstance(progress, Mapping):
        return ""
    return ", ".join(f"{plain(name)} {plain(n)}" for name, n in progress.items())


def _backend_row(backend: Document) -> Sequence[object]:
    used, limit = backend.get("bytes_used"), backend.get("bytes_limit")
    share: object = None
    if type(used) is int and type(limit) is int and limit:
        share = f"{100 * used / limit:.0f}%"
    state = plain(backend.get("circuit"))
    if backend.get("draining"):
        state = "draining" if state == "closed" else f"draining, {state}"
    return (
        backend.get("name"),
        "ok" if state == "closed" else state,
        human_bytes(used),
        "none" if limit == 0 else human_bytes(limit),
        share,
        human_bytes(backend.get("bytes_orphaned")),
        backend.get("object_count"),
        backend.get("multipart_uploads"),
        _of_limit(backend, "api_requests", "api_request_limit"),
        _of_limit(backend, "egress_bytes", "egress_byte_limit"),
        _of_limit(backend, "ingress_bytes", "ingress_byte_limit"),
    )


def _of_limit(backend: Document, name: str, limit_name: str) -> str:
    used, limit = backend.get(name), backend.get(limit_name)
    show = human_bytes if name.endswith("_bytes") else plain
    return f"{show(used)} / {show(limit)}" if limit else show(used)


def _items(document: Document, name: str) -> list[Document]:
    items = document.get(name)
    if not isinstance(items, list):
        return []
    return [item for item in items if isinstance(item, Mapping)]
