"""Values: what the floors hand to each other. Frozen, small, without behaviour.

Sizes are bytes, times microseconds since 1970 UTC. *size* is what the client sent,
*stored* what lies on a backend; they differ when a transform is at work.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from s3o.model.limits import PART_MIN_BYTES, PARTS, PUT_BYTES
from s3o.model.names import (
    BackendName,
    BucketId,
    BucketName,
    ObjectKey,
    StorageKey,
    VersionId,
)
from s3o.model.tenants import BucketConfig

Pairs = tuple[tuple[str, str], ...]  # names lower-case, order kept


class ChecksumAlgorithm(StrEnum):
    """The digests of x-amz-checksum-*; values as S3 spells them."""

    CRC32 = "CRC32"
    CRC32C = "CRC32C"
    CRC64NVME = "CRC64NVME"
    SHA1 = "SHA1"
    SHA256 = "SHA256"
    SHA512 = "SHA512"
    MD5 = "MD5"
    XXHASH64 = "XXHASH64"
    XXHASH3 = "XXHASH3"
    XXHASH128 = "XXHASH128"


class ChecksumType(StrEnum):
    """Whether a checksum is of the bytes or of the parts' checksums."""

    FULL_OBJECT = "FULL_OBJECT"
    COMPOSITE = "COMPOSITE"


