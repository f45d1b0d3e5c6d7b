"""GetObjectAttributes: what is known of an object, from the ledger's row alone.

The ETag stands without quotes here, and only here. Parts are listed where each has a
checksum of its own; of other multipart objects only their number is told, as AWS does.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html
"""

from collections.abc import Mapping
from dataclasses import dataclass

from s3o.model import limits
from s3o.model.errors import InvalidArgument, InvalidRequest
from s3o.model.numbers import parse_uint
from s3o.model.tenants import Permission
from s3o.model.values import ObjectVersion
from s3o.objects.store import ObjectStore
from s3o.s3api.authorize import demand_credential
from s3o.s3api.call import Call
from s3o.s3api.operation import Level, Operation
from s3o.s3api.presence import VERSION_PARAMETER, expect_object
from s3o.wire.conditions import ReadOutcome, evaluate_read
from s3o.wire.dates import render_http_date
from s3o.wire.digests import checksum_element
from s3o.wire.headers import render_not_modified_headers
from s3o.wire.xml_write import document, element, leaf

_NAMES = "x-amz-object-attributes"
_MAX_PARTS = "x-amz-max-parts"
_MARKER = "x-amz-part-number-marker"
_KNOWN = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})
_MOST = (1 << 31) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributesRequest:
    """What one call asks for; marker: list parts behind this number."""

    names: frozenset[str]
    max_parts: int
    marker: int


class ObjectAttributes:
    """Serves GetObjectAttributes."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def operations(self) -> tuple[Operation, ...]:
        """Return the rows of the table that this serves."""
        return (
            Operation(
                name="GetObjectAttributes",
                method="GET",
                level=Level.OBJECT,
                serve=self.get,
                needs=Permission.READ,
                subresource="attributes",
                parameters=frozenset({VERSION_PARAMETER}),
                headers=frozenset({_NAMES, _MAX_PARTS, _MARKER}),
            ),
        )

    async def get(self, call: Call) -> None:
        """GetObjectAttributes, with the conditions of a read."""
        demand_credential(call.caller)
        request = parse_attributes_request(call.fields)
        with expect_object(call):
            version = await self._objects.head(
                call.bucket, call.key, operation="GetObjectAttributes"
            )
        outcome = evaluate_read(call.fields, version.etag, version.created_at_us)
        if outcome is ReadOutcome.NOT_MODIFIED:
            await call.respond(304, render_not_modified_headers(version))
            return
        modified = ("last-modified", render_http_date(version.created_at_us))
        await call.respond_xml(render_attributes(version, request), [modified])


def parse_attributes_request(fields: Mapping[str, str]) -> AttributesRequest:
    """Return what the headers ask for; raises InvalidRequest, InvalidArgument."""
    value = fields.get(_NAMES, "")
    names = [name for part in value.split(",") if (name := part.strip(" \t"))]
    if not names:
        raise InvalidRequest(
            f"The {_NAMES} header specifying the attributes to be retrieved is either "
            "missing or empty"
        )
    for name in names:
        if name not in _KNOWN:
            raise InvalidArgument(_NAMES, name, "Invalid attribute name specified.")
    max_parts = _parse_number(fields, _MAX_PARTS, "max-parts", limits.LIST_PARTS)
    return AttributesRequest(
        names=frozenset(names),
        max_parts=min(max_parts, limits.LIST_PARTS),
        marker=_parse_number(fields, _MARKER, "part-number-marker", 0),
    )


def _parse_number(
    fields: Mapping[str, str], header: str, name: str, default: int
) -> int:
    value = fields.get(header)
    if value is None:
        return default
    try:
        return parse_uint(value, 0, _MOST)
    except ValueError:
        raise InvalidArgument(
            header, value, f"Argument {name} must be an integer between 0 and {_MOST}"
        ) from None


def render_attributes(version: ObjectVersion, request: AttributesRequest) -> bytes:
    """Return the answer's document; what the object does not have is left out."""
    names = request.names
    parts: list[str] = []
    if "ETag" in names:
        parts.append(leaf("ETag", version.etag))
    if "Checksum" in names and version.checksum is not None:
        checksum = version.checksum
        value = leaf(checksum_element(checksum.algorithm), checksum.value)
        parts.append(element("Checksum", [value, leaf("ChecksumType", checksum.type)]))
    if "ObjectParts" in names and version.part_sizes:
        parts.append(_render_parts(version, request))
    if "StorageClass" in names:
        parts.append(leaf("StorageClass", version.facts.storage_class))
    if "ObjectSize" in names:
        parts.append(leaf("ObjectSize", str(version.size)))
    return document("GetObjectAttributesResponse", parts)


def _render_parts(version: ObjectVersion, request: AttributesRequest) -> str:
    count = len(version.part_sizes)
    last = min(count, request.marker + request.max_parts)
    numbers = range(request.marker + 1, last + 1)
    is_truncated = 0 < len(numbers) and last < count
    parts = [
        leaf("PartsCount", str(count)),
        leaf("PartNumberMarker", str(request.marker)),
        leaf("NextPartNumberMarker", str(numbers[-1] if numbers else request.marker)),
        leaf("MaxParts", str(request.max_parts)),
        leaf("IsTruncated", "true" if is_truncated else "false"),
    ]
    if version.checksum is not None and len(version.part_checksums) == count:
        name = checksum_element(version.checksum.algorithm)
        parts += [
            element(
                "Part",
                [
                    leaf(name, version.part_checksums[number - 1]),
                    leaf("PartNumber", str(number)),
                    leaf("Size", str(version.part_sizes[number - 1])),
                ],
            )
            for number in numbers
        ]
    return element("ObjectParts", parts)
