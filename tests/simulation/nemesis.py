"""Who does harm beside the faults of single calls: deaths, stops, losses, drains."""

from random import Random
from typing import Protocol

import trio

from s3o.config.settings import Settings
from s3o.model.names import BackendName
from tests.fakes.faults import Fault
from tests.simulation.life import UNAVAILABLE, Life
from tests.simulation.outside import WALL_JUMPED, Outside
from tests.simulation.settings import host_of, swarm_settings
from tests.simulation.swarm import Swarm, redraw

CHECK_S = 10.0
FROZEN_S = (1.0, 30.0, 120.0, 900.0)


class Played(Protocol):
    """The run that is harmed."""

    swarm: Swarm
    chance: Random
    outside: Outside
    lives: list[Life | None]
    settings: Settings
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
    if run.swarm.jumps_s:
        nursery.start_soon(_jump, run)
    if run.swarm.is_partitioned:
        nursery.start_soon(_interrupt, run)
    if run.swarm.reloads:
        nursery.start_soon(_reload, run)


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


def _serving(run: Played) -> list[Life]:
    return [
        life
        for life in run.lives
        if life is not None and not life.is_dead and life.services is not None
    ]


async def _jump(run: Played) -> None:
    """Set a process's wall clock wrong for a while, and right again."""
    chance = Random(f"{run.swarm.seed}/jumps")
    while True:
        await trio.sleep(chance.uniform(10, 120))
        lives = _serving(run)
        if not lives:
            continue
        life = chance.choice(lives)
        jump_us = round(chance.choice(run.swarm.jumps_s) * 1_000_000)
        run.outside.sometimes[WALL_JUMPED] += 1
        life.clock.offset_us += jump_us
        await trio.sleep(chance.uniform(1, 120))
        life.clock.offset_us -= jump_us


async def _interrupt(run: Played) -> None:
    """Let a process lose its way to one provider, or talk to its old address."""
    chance = Random(f"{run.swarm.seed}/interruptions")
    while True:
        await trio.sleep(chance.uniform(10, 90))
        host = host_of(chance.choice(list(run.swarm.wired)))
        lives = [life for life in _serving(run) if life.network is not None]
        if not lives:
            continue
        network = chance.choice(lives).network
        assert network is not None
        if chance.random() < 0.5:
            run.outside.sometimes["network: address changed"] += 1
            network.strand(host)
            continue
        run.outside.sometimes["network: interrupted"] += 1
        network.interrupt(host)
        await trio.sleep(chance.choice((1.0, 20.0, 100.0, 600.0)))
        network.mend(host)


async def _reload(run: Played) -> None:
    """Write another configuration, and let the processes read it."""
    chance = Random(f"{run.swarm.seed}/reloads")
    for number in range(run.swarm.reloads):
        await trio.sleep(chance.uniform(5, 90))
        run.settings = swarm_settings(redraw(run.swarm, number))
        for life in _serving(run):
            if chance.random() < 0.8:  # the others read it when they start again
                await life.reload(run.settings)
