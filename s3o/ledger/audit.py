"""Compare every sum with its rows, and look for rows that point nowhere.

Returns complaints, changes nothing. Tests run it after each operation, the simulation
after each crash, fsck on demand; it reads whole tables, so it belongs into a scan.
"""

from s3o.ledger.pending import intent_of
from s3o.ledger.seam import Tx
from s3o.model.errors import LedgerDamaged

_SUMS = ("used", "reserved", "orphan", "objects")
_PAGE_ROWS = 1000


async def audit(tx: Tx, *, with_objects: bool = True) -> list[str]:
    """Return what is wrong, in words; nothing wrong is an empty list.

    with_objects: also objects without a location; fsck goes through each itself.
    """
    complaints = await _quotas(tx)
    for query, words in (
        ("audit_unknown_backends", "row of a backend without a quota"),
        ("audit_unknown_buckets", "row of a bucket that is gone"),
        ("audit_locations_without_object", "location without a version"),
        ("audit_parts_without_upload", "part without its upload"),
        ("audit_completions", "completion that is half begun"),
        ("audit_shared_names", "storage key with two purposes"),
        ("audit_impossible_rows", "number that cannot be"),
        ("audit_sequences", "tombstone newer than the object"),
    ):
        complaints += [f"{words}: {row!r}" for row in await tx.all(query)]
    if with_objects:
        found = await tx.all("audit_objects_without_bytes")
        complaints += [f"object without a location: {row!r}" for row in found]
    return complaints + await _accounts(tx) + await _intents(tx)


async def _quotas(tx: Tx) -> list[str]:
    complaints: list[str] = []
    for row in await tx.all("audit_quotas"):
        backend, *numbers = row
        for name, told, summed in zip(_SUMS, numbers[0::2], numbers[1::2], strict=True):
            if told != summed:
                complaints.append(
                    f"{backend!r}: {name} is {told!r}, its rows sum up to {summed!r}"
                )
    return complaints


async def _accounts(tx: Tx) -> list[str]:
    return [
        f"account {owner!r}: holds {told!r}, its rows sum up to {summed!r}"
        for owner, told, summed in await tx.all("audit_accounts")
        if told != summed
    ]


async def _intents(tx: Tx) -> list[str]:
    """Read every intent; the reaper passes over what cannot be read."""
    complaints: list[str] = []
    after = ""
    while found := await tx.all("list_intents", after=after, max_rows=_PAGE_ROWS):
        for row in found:
            try:
                intent_of(row)
            except LedgerDamaged as damage:
                complaints.append(f"intent that cannot be read: {row[0]!r}: {damage}")
        after = str(found[-1][0])
    return complaints
