"""Actions that only show: how the service stands, and where an object is."""

from collections.abc import Mapping
from dataclasses import dataclass

from s3o.admin.action import Given
from s3o.admin.desk import Desk
from s3o.admin.refusal import Document, Refused
from s3o.ledger.buckets import list_buckets
from s3o.ledger.cleanup import CleanupRow, Depths, depths, due_rows
from s3o.ledger.objects import find_object
from s3o.ledger.quotas import object_counts, quota_rows, upload_counts
from s3o.ledger.seam import Tx
from s3o.model.errors import LedgerError, NoSuchBucket
from s3o.model.limits import ADMIN_ROWS
from s3o.model.names import BackendName, BucketId, parse_object_key
from s3o.model.values import Location, QuotaRow
from s3o.wire.dates import render_iso_date

_EVER_US = (1 << 62) - 1


@dataclass(frozen=True, slots=True)
class _Figures:
    quotas: Mapping[BackendName, QuotaRow]
    objects: Mapping[BackendName, int]
    uploads: Mapping[BackendName, int]
    depths: Depths


async def show_status(desk: Desk, _given: Given) -> Document:
    """Tell of every backend what it holds, owes, was asked, and whether it answers.

    Without the database only what the process itself knows; db_healthy says so.
    """
    try:
        figures = await desk.ledger.scan(_read_figures)
    except LedgerError:
        figures = None
    document: dict[str, object] = {
        "db_healthy": figures is not None and desk.ledger.breaker.is_closed,
        "db_circuit": str(desk.ledger.breaker.state),
        "deletes_held_back_by": desk.safety.reason,
        "usage_period": desk.fleet.counters.period(),
        "backends": [_backend(desk, name, figures) for name in desk.fleet.names],
    }
    if figures is not None:
        document["cleanup_queue_depth"] = figures.depths.cleanup_rows
        document["dead_letters"] = figures.depths.dead_letters
        document["pending_intents"] = figures.depths.intents
        document["backends_not_configured"] = [
            {"name": name, "bytes_used": row.used_bytes}
            for name, row in figures.quotas.items()
            if desk.fleet.find(name) is None and row.held_bytes
        ]
    return document


async def show_object(desk: Desk, given: Given) -> Document:
    """Tell where an object's bytes are; the key is bucket/key."""
    key = given.text("key")
    bucket_name, _, object_key = key.partition("/")
    if not object_key:
        raise Refused(400, "key must be bucket/key")
    try:
        bucket = desk.buckets.find(bucket_name)
    except NoSuchBucket:
        raise Refused(404, "no such bucket", key=key) from None
    parsed = parse_object_key(object_key.encode("utf-8"))
    found = await desk.ledger.scan(lambda tx: find_object(tx, bucket.id, parsed))
    if found is None:
        raise Refused(404, "no such object", key=key)
    version = found.version
    return {
        "key": key,
        "version_id": version.version_id,
        "size": version.size,
        "etag": version.etag,
        "created_at": render_iso_date(version.created_at_us),
        "blobs": len({location.blob for location in found.locations}),
        "locations": [_location(location) for location in found.locations],
    }


async def show_cleanup_queue(desk: Desk, _given: Given) -> Document:
    """Tell how much waits to be deleted, and what is due next."""

    async def look(tx: Tx) -> tuple[Depths, list[CleanupRow], dict[BucketId, str]]:
        rows: list[CleanupRow] = []
        for quota in await quota_rows(tx):
            rows += await due_rows(tx, quota.backend, _EVER_US, ADMIN_ROWS)
        rows.sort(key=lambda row: (row.next_retry_us, row.id))
        names = {bucket.id: str(bucket.name) for bucket in await list_buckets(tx)}
        return await depths(tx), rows[:ADMIN_ROWS], names

    found, rows, names = await desk.ledger.scan(look)
    return {
        "depth": found.cleanup_rows,
        "dead_letters": found.dead_letters,
        "items": [
            {
                "id": row.id,
                "backend": row.backend,
                "key": f"{names.get(row.bucket_id, '?')}/{row.key}",
                "storage_key": row.storage_key,
                "reason": row.reason,
                "size_bytes": row.stored_bytes,
                "attempts": row.attempts,
                "next_retry": render_iso_date(row.next_retry_us),
                "last_error": row.last_error,
            }
            for row in rows
        ],
    }


async def _read_figures(tx: Tx) -> _Figures:
    return _Figures(
        {row.backend: row for row in await quota_rows(tx)},
        await object_counts(tx),
        await upload_counts(tx),
        await depths(tx),
    )


def _backend(desk: Desk, name: BackendName, figures: _Figures | None) -> Document:
    backend = desk.fleet.get(name)
    usage = desk.fleet.counters.of(name).effective()
    limits = backend.limits.usage
    document: dict[str, object] = {
        "name": name,
        "circuit": str(backend.state),
        "draining": name in desk.fleet.draining,
        "api_requests": usage.api_requests,
        "egress_bytes": usage.egress_bytes,
        "ingress_bytes": usage.ingress_bytes,
        "api_request_limit": limits.api_requests,
        "egress_byte_limit": limits.egress_bytes,
        "ingress_byte_limit": limits.ingress_bytes,
    }
    row = figures.quotas.get(name) if figures is not None else None
    if figures is not None and row is not None:
        document |= {
            "bytes_used": row.used_bytes,
            "bytes_reserved": row.reserved_bytes,
            "bytes_orphaned": row.orphan_bytes,
            "bytes_limit": row.limit_bytes,
            "object_count": figures.objects.get(name, 0),
            "multipart_uploads": figures.uploads.get(name, 0),
        }
    return document


def _location(location: Location) -> Document:
    seen_us = location.verified_at_us
    return {
        "backend": location.backend,
        "blob": location.blob,
        "state": str(location.state),
        "stored_bytes": location.stored_bytes,
        "storage_key": location.storage_key,
        "is_imported": location.is_imported,
        "created_at": render_iso_date(location.created_at_us),
        "verified_at": None if seen_us is None else render_iso_date(seen_us),
    }
