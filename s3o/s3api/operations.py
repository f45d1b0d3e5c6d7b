"""The one table of operations, and what is refused because it is not in it.

A request is matched by method, level (service, bucket, object) and sub-resource. S3
speaks of a sub-resource by a query parameter, and of much else by a header; a server
that overlooks one does something other than it was asked: it stores a tag set as the
object, deletes the object instead of its tags. So every sub-resource and every
x-amz-* header that the matched operation does not know is refused, and never ignored.
Other query parameters (x-id, tracking) mean nothing and are skipped.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from s3o.model.errors import (
    InvalidArgument,
    InvalidRequest,
    MethodNotAllowed,
    NotSupported,
)
from s3o.objects.buckets import BucketDirectory
from s3o.objects.store import ObjectStore
from s3o.s3api.buckets import BucketOperations
from s3o.s3api.call import Call
from s3o.s3api.deletes import ObjectDeletes
from s3o.s3api.listings import ObjectListings
from s3o.s3api.objects_read import ObjectReads
from s3o.s3api.objects_write import ObjectWrites
from s3o.wire.target import Query, Target


class Level(StrEnum):
    """What a request is about."""

    SERVICE = "service"
    BUCKET = "bucket"
    OBJECT = "object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row: what selects it, who serves it, which headers it understands.

    subresource: the query parameter that selects it, or "".
    """

    name: str
    method: str
    level: Level
    serve: Callable[[Call], Awaitable[None]]
    subresource: str = ""
    headers: frozenset[str] = frozenset()


_ACL_HEADERS = frozenset(
    {
        *("x-amz-acl", "x-amz-grant-full-control", "x-amz-grant-read"),
        *("x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp"),
    }
)
_PUT_HEADERS = _ACL_HEADERS | {
    *("x-amz-storage-class", "x-amz-tagging", "x-amz-website-redirect-location"),
}
_CREATE_HEADERS = _ACL_HEADERS | {
    *("x-amz-bucket-object-lock-enabled", "x-amz-object-ownership"),
    *("x-amz-bucket-namespace",),
}
_DELETE_HEADERS = frozenset(
    {"x-amz-if-match-last-modified-time", "x-amz-if-match-size"}
)


def list_operations(
    buckets: BucketDirectory, objects: ObjectStore
) -> tuple[Operation, ...]:
    """Return the table."""
    on_buckets = BucketOperations(buckets)
    reads, writes = ObjectReads(objects), ObjectWrites(objects)
    deletes, listings = ObjectDeletes(objects), ObjectListings(objects)
    return (
        Operation(
            name="ListBuckets",
            method="GET",
            level=Level.SERVICE,
            serve=on_buckets.list_buckets,
        ),
        Operation(
            name="HeadBucket",
            method="HEAD",
            level=Level.BUCKET,
            serve=on_buckets.head_bucket,
        ),
        Operation(
            name="CreateBucket",
            method="PUT",
            level=Level.BUCKET,
            serve=on_buckets.create_bucket,
            headers=_CREATE_HEADERS,
        ),
        Operation(
            name="GetBucketLocation",
            method="GET",
            level=Level.BUCKET,
            subresource="location",
            serve=on_buckets.get_location,
        ),
        Operation(
            name="ListObjectsV1",
            method="GET",
            level=Level.BUCKET,
            serve=listings.list_v1,
        ),
        Operation(
            name="ListObjectsV2",
            method="GET",
            level=Level.BUCKET,
            subresource="list-type",
            serve=listings.list_v2,
        ),
        Operation(
            name="DeleteObjects",
            method="POST",
            level=Level.BUCKET,
            subresource="delete",
            serve=deletes.delete_many,
        ),
        Operation(
            name="PutObject",
            method="PUT",
            level=Level.OBJECT,
            serve=writes.put,
            headers=_PUT_HEADERS,
        ),
        Operation(name="GetObject", method="GET", level=Level.OBJECT, serve=reads.get),
        Operation(
            name="HeadObject", method="HEAD", level=Level.OBJECT, serve=reads.head
        ),
        Operation(
            name="DeleteObject",
            method="DELETE",
            level=Level.OBJECT,
            serve=deletes.delete,
            headers=_DELETE_HEADERS,
        ),
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
        self._rows: dict[tuple[Level, str, str], Operation] = {
            (row.level, row.method, row.subresource): row for row in operations
        }
        assert len(self._rows) == len(operations)

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
        subresource = ""
        if target.query.pairs:
            _refuse_contradictions(method, level, target.query)
            subresource = self._find_subresource(method, level, target.query)
        operation = self._rows.get((level, method, subresource))
        if operation is None:
            raise MethodNotAllowed(method, self._allowed(level, subresource))
        _check_headers(operation, fields)
        return operation

    def _find_subresource(self, method: str, level: Level, query: Query) -> str:
        asked = [name for name, _ in query.pairs if is_subresource(name)]
        for name in asked:
            if (level, method, name) not in self._rows or name != asked[0]:
                raise NotSupported(f"?{name}")
        return asked[0] if asked else ""

    def _allowed(self, level: Level, subresource: str) -> tuple[str, ...]:
        return tuple(
            sorted(
                method
                for (its_level, method, its_subresource) in self._rows
                if (its_level, its_subresource) == (level, subresource)
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
