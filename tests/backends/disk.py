"""A directory backend under test, over a file system that is watched and can fail."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s3o.backends.directory import DirectoryBackend
from s3o.backends.filesystem import FileStatus, FileSystem
from s3o.model.names import BackendName, StorageKey
from s3o.model.values import BlobHeaders
from tests.contract.factories import CountingMeter
from tests.fakes.entropy import SeededEntropy
from tests.fakes.sources import BytesSource

KEY = StorageKey("photos/2024/cat.jpg!" + "0" * 32)
HEADERS = BlobHeaders(record=(("s3o", "1;!"),))


class WatchedFiles(FileSystem):
    """Keeps the order of calls; fails where it is told to."""

    def __init__(self) -> None:
        self.log: list[tuple[str, bytes]] = []
        self.failing: dict[str, int] = {}
        self._paths: dict[int, bytes] = {}

    def _note(self, call: str, path: bytes) -> None:
        if call in self.failing:
            code = self.failing[call]
            raise OSError(code, os.strerror(code), path)
        self.log.append((call, path))

    def count(self, call: str) -> int:
        """How often a call was made."""
        return Counter(name for name, _ in self.log)[call]

    def create(self, path: bytes) -> int:
        self._note("create", path)
        fd = super().create(path)
        self._paths[fd] = path
        return fd

    def open(self, path: bytes) -> int:
        self._note("open", path)
        return super().open(path)

    def write(self, fd: int, piece: bytes | bytearray) -> None:
        self._note("write", self._paths[fd])
        super().write(fd, piece)

    def read_at(self, fd: int, size_bytes: int, offset: int) -> bytes:
        self._note("read", b"")
        return super().read_at(fd, size_bytes, offset)

    def copy(self, source_fd: int, target_fd: int, offset: int, size_bytes: int) -> int:
        self._note("copy", self._paths[target_fd])
        return super().copy(source_fd, target_fd, offset, size_bytes)

    def status(self, file: int | bytes) -> FileStatus:
        self._note("status", file if isinstance(file, bytes) else b"")
        return super().status(file)

    def sync_file(self, fd: int) -> None:
        self._note("sync_file", self._paths[fd])
        super().sync_file(fd)

    def sync_directory(self, path: bytes) -> None:
        self._note("sync_directory", path)
        super().sync_directory(path)

    def make_directory(self, path: bytes) -> bool:
        self._note("make_directory", path)
        return super().make_directory(path)

    def link(self, source: bytes, target: bytes) -> None:
        self._note("link", target)
        super().link(source, target)

    def unlink(self, path: bytes) -> bool:
        self._note("unlink", path)
        return super().unlink(path)

    @contextmanager
    def scan(self, path: bytes) -> Iterator[Iterator["os.DirEntry[bytes]"]]:
        self._note("scan", path)
        with super().scan(path) as entries:
            yield entries


async def make(path: Path, files: FileSystem | None = None) -> DirectoryBackend:
    """A directory backend below path."""
    return await DirectoryBackend.open_root(
        BackendName("disk"),
        str(path / "root"),
        meter=CountingMeter(),
        entropy=SeededEntropy(),
        files=files,
    )


async def put(
    backend: DirectoryBackend, body: bytes = b"meow", key: StorageKey = KEY
) -> None:
    """Store one blob."""
    await backend.put(key, BytesSource(body), HEADERS)


async def get(backend: DirectoryBackend, key: StorageKey = KEY) -> bytes:
    """Read one blob."""
    pieces = []
    async with backend.open(key) as reader:
        while piece := await reader.read():
            pieces.append(piece)
    return b"".join(pieces)


def all_files(path: Path) -> list[str]:
    """Everything below the root but the root's own folders."""
    root = path / "root"
    return sorted(str(found.relative_to(root)) for found in root.glob("*/**/*"))
