"""The headers of an object: what a PUT keeps, what a GET gives back.

Values stay as they came, byte for byte (header text here is Latin-1, one character per
byte). Content-Encoding loses its aws-chunked tokens, which speak of the transfer.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
"""

import re
from collections.abc import Iterable, Mapping

from s3o.model import limits
from s3o.model.errors import (
    AclNotSupported,
    InvalidArgument,
    InvalidRedirect,
    InvalidStorageClass,
    MetadataTooLarge,
)
from s3o.model.values import ObjectFacts, ObjectVersion, Pairs
from s3o.wire.conditions import quote_etag
from s3o.wire.dates import render_http_date
from s3o.wire.tags import parse_tagging_header

DEFAULT_CONTENT_TYPE = "binary/octet-stream"
METADATA_PREFIX = "x-amz-meta-"

_REDIRECT = "x-amz-website-redirect-location"
_REDIRECT_PREFIXES = ("/", "http://", "https://")
_STANDARD_HEADERS = (
    *("cache-control", "content-disposition", "content-encoding", "content-language"),
    *("expires", _REDIRECT),
)
_STORAGE_CLASSES = frozenset(
    {
        *("STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA"),
        *("INTELLIGENT_TIERING", "GLACIER", "GLACIER_IR", "DEEP_ARCHIVE"),
        *("OUTPOSTS", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP"),
    }
)
# What AWS's own default, bucket-owner-enforced, lets pass.
_HARMLESS_ACLS = frozenset({"private", "bucket-owner-full-control"})
_OTHER_ACLS = frozenset(
    {
        *("public-read", "public-read-write", "authenticated-read"),
        *("aws-exec-read", "bucket-owner-read", "log-delivery-write"),
    }
)
# response-* parameters of a GET and the header each replaces.
OVERRIDES: Mapping[str, str] = {
    "response-cache-control": "cache-control",
    "response-content-disposition": "content-disposition",
    "response-content-encoding": "content-encoding",
    "response-content-language": "content-language",
    "response-content-type": "content-type",
    "response-expires": "expires",
}
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def parse_object_facts(fields: Mapping[str, str]) -> ObjectFacts:
    """Return what a PUT's headers say of the object; raises RequestError.

    fields: all of the request, names lower-case, repeats joined with a comma.
    """
    check_acl(fields)
    standard = {
        name: fields[name] for name in _STANDARD_HEADERS if fields.get(name, "")
    }
    encoding = _strip_aws_chunked(standard.pop("content-encoding", ""))
    if encoding:
        standard["content-encoding"] = encoding
    redirect = standard.get(_REDIRECT, "/")
    if not redirect.startswith(_REDIRECT_PREFIXES):
        raise InvalidRedirect(redirect)
    return ObjectFacts(
        content_type=fields.get("content-type") or DEFAULT_CONTENT_TYPE,
        headers=tuple(sorted(standard.items())),
        metadata=_parse_metadata(fields),
        tags=parse_tagging_header(fields.get("x-amz-tagging", "")),
        storage_class=_parse_storage_class(fields.get("x-amz-storage-class")),
    )


def _strip_aws_chunked(value: str) -> str:
    tokens = [token.strip(" \t") for token in value.split(",")]
    kept = ",".join(
        token for token in tokens if token and token.lower() != "aws-chunked"
    )
    if len(kept) > limits.CONTENT_ENCODING_BYTES:
        raise InvalidArgument("Content-Encoding", kept, "too long")
    return kept


def _parse_metadata(fields: Mapping[str, str]) -> Pairs:
    metadata = tuple(
        (name.removeprefix(METADATA_PREFIX), value)
        for name, value in fields.items()
        if name.startswith(METADATA_PREFIX)
    )
    size = sum(len(name) + len(value) for name, value in metadata)
    if size > limits.USER_METADATA_BYTES:
        raise MetadataTooLarge(size, limits.USER_METADATA_BYTES)
    for name, value in metadata:
        if not name:
            raise InvalidArgument(METADATA_PREFIX, value, "metadata without a name")
    return metadata


def _parse_storage_class(value: str | None) -> str:
    if value is None:
        return "STANDARD"
    if value not in _STORAGE_CLASSES:
        raise InvalidStorageClass(value)
    return value


def check_acl(fields: Mapping[str, str]) -> None:
    """Raise AclNotSupported or InvalidArgument for an ACL that would mean something."""
    acl = fields.get("x-amz-acl")
    if acl is not None and acl not in _HARMLESS_ACLS:
        if acl in _OTHER_ACLS:
            raise AclNotSupported(acl)
        raise InvalidArgument("x-amz-acl", acl, "no canned ACL")
    for name in fields:
        if name.startswith("x-amz-grant-"):
            raise AclNotSupported(name)


def parse_overrides(parameters: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers that response-* parameters of a GET replace.

    Raises InvalidArgument for a value that could end a header.
    """
    replaced: dict[str, str] = {}
    for name, value in parameters:
        header = OVERRIDES.get(name)
        if header is None:
            continue
        replaced[header] = encode_header_value(name, value)
    return replaced


def encode_header_value(name: str, value: str) -> str:
    """Return a query parameter's text as a header's; raises InvalidArgument."""
    if _UNSAFE.search(value):
        raise InvalidArgument(name, value, "control characters")
    return value.strip(" \t").encode("utf-8").decode("latin-1")


def render_object_headers(
    version: ObjectVersion, overrides: Mapping[str, str] | None = None
) -> list[tuple[str, str]]:
    """Return the headers of a GET or HEAD answer, without length and range."""
    facts = version.facts
    headers = [
        ("accept-ranges", "bytes"),
        ("last-modified", render_http_date(version.created_at_us)),
        ("etag", quote_etag(version.etag)),
    ]
    described = [("content-type", facts.content_type), *facts.headers]
    if overrides:
        described = [pair for pair in described if pair[0] not in overrides]
        described += overrides.items()
    headers += described
    headers += [(METADATA_PREFIX + name, value) for name, value in facts.metadata]
    if facts.storage_class != "STANDARD":
        headers.append(("x-amz-storage-class", facts.storage_class))
    if facts.tags:
        headers.append(("x-amz-tagging-count", str(len(facts.tags))))
    return headers


# RFC 9110 section 15.4.5: what a 304 keeps of the answer it stands for.
_NOT_MODIFIED_HEADERS = frozenset({"cache-control", "expires", "vary"})


def render_not_modified_headers(version: ObjectVersion) -> list[tuple[str, str]]:
    """Return the headers of a 304 answer."""
    return [
        ("last-modified", render_http_date(version.created_at_us)),
        ("etag", quote_etag(version.etag)),
        *(pair for pair in version.facts.headers if pair[0] in _NOT_MODIFIED_HEADERS),
    ]
