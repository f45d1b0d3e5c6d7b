"""The one table of operations, and what is refused because it is not in it.

A request is matched by method, level (service, bucket, object) and sub-resource. S3
speaks of a sub-resource by a query parameter, and of much else by a header; a server
that overlooks one does something other than it was asked: it stores a tag set as the
object, deletes the object instead of its tags. So every sub-resource and every
x-amz-* header that the matched operation does not know is refused, and never ignored.
Other query parameters (x-id, tracking) mean nothing and are skipped.
"""

from collections.abc import Callable, Mapping, Sequence

from s3o.model.errors import (
    InvalidArgument,
    InvalidRequest,
    MethodNotAllowed,
    NotSupported,
)
from s3o.objects.buckets import BucketDirectory
from s3o.objects.store import ObjectStore
from s3o.s3api.acl import AccessControl
from s3o.s3api.attributes import ObjectAttributes
from s3o.s3api.bucket_config import BucketConfiguration
from s3o.s3api.bucket_probes import BucketProbes
from s3o.s3api.buckets import BucketOperations
from s3o.s3api.copies import ObjectCopies
from s3o.s3api.deletes import ObjectDeletes
from s3o.s3api.listings import ObjectListings
from s3o.s3api.objects_post import ObjectForms
from s3o.s3api.objects_read import ObjectReads
from s3o.s3api.objects_write import ObjectWrites
from s3o.s3api.operation import Level, Operation
from s3o.s3api.owner import EXPECTED_OWNER_HEADER, EXPECTED_SOURCE_OWNER_HEADER
from s3o.s3api.part_copies import PartCopies
from s3o.s3api.tagging import ObjectTagging
from s3o.s3api.upload_completion import UploadCompletion
from s3o.s3api.uploads import MultipartUploads
from s3o.s3api.version_listing import VersionListing
from s3o.wire.target import Query, Target


def list_operations(
    buckets: BucketDirectory, objects: ObjectStore, region: Callable[[], str]
) -> tuple[Operation, ...]:
    """Return the table; region: the one that clients are told."""
    return (
        *BucketOperations(buckets, region).operations(),
        *BucketConfiguration(buckets).operations(),
        *BucketProbes().operations(),
        *ObjectListings(objects).operations(),
        *ObjectReads(objects).operations(),
        *ObjectWrites(objects).operations(),
        *ObjectForms(objects).operations(),
        *ObjectDeletes(objects).operations(),
        *ObjectCopies(objects).operations(),
        *PartCopies(objects).operations(),
        *MultipartUploads(objects.uploads).operations(),
        *UploadCompletion(objects.uploads).operations(),
        *ObjectTagging(objects).operations(),
        *ObjectAttributes(objects).operations(),
        *VersionListing(objects).operations(),
        *AccessControl(objects).operations(),
    )


# Every query parameter by which S3 means something else than the plain operation.
SUBRESOURCES = frozenset(
    {
        *("abac", "accelerate", "acl", "analytics", "annotation", "annotations"),
        *("append", "attributes", "cors", "delete", "encryption"),
        *("intelligent-tiering", "inventory", "legal-hold", "lifecycle", "list-type"),
        *("location", "logging", "metrics", "notification", "object-lock"),
        *("ownershipControls", "partNumber", "policy", "policyStatus"),
        *("publicAccessBlock", "renameObject", "replication", "requestPayment"),
        *("restore", "retention", "select", "select-type", "session", "tagging"),
        *("torrent", "uploadId", "uploads", "versionId", "versioning", "versions"),
        *("website",),
    }
)
_SUBRESOURCE_PREFIX = "metadata"  # metadata tables and whatever follows them

# Headers that ask for nothing, or that authentication and the body reader answer to.
_HARMLESS_HEADERS = frozenset(
    {
        *("x-amz-date", "x-amz-content-sha256", "x-amz-decoded-content-length"),
        *("x-amz-security-token", "x-amz-sdk-checksum-algorithm", "x-amz-trailer"),
        *("x-amz-user-agent", "x-amz-request-payer", "x-amz-te", "x-amz-cf-id"),
        # The door, and for a copy's source the call, compare them with the owner.
        *(EXPECTED_OWNER_HEADER, EXPECTED_SOURCE_OWNER_HEADER),
        # The C++ SDK (pyarrow) names the API version it was built for.
        "x-amz-api-version",
        # AWS refuses it on a bucket without lock and so breaks clean-ups: ignored.
        "x-amz-bypass-governance-retention",
        # It asks for elements that objects here never have.
        "x-amz-optional-object-attributes",
    }
)
_HARMLESS_PREFIXES = ("x-amz-checksum-", "x-amz-meta-")
_COPY_SOURCE = "x-amz-copy-source"


