"""Take one copy off a backend that is being drained.

Every step is safe by the ledger's own checks: a copy is recorded only for the version
whose bytes were read, and the source goes only in the transaction that counts enough
other good copies. So an overwrite in between, a second drain or a dead process cost at
most a copy too many.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from s3o.backends.fleet import Fleet
from s3o.ledger.copies import CopyOutcome, remove_copy
from s3o.ledger.copy_rows import BlobOf, CopyRow, find_blob
from s3o.ledger.ledger import Ledger
from s3o.ledger.quotas import quota_rows
from s3o.ledger.seam import Tx
from s3o.model.errors import BackendError, BackendsFailed, NoRoom, WriteLost
from s3o.model.facts import DrainMoved
from s3o.model.names import BackendName
from s3o.model.seams import Clock, Observer
from s3o.model.values import Location, QuotaRow
from s3o.objects.blob_copies import BlobCopier
from s3o.observe.operation import describe
from s3o.policy.leaving import Leave, MoveAway, Prove, choose_way
from s3o.services.copy_checks import CopyProver

DRAINED = "drained"
MOST_TARGETS = 3  # that one blob is tried on, in one pass


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one copy; moved: it has left. error: why nothing was done."""

    moved: bool = False
    has_changed: bool = False  # something is nearer to the end, though nothing left
    error: str = ""


GONE = Step(has_changed=True)


class CopyMover:
    """Carries out one step per call. Owns: nothing."""

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        copier: BlobCopier,
        observer: Observer,
        clock: Clock,
        *,
        factor: Callable[[], int],
        prover: CopyProver,
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._prover = prover
        self._copier = copier
        self._observer = observer
        self._clock = clock
        self._factor = factor

    async def move(self, row: CopyRow) -> Step:
        """Bring the copy that row names one step nearer to leaving its backend.

        Raises LedgerError; whatever a backend fails is in the step.
        """
        blob, quotas = await self._ledger.read(partial(_look, row=row))
        backend = row.location.backend
        if blob is None or all(place.backend != backend for place in blob[1]):
            return GONE
        of, places = blob
        counted = self._counted()
        way = choose_way(places, backend, counted=counted, factor=self._factor())
        match way:
            case Leave():
                step = await self._leave(row, counted)
            case Prove():
                step = await self._prove(of, places, way.places)
            case MoveAway() if not _is_known(row, places):
                # A copy of bytes that nobody has proved would take nobody's place.
                has_proof = await self._prover.read(of, row.location, None)
                error = f"the bytes of {row.key!r} cannot be proved"
                step = GONE if has_proof else Step(error=error)
            case MoveAway():
                step = await self._move(row, of, places, quotas, way.without)
        return step

    def _counted(self) -> frozenset[BackendName]:
        """Return the backends whose copies make another one needless."""
        return frozenset(
            backend.name
            for backend in self._fleet
            if backend.name not in self._fleet.draining and backend.may_call()
        )

    async def _leave(self, row: CopyRow, counted: frozenset[BackendName]) -> Step:
        place = row.location
        has_gone = await self._ledger.write(
            partial(
                remove_copy,
                version_id=row.version_id,
                blob=row.blob,
                backend=place.backend,
                keep=self._factor(),
                reason=DRAINED,
                now_us=self._clock.now_us(),
                counted=counted,
            )
        )
        if not has_gone:
            return GONE  # what was read is true no more: look again
        self._note(row, "")
        return Step(moved=True)

    async def _prove(
        self, of: BlobOf, places: Sequence[Location], unproved: Sequence[Location]
    ) -> Step:
        """Read copies that nobody has proved: their digest judges, or their object."""
        known = {place.stored_md5 for place in places} - {None}
        if len(known) > 1:
            return Step(error="copies of which nobody knows the right digest")
        try:
            for place in unproved:
                limit = self._fleet.may_read(place.backend, place.stored_bytes)
                if limit is not None:
                    return Step(error=f"{place.backend} is over its {limit} limit")
                if known:
                    await self._prover.judge(of, place, *known)
                elif await self._prover.read(of, place, None):
                    return GONE  # its digest is known now
            if not known:
                return Step(error=f"the bytes of {of.key!r} cannot be proved")
        except (BackendError, BackendsFailed) as error:
            return Step(error=describe(error))
        return GONE

    async def _move(
        self,
        row: CopyRow,
        of: BlobOf,
        places: Sequence[Location],
        quotas: Sequence[QuotaRow],
        without: frozenset[BackendName],
    ) -> Step:
        size, source = row.location.stored_bytes, row.location.backend
        targets = self._fleet.order_for_write(
            quotas, size=size, stored_size=size, without=without
        )
        error = f"no backend may take {size} bytes more of it"
        for target in targets[:MOST_TARGETS]:
            try:
                outcome = await self._copier.copy(
                    of,
                    places,
                    target,
                    reason=DRAINED,
                    takes_from=source,
                    factor=self._factor(),
                    counted=self._counted(),
                )
            except NoRoom:
                continue  # filled up since
            except WriteLost:
                return GONE  # the target is being removed
            except BackendsFailed as failed:
                return Step(error=describe(failed))  # its sources
            except BackendError as failed:
                error = describe(failed)
                if failed.backend != target:
                    break
                continue
            if outcome is CopyOutcome.MOVED:
                self._note(row, target)
                return Step(moved=True)
            return GONE
        return Step(error=error)

    def _note(self, row: CopyRow, target: str) -> None:
        self._observer.note(
            DrainMoved(
                key=f"{row.bucket}/{row.key}",
                backend=row.location.backend,
                target=target,
                size=row.location.stored_bytes,
            )
        )


def _is_known(row: CopyRow, places: Sequence[Location]) -> bool:
    """Whether a copy can be told right: by a digest, or because ours was proved."""
    is_proved = row.location.verified_at_us is not None
    return is_proved or any(one.stored_md5 for one in places)


async def _look(
    tx: Tx, row: CopyRow
) -> tuple[tuple[BlobOf, list[Location]] | None, list[QuotaRow]]:
    return await find_blob(tx, row.version_id, row.blob), await quota_rows(tx)
