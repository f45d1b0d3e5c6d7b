"""ListObjectVersions where every object has one version: `null`, and the latest.

Clients that empty a bucket list versions first, and name what they got in the delete.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
"""

from s3o.ledger.listing import Page
from s3o.model.errors import InvalidArgument
from s3o.model.tenants import Permission
from s3o.model.values import Bucket, ObjectVersion
from s3o.objects.store import ObjectStore
from s3o.s3api.call import Call
from s3o.s3api.listings import (
    ListRequest,
    parse_list_request,
    read_page,
    render_bounds,
    render_facts,
    render_prefixes,
)
from s3o.s3api.operation import Level, Operation
from s3o.s3api.owner import render_owner
from s3o.wire.target import Query
from s3o.wire.versions import NULL_VERSION
from s3o.wire.xml_write import document, leaf

_KEY_MARKER = "key-marker"
_VERSION_MARKER = "version-id-marker"


class VersionListing:
    """Serves ListObjectVersions."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def operations(self) -> tuple[Operation, ...]:
        """Return the rows of the table that this serves."""
        return (
            Operation(
                name="ListObjectVersions",
                method="GET",
                level=Level.BUCKET,
                serve=self.list,
                needs=Permission.LIST,
                subresource="versions",
            ),
        )

    async def list(self, call: Call) -> None:
        """ListObjectVersions: continues after a key, whose only version was shown."""
        request = parse_list_request(call.query)
        _check_version_marker(call.query)
        key_marker = call.query.get(_KEY_MARKER) or ""
        page = await read_page(self._objects, call.bucket, request, key_marker)
        await call.respond_xml(render_versions(call.bucket, request, page, call.query))


def _check_version_marker(query: Query) -> None:
    """Raise InvalidArgument for a marker that no page of ours has given."""
    value = query.get(_VERSION_MARKER)
    if value is None:
        return
    if not value:
        # Many clients send both markers from the start, empty.
        if query.get(_KEY_MARKER):
            raise InvalidArgument(
                _VERSION_MARKER, value, "A version-id marker cannot be empty."
            )
        return
    if not query.get(_KEY_MARKER):
        raise InvalidArgument(
            _VERSION_MARKER,
            value,
            "A version-id marker cannot be specified without a key marker.",
        )
    if value != NULL_VERSION:
        raise InvalidArgument(_VERSION_MARKER, value, "Invalid version id specified")


def render_versions(
    bucket: Bucket, request: ListRequest, page: Page, query: Query
) -> bytes:
    """Return the answer of ListObjectVersions."""
    encode = request.encode
    parts = [
        leaf("Name", bucket.name),
        f"<Prefix>{encode(request.prefix)}</Prefix>",
        f"<KeyMarker>{encode(query.get(_KEY_MARKER) or '')}</KeyMarker>",
        leaf("VersionIdMarker", query.get(_VERSION_MARKER) or ""),
    ]
    if page.next_after is not None:
        parts.append(f"<NextKeyMarker>{encode(page.next_after)}</NextKeyMarker>")
        if not isinstance(page.entries[-1], str):
            parts.append(leaf("NextVersionIdMarker", NULL_VERSION))
    parts += render_bounds(request, page)
    owner = render_owner(bucket.owner)
    parts += [
        f"<Version><Key>{encode(entry.key)}</Key>"
        f"<VersionId>{NULL_VERSION}</VersionId><IsLatest>true</IsLatest>"
        f"{render_facts(entry)}{owner}"
        f"<StorageClass>{entry.facts.storage_class}</StorageClass></Version>"
        for entry in page.entries
        if isinstance(entry, ObjectVersion)
    ]
    return document("ListVersionsResult", [*parts, *render_prefixes(page, encode)])
