"""The Backend over a bucket at an S3 provider.

Sends what the least of the providers takes (profiles) and believes an answer only as
far as it fits the question: lengths, ranges and names are compared, redirects are not
followed, and absent means that the provider said NoSuchKey of a bucket that exists.

How bodies are signed: with the SHA-256 that is known beforehand; else unsigned where
the operator or TLS allows it; else, in the clear, with the hash of a body that is all
in its first piece, or chunk by chunk (STREAMING-AWS4-HMAC-SHA256-PAYLOAD).

Every wait for the provider is bounded by the pool's progress time; transfers have no
total. Source: https://docs.aws.amazon.com/AmazonS3/latest/API/
"""

import base64
import hashlib
from collections.abc import Sequence
from types import TracebackType

from s3o.backends import s3_answers
from s3o.backends.s3_bodies import Upload, framed_size, open_upload
from s3o.backends.s3_calls import Call, Caller
from s3o.backends.s3_delete import Deleter
from s3o.backends.s3_reader import OPERATION as GET
from s3o.backends.s3_reader import S3Blob, open_blob
from s3o.backends.s3_settings import S3Settings
from s3o.backends.s3_signing import HeadWriter
from s3o.backends.s3_versions import Versions
from s3o.backends.seam import DeleteOutcome, Meter
from s3o.model import limits
from s3o.model.errors import (
    BackendError,
    BackendProtocolError,
    BackendRefused,
    BlobMissing,
    MalformedXml,
)
from s3o.model.names import BackendName, StorageKey
from s3o.model.seams import ByteSource, Clock
from s3o.model.values import (
    BlobHeaders,
    BlobInfo,
    BlobPage,
    Interval,
    Pairs,
    PutReceipt,
)
from s3o.net.client import ClientError, ClientPool
from s3o.wire.backend_documents import read_list_page
from s3o.wire.sigv4 import EMPTY_SHA256, STREAMING_PAYLOAD, UNSIGNED_PAYLOAD
from s3o.wire.xml_read import parse_xml


