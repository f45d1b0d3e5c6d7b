"""The documents that answer requests about multipart uploads.

Element names and their order are contract, and so are the quotes of ETags.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html and its
neighbours
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from s3o.ledger.upload_listing import UploadPage
from s3o.model.multipart import Part, Upload
from s3o.model.names import BucketName, ObjectKey
from s3o.model.values import Bucket, Checksum
from s3o.s3api.owner import render_initiator, render_owner
from s3o.wire.dates import render_iso_date
from s3o.wire.digests import checksum_element
from s3o.wire.xml_write import (
    DECLARATION,
    document,
    element,
    escape,
    leaf,
    optional_leaf,
    url_encode,
)


def render_initiated(bucket: BucketName, upload: Upload) -> bytes:
    """Return the answer of CreateMultipartUpload."""
    return document(
        "InitiateMultipartUploadResult",
        [
            leaf("Bucket", bucket),
            leaf("Key", upload.key),
            leaf("UploadId", upload.upload_id),
        ],
    )


def render_completed(
    bucket: BucketName,
    key: ObjectKey,
    *,
    location: str,
    etag: str,
    checksum: Checksum | None,
) -> bytes:
    """Return the answer of CompleteMultipartUpload."""
    return document(
        "CompleteMultipartUploadResult",
        [
            leaf("Location", location),
            leaf("Bucket", bucket),
            leaf("Key", key),
            _render_etag(etag),
            _render_checksum(checksum),
            "" if checksum is None else leaf("ChecksumType", checksum.type),
        ],
    )


def without_declaration(body: bytes) -> bytes:
    """Return the rest of a document whose declaration has been sent already."""
    return body.removeprefix(DECLARATION.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsRequest:
    """Which parts a ListParts asks for."""

    after: int
    limit: int


def render_parts(
    bucket: Bucket,
    upload: Upload,
    request: PartsRequest,
    parts: Sequence[Part],
    *,
    is_truncated: bool,
) -> bytes:
    """Return the answer of ListParts."""
    last = parts[-1].number if parts else request.after
    return document(
        "ListPartsResult",
        [
            leaf("Bucket", bucket.name),
            leaf("Key", upload.key),
            leaf("UploadId", upload.upload_id),
            *_render_people(bucket, upload),
            leaf("PartNumberMarker", str(request.after)),
            leaf("NextPartNumberMarker", str(last)),
            leaf("MaxParts", str(request.limit)),
            leaf("IsTruncated", "true" if is_truncated else "false"),
            *_render_checksum_plan(upload),
            *(_render_part(part) for part in parts),
        ],
    )


def _render_part(part: Part) -> str:
    return element(
        "Part",
        [
            leaf("PartNumber", str(part.number)),
            leaf("LastModified", render_iso_date(part.created_at_us)),
            _render_etag(part.etag),
            leaf("Size", str(part.size)),
            _render_checksum(part.checksum),
        ],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadsRequest:
    """Which uploads a ListMultipartUploads asks for."""

    prefix: str
    delimiter: str
    key_marker: str
    upload_id_marker: str
    limit: int
    is_url_encoded: bool

    @property
    def encode(self) -> Callable[[str], str]:
        """How names are written in the answer."""
        return url_encode if self.is_url_encoded else escape


def render_uploads(bucket: Bucket, request: UploadsRequest, page: UploadPage) -> bytes:
    """Return the answer of ListMultipartUploads."""
    encode = request.encode
    parts = [
        leaf("Bucket", bucket.name),
        f"<KeyMarker>{encode(request.key_marker)}</KeyMarker>",
        leaf("UploadIdMarker", request.upload_id_marker),
    ]
    if page.next_key_marker is not None:
        parts += [
            f"<NextKeyMarker>{encode(page.next_key_marker)}</NextKeyMarker>",
            leaf("NextUploadIdMarker", page.next_upload_id_marker),
        ]
    parts.append(f"<Prefix>{encode(request.prefix)}</Prefix>")
    if request.delimiter:
        parts.append(f"<Delimiter>{encode(request.delimiter)}</Delimiter>")
    if request.is_url_encoded:
        parts.append(leaf("EncodingType", "url"))
    is_truncated = page.next_key_marker is not None
    parts += [
        leaf("MaxUploads", str(request.limit)),
        leaf("IsTruncated", "true" if is_truncated else "false"),
    ]
    for entry in page.entries:
        if not isinstance(entry, str):
            parts.append(_render_upload(bucket, entry, encode))
    for entry in page.entries:
        if isinstance(entry, str):
            prefix = f"<Prefix>{encode(entry)}</Prefix>"
            parts.append(f"<CommonPrefixes>{prefix}</CommonPrefixes>")
    return document("ListMultipartUploadsResult", parts)


def _render_upload(bucket: Bucket, upload: Upload, encode: Callable[[str], str]) -> str:
    return element(
        "Upload",
        [
            f"<Key>{encode(upload.key)}</Key>",
            leaf("UploadId", upload.upload_id),
            *_render_people(bucket, upload),
            leaf("Initiated", render_iso_date(upload.created_at_us)),
            *_render_checksum_plan(upload),
        ],
    )


def _render_people(bucket: Bucket, upload: Upload) -> list[str]:
    """Say who began an upload and who would own its object."""
    return [
        render_initiator(upload.initiator or bucket.owner),
        render_owner(bucket.owner),
        leaf("StorageClass", upload.facts.storage_class),
    ]


def _render_checksum_plan(upload: Upload) -> list[str]:
    return [
        optional_leaf("ChecksumAlgorithm", upload.checksum_algorithm),
        optional_leaf("ChecksumType", upload.checksum_type),
    ]


def _render_etag(etag: str) -> str:
    return f"<ETag>&quot;{escape(etag)}&quot;</ETag>"


def _render_checksum(checksum: Checksum | None) -> str:
    if checksum is None:
        return ""
    return leaf(checksum_element(checksum.algorithm), checksum.value)
