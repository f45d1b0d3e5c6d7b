"""Where a blob lies in a directory, and which name a path stands for.

    ROOT/blobs/photos.d/2024.d/cat.jpg!0123.b     the blob photos/2024/cat.jpg!0123
    ROOT/blobs/photos.d/2024.d/cat.jpg!0123.r     its sidecar: record and metadata
    ROOT/tmp/...                                  blobs being written

Every segment of a name becomes one path segment with a suffix: `.d` for directories,
`.b` for blobs, `.r` for sidecars. So `a` and `a/b` never collide, and neither an empty
segment nor `.` nor `..` means anything to the file system: no name leaves the root.
Files with other suffixes are not ours and are ignored.
"""

import os

DIRECTORY = b".d"
BLOB = b".b"
SIDECAR = b".r"
_SEGMENT_BYTES = 255  # of all common file systems


class Layout:
    """Paths below one root. Pure: touches no file."""

    def __init__(self, root: str) -> None:
        self.root = os.fsencode(os.path.abspath(root))
        self.blobs = self.root + b"/blobs"
        self.temporary = self.root + b"/tmp"

    def directory(self, name: bytes) -> bytes:
        """Return the directory of the blob (or the prefix) called name."""
        segments = name.split(b"/")[:-1]
        return b"/".join([self.blobs, *(part + DIRECTORY for part in segments)])

    def path(self, name: bytes) -> bytes:
        """Return the path of a blob without its suffix."""
        return self.directory(name) + b"/" + name.rpartition(b"/")[2]


def encode_name(name: str) -> bytes:
    """Return name as bytes; ValueError if no file system could hold it."""
    raw = name.encode("utf-8")
    if not raw or b"\0" in raw:
        raise ValueError("empty, or with a NUL")
    if max(map(len, raw.split(b"/"))) + len(BLOB) > _SEGMENT_BYTES:
        raise ValueError("a segment is too long for a file name")
    return raw
