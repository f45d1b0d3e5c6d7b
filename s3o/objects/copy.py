"""Copy an object: on the backends that have it if possible, else through here.

What backends can copy by themselves moves no bytes (server_copies). Otherwise, or when
that fails, the source is read as a GET reads it and written as a PUT writes it, which
takes no more than a PUT does.

The source is the version that was found: its blobs are spared while the copy reads
them, and an overwrite meanwhile changes nothing. Its digests are compared before the
last bytes are released, so a damaged source never becomes a good-looking copy.
"""

from s3o.backends.fleet import Fleet
from s3o.model import limits
from s3o.model.errors import BackendError, BackendsFailed, NoRoom
from s3o.model.names import BackendName, ObjectKey
from s3o.model.seams import Clock, Observer, Transform
from s3o.model.values import Bucket, Interval, ObjectVersion, StoredObject
from s3o.objects.copied_source import CopiedSource
from s3o.objects.live import LiveReads
from s3o.objects.read import ObjectReader
from s3o.objects.server_copies import OPERATION, CopyCall, ServerCopier
from s3o.objects.write import PutCall, Writer
from s3o.observe.operation import Operation, WriteOperation
from s3o.wire.copy_source import check_copied_size


class Copier:
    """Carries out copies of whole objects."""

    def __init__(
        self,
        fleet: Fleet,
        transform: Transform,
        writer: Writer,
        server: ServerCopier,
        observer: Observer,
        clock: Clock,
        *,
        reads: LiveReads,
    ) -> None:
        self._fleet = fleet
        self._transform = transform
        self._writer = writer
        self._server = server
        self._observer = observer
        self._clock = clock
        self._reads = reads

    async def copy(self, call: CopyCall) -> ObjectVersion:
        """Make the source's bytes the current version of bucket and key.

        Raises: PreconditionFailed, NoSuchKey (If-Match on nothing), InvalidRequest
        (over 5 GiB, and no backend copies it by itself), NoRoom, QuotaExceeded,
        BackendsFailed, UsageExhausted, WriteLost, LedgerError.
        """
        held = tuple(place.storage_key for place in call.source.locations)
        self._reads.begin(held)
        try:
            with WriteOperation(
                self._observer,
                self._clock,
                OPERATION,
                bucket=call.bucket.name,
                key=call.key,
            ) as operation:
                operation.size = call.source.version.size
                version, operation.backend = await self._copy(call)
                return version
        finally:
            self._reads.end(held)

    async def _copy(self, call: CopyCall) -> tuple[ObjectVersion, BackendName]:
        size = call.source.version.size
        blobs = self._server.plan(call)
        if blobs is not None:
            try:
                return await self._server.copy(call, blobs)
            except NoRoom:
                if size > limits.PUT_BYTES:
                    raise
            except BackendError as error:
                if size > limits.PUT_BYTES:
                    raise BackendsFailed(OPERATION, (str(error),)) from error
        check_copied_size(size)
        return await self._copy_through(call)

    async def _copy_through(self, call: CopyCall) -> tuple[ObjectVersion, BackendName]:
        version = call.source.version
        whole = Interval(0, version.size) if version.size else None
        async with self.open(call.source_bucket, call.source, whole) as reader:
            return await self._writer.put(
                PutCall(
                    bucket=call.bucket,
                    key=call.key,
                    facts=call.facts,
                    conditions=call.conditions,
                    source=CopiedSource(
                        reader, version, whole, call.checksum, operation=OPERATION
                    ),
                )
            )

    def open(
        self, bucket: Bucket, stored: StoredObject, interval: Interval | None
    ) -> ObjectReader:
        """Return a reader of a source's bytes (None: of none), for `async with`."""
        return ObjectReader(
            self._fleet,
            self._transform,
            self._observer,
            self._reads,
            operation=self._operation("GetObject", bucket, stored.version.key),
            stored=stored,
            interval=interval,
        )

    def _operation(self, name: str, bucket: Bucket, key: ObjectKey) -> Operation:
        return Operation(self._observer, self._clock, name, bucket=bucket.name, key=key)
