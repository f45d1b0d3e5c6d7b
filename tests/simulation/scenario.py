"""One simulated run: three clients, few keys, failing providers, a process that dies.

At the end everything heals, more than a day passes, and then every key must answer a
value that its history allows, the ledger's sums must be right, the providers must hold
exactly what the ledger says, and never more than their quota.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

import pytest
import trio

from s3o.config.load import settings_from
from s3o.config.settings import Settings
from s3o.model import limits
from s3o.net.memory import MemoryStream
from s3o.net.streams import ConnectionBroken
from tests.fakes.faults import FITTING, Fault
from tests.simulation.client import Client
from tests.simulation.determinism import ScheduleDigest, run_seeded
from tests.simulation.life import AFTER, BEFORE, SLOW, Life
from tests.simulation.outside import Outside
from tests.simulation.witness import CREATES, PATIENCE_S, When, Witness, matches

KEYS = ("a", "b", "dir/c", "z~ ü")
SIZES = (40, 1000, 70_000, 70_001)
QUOTAS = {"one": 80_000, "two": 150_000}
CLIENTS = 3
OPERATIONS = 40
OPERATIONS_OF = ("put", "get", "delete", "delete many", "list")
HEALED_S = 36 * 3600.0  # the last repetition of an unsure delete comes after 25 h
REST_S = 1800.0
REPLAY_BYTES = 50_000
# Wrong bytes and lies about deletes need what finds them: verification, sweeps.
NOT_YET = {Fault.FLIPPED, Fault.SWAPPED, Fault.DELETE_LIES}
FAULTS = sorted(
    {fault for fitting in FITTING.values() for fault in fitting} - NOT_YET,
    key=lambda fault: fault.value,
)


def make_settings(
    chance: Random,
    quotas: dict[str, int],
    *,
    is_slow: bool = False,
    routing: str | None = None,
    more: Mapping[str, object] | None = None,
) -> Settings:
    """What an operator might have written.

    is_slow: services that rarely wake. more: sections, merged into the others.
    """
    plain: dict[str, object] = {
        "server": {"listen_addr": "127.0.0.1:9000"},
        "buckets": [
            {
                "name": "photos",
                "credentials": [
                    {
                        "access_key_id": "photoskey",
                        "secret_access_key": "photossecret",
                    }
                ],
            }
        ],
        "database": {"driver": "sqlite", "path": "unused.db"},
        "routing_strategy": routing or chance.choice(("pack", "spread")),
        "backends": [
            {
                "name": name,
                "type": "directory",
                "path": f"/unused/{name}",
                "quota_bytes": quota,
            }
            for name, quota in quotas.items()
        ],
        "backend_circuit_breaker": {
            "enabled": not is_slow and chance.random() < 0.5,
            "open_timeout": "30s",
        },
        "usage_flush": {"interval": "1h" if is_slow else "30s"},
        "write_path": {
            "pending_pattern": {
                "reaper_tick": "10m" if is_slow else "20s",
                "min_age": "20m" if is_slow else "40s",
            }
        },
    }
    return settings_from(merged(plain, more or {}))


def merged(one: Mapping[str, object], other: Mapping[str, object]) -> dict[str, object]:
    """Return one with other's values, section by section."""
    both = dict(one)
    for name, value in other.items():
        old = both.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            both[name] = merged(old, value)
        else:
            both[name] = value
    return both


