"""One page of a bucket, in byte order, at a cost that follows the page.

A prefix is a range of keys, never a pattern. With a delimiter the scan skips: once a
common prefix is found, the next read starts behind everything that it stands for, so a
folder of a million keys costs one row. Source: S3 API, ListObjectsV2; a start inside a
common prefix skips it (ceph/s3-tests).
"""

from dataclasses import dataclass

from s3o.ledger import rows
from s3o.ledger.seam import Row, Tx
from s3o.model.errors import LedgerDamaged
from s3o.model.names import BucketId, ObjectKey, VersionId
from s3o.model.values import ObjectFacts, ObjectVersion

_LAST_CHARACTER = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
# Above every key: one character longer than 1024 bytes of the highest one.
_ABOVE_ALL = chr(_LAST_CHARACTER) * 257
_STANDARD = ObjectFacts()


@dataclass(frozen=True, slots=True)
class Page:
    """Objects and common prefixes in order; next_after None means the end.

    The objects have no facts but their storage class: a listing shows no more.
    """

    entries: tuple[ObjectVersion | str, ...]
    next_after: str | None


def successor(prefix: str) -> str:
    """Return the lowest text above every text that starts with prefix.

    UTF-8 orders like code points, so this is the last character's successor; where it
    has none, the one before it counts.
    """
    for position in range(len(prefix) - 1, -1, -1):
        point = ord(prefix[position]) + 1
        if point in _SURROGATES:
            point = _SURROGATES.stop
        if point <= _LAST_CHARACTER:
            return prefix[:position] + chr(point)
    return _ABOVE_ALL


async def list_page(
    tx: Tx,
    bucket_id: BucketId,
    *,
    prefix: str,
    delimiter: str,
    after: str,
    limit: int,
    is_after_inclusive: bool = False,
) -> Page:
    """Return up to limit entries behind after (or from it on, if inclusive)."""
    if limit == 0:
        return Page((), None)
    walk = _Walk(tx, bucket_id, prefix, delimiter)
    walk.begin(after, is_after_inclusive)
    return await walk.page(limit)


class _Walk:
    """Where one listing stands."""

    def __init__(self, tx: Tx, bucket_id: BucketId, prefix: str, delimiter: str):
        self._tx = tx
        self._bucket_id = bucket_id
        self._prefix = prefix
        self._delimiter = delimiter
        self._before = successor(prefix)
        self._from = prefix
        self._is_inclusive = True

    def begin(self, after: str, is_inclusive: bool) -> None:
        """Start at after, or behind the common prefix that it lies in."""
        if after < self._prefix or not after:
            return
        group = self._group_of(after)
        if group is not None and not is_inclusive:
            self._from = successor(group)
        else:
            self._from, self._is_inclusive = after, is_inclusive

    async def page(self, limit: int) -> Page:
        """Collect limit entries; one more row tells whether there are others."""
        entries: list[ObjectVersion | str] = []
        last = ""
        group: str | None = None
        batch_rows = limit + 1 if not self._delimiter else 1
        while True:
            batch = await self._read(min(batch_rows, limit + 1 - len(entries)))
            is_exhausted = len(batch) < min(batch_rows, limit + 1 - len(entries))
            for row in batch:
                key = rows.text(row[0])
                if group is not None and key.startswith(group):
                    continue
                if len(entries) == limit:
                    return Page(tuple(entries), last)
                group = self._group_of(key)
                entries.append(_entry(self._bucket_id, row) if group is None else group)
                last = key if group is None else group
            if is_exhausted:
                return Page(tuple(entries), None)
            # Behind a group one row may tell of the next; among keys, ask for more.
            batch_rows = 1 if group is not None else batch_rows * 4
            self._from = last if group is None else successor(group)
            self._is_inclusive = group is not None

    async def _read(self, max_rows: int) -> list[Row]:
        return await self._tx.all(
            "list_keys" if self._is_inclusive else "list_keys_after",
            bucket_id=self._bucket_id,
            from_key=self._from,
            before_key=self._before,
            max_rows=max_rows,
        )

    def _group_of(self, key: str) -> str | None:
        """Return the common prefix key is rolled up into."""
        if not self._delimiter or not key.startswith(self._prefix):
            return None
        at = key.find(self._delimiter, len(self._prefix))
        return None if at < 0 else key[: at + len(self._delimiter)]


def _entry(bucket_id: BucketId, row: Row) -> ObjectVersion:
    key, version_id, sequence, size, etag, created_at, storage_class = row[:7]
    try:
        facts = _STANDARD
        if storage_class != facts.storage_class:
            facts = ObjectFacts(storage_class=rows.text(storage_class))
        return ObjectVersion(
            bucket_id=bucket_id,
            key=ObjectKey(rows.text(key)),
            version_id=VersionId(rows.text(version_id)),
            sequence=rows.size(sequence),
            size=rows.size(size),
            etag=rows.text(etag),
            created_at_us=rows.moment(created_at),
            facts=facts,
            checksum=rows.checksum_of(row[7:10]),
        )
    except ValueError as error:
        raise LedgerDamaged("objects", str(error)) from None
