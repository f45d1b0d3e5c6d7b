"""The blocking steps on blobs in a directory; they run in worker threads.

Theory of what can go wrong. The bytes are written to a temporary file and synced; then
the sidecar is written under its final name and synced; then the temporary file gets the
blob's name (a link, which never overwrites); then the directory is synced. A crash
before the link leaves no blob, only a sidecar that the intent's cleanup deletes and a
temporary file that the next start deletes. After the link the blob is complete.
Deleting goes the other way, so a blob left over is still listed and deleted again.

Raises OSError, ValueError (a name no file can have), and the domain errors below.
"""

import errno
import os
from dataclasses import dataclass

from s3o.backends.directory_layout import BLOB, SIDECAR, Layout, encode_name
from s3o.backends.directory_tree import DirectoryTree
from s3o.backends.filesystem import FileStatus, FileSystem
from s3o.backends.sidecar import (
    SIDECAR_BYTES,
    Sidecar,
    parse_sidecar,
    render_sidecar,
)
from s3o.model import limits
from s3o.model.names import StorageKey
from s3o.model.values import BlobHeaders, BlobInfo, Interval

# One hop to a thread costs as much as moving a few hundred KiB, so it moves more.
HOP_BYTES = 4 * limits.PIECE_BYTES
# Written bytes are synced on the way, so that the last sync has little left to do.
_SYNC_BYTES = 64 * limits.MIB
# Not every file system has hard links (exFAT, some network and user-space ones).
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
# A directory may be removed as empty between being made and being used, each time by
# another delete.
_PARENT_ATTEMPTS = 100


class NameTaken(Exception):
    """A blob of that name exists, or is being written."""


class Damaged(Exception):
    """What lies on the disk is not what was put there."""


class RangeOutside(Exception):
    """An interval that the blob does not have."""


@dataclass(slots=True)
class Upload:
    """A temporary file being written. Owns: the file and its descriptor."""

    path: bytes
    fd: int
    written_bytes: int = 0
    unsynced_bytes: int = 0


@dataclass(frozen=True, slots=True)
class OpenBlob:
    """An open blob. Owns: the descriptor."""

    fd: int
    info: BlobInfo
    start: int
    stop: int


def _bounds(stored_bytes: int, interval: Interval | None) -> tuple[int, int]:
    if interval is None:
        return 0, stored_bytes
    if interval.stop > stored_bytes:
        raise RangeOutside
    return interval.start, interval.stop