@dataclass(kw_only=True)
class Run:
    """One seed's run; complaints say what must not be."""

    seed: int
    digest: ScheduleDigest | None = None

    def __post_init__(self) -> None:
        self.chance = Random(f"{self.seed}/scenario")
        self.outside = Outside.build(self.seed, QUOTAS)
        self.witness = Witness(keys=KEYS, outside=self.outside, connect=self._connect)
        self.life: Life | None = None
        self._may_crash = True

    async def play(self) -> None:
        """Everything, from the first process to the last check."""
        self._arm()
        settings = make_settings(self.chance, QUOTAS)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._supervise, settings)
            async with trio.open_nursery() as clients:
                for number in range(CLIENTS):
                    clients.start_soon(self._client, f"client{number}")
            self._heal()
            nursery.cancel_scope.cancel()
        assert self.life is not None
        # Cancelled without a chance to finish: one more crash, after the last answer.
        assert self.life.is_dead
        settings = make_settings(self.chance, QUOTAS, is_slow=True)
        self.life = Life(self.outside, settings, f"{self.seed}/last", rest_s=REST_S)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.life.run)
            await self.life.ready.wait()
            await trio.sleep(HEALED_S)
            await self.witness.read_all()
            self.life.stop()
        await self.witness.judge()

    def _arm(self) -> None:
        """Choose the kinds of faults of this run."""
        for backend in self.outside.backends.values():
            chosen = self.chance.sample(FAULTS, self.chance.randrange(2, len(FAULTS)))
            rate = self.chance.choice((0.02, 0.05, 0.1))
            backend.faults.rates.update(dict.fromkeys(chosen, rate))
        if self.chance.random() < 0.5:
            self.outside.rates[BEFORE] = 0.01
        if self.chance.random() < 0.3:
            self.outside.rates[AFTER] = 0.005
        if self.chance.random() < 0.5:
            self.outside.rates[SLOW] = 0.02

    def _heal(self) -> None:
        self._may_crash = False
        self.outside.rates.clear()
        for backend in self.outside.backends.values():
            self.witness.tally.faults += len(backend.faults.struck)
            backend.faults.heal()

    async def _supervise(self, settings: Settings) -> None:
        """Start the process again whenever it is gone."""
        crashes, number = self.chance.randrange(10), 0
        while True:
            at_call, after_s = None, None
            if number < crashes:
                if self.chance.random() < 0.6:
                    at_call = self.chance.randrange(1, 250)
                else:
                    after_s = self.chance.uniform(0, 60)
            self.life = Life(
                self.outside,
                settings,
                f"{self.seed}/{number}",
                crash_at_call=at_call,
                crash_after_s=after_s,
            )
            await self.life.run()
            self.witness.note_death()
            self.witness.tally.crashes += 1
            number += 1
            await trio.sleep(self.chance.uniform(0.1, 5))

    def _connect(self) -> MemoryStream:
        if self.life is None:
            raise ConnectionBroken("nothing listens")
        return self.life.connect()

    async def _client(self, name: str) -> None:
        chance = Random(f"{self.seed}/{name}")
        client = self.witness.client()
        for number in range(OPERATIONS):
            await trio.sleep(chance.uniform(0, 6))
            await self._operate(client, name, number, chance)
        client.hang_up()

    async def _operate(
        self, client: Client, name: str, number: int, chance: Random
    ) -> None:
        """One operation of one client."""
        witness = self.witness
        patience_s = PATIENCE_S if chance.random() < 0.9 else chance.uniform(0, 1)
        key = chance.choice(KEYS)
        when = self._condition(key, chance) if chance.random() < 0.3 else None
        match chance.choices(OPERATIONS_OF, (50, 40, 15, 8, 10))[0]:
            case "put":
                text = f"{self.seed} {name} {number} "
                size = chance.choice(SIZES)
                body = (text * (size // len(text) + 1))[:size].encode()
                await witness.put(
                    client, name, key, body, when=when, patience_s=patience_s
                )
            case "delete":
                if when is CREATES:
                    when = None
                elif when is not None:
                    when = matches(when.values[0], is_delete=True)
                await witness.delete(
                    client, name, key, when=when, patience_s=patience_s
                )
            case "delete many":
                keys = sorted({key, chance.choice(KEYS)})
                await witness.delete_many(client, name, keys, patience_s=patience_s)
            case "get":
                await witness.get(client, name, key, patience_s)
            case "list":
                await witness.list(client, name, patience_s)

    def _condition(self, key: str, chance: Random) -> When:
        if chance.random() < 0.5:
            return CREATES
        return matches(self.witness.last_seen(key))


def simulate(seed: int) -> Run:
    """Play one seed."""
    run = Run(seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        # Larger bodies are what the reaper can finish; none should be 8 MiB here.
        patch.setattr(limits, "REPLAY_BYTES", REPLAY_BYTES)
        try:
            run.digest = run_seeded(run.play, seed)
        finally:
            run.outside.connection.close()
    return run
