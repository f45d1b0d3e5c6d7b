"""What those who make and remove copies look at first: the backends, and the bytes.

A copy is proved without reading it where the backend's ETag equals the MD5 that is
known (equality proves, whatever kind of ETag it is). One that is missing or has another
size is marked suspect, and nothing more: whoever repairs finds it.
"""

from collections.abc import Sequence
from functools import partial

from s3o.backends.fleet import Fleet
from s3o.ledger.checks import find_stored
from s3o.ledger.copies import mark_copy, note_verified
from s3o.ledger.copy_rows import BlobOf
from s3o.ledger.ledger import Ledger
from s3o.model.errors import BackendError, BackendsFailed, BlobMissing
from s3o.model.seams import Clock, Observer
from s3o.model.values import Location, LocationState, QuotaRow
from s3o.objects.blob_check import BlobChecker, Checked, Verdict
from s3o.objects.blob_source import order_sources, read_md5
from s3o.policy.replication import Health, shares_of


def look_at_fleet(fleet: Fleet, rows: Sequence[QuotaRow], now_s: float) -> list[Health]:
    """Return how each configured backend is, in their order."""
    shares = shares_of(rows)
    return [
        Health(
            backend=one.name,
            state=one.state,
            down_s=None if one.opened_at_s is None else now_s - one.opened_at_s,
            is_draining=one.name in fleet.draining,
            share=shares.get(one.name),
        )
        for one in fleet
    ]


class CopyProver:
    """Proves copies, cheaply or by reading them, and writes down what it finds."""

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        clock: Clock,
        checker: BlobChecker | None = None,
    ) -> None:
        """checker: judges bytes whose digest nobody knows; None: they are believed."""
        self._checker = checker
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock

    async def is_there(self, of: BlobOf, place: Location) -> bool:
        """Whether the backend still shows the copy; a missing one is suspect then."""
        now_us = self._clock.now_us()
        try:
            info = await self._fleet.get(place.backend).head(place.storage_key)
        except BlobMissing:
            await self._suspect(of, place, now_us)
            return False
        except BackendError:
            return False
        if info.stored_bytes != place.stored_bytes:
            await self._suspect(of, place, now_us)
            return False
        if place.verified_at_us is None and info.etag == place.stored_md5:
            await self._verified(of, place, now_us, info.etag)
        return True

    async def read(self, of: BlobOf, place: Location, expected_md5: str | None) -> bool:
        """Read the whole copy; say whether it is proved now. Counted as egress.

        expected_md5: of the blob, where only other copies tell.
        """
        if self._fleet.may_read(place.backend, place.stored_bytes) is not None:
            return False
        now_us = self._clock.now_us()
        if place.stored_md5 is None and expected_md5 is None:
            checked = await self._compare(of, place)
            if checked is None:
                return False
            if checked.verdict is Verdict.RIGHT and checked.stored_md5:
                return await self._verified(of, place, now_us, checked.stored_md5)
            if checked.verdict is not Verdict.UNKNOWN:
                await self._suspect(of, place, now_us)
                return False
        try:
            return await self.judge(of, place, place.stored_md5 or expected_md5)
        except BackendsFailed:
            return False

    async def prove_one(self, of: BlobOf, places: Sequence[Location]) -> None:
        """Let a digest be known before copies are made, for they are held against it.

        Read once more now, the bytes need not be read back from every target.
        """
        if any(place.stored_md5 for place in places):
            return
        for place in order_sources(self._fleet, places):
            if await self.read(of, place, None):
                return

    async def judge(
        self, of: BlobOf, place: Location, expected_md5: str | None
    ) -> bool:
        """Read the whole copy, whatever that costs; say whether it is proved now.

        expected_md5 (hex): of the blob; None: the bytes are believed. Raises
        BackendsFailed when they cannot be read, LedgerError.
        """
        now_us = self._clock.now_us()
        md5 = await read_md5(self._fleet, self._observer, place)
        if expected_md5 not in (None, md5):
            await self._suspect(of, place, now_us)
            return False
        return await self._verified(of, place, now_us, md5)

    async def _compare(self, of: BlobOf, place: Location) -> Checked | None:
        """Compare with what is known of the version (a provider joined its parts)."""
        if self._checker is None:
            return Checked(verdict=Verdict.UNKNOWN)
        stored = await self._ledger.read(partial(find_stored, version_id=of.version_id))
        if stored is None:
            return None
        try:
            return await self._checker.check(stored, place)
        except (BackendError, BackendsFailed):
            return None

    async def _suspect(self, of: BlobOf, place: Location, now_us: int) -> None:
        await self._ledger.write(
            lambda tx: mark_copy(
                tx,
                of.version_id,
                of.blob,
                place.backend,
                LocationState.SUSPECT,
                now_us,
                place.storage_key,
            )
        )

    async def _verified(
        self, of: BlobOf, place: Location, now_us: int, md5: str
    ) -> bool:
        return await self._ledger.write(
            lambda tx: note_verified(
                tx,
                of.version_id,
                of.blob,
                place.backend,
                place.storage_key,
                now_us,
                md5,
            )
        )
