"""CopyObject: understand source, directives and conditions, then hand the copy down.

The source is looked up here, once; what was found is what is copied. A caller needs
the right to read it, and learns nothing about buckets where that is missing.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
"""

from dataclasses import replace

from s3o.model.errors import InvalidRequest
from s3o.model.tenants import Permission
from s3o.model.values import (
    Bucket,
    ObjectFacts,
    ObjectVersion,
    StoredObject,
)
from s3o.objects.server_copies import CopyCall
from s3o.objects.store import ObjectStore
from s3o.s3api.call import Call
from s3o.s3api.operation import OBJECT_HEADERS, Level, Operation
from s3o.s3api.slow_answers import answer_slowly
from s3o.wire.conditions import parse_write_conditions, quote_etag
from s3o.wire.copy_source import (
    COPY_SOURCE,
    SOURCE_CONDITIONS,
    CopySource,
    check_source_conditions,
    is_replacing,
    parse_copy_source,
)
from s3o.wire.dates import render_iso_date
from s3o.wire.digests import checksum_element, parse_wanted_algorithm
from s3o.wire.headers import parse_object_facts
from s3o.wire.versions import check_null_version
from s3o.wire.xml_write import document, leaf

METADATA_DIRECTIVE = "x-amz-metadata-directive"
TAGGING_DIRECTIVE = "x-amz-tagging-directive"
_CHECKSUM_ALGORITHM = "x-amz-checksum-algorithm"
_REDIRECT = "x-amz-website-redirect-location"
_HEADERS = (
    OBJECT_HEADERS
    | SOURCE_CONDITIONS.keys()
    | {COPY_SOURCE, METADATA_DIRECTIVE, TAGGING_DIRECTIVE}
)
_TO_ITSELF = (
    "This copy request is illegal because it is trying to copy an object to itself "
    "without changing the object's metadata, storage class, website redirect location "
    "or encryption attributes."
)


class ObjectCopies:
    """Serves CopyObject."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def operations(self) -> tuple[Operation, ...]:
        """Return the rows of the table that this serves."""
        return (
            Operation(
                name="CopyObject",
                method="PUT",
                level=Level.OBJECT,
                header=COPY_SOURCE,
                needs=Permission.WRITE,
                serve=self.copy,
                headers=_HEADERS,
            ),
        )

    async def copy(self, call: Call) -> None:
        """CopyObject: 200 with a document once the copy is committed."""
        wanted = parse_copy_source(call.fields[COPY_SOURCE])
        directives = _parse_directives(call)
        conditions = parse_write_conditions(call.fields)
        facts = parse_object_facts(call.fields)
        algorithm = parse_wanted_algorithm(call.fields)
        await call.read_document(0)
        source_bucket = call.authorize(wanted.bucket, wanted.key, Permission.READ)
        _refuse_no_change(call, source_bucket, wanted, directives)

        async def copy() -> ObjectVersion:
            source = await find_source(call, self._objects, source_bucket, wanted)
            return await self._objects.copier.copy(
                CopyCall(
                    source_bucket=source_bucket,
                    source=source,
                    bucket=call.bucket,
                    key=call.key,
                    facts=_choose_facts(source.version.facts, facts, *directives),
                    conditions=conditions,
                    checksum=algorithm,
                )
            )

        await answer_slowly(call, copy, _render)


def _render(version: ObjectVersion) -> bytes:
    parts = [
        leaf("LastModified", render_iso_date(version.created_at_us)),
        leaf("ETag", quote_etag(version.etag)),
    ]
    if version.checksum is not None:
        name = checksum_element(version.checksum.algorithm)
        parts += [
            leaf(name, version.checksum.value),
            leaf("ChecksumType", version.checksum.type),
        ]
    return document("CopyObjectResult", parts)


async def find_source(
    call: Call, objects: ObjectStore, bucket: Bucket, wanted: CopySource
) -> StoredObject:
    """Return the source if it is there and as the client expects it.

    Raises NoSuchKey, NoSuchVersion, InvalidArgument, PreconditionFailed.
    """
    if wanted.version_id is not None:
        check_null_version(wanted.version_id, wanted.key)
    source = await objects.find(bucket, wanted.key)
    version = source.version
    check_source_conditions(call.fields, version.etag, version.created_at_us)
    return source


def _parse_directives(call: Call) -> tuple[bool, bool]:
    """Return whether metadata and tags come from the request."""
    return (
        is_replacing(call.fields, METADATA_DIRECTIVE),
        is_replacing(call.fields, TAGGING_DIRECTIVE),
    )


def _refuse_no_change(
    call: Call, bucket: Bucket, wanted: CopySource, directives: tuple[bool, bool]
) -> None:
    is_same = (bucket.id, wanted.key) == (call.bucket.id, call.key)
    changes = ("x-amz-storage-class", _REDIRECT, _CHECKSUM_ALGORITHM)
    if is_same and not any(directives) and not any(h in call.fields for h in changes):
        raise InvalidRequest(_TO_ITSELF)


def _choose_facts(
    source: ObjectFacts,
    request: ObjectFacts,
    replaces_metadata: bool,
    replaces_tags: bool,
) -> ObjectFacts:
    """Return the copy's facts; class and redirect are never taken from the source."""
    facts = request
    if not replaces_metadata:
        kept = tuple(pair for pair in source.headers if pair[0] != _REDIRECT)
        own = tuple(pair for pair in request.headers if pair[0] == _REDIRECT)
        facts = replace(
            request,
            content_type=source.content_type,
            headers=tuple(sorted((*kept, *own))),
            metadata=source.metadata,
        )
    return replace(facts, tags=request.tags if replaces_tags else source.tags)
