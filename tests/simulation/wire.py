"""A provider in memory behind HTTP.

Some seeds reach their providers as in production: by the S3 client of the product, its
pool and its signatures. What is stored, and what goes wrong with single calls, is the
same MemoryBackend's as without.
"""

from urllib.parse import quote, unquote

import trio

from s3o.model.errors import (
    BackendError,
    BackendFull,
    BackendRefused,
    BackendThrottled,
    BlobMissing,
    UploadMissing,
)
from s3o.model.names import StorageKey
from s3o.model.values import BlobHeaders, Interval, PutReceipt
from s3o.net.memory import MemoryStream
from s3o.wire.dates import render_http_date
from s3o.wire.xml_read import parse_xml
from s3o.wire.xml_write import document, element, leaf
from tests.fakes.memory_backend import MemoryBackend
from tests.fakes.s3_server import operation_of
from tests.fakes.s3_wire import Answer, Connection, Refusal, Request, verify
from tests.fakes.s3_wire import error_answer as refusal_answer
from tests.fakes.sources import BytesSource
from tests.simulation.settings import ACCESS_KEY, SECRET

META = "x-amz-meta-"
RECORD = "s3o"
DATE = "2026-01-15T12:00:00.000Z"
STANDARD = ("cache-control", "content-disposition", "content-language", "expires")


class Reset(Exception):
    """The connection ends here, without an answer."""


class Provider:
    """Speaks S3 on behalf of one MemoryBackend."""

    def __init__(self, backend: MemoryBackend) -> None:
        self._backend = backend

    async def serve(self, stream: MemoryStream) -> None:
        """Serve one connection to its end."""
        connection = Connection(stream)
        while (request := await connection.next_head()) is not None:
            request.body = await connection.read_body()
            try:
                if operation_of(request) == "GetObject":
                    await self._get(stream, request)
                    continue
                answer = await self._work(request)
            except Reset:
                stream.abort()
                return
            if request.method == "HEAD":
                answer.body, answer.length = b"", answer.length or 0
            head, body = answer.render()
            await stream.send_vectored([head, body])

    async def _work(self, request: Request) -> Answer:
        try:
            request.body = verify(request, ACCESS_KEY, SECRET)
            return await OPERATIONS[operation_of(request)](self._backend, request)
        except Refusal as refusal:
            return refusal_answer(refusal)
        except BackendError as error:
            return _answer_of(error)

    async def _get(self, stream: MemoryStream, request: Request) -> None:
        """GetObject: the body goes out as the backend hands it out."""
        sent = False
        try:
            verify(request, ACCESS_KEY, SECRET)
            interval = _interval_of(request.fields.get("range", ""))
            async with self._backend.open(StorageKey(request.key), interval) as reader:
                answer = _described(reader.info)
                size = reader.info.stored_bytes
                answer.length = size
                if interval is not None:
                    last = min(interval.stop, size) - 1
                    span = f"bytes {interval.start}-{last}/{size}"
                    answer.status, answer.fields["Content-Range"] = 206, span
                    answer.length = last + 1 - interval.start
                await stream.send_vectored([answer.render()[0]])
                sent = True
                while piece := await reader.read():
                    await stream.send_vectored([piece])
        except Refusal as refusal:
            await stream.send_vectored([b"".join(refusal_answer(refusal).render())])
        except BackendError as error:
            if sent:
                raise Reset from None
            await stream.send_vectored([b"".join(_answer_of(error).render())])


def _answer_of(error: BackendError) -> Answer:
    """Return how a provider would say it; raises Reset where it says nothing."""
    match error:
        case BlobMissing():
            refusal = Refusal(404, "NoSuchKey")
        case UploadMissing():
            refusal = Refusal(404, "NoSuchUpload")
        case BackendThrottled():
            refusal = Refusal(503, "SlowDown")
        case BackendFull():
            refusal = Refusal(507, "InsufficientStorage")
        case BackendRefused():
            refusal = Refusal(error.status, error.code)
        case _:
            raise Reset
    answer = refusal_answer(refusal)
    if isinstance(error, BackendThrottled):
        answer.fields["Retry-After"] = "1"
    return answer


def _interval_of(text: str) -> Interval | None:
    if not text:
        return None
    first, _, last = text.removeprefix("bytes=").partition("-")
    return Interval(int(first), int(last) + 1)


def _headers_of(request: Request) -> BlobHeaders:
    pairs = [
        (name.removeprefix(META), value)
        for name, value in request.fields.items()
        if name.startswith(META)
    ]
    return BlobHeaders(
        record=tuple(pair for pair in pairs if pair[0].startswith(RECORD)),
        metadata=tuple(pair for pair in pairs if not pair[0].startswith(RECORD)),
        content_type=request.fields.get("content-type", "binary/octet-stream"),
        headers=tuple(
            (name, value) for name, value in request.fields.items() if name in STANDARD
        ),
    )


def _described(info: object) -> Answer:
    """Return the head of what is known of a blob."""
    fields = {
        "ETag": f'"{info.etag}"',
        "Last-Modified": render_http_date(info.modified_at_us),
    }
    fields |= {f"{META}{name}": value for name, value in info.headers.items()}
    if info.content_type:
        fields["Content-Type"] = info.content_type
    fields |= dict(info.standard)
    return Answer(fields=fields)


def _etag(receipt: PutReceipt) -> Answer:
    return Answer(fields={"ETag": f'"{receipt.etag}"'})


def _name(request: Request) -> StorageKey:
    return StorageKey(request.key)


async def _put(backend: MemoryBackend, request: Request) -> Answer:
    source = BytesSource(request.body)
    return _etag(await backend.put(_name(request), source, _headers_of(request)))


