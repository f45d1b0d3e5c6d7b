"""Make bytes that lie on a backend under a foreign name the current version of a key.

Rules: what anything in the ledger accounts for is no foreign name; a key that has a
version keeps it; a key that was deleted stays deleted, unless the bytes were put there
after the delete. All is decided in the transaction that inserts. The bytes keep their
name, count as used bytes even over the quota, and are deleted only through
services/deleting. Their headers are fetched at the first need: until then the version
has no content type (see objects/imported).

Source: data model, "Imported" and "Deletes".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from s3o.ledger import rows
from s3o.ledger.buckets import hold_bucket
from s3o.ledger.objects import draw_sequence
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.reconcile import explained
from s3o.ledger.seam import Tx
from s3o.model.errors import NoSuchBucket
from s3o.model.names import BackendName, BucketId, ObjectKey, StorageKey, VersionId
from s3o.model.values import Bucket, ObjectFacts

# How far the clocks of a provider and of this machine may be apart: requests signed
# with a worse one are refused (RequestTimeTooSkewed).
SKEW_US = 15 * 60 * 1_000_000
STORAGE_CLASS = "STANDARD"
NOT_FETCHED = ""  # the content type of a version whose headers nobody asked for yet


class Verdict(StrEnum):
    """What became of one import."""

    IMPORTED = "imported"
    KNOWN = "known"  # something here accounts for the name
    TAKEN = "taken"  # the key has a version
    DELETED = "deleted"  # after the bytes were put there
    UNFIT = "unfit"  # no valid key, too large, or a bucket that is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """Bytes under a foreign name, and what they would become.

    etag: what clients see; backend_etag: what a HEAD has to show before the bytes may
    be deleted. modified_at_us: when they were put there, if the backend says so.
    """

    backend: BackendName
    name: StorageKey
    bucket: Bucket
    key: ObjectKey
    version_id: VersionId
    stored_bytes: int
    etag: str
    backend_etag: str
    modified_at_us: int | None


async def judge_import(
    tx: Tx, bucket: Bucket, key: ObjectKey, modified_at_us: int | None
) -> Verdict:
    """Say what stands against an import of a key; IMPORTED is nothing."""
    row = await tx.one("find_key_history", bucket_id=bucket.id, key=key)
    assert row is not None
    version_id, deleted_at = row
    if version_id is not None:
        return Verdict.TAKEN
    if deleted_at is not None and (
        modified_at_us is None or modified_at_us <= rows.number(deleted_at) + SKEW_US
    ):
        return Verdict.DELETED
    return Verdict.IMPORTED


async def import_blobs(
    tx: Tx, backend: BackendName, imports: Sequence[Import], now_us: int
) -> list[Verdict]:
    """Import what may be; return each one's verdict, in order.

    Keys are locked in the order given, which must be the same for everybody: ascending
    names.
    """
    known = await explained(tx, backend, [one.name for one in imports])
    moves = QuotaMoves()
    verdicts: list[Verdict] = []
    for one in imports:
        assert one.backend == backend
        if one.name in known:
            verdicts.append(Verdict.KNOWN)
        else:
            verdicts.append(await _import(tx, one, moves, now_us))
    await moves.apply(tx)
    return verdicts


async def _import(tx: Tx, one: Import, moves: QuotaMoves, now_us: int) -> Verdict:
    try:
        await hold_bucket(tx, one.bucket.id, one.bucket.name)
    except NoSuchBucket:
        return Verdict.UNFIT
    sequence = await draw_sequence(tx, one.bucket.id, one.key)
    verdict = await judge_import(tx, one.bucket, one.key, one.modified_at_us)
    if verdict is not Verdict.IMPORTED:
        return verdict
    modified_us = now_us if one.modified_at_us is None else one.modified_at_us
    await tx.run(
        "put_object",
        bucket_id=one.bucket.id,
        key=one.key,
        version_id=one.version_id,
        sequence=sequence,
        size=one.stored_bytes,
        etag=one.etag,
        now_us=max(0, min(modified_us, now_us)),
        content_type=NOT_FETCHED,
        storage_class=STORAGE_CLASS,
        headers=None,
        metadata=None,
        tags=None,
        checksum_algorithm=None,
        checksum_type=None,
        checksum_value=None,
        content_hash=None,
        part_sizes=None,
        layout=None,
        part_checksums=None,
        encryption_header=None,
        wrapped_key=None,
        key_id=None,
    )
    await tx.run(
        "insert_imported_location",
        version_id=one.version_id,
        backend_name=one.backend,
        storage_key=one.name,
        backend_etag=one.backend_etag,
        stored_bytes=one.stored_bytes,
        now_us=now_us,
    )
    moves.add(one.backend, used=one.stored_bytes, objects=1)
    moves.charge(one.bucket.id, one.stored_bytes)
    return verdict


async def put_imported_facts(
    tx: Tx,
    bucket_id: BucketId,
    key: ObjectKey,
    version_id: VersionId,
    facts: ObjectFacts,
) -> bool:
    """Note the headers of an imported version, once; False: it is another by now."""
    assert facts.content_type != NOT_FETCHED
    changed = await tx.run(
        "put_imported_facts",
        bucket_id=bucket_id,
        key=key,
        version_id=version_id,
        content_type=facts.content_type,
        headers=rows.pairs_text(facts.headers),
        metadata=rows.pairs_text(facts.metadata),
    )
    return changed == 1
