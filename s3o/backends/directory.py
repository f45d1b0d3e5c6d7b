"""A local directory as a backend: a disk, a network mount, a demo's folder.

Rules: a blob is there completely or not at all, also after a crash; what is
acknowledged has been synced, and so have the directories above it; file work happens in
threads, in as few hops as possible, with threads of its own, so that a dying disk does
not hold up the others. A thread cannot be cancelled: a call that hangs in the kernel
hangs until the kernel answers.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TypeVar

import trio

from s3o.backends.directory_errors import DirectoryErrors
from s3o.backends.directory_files import (
    HOP_BYTES,
    BlobFiles,
    Damaged,
    NameTaken,
    OpenBlob,
    RangeOutside,
    Upload,
)
from s3o.backends.directory_layout import Layout
from s3o.backends.directory_listing import list_blobs
from s3o.backends.directory_reader import DirectoryOpening
from s3o.backends.filesystem import FileSystem
from s3o.backends.seam import BlobReader, DeleteOutcome, Meter, unsupported
from s3o.model.errors import (
    BackendError,
    UploadMissing,
)
from s3o.model.names import BackendName, StorageKey
from s3o.model.seams import ByteSource, Entropy
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

T = TypeVar("T")

# Threads that one directory may keep busy; a disk does not get faster with more.
_THREADS = 16
# Deletes per hop: enough to hide its cost, few enough to show progress.
_DELETES = 50
_DISCARD_S = 30.0

# No provider, no limit: a file is copied by the file system, whatever its size.
_TRAITS = Traits(can_copy=True, max_copy_bytes=1 << 62)


class DirectoryBackend:
    """A seam.Backend. Made by open(); nobody else may write below its root."""

    def __init__(
        self,
        name: BackendName,
        path: str,
        *,
        meter: Meter,
        entropy: Entropy,
        files: FileSystem | None = None,
    ) -> None:
        self._name = name
        self._files = files or FileSystem()
        self._layout = Layout(path)
        self._blobs = BlobFiles(self._files, self._layout)
        self._errors = DirectoryErrors(name, self._layout)
        self._meter = meter
        self._entropy = entropy
        self._threads = trio.CapacityLimiter(_THREADS)

    @classmethod
    async def open_root(
        cls,
        name: BackendName,
        path: str,
        *,
        meter: Meter,
        entropy: Entropy,
        files: FileSystem | None = None,
    ) -> "DirectoryBackend":
        """Make the directory ready: create it if needed, delete a crash's leftovers."""
        backend = cls(name, path, meter=meter, entropy=entropy, files=files)
        await backend._run("open_root", None, backend._blobs.prepare)
        return backend

    @property
    def name(self) -> BackendName:
        """Its name in the configuration."""
        return self._name

    @property
    def traits(self) -> Traits:
        """No native multipart uploads: parts are blobs of their own."""
        return _TRAITS

    async def put(
        self, storage_key: StorageKey, source: ByteSource, headers: BlobHeaders
    ) -> PutReceipt:
        """Store source's bytes; one hop for all of a small blob."""
        self._meter.count_request()
        unique = self._entropy.token(16).hex()
        data, left = await self._gather(source, source.size)
        if left:
            await self._put_large(unique, data, source, storage_key, headers)
        else:
            work = partial(self._blobs.write_whole, unique, data, storage_key, headers)
            await self._run("put", storage_key, work)
        return PutReceipt(etag="")

    async def _put_large(
        self,
        unique: str,
        data: bytearray,
        source: ByteSource,
        storage_key: StorageKey,
        headers: BlobHeaders,
    ) -> None:
        run = partial(self._run, "put", storage_key)
        left = source.size - len(data)
        upload = await run(partial(self._blobs.begin, unique, data))
        try:
            while left:
                data, left = await self._gather(source, left)
                await run(partial(self._blobs.append, upload, data))
            await run(partial(self._blobs.finish, upload, storage_key, headers))
        except BaseException:
            await self._discard(upload)
            raise

    async def _gather(self, source: ByteSource, left: int) -> tuple[bytearray, int]:
        """Read what one hop moves; an empty source is read once, to be verified."""
        data = bytearray()
        while True:
            piece = await source.read()
            assert piece or not left, "a source may not end early"
            left -= len(piece)
            assert left >= 0, "a source may not yield more than its size"
            self._meter.count_ingress(len(piece))
            data += piece
            if not left or len(data) >= HOP_BYTES:
                return data, left

    async def _discard(self, upload: Upload) -> None:
        if upload.fd >= 0:
            with trio.move_on_after(_DISCARD_S, shield=True):
                try:
                    await self._run("put", None, partial(self._blobs.discard, upload))
                except BackendError:
                    # The first error matters; the next start deletes the file.
                    pass

    async def copy(
        self,
        source_key: StorageKey,
        storage_key: StorageKey,
        headers: BlobHeaders,
    ) -> PutReceipt:
        """Copy a blob by the file system, which may share its bytes."""
        self._meter.count_request()
        unique = self._entropy.token(16).hex()
        work = partial(self._blobs.open_source, source_key)
        source = await self._run("copy", source_key, work)
        try:
            await self._copy_opened(source, unique, storage_key, headers)
        finally:
            self._blobs.close(source)
        return PutReceipt(etag="")

    async def _copy_opened(
        self,
        source: OpenBlob,
        unique: str,
        storage_key: StorageKey,
        headers: BlobHeaders,
    ) -> None:
        run = partial(self._run, "copy", None)
        upload = await run(partial(self._blobs.begin, unique, b""))
        try:
            while upload.written_bytes < source.stop:
                await run(partial(self._blobs.append_copy, upload, source))
                # No byte left this machine, but the disk is at work.
                self._meter.count_egress(0)
            await run(partial(self._blobs.finish, upload, storage_key, headers))
        except BaseException:
            await self._discard(upload)
            raise

    def open(
        self, storage_key: StorageKey, interval: Interval | None = None
    ) -> AbstractAsyncContextManager[BlobReader]:
        """Open a blob; a small one is read in the same hop."""
        return DirectoryOpening(self, storage_key, interval)

    async def head(self, storage_key: StorageKey) -> BlobInfo:
        """Say what is known of a blob."""
        self._meter.count_request()
        work = partial(self._blobs.head, storage_key)
        return await self._run("head", storage_key, work)

    async def delete(self, storage_keys: Sequence[StorageKey]) -> list[DeleteOutcome]:
        """Delete blobs; each one's failure is its own."""
        outcomes: list[DeleteOutcome] = []
        for start in range(0, len(storage_keys), _DELETES):
            batch = storage_keys[start : start + _DELETES]
            for _ in batch:
                self._meter.count_request()
            outcomes += await self._run(
                "delete", None, partial(self._delete_batch, batch)
            )
        return outcomes

    def _delete_batch(self, storage_keys: Sequence[StorageKey]) -> list[DeleteOutcome]:
        self._blobs.check()
        outcomes: list[DeleteOutcome] = []
        for storage_key in storage_keys:
            error: BackendError | None = None
            try:
                self._blobs.delete(storage_key)
            except (OSError, ValueError) as failure:
                error = self._errors.translate("delete", storage_key, failure)
            outcomes.append(DeleteOutcome(storage_key, error))
        # A disk that vanished meanwhile has confirmed nothing.
        self._blobs.check()
        return outcomes

    async def list_page(
        self, prefix: str, token: str | None = None, limit: int = 1000
    ) -> BlobPage:
        """Return blobs in byte order; the token is the last name returned."""
        self._meter.count_request()

        def work() -> BlobPage:
            self._blobs.check()
            return list_blobs(
                self._files, self._layout, prefix=prefix, after=token, limit=limit
            )

        return await self._run("list_page", None, work)

    async def create_upload(self, storage_key: StorageKey, headers: BlobHeaders) -> str:
        """Refuse: every part is a blob of its own here."""
        await trio.lowlevel.checkpoint()
        raise unsupported(self._name, "create_upload")

    async def upload_part(
        self,
        storage_key: StorageKey,
        upload_id: str,
        number: int,
        source: ByteSource,
    ) -> PutReceipt:
        """Know no upload."""
        raise await self._no_upload("upload_part", storage_key, upload_id)

    async def complete_upload(
        self,
        storage_key: StorageKey,
        upload_id: str,
        parts: Sequence[tuple[int, str]],
    ) -> PutReceipt:
        """Know no upload."""
        raise await self._no_upload("complete_upload", storage_key, upload_id)

    async def abort_upload(self, storage_key: StorageKey, upload_id: str) -> None:
        """Do nothing: an unknown upload counts as aborted."""
        await trio.lowlevel.checkpoint()

    async def list_parts(
        self, storage_key: StorageKey, upload_id: str
    ) -> tuple[NativePart, ...]:
        """Know no upload."""
        raise await self._no_upload("list_parts", storage_key, upload_id)

    async def list_uploads(
        self, prefix: str, token: str | None = None, limit: int = 1000
    ) -> UploadPage:
        """Return none."""
        await trio.lowlevel.checkpoint()
        return UploadPage(uploads=(), next_token=None)

    async def copy_part(
        self,
        source_key: StorageKey,
        interval: Interval | None,
        storage_key: StorageKey,
        upload_id: str,
        number: int,
    ) -> PutReceipt:
        """Refuse."""
        await trio.lowlevel.checkpoint()
        raise unsupported(self._name, "copy_part")

    async def _no_upload(
        self, operation: str, storage_key: StorageKey, upload_id: str
    ) -> UploadMissing:
        await trio.lowlevel.checkpoint()
        return UploadMissing(
            *(self._name, operation, "no native uploads here"),
            storage_key,
            upload_id,
            is_definite=True,
        )

    async def probe(self) -> None:
        """See whether the root is there."""
        self._meter.count_request()
        await self._run("probe", None, self._blobs.check)

    async def aclose(self) -> None:
        """Nothing stays open between calls."""
        await trio.lowlevel.checkpoint()

    async def open_blob(
        self, storage_key: StorageKey, interval: Interval | None
    ) -> tuple[OpenBlob, list[bytes]]:
        """Open a blob (for directory_reader only)."""
        self._meter.count_request()
        blob, pieces = await self._run(
            "open", storage_key, partial(self._blobs.open, storage_key, interval)
        )
        return blob, pieces

    async def read_blob(
        self, storage_key: StorageKey, blob: OpenBlob, position: int
    ) -> list[bytes]:
        """Read on (for directory_reader only)."""
        return await self._run(
            "open", storage_key, partial(self._blobs.read, blob, position)
        )

    def close_blob(self, blob: OpenBlob) -> None:
        """Close a blob (for directory_reader only)."""
        self._blobs.close(blob)

    def count_egress(self, size_bytes: int) -> None:
        """Count what was read (for directory_reader only)."""
        self._meter.count_egress(size_bytes)

    async def _run(
        self, operation: str, storage_key: StorageKey | None, work: Callable[[], T]
    ) -> T:
        """Do blocking work in one of our threads; translate its errors."""

        def guarded() -> T:
            try:
                return work()
            except FileNotFoundError:
                self._blobs.check()
                raise

        try:
            return await trio.to_thread.run_sync(guarded, limiter=self._threads)
        except (OSError, ValueError, NameTaken, Damaged, RangeOutside) as error:
            raise self._errors.translate(operation, storage_key, error) from error
