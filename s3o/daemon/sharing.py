"""What changes when several processes share one ledger."""

from s3o.daemon.build import House
from s3o.services.cleanup_queue import LONE_GRACE_S, SHARED_GRACE_S
from s3o.services.leases import LedgerLeases
from s3o.services.service import Leases, NoLeases


def leases_of(house: House) -> Leases:
    """Return how exclusive services keep out of each other's way."""
    instance = house.world.instance
    if instance is None:
        return NoLeases()
    return LedgerLeases(house.ledger, house.world.clock, instance)


def reader_grace_s(house: House) -> float:
    """Return how long displaced bytes stay for reads that are about to open them."""
    return LONE_GRACE_S if house.world.instance is None else SHARED_GRACE_S