async def _head(backend: MemoryBackend, request: Request) -> Answer:
    info = await backend.head(_name(request))
    answer = _described(info)
    answer.length = info.stored_bytes
    return answer


async def _delete(backend: MemoryBackend, request: Request) -> Answer:
    await backend.delete([_name(request)])
    return Answer(status=204)


async def _delete_many(backend: MemoryBackend, request: Request) -> Answer:
    names = [
        StorageKey(one.text_of("Key") or "")
        for one in parse_xml(request.body).all("Object")
    ]
    outcomes = await backend.delete(names)
    done = [element("Deleted", [leaf("Key", one.storage_key)]) for one in outcomes]
    return Answer(body=document("DeleteResult", done))


def _source(request: Request) -> StorageKey:
    path = unquote(request.fields["x-amz-copy-source"])
    return StorageKey(path.partition("/")[2])


async def _copy(backend: MemoryBackend, request: Request) -> Answer:
    receipt = await backend.copy(_source(request), _name(request), _headers_of(request))
    parts = [leaf("ETag", f'"{receipt.etag}"'), leaf("LastModified", DATE)]
    return Answer(body=document("CopyObjectResult", parts))


async def _create(backend: MemoryBackend, request: Request) -> Answer:
    upload_id = await backend.create_upload(_name(request), _headers_of(request))
    parts = [leaf("Key", request.key), leaf("UploadId", upload_id)]
    return Answer(body=document("InitiateMultipartUploadResult", parts))


def _part(request: Request) -> tuple[StorageKey, str, int]:
    query = request.query
    return _name(request), query["uploadId"], int(query["partNumber"])


async def _upload_part(backend: MemoryBackend, request: Request) -> Answer:
    return _etag(await backend.upload_part(*_part(request), BytesSource(request.body)))


async def _copy_part(backend: MemoryBackend, request: Request) -> Answer:
    span = _interval_of(request.fields.get("x-amz-copy-source-range", ""))
    receipt = await backend.copy_part(_source(request), span, *_part(request))
    parts = [leaf("ETag", f'"{receipt.etag}"')]
    return Answer(body=document("CopyPartResult", parts))


async def _complete(backend: MemoryBackend, request: Request) -> Answer:
    chosen = [
        (int(one.text_of("PartNumber") or 0), (one.text_of("ETag") or "").strip('"'))
        for one in parse_xml(request.body).all("Part")
    ]
    receipt = await backend.complete_upload(
        _name(request), request.query["uploadId"], chosen
    )
    inside = [leaf("Key", request.key), leaf("ETag", f'"{receipt.etag}"')]
    return Answer(body=document("CompleteMultipartUploadResult", inside))


async def _abort(backend: MemoryBackend, request: Request) -> Answer:
    await backend.abort_upload(_name(request), request.query["uploadId"])
    return Answer(status=204)


async def _list_parts(backend: MemoryBackend, request: Request) -> Answer:
    parts = await backend.list_parts(_name(request), request.query["uploadId"])
    after = int(request.query.get("part-number-marker", "0"))
    inside = [leaf("IsTruncated", "false")]
    for part in parts:
        if part.number > after:
            fields = [
                leaf("PartNumber", str(part.number)),
                leaf("ETag", f'"{part.etag}"'),
                leaf("Size", str(part.stored_bytes)),
            ]
            inside.append(element("Part", fields))
    return Answer(body=document("ListPartsResult", inside))


async def _list_uploads(backend: MemoryBackend, request: Request) -> Answer:
    page = await backend.list_uploads(request.query.get("prefix", ""), None, 1000)
    inside = [leaf("IsTruncated", "false"), leaf("EncodingType", "url")]
    for upload in page.uploads:
        fields = [
            leaf("Key", quote(upload.name)),
            leaf("UploadId", upload.upload_id),
            leaf("Initiated", DATE),
        ]
        inside.append(element("Upload", fields))
    return Answer(body=document("ListMultipartUploadsResult", inside))


async def _list(backend: MemoryBackend, request: Request) -> Answer:
    query = request.query
    token = query.get("continuation-token")
    limit = int(query["max-keys"])
    page = await backend.list_page(query["prefix"], token, limit)
    # Who names an entry twice still keeps to the length that was asked for.
    blobs = page.blobs[:limit]
    inside = [leaf("IsTruncated", str(page.next_token is not None).lower())]
    inside.append(leaf("EncodingType", "url"))
    if page.next_token is not None:
        inside.append(leaf("NextContinuationToken", page.next_token))
    for blob in blobs:
        fields = [
            leaf("Key", quote(blob.name)),
            leaf("LastModified", DATE),
            leaf("ETag", f'"{blob.etag}"'),
            leaf("Size", str(blob.stored_bytes)),
        ]
        inside.append(element("Contents", fields))
    return Answer(body=document("ListBucketResult", inside))


async def _probe(backend: MemoryBackend, _request: Request) -> Answer:
    await backend.probe()
    return Answer(length=0)


async def _versioning(_backend: MemoryBackend, _request: Request) -> Answer:
    await trio.lowlevel.checkpoint()
    return Answer(body=document("VersioningConfiguration", []))


OPERATIONS = {
    "AbortMultipartUpload": _abort,
    "CompleteMultipartUpload": _complete,
    "CopyObject": _copy,
    "CreateMultipartUpload": _create,
    "DeleteObject": _delete,
    "DeleteObjects": _delete_many,
    "GetBucketVersioning": _versioning,
    "HeadBucket": _probe,
    "HeadObject": _head,
    "ListMultipartUploads": _list_uploads,
    "ListObjectsV2": _list,
    "ListParts": _list_parts,
    "PutObject": _put,
    "UploadPart": _upload_part,
    "UploadPartCopy": _copy_part,
}
