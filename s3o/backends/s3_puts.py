"""Send a body to a provider: as an object or as a part of an upload.

How bodies are signed: with the SHA-256 that is known beforehand; else unsigned where
the operator or TLS allows it; else, in the clear, with the hash of a body that is all
in its first piece, or chunk by chunk (STREAMING-AWS4-HMAC-SHA256-PAYLOAD).
"""

import hashlib
from dataclasses import dataclass

from s3o.backends import s3_answers
from s3o.backends.profiles import Profile
from s3o.backends.s3_bodies import Upload, framed_size, open_upload
from s3o.backends.s3_calls import Call, Caller, Reply
from s3o.backends.s3_versions import Versions
from s3o.model import limits
from s3o.model.errors import BackendRefused
from s3o.model.seams import ByteSource
from s3o.model.values import Pairs, PutReceipt
from s3o.wire.sigv4 import STREAMING_PAYLOAD, UNSIGNED_PAYLOAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """What is sent beside the body; sha256 in hex if it is known beforehand."""

    operation: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    signed: Pairs = ()
    sha256: str | None = None


class Sender:
    """Sends bodies to one provider."""

    def __init__(
        self,
        caller: Caller,
        versions: Versions,
        profile: Profile,
        *,
        may_send_unsigned: bool,
    ) -> None:
        self._caller = caller
        self._versions = versions
        self._profile = profile
        self._may_send_unsigned = may_send_unsigned
        self._may_sign_chunks = profile.is_streaming_signed

    async def send(self, put: Put, source: ByteSource) -> PutReceipt:
        """Send all of source; raises BackendError and what source.read raises."""
        upload = await open_upload(source)
        call = self._call(put, upload)
        try:
            reply = await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)
        except BackendRefused as refused:
            if call.payload_hash != STREAMING_PAYLOAD or refused.status != 501:
                raise
            # A provider that does not know this signature is not asked again.
            self._may_sign_chunks = False
            if not await upload.rewind():
                raise
            call = self._call(put, upload)
            reply = await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)
        return self.receipt(reply)

    def receipt(self, reply: Reply, etag: str | None = None) -> PutReceipt:
        """Return what an answer says; etag: from its document, where that has it."""
        if etag is None:
            etag = s3_answers.clean_etag(reply.fields.get("etag", ""))
        version = s3_answers.read_version(reply.fields)
        self._versions.note_version(version)
        is_md5 = self._profile.etag_is_md5 and s3_answers.is_md5(etag, reply.fields)
        return PutReceipt(etag=etag, backend_version=version, etag_is_md5=is_md5)

    def _call(self, put: Put, upload: Upload) -> Call:
        payload_hash = self._payload_hash(put, upload)
        signed, size = put.signed, upload.size
        if payload_hash == STREAMING_PAYLOAD:
            signed = (*signed, ("x-amz-decoded-content-length", str(size)))
            size = framed_size(size)
        return Call(
            operation=put.operation,
            method="PUT",
            path=put.path,
            payload_hash=payload_hash,
            query=put.query,
            signed=signed,
            plain=f"Content-Length: {size}\r\n",
            upload=upload,
        )

    def _payload_hash(self, put: Put, upload: Upload) -> str:
        if put.sha256 is not None:
            return put.sha256
        if self._may_send_unsigned:
            return UNSIGNED_PAYLOAD
        if upload.is_whole:
            return hashlib.sha256(upload.first).hexdigest()
        return STREAMING_PAYLOAD if self._may_sign_chunks else UNSIGNED_PAYLOAD
