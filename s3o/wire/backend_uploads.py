"""The documents of native multipart uploads and copies, to and from backends.

As in backend_documents: what a provider says is hearsay, and a document that misses
what we need is MalformedXml. An ETag may be missing from the answers to Complete and
Copy (Ceph sends an empty one), for the callers look at the blob itself.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
"""

from collections.abc import Iterable
from dataclasses import dataclass

from s3o.model.errors import MalformedXml
from s3o.model.numbers import parse_uint
from s3o.model.values import ListedUpload, NativePart
from s3o.wire.backend_documents import decode_name, need, require_root
from s3o.wire.conditions import unquote_etag
from s3o.wire.dates import parse_any_date
from s3o.wire.xml_read import Element
from s3o.wire.xml_write import document, element, leaf

# rclone leaves the end of the name out.
_CREATE_RESULTS = ("InitiateMultipartUploadResult", "InitiateMultipartUpload")
# What providers call the answer to UploadPartCopy; some know one name for both copies.
_COPY_RESULTS = ("CopyObjectResult", "CopyPartResult")


def read_upload_id(root: Element) -> str:
    """Return the id in a CreateMultipartUpload answer; raises MalformedXml."""
    if root.name not in _CREATE_RESULTS:
        raise MalformedXml(f"the document is a {root.name}, not that of a new upload")
    return need(root, "UploadId").strip()


def render_manifest(parts: Iterable[tuple[int, str]]) -> bytes:
    """Return the document of a CompleteMultipartUpload; parts: number, ETag."""
    return document(
        "CompleteMultipartUpload",
        (
            element(
                "Part", [leaf("PartNumber", str(number)), leaf("ETag", f'"{etag}"')]
            )
            for number, etag in parts
        ),
    )


def read_completed(root: Element) -> str:
    """Return the ETag in a CompleteMultipartUpload answer, "" if it has none.

    Some servers name the document otherwise (moto); then it must have an ETag.
    """
    etag = unquote_etag(root.text_of("ETag") or "")
    if not etag:
        require_root(root, "CompleteMultipartUploadResult")
    return etag


def read_copied(root: Element) -> str:
    """Return the ETag in the answer to a copy, "" if it has none."""
    if root.name not in _COPY_RESULTS:
        raise MalformedXml(f"the document is a {root.name}, not the result of a copy")
    return unquote_etag(root.text_of("ETag") or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsPage:
    """One page of a native upload's parts; next_marker is None on the last one."""

    parts: tuple[NativePart, ...]
    next_marker: int | None


def read_parts_page(root: Element) -> PartsPage:
    """Return the page in a ListParts answer; raises MalformedXml."""
    require_root(root, "ListPartsResult")
    try:
        parts = tuple(_read_part(one) for one in root.all("Part"))
        marker = None
        if _is_truncated(root):
            marker = parse_uint(need(root, "NextPartNumberMarker").strip())
    except ValueError:
        raise MalformedXml("a listed part has no proper number or size") from None
    return PartsPage(parts=parts, next_marker=marker)


def _read_part(part: Element) -> NativePart:
    return NativePart(
        number=parse_uint(need(part, "PartNumber").strip()),
        etag=unquote_etag(part.text_of("ETag") or ""),
        stored_bytes=parse_uint(need(part, "Size").strip()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadsPage:
    """One page of uploads under way. next: the markers of the next page, if any."""

    uploads: tuple[ListedUpload, ...]
    next: tuple[str, str] | None


def read_uploads_page(root: Element) -> UploadsPage:
    """Return the page in a ListMultipartUploads answer; raises MalformedXml."""
    require_root(root, "ListMultipartUploadsResult")
    is_encoded = root.text_of("EncodingType") == "url"
    try:
        uploads = tuple(_read_upload(one, is_encoded) for one in root.all("Upload"))
        following = _next_markers(root, uploads) if _is_truncated(root) else None
    except ValueError:
        raise MalformedXml("a listed upload has no proper name") from None
    return UploadsPage(uploads=uploads, next=following)


def _next_markers(root: Element, uploads: tuple[ListedUpload, ...]) -> tuple[str, str]:
    """Return where the next page begins: after the last upload of this one.

    Swift leaves the markers out after a page of one, and never encodes them.
    """
    if uploads:
        return uploads[-1].name, uploads[-1].upload_id
    key = decode_name(need(root, "NextKeyMarker"))
    if not key:
        raise MalformedXml("truncated without a marker")
    return key, root.text_of("NextUploadIdMarker") or ""


def _read_upload(upload: Element, is_encoded: bool) -> ListedUpload:
    name = need(upload, "Key")
    initiated = upload.text_of("Initiated")
    return ListedUpload(
        name=decode_name(name) if is_encoded else name,
        upload_id=need(upload, "UploadId").strip(),
        initiated_at_us=parse_any_date(initiated.strip()) if initiated else None,
    )


def _is_truncated(root: Element) -> bool:
    return (root.text_of("IsTruncated") or "").strip().lower() == "true"
