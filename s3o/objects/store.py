"""The operations on objects, as the doors above see them.

Each writes the second audit line of its request (storage.*) through Operation. What an
operation needs to know of policy, ledger and backends is in write.py and read.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from s3o.backends.fleet import Fleet
from s3o.ledger.deletes import delete_object, delete_objects
from s3o.ledger.ledger import Ledger
from s3o.ledger.listing import Page, list_page
from s3o.ledger.objects import Wide, find_narrow_object, find_object, find_version
from s3o.ledger.tags import put_tags
from s3o.model.errors import (
    EntityTooLarge,
    NoSuchKey,
    S3OError,
    StateError,
)
from s3o.model.names import ObjectKey
from s3o.model.seams import Clock, Entropy, Observer, Transform
from s3o.model.values import (
    Bucket,
    Interval,
    ObjectVersion,
    Pairs,
    StoredObject,
    WriteConditions,
)
from s3o.objects.announce import Announcer
from s3o.objects.copy import Copier
from s3o.objects.failover import Failover
from s3o.objects.imported import ImportedHeaders, lacks_headers
from s3o.objects.integrity import Integrity
from s3o.objects.live import LiveReads, LiveWrites
from s3o.objects.part_copies import PartCopier
from s3o.objects.part_server_copies import ServerPartCopier
from s3o.objects.read import ObjectReader
from s3o.objects.room import RoomMaker
from s3o.objects.server_copies import ServerCopier
from s3o.objects.upload_binding import UploadBinder
from s3o.objects.upload_completion import Completer
from s3o.objects.upload_parts import PartWriter
from s3o.objects.uploads import UploadLimits, UploadStore
from s3o.objects.wanted import CopiesWanted
from s3o.objects.write import PutCall, Writer
from s3o.observe.operation import Operation, WriteOperation

# Up to here rows cost less on the loop than the hop to a reader thread.
INLINE_ROWS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """One key to delete, and on what conditions."""

    key: ObjectKey
    conditions: WriteConditions


class ObjectStore:
    """Put, get, delete and list objects.

    Collaborators come made; live and reads are shared with the background services.
    """

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        transform: Transform,
        observer: Observer,
        clock: Clock,
        entropy: Entropy,
        *,
        cluster_id: str,
        max_object_size: Callable[[], int],
        upload_limits: UploadLimits | None = None,
        live: LiveWrites,
        reads: LiveReads,
        room: RoomMaker,
        integrity: Integrity | None = None,
        wanted: CopiesWanted | None = None,
        write_copies: Callable[[], int] = lambda: 0,
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._transform = transform
        self._observer = observer
        self._clock = clock
        self._max_object_size = max_object_size
        self._reads = reads
        self._room = room
        self._integrity = integrity
        announcer = Announcer(ledger, fleet, observer, clock, room, wanted)
        self._imported = ImportedHeaders(ledger, fleet)
        failover = Failover(observer)
        self._writer = Writer(
            ledger,
            fleet,
            transform,
            clock,
            entropy,
            cluster_id=cluster_id,
            live=live,
            announcer=announcer,
            failover=failover,
            hashes=lambda: integrity is not None and integrity.rules.is_enabled,
            copies=write_copies,
        )
        server_copier = ServerCopier(
            *(ledger, fleet, observer, clock, entropy),
            cluster_id=cluster_id,
            live=live,
            announcer=announcer,
        )
        self.copier = Copier(
            *(fleet, transform, self._writer, server_copier, observer, clock),
            reads=reads,
        )
        self.uploads = _make_uploads(
            ledger,
            fleet,
            transform,
            observer,
            clock,
            entropy,
            cluster_id=cluster_id,
            bounds=upload_limits or UploadLimits(),
            live=live,
            room=room,
            announcer=announcer,
            failover=failover,
        )
        self.part_copier = PartCopier(self.copier, self.uploads, reads)

    async def head(
        self, bucket: Bucket, key: ObjectKey, *, operation: str = "HeadObject"
    ) -> ObjectVersion:
        """Return the current version, from the ledger alone; raises NoSuchKey.

        operation: whose answer it is for, as the audit log calls it.
        """
        with self._operation(operation, bucket, key) as running:
            version = await self._ledger.read(
                lambda tx: find_version(tx, bucket.id, key)
            )
            if version is None:
                raise NoSuchKey(bucket.name, key)
            if lacks_headers(version):
                version = (await self._find(bucket, key)).version
            running.size = version.size
            return version

    async def find(self, bucket: Bucket, key: ObjectKey) -> StoredObject:
        """Return the current version and its locations for a GET; raises NoSuchKey."""
        try:
            return await self._find(bucket, key)
        except S3OError:
            with self._operation("GetObject", bucket, key):
                raise

    async def _find(self, bucket: Bucket, key: ObjectKey) -> StoredObject:
        stored = await self._read(bucket, key)
        if not lacks_headers(stored.version):
            return stored
        described = await self._imported.fetch(stored)
        # Meanwhile its bytes may have gone: only a fresh read may be opened.
        stored = await self._read(bucket, key)
        if stored.version.version_id == described.version_id:
            stored = replace(stored, version=described)
        return stored

    async def _read(self, bucket: Bucket, key: ObjectKey) -> StoredObject:
        stored = await self._ledger.read(
            lambda tx: find_narrow_object(tx, bucket.id, key, INLINE_ROWS)
        )
        if isinstance(stored, Wide):
            stored = await self._ledger.scan(lambda tx: find_object(tx, bucket.id, key))
        if stored is None:
            raise NoSuchKey(bucket.name, key)
        return stored

    def open(
        self, bucket: Bucket, stored: StoredObject, interval: Interval | None
    ) -> ObjectReader:
        """Return a reader of interval (None: no bytes at all) to use as `async with`.

        Enter it without another await after find(): the blobs are held from then on.
        """
        return ObjectReader(
            self._fleet,
            self._transform,
            self._observer,
            self._reads,
            operation=self._operation("GetObject", bucket, stored.version.key),
            stored=stored,
            interval=interval,
            integrity=self._integrity,
        )

    async def put(self, call: PutCall) -> ObjectVersion:
        """Store an object; see Writer.put. Raises also EntityTooLarge."""
        with self._writing("PutObject", call.bucket, call.key) as operation:
            operation.size = call.source.size
            limit = self._max_object_size()
            if call.source.size > limit:
                raise EntityTooLarge(call.source.size, limit)
            version, backend = await self._writer.put(call)
            operation.backend = backend
            return version

    async def put_tags(self, bucket: Bucket, key: ObjectKey, tags: Pairs) -> None:
        """Replace the current version's tags; no bytes move. Raises NoSuchKey."""
        name = "PutObjectTagging" if tags else "DeleteObjectTagging"
        with self._writing(name, bucket, key):
            await self._ledger.write(
                partial(put_tags, bucket=bucket, key=key, tags=tags)
            )

    async def delete(
        self, bucket: Bucket, key: ObjectKey, conditions: WriteConditions
    ) -> None:
        """Delete the current version, if there is one; a tombstone either way.

        Raises PreconditionFailed. Backends are told later, by the cleanup queue.
        """
        with self._writing("DeleteObject", bucket, key):
            existed = await self._ledger.write(
                partial(
                    delete_object,
                    bucket=bucket,
                    key=key,
                    conditions=conditions,
                    now_us=self._clock.now_us(),
                )
            )
            if existed:
                self._room.poke()

    async def delete_many(
        self, bucket: Bucket, deletes: Sequence[Delete]
    ) -> Sequence[StateError | None]:
        """Delete up to 1000 keys in one transaction; per key None or why not."""
        with self._writing("DeleteObjects", bucket, "") as operation:
            operation.size = len(deletes)
            outcomes = await self._ledger.write(
                partial(
                    delete_objects,
                    bucket=bucket,
                    wanted=[(each.key, each.conditions) for each in deletes],
                    now_us=self._clock.now_us(),
                )
            )
            self._room.poke()
            return outcomes

    async def list(
        self, bucket: Bucket, *, prefix: str, delimiter: str, after: str, limit: int
    ) -> Page:
        """Return one page of current versions and common prefixes after `after`."""
        step = partial(
            list_page,
            bucket_id=bucket.id,
            prefix=prefix,
            delimiter=delimiter,
            after=after,
            limit=limit,
        )
        with self._operation("ListObjects", bucket, ""):
            if limit <= INLINE_ROWS:
                return await self._ledger.read(step)
            return await self._ledger.scan(step)

    def _operation(self, name: str, bucket: Bucket, key: str) -> Operation:
        return Operation(self._observer, self._clock, name, bucket=bucket.name, key=key)

    def _writing(self, name: str, bucket: Bucket, key: str) -> WriteOperation:
        return WriteOperation(
            self._observer, self._clock, name, bucket=bucket.name, key=key
        )


