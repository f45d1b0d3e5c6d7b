"""Make a failing swarm smaller while it still fails."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.simulation.swarm import Swarm

Fails = Callable[[Swarm], bool]


def shrink(swarm: Swarm, fails: Fails, say: Callable[[str], None] = print) -> Swarm:
    """Return the smallest swarm found that fails; say what was left out."""
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for what, candidate in _smaller(swarm):
            if fails(candidate):
                say(f"still fails without {what}")
                swarm, is_smaller = candidate, True
                break
    return swarm


def _smaller(swarm: Swarm) -> Iterator[tuple[str, Swarm]]:
    """Yield what is smaller by one thing, the large steps first."""
    if swarm.clients > 1:
        yield "half the clients", replace(swarm, clients=swarm.clients // 2)
        yield "one client", replace(swarm, clients=swarm.clients - 1)
    if swarm.operations > 1:
        half = swarm.operations // 2
        yield "half the operations", replace(swarm, operations=half)
        if swarm.operations < 16:
            fewer = swarm.operations - 1
            yield "one operation", replace(swarm, operations=fewer)
    if swarm.crashes:
        yield "deaths", replace(swarm, crashes=0)
        yield "half the deaths", replace(swarm, crashes=swarm.crashes // 2)
    if swarm.instances > 1:
        yield "one instance", replace(swarm, instances=swarm.instances - 1)
    if swarm.keys > 1:
        yield "half the keys", replace(swarm, keys=swarm.keys // 2)
    for name in ("is_losing", "is_draining", "is_down_at_times", "is_partitioned"):
        if getattr(swarm, name):
            yield name, replace(swarm, **{name: False})
    for name in ("list_lag_s", "skew_s"):
        if getattr(swarm, name):
            yield name, replace(swarm, **{name: 0.0})
    if swarm.jumps_s:
        yield "jumps of the clock", replace(swarm, jumps_s=())
    if swarm.reloads:
        yield "reloads", replace(swarm, reloads=0)
    yield from _fewer_rates(swarm)
    yield from _fewer_faults(swarm)
    for name in ("rebalance", "reconcile", "integrity", "lifecycle", "replication"):
        if name in swarm.sections and not swarm.serves_wrong_bytes:
            rest = {key: one for key, one in swarm.sections.items() if key != name}
            yield name, replace(swarm, sections=rest)


def _fewer_rates(swarm: Swarm) -> Iterator[tuple[str, Swarm]]:
    for field in ("ledger", "windows", "network", "clients_network"):
        rates = getattr(swarm, field)
        if len(rates) > 1:
            yield f"all of {field}", replace(swarm, **{field: {}})
        for kind in rates:
            rest = {name: rate for name, rate in rates.items() if name != kind}
            yield f"{field} {kind!r}", replace(swarm, **{field: rest})


def _fewer_faults(swarm: Swarm) -> Iterator[tuple[str, Swarm]]:
    for backend, rates in swarm.faults.items():
        if not rates:
            continue
        names = list(rates)
        parts = [names]
        if len(names) > 1:
            half = len(names) // 2
            parts += [names[:half], names[half:], *([name] for name in names)]
        for part in parts:
            rest = {name: rate for name, rate in rates.items() if name not in part}
            faults = {**swarm.faults, backend: rest}
            yield f"{backend}'s {', '.join(part)}", replace(swarm, faults=faults)
