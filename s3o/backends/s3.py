"""The Backend over a bucket at an S3 provider.

Sends what the least of the providers takes (profiles) and believes an answer only as
far as it fits the question: lengths, ranges and names are compared, redirects are not
followed, and absent means that the provider said NoSuchKey of a bucket that exists.

Every wait for the provider is bounded by the pool's progress time; transfers have no
total. Source: https://docs.aws.amazon.com/AmazonS3/latest/API/
"""

from collections.abc import Sequence
from types import TracebackType

from s3o.backends import s3_answers
from s3o.backends.s3_calls import Call, Caller
from s3o.backends.s3_copies import S3Copies
from s3o.backends.s3_delete import Deleter
from s3o.backends.s3_presence import Presence
from s3o.backends.s3_reader import OPERATION as GET
from s3o.backends.s3_reader import S3Blob, open_blob
from s3o.backends.s3_sending import Sender, Sending, described
from s3o.backends.s3_settings import S3Settings
from s3o.backends.s3_signing import HeadWriter
from s3o.backends.s3_uploads import S3Uploads
from s3o.backends.s3_versions import PASSING_CODES, Versions
from s3o.backends.seam import DeleteOutcome, Meter, unsupported
from s3o.model import limits
from s3o.model.errors import (
    BackendProtocolError,
    BackendRefused,
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
    PutReceipt,
    Traits,
    UploadPage,
)
from s3o.net.client import ClientError, ClientPool
from s3o.policy.importing import Shape, shape_of
from s3o.wire.backend_documents import read_list_page
from s3o.wire.sigv4 import EMPTY_SHA256
from s3o.wire.xml_read import parse_xml


