"""The deep part of fsck: read a copy's bytes and compare them with their digests."""

from functools import partial

from s3o.ledger.checks import ExpectedName, find_stored
from s3o.ledger.ledger import Ledger
from s3o.model.errors import BackendsFailed, LedgerDamaged
from s3o.model.names import BackendName
from s3o.objects.blob_check import BlobChecker, Verdict


class DeepCheck:
    """Judges copies by their bytes."""

    def __init__(self, ledger: Ledger, checker: BlobChecker) -> None:
        self._ledger = ledger
        self._checker = checker

    async def judge(self, expected: ExpectedName, backend: BackendName) -> str | None:
        """Return what is wrong with the bytes, "" for nothing; None: nobody can tell.

        Raises BackendError, LedgerUnavailable.
        """
        if expected.version_id is None:
            return None
        try:
            stored = await self._ledger.read(
                partial(find_stored, version_id=expected.version_id)
            )
        except LedgerDamaged:
            return None  # told as a damaged row
        if stored is None:
            return None  # told by the audit
        for place in stored.locations:
            if place.backend == backend and place.storage_key == expected.storage_key:
                try:
                    checked = await self._checker.check(stored, place)
                except BackendsFailed:
                    return None  # another blob of the version cannot be read
                if checked.verdict is Verdict.UNKNOWN:
                    return None
                return "" if checked.verdict is Verdict.RIGHT else checked.reason
        return None
