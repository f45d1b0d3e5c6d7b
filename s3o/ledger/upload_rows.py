"""Read the rows of multipart_uploads and multipart_parts; believe nothing impossible.

The columns stand in the order of the queries in schema/queries/multipart.sql.
"""

import json

from s3o.ledger import rows
from s3o.ledger.seam import Row, Value
from s3o.model.errors import LedgerDamaged
from s3o.model.multipart import Part, PinnedManifest, Upload, UploadState
from s3o.model.names import BucketId, ObjectKey, UploadId, VersionId
from s3o.model.values import Checksum, ChecksumAlgorithm, ChecksumType

#: What a client may still send parts to, complete or abort.
LIVE_STATES = frozenset({UploadState.OPENING, UploadState.OPEN})


def upload_of(row: Row) -> Upload:
    """Read the columns of find_upload."""
    try:
        algorithm, kind = row[13], row[14]
        return Upload(
            upload_id=UploadId(rows.text(row[0])),
            bucket_id=BucketId(rows.number(row[1])),
            key=ObjectKey(rows.text(row[2])),
            version_id=VersionId(rows.text(row[3])),
            state=UploadState(rows.text(row[4])),
            backend=None if row[5] is None else rows.backend_name(row[5]),
            storage_key=None if row[6] is None else rows.storage_key(row[6]),
            backend_upload_id=rows.optional_text(row[7]),
            facts=rows.facts_of(row[8:13]),
            checksum_algorithm=(
                None if algorithm is None else ChecksumAlgorithm(rows.text(algorithm))
            ),
            checksum_type=None if kind is None else ChecksumType(rows.text(kind)),
            native_part_size=None if row[15] is None else rows.size(row[15]),
            manifest=_manifest_of(row[16]),
            initiator=rows.text(row[17]),
            created_at_us=rows.number(row[18]),
            active_at_us=rows.number(row[19]),
        )
    except ValueError as error:
        raise LedgerDamaged("multipart_uploads", str(error)) from None


def part_of(row: Row) -> Part:
    """Read the columns of list_parts."""
    try:
        return Part(
            number=rows.size(row[0]),
            attempt=rows.size(row[1]),
            is_native=rows.flag(row[2]),
            blob=rows.size(row[3]),
            backend=rows.backend_name(row[4]),
            storage_key=rows.storage_key(row[5]),
            backend_etag=rows.optional_text(row[6]),
            backend_version=rows.optional_text(row[7]),
            size=rows.size(row[8]),
            stored_bytes=rows.size(row[9]),
            stored_md5=rows.optional_text(row[10]),
            etag=rows.text(row[11]),
            checksum=_part_checksum(row[12], row[13]),
            created_at_us=rows.number(row[14]),
        )
    except ValueError as error:
        raise LedgerDamaged("multipart_parts", str(error)) from None


def manifest_text(manifest: PinnedManifest) -> str:
    """Render what is pinned for the upload's row."""
    return json.dumps([manifest.digest, manifest.parts], separators=(",", ":"))


def _manifest_of(value: Value) -> PinnedManifest | None:
    if value is None:
        return None
    found: object = json.loads(rows.text(value))
    if not isinstance(found, list) or len(found) != 2 or not isinstance(found[1], list):
        raise ValueError("not a manifest")
    parts: list[tuple[int, int]] = []
    for item in found[1]:
        if not isinstance(item, list) or len(item) != 2:
            raise ValueError("not a part of a manifest")
        parts.append((rows.size(item[0]), rows.size(item[1])))
    return PinnedManifest(rows.text(found[0]), tuple(parts))


def _part_checksum(algorithm: Value, value: Value) -> Checksum | None:
    if algorithm is None:
        return None
    return Checksum(ChecksumAlgorithm(rows.text(algorithm)), rows.text(value))
