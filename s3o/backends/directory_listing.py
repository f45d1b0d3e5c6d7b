"""Listing a directory backend: byte order, page by page, in bounded memory.

A directory's entries are compared as their part of the name, a directory's with a `/`
at its end; so walking the tree in that order yields names in byte order. Of each
directory only the smallest entries that a page can use are held, however many it has.
Blocking; runs in a worker thread.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nsmallest

from s3o.backends.directory_layout import BLOB, DIRECTORY, Layout
from s3o.backends.filesystem import FileSystem
from s3o.model.values import BlobPage, ListedBlob


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    key: bytes  # the entry's part of the name; of a directory with a "/" at its end
    path: bytes

    @property
    def is_directory(self) -> bool:
        return self.key.endswith(b"/")


def list_blobs(
    files: FileSystem, layout: Layout, *, prefix: str, after: str | None, limit: int
) -> BlobPage:
    """Return up to limit blobs whose name has the prefix and comes after `after`."""
    assert limit > 0
    wanted = prefix.encode("utf-8")
    walk = _Walk(files, wanted, after.encode("utf-8") if after else b"", limit + 1)
    base = wanted[: wanted.rfind(b"/") + 1]
    blobs: list[ListedBlob] = []
    for name, path in walk.below(layout.directory(base), base):
        if len(blobs) == limit:
            return BlobPage(blobs=tuple(blobs), next_token=blobs[-1].name)
        blob = _describe(files, name, path)
        if blob is not None:
            blobs.append(blob)
    return BlobPage(blobs=tuple(blobs), next_token=None)


def _describe(files: FileSystem, name: bytes, path: bytes) -> ListedBlob | None:
    try:
        text = name.decode("utf-8")
        status = files.status(path)
    except (UnicodeDecodeError, FileNotFoundError):
        return None  # not one of ours, or deleted since
    return ListedBlob(
        name=text,
        stored_bytes=status.size_bytes,
        modified_at_us=status.modified_at_us,
    )


class _Walk:
    """One page's way through the tree."""

    def __init__(
        self, files: FileSystem, wanted: bytes, after: bytes, batch: int
    ) -> None:
        self._files = files
        self._wanted = wanted
        self._after = after
        self._batch = batch

    def below(self, path: bytes, base: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (name, path) of the blobs in the directory that stands for base."""
        last: bytes | None = None
        while True:
            entries = self._next_entries(path, base, last)
            for entry in entries:
                name = base + entry.key
                if entry.is_directory:
                    yield from self.below(entry.path, name)
                else:
                    yield name, entry.path
            if len(entries) < self._batch:
                return
            last = entries[-1].key

    def _next_entries(
        self, path: bytes, base: bytes, last: bytes | None
    ) -> list[_Entry]:
        try:
            with self._files.scan(path) as found:
                candidates = (
                    _Entry(key, entry.path)
                    for entry in found
                    if (key := _key_of(entry)) is not None
                    and (last is None or key > last)
                    and self._is_wanted(base + key, is_directory=key.endswith(b"/"))
                )
                return nsmallest(self._batch, candidates)
        except FileNotFoundError:
            return []  # no such prefix, or removed since

    def _is_wanted(self, name: bytes, *, is_directory: bool) -> bool:
        """Whether the blob, or any below the directory, belongs on the page."""
        if is_directory:
            is_inside = name.startswith(self._wanted) or self._wanted.startswith(name)
            return is_inside and (name > self._after or self._after.startswith(name))
        return name.startswith(self._wanted) and name > self._after


def _key_of(entry: "os.DirEntry[bytes]") -> bytes | None:
    if entry.name.endswith(BLOB) and entry.is_file(follow_symlinks=False):
        return entry.name[: -len(BLOB)]
    if entry.name.endswith(DIRECTORY) and entry.is_dir(follow_symlinks=False):
        return entry.name[: -len(DIRECTORY)] + b"/"
    return None
