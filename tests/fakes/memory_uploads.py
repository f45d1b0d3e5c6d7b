"""The native uploads of a backend in memory, with the rules real providers enforce."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from s3o.model.names import StorageKey
from s3o.model.values import BlobHeaders, ListedUpload, NativePart, Traits


@dataclass(frozen=True, slots=True)
class Part:
    """One part as it lies there."""

    body: bytes
    etag: str


@dataclass(slots=True)
class Upload:
    """One upload under way."""

    storage_key: StorageKey
    headers: BlobHeaders
    initiated_at_us: int
    parts: dict[int, Part] = field(default_factory=dict)

    @property
    def held_bytes(self) -> int:
        """What its parts take."""
        return sum(len(part.body) for part in self.parts.values())


class Refusal(Exception):
    """What a provider would answer with status 400; str() is its code."""


class MemoryUploads:
    """Uploads under way, by the id the backend gave them."""

    def __init__(self, name: str) -> None:
        self.under_way: dict[str, Upload] = {}
        self._name = name
        self._begun = 0

    def create(self, storage_key: StorageKey, headers: BlobHeaders, now_us: int) -> str:
        """Begin one; ids are as odd as AWS's."""
        self._begun += 1
        upload_id = f"{self._name}.{self._begun}_x~"
        self.under_way[upload_id] = Upload(storage_key, headers, now_us)
        return upload_id

    def find(self, storage_key: StorageKey, upload_id: str) -> Upload | None:
        """The upload of that id, if it is of that name."""
        upload = self.under_way.get(upload_id)
        is_ours = upload is not None and upload.storage_key == storage_key
        return upload if is_ours else None

    @staticmethod
    def listed(upload: Upload) -> tuple[NativePart, ...]:
        """All parts in order."""
        return tuple(
            NativePart(number=number, etag=part.etag, stored_bytes=len(part.body))
            for number, part in sorted(upload.parts.items())
        )

    def page(self, prefix: str) -> list[ListedUpload]:
        """All uploads under prefix in order."""
        return [
            ListedUpload(
                name=upload.storage_key,
                upload_id=upload_id,
                initiated_at_us=upload.initiated_at_us,
            )
            for upload_id, upload in sorted(
                self.under_way.items(), key=lambda one: (one[1].storage_key, one[0])
            )
            if upload.storage_key.startswith(prefix)
        ]


def assemble(
    upload: Upload, parts: Sequence[tuple[int, str]], traits: Traits
) -> tuple[bytes, str]:
    """Return the blob's bytes and ETag; raises Refusal as providers refuse."""
    numbers = [number for number, _ in parts]
    if not numbers:
        raise Refusal("MalformedXML")
    if numbers != sorted(set(numbers)):
        raise Refusal("InvalidPartOrder")
    pinned: list[Part] = []
    for number, etag in parts:
        part = upload.parts.get(number)
        if part is None or part.etag != etag:
            raise Refusal("InvalidPart")
        pinned.append(part)
    if any(len(part.body) < traits.min_part_bytes for part in pinned[:-1]):
        raise Refusal("EntityTooSmall")
    sizes = {len(part.body) for part in pinned[:-1]}
    if traits.needs_equal_parts and len(sizes) > 1:
        raise Refusal("InvalidPart")
    digests = b"".join(bytes.fromhex(part.etag) for part in pinned)
    etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(pinned)}"
    return b"".join(part.body for part in pinned), etag
