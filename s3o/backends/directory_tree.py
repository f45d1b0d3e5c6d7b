"""The directories between the root and the blobs: made durably, removed when empty.

A blob is as durable as every directory above it. So a directory counts as *durable*
only after its parent was synced, whoever made it, and a blob is acknowledged only below
durable directories. Rules: directories are made and removed under one lock; the lock is
not taken for a directory that is known to be durable; one that is removed is forgotten
first. Everything blocks; called from worker threads.
"""

import threading

from s3o.backends.filesystem import FileSystem

# Remembered directories; when there are more, all are forgotten and synced once again.
_REMEMBERED = 20_000


class DirectoryTree:
    """Directories below `top`, which must exist and is never made or removed here."""

    def __init__(self, files: FileSystem, top: bytes) -> None:
        self._files = files
        self._top = top
        self._lock = threading.Lock()
        self._durable = {top}

    def is_durable(self, path: bytes) -> bool:
        """Whether path and all above it would survive a loss of power."""
        return path in self._durable

    def ensure(self, path: bytes) -> None:
        """Make path and all above it, durably."""
        if self.is_durable(path):
            return
        with self._lock:
            missing: list[bytes] = []
            while path not in self._durable:
                missing.append(path)
                path = path.rpartition(b"/")[0]
            for directory in reversed(missing):
                self._files.make_directory(directory)
                self._files.sync_directory(directory.rpartition(b"/")[0])
                if len(self._durable) >= _REMEMBERED:
                    self._durable = {self._top}
                self._durable.add(directory)

    def forget(self, path: bytes) -> None:
        """The directory turned out to be gone: look again, and above it as well."""
        with self._lock:
            while path != self._top:
                self._durable.discard(path)
                path = path.rpartition(b"/")[0]

    def sync_removal(self, path: bytes) -> None:
        """Make the removal of an entry of path durable.

        If path itself was removed since, that removal has to be durable instead.
        """
        while True:
            try:
                self._files.sync_directory(path)
            except FileNotFoundError:
                if path == self._top:
                    raise
                path = path.rpartition(b"/")[0]
            else:
                return

    def prune(self, path: bytes) -> None:
        """Remove path if it is empty, and then what became empty above it."""
        with self._lock:
            while path != self._top:
                was_durable = path in self._durable
                self._durable.discard(path)
                if not self._files.remove_directory(path):
                    if was_durable:
                        self._durable.add(path)
                    return
                path = path.rpartition(b"/")[0]
