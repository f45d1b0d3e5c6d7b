"""CompleteMultipartUpload, and how its client is kept waiting.

Everything that can refuse a Complete is decided before its answer begins. Then the
backend joins the parts, which takes seconds, at some providers minutes; so that no
client or proxy gives up meanwhile, the answer begins after a while, with spaces. What
fails then can only be told as an <Error> inside the 200, which SDKs look for.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
"""

from functools import partial

import trio

from s3o.model import limits
from s3o.model.errors import ClientGone, ClientTooSlow, MalformedXml, S3OError
from s3o.model.multipart import Manifest
from s3o.model.tenants import Permission
from s3o.objects.upload_completion import CompleteCall, Completed, Completing
from s3o.objects.uploads import UploadStore
from s3o.observe.operation import describe
from s3o.s3api.answers import XML, render_error
from s3o.s3api.call import Call
from s3o.s3api.documents import read_xml
from s3o.s3api.operation import Level, Operation
from s3o.s3api.upload_documents import render_completed, without_declaration
from s3o.s3api.uploads import upload_id_of
from s3o.wire.conditions import parse_write_conditions
from s3o.wire.upload_documents import MANIFEST_ELEMENTS, read_manifest
from s3o.wire.upload_headers import (
    parse_checksum_type,
    parse_final_checksum,
    parse_object_size,
)
from s3o.wire.xml_write import DECLARATION

KEEP_ALIVE_S = 5.0


class UploadCompletion:
    """Serves CompleteMultipartUpload."""

    def __init__(self, uploads: UploadStore) -> None:
        self._uploads = uploads

    def operations(self) -> tuple[Operation, ...]:
        """Return the row of the table that this serves."""
        return (
            Operation(
                name="CompleteMultipartUpload",
                method="POST",
                level=Level.OBJECT,
                serve=self.complete,
                needs=Permission.WRITE,
                subresource="uploadId",
                headers=frozenset({"x-amz-mp-object-size"}),
            ),
        )

    async def complete(self, call: Call) -> None:
        """Make the object; a repetition of what succeeded is answered the same."""
        begun = await self._uploads.begin_complete(await _read(call))
        if isinstance(begun, Completed):
            await call.respond_xml(_render(call, begun))
            return
        job = _Job(self._uploads, begun)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(job.run)
            await _keep_waiting(call, job.ended)
        if not call.visit.exchange.is_answered:
            await call.respond_xml(_render(call, job.result()))
            return
        await _end(call, job)


class _Job:
    """The work, beside the task that keeps the client waiting."""

    def __init__(self, uploads: UploadStore, completing: Completing) -> None:
        self._run = partial(uploads.finish_complete, completing)
        self._completed: Completed | None = None
        self.error: S3OError | None = None
        self.ended = trio.Event()

    async def run(self) -> None:
        """Do it; what it raises is kept for the client."""
        try:
            self._completed = await self._run()
        except S3OError as error:
            self.error = error
        finally:
            self.ended.set()

    def result(self) -> Completed:
        """Return what run() returned, or raise what it raised."""
        if self.error is not None:
            raise self.error
        assert self._completed is not None
        return self._completed


async def _keep_waiting(call: Call, ended: trio.Event) -> None:
    """Wait for the end; say something now and then while the client is there.

    Nothing is sent under a deadline of ours: half a chunk would break the answer.
    """
    while True:
        with trio.move_on_after(KEEP_ALIVE_S):
            await ended.wait()
            return
        try:
            await _send_space(call)
        except (ClientGone, ClientTooSlow):
            # The upload must not stay half completed because its client left.
            await ended.wait()
            return


async def _send_space(call: Call) -> None:
    exchange = call.visit.exchange
    if exchange.is_answered:
        await exchange.send(b" ")
        return
    await call.visit.start(200, [XML], None)
    await exchange.send(DECLARATION.encode())


async def _end(call: Call, job: _Job) -> None:
    """Send the rest of an answer that has begun."""
    exchange = call.visit.exchange
    if exchange.is_cut:
        raise ClientGone()
    if job.error is None:
        body = _render(call, job.result())
    else:
        call.visit.error = describe(job.error)
        path = exchange.head.target.partition("?")[0]
        _, _, body = render_error(job.error, call.visit.identity, path)
    await exchange.send(without_declaration(body))
    await exchange.finish()


async def _read(call: Call) -> CompleteCall:
    root = await read_xml(
        call, limits.XML_LARGE_BYTES, MANIFEST_ELEMENTS, is_checksummed=False
    )
    if root is None:
        raise MalformedXml("no document")
    return CompleteCall(
        bucket=call.bucket,
        key=call.key,
        upload_id=upload_id_of(call),
        manifest=Manifest(
            parts=read_manifest(root),
            checksum=parse_final_checksum(call.fields),
            checksum_type=parse_checksum_type(call.fields),
            object_size=parse_object_size(call.fields),
        ),
        conditions=parse_write_conditions(call.fields),
    )


def _render(call: Call, completed: Completed) -> bytes:
    exchange = call.visit.exchange
    scheme = "https" if exchange.is_tls else "http"
    host = exchange.head.fields.get("host", "")
    path = exchange.head.target.partition("?")[0]
    return render_completed(
        call.bucket.name,
        call.key,
        location=f"{scheme}://{host}{path}",
        etag=completed.etag,
        checksum=completed.checksum,
    )
