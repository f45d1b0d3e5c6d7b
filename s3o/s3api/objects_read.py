"""GET and HEAD of an object: conditions first, then the range, then the bytes.

Everything but the bytes is answered from the ledger's row: 304, 412 and 416 touch no
backend. Checksums are told only when asked for, and never on a range: clients would
compare the whole object's with the slice (boto3 issue 4512). A part has its own.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

from collections.abc import Mapping
from dataclasses import dataclass

from s3o.model.errors import InvalidRequest, S3OError
from s3o.model.tenants import Permission
from s3o.model.values import Interval, ObjectVersion, StoredObject
from s3o.objects.store import ObjectStore
from s3o.s3api.call import Call
from s3o.s3api.expiration import expiration_headers
from s3o.s3api.operation import Level, Operation
from s3o.s3api.presence import VERSION_PARAMETER, expect_object
from s3o.wire.conditions import ReadOutcome, evaluate_read, is_range_wanted
from s3o.wire.digests import checksum_headers
from s3o.wire.headers import (
    parse_overrides,
    render_not_modified_headers,
    render_object_headers,
)
from s3o.wire.parts import (
    PART_PARAMETER,
    find_part,
    parse_part_number,
    part_checksum,
)
from s3o.wire.ranges import parse_range, render_content_range

_PARAMETERS = frozenset({VERSION_PARAMETER, PART_PARAMETER})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRequest:
    """What one read asks for, whatever object it meets."""

    fields: Mapping[str, str]
    overrides: Mapping[str, str] | None
    part_number: int | None

    @property
    def is_checksum_wanted(self) -> bool:
        """Whether the client compares checksums."""
        return self.fields.get("x-amz-checksum-mode", "").upper() == "ENABLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How one version answers one read; interval None means no bytes."""

    status: int
    headers: list[tuple[str, str]]
    interval: Interval | None

    @property
    def length(self) -> int:
        """How many bytes the answer has."""
        return self.interval.length if self.interval is not None else 0


class ObjectReads:
    """Serves GetObject and HeadObject."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def operations(self) -> tuple[Operation, ...]:
        """Return the rows of the table that this serves."""
        return (
            Operation(
                name="GetObject",
                method="GET",
                level=Level.OBJECT,
                serve=self.get,
                needs=Permission.READ,
                parameters=_PARAMETERS,
            ),
            Operation(
                name="HeadObject",
                method="HEAD",
                level=Level.OBJECT,
                serve=self.head,
                needs=Permission.READ,
                parameters=_PARAMETERS,
            ),
        )

    async def head(self, call: Call) -> None:
        """HeadObject: the headers of a GET."""
        request = parse_read(call)
        with expect_object(call):
            version = await self._objects.head(call.bucket, call.key)
        view = plan_view(request, version)
        headers = view.headers
        if view.status != 304:
            headers += expiration_headers(call.bucket, version)
            headers = [*headers, ("content-length", str(view.length))]
        await call.respond(view.status, headers)

    async def get(self, call: Call) -> None:
        """GetObject: the first piece is there before the head of the answer leaves."""
        request = parse_read(call)
        with expect_object(call):
            stored = await self._objects.find(call.bucket, call.key)
        try:
            view = plan_view(request, stored.version)
        except S3OError:
            # Opened without bytes, so that the refusal is in the audit log like a read.
            async with self._objects.open(call.bucket, stored, None):
                raise
        await self._send(call, stored, view)

    async def _send(self, call: Call, stored: StoredObject, view: View) -> None:
        if view.status != 304:
            view.headers.extend(expiration_headers(call.bucket, stored.version))
        async with self._objects.open(call.bucket, stored, view.interval) as reading:
            if view.interval is None:
                await call.respond(view.status, view.headers)
                return
            exchange = call.visit.exchange
            await call.visit.start(view.status, view.headers, view.length)
            while piece := await reading.read():
                await exchange.send(piece)
            await exchange.finish()


def parse_read(call: Call) -> ReadRequest:
    """Return what a GET or HEAD asks for; raises InvalidArgument, InvalidRequest."""
    pairs = call.query.pairs
    overrides = parse_overrides(pairs) if pairs else None
    if overrides and call.caller.is_anonymous:
        # Whoever passes a link on would choose how a page of the bucket is taken.
        raise InvalidRequest(
            "Request specific response headers cannot be used for anonymous GET "
            "requests."
        )
    return ReadRequest(
        fields=call.fields,
        overrides=overrides,
        part_number=parse_part_number(call.query, call.fields) if pairs else None,
    )


def plan_view(request: ReadRequest, version: ObjectVersion) -> View:
    """Decide what a GET or HEAD of version answers.

    Raises PreconditionFailed, RangeNotSatisfiable, InvalidPartNumber.
    """
    fields = request.fields
    outcome = evaluate_read(fields, version.etag, version.created_at_us)
    if outcome is ReadOutcome.NOT_MODIFIED:
        return View(
            status=304, headers=render_not_modified_headers(version), interval=None
        )
    headers = render_object_headers(version, request.overrides)
    if request.part_number is not None:
        return _view_part(request, version, request.part_number, headers)
    wanted = fields.get("range")
    if wanted is not None and is_range_wanted(
        fields, version.etag, version.created_at_us
    ):
        interval = parse_range(wanted, version.size)
        if interval is not None:
            headers.append(
                ("content-range", render_content_range(interval, version.size))
            )
            return View(status=206, headers=headers, interval=interval)
    if version.checksum is not None and request.is_checksum_wanted:
        headers += checksum_headers(version.checksum)
    return View(status=200, headers=headers, interval=_whole(version))


def _view_part(
    request: ReadRequest,
    version: ObjectVersion,
    number: int,
    headers: list[tuple[str, str]],
) -> View:
    """Decide what the answer about one part is; a plain object is its own part 1.

    Bytes that are none have no Content-Range, so an empty object is answered whole.
    """
    interval = find_part(version, number)
    if version.part_sizes:
        headers.append(("x-amz-mp-parts-count", str(len(version.part_sizes))))
    if interval is not None:
        headers.append(("content-range", render_content_range(interval, version.size)))
    checksum = part_checksum(version, number)
    if checksum is not None and request.is_checksum_wanted:
        headers += checksum_headers(checksum)
    is_whole = interval is None and not version.part_sizes
    return View(status=200 if is_whole else 206, headers=headers, interval=interval)


def _whole(version: ObjectVersion) -> Interval | None:
    return Interval(0, version.size) if version.size else None
