"""Accounts: how much each holds in all its buckets, and may hold.

Rule 1: bytes come under an account's limit only through the conditional UPDATE in
reserve_for_account(), in the transaction that announces the write. Rule 2: afterwards
they only leave, by QuotaMoves.charge() in the transaction of their cause. What the
client sent counts: objects, announced uploads, parts of uploads under way; copies on
further backends, orphans and transforms are the operator's affair.

Both cost one statement per write whatever the account holds, and none in a bucket of
the configuration. Order of locks: the bucket, the key, the account,
the backends.
"""

from collections.abc import Mapping

from s3o.ledger import rows
from s3o.ledger.seam import Tx
from s3o.model.errors import QuotaExceeded


async def sync_accounts(tx: Tx, limits: Mapping[str, int]) -> None:
    """Set the limits from the configuration; 0 is no limit."""
    for owner, limit in sorted(limits.items()):
        await tx.run("set_account_limit", owner=owner, bytes_limit=limit)


async def reserve_for_account(tx: Tx, owner: str, size: int) -> None:
    """Charge size bytes to a bucket's owner if they fit; "" is no account.

    Raises QuotaExceeded.
    """
    if not owner:
        return
    if await tx.run("reserve_account", owner=owner, size=size) == 1:
        return
    row = await tx.one("read_account", owner=owner)
    assert row is not None, "every owner has a row"
    raise QuotaExceeded(size_bytes=size, limit_bytes=rows.size(row[0]))


async def held_bytes(tx: Tx, owner: str) -> int:
    """Return what the account holds."""
    row = await tx.one("read_account", owner=owner)
    return 0 if row is None else rows.number(row[1])
