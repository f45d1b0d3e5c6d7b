"""ListObjects, version 1 and 2: parse the parameters, page, render.

Element names and their order are contract. A continuation token is bound to the
listing it continues; one of another listing is refused, for it would skip keys.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from s3o.ledger.listing import Page
from s3o.model import limits
from s3o.model.errors import InvalidArgument
from s3o.model.numbers import parse_uint
from s3o.model.tenants import Permission
from s3o.model.values import Bucket, ObjectVersion
from s3o.objects.store import ObjectStore
from s3o.s3api.call import Call
from s3o.s3api.operation import Level, Operation
from s3o.s3api.owner import render_owner
from s3o.wire.dates import render_iso_date
from s3o.wire.target import Query
from s3o.wire.xml_write import document, escape, leaf, optional_leaf, url_encode

_MAX_KEYS = (1 << 31) - 1
_BINDING_BYTES = 8
_EMPTY = Page(entries=(), next_after=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRequest:
    """What both versions of the operation have in common."""

    prefix: str
    delimiter: str
    limit: int
    is_url_encoded: bool

    @property
    def encode(self) -> Callable[[str], str]:
        """How names are written in the answer."""
        return url_encode if self.is_url_encoded else escape


def parse_list_request(query: Query) -> ListRequest:
    """Return the common parameters of a listing; raises InvalidArgument."""
    encoding = query.get("encoding-type")
    if encoding not in (None, "url"):
        raise InvalidArgument(
            "encoding-type",
            encoding or "",
            "Invalid Encoding Method specified in Request",
        )
    return ListRequest(
        prefix=query.get("prefix") or "",
        delimiter=query.get("delimiter") or "",
        limit=_parse_max_keys(query.get("max-keys")),
        is_url_encoded=encoding is not None,
    )


def _parse_max_keys(value: str | None) -> int:
    if not value:
        return limits.LIST_KEYS
    try:
        return min(parse_uint(value, 0, _MAX_KEYS), limits.LIST_KEYS)
    except ValueError:
        raise InvalidArgument(
            "max-keys",
            value,
            f"Argument maxKeys must be an integer between 0 and {_MAX_KEYS}",
        ) from None


class ObjectListings:
    """Serves ListObjectsV1 and ListObjectsV2."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def operations(self) -> tuple[Operation, ...]:
        """Return the rows of the table that this serves."""
        return (
            Operation(
                name="ListObjectsV1",
                method="GET",
                level=Level.BUCKET,
                serve=self.list_v1,
                needs=Permission.LIST,
            ),
            Operation(
                name="ListObjectsV2",
                method="GET",
                level=Level.BUCKET,
                serve=self.list_v2,
                needs=Permission.LIST,
                subresource="list-type",
            ),
        )

    async def list_v1(self, call: Call) -> None:
        """ListObjects: continues after a marker, which is a name."""
        request = parse_list_request(call.query)
        marker = call.query.get("marker") or ""
        page = await read_page(self._objects, call.bucket, request, marker)
        # AWS says where to go on only when it is not plain from the last key.
        next_marker = page.next_after if request.delimiter else None
        await call.respond_xml(
            render_list_v1(call.bucket, request, page, marker, next_marker)
        )

    async def list_v2(self, call: Call) -> None:
        """ListObjectsV2: continues after an opaque token, which beats start-after."""
        version = call.query.get("list-type")
        if version != "2":
            raise InvalidArgument("list-type", version or "", "Invalid list-type")
        request = parse_list_request(call.query)
        token = call.query.get("continuation-token")
        start_after = call.query.get("start-after")
        after = (
            parse_token(call.bucket, request, token)
            if token is not None
            else start_after or ""
        )
        page = await read_page(self._objects, call.bucket, request, after)
        await call.respond_xml(
            render_list_v2(
                call.bucket,
                request,
                page,
                token=token,
                start_after=start_after,
                has_owner=(call.query.get("fetch-owner") or "").lower() == "true",
            )
        )


async def read_page(
    objects: ObjectStore, bucket: Bucket, request: ListRequest, after: str
) -> Page:
    """Return what a listing shows behind after; none asked for is none left."""
    if request.limit == 0:
        return _EMPTY
    return await objects.list(
        bucket,
        prefix=request.prefix,
        delimiter=request.delimiter,
        after=after,
        limit=request.limit,
    )


def render_token(bucket: Bucket, request: ListRequest, after: str) -> str:
    """Return the token that continues this listing behind after."""
    raw = _binding(bucket, request) + after.encode("utf-8")
    return base64.urlsafe_b64encode(raw).decode("ascii")


