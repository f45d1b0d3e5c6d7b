"""A directory is a backend like any other: complete, durable, contained, bounded."""

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from s3o.backends.directory import DirectoryBackend
from s3o.backends.directory_layout import Layout, encode_name
from s3o.backends.directory_listing import list_blobs
from s3o.backends.filesystem import FileStatus, FileSystem
from s3o.model.errors import (
    BackendError,
    BackendFull,
    BackendRefused,
    BackendUnreachable,
    BlobDamaged,
    BlobMissing,
    ClientGone,
)
from s3o.model.names import BackendName, StorageKey
from s3o.model.values import BlobHeaders, Interval
from tests.contract.factories import CountingMeter
from tests.fakes.entropy import SeededEntropy
from tests.fakes.sources import BytesSource, StalledSource, pattern

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


async def test_links_and_foreign_files_are_not_blobs(tmp_path: Path) -> None:
    """A link must not lead a client out of the root; other files are not ours."""
    backend = await make(tmp_path)
    await put(backend)
    folder = tmp_path / "root" / "blobs" / "photos.d"
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (folder / "link.b").symlink_to(secret)
    (folder / "out.d").symlink_to(tmp_path)
    (folder / "README").write_bytes(b"x")
    (folder / "\udcff.b").write_bytes(b"x")
    page = await backend.list_page("")

    assert [KEY] == [blob.name for blob in page.blobs]
    with pytest.raises(BackendError):
        await get(backend, StorageKey("photos/link"))


@pytest.mark.parametrize("name", ["a\0b", "", "x" * 254, "a/" + "é" * 127])
async def test_name_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    """Names of ours always fit; an imported one may not."""
    backend = await make(tmp_path)
    with pytest.raises(BackendRefused):
        await put(backend, key=StorageKey(name))
    (outcome,) = await backend.delete([StorageKey(name)])

    assert isinstance(outcome.error, BackendRefused)
    assert [] == all_files(tmp_path)


@pytest.mark.parametrize("name", ["..", "../x", "/etc/passwd", "a/../../b", ".", "//"])
async def test_name_cannot_leave_the_root(tmp_path: Path, name: str) -> None:
    """Also names that are not in our shape stay inside."""
    backend = await make(tmp_path)
    await put(backend, b"inside", StorageKey(name))

    assert b"inside" == await get(backend, StorageKey(name))
    assert ["root"] == [found.name for found in tmp_path.iterdir()]
    assert [name] == [blob.name for blob in (await backend.list_page("")).blobs]


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_every_path_segment_has_one_of_our_suffixes(name: str) -> None:
    """So none is empty, `.` or `..`, and files never meet directories."""
    try:
        path = Layout("/data").path(encode_name(name))
    except ValueError:
        return
    first, *others = path.removeprefix(b"/data/blobs/").split(b"/")[::-1]

    assert path.startswith(b"/data/blobs/")
    assert all(part.endswith(b".d") for part in others)
    assert b"/" not in first


async def test_listing_a_large_folder_looks_only_at_its_page(tmp_path: Path) -> None:
    """Ten million blobs in one folder must not be sorted in memory, nor stat'ed."""
    backend = await make(tmp_path)
    await put(backend)
    folder = tmp_path / "root" / "blobs" / "photos.d" / "2024.d"
    for number in range(3000):
        (folder / f"{number:05d}.b").touch()
    files = WatchedFiles()
    layout = Layout(str(tmp_path / "root"))
    page = list_blobs(
        files, layout, prefix="photos/2024/0", after="photos/2024/00999", limit=10
    )

    assert [f"photos/2024/{n:05d}" for n in range(1000, 1010)] == [
        blob.name for blob in page.blobs
    ]
    assert 10 == files.count("status")
    assert 1 == files.count("scan")


names = st.lists(
    st.lists(st.text("ab!.é", max_size=3), min_size=1, max_size=4).map("/".join),
    min_size=1,
    max_size=25,
    unique=True,
)


@settings(deadline=None)  # a disk may be slow
@given(names, st.text("ab!/", max_size=3), st.integers(1, 6))
def test_pages_are_the_sorted_names_cut_up(
    tmp_path_factory: pytest.TempPathFactory,
    names: list[str],
    prefix: str,
    limit: int,
) -> None:
    """Order by bytes, complete, without repeats, whatever the names."""
    root = tmp_path_factory.mktemp("list")
    layout = Layout(str(root))
    wanted = [name for name in names if name]
    for name in wanted:
        path = layout.path(encode_name(name)) + b".b"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(os.fsdecode(path)).touch()
    found: list[str] = []
    after: str | None = None
    while True:
        page = list_blobs(FileSystem(), layout, prefix=prefix, after=after, limit=limit)
        found += [blob.name for blob in page.blobs]
        after = page.next_token
        if after is None:
            break

    expected = [name for name in wanted if name.startswith(prefix)]
    assert sorted(expected, key=str.encode) == found


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
