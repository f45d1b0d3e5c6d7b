"""What one row of the table of operations says.

Each module that serves operations lists its own rows; s3api/operations.py joins them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from s3o.model.tenants import Permission
from s3o.s3api.call import Call


class Level(StrEnum):
    """What a request is about."""

    SERVICE = "service"
    BUCKET = "bucket"
    OBJECT = "object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row: what selects it, who serves it, which headers it understands.

    subresource: the query parameter that selects it, or "". parameters: further
    sub-resource parameters that it understands (UploadPart: partNumber beside
    uploadId). header: a header whose presence selects the row over the one without
    (CopyObject beside PutObject). needs: the permission that the door demands of the
    caller, in the bucket and for the key; None where being let into the bucket is
    enough, or where the operation itself decides.
    """

    name: str
    method: str
    level: Level
    serve: Callable[[Call], Awaitable[None]]
    needs: Permission | None
    subresource: str = ""
    parameters: frozenset[str] = frozenset()
    header: str = ""
    headers: frozenset[str] = frozenset()


ACL_HEADERS = frozenset(
    {
        *("x-amz-acl", "x-amz-grant-full-control", "x-amz-grant-read"),
        *("x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp"),
    }
)
# What describes a new object: PutObject, CreateMultipartUpload, CopyObject.
OBJECT_HEADERS = ACL_HEADERS | {
    *("x-amz-storage-class", "x-amz-tagging", "x-amz-website-redirect-location"),
}
