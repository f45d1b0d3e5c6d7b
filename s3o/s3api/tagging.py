"""The tag set of an object: put, got, deleted, without touching the object itself.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html
"""

from s3o.model import limits
from s3o.model.errors import MalformedXml
from s3o.model.tenants import Permission
from s3o.objects.store import ObjectStore
from s3o.s3api.authorize import demand_credential
from s3o.s3api.call import Call
from s3o.s3api.documents import read_xml
from s3o.s3api.operation import Level, Operation
from s3o.s3api.presence import VERSION_PARAMETER, expect_object
from s3o.wire.tags import TAGGING_ELEMENTS, read_tagging, render_tagging

_PARAMETERS = frozenset({VERSION_PARAMETER})


class ObjectTagging:
    """Serves PutObjectTagging, GetObjectTagging and DeleteObjectTagging."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def operations(self) -> tuple[Operation, ...]:
        """Return the rows of the table that this serves."""
        return (
            Operation(
                name="PutObjectTagging",
                method="PUT",
                level=Level.OBJECT,
                serve=self.put,
                needs=Permission.WRITE,
                subresource="tagging",
                parameters=_PARAMETERS,
            ),
            Operation(
                name="GetObjectTagging",
                method="GET",
                level=Level.OBJECT,
                serve=self.get,
                needs=Permission.READ,
                subresource="tagging",
                parameters=_PARAMETERS,
            ),
            Operation(
                name="DeleteObjectTagging",
                method="DELETE",
                level=Level.OBJECT,
                serve=self.delete,
                needs=Permission.WRITE,
                subresource="tagging",
                parameters=_PARAMETERS,
            ),
        )

    async def put(self, call: Call) -> None:
        """PutObjectTagging: the whole set is replaced."""
        with expect_object(call):
            root = await read_xml(call, limits.XML_BYTES, TAGGING_ELEMENTS)
            if root is None:
                raise MalformedXml("no document")
            await self._objects.put_tags(call.bucket, call.key, read_tagging(root))
        await call.respond(200)

    async def get(self, call: Call) -> None:
        """GetObjectTagging: an object without tags has an empty set."""
        demand_credential(call.caller)
        with expect_object(call):
            version = await self._objects.head(
                call.bucket, call.key, operation="GetObjectTagging"
            )
        await call.respond_xml(render_tagging(version.facts.tags))

    async def delete(self, call: Call) -> None:
        """DeleteObjectTagging: 204, also where there were no tags."""
        with expect_object(call):
            await self._objects.put_tags(call.bucket, call.key, ())
        await call.respond(204)
