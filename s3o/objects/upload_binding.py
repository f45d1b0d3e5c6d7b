"""Bind an upload to a backend's own one when its first part arrives.

The row says where before the backend is asked, so that whatever a dead process leaves
there is found by its name. Parts that arrive meanwhile wait for the answer. Where the
binding failed, or belongs to a process that may be dead, parts are blobs of their own.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial

import trio

from s3o.backends.fleet import Fleet
from s3o.ledger.ledger import Ledger
from s3o.ledger.uploads import begin_binding, find_upload, finish_binding
from s3o.model.errors import BackendError
from s3o.model.multipart import NATIVE_BLOB, Upload, UploadState
from s3o.model.names import BackendName, UploadId
from s3o.model.seams import Clock, Entropy, Observer
from s3o.model.values import Bucket, QuotaRow
from s3o.objects.failover import note_failover
from s3o.objects.naming import new_storage_key
from s3o.wire.record import Record, plan_blob_headers


class UploadBinder:
    """Begins backends' own uploads. Owns: which uploads this process binds now."""

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        clock: Clock,
        entropy: Entropy,
        *,
        cluster_id: str,
        min_part_bytes: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock
        self._entropy = entropy
        self._cluster_id = cluster_id
        self._min_part_bytes = min_part_bytes
        self._binding: dict[UploadId, trio.Event] = {}

    def takes(self, backend: BackendName, stored_size: int) -> bool:
        """Whether a backend's own upload can have a part of this size in the middle."""
        guarded = self._fleet.get(backend)
        traits = guarded.traits
        return (
            traits.has_multipart
            # The object's size is not known before Complete.
            and not guarded.limits.max_object_size
            # Whether a small part is the last one is not known either; but where our
            # own minimum is no lower, Complete refuses it unless it is.
            and (
                stored_size >= traits.min_part_bytes
                or self._min_part_bytes() >= traits.min_part_bytes
            )
        )

    def wants_native(self, upload: Upload, number: int, stored_size: int) -> bool:
        """Whether a part of this size should go into the upload's own one, now."""
        name = upload.backend
        if name is None or upload.state is not UploadState.OPEN:
            return False
        backend = self._fleet.find(name)
        return (
            backend is not None
            and number <= backend.traits.max_part_number
            and self.takes(name, stored_size)
            and backend.may_call()
        )

    async def bind(
        self,
        bucket: Bucket,
        upload: Upload,
        *,
        size: int,
        stored_size: int,
        preferred: Collection[BackendName] = (),
    ) -> Upload:
        """Return the upload as it is now, bound if a backend can take this part.

        size and stored_size: the part's. preferred: where its bytes are already.
        Raises NoSuchUpload, LedgerError.
        """
        event = self._binding.get(upload.upload_id)
        if event is not None:
            await event.wait()
            return await self._find_again(bucket, upload)
        if upload.backend is not None or not self._could_bind(stored_size):
            return upload
        event = self._binding[upload.upload_id] = trio.Event()
        try:
            await self._begin(bucket, upload, size, stored_size, preferred)
        finally:
            del self._binding[upload.upload_id]
            event.set()
        return await self._find_again(bucket, upload)

    def _could_bind(self, stored_size: int) -> bool:
        return any(self.takes(name, stored_size) for name in self._fleet.names)

    async def _find_again(self, bucket: Bucket, upload: Upload) -> Upload:
        return await self._ledger.read(
            partial(
                find_upload,
                bucket_id=bucket.id,
                key=upload.key,
                upload_id=upload.upload_id,
            )
        )

    async def _begin(
        self,
        bucket: Bucket,
        upload: Upload,
        size: int,
        stored_size: int,
        preferred: Collection[BackendName],
    ) -> None:
        """Begin an upload on the best backend; its failure is nobody's trouble."""

        def choose(rows: Sequence[QuotaRow]) -> Sequence[BackendName]:
            order = self._fleet.order_for_binding(
                rows, size=size, stored_size=stored_size
            )
            able = [name for name in order if self.takes(name, stored_size)]
            return sorted(able, key=lambda name: name not in preferred)

        storage_key = new_storage_key(self._entropy, bucket.name, upload.key)
        binding = await self._ledger.write(
            partial(
                begin_binding, upload=upload, choose=choose, storage_key=storage_key
            )
        )
        if binding is None:
            return
        record = Record(
            cluster_id=self._cluster_id,
            bucket_id=bucket.id,
            version_id=upload.version_id,
            sequence=binding.sequence,
            blob=NATIVE_BLOB,
            is_whole=False,
        )
        headers = plan_blob_headers(
            record, upload.facts, storage_key=storage_key, key=upload.key
        )
        backend = self._fleet.get(binding.backend)
        try:
            backend_upload_id = await backend.create_upload(storage_key, headers)
        except BackendError as error:
            note_failover(self._observer, "CreateMultipartUpload", error)
            return
        await self._ledger.write(
            partial(
                finish_binding,
                upload_id=upload.upload_id,
                backend_upload_id=backend_upload_id,
                now_us=self._clock.now_us(),
            )
        )
