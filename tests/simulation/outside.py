"""What outlives a process: disk, providers, network, and the notes of who watches."""

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from random import Random

import trio

from s3o.backends.usage import UsageCounters
from s3o.ledger.audit import audit
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.model.facts import Crashed
from s3o.model.names import BackendName
from tests.fakes.clock import START_US
from tests.fakes.faults import FaultPlan
from tests.fakes.memory_backend import MemoryBackend
from tests.simulation.windows import Windows

# What a ledger may do.
BEFORE, AFTER, SLOW = "before commit", "after commit", "slow"
UNAVAILABLE, BUSY = "before begin", "busy"
WALL_JUMPED = "wall clock jumped"
OURS = ".s3o/"  # backups of the ledger, not blobs of anybody


def unflushed(counters: UsageCounters) -> dict[str, int]:
    """How many calls of each provider a process would forget if it died now."""
    return {
        name: usage._requests
        + sum(
            one.api_requests
            for one in (*usage._ended.values(), *usage._in_flight.values())
        )
        for name, usage in counters._backends.items()
    }


@dataclass(kw_only=True)
class Outside:
    """The world of one run.

    rates: how often a ledger misbehaves, by kind. reaped: what the reaper did, by
    outcome. sometimes: how often what this simulation is for has happened, by name.
    found: what must not be, as soon as seen. lost: names of blobs that a provider
    has lost on purpose. network: rates of its faults; troubled: providers that had one;
    wired: those over HTTP.
    counting: what living processes have counted and not yet written down; forgotten:
    what died with them. removed: providers whose rows an operator had removed.
    nursery: of what outlives a process. writing: names that are being sent.
    """

    connection: sqlite3.Connection
    backends: dict[BackendName, MemoryBackend]
    windows: Windows
    crashed: list[Crashed] = field(default_factory=list)
    rates: dict[str, float] = field(default_factory=dict)
    reaped: Counter[str] = field(default_factory=Counter)
    sometimes: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    counting: list[UsageCounters] = field(default_factory=list)
    forgotten: Counter[str] = field(default_factory=Counter)
    lost: set[str] = field(default_factory=set)
    network: dict[str, float] = field(default_factory=dict)
    troubled: set[str] = field(default_factory=set)
    wired: tuple[str, ...] = ()
    nursery: trio.Nursery | None = None
    writing: set[str] = field(default_factory=set)

    @classmethod
    def build(
        cls, seed: int, quotas: dict[str, int], *, late_s: float = 400.0
    ) -> "Outside":
        """An empty disk and empty providers."""
        sometimes: Counter[str] = Counter()
        return cls(
            connection=open_inline(now_us=START_US),
            backends={
                BackendName(name): MemoryBackend(
                    name,
                    faults=FaultPlan(Random(f"{seed}/{name}")),
                    quota_bytes=quota,
                    late_s=late_s,
                    latency_s=(0.001, 0.3),
                )
                for name, quota in quotas.items()
            },
            windows=Windows(Random(f"{seed}/windows"), sometimes),
            sometimes=sometimes,
        )

    def unflushed(self) -> Counter[str]:
        """How many calls of each provider stand in no ledger."""
        total = Counter(self.forgotten)
        for counters in self.counting:
            total.update(unflushed(counters))
        return total

    def is_quiet(self) -> bool:
        """Whether nothing is left to be cleaned up, and nothing is on its way."""
        [(left,)] = self.connection.execute(
            "SELECT (SELECT COUNT(*) FROM pending_objects"
            f" WHERE storage_key NOT LIKE '{OURS}%')"
            " + (SELECT COUNT(*) FROM cleanup_queue"
            f" WHERE storage_key NOT LIKE '{OURS}%')"
        )
        return not left and not any(one.is_late() for one in self.backends.values())

    async def complaints(self) -> list[str]:
        """What the ledger's own audit finds."""
        return await InlineEngine(self.connection).scan(audit)

    def check_delete(self, backend: BackendName, names: list[str]) -> None:
        """Complain if bytes are to be deleted that a version still has."""
        for name in names:
            found = self.connection.execute(
                "SELECT state FROM object_locations"
                " WHERE backend_name = ? AND storage_key = ?",
                (backend, name),
            ).fetchall()
            if found:
                self.found.append(f"delete of {name} on {backend}, which is {found}")

    def check_locations(self) -> None:
        """Complain of every version's bytes that a provider does not hold."""
        rows = self.connection.execute(
            "SELECT backend_name, storage_key, stored_bytes FROM object_locations"
            " WHERE state = 'live'"
        ).fetchall()
        for backend, name, size in rows:
            blob = self.backends[BackendName(backend)].blobs.get(name)
            held = None if blob is None else len(blob.body)
            if held != size and name not in self.lost:
                self.found.append(f"{name}: {size} bytes told, {backend} holds {held}")

    def has_misbehaved(self, name: str) -> bool:
        """Whether a provider, or the ledger, ever gave reason to doubt it."""
        backend = self.backends.get(BackendName(name))
        if backend is None:
            return any(one.startswith("ledger ") for one in self.sometimes)
        return bool(backend.faults.struck) or name in self.troubled

    def lose_one(self, chance: Random) -> None:
        """Let a provider lose one copy of what has another one."""
        rows = self.connection.execute(
            "SELECT backend_name, storage_key FROM object_locations AS a"
            " WHERE state = 'live' AND EXISTS (SELECT 1 FROM object_locations AS b"
            " WHERE b.version_id = a.version_id AND b.blob = a.blob"
            " AND b.backend_name <> a.backend_name AND b.state = 'live')"
            " ORDER BY storage_key"
        ).fetchall()
        # One copy of a version at most: the other one has to be good.
        rows = [row for row in rows if row[1] not in self.lost]
        versions = dict(
            self.connection.execute(
                "SELECT storage_key, version_id FROM object_locations"
            ).fetchall()
        )
        hurt = {versions.get(name) for name in self.lost}
        rows = [row for row in rows if versions[row[1]] not in hurt]
        if rows:
            backend, name = chance.choice(rows)
            self.lost.add(name)
            self.backends[BackendName(backend)].lose(name)
            self.sometimes["provider lost a copy"] += 1
