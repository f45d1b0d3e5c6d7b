"""What must be true of ledger and providers when all is healed and quiet."""

from collections.abc import Iterator

from s3o.model.names import BackendName
from tests.simulation.outside import OURS, WALL_JUMPED, Outside


async def judge_outside(outside: Outside) -> list[str]:
    """Compare what is left with what must be, more than a day after the faults."""
    complaints = await outside.complaints()
    complaints += outside.found
    complaints += [fact.traceback for fact in outside.crashed]
    for name in outside.backends:
        complaints += _compare(outside, name)
    complaints += _usage(outside)
    for table in ("pending_objects", "cleanup_queue"):
        # A backup of the ledger may be made, or given up, at any time.
        left = outside.connection.execute(
            f"SELECT * FROM {table} WHERE storage_key NOT LIKE '{OURS}%'"
        ).fetchall()
        if left:
            complaints.append(f"healed, but {table} holds {left}")
    return complaints


def _usage(outside: Outside) -> Iterator[str]:
    """Every call is counted, by whoever lived to write it down, and none besides."""
    counted = dict(
        outside.connection.execute(
            "SELECT backend_name, SUM(api_requests) FROM backend_usage"
            " GROUP BY backend_name"
        ).fetchall()
    )
    unflushed = outside.unflushed()
    for name, backend in outside.backends.items():
        told, made = counted.get(name, 0), len(backend.books.calls)
        # Over HTTP a call may be made that the provider never hears of, and one that it
        # hears of twice.
        if name in outside.wired or name in outside.removed:
            continue
        if told > made:
            yield f"{name}: {told} calls are counted, only {made} made"
        forgotten = unflushed[name]
        if told + forgotten < made:
            yield f"{name}: {told} calls are counted, {forgotten} lost, {made} made"


def judge_copies(outside: Outside, factor: int) -> Iterator[str]:
    """Every blob has as many good copies as there should be, where there is room."""
    query = outside.connection.execute
    room = {
        name: limit - used
        for name, limit, used in query(
            "SELECT backend_name, SUM(bytes_limit),"
            " SUM(bytes_used + bytes_reserved + orphan_bytes)"
            " FROM backend_quotas GROUP BY backend_name"
        )
    }
    # Nothing is sent to a backend that is being emptied.
    for (name,) in query("SELECT backend_name FROM backend_drains"):
        room.pop(name, None)
    copies: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for version, blob, backend, size in query(
        "SELECT version_id, blob, backend_name, stored_bytes FROM object_locations"
        " WHERE state = 'live'"
    ):
        copies.setdefault((version, blob), []).append((backend, size))
    for (version, blob), found in copies.items():
        backends = {backend for backend, _ in found}
        size = found[0][1]
        free = [name for name in room.keys() - backends if room[name] >= size]
        if len(backends) < factor and free:
            yield f"{version}#{blob} is on {backends} only, {free} have room"


def _compare(outside: Outside, name: BackendName) -> Iterator[str]:
    """Hold a provider against what the ledger tells of it."""
    backend = outside.backends[name]
    query = outside.connection.execute
    yield from backend.books.violations
    held = {
        key: len(backend.blobs[key].body)
        for key in backend.names()
        if not key.startswith(OURS)
    }
    told = {
        key: size
        for key, size, state in query(
            "SELECT storage_key, stored_bytes, state FROM object_locations"
            " WHERE backend_name = ?",
            (name,),
        )
        # What a provider lost for good stays in the ledger, as a loss.
        if key in held or (state != "lost" and key not in outside.lost)
    }
    # Dead letters wait for a person; their bytes may lie there.
    buried = query(
        "SELECT storage_key FROM cleanup_dlq WHERE backend_name = ?", (name,)
    )
    for (key,) in buried:
        held.pop(key, None)
    if outside.sometimes[WALL_JUMPED]:
        # Bytes that seem older than versions before them wait for a person, too.
        for (key,) in query(
            "SELECT storage_key FROM reconcile_findings"
            " WHERE backend_name = ? AND kind = 'unknown' AND sightings > 3",
            (name,),
        ):
            held.pop(key, None)
    if held != told:
        missing = {key: told[key] for key in told.keys() - held.keys()}
        unknown = {key: held[key] for key in held.keys() - told.keys()}
        differ = {
            key: (held[key], told[key])
            for key in held.keys() & told.keys()
            if held[key] != told[key]
        }
        yield (
            f"{name}: told but not held {missing}, held but not told {unknown},"
            f" held otherwise {differ}"
        )
    uploads = {
        row[0]
        for row in query(
            "SELECT backend_upload_id FROM multipart_uploads"
            " WHERE backend_name = ? AND state IN ('opening', 'open', 'completing')",
            (name,),
        )
    }
    forgotten = backend.uploads.under_way.keys() - uploads
    if forgotten:
        yield f"{name}: uploads that nobody knows {sorted(forgotten)}"