def parse_token(bucket: Bucket, request: ListRequest, token: str) -> str:
    """Return what a token of this very listing continues after.

    Raises InvalidArgument for any other, an empty one included.
    """
    try:
        raw = base64.b64decode(token, b"-_", validate=True)
        if raw[:_BINDING_BYTES] == _binding(bucket, request):
            return raw[_BINDING_BYTES:].decode("utf-8")
    except ValueError:
        pass
    raise InvalidArgument(
        "continuation-token", token, "The continuation token provided is incorrect"
    )


def _binding(bucket: Bucket, request: ListRequest) -> bytes:
    listing = repr((bucket.id, request.prefix, request.delimiter))
    return hashlib.sha256(listing.encode("utf-8", "replace")).digest()[:_BINDING_BYTES]


def render_list_v1(
    bucket: Bucket,
    request: ListRequest,
    page: Page,
    marker: str,
    next_marker: str | None,
) -> bytes:
    """Return the answer of ListObjects."""
    encode = request.encode
    parts = [
        leaf("Name", bucket.name),
        f"<Prefix>{encode(request.prefix)}</Prefix>",
        f"<Marker>{encode(marker)}</Marker>",
    ]
    if next_marker is not None:
        parts.append(f"<NextMarker>{encode(next_marker)}</NextMarker>")
    parts += render_bounds(request, page)
    parts += _render_entries(page, encode, render_owner(bucket.owner))
    return document("ListBucketResult", parts)


def render_list_v2(
    bucket: Bucket,
    request: ListRequest,
    page: Page,
    *,
    token: str | None,
    start_after: str | None,
    has_owner: bool,
) -> bytes:
    """Return the answer of ListObjectsV2."""
    encode = request.encode
    parts = [
        leaf("Name", bucket.name),
        f"<Prefix>{encode(request.prefix)}</Prefix>",
        optional_leaf("ContinuationToken", token),
    ]
    if page.next_after is not None:
        following = render_token(bucket, request, page.next_after)
        parts.append(leaf("NextContinuationToken", following))
    if start_after is not None:
        parts.append(f"<StartAfter>{encode(start_after)}</StartAfter>")
    parts.append(f"<KeyCount>{len(page.entries)}</KeyCount>")
    parts += render_bounds(request, page)
    owner = render_owner(bucket.owner) if has_owner else ""
    parts += _render_entries(page, encode, owner)
    return document("ListBucketResult", parts)


def render_bounds(request: ListRequest, page: Page) -> list[str]:
    """Return the elements that say how much a page may hold, and whether it does."""
    parts = [f"<MaxKeys>{request.limit}</MaxKeys>"]
    if request.delimiter:
        parts.append(f"<Delimiter>{request.encode(request.delimiter)}</Delimiter>")
    if request.is_url_encoded:
        parts.append("<EncodingType>url</EncodingType>")
    is_truncated = "true" if page.next_after is not None else "false"
    parts.append(f"<IsTruncated>{is_truncated}</IsTruncated>")
    return parts


def _render_entries(page: Page, encode: Callable[[str], str], owner: str) -> list[str]:
    contents = [
        _render_object(entry, encode, owner)
        for entry in page.entries
        if not isinstance(entry, str)
    ]
    return contents + render_prefixes(page, encode)


def render_prefixes(page: Page, encode: Callable[[str], str]) -> list[str]:
    """Return the elements of a page's common prefixes."""
    return [
        f"<CommonPrefixes><Prefix>{encode(entry)}</Prefix></CommonPrefixes>"
        for entry in page.entries
        if isinstance(entry, str)
    ]


def render_facts(version: ObjectVersion) -> str:
    """Return what every listing says of an object: date, ETag, checksum, size."""
    checksum = ""
    if version.checksum is not None:
        checksum = (
            f"<ChecksumAlgorithm>{version.checksum.algorithm}</ChecksumAlgorithm>"
            f"<ChecksumType>{version.checksum.type}</ChecksumType>"
        )
    return (
        f"<LastModified>{render_iso_date(version.created_at_us)}</LastModified>"
        f"<ETag>&quot;{escape(version.etag)}&quot;</ETag>{checksum}"
        f"<Size>{version.size}</Size>"
    )


def _render_object(
    version: ObjectVersion, encode: Callable[[str], str], owner: str
) -> str:
    return (
        f"<Contents><Key>{encode(version.key)}</Key>{render_facts(version)}{owner}"
        f"<StorageClass>{version.facts.storage_class}</StorageClass></Contents>"
    )
