"""What a bucket's owner may configure: lifecycle, CORS, tags.

Each is one document, replaced whole, kept in the ledger with the bucket. Reading needs
as much as writing: a rule's prefix says what is in the bucket.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from s3o.model import limits
from s3o.model.errors import (
    MalformedXml,
    NoCorsConfiguration,
    NoLifecycleConfiguration,
    NoTagSet,
    NotSupported,
)
from s3o.model.tenants import Permission
from s3o.objects.buckets import BucketDirectory
from s3o.s3api.call import Call
from s3o.s3api.documents import read_xml
from s3o.s3api.operation import Level, Operation
from s3o.wire.cors_documents import CORS_ELEMENTS, read_cors, render_cors
from s3o.wire.lifecycle_documents import (
    LIFECYCLE_ELEMENTS,
    read_lifecycle,
    render_lifecycle,
)
from s3o.wire.tags import read_tagging, render_tagging
from s3o.wire.xml_read import Element

# Which small objects move to other storage classes. There are none; AWS's own default
# is told, because clients wait until they read what they wrote.
_MINIMUM = "x-amz-transition-default-minimum-object-size"
_MINIMUM_SIZE = "all_storage_classes_128K"
_TAG_ELEMENTS = 2 + 3 * 20 * limits.TAGS_PER_BUCKET


class BucketConfiguration:
    """Serves ?lifecycle, ?cors and ?tagging of buckets."""

    def __init__(self, buckets: BucketDirectory) -> None:
        self._buckets = buckets

    def operations(self) -> tuple[Operation, ...]:
        """Return the rows of the table that this serves."""
        lifecycle = "LifecycleConfiguration"
        return (
            _row("GET", "lifecycle", f"GetBucket{lifecycle}", self.get_lifecycle),
            _row("PUT", "lifecycle", f"PutBucket{lifecycle}", self.put_lifecycle),
            _row("DELETE", "lifecycle", "DeleteBucketLifecycle", self.delete_lifecycle),
            _row("GET", "cors", "GetBucketCors", self.get_cors),
            _row("PUT", "cors", "PutBucketCors", self.put_cors),
            _row("DELETE", "cors", "DeleteBucketCors", self.delete_cors),
            _row("GET", "tagging", "GetBucketTagging", self.get_tags),
            _row("PUT", "tagging", "PutBucketTagging", self.put_tags),
            _row("DELETE", "tagging", "DeleteBucketTagging", self.delete_tags),
        )

    async def get_lifecycle(self, call: Call) -> None:
        """GetBucketLifecycleConfiguration: the rules, or 404."""
        rules = call.bucket.config.lifecycle
        if not rules:
            raise NoLifecycleConfiguration(call.bucket.name)
        await call.respond_xml(render_lifecycle(rules), [(_MINIMUM, _MINIMUM_SIZE)])

    async def put_lifecycle(self, call: Call) -> None:
        """PutBucketLifecycleConfiguration: the rules are replaced."""
        if call.fields.get(_MINIMUM, _MINIMUM_SIZE) != _MINIMUM_SIZE:
            raise NotSupported(_MINIMUM)
        root = await _read(call, limits.LIFECYCLE_XML_BYTES, LIFECYCLE_ELEMENTS)
        rules = read_lifecycle(root)
        await self._buckets.configure(
            call.bucket, lambda config: replace(config, lifecycle=rules)
        )
        await call.respond(200, [(_MINIMUM, _MINIMUM_SIZE)])

    async def delete_lifecycle(self, call: Call) -> None:
        """DeleteBucketLifecycle: 204, also where there was none."""
        await self._buckets.configure(
            call.bucket, lambda config: replace(config, lifecycle=())
        )
        await call.respond(204)

    async def get_cors(self, call: Call) -> None:
        """GetBucketCors: the rules, or 404."""
        rules = call.bucket.config.cors
        if not rules:
            raise NoCorsConfiguration(call.bucket.name)
        await call.respond_xml(render_cors(rules))

    async def put_cors(self, call: Call) -> None:
        """PutBucketCors: the rules are replaced."""
        rules = read_cors(await _read(call, limits.CORS_XML_BYTES, CORS_ELEMENTS))
        await self._buckets.configure(
            call.bucket, lambda config: replace(config, cors=rules)
        )
        await call.respond(200)

    async def delete_cors(self, call: Call) -> None:
        """DeleteBucketCors: 204, also where there was none."""
        await self._buckets.configure(
            call.bucket, lambda config: replace(config, cors=())
        )
        await call.respond(204)

    async def get_tags(self, call: Call) -> None:
        """GetBucketTagging: the tags, or 404."""
        tags = call.bucket.config.tags
        if not tags:
            raise NoTagSet(call.bucket.name)
        await call.respond_xml(render_tagging(tags))

    async def put_tags(self, call: Call) -> None:
        """PutBucketTagging: the set is replaced; 204, unlike an object's."""
        root = await _read(call, limits.CORS_XML_BYTES, _TAG_ELEMENTS)
        tags = read_tagging(root, limits.TAGS_PER_BUCKET)
        await self._buckets.configure(
            call.bucket, lambda config: replace(config, tags=tags)
        )
        await call.respond(204)

    async def delete_tags(self, call: Call) -> None:
        """DeleteBucketTagging: 204, also where there were none."""
        await self._buckets.configure(
            call.bucket, lambda config: replace(config, tags=())
        )
        await call.respond(204)


def _row(
    method: str, subresource: str, name: str, serve: Callable[[Call], Awaitable[None]]
) -> Operation:
    is_put = (method, subresource) == ("PUT", "lifecycle")
    return Operation(
        name=name,
        method=method,
        level=Level.BUCKET,
        serve=serve,
        needs=Permission.OWN,
        subresource=subresource,
        headers=frozenset({_MINIMUM}) if is_put else frozenset(),
    )


async def _read(call: Call, limit_bytes: int, max_elements: int) -> Element:
    root = await read_xml(call, limit_bytes, max_elements)
    if root is None:
        raise MalformedXml("no document")
    return root
