"""The Backend over a bucket at an S3 provider.

Sends what the least of the providers takes (profiles) and believes an answer only as
far as it fits the question: lengths, ranges and names are compared, redirects are not
followed, and absent means that the provider said NoSuchKey of a bucket that exists.

Every wait for the provider is bounded by the pool's progress time; transfers have no
total. Source: https://docs.aws.amazon.com/AmazonS3/latest/API/
"""

import base64
from collections.abc import Sequence
from types import TracebackType

from s3o.backends import s3_answers
from s3o.backends.s3_calls import Call, Caller
from s3o.backends.s3_delete import Deleter
from s3o.backends.s3_puts import Put, Sender
from s3o.backends.s3_reader import OPERATION as GET
from s3o.backends.s3_reader import S3Blob, open_blob
from s3o.backends.s3_settings import S3Settings
from s3o.backends.s3_signing import HeadWriter
from s3o.backends.s3_uploads import Uploads
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
    NativePart,
    Pairs,
    PutReceipt,
    Traits,
    UploadPage,
)
from s3o.net.client import ClientError, ClientPool
from s3o.wire.backend_documents import read_list_page
from s3o.wire.sigv4 import EMPTY_SHA256, encode_path
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
        address = settings.address
        self._bucket = settings.bucket
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
        self._sender = Sender(
            self._caller,
            self._versions,
            self._profile,
            may_send_unsigned=settings.may_send_unsigned,
        )
        self._uploads = Uploads(
            self._caller, self._writer, address.bucket_path, self._sender
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
        put = Put(
            operation="PutObject",
            path=self._writer.object_path(storage_key),
            signed=_described(headers),
            sha256=headers.stored_sha256,
        )
        return await self._sender.send(put, source)

    @property
    def traits(self) -> Traits:
        """What the provider can do, by its profile."""
        return self._profile.traits

    async def copy(
        self, source_key: StorageKey, storage_key: StorageKey, headers: BlobHeaders
    ) -> PutReceipt:
        """Copy a whole blob on the provider's side; see Backend.copy."""
        try:
            return await self._uploads.copy(
                self._source_path(source_key), storage_key, _described(headers)
            )
        except BackendRefused as refused:
            raise await self._explain(refused, source_key) from None

    async def create_upload(self, storage_key: StorageKey, headers: BlobHeaders) -> str:
        """Begin an upload in parts; see Backend.create_upload."""
        return await self._uploads.create(storage_key, _described(headers))

    async def upload_part(
        self, storage_key: StorageKey, upload_id: str, number: int, source: ByteSource
    ) -> PutReceipt:
        """Send one part; see Backend.upload_part."""
        return await self._uploads.send_part(storage_key, upload_id, number, source)

    async def copy_part(
        self,
        source_key: StorageKey,
        interval: Interval | None,
        storage_key: StorageKey,
        upload_id: str,
        number: int,
    ) -> PutReceipt:
        """Make a part of a blob's bytes; see Backend.copy_part."""
        source_path = self._source_path(source_key)
        try:
            return await self._uploads.copy_part(
                source_path, interval, storage_key, upload_id, number
            )
        except BackendRefused as refused:
            raise await self._explain(refused, source_key) from None

    async def complete_upload(
        self, storage_key: StorageKey, upload_id: str, parts: Sequence[tuple[int, str]]
    ) -> PutReceipt:
        """Make a blob of parts; see Backend.complete_upload."""
        return await self._uploads.complete(storage_key, upload_id, parts)

    async def abort_upload(self, storage_key: StorageKey, upload_id: str) -> None:
        """End an upload; see Backend.abort_upload."""
        await self._uploads.abort(storage_key, upload_id)

    async def list_parts(
        self, storage_key: StorageKey, upload_id: str
    ) -> tuple[NativePart, ...]:
        """Return an upload's parts; see Backend.list_parts."""
        return await self._uploads.list_parts(storage_key, upload_id)

    async def list_uploads(
        self, prefix: str, token: str | None = None, limit: int = 1000
    ) -> UploadPage:
        """Return one page of uploads under way; see Backend.list_uploads."""
        return await self._uploads.list_page(prefix, token, limit)

    def _source_path(self, source_key: StorageKey) -> str:
        return f"/{self._bucket}/" + encode_path(source_key.encode("utf-8"))

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
