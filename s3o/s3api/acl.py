"""Access control lists, answered as a bucket with its owner enforced answers.

Reading them tells that the owner has everything. Writing what is the case already
succeeds, for clients set `private` as a matter of course; anything else is refused: an
ACL that is accepted and does nothing leaves open, or closed, what its client believes
to be otherwise.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
"""

from collections.abc import Awaitable, Callable

from s3o.model import limits
from s3o.model.errors import MalformedXml, MissingHeader, UnexpectedContent
from s3o.model.tenants import Permission, display_name
from s3o.objects.store import ObjectStore
from s3o.s3api.authorize import demand_credential
from s3o.s3api.call import Call
from s3o.s3api.documents import read_xml
from s3o.s3api.operation import ACL_HEADERS, Level, Operation
from s3o.s3api.owner import owner_id
from s3o.s3api.presence import VERSION_PARAMETER, expect_object
from s3o.wire.acl_documents import (
    ACL_ELEMENTS,
    OWNERSHIP_ELEMENTS,
    check_acl_document,
    check_ownership_document,
    render_acl,
    render_ownership,
)
from s3o.wire.headers import check_acl

_VERSION = frozenset({VERSION_PARAMETER})


class AccessControl:
    """Serves ?acl of buckets and objects, and ?ownershipControls."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def operations(self) -> tuple[Operation, ...]:
        """Return the rows of the table that this serves."""
        return (
            _bucket_row("GetBucketAcl", "GET", "acl", self.get_bucket_acl),
            _bucket_row("PutBucketAcl", "PUT", "acl", self.put_bucket_acl),
            Operation(
                name="GetObjectAcl",
                method="GET",
                level=Level.OBJECT,
                serve=self.get_object_acl,
                needs=Permission.READ,
                subresource="acl",
                parameters=_VERSION,
            ),
            Operation(
                name="PutObjectAcl",
                method="PUT",
                level=Level.OBJECT,
                serve=self.put_object_acl,
                needs=Permission.WRITE,
                subresource="acl",
                parameters=_VERSION,
                headers=ACL_HEADERS,
            ),
            _bucket_row(
                "GetBucketOwnershipControls",
                "GET",
                "ownershipControls",
                self.get_ownership,
            ),
            _bucket_row(
                "PutBucketOwnershipControls",
                "PUT",
                "ownershipControls",
                self.put_ownership,
            ),
        )

    async def get_bucket_acl(self, call: Call) -> None:
        """GetBucketAcl: the owner has full control."""
        await _respond_acl(call)

    async def put_bucket_acl(self, call: Call) -> None:
        """PutBucketAcl: only what is the case already."""
        await _check_new_acl(call)
        await call.respond(200)

    async def get_object_acl(self, call: Call) -> None:
        """GetObjectAcl: the bucket's owner has full control of all in it."""
        demand_credential(call.caller)
        await self._require_object(call, "GetObjectAcl")
        await _respond_acl(call)

    async def put_object_acl(self, call: Call) -> None:
        """PutObjectAcl: only what is the case already."""
        await _check_new_acl(call)
        await self._require_object(call, "PutObjectAcl")
        await call.respond(200)

    async def get_ownership(self, call: Call) -> None:
        """GetBucketOwnershipControls: BucketOwnerEnforced."""
        await call.respond_xml(render_ownership())

    async def put_ownership(self, call: Call) -> None:
        """PutBucketOwnershipControls: only what is the case already."""
        root = await read_xml(call, limits.XML_BYTES, OWNERSHIP_ELEMENTS)
        if root is None:
            raise MalformedXml("no document")
        check_ownership_document(root)
        await call.respond(200)

    async def _require_object(self, call: Call, operation: str) -> None:
        with expect_object(call):
            await self._objects.head(call.bucket, call.key, operation=operation)


def _bucket_row(
    name: str, method: str, subresource: str, serve: Callable[[Call], Awaitable[None]]
) -> Operation:
    is_put = method == "PUT"
    return Operation(
        name=name,
        method=method,
        level=Level.BUCKET,
        serve=serve,
        needs=Permission.OWN if is_put else None,
        subresource=subresource,
        headers=ACL_HEADERS if is_put and subresource == "acl" else frozenset(),
    )


async def _respond_acl(call: Call) -> None:
    principal = call.bucket.owner
    await call.respond_xml(render_acl(owner_id(principal), display_name(principal)))


async def _check_new_acl(call: Call) -> None:
    """Raise unless the ACL in the headers or in the body changes nothing."""
    check_acl(call.fields)
    is_in_header = "x-amz-acl" in call.fields
    root = await read_xml(call, limits.XML_BYTES, ACL_ELEMENTS)
    if root is None:
        if not is_in_header:
            raise MissingHeader("x-amz-acl")
        return
    if is_in_header:
        raise UnexpectedContent
    check_acl_document(root, owner_id(call.bucket.owner))
