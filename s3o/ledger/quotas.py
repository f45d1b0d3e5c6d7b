"""Quotas: what each backend may hold, holds, will hold and still owes.

Rule 1: bytes come under the limit only through the conditional UPDATE in reserve();
memory may refuse early, never admit. Rule 2: afterwards they only move between
reserved, used and orphan, in the transaction of their cause, and leave by release of
an orphan that the provider confirmed. tests and fsck recompute every sum.
"""

from collections.abc import Mapping

from s3o.ledger import rows
from s3o.ledger.seam import Tx
from s3o.model.names import BackendName, BucketId
from s3o.model.values import QuotaRow


class QuotaMoves:
    """Signed differences of one transaction, applied once per row, in order.

    The order keeps two transactions from waiting for each other.
    """

    __slots__ = ("_charges", "_moves")

    def __init__(self) -> None:
        self._moves: dict[BackendName, list[int]] = {}
        self._charges: dict[BucketId, int] = {}

    def add(
        self,
        backend: BackendName,
        *,
        used: int = 0,
        reserved: int = 0,
        orphan: int = 0,
        objects: int = 0,
    ) -> None:
        """Note a difference."""
        move = self._moves.setdefault(backend, [0, 0, 0, 0])
        move[0] += used
        move[1] += reserved
        move[2] += orphan
        move[3] += objects

    def charge(self, bucket_id: BucketId, size: int) -> None:
        """Note a difference in what the bucket's account holds, in bytes as sent."""
        self._charges[bucket_id] = self._charges.get(bucket_id, 0) + size

    async def apply(self, tx: Tx) -> None:
        """Write the differences."""
        for bucket_id, size in sorted(self._charges.items()):
            if size:
                await tx.run("charge_account", bucket_id=bucket_id, size=size)
        for backend, move in sorted(self._moves.items()):
            if any(move):
                used, reserved, orphan, objects = move
                changed = await tx.run(
                    "move_quota",
                    backend_name=backend,
                    used=used,
                    reserved=reserved,
                    orphan=orphan,
                    objects=objects,
                )
                assert changed == 1, f"no quota row for {backend}"


async def reserve(tx: Tx, backend: BackendName, size: int) -> bool:
    """Reserve size bytes on backend if they fit; say whether they do."""
    return await tx.run("reserve_quota", backend_name=backend, size=size) == 1


async def sync_quotas(tx: Tx, limits: Mapping[BackendName, int]) -> None:
    """Set the limits from the configuration; 0 is no limit.

    A backend that left the configuration keeps its row: its bytes are still counted.
    """
    for backend, limit in sorted(limits.items()):
        await tx.run("set_quota_limit", backend_name=backend, bytes_limit=limit)


async def quota_rows(tx: Tx) -> list[QuotaRow]:
    """Return every backend's quota, in order of names."""
    return [
        QuotaRow(
            backend=rows.backend_name(backend),
            limit_bytes=rows.size(limit),
            used_bytes=rows.number(used),
            reserved_bytes=rows.number(reserved),
            orphan_bytes=rows.number(orphan),
        )
        for backend, limit, used, reserved, orphan in await tx.all("read_quotas")
    ]


async def object_counts(tx: Tx) -> Mapping[BackendName, int]:
    """Return how many objects have their first blob on each backend."""
    found = await tx.all("count_objects")
    return {rows.backend_name(name): rows.number(count) for name, count in found}


async def upload_counts(tx: Tx) -> Mapping[BackendName, int]:
    """Return how many multipart uploads are open on each backend."""
    found = await tx.all("count_uploads")
    return {rows.backend_name(name): rows.number(count) for name, count in found}
