"""The file system, call by call: the seam where a test counts, fails or crashes.

Everything here blocks; it runs in a worker thread. Paths are bytes, because names are
bytes and their order is the listing's order. Nothing is followed through a symlink.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_OLD = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW

# File systems and kernels that cannot copy between two files by themselves.
_NO_COPY = frozenset(
    {errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM}
)
_COPY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileStatus:
    """What is asked of a file's status."""

    size_bytes: int
    modified_at_us: int


class FileSystem:
    """The operating system's files. Raises OSError, nothing else."""

    def create(self, path: bytes) -> int:
        """Open a new file for writing; FileExistsError if there is one."""
        return os.open(path, _NEW, 0o600)

    def open(self, path: bytes) -> int:
        """Open an existing file for reading."""
        return os.open(path, _OLD)

    def close(self, fd: int) -> None:
        """Close a file."""
        os.close(fd)

    def write(self, fd: int, piece: bytes | bytearray) -> None:
        """Write all of piece."""
        left = memoryview(piece)
        while left:
            left = left[os.write(fd, left) :]

    def read_at(self, fd: int, size_bytes: int, offset: int) -> bytes:
        """Return up to size_bytes from offset; fewer only at the end of the file."""
        return os.pread(fd, size_bytes, offset)

    def copy(self, source_fd: int, target_fd: int, offset: int, size_bytes: int) -> int:
        """Append bytes of source from offset to target; return how many, 0 at its end.

        The kernel moves them, and where the file system can, both files share them.
        """
        try:
            return os.copy_file_range(
                source_fd, target_fd, size_bytes, offset_src=offset
            )
        except OSError as error:
            if error.errno not in _NO_COPY:
                raise
        piece = self.read_at(source_fd, min(size_bytes, _COPY_BYTES), offset)
        self.write(target_fd, piece)
        return len(piece)

    def status(self, file: int | bytes) -> FileStatus:
        """Return what the file system knows of an open file or a path."""
        found = os.stat(file, follow_symlinks=isinstance(file, int))
        return FileStatus(found.st_size, found.st_mtime_ns // 1000)

    def sync_file(self, fd: int) -> None:
        """Return once the file's bytes and size would survive a loss of power."""
        os.fsync(fd)

    def sync_directory(self, path: bytes) -> None:
        """Return once the directory's entries would survive a loss of power."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def make_directory(self, path: bytes) -> bool:
        """Make a directory; False if there is one."""
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            return False
        return True

    def remove_directory(self, path: bytes) -> bool:
        """Remove an empty directory; False if it is not empty, or not there."""
        try:
            os.rmdir(path)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                return False
            raise
        return True

    def link(self, source: bytes, target: bytes) -> None:
        """Give a file a second name; FileExistsError if the name is taken."""
        os.link(source, target, follow_symlinks=False)

    def rename(self, source: bytes, target: bytes) -> None:
        """Move a file to another name, whatever has that name."""
        os.rename(source, target)

    def exists(self, path: bytes) -> bool:
        """Whether there is anything of that name."""
        return os.path.lexists(path)

    def unlink(self, path: bytes) -> bool:
        """Take a name away; False if it is not there."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            return False
        return True

    def lock(self, fd: int) -> bool:
        """Mark an open file as in use until it is closed; False if it is already."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @contextmanager
    def scan(self, path: bytes) -> Iterator[Iterator["os.DirEntry[bytes]"]]:
        """Go through a directory's entries, in no order."""
        with os.scandir(path) as entries:
            yield entries
