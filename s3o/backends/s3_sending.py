"""Send a body to a provider: a blob's, or a part's.

How bodies are signed: with the SHA-256 that is known beforehand; else unsigned where
the operator or TLS allows it; else, in the clear, with the hash of a body that is all
in its first piece, or chunk by chunk (STREAMING-AWS4-HMAC-SHA256-PAYLOAD).
"""

import base64
import hashlib
from dataclasses import dataclass

from s3o.backends.s3_bodies import Upload, framed_size, open_upload
from s3o.backends.s3_calls import Call, Caller, Reply
from s3o.model import limits
from s3o.model.errors import BackendRefused
from s3o.model.seams import ByteSource
from s3o.model.values import BlobHeaders, Pairs
from s3o.wire.sigv4 import STREAMING_PAYLOAD, UNSIGNED_PAYLOAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """One PUT with a body. stored_sha256: of the body in hex, known beforehand."""

    operation: str
    path: str
    query: Pairs = ()
    signed: Pairs = ()
    stored_sha256: str | None = None


class Sender:
    """Sends bodies to one provider, and learns what signatures it knows."""

    def __init__(
        self, caller: Caller, *, may_send_unsigned: bool, may_sign_chunks: bool
    ) -> None:
        self._caller = caller
        self._may_send_unsigned = may_send_unsigned
        self._may_sign_chunks = may_sign_chunks

    async def send(self, sending: Sending, source: ByteSource) -> Reply:
        """Send source's bytes; raises BackendError and what source.read raises."""
        upload = await open_upload(source)
        call = self._call(sending, upload)
        try:
            return await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)
        except BackendRefused as refused:
            if call.payload_hash != STREAMING_PAYLOAD or refused.status != 501:
                raise
            # A provider that does not know this signature is not asked again.
            self._may_sign_chunks = False
            if not await upload.rewind():
                raise
            call = self._call(sending, upload)
            return await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)

    def _call(self, sending: Sending, upload: Upload) -> Call:
        payload_hash = self._payload_hash(upload, sending.stored_sha256)
        signed = sending.signed
        size = upload.size
        if payload_hash == STREAMING_PAYLOAD:
            signed = (*signed, ("x-amz-decoded-content-length", str(size)))
            size = framed_size(size)
        return Call(
            operation=sending.operation,
            method="PUT",
            path=sending.path,
            query=sending.query,
            payload_hash=payload_hash,
            signed=signed,
            plain=f"Content-Length: {size}\r\n",
            upload=upload,
        )

    def _payload_hash(self, upload: Upload, stored_sha256: str | None) -> str:
        if stored_sha256 is not None:
            return stored_sha256
        if self._may_send_unsigned:
            return UNSIGNED_PAYLOAD
        if upload.is_whole:
            return hashlib.sha256(upload.first).hexdigest()
        return STREAMING_PAYLOAD if self._may_sign_chunks else UNSIGNED_PAYLOAD


def described(headers: BlobHeaders, *, has_body: bool) -> Pairs:
    """Return the header fields that say what a blob is, to be signed.

    has_body: whether the blob's bytes follow, so that their MD5 may go along.
    """
    fields = [
        ("content-type", headers.content_type),
        *headers.headers,
        *((f"x-amz-meta-{name}", value) for name, value in headers.record),
        *((f"x-amz-meta-{name}", value) for name, value in headers.metadata),
    ]
    if has_body and headers.stored_md5 is not None:
        md5 = base64.b64encode(bytes.fromhex(headers.stored_md5))
        fields.append(("content-md5", md5.decode("ascii")))
    return tuple(fields)
