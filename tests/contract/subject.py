"""One implementation under the contract suite."""

from dataclasses import dataclass

from s3o.backends.seam import Backend
from s3o.model import limits
from s3o.model.names import (
    BucketName,
    ObjectKey,
    StorageKey,
    WriteId,
    make_storage_key,
)
from s3o.model.values import BlobHeaders, Interval
from tests.contract.factories import CountingMeter
from tests.fakes.sources import BytesSource

PLAIN = BlobHeaders()
BUCKET = BucketName("photos")


@dataclass(frozen=True)
class Subject:
    """The backend under test and its meter."""

    backend: Backend
    meter: CountingMeter
    is_write_once: bool
    has_folders: bool

    async def put(
        self, name: StorageKey, body: bytes, headers: BlobHeaders = PLAIN
    ) -> None:
        """Store one blob."""
        await self.backend.put(name, BytesSource(body), headers)

    async def get(self, name: StorageKey, interval: Interval | None = None) -> bytes:
        """Read one blob, checking the reader's manners."""
        pieces = []
        async with self.backend.open(name, interval) as reader:
            while piece := await reader.read():
                assert len(piece) <= limits.PIECE_BYTES
                pieces.append(piece)
            assert b"" == await reader.read()
        return b"".join(pieces)

    async def names(self, prefix: str = "", limit: int = 1000) -> list[str]:
        """All names of a listing, page after page."""
        names: list[str] = []
        token: str | None = None
        while True:
            page = await self.backend.list_page(prefix, token, limit)
            assert len(page.blobs) <= limit
            names += [blob.name for blob in page.blobs]
            token = page.next_token
            if token is None:
                return names


def name_of(key: str, number: int = 1) -> StorageKey:
    """The storage key of one write of key."""
    return make_storage_key(BUCKET, ObjectKey(key), WriteId(f"{number:032x}"))
