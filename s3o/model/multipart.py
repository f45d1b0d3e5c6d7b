"""Values of multipart uploads: what the floors hand to each other about them.

An upload's bytes are blobs of one version. Blob 0 is the backend's own multipart
upload, if there is one; every part that does not go into it is a blob with a number of
its own. Sizes are bytes, times microseconds since 1970 UTC.
"""

from dataclasses import dataclass
from enum import StrEnum

from s3o.model.names import (
    BackendName,
    BucketId,
    ObjectKey,
    StorageKey,
    UploadId,
    VersionId,
)
from s3o.model.values import (
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    ManifestPart,
    ObjectFacts,
)

NATIVE_BLOB = 0


class UploadState(StrEnum):
    """open -> completing -> done | aborted, by compare-and-set only.

    opening: the backend was asked to begin its own upload and has not answered yet.
    """

    OPENING = "opening"
    OPEN = "open"
    COMPLETING = "completing"
    DONE = "done"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class PinnedManifest:
    """What a Complete that was accepted is about: its digest, (number, attempt)s."""

    digest: str
    parts: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One row of multipart_uploads; backend is None until the first part binds it.

    checksum_algorithm is None where Create named none: then each part's checksum is
    CRC64NVME. native_part_size: stored bytes of the first part of the native upload.
    """

    upload_id: UploadId
    bucket_id: BucketId
    key: ObjectKey
    version_id: VersionId
    state: UploadState
    backend: BackendName | None
    storage_key: StorageKey | None
    backend_upload_id: str | None
    facts: ObjectFacts
    checksum_algorithm: ChecksumAlgorithm | None
    checksum_type: ChecksumType | None
    native_part_size: int | None
    manifest: PinnedManifest | None
    initiator: str
    created_at_us: int
    active_at_us: int

    @property
    def is_native(self) -> bool:
        """Whether the backend has an upload of its own that takes parts."""
        return self.backend_upload_id is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One acknowledged attempt of a part; etag is the plaintext MD5 in hex.

    storage_key is the upload's own for a native part. backend_etag is what the backend
    said, needed to complete its upload. checksum: None where the backend has copied the
    part by itself, and nobody here has read its bytes.
    """

    number: int
    attempt: int
    is_native: bool
    blob: int
    backend: BackendName
    storage_key: StorageKey
    backend_etag: str | None
    backend_version: str | None
    size: int
    stored_bytes: int
    stored_md5: str | None
    etag: str
    checksum: Checksum | None
    created_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All that a client's Complete says about the object.

    checksum: of x-amz-checksum-*, its value as sent. object_size: x-amz-mp-object-size.
    """

    parts: tuple[ManifestPart, ...]
    checksum: Checksum | None = None
    checksum_type: ChecksumType | None = None
    object_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """The object that a Complete makes; pinned in order of part numbers.

    part_checksums: values in part order, where the upload named an algorithm.
    layout: (blob, offset, length) in plaintext bytes; () is blob 0 as a whole.
    checksum: None where one of the parts has none.
    """

    pinned: tuple[Part, ...]
    etag: str
    checksum: Checksum | None
    size: int
    part_sizes: tuple[int, ...]
    part_checksums: tuple[str, ...]
    layout: tuple[tuple[int, int, int], ...]

    @property
    def native_parts(self) -> tuple[Part, ...]:
        """The pinned parts that the backend's own upload holds, ascending."""
        return tuple(part for part in self.pinned if part.is_native)

    @property
    def native_stored_bytes(self) -> int:
        """What the backend's upload must weigh once it is complete."""
        return sum(part.stored_bytes for part in self.native_parts)
