"""A house with a scrubber, and ways to spoil what lies on its backends."""

from dataclasses import dataclass, field, replace

from s3o.ledger.copy_rows import find_blob
from s3o.model.names import BackendName, ObjectKey, StorageKey
from s3o.model.values import Location, LocationState
from s3o.objects.integrity import Integrity, IntegrityRules
from s3o.services.backfill import Backfill
from s3o.services.repair import Repairer
from s3o.services.scrubber import Scrubber, ScrubPace
from tests.objects.house import KEY, House

CHECKED = IntegrityRules(is_enabled=True, verifies_reads=True)
HOURLY = ScrubPace(is_enabled=True, interval_s=3600.0, batch=100)


@dataclass(kw_only=True)
class Scrubbing:
    """The scrubber of a house, and the pace it is told."""

    house: House
    scrubber: Scrubber
    paces: list[ScrubPace]
    may_destroy: list[bool] = field(default_factory=lambda: [True])

    async def copy_to(self, backend: str, key: str = KEY) -> None:
        """Make one more copy of an object of one blob, as replication does."""
        house = self.house
        stored = await house.store.find(house.bucket, ObjectKey(key))
        found = await house.ledger.read(
            lambda tx: find_blob(tx, stored.version.version_id, 0)
        )
        assert found is not None
        await house.blob_copier.copy(
            found[0], found[1], BackendName(backend), reason="replication"
        )

    async def places(self, key: str = KEY) -> dict[str, Location]:
        """An object's locations by backend."""
        stored = await self.house.store.find(self.house.bucket, ObjectKey(key))
        return {place.backend: place for place in stored.locations}

    async def states(self, key: str = KEY) -> dict[str, LocationState]:
        """The states of an object's copies."""
        return {name: place.state for name, place in (await self.places(key)).items()}

    async def spoil(self, backend: str, key: str = KEY) -> StorageKey:
        """Change a bit of an object's copy, for good; return its name there."""
        name = (await self.places(key))[backend].storage_key
        blobs = self.house.rig.inner[backend].blobs
        body = blobs[name].body
        blobs[name] = replace(blobs[name], body=bytes([body[0] ^ 1]) + body[1:])
        return name

    async def lose(self, backend: str, key: str = KEY) -> None:
        """Lose an object's copy, as disks do."""
        name = (await self.places(key))[backend].storage_key
        self.house.rig.inner[backend].lose(name)


def open_scrubbing(house: House) -> Scrubbing:
    """Give a house a scrubber."""
    house.rules.append(CHECKED)
    rig, paces, may_destroy = house.rig, [HOURLY], [True]
    repairer = Repairer(
        house.ledger,
        rig.fleet,
        rig.observer,
        rig.clock,
        checker=house.blob_checker,
        copier=house.blob_copier,
        may_destroy=lambda: may_destroy[-1],
    )
    backfill = Backfill(
        house.ledger,
        rig.fleet,
        rig.observer,
        rig.clock,
        transform=house.transform,
        reads=house.reads,
        integrity=Integrity(house.ledger, rig.observer, rig.clock, lambda: CHECKED),
        stopping=house.stopping,
    )
    scrubber = Scrubber(
        house.ledger,
        rig.fleet,
        rig.observer,
        rig.clock,
        checker=house.blob_checker,
        repairer=repairer,
        integrity=house.integrity,
        backfill=backfill,
        pace=lambda: paces[-1],
        stopping=house.stopping,
    )
    house.integrity.connect(scrubber.poke)
    return Scrubbing(
        house=house, scrubber=scrubber, paces=paces, may_destroy=may_destroy
    )
