"""The ledger against itself: its sums, its references, every version that it has."""

from collections.abc import Callable
from functools import partial

from s3o.ledger.audit import audit
from s3o.ledger.checks import CheckedVersion, versions_after
from s3o.ledger.ledger import Ledger
from s3o.model.limits import RECONCILE_PAGE
from s3o.services.fsck.difference import Difference, Kind


class LedgerSide:
    """Goes through the ledger once."""

    def __init__(self, ledger: Ledger, say: Callable[[Difference], None]) -> None:
        self._ledger = ledger
        self._say = say

    async def check(self) -> int:
        """Tell what is wrong; return how many current versions there are."""
        complaints = await self._ledger.scan(partial(audit, with_objects=False))
        for complaint in complaints:
            self._say(Difference(kind=Kind.LEDGER, text=complaint))
        count, after = 0, (-1, "")
        while page := await self._ledger.scan(
            partial(versions_after, after=after, limit=RECONCILE_PAGE)
        ):
            for found in page:
                self._check(found)
            count += len(page)
            after = (page[-1].bucket_id, page[-1].key)
        return count

    def _check(self, found: CheckedVersion) -> None:
        version = found.version
        if version is None:
            self._tell(Kind.DAMAGED_ROW, found, f"cannot be read: {found.damage}")
            return
        if version.layout:
            spans, needed = version.layout, len({blob for blob, _, _ in version.layout})
            if sum(length for _, _, length in spans) != version.size:
                self._tell(Kind.DAMAGED_ROW, found, "has a layout of another size")
        else:
            needed = 1
        if version.part_sizes and sum(version.part_sizes) != version.size:
            self._tell(Kind.DAMAGED_ROW, found, "has parts of another size")
        if found.located_blobs < needed:
            self._tell(
                Kind.INCOMPLETE_OBJECT,
                found,
                f"has {found.located_blobs} of its {needed} blobs anywhere",
            )

    def _tell(self, kind: Kind, found: CheckedVersion, what: str) -> None:
        self._say(
            Difference(
                kind=kind,
                text=f"object {found.key!r} of bucket {found.bucket_id} {what}",
                key=found.key,
            )
        )