def _make_uploads(
    ledger: Ledger,
    fleet: Fleet,
    transform: Transform,
    observer: Observer,
    clock: Clock,
    entropy: Entropy,
    *,
    cluster_id: str,
    bounds: UploadLimits,
    live: LiveWrites,
    room: RoomMaker,
    announcer: Announcer,
    failover: Failover,
) -> UploadStore:
    binder = UploadBinder(
        *(ledger, fleet, observer, clock, entropy),
        cluster_id=cluster_id,
        min_part_bytes=bounds.min_part_bytes,
    )
    return UploadStore(
        ledger,
        observer,
        clock,
        entropy,
        bounds=bounds,
        parts=PartWriter(
            *(fleet, transform, clock, entropy),
            cluster_id=cluster_id,
            binder=binder,
            live=live,
            announcer=announcer,
            failover=failover,
        ),
        part_copier=ServerPartCopier(
            *(ledger, fleet, transform, observer, clock, entropy),
            cluster_id=cluster_id,
            binder=binder,
            live=live,
            announcer=announcer,
        ),
        completer=Completer(
            *(ledger, fleet, observer, clock),
            owner=cluster_id,
            min_part_bytes=bounds.min_part_bytes,
            max_bytes=bounds.max_bytes,
            live=live,
            room=room,
            wanted=announcer.wanted,
        ),
        room=room,
    )
