"""Send one blob that is too large for one PUT: the backend's own multipart upload.

The upload's id is written into the intent before the first part goes out, so that
whoever drops the intent queues the upload to be aborted. Every part's ETag and the
ETag of the whole are compared, where the provider promises that they are MD5s: then
that the right bytes are there is proved without reading them.
"""

import hashlib
from functools import partial

from s3o.backends.guard import Guarded
from s3o.ledger.copies import note_copy_upload
from s3o.ledger.ledger import Ledger
from s3o.model import limits
from s3o.model.errors import WriteLost
from s3o.model.names import StorageKey
from s3o.model.values import BlobHeaders, PutReceipt
from s3o.objects.blob_source import OPERATION, BlobSource
from s3o.objects.flow import ReplayableSource
from s3o.policy.receipts import check_receipt


async def send_in_parts(
    ledger: Ledger,
    target: Guarded,
    storage_key: StorageKey,
    source: BlobSource,
    headers: BlobHeaders,
    part_bytes: int = limits.COPY_PART_BYTES,
) -> tuple[PutReceipt, bool]:
    """Return the backend's answer, and whether it proves that the bytes are there.

    part_bytes: at least, more where the blob would have too many parts. Raises
    BackendError, WriteLost (the intent is gone), and what source.read raises.
    """
    part_bytes = max(part_bytes, -(-source.size // limits.PARTS))
    upload_id = await target.create_upload(storage_key, headers)
    is_noted = await ledger.write(
        partial(note_copy_upload, storage_key=storage_key, backend_upload_id=upload_id)
    )
    if not is_noted:
        raise WriteLost(storage_key)
    parts: list[tuple[int, str]] = []
    joined = hashlib.md5(usedforsecurity=False)
    are_proved = True
    left, rest = source.size, b""
    while left:
        body = _Part(source, min(part_bytes, left), rest)
        window = min(body.size, limits.COPY_REPLAY_BYTES)
        receipt = await target.upload_part(
            storage_key, upload_id, len(parts) + 1, ReplayableSource(body, window)
        )
        are_proved &= check_receipt(
            receipt,
            body.md5.hexdigest(),
            backend=target.name,
            operation=OPERATION,
            storage_key=storage_key,
            reason="a part's ETag is not the MD5 of what was sent",
        )
        joined.update(body.md5.digest())
        parts.append((len(parts) + 1, receipt.etag))
        left, rest = left - body.size, body.rest
    receipt = await target.complete_upload(storage_key, upload_id, parts)
    whole = f"{joined.hexdigest()}-{len(parts)}"
    return receipt, are_proved and receipt.etag == whole


class _Part:
    """The next size bytes of a source; rest: what its last piece had over."""

    def __init__(self, source: BlobSource, size: int, first: bytes) -> None:
        self.size = size
        self.rest = first
        self.md5 = hashlib.md5(usedforsecurity=False)
        self._source = source
        self._left = size

    async def read(self) -> bytes:
        """Return the next piece; b"" at the part's end."""
        if not self._left:
            return b""
        piece = self.rest or await self._source.read()
        piece, self.rest = piece[: self._left], piece[self._left :]
        self._left -= len(piece)
        self.md5.update(piece)
        return piece

    def rewind(self) -> bool:
        """A part of a stream cannot begin again."""
        return False