class S3Backend:
    """One bucket at one provider. Owns: the pool."""

    def __init__(
        self, settings: S3Settings, pool: ClientPool, meter: Meter, clock: Clock
    ) -> None:
        """Speak to settings' bucket; pool must lead to settings.origin."""
        self._name = settings.name
        self._pool = pool
        self._profile = settings.chosen_profile
        self._may_send_unsigned = settings.may_send_unsigned
        self._may_sign_chunks = self._profile.is_streaming_signed
        address = settings.address
        self._bucket_path = address.bucket_path
        self._writer = HeadWriter(
            address,
            region=settings.region,
            access_key_id=settings.access_key_id,
            secret_access_key=settings.secret_access_key,
            clock=clock,
        )
        self._caller = Caller(settings.name, pool, self._writer, meter)
        self._versions = Versions(
            self._caller, address.bucket_path, are_kept=self._profile.keeps_versions
        )
        self._deleter = Deleter(
            self._caller,
            self._writer,
            address.bucket_path,
            self._versions,
            has_multi_delete=self._profile.has_multi_delete,
        )

    @property
    def name(self) -> BackendName:
        """Its name in the configuration."""
        return self._name

    # ---- writing

    async def put(
        self, storage_key: StorageKey, source: ByteSource, headers: BlobHeaders
    ) -> PutReceipt:
        """Store source's bytes; see Backend.put."""
        upload = await open_upload(source)
        call = self._put_call(storage_key, upload, headers)
        try:
            reply = await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)
        except BackendRefused as refused:
            if call.payload_hash != STREAMING_PAYLOAD or refused.status != 501:
                raise
            # A provider that does not know this signature is not asked again.
            self._may_sign_chunks = False
            if not await upload.rewind():
                raise
            call = self._put_call(storage_key, upload, headers)
            reply = await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)
        etag = s3_answers.clean_etag(reply.fields.get("etag", ""))
        version = s3_answers.read_version(reply.fields)
        self._versions.note_version(version)
        is_md5 = self._profile.etag_is_md5 and s3_answers.is_md5(etag, reply.fields)
        return PutReceipt(
            etag=etag,
            backend_version=version,
            etag_is_md5=is_md5,
        )

    def _put_call(
        self, storage_key: StorageKey, upload: Upload, headers: BlobHeaders
    ) -> Call:
        payload_hash = self._payload_hash(upload, headers)
        signed = _described(headers)
        size = upload.size
        if payload_hash == STREAMING_PAYLOAD:
            signed = (*signed, ("x-amz-decoded-content-length", str(size)))
            size = framed_size(size)
        return Call(
            operation="PutObject",
            method="PUT",
            path=self._writer.object_path(storage_key),
            payload_hash=payload_hash,
            signed=signed,
            plain=f"Content-Length: {size}\r\n",
            upload=upload,
        )

    def _payload_hash(self, upload: Upload, headers: BlobHeaders) -> str:
        if headers.stored_sha256 is not None:
            return headers.stored_sha256
        if self._may_send_unsigned:
            return UNSIGNED_PAYLOAD
        if upload.is_whole:
            return hashlib.sha256(upload.first).hexdigest()
        return STREAMING_PAYLOAD if self._may_sign_chunks else UNSIGNED_PAYLOAD

    async def delete(self, storage_keys: Sequence[StorageKey]) -> list[DeleteOutcome]:
        """Delete blobs; see Backend.delete."""
        return await self._deleter.delete(storage_keys)

    # ---- reading

    def open(
        self, storage_key: StorageKey, interval: Interval | None = None
    ) -> "_Opening":
        """Open a blob, or an interval of it; see Backend.open."""
        return _Opening(self, storage_key, interval)

    async def open_blob(
        self, storage_key: StorageKey, interval: Interval | None
    ) -> S3Blob:
        """Open a blob that the caller closes; for the context manager of open()."""
        plain = ""
        if interval is not None:
            plain = f"Range: bytes={interval.start}-{interval.stop - 1}\r\n"
        call = Call(
            operation=GET,
            method="GET",
            path=self._writer.object_path(storage_key),
            payload_hash=EMPTY_SHA256,
            plain=plain,
        )
        try:
            return await open_blob(self._caller, call, storage_key, interval)
        except BackendRefused as refused:
            raise await self._explain(refused, storage_key) from None

    async def head(self, storage_key: StorageKey) -> BlobInfo:
        """Ask what the provider knows of a blob; see Backend.head."""
        call = Call(
            operation="HeadObject",
            method="HEAD",
            path=self._writer.object_path(storage_key),
            payload_hash=EMPTY_SHA256,
        )
        try:
            fields = (await self._caller.ask(call, 0)).fields
            size = s3_answers.read_length(fields)
        except BackendRefused as refused:
            raise await self._explain(refused, storage_key) from None
        except ClientError as error:
            raise self._caller.translate(error, call.operation) from error
        return s3_answers.read_info(fields, size, has_date=True)

    async def _explain(
        self, refused: BackendRefused, storage_key: StorageKey
    ) -> BackendError:
        """Return what a refusal to read means: absent, or still a refusal.

        A 404 without a document (every HEAD's) may speak of the bucket, and a bucket
        that somebody removed must not make its blobs count as lost: so ask for it.
        """
        if refused.status != 404:
            return refused
        if refused.code and refused.code not in s3_answers.ABSENT_CODES:
            return refused
        if not refused.code:
            try:
                await self.probe()
            except BackendError as error:
                return error
        return BlobMissing(self._name, refused.operation, refused.reason, storage_key)

    async def list_page(
        self, prefix: str, token: str | None = None, limit: int = 1000
    ) -> BlobPage:
        """Return one page of blobs under prefix; see Backend.list_page."""
        query = [("list-type", "2"), ("max-keys", str(limit)), ("prefix", prefix)]
        if token is not None:
            query.append(("continuation-token", token))
        if self._profile.is_listing_encoded:
            query.append(("encoding-type", "url"))
        call = Call(
            operation="ListObjectsV2",
            method="GET",
            path=self._bucket_path,
            query=tuple(query),
            payload_hash=EMPTY_SHA256,
        )
        reply = await self._caller.ask(call, limits.BACKEND_XML_BYTES)
        try:
            page = read_list_page(parse_xml(reply.body))
        except MalformedXml as malformed:
            raise self._broken(call, malformed.reason) from None
        if len(page.blobs) > limit:
            raise self._broken(call, "more names than were asked for")
        if page.next_token is not None and page.next_token == token:
            raise self._broken(call, "the same token twice, so the listing never ends")
        return BlobPage(
            blobs=s3_answers.own_blobs(page.blobs, prefix), next_token=page.next_token
        )

    def _broken(self, call: Call, reason: str) -> BackendProtocolError:
        return BackendProtocolError(
            self._name, call.operation, s3_answers.plain_text(reason)
        )

    async def probe(self) -> None:
        """Ask whether the bucket is there and lets us in; raises BackendError."""
        call = Call(
            operation="HeadBucket",
            method="HEAD",
            path=self._bucket_path,
            payload_hash=EMPTY_SHA256,
        )
        await self._caller.ask(call, 0)

    async def find_unfitness(self) -> str:
        """Return why deletes could never be proved here, "" if they can.

        Only a bucket that lets us in and refuses to tell of its versions is unfit; one
        that lets nobody in may do so tomorrow. Raises BackendError when it cannot be
        found out now.
        """
        try:
            await self._versions.verify()
        except BackendRefused as refused:
            if refused.status >= 500 and refused.status != 501:
                raise
            await self.probe()
            return f"{refused.operation}: {refused.reason}"
        return ""

    async def aclose(self) -> None:
        """Close idle connections."""
        await self._pool.aclose()


class _Opening:
    """The context manager of open(); a class, for a generator costs twice as much."""

    __slots__ = ("_backend", "_blob", "_interval", "_storage_key")

    def __init__(
        self, backend: S3Backend, storage_key: StorageKey, interval: Interval | None
    ) -> None:
        self._backend = backend
        self._storage_key = storage_key
        self._interval = interval
        self._blob: S3Blob | None = None

    async def __aenter__(self) -> S3Blob:
        self._blob = await self._backend.open_blob(self._storage_key, self._interval)
        return self._blob

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._blob is not None:
            await self._blob.aclose()


def _described(headers: BlobHeaders) -> Pairs:
    """Return the header fields of a PUT that say what the blob is, to be signed."""
    fields = [
        ("content-type", headers.content_type),
        *headers.headers,
        *((f"x-amz-meta-{name}", value) for name, value in headers.record),
        *((f"x-amz-meta-{name}", value) for name, value in headers.metadata),
    ]
    if headers.stored_md5 is not None:
        md5 = base64.b64encode(bytes.fromhex(headers.stored_md5))
        fields.append(("content-md5", md5.decode("ascii")))
    return tuple(fields)
