"""What the ledger knows of one backend's names, and what listings found amiss.

A finding is provisional until its listing has turned out complete: note_findings() only
marks it, settle_findings() counts it as seen once more, or forgets it because it was
not seen again. So a listing that breaks off, or lies, concludes nothing. Times here are
of the counted clock (ledger/meta), which no jump of a wall clock makes run faster.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from s3o.ledger import rows
from s3o.ledger.cleanup_rows import Discard, enqueue
from s3o.ledger.copies import FAR_AHEAD_US, mark_copy, remove_copy
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.readable import readable_page
from s3o.ledger.seam import Row, Tx, Value
from s3o.model.errors import LedgerDamaged
from s3o.model.names import BackendName, StorageKey, VersionId
from s3o.model.values import LocationState

LOST_COPY = "reconcile_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBlob:
    """One location, as far as a listing can be compared with it."""

    storage_key: StorageKey
    version_id: VersionId
    blob: int
    stored_bytes: int
    backend_etag: str
    state: LocationState
    is_imported: bool
    created_at_us: int


class FindingKind(StrEnum):
    """missing: a location whose name is not listed. unknown: a name of no row's."""

    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something amiss under one name; sightings counts complete listings."""

    storage_key: StorageKey
    kind: FindingKind
    stored_bytes: int
    backend_etag: str = ""
    sightings: int = 0
    first_seen_us: int = 0
    seen_us: int = 0


async def known_blobs(
    tx: Tx, backend: BackendName, after: str, limit: int
) -> list[KnownBlob]:
    """Return locations on backend in byte order; fewer than limit: no more behind.

    A row that cannot be read is passed over; its name is explained all the same.
    """
    return await readable_page(
        tx, "list_known_names", _known_of, after, limit, backend_name=backend
    )


async def find_known(
    tx: Tx, backend: BackendName, storage_key: StorageKey
) -> KnownBlob | None:
    """Return the location of that name, if there is one."""
    row = await tx.one("find_known_name", backend_name=backend, storage_key=storage_key)
    return None if row is None else _known_of(row)


async def explained(
    tx: Tx, backend: BackendName, names: Sequence[str]
) -> frozenset[str]:
    """Return those of names that any row accounts for.

    A location, an announced write, bytes to be deleted, dead letters, parts and
    uploads, a backup of the ledger.
    """
    if not names:
        return frozenset()
    found = await tx.all(
        "find_explained_names", backend_name=backend, names=json.dumps(names)
    )
    return frozenset(rows.text(row[0]) for row in found)


async def last_mark(tx: Tx, backend: BackendName) -> int:
    """Return the latest mark of any finding of backend; 0 if there is none."""
    row = await tx.one("last_mark", backend_name=backend)
    assert row is not None
    return rows.number(row[0])


async def note_findings(
    tx: Tx,
    backend: BackendName,
    findings: Iterable[Finding],
    *,
    mark_us: int,
    now_us: int,
) -> None:
    """Mark what the listing begun at mark_us shows, provisionally."""
    for finding in findings:
        await tx.run(
            "note_finding",
            backend_name=backend,
            storage_key=finding.storage_key,
            kind=finding.kind,
            stored_bytes=finding.stored_bytes,
            backend_etag=finding.backend_etag,
            mark_us=mark_us,
            now_us=now_us,
        )


async def list_findings(
    tx: Tx, backend: BackendName, after: str, limit: int
) -> list[Finding]:
    """Return findings of backend in byte order; fewer than limit: no more behind."""
    return await readable_page(
        tx, "list_findings", _finding_of, after, limit, backend_name=backend
    )


async def settle_findings(
    tx: Tx, backend: BackendName, after: str, through: str, mark_us: int
) -> None:
    """The listing begun at mark_us was complete: count what it showed, forget the rest.

    For the names after..through; together every name exactly once per listing.
    """
    within: dict[str, Value] = {
        "backend_name": backend,
        "after": after,
        "through": through,
        "mark_us": mark_us,
    }
    await tx.run("forget_unseen_findings", **within)
    await tx.run("count_sightings", **within)


async def forget_finding(tx: Tx, backend: BackendName, storage_key: StorageKey) -> None:
    """It was wrong, or it was acted on."""
    await tx.run("forget_finding", backend_name=backend, storage_key=storage_key)


async def suspect_location(
    tx: Tx, backend: BackendName, known: KnownBlob, backend_etag: str, now_us: int
) -> bool:
    """Its bytes are not what they were; False: it is another location by now.

    now_us: when that was seen; a later proof stands against it, as in mark_copy.
    """
    return 1 == await tx.run(
        "suspect_location",
        version_id=known.version_id,
        blob=known.blob,
        backend_name=backend,
        storage_key=known.storage_key,
        backend_etag=backend_etag,
        now_us=now_us,
        far_ahead_us=now_us + FAR_AHEAD_US,
    )


class Loss(StrEnum):
    """What became of a location whose bytes are gone."""

    NONE = "none"  # it is another one by now, or it was known
    LOST = "lost"  # the row stays: it may be all that is left of an object
    TAKEN = "taken"  # the row went: other verified copies make up for it


async def lose_location(
    tx: Tx, backend: BackendName, storage_key: StorageKey, now_us: int
) -> Loss:
    """Its backend does not have the bytes, as seen at now_us. Their finding is over.

    A row that goes leaves its name in the queue, whose confirmed delete corrects the
    quota.
    """
    await forget_finding(tx, backend, storage_key)
    known = await find_known(tx, backend, storage_key)
    if known is None or known.state is LocationState.LOST:
        return Loss.NONE
    version, blob = known.version_id, known.blob
    if not await mark_copy(
        tx, version, blob, backend, LocationState.LOST, now_us, storage_key
    ):
        return Loss.NONE
    if await remove_copy(
        tx, version, blob, backend, keep=1, reason=LOST_COPY, now_us=now_us
    ):
        return Loss.TAKEN
    return Loss.LOST


async def discard_unknown(tx: Tx, discard: Discard, now_us: int) -> bool:
    """Queue bytes that nothing accounts for; False: something does by now.

    Their finding is over either way.
    """
    await forget_finding(tx, discard.backend, discard.storage_key)
    if await explained(tx, discard.backend, [discard.storage_key]):
        return False
    moves = QuotaMoves()
    await enqueue(tx, discard, moves, now_us)
    await moves.apply(tx)
    return True


async def last_sequence(tx: Tx) -> int:
    """Return the highest sequence that this ledger has ever drawn."""
    row = await tx.one("last_sequence")
    assert row is not None
    return rows.size(row[0])


async def version_before_us(tx: Tx, sequence: int) -> int | None:
    """Return when the version was made that precedes sequence; None: there is none."""
    row = await tx.one("find_version_before", sequence=sequence)
    return None if row is None else rows.number(row[0])


def _known_of(row: Row) -> KnownBlob:
    try:
        return KnownBlob(
            storage_key=rows.storage_key(row[0]),
            version_id=VersionId(rows.text(row[1])),
            blob=rows.size(row[2]),
            stored_bytes=rows.size(row[3]),
            backend_etag=rows.optional_text(row[4]) or "",
            state=LocationState(rows.text(row[5])),
            is_imported=rows.text(row[6]) == rows.IMPORTED,
            created_at_us=rows.number(row[7]),
        )
    except ValueError as error:
        raise LedgerDamaged("object_locations", str(error)) from None


def _finding_of(row: Row) -> Finding:
    try:
        return Finding(
            storage_key=rows.storage_key(row[0]),
            kind=FindingKind(rows.text(row[1])),
            stored_bytes=rows.size(row[2]),
            backend_etag=rows.optional_text(row[3]) or "",
            sightings=rows.size(row[4]),
            first_seen_us=rows.number(row[5]),
            seen_us=rows.number(row[6]),
        )
    except ValueError as error:
        raise LedgerDamaged("reconcile_findings", str(error)) from None
