"""fsck: the ledger against itself, then every backend's listing against the ledger.

Memory is bounded by one page of each side. The service is stopped meanwhile, so nothing
moves on our side; a backend's listing may still lag or lie, so a name that it does not
show is asked for by itself before anything is said. Bytes that wait to be deleted, and
writes that the next start settles, are no differences. A backend that cannot be asked
makes the comparison incomplete, which is said, too. Nothing is changed.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from s3o.backends.fleet import Fleet
from s3o.backends.guard import Guarded
from s3o.ledger.checks import count_locations
from s3o.ledger.cleanup import Depths, depths
from s3o.ledger.ledger import Ledger
from s3o.model.errors import BackendError
from s3o.observe.operation import describe
from s3o.policy.merge import Disorder
from s3o.services.fsck.backend_side import BackendSide
from s3o.services.fsck.deep import DeepCheck
from s3o.services.fsck.difference import Difference, Kind
from s3o.services.fsck.ledger_side import LedgerSide


@dataclass(kw_only=True)
class FsckReport:
    """What was compared. names: per backend; unable: why backends were not."""

    differences: Counter[Kind] = field(default_factory=Counter)
    names: dict[str, int] = field(default_factory=dict)
    objects: int = 0
    read_blobs: int = 0
    unproved_blobs: int = 0
    waiting: Depths = field(default_factory=lambda: Depths(0, 0, 0))
    unable: dict[str, str] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Whether all was compared, and nothing differs."""
        return not self.differences and not self.unable


class Fsck:
    """One comparison; deep also reads every byte."""

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        tell: Callable[[Difference], None],
        *,
        deep: DeepCheck | None = None,
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._tell = tell
        self._deep = deep
        self._report = FsckReport()

    async def run(self) -> FsckReport:
        """Compare; each difference is told as it is found. Raises LedgerError."""
        report = self._report
        report.waiting = await self._ledger.read(depths)
        report.objects = await LedgerSide(self._ledger, self._say).check()
        await self._check_backend_names()
        for backend in self._fleet:
            await self._compare(backend)
        return report

    async def _check_backend_names(self) -> None:
        for name, count in (await self._ledger.scan(count_locations)).items():
            if name not in self._fleet.names:
                self._say(
                    Difference(
                        kind=Kind.UNKNOWN_BACKEND,
                        text=f"{count} locations are on {name!r}, which the "
                        "configuration does not have",
                        backend=name,
                    )
                )

    async def _compare(self, backend: Guarded) -> None:
        side = BackendSide(self._ledger, backend, self._say, self._deep)
        try:
            await side.compare()
        except (BackendError, Disorder) as error:
            is_ours = isinstance(error, BackendError)
            self._report.unable[backend.name] = (
                describe(error) if is_ours else str(error)
            )
        if side.unreadable:
            self._report.unable.setdefault(backend.name, side.unreadable)
        self._report.names[backend.name] = side.names
        self._report.read_blobs += side.read_blobs
        self._report.unproved_blobs += side.unproved_blobs

    def _say(self, difference: Difference) -> None:
        self._report.differences[difference.kind] += 1
        self._tell(difference)
