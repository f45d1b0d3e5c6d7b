"""Native multipart uploads at a provider.

The provider's upload ids and ETags are opaque, bounded and plain text. An upload is
missing only where the provider says so. The answer to Complete may be white
space for minutes, and a success with an Error inside; both are the caller's to read.
"""

import hashlib
import re
from collections.abc import Container, Sequence
from urllib.parse import quote, unquote

from s3o.backends import s3_answers
from s3o.backends.profiles import Profile
from s3o.backends.s3_calls import Call, Caller, Reply
from s3o.backends.s3_sending import Sender, Sending, described
from s3o.backends.s3_signing import HeadWriter
from s3o.backends.s3_versions import Versions
from s3o.backends.seam import unsupported
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
    BlobHeaders,
    NativePart,
    Pairs,
    PutReceipt,
    UploadPage,
)
from s3o.net.client import BadAnswer
from s3o.wire.backend_uploads import (
    PartsPage,
    UploadsPage,
    read_completed,
    read_parts_page,
    read_upload_id,
    read_uploads_page,
    render_manifest,
)
from s3o.wire.sigv4 import EMPTY_SHA256
from s3o.wire.xml_read import Element, parse_xml

_UPLOAD_ID = re.compile(rf"[!-~]{{1,{limits.BACKEND_UPLOAD_ID_BYTES}}}", re.ASCII)
_EMPTY = "Content-Length: 0\r\n"


