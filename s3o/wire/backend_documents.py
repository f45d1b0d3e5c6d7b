"""The documents backends answer with: listings, uploads, copies, deletions, errors.

What a provider says is hearsay: a document that misses what we need, or repeats its
token, is MalformedXml, and the caller counts it as the backend's failure. Elements we
do not know are the provider's own and are skipped.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from s3o.model.errors import MalformedXml
from s3o.model.numbers import parse_uint
from s3o.model.values import BlobPage, ListedBlob, NativePart
from s3o.wire.conditions import unquote_etag
from s3o.wire.dates import parse_any_date
from s3o.wire.xml_read import Element

_UPLOAD_ID = re.compile(r"[!-~]{1,2048}", re.ASCII)


def read_list_page(root: Element) -> BlobPage:
    """Return the page in a ListObjectsV2 answer; raises MalformedXml.

    Names come back decoded where the provider honoured encoding-type=url.
    """
    _require_root(root, "ListBucketResult")
    is_encoded = root.text_of("EncodingType") == "url"
    blobs = tuple(_read_blob(one, is_encoded) for one in root.all("Contents"))
    is_truncated = _need(root, "IsTruncated").strip().lower() == "true"
    token = root.text_of("NextContinuationToken")
    if is_truncated and not token:
        raise MalformedXml("truncated without a token")
    return BlobPage(blobs=blobs, next_token=token if is_truncated else None)


def _read_blob(contents: Element, is_encoded: bool) -> ListedBlob:
    name = _need(contents, "Key")
    try:
        size = parse_uint(_need(contents, "Size").strip())
        if is_encoded:
            # Some providers write a space as "+"; a literal plus is always %2B.
            name = unquote_to_bytes(name.replace("+", " ")).decode("utf-8")
    except ValueError:
        raise MalformedXml("a listed blob has no proper name or size") from None
    modified = contents.text_of("LastModified")
    return ListedBlob(
        name=name,
        stored_bytes=size,
        etag=unquote_etag(contents.text_of("ETag") or ""),
        modified_at_us=parse_any_date(modified.strip()) if modified else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsPage:
    """One page of a provider's versions, delete markers among them.

    versions: (name, version id). next: the markers of the next page, if there is one.
    """

    versions: tuple[tuple[str, str], ...]
    next: tuple[str, str] | None


def read_versions_page(root: Element) -> VersionsPage:
    """Return the page in a ListObjectVersions answer; raises MalformedXml."""
    _require_root(root, "ListVersionsResult")
    versions = tuple(
        (_need(one, "Key"), _need(one, "VersionId"))
        for one in root.children
        if one.name in ("Version", "DeleteMarker")
    )
    if _need(root, "IsTruncated").strip().lower() != "true":
        return VersionsPage(versions=versions, next=None)
    return VersionsPage(
        versions=versions,
        next=(_need(root, "NextKeyMarker"), _need(root, "NextVersionIdMarker")),
    )


def read_is_versioned(root: Element) -> bool:
    """Return whether a bucket keeps versions, now or of former times."""
    _require_root(root, "VersioningConfiguration")
    return (root.text_of("Status") or "").strip() in ("Enabled", "Suspended")


def read_upload_id(root: Element) -> str:
    """Return the id of the upload that was begun; raises MalformedXml."""
    # rclone and some vendors name the root after the request.
    upload_id = _need(root, "UploadId").strip()
    if not _UPLOAD_ID.fullmatch(upload_id):
        raise MalformedXml("an upload id that is no plain text")
    return upload_id


def read_copied_etag(root: Element) -> str:
    """Return the ETag in CopyObject's or UploadPartCopy's answer."""
    if root.name not in ("CopyObjectResult", "CopyPartResult"):
        raise MalformedXml(f"the document is a {root.name}, not of a copy")
    return _need(root, "ETag").strip()


def read_completed_etag(root: Element) -> str:
    """Return the ETag in CompleteMultipartUpload's answer."""
    # Some providers name the root after something else; an Error has been seen to.
    return _need(root, "ETag").strip()


def read_parts_page(root: Element) -> tuple[tuple[NativePart, ...], bool]:
    """Return the parts of one ListParts page by number, and whether more follow."""
    _require_root(root, "ListPartsResult")
    parts = tuple(_read_part(one) for one in root.all("Part"))
    is_truncated = (root.text_of("IsTruncated") or "").strip().lower() == "true"
    return tuple(sorted(parts, key=lambda part: part.number)), is_truncated


def _read_part(part: Element) -> NativePart:
    try:
        return NativePart(
            number=parse_uint(_need(part, "PartNumber").strip()),
            etag=unquote_etag(_need(part, "ETag").strip()),
            stored_bytes=parse_uint(_need(part, "Size").strip()),
        )
    except ValueError:
        raise MalformedXml("a part without a proper number or size") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadsPage:
    """One page of uploads: (name, upload id, begun at); next: the next page's markers.

    Times are microseconds since 1970 UTC, None where the provider tells none.
    """

    uploads: tuple[tuple[str, str, int | None], ...]
    next: tuple[str, str] | None


def read_uploads_page(root: Element) -> UploadsPage:
    """Return the page in a ListMultipartUploads answer; raises MalformedXml."""
    _require_root(root, "ListMultipartUploadsResult")
    uploads = tuple(
        (
            _need(one, "Key"),
            _need(one, "UploadId"),
            parse_any_date((one.text_of("Initiated") or "").strip()),
        )
        for one in root.all("Upload")
    )
    if (root.text_of("IsTruncated") or "").strip().lower() != "true":
        return UploadsPage(uploads=uploads, next=None)
    return UploadsPage(
        uploads=uploads,
        next=(_need(root, "NextKeyMarker"), _need(root, "NextUploadIdMarker")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedDelete:
    """One deletion that the provider did not carry out."""

    key: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteResult:
    """A provider's answer to DeleteObjects; quiet answers have no deleted keys."""

    deleted: tuple[str, ...]
    failed: tuple[FailedDelete, ...]


def read_delete_result(root: Element) -> DeleteResult:
    """Return the outcomes in a DeleteObjects answer; raises MalformedXml."""
    _require_root(root, "DeleteResult")
    return DeleteResult(
        deleted=tuple(_need(one, "Key") for one in root.all("Deleted")),
        failed=tuple(
            FailedDelete(
                key=one.text_of("Key") or "",
                code=one.text_of("Code") or "",
                message=one.text_of("Message") or "",
            )
            for one in root.all("Error")
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorAnswer:
    """A provider's Error document, as far as it concerns us."""

    code: str
    message: str
    region: str | None = None
    server_time: str | None = None


def read_error(root: Element) -> ErrorAnswer:
    """Return the error in an Error document; raises MalformedXml."""
    # RGW and Swift wrap some errors in an ErrorResponse.
    error = root if root.name == "Error" else root.find("Error")
    if error is None:
        raise MalformedXml("no Error document")
    return ErrorAnswer(
        code=_need(error, "Code").strip(),
        message=error.text_of("Message") or "",
        region=error.text_of("Region"),
        server_time=error.text_of("ServerTime"),
    )


def _require_root(root: Element, name: str) -> None:
    if root.name != name:
        raise MalformedXml(f"the document is a {root.name}, not a {name}")


def _need(element: Element, name: str) -> str:
    text = element.text_of(name)
    if text is None:
        raise MalformedXml(f"no {name} in {element.name}")
    return text