@dataclass(frozen=True, slots=True)
class Checksum:
    """One stored checksum; value in base64 of big-endian bytes."""

    algorithm: ChecksumAlgorithm
    value: str
    type: ChecksumType = ChecksumType.FULL_OBJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One bucket; rows refer to its id, never to its name.

    owner: the principal; "" only in the ledger, for buckets of the configuration.
    max_multipart_uploads: under way at once; 0 is no limit.
    """

    id: BucketId
    name: BucketName
    created_at_us: int
    owner: str = ""
    config: BucketConfig = field(default_factory=BucketConfig)
    max_multipart_uploads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFacts:
    """What a client tells us about an object besides its bytes.

    headers: the standard headers that are kept (cache-control, content-disposition,
    content-encoding, content-language, expires, x-amz-website-redirect-location).
    metadata: x-amz-meta-* without the prefix. tags: the tag set.
    """

    content_type: str = "binary/octet-stream"
    headers: Pairs = ()
    metadata: Pairs = ()
    tags: Pairs = ()
    storage_class: str = "STANDARD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """What was computed over the plaintext while it streamed.

    md5 and sha256 in hex; the ETag of a single PUT is the MD5 (ADR 0001). checksum is
    what is kept, None only of bytes that were copied where they lie and of which nobody
    knows one; declared is what the client sent, verified, of any algorithm.
    """

    md5: str
    checksum: Checksum | None
    sha256: str | None = None
    declared: Checksum | None = None


class LocationState(StrEnum):
    """What is known of a location's bytes.

    live: good, as far as anybody knows. suspect: a check failed; to be repaired from
    another copy. lost: the backend does not have them. quarantined: the last copy, and
    bad; kept for a person.
    """

    LIVE = "live"
    SUSPECT = "suspect"
    LOST = "lost"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """One blob of one version on one backend.

    verified_at_us: when its bytes were last proved to be the right ones (by the
    provider's own MD5 or by reading them); None is never.
    """

    backend: BackendName
    storage_key: StorageKey
    stored_bytes: int
    blob: int = 0  # its number in the version's layout
    stored_md5: str | None = None  # hex, of the stored bytes
    is_imported: bool = False
    backend_version: str | None = None
    created_at_us: int = 0
    verified_at_us: int | None = None
    state: LocationState = LocationState.LIVE
    backend_etag: str | None = None  # as the backend last told it


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectVersion:
    """The current version of a key, whole: enough for HEAD, LIST, 304, 412 and 416."""

    bucket_id: BucketId
    key: ObjectKey
    version_id: VersionId
    sequence: int
    size: int
    etag: str  # without quotes
    created_at_us: int
    facts: ObjectFacts
    checksum: Checksum | None = None
    sha256: str | None = None
    part_sizes: tuple[int, ...] = ()
    layout: tuple[tuple[int, int, int], ...] = ()  # (blob, offset, length); () = one
    part_checksums: tuple[str, ...] = ()  # in part order; of checksum's algorithm


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """A version with its locations, primary order."""

    version: ObjectVersion
    locations: tuple[Location, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """Bytes start..stop, stop excluded; 0 <= start < stop."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteConditions:
    """Conditions of a PUT or DELETE, decided at commit against the row current then.

    if_match: ETags without quotes, "*" matches any object. The last two are DELETE's.
    """

    if_match: tuple[str, ...] = ()
    if_none_match_any: bool = False
    if_match_last_modified_us: int | None = None
    if_match_size: int | None = None

    def __bool__(self) -> bool:
        """Whether there is anything to decide."""
        return (
            bool(self.if_match)
            or self.if_none_match_any
            or self.if_match_last_modified_us is not None
            or self.if_match_size is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestPart:
    """One part as the client of a CompleteMultipartUpload names it; all unverified.

    checksums: at most one per algorithm; their type says nothing.
    """

    number: int
    etag: str  # without quotes
    checksums: tuple[Checksum, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobInfo:
    """What a backend says about a blob; everything in it is hearsay."""

    stored_bytes: int
    etag: str  # without quotes; the provider's own
    headers: Mapping[str, str] = field(default_factory=dict)  # the record's headers
    modified_at_us: int | None = None
    content_type: str = ""
    standard: Pairs = ()  # cache-control, content-encoding, ... as stored there


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobHeaders:
    """What travels with a blob to a backend: its record, and what fits natively."""

    record: Pairs = ()  # x-amz-meta-s3o, -s3o1, ... without the x-amz-meta- prefix
    content_type: str = "binary/octet-stream"
    headers: Pairs = ()  # standard headers, never content-encoding
    metadata: Pairs = ()
    stored_md5: str | None = None  # hex, when known beforehand
    stored_sha256: str | None = None  # hex, when known beforehand


@dataclass(frozen=True, slots=True, kw_only=True)
class PutReceipt:
    """A backend's answer to a PUT, to be compared with what was sent."""

    etag: str  # without quotes, "" if none
    backend_version: str | None = None
    etag_is_md5: bool = False  # the provider promises that etag is the bytes' MD5


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedBlob:
    """One entry of a backend's listing."""

    name: str
    stored_bytes: int
    etag: str = ""
    modified_at_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobPage:
    """One page of a backend's listing; next_token is None on the last one."""

    blobs: tuple[ListedBlob, ...]
    next_token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaRow:
    """What the ledger holds against one backend's quota; limit 0 is no limit."""

    backend: BackendName
    limit_bytes: int
    used_bytes: int
    reserved_bytes: int
    orphan_bytes: int

    @property
    def held_bytes(self) -> int:
        """Bytes the backend holds, will hold or still owes."""
        return self.used_bytes + self.reserved_bytes + self.orphan_bytes

    def has_room(self, size: int) -> bool:
        """Whether size more stored bytes fit."""
        return self.limit_bytes == 0 or self.held_bytes + size <= self.limit_bytes


@dataclass(frozen=True, slots=True)
class Usage:
    """One backend's use in one month (or a difference of it)."""

    api_requests: int = 0
    egress_bytes: int = 0
    ingress_bytes: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """Sum field by field."""
        return Usage(
            self.api_requests + other.api_requests,
            self.egress_bytes + other.egress_bytes,
            self.ingress_bytes + other.ingress_bytes,
        )

    def __bool__(self) -> bool:
        """Whether anything was used."""
        return bool(self.api_requests or self.egress_bytes or self.ingress_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a store of blobs can do beyond storing whole ones.

    needs_equal_parts: all native parts but the last must have one size (R2).
    min_part_bytes: of all native parts but the last. max_part_number: parts with a
    higher one become blobs of their own. max_copy_bytes: of one copy, whole or part.
    """

    has_multipart: bool = False  # native multipart uploads
    needs_equal_parts: bool = False
    can_copy: bool = False  # a whole blob within the store
    can_copy_part: bool = False  # an interval of a blob as a native part
    min_part_bytes: int = PART_MIN_BYTES
    max_part_number: int = PARTS
    max_copy_bytes: int = PUT_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class NativePart:
    """One part that a backend holds of a native upload; everything in it is hearsay."""

    number: int
    etag: str  # without quotes; the provider's own
    stored_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedUpload:
    """One native upload under way on a backend."""

    name: str  # any: others may use the bucket, too
    upload_id: str  # the provider's
    initiated_at_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPage:
    """One page of a backend's native uploads; next_token is None on the last one."""

    uploads: tuple[ListedUpload, ...]
    next_token: str | None


class BreakerState(StrEnum):
    """closed lets calls through, open refuses, half_open probes with one."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
