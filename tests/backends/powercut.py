"""A file system in memory that forgets, at a power cut, whatever was not synced.

It is as unkind as POSIX allows: an entry of a directory survives only if that directory
was synced afterwards, a file's bytes only if the file was, and a directory's own sync
does nothing for its entry in its parent. After `die_at` calls the power fails: that
call and all later ones raise PowerCut, and only what was durable is left.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

from s3o.backends.filesystem import FileStatus, FileSystem


class PowerCut(BaseException):
    """The machine is off; nothing after this runs."""


@dataclass
class File:
    """An inode of a file."""

    content: bytearray = field(default_factory=bytearray)
    durable: bytes = b""


@dataclass
class Directory:
    """An inode of a directory."""

    entries: dict[bytes, "File | Directory"] = field(default_factory=dict)
    durable: dict[bytes, "File | Directory"] = field(default_factory=dict)


@dataclass
class Entry:
    """What a scan yields."""

    name: bytes
    path: bytes
    node: File | Directory

    def is_file(self, *, follow_symlinks: bool) -> bool:
        """Whether it is a file."""
        return isinstance(self.node, File)

    def is_dir(self, *, follow_symlinks: bool) -> bool:
        """Whether it is a directory."""
        return isinstance(self.node, Directory)


class PowerCutFileSystem(FileSystem):
    """The whole FileSystem in memory; paths are absolute, `/` exists."""

    def __init__(self, *, has_links: bool = True) -> None:
        self.top = Directory()
        self.calls = 0
        self.die_at: int | None = None
        self._has_links = has_links
        self._open: dict[int, File] = {}
        self._locked: set[int] = set()
        self._next_fd = 1000

    def reboot(self) -> None:
        """Come back with what was durable."""
        self.die_at = None
        self._open.clear()
        self._locked.clear()
        self._revert(self.top)

    def _revert(self, directory: Directory) -> None:
        directory.entries = dict(directory.durable)
        for node in directory.entries.values():
            if isinstance(node, Directory):
                self._revert(node)
            else:
                node.content = bytearray(node.durable)

    def _step(self) -> None:
        self.calls += 1
        if self.die_at is not None and self.calls >= self.die_at:
            raise PowerCut

    def _find(self, path: bytes) -> File | Directory:
        node: File | Directory = self.top
        for part in path.strip(b"/").split(b"/") if path != b"/" else ():
            if not isinstance(node, Directory) or part not in node.entries:
                raise FileNotFoundError(errno.ENOENT, "no such file", path)
            node = node.entries[part]
        return node

    def _parent(self, path: bytes) -> tuple[Directory, bytes]:
        above, _, last = path.rpartition(b"/")
        node = self._find(above) if above else self.top
        assert isinstance(node, Directory)
        return node, last

    def create(self, path: bytes) -> int:
        self._step()
        parent, last = self._parent(path)
        if last in parent.entries:
            raise FileExistsError(errno.EEXIST, "exists", path)
        node = parent.entries[last] = File()
        return self._opened(node)

    def open(self, path: bytes) -> int:
        self._step()
        node = self._find(path)
        assert isinstance(node, File)
        return self._opened(node)

    def _opened(self, node: File) -> int:
        self._next_fd += 1
        self._open[self._next_fd] = node
        return self._next_fd

    def close(self, fd: int) -> None:
        self._step()
        del self._open[fd]
        self._locked.discard(fd)

    def write(self, fd: int, piece: bytes | bytearray) -> None:
        self._step()
        self._open[fd].content += piece

    def read_at(self, fd: int, size_bytes: int, offset: int) -> bytes:
        self._step()
        return bytes(self._open[fd].content[offset : offset + size_bytes])

    def copy(self, source_fd: int, target_fd: int, offset: int, size_bytes: int) -> int:
        self._step()
        piece = self._open[source_fd].content[offset : offset + size_bytes]
        self._open[target_fd].content += piece
        return len(piece)

    def status(self, file: int | bytes) -> FileStatus:
        self._step()
        node = self._open[file] if isinstance(file, int) else self._find(file)
        size = len(node.content) if isinstance(node, File) else 0
        return FileStatus(size, 0)

    def sync_file(self, fd: int) -> None:
        self._step()
        node = self._open[fd]
        node.durable = bytes(node.content)

    def sync_directory(self, path: bytes) -> None:
        self._step()
        node = self._find(path)
        assert isinstance(node, Directory)
        node.durable = dict(node.entries)

    def make_directory(self, path: bytes) -> bool:
        self._step()
        parent, last = self._parent(path)
        if last in parent.entries:
            return False
        parent.entries[last] = Directory()
        return True

    def remove_directory(self, path: bytes) -> bool:
        self._step()
        parent, last = self._parent(path)
        node = parent.entries.get(last)
        if node is None or (isinstance(node, Directory) and node.entries):
            return False
        del parent.entries[last]
        return True

    def link(self, source: bytes, target: bytes) -> None:
        self._step()
        if not self._has_links:
            raise OSError(errno.EPERM, "no hard links here", target)
        parent, last = self._parent(target)
        if last in parent.entries:
            raise FileExistsError(errno.EEXIST, "exists", target)
        parent.entries[last] = self._find(source)

    def rename(self, source: bytes, target: bytes) -> None:
        self._step()
        parent, last = self._parent(target)
        parent.entries[last] = self._find(source)
        above, name = self._parent(source)
        del above.entries[name]

    def exists(self, path: bytes) -> bool:
        self._step()
        parent, last = self._parent(path)
        return last in parent.entries

    def unlink(self, path: bytes) -> bool:
        self._step()
        try:
            parent, last = self._parent(path)
        except FileNotFoundError:
            return False
        return parent.entries.pop(last, None) is not None

    def lock(self, fd: int) -> bool:
        self._step()
        node = self._open[fd]
        if any(self._open[other] is node for other in self._locked):
            return False
        self._locked.add(fd)
        return True

    @contextmanager
    def scan(self, path: bytes) -> Iterator[Iterator["os.DirEntry[bytes]"]]:
        self._step()
        node = self._find(path)
        assert isinstance(node, Directory)
        entries = [
            Entry(name, path + b"/" + name, child)
            for name, child in node.entries.items()
        ]
        # DirEntry cannot be made by hand; Entry has what the product uses of it.
        yield iter(cast("list[os.DirEntry[bytes]]", entries))
