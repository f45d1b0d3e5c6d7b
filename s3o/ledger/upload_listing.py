"""One page of a bucket's uploads in progress, by key and then by initiation.

Ids begin with the time, so the order of ids is that of initiation and one index serves
the page; with a delimiter the walk skips from group to group, like listing.py. Source:
S3 API, ListMultipartUploads.
"""

from dataclasses import dataclass

from s3o.ledger.listing import successor
from s3o.ledger.seam import Tx
from s3o.ledger.upload_rows import upload_of
from s3o.model.multipart import Upload
from s3o.model.names import BucketId

_ABOVE_ALL_IDS = "~"  # ids are hexadecimal


@dataclass(frozen=True, slots=True)
class UploadPage:
    """Uploads and common prefixes in order.

    The markers are those of the next page: the last entry's key (or common prefix) and
    its upload id ("" for a common prefix). next_key_marker None means the end.
    """

    entries: tuple[Upload | str, ...]
    next_key_marker: str | None
    next_upload_id_marker: str


async def list_uploads(
    tx: Tx,
    bucket_id: BucketId,
    *,
    prefix: str,
    delimiter: str,
    key_marker: str,
    upload_id_marker: str,
    limit: int,
) -> UploadPage:
    """Return up to limit entries behind the markers.

    Without upload_id_marker, behind all uploads of key_marker; upload_id_marker counts
    only with key_marker.
    """
    if limit == 0:
        return UploadPage((), None, "")
    walk = _Walk(tx, bucket_id, prefix, delimiter)
    walk.begin(key_marker, upload_id_marker)
    return await walk.page(limit)


class _Walk:
    """Where one listing stands: behind an upload id of a key."""

    def __init__(self, tx: Tx, bucket_id: BucketId, prefix: str, delimiter: str):
        self._tx = tx
        self._bucket_id = bucket_id
        self._prefix = prefix
        self._delimiter = delimiter
        self._before = successor(prefix)
        self._from_key, self._from_upload = prefix, ""

    def begin(self, key_marker: str, upload_id_marker: str) -> None:
        """Start behind the markers, or behind the common prefix they lie in."""
        if not key_marker or key_marker < self._prefix:
            return
        group = self._group_of(key_marker)
        if group is not None:
            self._from_key = successor(group)
        else:
            self._from_key = key_marker
            self._from_upload = upload_id_marker or _ABOVE_ALL_IDS

    async def page(self, limit: int) -> UploadPage:
        """Collect limit entries; one more row tells whether there are others."""
        entries: list[Upload | str] = []
        last = ("", "")
        batch_rows = 1 if self._delimiter else limit + 1
        while True:
            max_rows = min(batch_rows, limit + 1 - len(entries))
            batch = await self._read(max_rows)
            group: str | None = None
            for upload in batch:
                if group is not None and upload.key.startswith(group):
                    continue
                if len(entries) == limit:
                    return UploadPage(tuple(entries), *last)
                group = self._group_of(upload.key)
                if group is None:
                    entries.append(upload)
                    last = (upload.key, upload.upload_id)
                else:
                    entries.append(group)
                    last = (group, "")
            if len(batch) < max_rows:
                return UploadPage(tuple(entries), None, "")
            # Behind a group one row may tell of the next; among uploads, ask for more.
            batch_rows = 1 if group is not None else batch_rows * 4
            if group is None:
                self._from_key, self._from_upload = last
            else:
                self._from_key, self._from_upload = successor(group), ""

    async def _read(self, max_rows: int) -> list[Upload]:
        found = await self._tx.all(
            "list_uploads",
            bucket_id=self._bucket_id,
            before_key=self._before,
            from_key=self._from_key,
            from_upload=self._from_upload,
            max_rows=max_rows,
        )
        return [upload_of(row) for row in found]

    def _group_of(self, key: str) -> str | None:
        """Return the common prefix key is rolled up into."""
        if not self._delimiter or not key.startswith(self._prefix):
            return None
        at = key.find(self._delimiter, len(self._prefix))
        return None if at < 0 else key[: at + len(self._delimiter)]
