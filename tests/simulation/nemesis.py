"""Who does harm beside the faults of single calls: deaths, stops, losses, drains."""

from random import Random
from typing import Protocol

import trio

from s3o.model.names import BackendName
from tests.fakes.faults import Fault
from tests.simulation.life import UNAVAILABLE, Life
from tests.simulation.outside import Outside
from tests.simulation.swarm import Swarm

CHECK_S = 10.0
FROZEN_S = (1.0, 30.0, 120.0, 900.0)


class Played(Protocol):
    """The run that is harmed."""

    swarm: Swarm
    chance: Random
    outside: Outside
    lives: list[Life | None]
    is_healed: bool


def unleash(nursery: trio.Nursery, run: Played) -> None:
    """Start whatever the seed has chosen."""
    nursery.start_soon(_watch, run)
    if run.swarm.is_losing:
        nursery.start_soon(_lose, run)
    if run.swarm.is_down_at_times:
        nursery.start_soon(_outages, run)
    if run.swarm.is_draining:
        nursery.start_soon(_drain, run)


async def end(life: Life, chance: Random, outside: Outside) -> None:
    """End, stop or freeze one process at some time."""
    kind = chance.choices(("at call", "later", "in order", "frozen"), (5, 3, 2, 1))[0]
    if kind == "at call":
        life.crash_in(chance.randrange(1, 400))
        return
    await trio.sleep(chance.uniform(0, 90))
    outside.sometimes[f"process ended {kind}"] += 1
    if kind == "later":
        life.die()
    elif kind == "in order":
        life.stop()
    else:
        await life.freeze(chance.choice(FROZEN_S))


async def _watch(run: Played) -> None:
    """Look now and then whether the providers hold what the ledger tells."""
    while True:
        await trio.sleep(CHECK_S)
        run.outside.check_locations()


async def _outages(run: Played) -> None:
    """Let a provider, or the ledger, be gone for a while."""
    chance = Random(f"{run.swarm.seed}/outages")
    rates = run.outside.rates
    while True:
        await trio.sleep(chance.uniform(20, 120))
        if chance.random() < 0.3:
            run.outside.sometimes["ledger down"] += 1
            before = rates.get(UNAVAILABLE, 0.0)
            rates[UNAVAILABLE] = 1.0
            await trio.sleep(chance.uniform(5, 60))
            rates[UNAVAILABLE] = before
        else:
            run.outside.sometimes["provider down"] += 1
            plan = run.outside.backends[chance.choice(list(run.swarm.quotas))].faults
            plan.down = chance.choice((Fault.UNREACHABLE, Fault.HANG, Fault.FORBIDDEN))
            await trio.sleep(chance.uniform(5, 300))
            plan.down = None


async def _lose(run: Played) -> None:
    """Let providers lose one copy of two, as disks do."""
    chance = Random(f"{run.swarm.seed}/losses")
    while True:
        await trio.sleep(chance.uniform(20, 120))
        run.outside.lose_one(chance)


async def _drain(run: Played) -> None:
    """Ask for a drain, or call one off."""
    chance = Random(f"{run.swarm.seed}/drains")
    names = list(run.swarm.quotas)
    while True:
        await trio.sleep(chance.uniform(10, 60))
        life = chance.choice(run.lives)
        name = BackendName(chance.choice(names))
        if life is None or life.is_dead or life.services is None:
            continue
        drains = getattr(life.services, "drains", None)
        if drains is None:
            return
        is_start = chance.random() < 0.6
        await life.order_drain(name, is_start=is_start)
        run.outside.sometimes["drain ordered" if is_start else "drain called off"] += 1
