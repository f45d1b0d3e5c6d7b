"""Acknowledged means durable: the power may fail at any call to the file system.

A script of writes and deletes runs on a file system that forgets what was not synced;
the power is cut at its n-th call, for every n. Then the machine comes up again and the
backend must hold exactly what was acknowledged, and of the rest all or nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from s3o.backends.directory_files import BlobFiles
from s3o.backends.directory_layout import Layout
from s3o.backends.directory_listing import list_blobs
from s3o.model.names import StorageKey
from s3o.model.values import BlobHeaders
from tests.backends.powercut import Directory, PowerCut, PowerCutFileSystem
from tests.fakes.sources import pattern

ROOT = "/data"
HEADERS = BlobHeaders(record=(("s3o", "1;!"),))


@dataclass
class Outcome:
    """What the caller knows when the power fails."""

    present: dict[StorageKey, bytes] = field(default_factory=dict)
    absent: set[StorageKey] = field(default_factory=set)
    unknown: dict[StorageKey, bytes] = field(default_factory=dict)


class Script:
    """Runs operations one after the other and keeps the books."""

    def __init__(self, files: PowerCutFileSystem) -> None:
        self.files = files
        self.outcome = Outcome()
        self._bodies: dict[StorageKey, bytes] = {}
        self._count = 0

    def run(self, steps: Callable[["Script"], None]) -> None:
        """Start the backend and do the steps, until the end or the power cut."""
        try:
            self.blobs = BlobFiles(self.files, Layout(ROOT))
            self.blobs.prepare()
            steps(self)
        except PowerCut:
            pass

    def put(self, name: str, body: bytes, *, is_large: bool = False) -> None:
        """Write one blob."""
        key = StorageKey(name)
        self._count += 1
        self._bodies[key] = self.outcome.unknown[key] = body
        if is_large:
            half = len(body) // 2
            upload = self.blobs.begin(f"t{self._count}", body[:half])
            self.blobs.append(upload, body[half:])
            self.blobs.finish(upload, key, HEADERS)
        else:
            self.blobs.write_whole(f"t{self._count}", body, key, HEADERS)
        del self.outcome.unknown[key]
        self.outcome.present[key] = body

    def delete(self, name: str) -> None:
        """Delete one blob."""
        key = StorageKey(name)
        self.outcome.present.pop(key, None)
        self.outcome.unknown[key] = self._bodies.get(key, b"")
        self.blobs.delete(key)
        del self.outcome.unknown[key]
        self.outcome.absent.add(key)


def busy_life(script: Script) -> None:
    """New folders, shared folders, folders that vanish and come back."""
    script.put("photos/2024/cat!1", pattern(900))
    script.put("photos/2024/dog!2", pattern(40, 1), is_large=True)
    script.put("photos/cat!3", b"")
    script.delete("photos/2024/cat!1")
    script.delete("photos/2024/dog!2")
    script.put("photos/2024/cat!4", pattern(70, 2))
    script.delete("photos/absent!5")
    script.put("docs/a/b/c/d!6", pattern(10, 3))
    script.delete("docs/a/b/c/d!6")
    script.put("docs/a!7", b"seven")
    script.delete("photos/cat!3")


def read(blobs: BlobFiles, key: StorageKey) -> bytes | None:
    """The blob's bytes, or None."""
    try:
        blob, pieces = blobs.open(key, None)
    except FileNotFoundError:
        return None
    assert dict(HEADERS.record) == dict(blob.info.headers)
    blobs.close(blob)
    return b"".join(pieces)


def check(script: Script) -> None:
    """Start again and compare with what the caller was told."""
    files, outcome = script.files, script.outcome
    files.reboot()
    layout = Layout(ROOT)
    blobs = BlobFiles(files, layout)
    blobs.prepare()
    for key, body in outcome.present.items():
        assert body == read(blobs, key), key
    for key in outcome.absent:
        assert read(blobs, key) is None, key
    for key, body in outcome.unknown.items():
        assert read(blobs, key) in (None, body), key

    temporary = files._find(layout.temporary)
    assert isinstance(temporary, Directory)
    assert not temporary.entries, "leftovers of the crash"
    for key in (*outcome.present, *outcome.unknown):
        blobs.delete(key)
    page = list_blobs(files, layout, prefix="", after=None, limit=10)
    assert () == page.blobs


@pytest.mark.parametrize("has_links", [True, False])
def test_acknowledged_survives_a_power_cut_at_any_call(has_links: bool) -> None:
    """Nothing acknowledged may be lost; nothing half-written may appear."""
    whole = PowerCutFileSystem(has_links=has_links)
    script = Script(whole)
    script.run(busy_life)
    assert 2 == len(script.outcome.present)
    assert not script.outcome.unknown
    total = whole.calls
    check(script)

    for die_at in range(1, total + 1):
        files = PowerCutFileSystem(has_links=has_links)
        files.die_at = die_at
        script = Script(files)
        script.run(busy_life)
        check(script)


class NoDirectorySync(PowerCutFileSystem):
    """A file system whose user forgot to sync directories."""

    def sync_directory(self, path: bytes) -> None:
        self._step()


def test_the_power_cut_notices_a_missing_directory_sync() -> None:
    """A model that cannot fail proves nothing."""
    script = Script(NoDirectorySync())
    script.run(busy_life)

    with pytest.raises((AssertionError, FileNotFoundError)):
        check(script)