class S3Backend:
    """One bucket at one provider. Owns: the pool."""

    def __init__(
        self, settings: S3Settings, pool: ClientPool, meter: Meter, clock: Clock
    ) -> None:
        """Speak to settings' bucket; pool must lead to settings.origin."""
        self._name = settings.name
        self._pool = pool
        self._profile = profile = settings.chosen_profile
        address = settings.address
        self._bucket_path = address.bucket_path
        self._writer = HeadWriter(
            address,
            region=settings.region,
            access_key_id=settings.access_key_id,
            secret_access_key=settings.secret_access_key,
            clock=clock,
        )
        self._caller = caller = Caller(settings.name, pool, self._writer, meter)
        self._presence = Presence(caller, self._bucket_path)
        self._versions = Versions(
            caller, self._bucket_path, are_kept=profile.keeps_versions
        )
        self._sender = Sender(
            caller,
            may_send_unsigned=settings.may_send_unsigned,
            may_sign_chunks=profile.is_streaming_signed,
        )
        self._deleter = Deleter(
            caller,
            self._writer,
            self._bucket_path,
            self._versions,
            has_multi_delete=profile.has_multi_delete,
        )
        self._uploads = S3Uploads(
            caller,
            self._writer,
            self._sender,
            self._versions,
            self._bucket_path,
            profile,
        )
        self._copies = S3Copies(
            caller,
            self._writer,
            self._presence,
            self._versions,
            profile,
        )

    @property
    def name(self) -> BackendName:
        """Its name in the configuration."""
        return self._name

    @property
    def traits(self) -> Traits:
        """What the provider can do beyond storing whole blobs."""
        return self._profile.traits

    # ---- writing

    async def put(
        self, storage_key: StorageKey, source: ByteSource, headers: BlobHeaders
    ) -> PutReceipt:
        """Store source's bytes; see Backend.put."""
        sending = Sending(
            operation="PutObject",
            path=self._writer.object_path(storage_key),
            signed=described(headers, has_body=True),
            stored_sha256=headers.stored_sha256,
        )
        reply = await self._sender.send(sending, source)
        etag = s3_answers.clean_etag(reply.fields.get("etag", ""))
        version = s3_answers.read_version(reply.fields)
        self._versions.note_version(version)
        is_md5 = self._profile.etag_is_md5 and s3_answers.is_md5(etag, reply.fields)
        return PutReceipt(
            etag=etag,
            backend_version=version,
            etag_is_md5=is_md5,
        )

    async def delete(self, storage_keys: Sequence[StorageKey]) -> list[DeleteOutcome]:
        """Delete blobs; see Backend.delete."""
        return await self._deleter.delete(storage_keys)

    # ---- uploads and copies

    async def create_upload(self, storage_key: StorageKey, headers: BlobHeaders) -> str:
        """Begin a native upload; see seam.Uploads."""
        self._demand("CreateMultipartUpload", self.traits.has_multipart)
        return await self._uploads.create(storage_key, headers)

    async def upload_part(
        self,
        storage_key: StorageKey,
        upload_id: str,
        number: int,
        source: ByteSource,
    ) -> PutReceipt:
        """Send one part; see seam.Uploads."""
        return await self._uploads.upload_part(storage_key, upload_id, number, source)

    async def complete_upload(
        self,
        storage_key: StorageKey,
        upload_id: str,
        parts: Sequence[tuple[int, str]],
    ) -> PutReceipt:
        """Make parts the blob; see seam.Uploads."""
        return await self._uploads.complete(storage_key, upload_id, parts)

    async def abort_upload(self, storage_key: StorageKey, upload_id: str) -> None:
        """Give an upload up; see seam.Uploads."""
        await self._uploads.abort(storage_key, upload_id)

    async def list_parts(
        self, storage_key: StorageKey, upload_id: str
    ) -> tuple[NativePart, ...]:
        """Return an upload's parts; see seam.Uploads."""
        return await self._uploads.list_parts(storage_key, upload_id)

    async def list_uploads(
        self, prefix: str, token: str | None = None, limit: int = 1000
    ) -> UploadPage:
        """Return one page of uploads under way; see seam.Uploads."""
        return await self._uploads.list_page(prefix, token, limit)

    async def copy(
        self,
        source_key: StorageKey,
        storage_key: StorageKey,
        headers: BlobHeaders,
    ) -> PutReceipt:
        """Copy a whole blob; see seam.Copies."""
        self._demand("CopyObject", self.traits.can_copy)
        return await self._copies.copy(source_key, storage_key, headers)

    async def copy_part(
        self,
        source_key: StorageKey,
        interval: Interval | None,
        storage_key: StorageKey,
        upload_id: str,
        number: int,
    ) -> PutReceipt:
        """Copy a blob, or an interval of it, as one part; see seam.Copies."""
        self._demand("UploadPartCopy", self.traits.can_copy_part)
        return await self._copies.copy_part(
            source_key, interval, storage_key, upload_id, number
        )

    def _demand(self, operation: str, can: bool) -> None:
        if not can:
            raise unsupported(self._name, operation)

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
            may_be_coded=shape_of(storage_key) is Shape.FOREIGN,
        )
        try:
            return await open_blob(self._caller, call, storage_key, interval)
        except BackendRefused as refused:
            raise await self._presence.explain(refused, storage_key) from None

    async def head(self, storage_key: StorageKey) -> BlobInfo:
        """Ask what the provider knows of a blob; see Backend.head."""
        call = Call(
            operation="HeadObject",
            method="HEAD",
            path=self._writer.object_path(storage_key),
            payload_hash=EMPTY_SHA256,
            may_be_coded=shape_of(storage_key) is Shape.FOREIGN,
        )
        try:
            fields = (await self._caller.ask(call, 0)).fields
            size = s3_answers.read_length(fields)
        except BackendRefused as refused:
            raise await self._presence.explain(refused, storage_key) from None
        except ClientError as error:
            raise self._caller.translate(error, call.operation) from error
        return s3_answers.read_info(fields, size, has_date=True)

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
        await self._presence.probe()

    async def find_unfitness(self) -> str:
        """Return why deletes could never be proved here, "" if they can.

        Only a bucket that lets us in and refuses to tell of its versions is unfit; one
        that lets nobody in may do so tomorrow. Raises BackendError when it cannot be
        found out now.
        """
        try:
            await self._versions.verify()
        except BackendRefused as refused:
            is_fault = refused.status >= 500 and refused.status != 501
            if is_fault or refused.code in PASSING_CODES:
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
