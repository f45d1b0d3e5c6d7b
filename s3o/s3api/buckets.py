"""Operations on buckets: list one's own, ask about one, make and delete one.

Accounts make buckets; those of the configuration are there already. CreateBucket of a
bucket that the caller may enter changes nothing and succeeds, because clients create
before they write.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
"""

import base64
import re
from collections.abc import Callable

from s3o.model import limits
from s3o.model.errors import (
    AccessDenied,
    AclNotSupported,
    InvalidArgument,
    InvalidLocation,
    NotSupported,
)
from s3o.model.names import BucketName, parse_bucket_name
from s3o.model.numbers import parse_uint
from s3o.model.tenants import BucketConfig, Permission
from s3o.objects.buckets import BucketDirectory
from s3o.s3api.call import Call
from s3o.s3api.documents import read_xml
from s3o.s3api.operation import ACL_HEADERS, Level, Operation
from s3o.s3api.owner import render_owner
from s3o.wire.client_documents import CREATE_BUCKET_ELEMENTS, read_create_bucket
from s3o.wire.dates import render_iso_date
from s3o.wire.headers import check_acl
from s3o.wire.xml_read import Element
from s3o.wire.xml_write import document, element, escape, leaf, optional_leaf

REGION_HEADER = "x-amz-bucket-region"
_NAMELESS_REGION = "us-east-1"  # whose buckets have an empty location

_LOCATION = re.compile(r"[A-Za-z0-9-]{0,63}", re.ASCII)

_CREATE_HEADERS = ACL_HEADERS | {
    *("x-amz-bucket-object-lock-enabled", "x-amz-object-ownership"),
    *("x-amz-bucket-namespace",),
}


class BucketOperations:
    """Serves the operations on buckets; region: the one that clients are told."""

    def __init__(self, buckets: BucketDirectory, region: Callable[[], str]) -> None:
        self._buckets = buckets
        self._region = region

    def operations(self) -> tuple[Operation, ...]:
        """Return the rows of the table that this serves."""
        return (
            Operation(
                name="ListBuckets",
                method="GET",
                level=Level.SERVICE,
                serve=self.list_buckets,
                needs=None,
            ),
            Operation(
                name="HeadBucket",
                method="HEAD",
                level=Level.BUCKET,
                serve=self.head_bucket,
                needs=None,
            ),
            Operation(
                name="CreateBucket",
                method="PUT",
                level=Level.BUCKET,
                serve=self.create_bucket,
                needs=None,
                headers=_CREATE_HEADERS,
            ),
            Operation(
                name="GetBucketLocation",
                method="GET",
                level=Level.BUCKET,
                serve=self.get_location,
                needs=None,
                subresource="location",
            ),
            Operation(
                name="DeleteBucket",
                method="DELETE",
                level=Level.BUCKET,
                serve=self.delete_bucket,
                needs=Permission.OWN,
            ),
        )

    async def list_buckets(self, call: Call) -> None:
        """ListBuckets: only what the caller owns, or clean-ups of others would fail."""
        query = call.query
        prefix = query.get("prefix") or ""
        limit = _parse_max_buckets(query.get("max-buckets"))
        after = _parse_token(query.get("continuation-token"))
        region = self._region()
        if query.get("bucket-region") not in (None, "", region):
            prefix, after = "", "\uffff"
        owner = call.caller.principal
        found = [
            bucket
            for bucket in self._buckets.owned_by(owner)
            if bucket.name.startswith(prefix) and bucket.name > after
        ]
        page, is_truncated = found[:limit], len(found) > limit
        entries = [
            element(
                "Bucket",
                [
                    leaf("Name", bucket.name),
                    leaf("CreationDate", render_iso_date(bucket.created_at_us)),
                    leaf("BucketRegion", region),
                ],
            )
            for bucket in page
        ]
        await call.respond_xml(
            document(
                "ListAllMyBucketsResult",
                [
                    render_owner(owner),
                    element("Buckets", entries),
                    optional_leaf(
                        "ContinuationToken",
                        _render_token(page[-1].name) if is_truncated else None,
                    ),
                    optional_leaf("Prefix", query.get("prefix")),
                ],
            )
        )

    async def head_bucket(self, call: Call) -> None:
        """HeadBucket: it exists and is the caller's, or this would not be asked."""
        await call.respond(
            200,
            [("content-type", "application/xml"), (REGION_HEADER, self._region())],
            b"",
        )

    async def get_location(self, call: Call) -> None:
        """GetBucketLocation: empty is S3's name for us-east-1."""
        region = self._region()
        told = "" if region == _NAMELESS_REGION else region
        await call.respond_xml(document("LocationConstraint", [escape(told)]))

    async def create_bucket(self, call: Call) -> None:
        """CreateBucket: 200 with its place, also for a bucket the caller has."""
        name = parse_bucket_name(call.target.bucket or "")
        _check_create_headers(call)
        root = await read_xml(
            call, limits.CREATE_BUCKET_XML_BYTES, CREATE_BUCKET_ELEMENTS
        )
        config = BucketConfig() if root is None else _read_creation(root)
        if call.named_bucket is None:
            if not call.caller.may_own:
                raise AccessDenied
            await self._buckets.create(call.caller.principal, name, config)
        await call.respond(200, [("location", f"/{name}")])

    async def delete_bucket(self, call: Call) -> None:
        """DeleteBucket: 204, and its uploads end with it."""
        if call.bucket.owner != call.caller.principal:
            raise AccessDenied
        await self._buckets.delete(call.bucket)
        await call.respond(204)


def _read_creation(root: Element) -> BucketConfig:
    """Return what a CreateBucketConfiguration asks for."""
    wanted = read_create_bucket(root)
    if wanted.unsupported:
        raise NotSupported(f"CreateBucket with {wanted.unsupported[0]}")
    if not _LOCATION.fullmatch(wanted.location_constraint or ""):
        raise InvalidLocation(wanted.location_constraint or "")
    return BucketConfig(tags=wanted.tags)


def _check_create_headers(call: Call) -> None:
    """Refuse what the bucket does not have and would not get."""
    fields = call.fields
    check_acl(fields)
    if fields.get("x-amz-bucket-object-lock-enabled", "false").lower() != "false":
        raise NotSupported("x-amz-bucket-object-lock-enabled")
    ownership = fields.get("x-amz-object-ownership", "BucketOwnerEnforced")
    if ownership != "BucketOwnerEnforced":
        raise AclNotSupported(ownership)
    if fields.get("x-amz-bucket-namespace", "global") != "global":
        raise NotSupported("x-amz-bucket-namespace")


def _parse_max_buckets(value: str | None) -> int:
    if not value:
        return limits.BUCKETS_PAGE
    try:
        return parse_uint(value, 1, limits.BUCKETS_PAGE)
    except ValueError:
        raise InvalidArgument("max-buckets", value, "not 1 to 10000") from None


def _render_token(name: BucketName) -> str:
    return base64.urlsafe_b64encode(name.encode("ascii")).decode("ascii")


def _parse_token(value: str | None) -> str:
    if not value:
        return ""
    try:
        return base64.b64decode(value, b"-_", validate=True).decode("ascii")
    except ValueError:
        raise InvalidArgument(
            "continuation-token", value, "The continuation token provided is incorrect"
        ) from None
