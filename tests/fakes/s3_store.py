"""What the fake provider keeps: blobs with their versions, and uploads under way."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One blob, one version of it, or one part. is_marker: a deletion's marker."""

    body: bytes = field(repr=False)
    etag: str
    fields: Mapping[str, str] = field(default_factory=dict)
    version: str = "null"
    is_marker: bool = False


@dataclass(kw_only=True)
class Upload:
    """One multipart upload."""

    name: str
    fields: Mapping[str, str]
    parts: dict[int, Stored] = field(default_factory=dict)


class Bucket:
    """One bucket; without keeps_versions a name has one version at most."""

    def __init__(self, *, keeps_versions: bool, has_opaque_etags: bool) -> None:
        self._keeps_versions = keeps_versions
        self._has_opaque_etags = has_opaque_etags
        self._count = 0
        self.versions: dict[str, list[Stored]] = {}
        self.uploads: dict[str, Upload] = {}
        #: what a listing that lags behind by one change still shows
        self.before: dict[str, Stored] = {}

    def next_id(self) -> str:
        """Return an id that was never used."""
        self._count += 1
        return f"id-{self._count:06d}"

    def find(self, name: str) -> Stored | None:
        """Return the current version of name."""
        kept = self.versions.get(name)
        return kept[-1] if kept and not kept[-1].is_marker else None

    def current(self) -> dict[str, Stored]:
        """Return everything a plain listing shows, in byte order."""
        names = sorted(self.versions, key=str.encode)
        found = {name: self.find(name) for name in names}
        return {name: blob for name, blob in found.items() if blob is not None}

    def make(self, body: bytes, fields: Mapping[str, str], etag: str = "") -> Stored:
        """Return a blob that is not in the bucket yet."""
        if self._has_opaque_etags:
            etag = hashlib.sha256(body).hexdigest()
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        version = self.next_id() if self._keeps_versions else "null"
        return Stored(body=body, etag=etag or digest, fields=fields, version=version)

    def add(self, name: str, blob: Stored) -> None:
        """Make blob the current version of name."""
        self.before = self.current()
        if self._keeps_versions:
            self.versions.setdefault(name, []).append(blob)
        else:
            self.versions[name] = [blob]

    def remove(self, name: str, version: str | None) -> None:
        """Delete name, or one version of it."""
        if name in self.versions or self._keeps_versions:
            self.before = self.current()
        if version is not None:
            kept = [
                one for one in self.versions.get(name, []) if one.version != version
            ]
            self.versions[name] = kept
        elif self._keeps_versions:
            marker = Stored(body=b"", etag="", version=self.next_id(), is_marker=True)
            self.versions.setdefault(name, []).append(marker)
        else:
            self.versions.pop(name, None)
        if not self.versions.get(name):
            self.versions.pop(name, None)
