"""PUT of an object: understand the headers, then hand the body down.

Nothing of the body is read here; the store reads it once the conditions hold and there
is room, and only then is a waiting client told to continue.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
"""

from s3o.model.errors import NotSupported
from s3o.model.tenants import Permission
from s3o.objects.store import ObjectStore
from s3o.objects.write import PutCall
from s3o.s3api.call import Call
from s3o.s3api.expiration import expiration_headers
from s3o.s3api.operation import OBJECT_HEADERS, Level, Operation
from s3o.wire.conditions import parse_write_conditions, quote_etag
from s3o.wire.digests import checksum_headers
from s3o.wire.headers import parse_object_facts


class ObjectWrites:
    """Serves PutObject."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def operations(self) -> tuple[Operation, ...]:
        """Return the rows of the table that this serves."""
        return (
            Operation(
                name="PutObject",
                method="PUT",
                level=Level.OBJECT,
                serve=self.put,
                needs=Permission.WRITE,
                headers=OBJECT_HEADERS,
            ),
        )

    async def put(self, call: Call) -> None:
        """PutObject: 200 once the object is committed."""
        if "content-range" in call.fields:
            # RFC 9110 section 14.5: a partial PUT taken for a whole one truncates.
            raise NotSupported("Content-Range on a PUT")
        version = await self._objects.put(
            PutCall(
                bucket=call.bucket,
                key=call.key,
                facts=parse_object_facts(call.fields),
                conditions=parse_write_conditions(call.fields),
                source=call.open_source(),
            )
        )
        headers = [("etag", quote_etag(version.etag))]
        headers += expiration_headers(call.bucket, version)
        if version.checksum is not None:
            headers += checksum_headers(version.checksum)
        await call.respond(200, headers)
