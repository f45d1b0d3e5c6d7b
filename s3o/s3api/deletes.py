"""Delete one object, or up to a thousand in one document.

Deleting what is not there succeeds. A batch answers 200 whatever happens to its keys:
each has its own outcome, in the order of the request.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
"""

from s3o.model import limits
from s3o.model.errors import (
    AccessDenied,
    InvalidArgument,
    MalformedXml,
    NoSuchVersion,
    S3OError,
)
from s3o.model.names import parse_object_key
from s3o.model.tenants import Permission
from s3o.objects.store import Delete, ObjectStore
from s3o.s3api.call import Call
from s3o.s3api.credentials import Caller
from s3o.s3api.documents import read_xml
from s3o.s3api.errors import message_of, row_of
from s3o.s3api.operation import Level, Operation
from s3o.s3api.presence import VERSION_PARAMETER
from s3o.wire.client_documents import DELETE_ELEMENTS, DeleteEntry, read_delete
from s3o.wire.conditions import make_delete_conditions, parse_delete_conditions
from s3o.wire.versions import NULL_VERSION, names_null_version
from s3o.wire.xml_write import document, element, leaf, optional_leaf

_ONLY_VERSIONS = frozenset({None, "", NULL_VERSION})

_DELETE_HEADERS = frozenset(
    {"x-amz-if-match-last-modified-time", "x-amz-if-match-size"}
)


class ObjectDeletes:
    """Serves DeleteObject and DeleteObjects."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def operations(self) -> tuple[Operation, ...]:
        """Return the rows of the table that this serves."""
        return (
            Operation(
                name="DeleteObjects",
                method="POST",
                level=Level.BUCKET,
                serve=self.delete_many,
                needs=Permission.DELETE,
                subresource="delete",
            ),
            Operation(
                name="DeleteObject",
                method="DELETE",
                level=Level.OBJECT,
                serve=self.delete,
                needs=Permission.DELETE,
                parameters=frozenset({VERSION_PARAMETER}),
                headers=_DELETE_HEADERS,
            ),
        )

    async def delete(self, call: Call) -> None:
        """DeleteObject: 204, also where there was nothing."""
        names_null_version(call.query, call.key)
        conditions = parse_delete_conditions(call.fields)
        await self._objects.delete(call.bucket, call.key, conditions)
        await call.respond(204)

    async def delete_many(self, call: Call) -> None:
        """DeleteObjects: the document is read and verified whole before it counts."""
        root = await read_xml(call, limits.XML_LARGE_BYTES, DELETE_ELEMENTS)
        if root is None:
            raise MalformedXml("no document")
        request = read_delete(root)
        plans = [_plan(entry, call.caller) for entry in request.entries]
        deletes = [plan for plan in plans if isinstance(plan, Delete)]
        done = iter(
            await self._objects.delete_many(call.bucket, deletes) if deletes else ()
        )
        outcomes = [next(done) if isinstance(plan, Delete) else plan for plan in plans]
        await call.respond_xml(
            document(
                "DeleteResult",
                [
                    _render_outcome(entry, outcome)
                    for entry, outcome in zip(request.entries, outcomes, strict=True)
                    if outcome is not None or not request.is_quiet
                ],
            )
        )


def _plan(entry: DeleteEntry, caller: Caller) -> Delete | S3OError:
    """Return what to delete, or why this entry fails by itself."""
    if entry.version_id not in _ONLY_VERSIONS:
        return NoSuchVersion(entry.version_id or "", entry.key)
    try:
        key = parse_object_key(entry.key.encode("utf-8"))
        conditions = make_delete_conditions(
            etag=entry.etag, last_modified=entry.last_modified, size=entry.size
        )
    except InvalidArgument as error:
        # The document's types are S3's schema, so this is not one key's failure.
        raise MalformedXml(f"{error.name} {error.reason}") from error
    except S3OError as error:
        return error
    if not caller.may_reach(key):
        return AccessDenied()
    return Delete(key=key, conditions=conditions)


def _render_outcome(entry: DeleteEntry, error: S3OError | None) -> str:
    named = [leaf("Key", entry.key), optional_leaf("VersionId", entry.version_id)]
    if error is None:
        return element("Deleted", named)
    return element(
        "Error",
        [*named, leaf("Code", row_of(error).code), leaf("Message", message_of(error))],
    )
