"""The documents backends answer with: ListBucketResult, DeleteResult and Error.

Those of multipart uploads and copies are in backend_uploads.

What a provider says is hearsay: a document that misses what we need, or repeats its
token, is MalformedXml, and the caller counts it as the backend's failure. Elements we
do not know are the provider's own and are skipped.
"""

from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from s3o.model.errors import MalformedXml
from s3o.model.numbers import parse_uint
from s3o.model.values import BlobPage, ListedBlob
from s3o.wire.conditions import unquote_etag
from s3o.wire.dates import parse_any_date
from s3o.wire.xml_read import Element


def read_list_page(root: Element) -> BlobPage:
    """Return the page in a ListObjectsV2 answer; raises MalformedXml.

    Names come back decoded where the provider honoured encoding-type=url.
    """
    require_root(root, "ListBucketResult")
    is_encoded = root.text_of("EncodingType") == "url"
    blobs = tuple(_read_blob(one, is_encoded) for one in root.all("Contents"))
    is_truncated = need(root, "IsTruncated").strip().lower() == "true"
    token = root.text_of("NextContinuationToken")
    if is_truncated and not token:
        raise MalformedXml("truncated without a token")
    return BlobPage(blobs=blobs, next_token=token if is_truncated else None)


def _read_blob(contents: Element, is_encoded: bool) -> ListedBlob:
    name = need(contents, "Key")
    try:
        size = parse_uint(need(contents, "Size").strip())
        if is_encoded:
            name = decode_name(name)
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
    require_root(root, "ListVersionsResult")
    versions = tuple(
        (need(one, "Key"), need(one, "VersionId"))
        for one in root.children
        if one.name in ("Version", "DeleteMarker")
    )
    if need(root, "IsTruncated").strip().lower() != "true":
        return VersionsPage(versions=versions, next=None)
    return VersionsPage(
        versions=versions,
        next=(need(root, "NextKeyMarker"), need(root, "NextVersionIdMarker")),
    )


def read_is_versioned(root: Element) -> bool:
    """Return whether a bucket keeps versions, now or of former times."""
    require_root(root, "VersioningConfiguration")
    return (root.text_of("Status") or "").strip() in ("Enabled", "Suspended")


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
    require_root(root, "DeleteResult")
    return DeleteResult(
        deleted=tuple(need(one, "Key") for one in root.all("Deleted")),
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
        code=need(error, "Code").strip(),
        message=error.text_of("Message") or "",
        region=error.text_of("Region"),
        server_time=error.text_of("ServerTime"),
    )


def decode_name(text: str) -> str:
    """Return a name of a listing with encoding-type=url; raises ValueError."""
    # Some providers write a space as "+"; a literal plus is always %2B.
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")


def require_root(root: Element, name: str) -> None:
    """Raise MalformedXml unless the document is called name."""
    if root.name != name:
        raise MalformedXml(f"the document is a {root.name}, not a {name}")


def need(element: Element, name: str) -> str:
    """Return the text of a child that must be there; raises MalformedXml."""
    text = element.text_of(name)
    if text is None:
        raise MalformedXml(f"no {name} in {element.name}")
    return text
