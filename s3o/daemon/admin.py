"""The admin API of a house: its desk, its actions, its token."""

from collections.abc import Callable

from s3o.admin.actions import ACTIONS
from s3o.admin.api import AdminApi
from s3o.admin.desk import Desk
from s3o.admin.jobs import Jobs
from s3o.config.settings import Settings
from s3o.daemon.build import House
from s3o.daemon.services import Services


def make_admin(house: House, services: Services) -> tuple[Desk, AdminApi]:
    """Return the desk, whose jobs the caller must run, and the API over it."""
    world, observer, live = house.world, house.observed.observer, house.live
    jobs = Jobs(observer, world.clock, world.entropy)
    desk = Desk(
        settings=lambda: live.current,
        ledger=house.ledger,
        fleet=house.fleet,
        buckets=house.buckets,
        log=house.observed.log,
        observer=observer,
        clock=world.clock,
        runner=services.runner,
        jobs=jobs,
        safety=services.safety,
        dead_letters=services.dead_letters,
        lifecycle=services.lifecycle,
        reconciler=services.reconciler,
        replicator=services.replicator,
        scrubber=services.scrubber,
        over_replication=services.over_replication,
        ledger_check=services.ledger_check,
        ledger_backup=services.ledger_backup,
        drains=services.drains,
        removal=services.removal,
        rebalancer=services.rebalancer,
    )
    api = AdminApi(desk, ACTIONS, world.entropy, token=_token_of(lambda: live.current))
    return desk, api


def _token_of(settings: Callable[[], Settings]) -> Callable[[], str]:
    def token() -> str:
        ui = settings().ui
        if ui.admin_token:
            return ui.admin_token.reveal()
        return ui.admin_key or ""

    return token
