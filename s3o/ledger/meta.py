"""What the ledger knows about itself: whose it is, which life, how late it is.

Two clocks that never fall. The high-water clock is the latest time of day that was ever
noted: a wall clock behind it was set back. The counted clock advances only while a
process counts, by that process's monotonic clock: it may lag, but it never runs faster
than time does, wherever the wall clock jumps. Ages that protect data are told by it.
"""

from s3o.ledger import rows
from s3o.ledger.seam import Tx
from s3o.model.errors import LedgerDamaged
from s3o.model.numbers import parse_uint

_CLUSTER_ID = "cluster_id"
_EPOCH = "ledger_epoch"
_CLOCK = "high_water_us"
_ACCEPTED = "accepted_clusters"
_HELD_BACK = "held_back"
_BELIEVED = "lifecycle_us"
_COUNTED = "counted_us"  # schema/queries/objects.sql reads it, too


async def ensure_cluster_id(tx: Tx, candidate: str) -> str:
    """Return the cluster's id; candidate becomes it on the first start."""
    await tx.run("insert_meta", name=_CLUSTER_ID, value=candidate)
    return await cluster_id(tx)


async def cluster_id(tx: Tx) -> str:
    """Return the cluster's id; it stands in every record on the backends."""
    value = await _read(tx, _CLUSTER_ID)
    if value is None:
        raise LedgerDamaged("meta", "no cluster id")
    return value


async def ledger_epoch(tx: Tx) -> int:
    """Return which life of the ledger this is; a recovery begins the next one."""
    return await _number(tx, _EPOCH)


async def begin_epoch(tx: Tx, epoch: int) -> None:
    """Begin another life of the ledger, after a recovery or an operator's decision."""
    await tx.run("put_meta", name=_EPOCH, value=str(epoch))


async def high_water_us(tx: Tx) -> int:
    """Return the latest time that was ever noted."""
    return await _number(tx, _CLOCK)


async def note_time(tx: Tx, now_us: int) -> int:
    """Raise the high-water clock to now_us if that is later; return what it was.

    A wall clock far from it has jumped, and destructive services must not believe it.
    """
    before_us = await high_water_us(tx)
    if now_us > before_us:
        await tx.run("put_meta", name=_CLOCK, value=str(now_us))
    return before_us


async def count_time(tx: Tx, counted_us: int | None, now_us: int) -> int:
    """Raise the counted clock to counted_us if that is later; return what it is then.

    The first call for a ledger starts the clock at now_us.
    """
    stored = await _read(tx, _COUNTED)
    before_us = now_us if stored is None else await _number(tx, _COUNTED)
    after_us = before_us if counted_us is None else max(before_us, counted_us)
    if stored is None or after_us > before_us:
        await tx.run("put_meta", name=_COUNTED, value=str(after_us))
    return after_us


async def counted_us(tx: Tx) -> int | None:
    """Return the counted clock; None: nobody has counted yet."""
    return None if await _read(tx, _COUNTED) is None else await _number(tx, _COUNTED)


async def believed_us(tx: Tx) -> int | None:
    """Return the time that lifecycle rules believed last; None: they never ran."""
    return None if await _read(tx, _BELIEVED) is None else await _number(tx, _BELIEVED)


async def note_believed(tx: Tx, time_us: int) -> None:
    """Write it down."""
    await tx.run("put_meta", name=_BELIEVED, value=str(time_us))


async def accepted_clusters(tx: Tx) -> frozenset[str]:
    """Return other clusters whose backups an operator has seen and left alone."""
    return frozenset((await _read(tx, _ACCEPTED) or "").split())


async def accept_clusters(tx: Tx, clusters: frozenset[str]) -> None:
    """Remember an operator's decision about other clusters' backups."""
    together = await accepted_clusters(tx) | clusters
    await tx.run("put_meta", name=_ACCEPTED, value=" ".join(sorted(together)))


async def held_back(tx: Tx) -> str:
    """Return why nothing may be deleted until an operator decides; "" if it may."""
    return await _read(tx, _HELD_BACK) or ""


async def hold_back(tx: Tx, reason: str) -> None:
    """Remember why nothing may be deleted; "" is an operator's decision that it may."""
    await tx.run("put_meta", name=_HELD_BACK, value=reason)


async def _number(tx: Tx, name: str) -> int:
    value = await _read(tx, name)
    try:
        return 0 if value is None else parse_uint(value)
    except ValueError as error:
        raise LedgerDamaged("meta", f"{name}: {error}") from None


async def _read(tx: Tx, name: str) -> str | None:
    row = await tx.one("read_meta", name=name)
    return None if row is None else rows.text(row[0])
