"""What reads, copies and checks of bytes share: the rules, and what a bad copy means.

A copy whose bytes are wrong becomes suspect in the ledger and whoever repairs is poked;
nothing is deleted here, ever. Only whole bodies prove something: a range, a client that
leaves and a 304 do not. The rules are asked anew each time (a reload replaces them).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from s3o.ledger.copies import mark_copy
from s3o.ledger.ledger import Ledger
from s3o.model.errors import LedgerError
from s3o.model.facts import CorruptionFound
from s3o.model.seams import Clock, Observer
from s3o.model.values import (
    Interval,
    Location,
    LocationState,
    ObjectVersion,
    StoredObject,
)
from s3o.wire.proofs import BodyProof


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrityRules:
    """What the configuration asks for; the last two only count when it is enabled."""

    is_enabled: bool = False
    verifies_reads: bool = False
    verifies_copies: bool = True


class Integrity:
    """The rules of the moment, and the reports of bad copies. Owns: nothing."""

    def __init__(
        self,
        ledger: Ledger,
        observer: Observer,
        clock: Clock,
        rules: Callable[[], IntegrityRules],
    ) -> None:
        self._ledger = ledger
        self._observer = observer
        self._clock = clock
        self._rules = rules
        self._poke: Callable[[], None] | None = None

    @property
    def rules(self) -> IntegrityRules:
        """What the configuration asks for now."""
        return self._rules()

    @property
    def observer(self) -> Observer:
        """Where facts about checks go."""
        return self._observer

    def connect(self, poke: Callable[[], None]) -> None:
        """Say whom to poke when a copy wants repair."""
        self._poke = poke

    def proof_of_read(
        self, stored: StoredObject, interval: Interval | None
    ) -> BodyProof | None:
        """Return what judges a read of interval; None: it proves nothing."""
        rules = self._rules()
        if not (rules.is_enabled and rules.verifies_reads) or interval is None:
            return None
        if interval.length != stored.version.size:
            return None
        proof = proof_of(stored)
        return proof if proof.can_tell else None

    async def suspect(
        self, operation: str, version: ObjectVersion, places: Sequence[Location]
    ) -> None:
        """Mark copies whose bytes were found to be wrong, and ask for their repair.

        A ledger that is away keeps nothing from what the caller does next; the next
        check finds the same.
        """
        for place in places:
            self._observer.note(
                CorruptionFound(
                    operation=operation,
                    backend=place.backend,
                    key=version.key,
                    storage_key=place.storage_key,
                )
            )
            await self._mark(version, place)
        if self._poke is not None:
            self._poke()

    async def miss(self, version: ObjectVersion, place: Location) -> None:
        """Mark a copy that its backend does not have; it is to be looked at again."""
        await self._mark(version, place)

    async def _mark(self, version: ObjectVersion, place: Location) -> None:
        try:
            await self._ledger.write(
                partial(
                    mark_copy,
                    version_id=version.version_id,
                    blob=place.blob,
                    backend=place.backend,
                    state=LocationState.SUSPECT,
                    now_us=self._clock.now_us(),
                    expect=place.storage_key,
                )
            )
        except LedgerError:
            return


def proof_of(stored: StoredObject, *, with_sha256: bool = False) -> BodyProof:
    """Return what judges all bytes of a version."""
    is_imported = any(place.is_imported for place in stored.locations)
    return BodyProof(
        stored.version, is_etag_ours=not is_imported, with_sha256=with_sha256
    )
