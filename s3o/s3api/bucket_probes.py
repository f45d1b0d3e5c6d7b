"""What clients ask of every bucket, and what the answer always is.

Consoles, backup programs and Terraform read all of these before they do anything, and
give up at an answer that is not S3's. Nothing of it can be switched on here, so each
answer is the truth: empty, or S3's 404. Setting it is 501; taking away what is not
there succeeds.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from collections.abc import Awaitable, Callable
from functools import partial

from s3o.model import errors
from s3o.model.errors import NotConfigured
from s3o.model.tenants import Permission
from s3o.s3api.call import Call
from s3o.s3api.operation import Level, Operation
from s3o.wire.xml_write import document, leaf

_EMPTY = {
    "accelerate": ("GetBucketAccelerateConfiguration", "AccelerateConfiguration"),
    "logging": ("GetBucketLogging", "BucketLoggingStatus"),
    "notification": (
        "GetBucketNotificationConfiguration",
        "NotificationConfiguration",
    ),
    "versioning": ("GetBucketVersioning", "VersioningConfiguration"),
}
# Lists of named configurations; a single one is asked for with its id.
_LISTS = {
    "analytics": (
        "ListBucketAnalyticsConfigurations",
        "ListBucketAnalyticsConfigurationResult",
    ),
    "intelligent-tiering": (
        "ListBucketIntelligentTieringConfigurations",
        "ListBucketIntelligentTieringConfigurationsOutput",
    ),
    "inventory": (
        "ListBucketInventoryConfigurations",
        "ListInventoryConfigurationsResult",
    ),
    "metrics": (
        "ListBucketMetricsConfigurations",
        "ListMetricsConfigurationsResult",
    ),
}
_ABSENT: dict[str, tuple[str, type[NotConfigured]]] = {
    "encryption": ("GetBucketEncryption", errors.NoEncryptionConfiguration),
    "object-lock": ("GetObjectLockConfiguration", errors.NoObjectLockConfiguration),
    "policy": ("GetBucketPolicy", errors.NoBucketPolicy),
    "policyStatus": ("GetBucketPolicyStatus", errors.NoBucketPolicy),
    "publicAccessBlock": ("GetPublicAccessBlock", errors.NoPublicAccessBlock),
    "replication": ("GetBucketReplication", errors.NoReplicationConfiguration),
    "website": ("GetBucketWebsite", errors.NoWebsiteConfiguration),
}
_DELETES = {
    "encryption": "DeleteBucketEncryption",
    "policy": "DeleteBucketPolicy",
    "publicAccessBlock": "DeletePublicAccessBlock",
    "replication": "DeleteBucketReplication",
    "website": "DeleteBucketWebsite",
}
_PAYER = ("RequestPaymentConfiguration", leaf("Payer", "BucketOwner"))


class BucketProbes:
    """Serves what is the same for every bucket."""

    def operations(self) -> tuple[Operation, ...]:
        """Return the rows of the table that this serves."""
        get = partial(_row, method="GET", needs=None)
        return (
            *(
                get(name=name, subresource=subresource, serve=_answering(root))
                for subresource, (name, root) in _EMPTY.items()
            ),
            *(
                get(name=name, subresource=subresource, serve=_listing(root))
                for subresource, (name, root) in _LISTS.items()
            ),
            *(
                get(name=name, subresource=subresource, serve=_missing(error))
                for subresource, (name, error) in _ABSENT.items()
            ),
            get(
                name="GetBucketRequestPayment",
                subresource="requestPayment",
                serve=_answering(*_PAYER),
            ),
            *(
                _row(
                    name=name,
                    subresource=subresource,
                    serve=_nothing_to_delete,
                    method="DELETE",
                    needs=Permission.OWN,
                )
                for subresource, name in _DELETES.items()
            ),
        )


def _row(
    *,
    name: str,
    subresource: str,
    serve: Callable[[Call], Awaitable[None]],
    method: str,
    needs: Permission | None,
) -> Operation:
    return Operation(
        name=name,
        method=method,
        level=Level.BUCKET,
        serve=serve,
        needs=needs,
        subresource=subresource,
    )


def _answering(root: str, content: str = "") -> Callable[[Call], Awaitable[None]]:
    body = document(root, [content])

    async def serve(call: Call) -> None:
        await call.respond_xml(body)

    return serve


def _listing(root: str) -> Callable[[Call], Awaitable[None]]:
    body = document(root, [leaf("IsTruncated", "false")])

    async def serve(call: Call) -> None:
        if call.query.has("id"):
            raise NotConfigured(call.bucket.name)
        await call.respond_xml(body)

    return serve


def _missing(error: type[NotConfigured]) -> Callable[[Call], Awaitable[None]]:
    async def serve(call: Call) -> None:
        raise error(call.bucket.name)

    return serve


async def _nothing_to_delete(call: Call) -> None:
    await call.respond(204)
