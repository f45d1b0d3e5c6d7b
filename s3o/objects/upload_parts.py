"""Store one part: into the backend's own upload if it may go there, else as a blob.

Within the backend's upload a number is sent at most once (the ledger decides that), so
a late request of a lost attempt can hit nothing that counts. Any further attempt, and
any part for which the bound backend has no room or no time, is a blob wherever there is
room: an upload goes on while some backend has some.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import partial

import trio

from s3o.backends.fleet import Fleet
from s3o.ledger.intents import Choose
from s3o.ledger.seam import Tx
from s3o.ledger.upload_parts import (
    NewPart,
    OpenedPart,
    PartCommit,
    open_part,
)
from s3o.model.errors import NOTHING_WAS_SENT
from s3o.model.multipart import Part, Upload
from s3o.model.names import (
    BackendName,
    StorageKey,
)
from s3o.model.seams import Clock, DigestedSource, Entropy, Transform
from s3o.model.values import Bucket, PutReceipt, Usage
from s3o.objects.announce import Announcer, left_nothing
from s3o.objects.failover import Failover
from s3o.objects.flow import ReplayableSource, StoredSource
from s3o.objects.live import LiveWrites
from s3o.objects.naming import new_storage_key
from s3o.objects.upload_binding import UploadBinder
from s3o.policy.receipts import check_receipt
from s3o.wire.record import Record, plan_blob_headers


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCall:
    """One part as the door understood it.

    upload: as found just before the body was opened. source: digests the body with the
    upload's algorithm, CRC64NVME where it has none. operation: as logs name it.
    """

    bucket: Bucket
    upload: Upload
    number: int
    source: DigestedSource
    operation: str = "UploadPart"


class PartWriter:
    """Carries out UploadParts. Owns: nothing."""

    def __init__(
        self,
        fleet: Fleet,
        transform: Transform,
        clock: Clock,
        entropy: Entropy,
        *,
        cluster_id: str,
        binder: UploadBinder,
        live: LiveWrites,
        announcer: Announcer,
        failover: Failover,
    ) -> None:
        self._fleet = fleet
        self._transform = transform
        self._clock = clock
        self._entropy = entropy
        self._cluster_id = cluster_id
        self._binder = binder
        self._live = live
        self._announcer = announcer
        self._failover = failover

    async def store(self, call: PartCall) -> Part:
        """Store the body as the part of that number; an older one of it is replaced.

        Raises: what the source raises; NoSuchUpload, NoRoom, BackendsFailed, WriteLost,
        LedgerError. Then the part is as it was before.
        """
        upload = await self._binder.bind(
            call.bucket,
            call.upload,
            size=call.source.size,
            stored_size=self._transform.stored_size(call.source.size),
        )
        return await self._failover.carry(
            call.operation, call.source, partial(self._store_once, call, upload)
        )

    async def _store_once(
        self,
        call: PartCall,
        upload: Upload,
        plain: ReplayableSource,
        failed: Mapping[BackendName, str],
    ) -> Part:
        storage_key = new_storage_key(self._entropy, call.bucket.name, upload.key)
        with self._live.working_on(storage_key):
            opened = await self._open(call, upload, storage_key, failed)
            with self._live.working_on(opened.intent_key):
                return await self._attempt(call, plain, opened)

    async def _open(
        self,
        call: PartCall,
        upload: Upload,
        storage_key: StorageKey,
        failed: Mapping[BackendName, str],
    ) -> OpenedPart:
        size = call.source.size
        stored_size = self._transform.stored_size(size)
        bound = self._fleet.find(upload.backend) if upload.backend else None
        part = NewPart(
            upload_id=upload.upload_id,
            bucket_id=call.bucket.id,
            bucket=call.bucket.name,
            key=upload.key,
            number=call.number,
            size=size,
            stored_size=stored_size,
            storage_key=storage_key,
            is_native_wanted=self._wants_native(call, upload, stored_size, failed),
            needs_equal_parts=bound is not None and bound.traits.needs_equal_parts,
            owner=self._cluster_id,
            now_us=self._clock.now_us(),
        )

        async def reserve(tx: Tx, choose: Choose) -> OpenedPart:
            return await open_part(tx, part, choose)

        return await self._announcer.open(
            reserve,
            operation=call.operation,
            kind="part",
            size=size,
            stored_size=stored_size,
            failed=failed,
        )

    def _wants_native(
        self, call: PartCall, upload: Upload, size: int, failed: Container[BackendName]
    ) -> bool:
        name = upload.backend
        return (
            name is not None
            and name not in failed
            and self._binder.wants_native(upload, call.number, size)
            and self._fleet.get(name).exceeded(Usage(1, 0, size)) is None
        )

    async def _attempt(
        self, call: PartCall, plain: ReplayableSource, opened: OpenedPart
    ) -> Part:
        stored = StoredSource(plain, self._transform, _nothing_to_note)
        try:
            receipt = await self._send(call, opened, stored)
        except NOTHING_WAS_SENT:
            await self._announcer.drop_part(
                opened.intent_key, "backend held back", was_started=False
            )
            raise
        except BaseException as error:
            # A blob whose last bytes went out may still appear, however late.
            await self._announcer.drop_part(
                opened.intent_key,
                "write failed",
                is_ambiguous=stored.is_complete and not left_nothing(error),
            )
            raise
        return await self._commit(call, opened, stored, receipt)

    async def _send(
        self, call: PartCall, opened: OpenedPart, stored: StoredSource
    ) -> PutReceipt:
        if opened.is_native:
            receipt = await self._send_native(call, opened, stored)
        else:
            receipt = await self._send_blob(call, opened, stored)
        check_receipt(
            receipt,
            stored.stored_md5 or call.source.digests.md5,
            backend=opened.backend,
            operation="UploadPart",
            storage_key=opened.storage_key,
        )
        return receipt

    async def _send_native(
        self, call: PartCall, opened: OpenedPart, stored: StoredSource
    ) -> PutReceipt:
        """Send the part into the backend's own upload."""
        backend_upload_id = opened.upload.backend_upload_id
        assert backend_upload_id is not None, "native only where it is open"
        return await self._fleet.get(opened.backend).upload_part(
            opened.storage_key, backend_upload_id, call.number, stored
        )

    async def _send_blob(
        self, call: PartCall, opened: OpenedPart, stored: StoredSource
    ) -> PutReceipt:
        """Send the part as a blob of its own."""
        is_plain = stored.size == call.source.size
        headers = plan_blob_headers(
            Record(
                cluster_id=self._cluster_id,
                bucket_id=call.bucket.id,
                version_id=opened.upload.version_id,
                sequence=opened.sequence,
                blob=opened.blob,
                is_whole=False,
                stored_bytes=stored.size,
            ),
            opened.upload.facts,
            storage_key=opened.storage_key,
            key=opened.upload.key,
            stored_sha256=call.source.declared_sha256 if is_plain else None,
        )
        return await self._fleet.get(opened.backend).put(
            opened.storage_key, stored, headers
        )

    async def _commit(
        self,
        call: PartCall,
        opened: OpenedPart,
        stored: StoredSource,
        receipt: PutReceipt,
    ) -> Part:
        digests = call.source.digests
        commit = PartCommit(
            intent_key=opened.intent_key,
            upload_id=call.upload.upload_id,
            etag=digests.md5,
            checksum=digests.checksum,
            backend_etag=receipt.etag,
            now_us=self._clock.now_us(),
            backend_version=receipt.backend_version,
            stored_md5=stored.stored_md5 or digests.md5,
        )
        return await self._announcer.commit_part(commit)


async def _nothing_to_note(_stored_md5: str | None) -> None:
    """A part's digests become known with its acknowledgement only."""
    await trio.lowlevel.checkpoint()
