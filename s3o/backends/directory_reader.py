"""Reading a blob in a directory: as much ahead as one hop to a thread moves."""

from types import TracebackType
from typing import Protocol

from s3o.backends.directory_files import OpenBlob
from s3o.backends.seam import BlobReader
from s3o.model.names import StorageKey
from s3o.model.values import BlobInfo, Interval


class BlobSource(Protocol):
    """What of the directory backend a reader needs."""

    async def open_blob(
        self, storage_key: StorageKey, interval: Interval | None
    ) -> tuple[OpenBlob, list[bytes]]:
        """Open a blob and read its first pieces."""
        ...

    async def read_blob(
        self, storage_key: StorageKey, blob: OpenBlob, position: int
    ) -> list[bytes]:
        """Read on."""
        ...

    def close_blob(self, blob: OpenBlob) -> None:
        """Close a blob."""
        ...

    def count_egress(self, size_bytes: int) -> None:
        """Count what was read."""
        ...


class DirectoryOpening:
    """An open blob as a context manager."""

    def __init__(
        self,
        backend: BlobSource,
        storage_key: StorageKey,
        interval: Interval | None,
    ) -> None:
        self._backend = backend
        self._storage_key = storage_key
        self._interval = interval
        self._blob: OpenBlob | None = None

    async def __aenter__(self) -> BlobReader:
        blob, pieces = await self._backend.open_blob(self._storage_key, self._interval)
        self._blob = blob
        return _Reader(self._backend, self._storage_key, blob, pieces)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._blob is not None
        self._backend.close_blob(self._blob)


class _Reader:
    """A seam.BlobReader that reads ahead as much as one hop moves."""

    def __init__(
        self,
        backend: BlobSource,
        storage_key: StorageKey,
        blob: OpenBlob,
        pieces: list[bytes],
    ) -> None:
        self._backend = backend
        self._storage_key = storage_key
        self._blob = blob
        self._pieces = pieces[::-1]
        self._position = blob.start + sum(map(len, pieces))

    @property
    def info(self) -> BlobInfo:
        """What the sidecar and the file system say."""
        return self._blob.info

    async def read(self) -> bytes:
        """Return the next piece; b"" at the end."""
        if not self._pieces and self._position < self._blob.stop:
            pieces = await self._backend.read_blob(
                self._storage_key, self._blob, self._position
            )
            self._position += sum(map(len, pieces))
            self._pieces = pieces[::-1]
        if not self._pieces:
            return b""
        piece = self._pieces.pop()
        self._backend.count_egress(len(piece))
        return piece
