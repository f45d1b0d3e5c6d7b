"""A directory is a backend like any other: complete, durable, contained, bounded."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from s3o.model.errors import (
    BackendError,
    BackendFull,
    BackendRefused,
    BackendUnreachable,
    BlobDamaged,
    BlobMissing,
    ClientGone,
)
from s3o.model.names import StorageKey
from s3o.model.values import Interval
from tests.backends.disk import HEADERS, KEY, WatchedFiles, all_files, get, make, put
from tests.fakes.sources import BytesSource, StalledSource, pattern


async def test_directory_is_synced_after_the_blob_has_its_name(tmp_path: Path) -> None:
    """Without the directory's fsync a file that was acknowledged can vanish."""
    files = WatchedFiles()
    backend = await make(tmp_path, files)
    files.log.clear()
    await put(backend)

    root = os.fsencode(tmp_path / "root")
    photos, year = root + b"/blobs/photos.d", root + b"/blobs/photos.d/2024.d"
    calls = [entry for entry in files.log if entry[0] in ("sync_directory", "link")]
    blob = year + b"/" + KEY.rpartition("/")[2].encode() + b".b"
    assert [
        ("sync_directory", root + b"/blobs"),
        ("sync_directory", photos),
        ("link", blob),
        ("sync_directory", year),
    ] == calls
    synced = [path for call, path in files.log if call == "sync_file"]
    assert 2 == len(synced), "the blob and its sidecar"
    assert files.log.index(("sync_file", synced[-1])) < files.log.index(("link", blob))


async def test_directory_is_synced_after_a_delete(tmp_path: Path) -> None:
    """A delete that was confirmed must not come undone: its bytes are off the quota."""
    files = WatchedFiles()
    backend = await make(tmp_path, files)
    await put(backend)
    files.log.clear()
    await backend.delete([KEY])

    calls = [call for call, _ in files.log if call in ("unlink", "sync_directory")]
    assert ["unlink", "unlink", "sync_directory"] == calls


async def test_known_directory_costs_one_sync(tmp_path: Path) -> None:
    """Only the first blob of a folder pays for the folder."""
    files = WatchedFiles()
    backend = await make(tmp_path, files)
    await put(backend)
    files.log.clear()
    await put(backend, key=StorageKey("photos/2024/dog.jpg!" + "1" * 32))

    assert 1 == files.count("sync_directory")
    assert 0 == files.count("make_directory")