class Router:
    """Finds the operation of a request."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._rows: dict[tuple[Level, str, str, str], Operation] = {
            (row.level, row.method, row.subresource, row.header): row
            for row in operations
        }
        assert len(self._rows) == len(operations), "two rows of one request"
        self._headers = sorted({row.header for row in operations if row.header})

    def route(
        self, method: str, target: Target, fields: Mapping[str, str]
    ) -> Operation:
        """Return the one operation asked for.

        Raises NotSupported, MethodNotAllowed, InvalidArgument, InvalidRequest.
        """
        level = level_of(target)
        if _COPY_SOURCE in fields and (method, level) != ("PUT", Level.OBJECT):
            raise InvalidArgument(
                _COPY_SOURCE,
                fields[_COPY_SOURCE],
                "You can only specify a copy source header for copy requests.",
            )
        asked: list[str] = []
        if target.query.pairs:
            _refuse_contradictions(method, level, target.query)
            asked = [name for name, _ in target.query.pairs if is_subresource(name)]
        operation = self._find(level, method, asked, fields)
        _check_headers(operation, fields)
        return operation

    def _find(
        self, level: Level, method: str, asked: list[str], fields: Mapping[str, str]
    ) -> Operation:
        for subresource in (*asked, ""):
            row = self._row(level, method, subresource, fields)
            if row is None:
                continue
            others = [name for name in asked if name != subresource]
            if row.parameters.issuperset(others):
                return row
        if asked:
            unknown = [
                name for name in asked if (level, method, name, "") not in self._rows
            ]
            raise NotSupported(f"?{(unknown or asked)[0]}")
        raise MethodNotAllowed(method, self._allowed(level))

    def _row(
        self, level: Level, method: str, subresource: str, fields: Mapping[str, str]
    ) -> Operation | None:
        for header in self._headers:
            if header in fields:
                row = self._rows.get((level, method, subresource, header))
                if row is not None:
                    return row
        return self._rows.get((level, method, subresource, ""))

    def _allowed(self, level: Level) -> tuple[str, ...]:
        return tuple(
            sorted(
                method
                for (its_level, method, subresource, header) in self._rows
                if (its_level, subresource, header) == (level, "", "")
            )
        )


def level_of(target: Target) -> Level:
    """Return what a target is about."""
    if target.bucket is None:
        return Level.SERVICE
    return Level.BUCKET if target.key is None else Level.OBJECT


def is_plain_bucket(target: Target) -> bool:
    """Whether a target is a bucket without any sub-resource."""
    return level_of(target) is Level.BUCKET and not any(
        is_subresource(name) for name in target.query.names
    )


def is_subresource(name: str) -> bool:
    """Whether a query parameter changes what a request means."""
    return name in SUBRESOURCES or name.startswith(_SUBRESOURCE_PREFIX)


def _refuse_contradictions(method: str, level: Level, query: Query) -> None:
    """Refuse what S3 itself calls a client's error, before what we do not have."""
    if level is Level.OBJECT and method == "PUT":
        if query.has("partNumber") and not query.has("uploadId"):
            raise InvalidArgument(
                "partNumber",
                query.get("partNumber") or "",
                "This operation does not accept a query-string parameter partNumber",
            )
        if query.has("uploadId") and not query.has("partNumber"):
            raise MethodNotAllowed(method, ("DELETE", "GET", "POST"))
    if level is Level.OBJECT and (
        query.has("versions") or (method == "GET" and query.has("uploads"))
    ):
        raise InvalidRequest("There is no such thing as a sub-resource of a key.")


def _check_headers(operation: Operation, fields: Mapping[str, str]) -> None:
    for name in fields:
        if (
            name.startswith("x-amz-")
            and name not in _HARMLESS_HEADERS
            and name not in operation.headers
            and not name.startswith(_HARMLESS_PREFIXES)
        ):
            raise NotSupported(name)
