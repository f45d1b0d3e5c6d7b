"""What the operating system's errors mean to whoever uses a directory as a backend.

Nothing here is definite: a file may have got its name before its directory could not be
synced.
"""

import errno
from functools import partial

from s3o.backends.directory_files import Damaged, NameTaken, RangeOutside
from s3o.backends.directory_layout import Layout
from s3o.model.errors import (
    BackendError,
    BackendFull,
    BackendRefused,
    BackendUnreachable,
    BlobDamaged,
    BlobMissing,
)
from s3o.model.names import BackendName, StorageKey

_READS = ("open", "head", "copy")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
_UNFIT = frozenset({errno.ENAMETOOLONG, errno.EFBIG, errno.EINVAL, errno.ELOOP})


class DirectoryErrors:
    """Translates for one directory."""

    def __init__(self, name: BackendName, layout: Layout) -> None:
        self._name = name
        self._layout = layout

    def translate(
        self, operation: str, storage_key: StorageKey | None, error: Exception
    ) -> BackendError:
        """Return the backend's error for what went wrong with storage_key."""
        name, reason = self._name, str(error)
        refused = partial(BackendRefused, name, operation)
        match error:
            case NameTaken() | FileExistsError():
                reason = "a blob of this name exists"
                return refused(reason, status=409, code="NameTaken")
            case RangeOutside():
                return refused("no such range", status=416, code="InvalidRange")
            case Damaged():
                return BlobDamaged(
                    name, operation, reason, storage_key=storage_key or ""
                )
            case ValueError():
                return refused(reason, status=400, code="InvalidName")
            case OSError(errno=code) if code in _FULL:
                return BackendFull(name, operation, reason)
            case OSError(errno=code) if code in _FORBIDDEN:
                return refused(reason, status=403, code="AccessDenied")
            case OSError(errno=code) if code in _UNFIT:
                return refused(reason, status=400, code="InvalidName")
            case FileNotFoundError(filename=path) if (
                operation in _READS and storage_key and path != self._layout.blobs
            ):
                return BlobMissing(name, operation, storage_key=storage_key)
            case _:
                return BackendUnreachable(name, operation, reason)
