"""A provider's own uploads in parts, and copies on its side.

Complete and Copy may answer 200 long before they are done, keep the connection alive
with white space and end with an Error document: that is a failure (s3_calls). What is
listed about an upload counts only as far as it fits the question.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from s3o.backends import s3_answers
from s3o.backends.s3_calls import Call, Caller, Reply
from s3o.backends.s3_puts import Put, Sender
from s3o.backends.s3_signing import HeadWriter
from s3o.model import limits
from s3o.model.errors import (
    BackendError,
    BackendProtocolError,
    BackendRefused,
    MalformedXml,
    UploadMissing,
)
from s3o.model.names import StorageKey
from s3o.model.seams import ByteSource
from s3o.model.values import (
    Interval,
    ListedUpload,
    NativePart,
    Pairs,
    PutReceipt,
    UploadPage,
)
from s3o.wire.backend_documents import (
    read_completed_etag,
    read_copied_etag,
    read_parts_page,
    read_upload_id,
    read_uploads_page,
)
from s3o.wire.sigv4 import EMPTY_SHA256
from s3o.wire.xml_read import Element, parse_xml
from s3o.wire.xml_write import document, element, leaf

_NO_UPLOAD = "NoSuchUpload"
_EMPTY = "Content-Length: 0\r\n"
_SOURCE = "x-amz-copy-source"
_SOURCE_RANGE = "x-amz-copy-source-range"
T = TypeVar("T")
_Query = tuple[tuple[str, str], ...]


class Uploads:
    """Uploads in parts and copies in one bucket."""

    def __init__(
        self, caller: Caller, writer: HeadWriter, bucket_path: str, sender: Sender
    ) -> None:
        self._caller = caller
        self._writer = writer
        self._bucket_path = bucket_path
        self._sender = sender

    async def create(self, storage_key: StorageKey, described: Pairs) -> str:
        """Begin an upload; described: the headers of the blob to be."""
        call = self._call(
            "CreateMultipartUpload", "POST", storage_key, (("uploads", ""),), described
        )
        reply = await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)
        return self._read(call, reply, read_upload_id)

    async def send_part(
        self, storage_key: StorageKey, upload_id: str, number: int, source: ByteSource
    ) -> PutReceipt:
        """Send one part."""
        put = Put(
            operation="UploadPart",
            path=self._writer.object_path(storage_key),
            query=_part(upload_id, number),
        )
        try:
            return await self._sender.send(put, source)
        except BackendRefused as refused:
            raise self._explain(refused, upload_id) from None

    async def copy(
        self, source_path: str, storage_key: StorageKey, described: Pairs
    ) -> PutReceipt:
        """Copy a whole object; its new headers replace the source's."""
        signed = (
            *described,
            (_SOURCE, source_path),
            ("x-amz-metadata-directive", "REPLACE"),
        )
        call = self._call("CopyObject", "PUT", storage_key, (), signed)
        reply = await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)
        etag = self._read(call, reply, read_copied_etag)
        return self._sender.receipt(reply, s3_answers.clean_etag(etag))

    async def copy_part(
        self,
        source_path: str,
        interval: Interval | None,
        storage_key: StorageKey,
        upload_id: str,
        number: int,
    ) -> PutReceipt:
        """Make a part of an object's bytes."""
        signed: Pairs = ((_SOURCE, source_path),)
        if interval is not None:
            span = f"bytes={interval.start}-{interval.stop - 1}"
            signed = (*signed, (_SOURCE_RANGE, span))
        query = _part(upload_id, number)
        call = self._call("UploadPartCopy", "PUT", storage_key, query, signed)
        try:
            reply = await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)
        except BackendRefused as refused:
            raise self._explain(refused, upload_id) from None
        etag = self._read(call, reply, read_copied_etag)
        return self._sender.receipt(reply, s3_answers.clean_etag(etag))

    async def complete(
        self, storage_key: StorageKey, upload_id: str, parts: Sequence[tuple[int, str]]
    ) -> PutReceipt:
        """Make an object of parts."""
        body = _manifest(parts)
        call = Call(
            operation="CompleteMultipartUpload",
            method="POST",
            path=self._writer.object_path(storage_key),
            query=(("uploadId", upload_id),),
            payload_hash=hashlib.sha256(body).hexdigest(),
            signed=(("content-type", "application/xml"),),
            plain=f"Content-Length: {len(body)}\r\n",
            body=body,
        )
        try:
            reply = await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)
        except BackendRefused as refused:
            raise self._explain(refused, upload_id) from None
        etag = self._read(call, reply, read_completed_etag)
        receipt = self._sender.receipt(reply, s3_answers.clean_etag(etag))
        return PutReceipt(etag=receipt.etag, backend_version=receipt.backend_version)

    async def abort(self, storage_key: StorageKey, upload_id: str) -> None:
        """End an upload."""
        query = (("uploadId", upload_id),)
        call = self._call("AbortMultipartUpload", "DELETE", storage_key, query)
        try:
            await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)
        except BackendRefused as refused:
            if refused.code != _NO_UPLOAD:
                raise

    async def list_parts(
        self, storage_key: StorageKey, upload_id: str
    ) -> tuple[NativePart, ...]:
        """Return all parts of an upload, by number."""
        found: list[NativePart] = []
        after = 0
        while True:
            query = (
                *(("max-parts", "1000"), ("part-number-marker", str(after))),
                ("uploadId", upload_id),
            )
            call = self._call("ListParts", "GET", storage_key, query)
            try:
                reply = await self._caller.ask(call, limits.BACKEND_XML_BYTES)
            except BackendRefused as refused:
                raise self._explain(refused, upload_id) from None
            page, has_more = self._read(call, reply, read_parts_page)
            fresh = [part for part in page if part.number > after]
            found += fresh
            if not has_more:
                return tuple(found)
            if not fresh or len(found) > limits.PARTS:
                raise self._broken(call, "the listing of parts never ends")
            after = fresh[-1].number

    async def list_page(self, prefix: str, token: str | None, limit: int) -> UploadPage:
        """Return one page of uploads under way; the token is `name upload-id`."""
        query: _Query = (("max-uploads", str(limit)), ("prefix", prefix))
        if token is not None:
            name, _, upload_id = token.rpartition(" ")
            query = (
                *(("key-marker", name), *query),
                ("upload-id-marker", upload_id),
            )
        call = Call(
            operation="ListMultipartUploads",
            method="GET",
            path=self._bucket_path,
            query=(*query, ("uploads", "")),
            payload_hash=EMPTY_SHA256,
        )
        reply = await self._caller.ask(call, limits.BACKEND_XML_BYTES)
        page = self._read(call, reply, read_uploads_page)
        if page.next is not None and " ".join(page.next) == token:
            raise self._broken(call, "the same marker twice: the listing never ends")
        return UploadPage(
            uploads=tuple(
                ListedUpload(name=name, upload_id=upload_id, initiated_at_us=at_us)
                for name, upload_id, at_us in page.uploads
                if name.startswith(prefix)
            ),
            next_token=" ".join(page.next) if page.next is not None else None,
        )

    def _call(
        self,
        operation: str,
        method: str,
        storage_key: StorageKey,
        query: _Query,
        signed: Pairs = (),
    ) -> Call:
        return Call(
            operation=operation,
            method=method,
            path=self._writer.object_path(storage_key),
            query=query,
            payload_hash=EMPTY_SHA256,
            signed=signed,
            plain=_EMPTY if method in ("PUT", "POST") else "",
        )

    def _explain(self, refused: BackendRefused, upload_id: str) -> BackendError:
        if refused.code != _NO_UPLOAD:
            return refused
        return UploadMissing(
            self._caller.name, refused.operation, refused.reason, upload_id=upload_id
        )

    def _read(self, call: Call, reply: Reply, read: Callable[[Element], T]) -> T:
        try:
            return read(parse_xml(reply.body.strip()))
        except MalformedXml as malformed:
            raise self._broken(call, malformed.reason) from None

    def _broken(self, call: Call, reason: str) -> BackendProtocolError:
        return BackendProtocolError(
            self._caller.name, call.operation, s3_answers.plain_text(reason)
        )


def _part(upload_id: str, number: int) -> _Query:
    return (("partNumber", str(number)), ("uploadId", upload_id))


def _manifest(parts: Sequence[tuple[int, str]]) -> bytes:
    return document(
        "CompleteMultipartUpload",
        [
            element(
                "Part", [leaf("PartNumber", str(number)), leaf("ETag", f'"{etag}"')]
            )
            for number, etag in parts
        ],
    )