class S3Uploads:
    """The uploads in one bucket."""

    def __init__(
        self,
        caller: Caller,
        writer: HeadWriter,
        sender: Sender,
        versions: Versions,
        bucket_path: str,
        profile: Profile,
    ) -> None:
        self._caller = caller
        self._writer = writer
        self._sender = sender
        self._versions = versions
        self._bucket_path = bucket_path
        self._profile = profile

    async def create(self, storage_key: StorageKey, headers: BlobHeaders) -> str:
        """Begin an upload; see seam.Uploads."""
        call = Call(
            operation="CreateMultipartUpload",
            method="POST",
            path=self._writer.object_path(storage_key),
            query=(("uploads", ""),),
            payload_hash=EMPTY_SHA256,
            signed=described(headers, has_body=False),
            plain=_EMPTY,
        )
        reply = await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)
        try:
            upload_id = read_upload_id(_parse(reply))
        except MalformedXml as malformed:
            raise self._broken(call.operation, malformed.reason) from None
        if not _UPLOAD_ID.fullmatch(upload_id):
            raise self._broken(call.operation, "no proper upload id")
        return upload_id

    async def upload_part(
        self,
        storage_key: StorageKey,
        upload_id: str,
        number: int,
        source: ByteSource,
    ) -> PutReceipt:
        """Send one part; see seam.Uploads."""
        if number > self._profile.traits.max_part_number:
            raise unsupported(self._caller.name, "UploadPart")
        sending = Sending(
            operation="UploadPart",
            path=self._writer.object_path(storage_key),
            query=part_query(upload_id, number),
        )
        try:
            reply = await self._sender.send(sending, source)
            etag = s3_answers.need_etag(reply.fields.get("etag", ""))
        except BackendRefused as refused:
            raise explain_upload(refused, storage_key, upload_id) from None
        except BadAnswer as error:
            raise self._caller.translate(error, sending.operation) from error
        return PutReceipt(
            etag=etag,
            etag_is_md5=self._profile.etag_is_md5
            and s3_answers.is_md5(etag, reply.fields),
        )

    async def complete(
        self,
        storage_key: StorageKey,
        upload_id: str,
        parts: Sequence[tuple[int, str]],
    ) -> PutReceipt:
        """Make parts the blob; see seam.Uploads."""
        body = render_manifest(parts)
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
            etag = read_completed(_parse(reply))
        except BackendRefused as refused:
            error = explain_upload(refused, storage_key, upload_id)
            if isinstance(error, UploadMissing):
                # Completed, for all that is known: perhaps by an earlier request.
                error.is_definite = False
            raise error from None
        except MalformedXml as malformed:
            raise self._broken(call.operation, malformed.reason) from None
        version = s3_answers.read_version(reply.fields)
        self._versions.note_version(version)
        return PutReceipt(etag=s3_answers.clean_etag(etag), backend_version=version)

    async def abort(self, storage_key: StorageKey, upload_id: str) -> None:
        """Give an upload up; see seam.Uploads."""
        call = Call(
            operation="AbortMultipartUpload",
            method="DELETE",
            path=self._writer.object_path(storage_key),
            query=(("uploadId", upload_id),),
            payload_hash=EMPTY_SHA256,
        )
        try:
            await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)
        except BackendRefused as refused:
            error = explain_upload(refused, storage_key, upload_id)
            if not isinstance(error, UploadMissing):
                raise

    async def list_parts(
        self, storage_key: StorageKey, upload_id: str
    ) -> tuple[NativePart, ...]:
        """Return all parts; see seam.Uploads."""
        found: dict[int, NativePart] = {}
        marker = 0
        while True:
            page = await self._parts_page(storage_key, upload_id, marker)
            found |= {part.number: part for part in page.parts}
            if page.next_marker is None:
                return tuple(found[number] for number in sorted(found))
            if not marker < page.next_marker <= limits.PARTS:
                raise self._broken("ListParts", "pages without end")
            marker = page.next_marker

    async def _parts_page(
        self, storage_key: StorageKey, upload_id: str, marker: int
    ) -> PartsPage:
        call = Call(
            operation="ListParts",
            method="GET",
            path=self._writer.object_path(storage_key),
            query=(
                ("max-parts", str(limits.LIST_PARTS)),
                ("part-number-marker", str(marker)),
                ("uploadId", upload_id),
            ),
            payload_hash=EMPTY_SHA256,
        )
        try:
            reply = await self._caller.ask(call, limits.BACKEND_XML_BYTES)
            page = read_parts_page(_parse(reply))
        except BackendRefused as refused:
            raise explain_upload(refused, storage_key, upload_id) from None
        except MalformedXml as malformed:
            raise self._broken(call.operation, malformed.reason) from None
        return page

    async def list_page(self, prefix: str, token: str | None, limit: int) -> UploadPage:
        """Return one page of uploads under way; see seam.Uploads."""
        query = [("max-uploads", str(limit)), ("prefix", prefix), ("uploads", "")]
        if token is not None:
            key, _, upload_id = token.partition("&")
            query.append(("key-marker", unquote(key)))
            if upload_id:
                query.append(("upload-id-marker", unquote(upload_id)))
        if self._profile.is_listing_encoded:
            query.append(("encoding-type", "url"))
        call = Call(
            operation="ListMultipartUploads",
            method="GET",
            path=self._bucket_path,
            query=tuple(query),
            payload_hash=EMPTY_SHA256,
        )
        try:
            reply = await self._caller.ask(call, limits.BACKEND_XML_BYTES)
            page = read_uploads_page(_parse(reply))
        except BackendRefused as refused:
            if refused.code != s3_answers.NO_UPLOAD_CODE:
                raise
            page = UploadsPage(uploads=(), next=None)  # rclone's way to say none
        except MalformedXml as malformed:
            raise self._broken(call.operation, malformed.reason) from None
        following = None
        if page.next is not None:
            following = "&".join(quote(marker, safe="") for marker in page.next)
        if following is not None and following == token:
            raise self._broken(call.operation, "the same markers twice")
        return UploadPage(
            uploads=tuple(
                upload
                for upload in page.uploads
                if upload.name.startswith(prefix)
                and _UPLOAD_ID.fullmatch(upload.upload_id)
            ),
            next_token=following,
        )

    def _broken(self, operation: str, reason: str) -> BackendProtocolError:
        return BackendProtocolError(
            self._caller.name, operation, s3_answers.plain_text(reason)
        )


def part_query(upload_id: str, number: int) -> Pairs:
    """Return the query that names one part."""
    assert 1 <= number <= limits.PARTS
    return (("partNumber", str(number)), ("uploadId", upload_id))


def explain_upload(
    refused: BackendRefused,
    storage_key: StorageKey,
    upload_id: str,
    codes: Container[str] = s3_answers.NO_UPLOAD_CODES,
) -> BackendError:
    """Return what a refusal means: no such upload, or still a refusal."""
    if refused.code not in codes:
        return refused
    return UploadMissing(
        refused.backend,
        refused.operation,
        refused.reason,
        storage_key,
        upload_id,
        is_definite=refused.is_definite,
    )


def _parse(reply: Reply) -> Element:
    # White space before the declaration keeps connections alive, but is no XML.
    return parse_xml(reply.body.strip())
