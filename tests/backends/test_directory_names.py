"""Names in a directory: contained, listed in order, page by page, in bounded memory."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3o.backends.directory_layout import Layout, encode_name
from s3o.backends.directory_listing import list_blobs
from s3o.backends.filesystem import FileSystem
from s3o.model.errors import (
    BackendError,
    BackendRefused,
)
from s3o.model.names import StorageKey
from tests.backends.disk import KEY, WatchedFiles, all_files, get, make, put


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


@pytest.mark.slow
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


@pytest.mark.slow
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
