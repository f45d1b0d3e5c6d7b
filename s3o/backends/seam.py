"""The Backend seam: what every store of blobs can do for us.

Implementations: S3 (backends/s3), local directory (backends/directory), memory
(tests/fakes), and Guarded (backends/guard), which wraps one of them with circuit
breaker, usage meter and deadlines. One contract suite runs over all (tests/contract).

Rules: a storage key is written at most once; deletes name storage keys only; nothing
here knows buckets' clients, quotas or the ledger; a cancelled call may have had an
effect, so callers announce an intent first.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from s3o.model.errors import BackendError, BackendRefused
from s3o.model.names import BackendName, StorageKey
from s3o.model.seams import ByteSource
from s3o.model.values import (
    BlobHeaders,
    BlobInfo,
    BlobPage,
    Interval,
    NativePart,
    PutReceipt,
    Traits,
    UploadPage,
)


class BlobReader(Protocol):
    """An open blob: what the backend said of it, and its bytes, once."""

    @property
    def info(self) -> BlobInfo:
        """What the answer's head said; stored_bytes is the whole blob's size."""
        ...

    async def read(self) -> bytes:
        """Return the next piece of the interval (at most PIECE_BYTES); b"" is the end.

        Raises BackendError when the answer breaks off, has other bytes than its head
        promised, or stalls. Never returns b"" early.
        """
        ...


@dataclass(frozen=True, slots=True)
class DeleteOutcome:
    """error is None when the provider confirmed that no such blob is left."""

    storage_key: StorageKey
    error: BackendError | None = None


class Meter(Protocol):
    """Counts what a backend is asked to do, as the provider's bill does."""

    def count_request(self) -> None:
        """One request is about to be sent (every attempt, retries included)."""
        ...

    def count_ingress(self, size_bytes: int) -> None:
        """Bytes went towards the backend."""
        ...

    def count_egress(self, size_bytes: int) -> None:
        """Bytes came from the backend."""
        ...


class Uploads(Protocol):
    """Native multipart uploads. Every method raises only BackendError and Cancelled.

    A part number is sent at most once per upload, like a storage key. A store without
    has_multipart refuses to create (BackendRefused 501), so it knows no upload either.
    """

    async def create_upload(self, storage_key: StorageKey, headers: BlobHeaders) -> str:
        """Begin an upload of storage_key and return the store's id of it."""
        ...

    async def upload_part(
        self,
        storage_key: StorageKey,
        upload_id: str,
        number: int,
        source: ByteSource,
    ) -> PutReceipt:
        """Send source's bytes as one part; the receipt always has an etag.

        Raises UploadMissing, and what source.read raises: then the part must not have
        become complete. A retry inside happens only if source.rewind() says so.
        """
        ...

    async def complete_upload(
        self,
        storage_key: StorageKey,
        upload_id: str,
        parts: Sequence[tuple[int, str]],
    ) -> PutReceipt:
        """Make the parts (number, etag; ascending) the blob; others are dropped.

        An error with is_definite is a refusal, and the upload is as it was. Any other
        leaves open what became of it; so does UploadMissing, for a store forgets what
        is complete. A store may work at this for minutes.
        """
        ...

    async def abort_upload(self, storage_key: StorageKey, upload_id: str) -> None:
        """Give an upload and its parts up; an unknown one counts as aborted."""
        ...

    async def list_parts(
        self, storage_key: StorageKey, upload_id: str
    ) -> tuple[NativePart, ...]:
        """Return all parts the store holds, by number; raises UploadMissing."""
        ...

    async def list_uploads(
        self, prefix: str, token: str | None = None, limit: int = 1000
    ) -> UploadPage:
        """Return uploads under way whose storage key starts with prefix, by pages."""
        ...


class Copies(Protocol):
    """Copies within one store: no byte of them passes through here.

    A store without can_copy or can_copy_part answers BackendRefused 501.
    """

    async def copy(
        self,
        source_key: StorageKey,
        storage_key: StorageKey,
        headers: BlobHeaders,
    ) -> PutReceipt:
        """Copy a whole blob of at most 5 GiB; headers replace the source's.

        Raises BlobMissing when there is no source.
        """
        ...

    async def copy_part(
        self,
        source_key: StorageKey,
        interval: Interval | None,
        storage_key: StorageKey,
        upload_id: str,
        number: int,
    ) -> PutReceipt:
        """Copy a blob, or an interval of it, as one part of a native upload.

        The receipt always has an etag. Raises BlobMissing and UploadMissing. Some
        stores cut an interval short that ends behind the blob; list_parts shows it.
        """
        ...


class Backend(Uploads, Copies, Protocol):
    """One store of blobs. Every method raises only BackendError and Cancelled."""

    @property
    def name(self) -> BackendName:
        """Its name in the configuration."""
        ...

    @property
    def traits(self) -> Traits:
        """What it can do beyond storing whole blobs; never changes."""
        ...

    async def put(
        self, storage_key: StorageKey, source: ByteSource, headers: BlobHeaders
    ) -> PutReceipt:
        """Store source's bytes under storage_key.

        Raises also what source.read raises: then the blob must not have become
        complete. A retry inside happens only if source.rewind() says so.
        """
        ...

    def open(
        self, storage_key: StorageKey, interval: Interval | None = None
    ) -> AbstractAsyncContextManager[BlobReader]:
        """Open a blob, or an interval of it; BlobMissing if the backend has none."""
        ...

    async def head(self, storage_key: StorageKey) -> BlobInfo:
        """Ask what the backend knows of a blob; BlobMissing if it has none."""
        ...

    async def delete(self, storage_keys: Sequence[StorageKey]) -> list[DeleteOutcome]:
        """Delete blobs (at most 1000), with as few calls as the provider allows.

        An absent blob counts as deleted. A failure of one is in its outcome; the
        method itself raises only when nothing could be sent.
        """
        ...

    async def list_page(
        self, prefix: str, token: str | None = None, limit: int = 1000
    ) -> BlobPage:
        """Return blobs whose name starts with prefix, in byte order, page by page."""
        ...

    async def probe(self) -> None:
        """Make the cheapest call that shows whether the backend serves us."""
        ...

    async def aclose(self) -> None:
        """Close idle connections."""
        ...


def unsupported(name: BackendName, operation: str) -> BackendRefused:
    """Return the error of a call that a store's traits rule out."""
    return BackendRefused(
        name,
        operation,
        "this backend cannot do that",
        status=501,
        code="NotImplemented",
        is_definite=True,
    )
