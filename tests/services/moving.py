"""A house of objects with the services that take backends away and even them out."""

from dataclasses import dataclass, field

import trio

from s3o.ledger.copy_rows import BlobOf
from s3o.ledger.drains import Drain, list_drains
from s3o.model.names import BackendName, ObjectKey
from s3o.policy.routing import Strategy
from s3o.services.copy_checks import CopyProver
from s3o.services.drain_backups import BackupsAway
from s3o.services.drain_moves import CopyMover
from s3o.services.drains import Drains
from s3o.services.rebalancer import RebalancePace, Rebalancer
from s3o.services.removal import Removal
from tests.objects.house import KEY, House

PACE = RebalancePace(
    is_enabled=True,
    strategy=Strategy.SPREAD,
    interval_s=3600.0,
    batch=100,
    threshold=0.1,
    concurrency=2,
    factor=1,
)
ONE, TWO, THREE = BackendName("one"), BackendName("two"), BackendName("three")


@dataclass(kw_only=True)
class Movers:
    """The services over one house, and what they were told to do."""

    house: House
    factor: int = 1
    snapshots: int = 0
    may_destroy: bool = True
    pace: RebalancePace = PACE
    drains: Drains = field(init=False)
    removal: Removal = field(init=False)
    rebalancer: Rebalancer = field(init=False)

    def __post_init__(self) -> None:
        """Connect them."""
        house, rig = self.house, self.house.rig
        common = (house.ledger, rig.fleet)
        self.drains = Drains(
            *common,
            CopyMover(
                *common,
                house.blob_copier,
                rig.observer,
                rig.clock,
                factor=lambda: self.factor,
                prover=CopyProver(
                    *common,
                    rig.observer,
                    rig.clock,
                    house.blob_checker,
                ),
            ),
            BackupsAway(
                *common,
                rig.clock,
                is_backed_up=lambda: True,
                snapshot=self._snapshot,
                poke_cleanup=house.cleanup.poke,
            ),
            rig.observer,
            rig.clock,
            concurrency=lambda: 2,
            poke_cleanup=house.cleanup.poke,
            stopping=house.stopping,
            may_destroy=lambda: self.may_destroy,
        )
        self.removal = Removal(
            *common,
            rig.observer,
            rig.clock,
            next_cleanup=self.cleaned,
            poke_backup=lambda: None,
            may_destroy=lambda: self.may_destroy,
            stopping=house.stopping,
        )
        self.rebalancer = Rebalancer(
            *common,
            house.blob_copier,
            rig.observer,
            rig.clock,
            pace=lambda: self.pace,
            stopping=house.stopping,
            may_destroy=lambda: self.may_destroy,
        )

    async def _snapshot(self) -> None:
        self.snapshots += 1
        await trio.lowlevel.checkpoint()

    async def cleaned(self) -> None:
        """Let the cleanup queue work, after the readers' grace."""
        await trio.sleep(2)
        await self.house.cleanup.run_once()

    async def drained(self, name: BackendName = ONE) -> None:
        """Let drain and cleanup queue work, until the drain has ended."""
        for _ in range(20):
            await self.drains.run_once()
            if (await self.drains.status(name)).state == "drained":
                return
            await self.cleaned()
        raise AssertionError(await self.drains.status(name))

    async def add_copy(self, backend: str, key: str = KEY) -> None:
        """Give an object one more copy, as replication does."""
        house = self.house
        stored = await house.store.find(house.bucket, ObjectKey(key))
        of = BlobOf(
            version_id=stored.version.version_id,
            blob=0,
            bucket_id=house.bucket.id,
            bucket=house.bucket.name,
            key=ObjectKey(key),
        )
        await house.blob_copier.copy(
            of, stored.locations, BackendName(backend), reason="test"
        )

    async def list_drains(self) -> list[Drain]:
        """What the ledger says."""
        return await self.house.ledger.read(list_drains)

    def on(self, name: str) -> list[str]:
        """Which bodies lie on a backend, by what they say."""
        blobs = self.house.rig.inner[name].blobs
        return sorted(blob.body.decode() for blob in blobs.values())


def tables_naming(house: House, name: str) -> dict[str, int]:
    """How many rows of every table name a backend; empty when none does."""
    connection = house.connection
    found: dict[str, int] = {}
    for (table,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table'"
    ).fetchall():
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        if any(column[1] == "backend_name" for column in columns):
            [count] = connection.execute(
                f"SELECT COUNT(*) FROM {table} WHERE backend_name = ?", (name,)
            ).fetchone()
            if count:
                found[table] = count
    return found
