"""What this process is doing right now: writes under way, blobs being read.

The heartbeat service beats live writes, so that the reaper leaves them alone; the
cleanup queue asks before it deletes, so that a reader keeps the bytes it began with.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from s3o.model import limits
from s3o.model.names import StorageKey


class LiveWrites:
    """Storage keys whose intents this process is still working on."""

    def __init__(self) -> None:
        self._keys: set[StorageKey] = set()

    @contextmanager
    def working_on(self, storage_key: StorageKey) -> Iterator[None]:
        """Say that storage_key is being written while the block lasts."""
        self._keys.add(storage_key)
        try:
            yield
        finally:
            self._keys.discard(storage_key)

    def is_live(self, storage_key: StorageKey) -> bool:
        """Whether this process is writing it."""
        return storage_key in self._keys

    def storage_keys(self) -> tuple[StorageKey, ...]:
        """Return the live ones, in a stable order."""
        return tuple(sorted(self._keys))


class LiveReads:
    """Storage keys that some request of this process is reading.

    Owns also: the memory in which bodies wait until they are judged.
    """

    def __init__(self) -> None:
        self._readers: dict[StorageKey, int] = {}
        self._free_bytes = limits.CHECKED_TOTAL_BYTES

    def begin(self, storage_keys: tuple[StorageKey, ...]) -> None:
        """Count one more reader of each key."""
        for storage_key in storage_keys:
            self._readers[storage_key] = self._readers.get(storage_key, 0) + 1

    def end(self, storage_keys: tuple[StorageKey, ...]) -> None:
        """Count one reader less of each key."""
        for storage_key in storage_keys:
            left = self._readers[storage_key] - 1
            if left:
                self._readers[storage_key] = left
            else:
                del self._readers[storage_key]

    def is_being_read(self, storage_key: StorageKey) -> bool:
        """Whether anybody in this process reads the blob."""
        return storage_key in self._readers

    def take_memory(self, size_bytes: int) -> int:
        """Reserve memory for a whole body; 0: it is too large, or none is left."""
        if size_bytes > min(limits.CHECKED_BYTES, self._free_bytes):
            return 0
        self._free_bytes -= size_bytes
        return size_bytes

    def give_memory_back(self, size_bytes: int) -> None:
        """Return what take_memory() reserved."""
        self._free_bytes += size_bytes
