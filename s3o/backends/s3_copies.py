"""Copies within one bucket at a provider: no byte of them passes through here.

The source is named in a header, percent-encoded like a path. Its metadata is always
replaced, for every blob has a record of its own. A source is absent only where the
provider says NoSuchKey. As with Complete, the answer may be a success with an Error
inside, or white space for minutes.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
"""

from s3o.backends import s3_answers
from s3o.backends.profiles import Profile
from s3o.backends.s3_calls import Call, Caller, Reply
from s3o.backends.s3_presence import Presence
from s3o.backends.s3_sending import described
from s3o.backends.s3_signing import HeadWriter
from s3o.backends.s3_uploads import explain_upload, part_query
from s3o.backends.s3_versions import Versions
from s3o.model import limits
from s3o.model.errors import (
    BackendProtocolError,
    BackendRefused,
    MalformedXml,
    UploadMissing,
)
from s3o.model.names import StorageKey
from s3o.model.values import BlobHeaders, Interval, Pairs, PutReceipt
from s3o.net.client import BadAnswer
from s3o.wire.backend_uploads import read_copied
from s3o.wire.sigv4 import EMPTY_SHA256
from s3o.wire.xml_read import parse_xml

_SOURCE = "x-amz-copy-source"


class S3Copies:
    """Copies in one bucket."""

    def __init__(
        self,
        caller: Caller,
        writer: HeadWriter,
        presence: Presence,
        versions: Versions,
        profile: Profile,
    ) -> None:
        self._caller = caller
        self._writer = writer
        self._presence = presence
        self._versions = versions
        self._profile = profile

    async def copy(
        self,
        source_key: StorageKey,
        storage_key: StorageKey,
        headers: BlobHeaders,
    ) -> PutReceipt:
        """Copy a whole blob; see seam.Copies."""
        signed = (
            *described(headers, has_body=False),
            (_SOURCE, self._writer.copy_source(source_key)),
            ("x-amz-metadata-directive", "REPLACE"),
        )
        call = self._put("CopyObject", storage_key, (), signed)
        try:
            reply = await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)
        except BackendRefused as refused:
            raise await self._presence.explain(refused, source_key) from None
        version = s3_answers.read_version(reply.fields)
        self._versions.note_version(version)
        etag = self._read(call, reply)
        return PutReceipt(
            etag=etag,
            backend_version=version,
            etag_is_md5=self._is_md5(etag, reply),
        )

    async def copy_part(
        self,
        source_key: StorageKey,
        interval: Interval | None,
        storage_key: StorageKey,
        upload_id: str,
        number: int,
    ) -> PutReceipt:
        """Copy one part; see seam.Copies."""
        signed: Pairs = ((_SOURCE, self._writer.copy_source(source_key)),)
        if interval is not None:
            text = f"bytes={interval.start}-{interval.stop - 1}"
            signed = (*signed, (f"{_SOURCE}-range", text))
        query = part_query(upload_id, number)
        call = self._put("UploadPartCopy", storage_key, query, signed)
        try:
            reply = await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)
            etag = s3_answers.need_etag(self._read(call, reply))
        except BackendRefused as refused:
            # Here NoSuchKey speaks of the source.
            error = explain_upload(
                refused, storage_key, upload_id, (s3_answers.NO_UPLOAD_CODE,)
            )
            if isinstance(error, UploadMissing):
                raise error from None
            raise await self._presence.explain(refused, source_key) from None
        except BadAnswer as error:
            raise self._caller.translate(error, call.operation) from error
        return PutReceipt(etag=etag, etag_is_md5=self._is_md5(etag, reply))

    def _is_md5(self, etag: str, reply: Reply) -> bool:
        """Whether the ETag is the MD5 of the copied bytes, so that it proves them."""
        return self._profile.etag_is_md5 and s3_answers.is_md5(etag, reply.fields)

    def _put(
        self, operation: str, storage_key: StorageKey, query: Pairs, signed: Pairs
    ) -> Call:
        return Call(
            operation=operation,
            method="PUT",
            path=self._writer.object_path(storage_key),
            query=query,
            payload_hash=EMPTY_SHA256,
            signed=signed,
            plain="Content-Length: 0\r\n",
        )

    def _read(self, call: Call, reply: Reply) -> str:
        try:
            return s3_answers.clean_etag(read_copied(parse_xml(reply.body.strip())))
        except MalformedXml as malformed:
            raise BackendProtocolError(
                self._caller.name,
                call.operation,
                s3_answers.plain_text(malformed.reason),
            ) from None
