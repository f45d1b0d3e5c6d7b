"""Multipart uploads through an engine's steps, with names that never repeat."""

from dataclasses import replace

from s3o.ledger.commits import Committed
from s3o.ledger.seam import Engine
from s3o.ledger.upload_completion import (
    BegunCompletion,
    CompleteRequest,
    Finish,
    begin_complete,
    finish_complete,
)
from s3o.ledger.upload_endings import abort_upload
from s3o.ledger.upload_parts import (
    NewPart,
    OpenedPart,
    PartCommit,
    commit_part,
    drop_part,
    open_part,
)
from s3o.ledger.uploads import (
    Binding,
    NewUpload,
    begin_binding,
    create_upload,
    find_upload,
    finish_binding,
)
from s3o.model.multipart import Manifest, Part, Upload
from s3o.model.names import (
    ObjectKey,
    StorageKey,
    VersionId,
    WriteId,
    make_storage_key,
    make_upload_id,
)
from s3o.model.values import (
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    ManifestPart,
    ObjectFacts,
    PutReceipt,
    WriteConditions,
)
from s3o.wire.digests import Hasher
from tests.ledger.house import Writer, in_order

OVERHEAD = 28  # stored bytes beyond the client's, as with the test transform


def content(number: int, size: int, take: int = 0) -> bytes:
    """The bytes of one attempt of a part."""
    return (f"{number}/{take}:".encode() * (size // 4 + 1))[:size]


class Uploader:
    """Drives multipart uploads of the writer's bucket."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    @property
    def engine(self) -> Engine:
        """The writer's, which changes when its process dies."""
        return self.writer.engine

    def storage_key(self, key: str) -> StorageKey:
        """A fresh name."""
        self.writer.count += 1
        return make_storage_key(
            self.writer.bucket.name,
            ObjectKey(key),
            WriteId(f"{self.writer.count:032x}"),
        )

    async def create(
        self,
        key: str = "k",
        *,
        algorithm: ChecksumAlgorithm | None = None,
        kind: ChecksumType | None = None,
        facts: ObjectFacts | None = None,
        max_uploads: int = 0,
    ) -> Upload:
        """CreateMultipartUpload."""
        writer = self.writer
        writer.count += 1
        writer.now_us += 1000
        new = NewUpload(
            upload_id=make_upload_id(writer.now_us, writer.count.to_bytes(16)),
            bucket_id=writer.bucket.id,
            bucket=writer.bucket.name,
            key=ObjectKey(key),
            version_id=VersionId(f"{writer.count:032x}"),
            facts=facts or ObjectFacts(),
            checksum_algorithm=algorithm,
            checksum_type=kind,
            initiator="me",
            now_us=writer.now_us,
        )
        return await self.engine.write(lambda tx: create_upload(tx, new, max_uploads))

    async def begin_binding(self, upload: Upload) -> Binding | None:
        """Bind it to the first backend, which does not know of it yet."""
        name = self.storage_key(upload.key)
        return await self.engine.write(
            lambda tx: begin_binding(tx, upload, in_order, name)
        )

    async def finish_binding(self, upload: Upload) -> bool:
        """Let the backend answer."""
        return await self.engine.write(
            lambda tx: finish_binding(
                tx, upload.upload_id, f"native-{upload.upload_id}", self.writer.now_us
            )
        )

    async def bind(self, upload: Upload) -> Upload:
        """Bind it, and let the backend answer."""
        assert await self.begin_binding(upload) is not None
        assert await self.finish_binding(upload)
        return await self.look(upload)

    async def look(self, upload: Upload) -> Upload:
        """Return the upload as it is now."""
        return await self.engine.read(
            lambda tx: find_upload(tx, upload.bucket_id, upload.key, upload.upload_id)
        )

    def new_part(self, upload: Upload, number: int, size: int = 10) -> NewPart:
        """Say what an attempt will be, natively if it may."""
        self.writer.now_us += 1000
        return NewPart(
            upload_id=upload.upload_id,
            bucket_id=upload.bucket_id,
            bucket=self.writer.bucket.name,
            key=upload.key,
            number=number,
            size=size,
            stored_size=size + OVERHEAD,
            storage_key=self.storage_key(upload.key),
            is_native_wanted=True,
            owner="me",
            now_us=self.writer.now_us,
        )

    async def open(self, part: NewPart) -> OpenedPart:
        """Announce an attempt."""
        return await self.engine.write(lambda tx: open_part(tx, part, in_order))

    def commit_of(self, opened: OpenedPart, data: bytes) -> PartCommit:
        """Say what the attempt has shown."""
        algorithm = opened.upload.checksum_algorithm or ChecksumAlgorithm.CRC64NVME
        hasher = Hasher(checksum=algorithm)
        hasher.update(data)
        self.writer.now_us += 1000
        return PartCommit(
            intent_key=opened.intent_key,
            upload_id=opened.upload.upload_id,
            etag=hasher.md5_hex(),
            checksum=hasher.checksum(),
            backend_etag=f"backend-{hasher.md5_hex()}",
            stored_md5=hasher.md5_hex(),
            now_us=self.writer.now_us,
        )

    async def commit(self, commit: PartCommit) -> Part:
        """Acknowledge an attempt."""
        return await self.engine.write(lambda tx: commit_part(tx, commit))

    async def put(
        self,
        upload: Upload,
        number: int,
        size: int = 10,
        *,
        is_native: bool = True,
        take: int = 0,
    ) -> Part:
        """UploadPart."""
        part = replace(self.new_part(upload, number, size), is_native_wanted=is_native)
        opened = await self.open(part)
        return await self.commit(self.commit_of(opened, content(number, size, take)))

    async def drop(
        self,
        opened: OpenedPart,
        *,
        is_ambiguous: bool = False,
        was_started: bool = True,
    ) -> bool:
        """Give an attempt up."""
        return await self.engine.write(
            lambda tx: drop_part(
                tx,
                opened.intent_key,
                "test",
                self.writer.now_us,
                is_ambiguous=is_ambiguous,
                was_started=was_started,
            )
        )

    async def begin(
        self,
        upload: Upload,
        manifest: Manifest,
        conditions: WriteConditions | None = None,
    ) -> BegunCompletion:
        """Pin what a Complete lists; parts may be small."""
        self.writer.now_us += 1000
        request = CompleteRequest(
            bucket_id=upload.bucket_id,
            bucket=self.writer.bucket.name,
            key=upload.key,
            upload_id=upload.upload_id,
            manifest=manifest,
            conditions=conditions or WriteConditions(),
            min_part_bytes=1,
            owner="me",
            now_us=self.writer.now_us,
        )
        return await self.engine.write(lambda tx: begin_complete(tx, request))

    async def finish(
        self, begun: BegunCompletion, *, is_unattended: bool = False
    ) -> Committed:
        """Publish it, whatever the backend had to do being done."""
        self.writer.now_us += 1000
        finish = Finish(
            upload=begun.upload,
            bucket=self.writer.bucket.name,
            receipt=(
                PutReceipt(etag="whole-1", backend_version="v9")
                if begun.completion.native_parts
                else None
            ),
            now_us=self.writer.now_us,
            is_unattended=is_unattended,
        )
        return await self.engine.write(lambda tx: finish_complete(tx, finish))

    async def abort(self, upload: Upload) -> None:
        """AbortMultipartUpload."""
        self.writer.now_us += 1000
        await self.engine.write(
            lambda tx: abort_upload(
                tx,
                upload.bucket_id,
                upload.key,
                upload.upload_id,
                self.writer.now_us,
            )
        )


def manifest_of(*parts: Part) -> Manifest:
    """List parts as a client does that saw their answers."""
    return Manifest(
        parts=tuple(
            ManifestPart(
                number=part.number,
                etag=f'"{part.etag}"',
                checksums=() if part.checksum is None else (part.checksum,),
            )
            for part in parts
        )
    )


def checksum_of(algorithm: ChecksumAlgorithm, data: bytes) -> Checksum:
    """The checksum of bytes."""
    hasher = Hasher(checksum=algorithm)
    hasher.update(data)
    return hasher.checksum()
