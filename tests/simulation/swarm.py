"""What one seed switches on: clients, keys, providers, faults, services, periods.

Every seed enables a random part of everything (swarm testing, Groce et al. 2012): a
fault that is always on hides what happens without it. A swarm is plain values, so that
it can be printed, repeated and shrunk.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Any

from s3o.config.later import LATER
from tests.fakes.faults import FITTING, Fault
from tests.simulation.client_network import CLIENT_FAULTS
from tests.simulation.outside import AFTER, BEFORE, BUSY, SLOW, UNAVAILABLE
from tests.simulation.windows import WINDOWS

BACKENDS = ("one", "two", "three", "four")
EXPIRING = "tmp/"  # what begins so expires after a day
QUOTAS = (80_000, 150_000, 400_000, 3_000_000)
# Wrong bytes need what finds them: verification of every read, and a second copy.
WRONG_BYTES = {Fault.FLIPPED, Fault.SWAPPED, Fault.OTHER_BLOB}
# What nobody was told of needs what looks for it: the reconciler.
UNTOLD = {Fault.DELETE_LIES, Fault.DUPLICATED}
FAULTS = sorted({fault for fitting in FITTING.values() for fault in fitting})
LEDGER_FAULTS = {BEFORE: 0.01, AFTER: 0.004, SLOW: 0.02, UNAVAILABLE: 0.01, BUSY: 0.01}
# What the network to a provider may do to a connection.
REFUSED, SWALLOWED = "connection refused", "connection swallowed"
CUT_UP, CUT_DOWN = "request cut", "answer cut"
STALLED, DRIPPED, HALF_CLOSED = "stalled", "dripped", "half-closed"
JUMPS_S = (-31_536_000.0, -3600.0, -30.0, 30.0, 3600.0, 31_536_000.0)
NETWORK_FAULTS = (REFUSED, SWALLOWED, CUT_UP, CUT_DOWN, STALLED, DRIPPED, HALF_CLOSED)


def is_built(*path: str) -> bool:
    """Whether this version does what a key of the configuration asks for."""
    return path not in [row.path for row in LATER]


@dataclass(frozen=True, kw_only=True)
class Swarm:
    """One seed's choice.

    gap_s: the longest pause of a client between operations. faults: rates by provider
    and fault. ledger, windows: rates by kind. sections: of the configuration. crashes:
    how often a process dies or is stopped. late_s: how late a late PUT arrives. traits:
    what a provider can do beyond storing blobs. wired: who is reached over HTTP.
    is_partitioned: whether ways to them are interrupted, or lead elsewhere, at times.
    jumps_s: how far a process's wall clock may be off, all of a sudden. reloads: how
    often the configuration changes under a running process.
    """

    seed: int
    clients: int
    operations: int
    keys: int
    gap_s: float
    quotas: dict[str, int]
    instances: int = 1
    crashes: int = 0
    faults: dict[str, dict[str, float]] = field(default_factory=dict)
    ledger: dict[str, float] = field(default_factory=dict)
    windows: dict[str, float] = field(default_factory=dict)
    sections: dict[str, object] = field(default_factory=dict)
    late_s: float = 400.0
    list_lag_s: float = 0.0
    skew_s: float = 0.0
    is_losing: bool = False
    is_draining: bool = False
    is_down_at_times: bool = False
    traits: dict[str, str] = field(default_factory=dict)
    wired: tuple[str, ...] = ()
    network: dict[str, float] = field(default_factory=dict)
    is_partitioned: bool = False
    clients_network: dict[str, float] = field(default_factory=dict)
    jumps_s: tuple[float, ...] = ()
    reloads: int = 0

    @property
    def factor(self) -> int:
        """Copies of every object."""
        replication = self.sections.get("replication", {})
        assert isinstance(replication, dict)
        return int(replication.get("factor", 1))

    @property
    def serves_wrong_bytes(self) -> bool:
        """Whether a provider may answer with other bytes than it was given."""
        return any(set(rates) & WRONG_BYTES for rates in self.faults.values())

    def tell(self) -> str:
        """In words, one line each."""
        return "\n".join(f"  {name}: {value}" for name, value in asdict(self).items())


def draw(seed: int) -> Swarm:
    """Choose for a seed."""
    chance = Random(f"{seed}/swarm")
    names = BACKENDS[: chance.randrange(2, 5)]
    clients = chance.randrange(1, 9)
    sections = _sections(chance, len(names))
    integrity = sections.get("integrity", {})
    assert isinstance(integrity, dict)
    copies = sections.get("replication", {})
    assert isinstance(copies, dict)
    is_verified = bool(integrity.get("verify_on_read")) and copies.get("factor", 1) > 1
    is_compared = "reconcile" in sections
    without = set() if is_verified else set(WRONG_BYTES)
    without |= set() if is_compared else UNTOLD
    network = _network(chance, names)
    faults = {name: _faults(chance, without) for name in names}
    for name in network.get("wired", ()):
        # A repeated request and half a body: no provider that speaks HTTP does that.
        faults[name].pop(Fault.STORE_PART, None)
    return Swarm(
        seed=seed,
        clients=clients,
        operations=max(10, chance.randrange(60, 160) // clients),
        keys=chance.randrange(1, 21),
        gap_s=chance.choice((0.5, 3.0, 6.0, 30.0)),
        quotas={name: chance.choice(QUOTAS) for name in names},
        instances=chance.choice((1, 1, 2, 3)),
        crashes=chance.randrange(10),
        faults=faults,
        ledger={
            kind: rate for kind, rate in LEDGER_FAULTS.items() if chance.random() < 0.35
        },
        windows=_windows(chance),
        sections=sections,
        late_s=chance.choice((45.0, 400.0, 4000.0)),
        list_lag_s=chance.choice((0.0, 0.0, 10.0, 600.0)),
        skew_s=chance.choice((0.0, 0.0, 5.0, 300.0)),
        is_losing=is_verified and chance.random() < 0.5,
        is_draining=len(names) > 2 and chance.random() < 0.4,
        is_down_at_times=chance.random() < 0.3,
        traits={
            name: chance.choice(("plain", "all", "all", "equal", "large"))
            for name in names
        },
        **network,
        **_later(seed, is_wired=bool(network.get("wired"))),
    )


def _later(seed: int, *, is_wired: bool) -> dict[str, Any]:
    """Draw what came later, from a chance of its own: older seeds stay as they were."""
    chance = Random(f"{seed}/swarm, later")
    rate = chance.choice((0.01, 0.05))
    troubles = [fault for fault in CLIENT_FAULTS if chance.random() < 0.5]
    is_troubled, jumps = chance.random() < 0.5, chance.random() < 0.3
    reloads, is_partitioned = chance.choice((0, 0, 3, 20)), chance.random() < 0.4
    return {
        "clients_network": dict.fromkeys(troubles, rate) if is_troubled else {},
        "jumps_s": tuple(chance.sample(JUMPS_S, 2)) if jumps else (),
        "reloads": reloads,
        "is_partitioned": is_wired and is_partitioned,
    }


def _faults(chance: Random, without: set[Fault]) -> dict[str, float]:
    if chance.random() < 0.2:
        return {}
    fitting = [fault for fault in FAULTS if fault not in without]
    chosen = chance.sample(fitting, chance.randrange(1, len(fitting)))
    rate = chance.choice((0.01, 0.03, 0.06))
    return {str(fault): rate for fault in sorted(chosen)}


def _windows(chance: Random) -> dict[str, float]:
    if chance.random() < 0.3:
        return {}
    chosen = chance.sample(WINDOWS, chance.randrange(1, 5))
    return dict.fromkeys(sorted(chosen), chance.choice((0.01, 0.05)))


def _network(chance: Random, names: Sequence[str]) -> dict[str, Any]:
    if chance.random() < 0.6:
        return {}
    wired = tuple(name for name in names if chance.random() < 0.7)
    faults = [fault for fault in NETWORK_FAULTS if chance.random() < 0.5]
    rate = chance.choice((0.0, 0.02, 0.1))
    return {"wired": wired, "network": dict.fromkeys(faults, rate) if rate else {}}


def _period(chance: Random, normal: str) -> str:
    return chance.choice(("500ms", "20s", normal))


def _sections(chance: Random, backends: int) -> dict[str, object]:
    """Draw the configuration of whatever this version can do."""
    sections: dict[str, object] = {
        "routing_strategy": chance.choice(("pack", "spread")),
        "backend_circuit_breaker": {
            "enabled": chance.random() < 0.5,
            "open_timeout": "30s",
        },
        "usage_flush": {
            "interval": chance.choice(("1s", "30s")),
            "fast_interval": "500ms",
        },
        "write_path": {
            "pending_pattern": {
                "reaper_tick": _period(chance, "60s"),
                "min_age": chance.choice(("40s", "300s")),
            }
        },
    }
    factor = chance.randrange(1, min(3, backends) + 1)
    if factor > 1 and is_built("replication", "factor"):
        period = _period(chance, "300s")
        sections["replication"] = {
            "factor": factor,
            "worker_interval": period,
            # No draw of its own: recorded seeds keep their meaning.
            "write_copies": period == "20s",
        }
    if chance.random() < 0.4 and is_built("rebalance", "enabled"):
        sections["rebalance"] = {
            "enabled": True,
            "strategy": chance.choice(("pack", "spread")),
            "interval": _period(chance, "600s"),
            "threshold": chance.choice((0.0, 0.1, 0.3)),
        }
    if chance.random() < 0.5 and is_built("integrity", "enabled"):
        sections["integrity"] = {
            "enabled": True,
            "verify_on_read": chance.random() < 0.8,
            "verify_on_replicate": chance.random() < 0.8,
            "scrubber_interval": _period(chance, "600s"),
        }
    if chance.random() < 0.4 and is_built("reconcile", "enabled"):
        period = _period(chance, "600s")
        sections["reconcile"] = {"enabled": True, "interval": period}
    if chance.random() < 0.3 and is_built("lifecycle", "rules"):
        rule = {"prefix": EXPIRING, "expiration_days": 1}
        sections["lifecycle"] = {"rules": [rule]}
    return sections


def redraw(swarm: Swarm, number: int) -> Swarm:
    """Return the swarm with the number-th other configuration.

    What the run is judged by stays: how many copies, what is verified, compared and
    expired, and how much there is room for.
    """
    chance = Random(f"{swarm.seed}/reload {number}")
    fresh = _sections(chance, len(swarm.quotas))
    sections = dict(swarm.sections)
    for name in ("routing_strategy", "usage_flush"):
        sections[name] = fresh[name]
    sections.pop("rebalance", None)
    if "rebalance" in fresh:
        sections["rebalance"] = fresh["rebalance"]
    replication = sections.get("replication")
    if isinstance(replication, dict):
        period = _period(chance, "300s")
        changed = {"worker_interval": period, "write_copies": period == "20s"}
        sections["replication"] = {**replication, **changed}
    integrity = sections.get("integrity")
    if isinstance(integrity, dict):
        changed = {"scrubber_interval": _period(chance, "600s")}
        sections["integrity"] = {**integrity, **changed}
    return replace(swarm, sections=sections)