async def test_small_blobs_take_one_hop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hop to a thread costs as much as the whole rest of a small request."""
    backend = await make(tmp_path)
    hops: list[str] = []
    real = trio.to_thread.run_sync

    async def counting(work: Callable[[], Any], **options: Any) -> Any:
        hops.append("hop")
        return await real(work, **options)

    monkeypatch.setattr(trio.to_thread, "run_sync", counting)
    await put(backend, pattern(4096))
    assert 1 == len(hops)
    hops.clear()
    assert pattern(4096) == await get(backend)
    assert 1 == len(hops)
    hops.clear()
    await put(backend, pattern(8 << 20), StorageKey("photos/big!" + "2" * 32))
    assert 9 == len(hops), "one per MiB, one to finish"


@pytest.mark.parametrize("call", ["create", "write", "sync_file", "link"])
@pytest.mark.parametrize("size", [1000, 3_000_000])
@pytest.mark.parametrize(
    ("code", "error"),
    [
        (errno.ENOSPC, BackendFull),
        (errno.EDQUOT, BackendFull),
        (errno.EIO, BackendUnreachable),
        (errno.EROFS, BackendUnreachable),
        (errno.EACCES, BackendRefused),
    ],
)
async def test_failing_disk_is_told_by_kind_and_leaves_nothing(
    tmp_path: Path, call: str, size: int, code: int, error: type[BackendError]
) -> None:
    """A full disk sends the write on to the next backend; a dying one is sick."""
    files = WatchedFiles()
    backend = await make(tmp_path, files)
    files.failing[call] = code
    with pytest.raises(error):
        await put(backend, pattern(size))

    files.failing.clear()
    assert [] == [name for name in all_files(tmp_path) if not name.endswith(".d")]
    await put(backend, pattern(size))
    assert pattern(size) == await get(backend)


async def test_failed_sync_of_the_directory_is_no_success(tmp_path: Path) -> None:
    """The blob may be there or not; what it must not be is acknowledged."""
    files = WatchedFiles()
    backend = await make(tmp_path, files)
    await put(backend, key=StorageKey("photos/2024/dog.jpg!" + "1" * 32))
    files.failing["sync_directory"] = errno.EIO
    with pytest.raises(BackendUnreachable):
        await put(backend)
    (outcome,) = await backend.delete([KEY])

    assert isinstance(outcome.error, BackendUnreachable)


async def test_vanished_root_is_not_an_empty_backend(tmp_path: Path) -> None:
    """A disk that is not mounted must not look as if all its blobs were deleted."""
    backend = await make(tmp_path)
    await put(backend)
    (tmp_path / "root").rename(tmp_path / "elsewhere")
    with pytest.raises(BackendUnreachable):
        await get(backend)
    with pytest.raises(BackendUnreachable):
        await backend.head(KEY)
    with pytest.raises(BackendUnreachable):
        await backend.delete([KEY])
    with pytest.raises(BackendUnreachable):
        await backend.list_page("")
    with pytest.raises(BackendUnreachable):
        await put(backend, key=StorageKey("photos/x!" + "1" * 32))
    with pytest.raises(BackendUnreachable):
        await backend.probe()

    (tmp_path / "elsewhere").rename(tmp_path / "root")
    assert b"meow" == await get(backend)


async def test_empty_folders_go_with_their_last_blob(tmp_path: Path) -> None:
    """Millions of deleted keys must not leave millions of empty folders."""
    backend = await make(tmp_path)
    other = StorageKey("photos/dog.jpg!" + "1" * 32)
    await put(backend)
    await put(backend, key=other)
    await backend.delete([KEY])
    assert ["blobs/photos.d"] == [n for n in all_files(tmp_path) if n.endswith(".d")]
    await backend.delete([other])

    assert [] == all_files(tmp_path)


async def test_leftovers_of_a_crash_are_deleted_at_the_start(tmp_path: Path) -> None:
    """Half-written files would fill the disk, outside every quota."""
    await make(tmp_path)
    leftover = tmp_path / "root" / "tmp" / "left"
    leftover.write_bytes(b"half")
    await make(tmp_path)

    assert not leftover.exists()


async def test_file_in_use_is_no_leftover(tmp_path: Path) -> None:
    """Another process on the same folder may be in the middle of a write."""
    backend = await make(tmp_path)
    source = StalledSource(3_000_005, [pattern(250_000) for _ in range(12)])
    async with trio.open_nursery() as nursery:

        async def write() -> None:
            await backend.put(KEY, source, HEADERS)

        nursery.start_soon(write)
        await source.is_stalled.wait()
        await make(tmp_path)
        assert 1 == len(list((tmp_path / "root" / "tmp").iterdir()))
        nursery.cancel_scope.cancel()

    assert [] == all_files(tmp_path)


async def test_source_that_fails_late_leaves_no_file(tmp_path: Path) -> None:
    """Temporary files are not left for the next start either."""
    backend = await make(tmp_path)
    source = BytesSource(pattern(5_000_000), fail_at=4_999_999, error=ClientGone())
    with pytest.raises(ClientGone):
        await backend.put(KEY, source, HEADERS)

    assert [] == all_files(tmp_path)


async def test_blob_of_the_wrong_size_is_damaged(tmp_path: Path) -> None:
    """A truncated file must fail over to another copy, not be served short."""
    backend = await make(tmp_path)
    await put(backend, pattern(5000))
    (blob,) = (tmp_path / "root").rglob("*.b")
    os.truncate(blob, 4000)
    with pytest.raises(BlobDamaged):
        await get(backend)
    with pytest.raises(BlobDamaged):
        await backend.head(KEY)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"format": 2}', b"[" * 100_000])
async def test_damaged_sidecar_is_told(tmp_path: Path, text: bytes) -> None:
    """What lies on a disk may be anything; none of it may crash a request."""
    backend = await make(tmp_path)
    await put(backend)
    (sidecar,) = (tmp_path / "root").rglob("*.r")
    sidecar.write_bytes(text)
    with pytest.raises(BlobDamaged):
        await get(backend)


async def test_bytes_without_a_sidecar_are_still_the_bytes(tmp_path: Path) -> None:
    """A lost record must not take the only copy of an object with it."""
    backend = await make(tmp_path)
    await put(backend)
    (sidecar,) = (tmp_path / "root").rglob("*.r")
    sidecar.unlink()

    assert b"meow" == await get(backend)


async def test_interval_of_a_large_blob_reads_only_itself(tmp_path: Path) -> None:
    """A range request must not read the whole file."""
    files = WatchedFiles()
    backend = await make(tmp_path, files)
    body = pattern(6 << 20)
    await put(backend, body)
    files.log.clear()
    async with backend.open(KEY, Interval(5_000_000, 5_000_100)) as reader:
        piece = await reader.read()

    assert body[5_000_000:5_000_100] == piece
    assert 2 == files.count("read"), "the sidecar and the interval"


async def test_absent_blob_is_missing_not_unreachable(tmp_path: Path) -> None:
    """Only then may another location be trusted to be the right one."""
    backend = await make(tmp_path)
    with pytest.raises(BlobMissing):
        await get(backend)
