"""The scrubber of a house, made and connected."""

from collections.abc import Callable

import trio

from s3o.daemon.build import House
from s3o.objects.integrity import Integrity, IntegrityRules
from s3o.services.backfill import Backfill
from s3o.services.repair import Repairer
from s3o.services.scrubber import Scrubber, ScrubPace


def make_scrubber(
    house: House, may_destroy: Callable[[], bool], stopping: trio.Event
) -> Scrubber:
    """Return the scrubber, with its repairs and its backfill."""
    observer, clock = house.observed.observer, house.world.clock
    backfill = Backfill(
        house.ledger,
        house.fleet,
        observer,
        clock,
        transform=house.world.transform,
        reads=house.reads,
        integrity=Integrity(
            house.ledger,
            observer,
            clock,
            lambda: IntegrityRules(is_enabled=True, verifies_reads=True),
        ),
        stopping=stopping,
    )
    repairer = Repairer(
        house.ledger,
        house.fleet,
        observer,
        clock,
        checker=house.blob_checker,
        copier=house.blob_copier,
        may_destroy=may_destroy,
    )
    return Scrubber(
        house.ledger,
        house.fleet,
        observer,
        clock,
        checker=house.blob_checker,
        repairer=repairer,
        integrity=house.integrity,
        backfill=backfill,
        pace=lambda: _pace(house),
        stopping=stopping,
    )


def _pace(house: House) -> ScrubPace:
    settings = house.live.current.integrity
    return ScrubPace(
        is_enabled=settings.enabled,
        interval_s=settings.scrubber_interval,
        batch=settings.scrubber_batch_size,
    )