class BlobFiles:
    """Writes, reads and deletes blobs below one root."""

    def __init__(self, files: FileSystem, layout: Layout) -> None:
        self._files = files
        self._layout = layout
        self._tree = DirectoryTree(files, layout.blobs)

    def prepare(self) -> None:
        """Make the root's two directories and delete what a crash left behind."""
        parent = os.path.dirname(self._layout.root)
        for path in (self._layout.root, self._layout.blobs, self._layout.temporary):
            self._files.make_directory(path)
            self._files.sync_directory(parent if path == self._layout.root else path)
        self._files.sync_directory(self._layout.root)
        with self._files.scan(self._layout.temporary) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    self._discard_if_unused(entry.path)

    def _discard_if_unused(self, path: bytes) -> None:
        """Delete a temporary file unless another process still writes it."""
        try:
            fd = self._files.open(path)
        except FileNotFoundError:
            return
        try:
            if self._files.lock(fd):
                self._files.unlink(path)
        finally:
            self._files.close(fd)

    def begin(self, unique: str, data: bytes | bytearray) -> Upload:
        """Write the first data; the caller must finish or discard the upload."""
        path = self._layout.temporary + b"/" + unique.encode("ascii")
        upload = Upload(path, self._files.create(path))
        try:
            self._files.lock(upload.fd)
            self.append(upload, data)
        except BaseException:
            self.discard(upload)
            raise
        return upload

    def append(self, upload: Upload, data: bytes | bytearray) -> None:
        """Write data to the temporary file."""
        self._files.write(upload.fd, data)
        self._note_written(upload, len(data))

    def append_copy(self, upload: Upload, source: OpenBlob) -> None:
        """Write the next of source's bytes, as many as one hop moves."""
        until = min(source.stop, upload.written_bytes + _SYNC_BYTES)
        while (position := upload.written_bytes) < until:
            copied = self._files.copy(source.fd, upload.fd, position, until - position)
            if not copied:
                raise Damaged("the file is shorter than it was when it was opened")
            self._note_written(upload, copied)

    def _note_written(self, upload: Upload, size_bytes: int) -> None:
        upload.written_bytes += size_bytes
        upload.unsynced_bytes += size_bytes
        if upload.unsynced_bytes >= _SYNC_BYTES:
            self._files.sync_file(upload.fd)
            upload.unsynced_bytes = 0

    def finish(
        self, upload: Upload, storage_key: StorageKey, headers: BlobHeaders
    ) -> None:
        """Make the temporary file the blob; nothing is left of it if that fails."""
        try:
            self._files.sync_file(upload.fd)
            sidecar = Sidecar(stored_bytes=upload.written_bytes, headers=headers)
            name = encode_name(storage_key)
            directory, path = self._layout.directory(name), self._layout.path(name)
            self._write_sidecar(directory, path + SIDECAR, render_sidecar(sidecar))
            try:
                self._give_name(upload.path, path + BLOB)
            except BaseException:
                self._files.unlink(path + SIDECAR)
                raise
            self._files.sync_directory(directory)
            # Somebody may have removed and made the directory anew in the meantime.
            self._tree.ensure(directory)
        finally:
            self.discard(upload)

    def write_whole(
        self,
        unique: str,
        data: bytes | bytearray,
        storage_key: StorageKey,
        headers: BlobHeaders,
    ) -> None:
        """Write a small blob in one go."""
        self.finish(self.begin(unique, data), storage_key, headers)

    def discard(self, upload: Upload) -> None:
        """Delete the temporary file; safe to call twice."""
        if upload.fd >= 0:
            fd, upload.fd = upload.fd, -1
            try:
                self._files.unlink(upload.path)
            finally:
                self._files.close(fd)

    def _give_name(self, source: bytes, target: bytes) -> None:
        try:
            self._files.link(source, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # The sidecar keeps other writers of this name away, so looking first is
            # as good as a link on file systems that have none.
            if self._files.exists(target):
                raise NameTaken from None
            self._files.rename(source, target)

    def _write_sidecar(self, directory: bytes, path: bytes, text: bytes) -> None:
        """Write the sidecar; its name also keeps other writers of the blob away."""
        fd = self._create_below(directory, path)
        try:
            try:
                self._files.write(fd, text)
                self._files.sync_file(fd)
            finally:
                self._files.close(fd)
        except BaseException:
            self._files.unlink(path)
            raise

    def _create_below(self, directory: bytes, path: bytes) -> int:
        for _ in range(_PARENT_ATTEMPTS):
            self._tree.ensure(directory)
            try:
                return self._files.create(path)
            except FileExistsError:
                raise NameTaken from None
            except FileNotFoundError:
                self._tree.forget(directory)
        raise FileNotFoundError("the directory vanishes again and again")

    def open(
        self, storage_key: StorageKey, interval: Interval | None
    ) -> tuple[OpenBlob, list[bytes]]:
        """Open a blob and read its first bytes; the caller must close it."""
        blob = self.open_source(storage_key, interval)
        try:
            return blob, self.read(blob, blob.start)
        except BaseException:
            self._files.close(blob.fd)
            raise

    def open_source(
        self, storage_key: StorageKey, interval: Interval | None = None
    ) -> OpenBlob:
        """Open a blob without reading; the caller must close it."""
        path = self._layout.path(encode_name(storage_key))
        fd = self._files.open(path + BLOB)
        try:
            info = self._info(path, self._files.status(fd))
            return OpenBlob(fd, info, *_bounds(info.stored_bytes, interval))
        except BaseException:
            self._files.close(fd)
            raise

    def read(self, blob: OpenBlob, position: int) -> list[bytes]:
        """Return the pieces from position on that one hop moves."""
        pieces: list[bytes] = []
        until = min(blob.stop, position + HOP_BYTES)
        while position < until:
            wanted = min(until - position, limits.PIECE_BYTES)
            piece = self._files.read_at(blob.fd, wanted, position)
            if not piece:
                raise Damaged("the file is shorter than it was when it was opened")
            pieces.append(piece)
            position += len(piece)
        return pieces

    def close(self, blob: OpenBlob) -> None:
        """Close an open blob."""
        self._files.close(blob.fd)

    def head(self, storage_key: StorageKey) -> BlobInfo:
        """Return what is known of a blob; FileNotFoundError if there is none."""
        path = self._layout.path(encode_name(storage_key))
        return self._info(path, self._files.status(path + BLOB))

    def _info(self, path: bytes, status: FileStatus) -> BlobInfo:
        sidecar = self._read_sidecar(path + SIDECAR)
        if sidecar is None:
            # Bytes without a record are still the bytes.
            headers, etag = BlobHeaders(), ""
        elif sidecar.stored_bytes != status.size_bytes:
            raise Damaged(f"{status.size_bytes} bytes, written {sidecar.stored_bytes}")
        else:
            headers, etag = sidecar.headers, sidecar.headers.stored_md5 or ""
        return BlobInfo(
            stored_bytes=status.size_bytes,
            etag=etag,
            headers=dict((*headers.metadata, *headers.record)),
            modified_at_us=status.modified_at_us,
            content_type=headers.content_type,
            standard=headers.headers,
        )

    def _read_sidecar(self, path: bytes) -> Sidecar | None:
        try:
            fd = self._files.open(path)
        except FileNotFoundError:
            return None
        try:
            return parse_sidecar(self._files.read_at(fd, SIDECAR_BYTES, 0))
        except ValueError as error:
            raise Damaged(f"the sidecar: {error}") from None
        finally:
            self._files.close(fd)

    def delete(self, storage_key: StorageKey) -> None:
        """Delete a blob, durably; an absent one is fine."""
        name = encode_name(storage_key)
        directory, path = self._layout.directory(name), self._layout.path(name)
        had_sidecar = self._files.unlink(path + SIDECAR)
        if self._files.unlink(path + BLOB) or had_sidecar:
            self._tree.sync_removal(directory)
            self._tree.prune(directory)

    def check(self) -> None:
        """Raise FileNotFoundError if the root is gone (a disk that is not mounted)."""
        self._files.status(self._layout.blobs)
