"""Pages for services: rows that cannot be read are passed over, and hide nothing.

A service that stops at the first row somebody edited by hand serves nobody; one whose
page came out short would believe that it is at the end. fsck reports such rows.
"""

from collections.abc import Callable
from typing import TypeVar

from s3o.ledger import rows
from s3o.ledger.seam import Row, Tx, Value
from s3o.model.errors import LedgerDamaged

T = TypeVar("T")


async def readable_page(
    tx: Tx,
    query: str,
    read: Callable[[Row], T],
    after: str,
    limit: int,
    **values: Value,
) -> list[T]:
    """Return up to limit rows behind after; fewer mean that there are no more.

    query has the parameters :after and :max_rows, and is ordered by its first column.
    """
    page: list[T] = []
    while len(page) < limit:
        max_rows = limit - len(page)
        found = await tx.all(query, after=after, max_rows=max_rows, **values)
        for row in found:
            try:
                page.append(read(row))
            except LedgerDamaged:
                continue
        if len(found) < max_rows:
            break
        after = rows.text(found[-1][0])
    return page
