"""One simulated run: three clients, few keys, failing providers, a process that dies.

At the end everything heals, more than a day passes, and then every key must answer a
value that its history allows, the ledger's sums must be right, the providers must hold
exactly what the ledger says, and never more than their quota.
"""

import hashlib
import re
from dataclasses import dataclass, field
from random import Random

import trio

from s3o.config.load import settings_from
from s3o.config.settings import Settings
from s3o.net.memory import MemoryStream
from s3o.net.streams import ConnectionBroken
from tests.fakes.faults import FITTING, Fault
from tests.simulation.client import Answered, Client
from tests.simulation.determinism import ScheduleDigest, run_seeded
from tests.simulation.history import ABSENT, Operation, is_linearizable
from tests.simulation.life import Life, Outside

KEYS = ("a", "b", "dir/c", "z~ ü")
SIZES = (40, 1000, 70_000)
QUOTAS = {"one": 150_000, "two": 220_000}
CLIENTS = 3
OPERATIONS = 20
HEALED_S = 30 * 3600.0  # the last repetition of an unsure delete comes after 25 h
PATIENCE_S = 120.0
# Wrong bytes and lies about deletes need what finds them: verification, sweeps.
NOT_YET = {Fault.FLIPPED, Fault.SWAPPED, Fault.DELETE_LIES}
FAULTS = sorted(
    {fault for fitting in FITTING.values() for fault in fitting} - NOT_YET,
    key=lambda fault: fault.value,
)
ENTRY = re.compile(r"<Key>(.*?)</Key>.*?<ETag>(?:&quot;|\")(\w+)(?:&quot;|\")</ETag>")


def make_settings(
    chance: Random, quotas: dict[str, int], *, is_slow: bool = False
) -> Settings:
    """What an operator might have written; is_slow: services that rarely wake."""
    return settings_from(
        {
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
            "routing_strategy": chance.choice(("pack", "spread")),
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
    )


@dataclass(kw_only=True)
class Tally:
    """How much happened, so that nobody believes in a run that did nothing."""

    acknowledged: int = 0
    unknown: int = 0
    refused: int = 0
    reads: int = 0
    crashes: int = 0
    faults: int = 0


@dataclass(kw_only=True)
class Run:
    """One seed's run; complaints say what must not be."""

    seed: int
    tally: Tally = field(default_factory=Tally)
    complaints: list[str] = field(default_factory=list)
    digest: ScheduleDigest | None = None

    def __post_init__(self) -> None:
        self.chance = Random(f"{self.seed}/scenario")
        self.outside = Outside.build(self.seed, QUOTAS)
        self.histories: dict[str, list[Operation]] = {key: [] for key in KEYS}
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
        self.life = Life(self.outside, settings, f"{self.seed}/last", rest_s=600.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.life.run)
            await self.life.ready.wait()
            await trio.sleep(HEALED_S)
            await self._read_all()
            self.life.stop()
        await self._check()

    def _arm(self) -> None:
        """Choose the kinds of faults of this run."""
        for backend in self.outside.backends.values():
            chosen = self.chance.sample(FAULTS, self.chance.randrange(2, len(FAULTS)))
            rate = self.chance.choice((0.02, 0.05, 0.1))
            backend.faults.rates.update(dict.fromkeys(chosen, rate))
        if self.chance.random() < 0.5:
            self.outside.rates["before commit"] = 0.01
        if self.chance.random() < 0.3:
            self.outside.rates["after commit"] = 0.005

    def _heal(self) -> None:
        self._may_crash = False
        self.outside.rates.clear()
        for backend in self.outside.backends.values():
            self.tally.faults += len(backend.faults.struck)
            backend.faults.heal()

    async def _supervise(self, settings: Settings) -> None:
        """Start the process again whenever it is gone."""
        crashes, number = self.chance.randrange(5), 0
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
            self.tally.crashes += 1
            number += 1
            await trio.sleep(self.chance.uniform(0.1, 5))

    def _connect(self) -> MemoryStream:
        if self.life is None:
            raise ConnectionBroken("nothing listens")
        return self.life.connect()

    async def _client(self, name: str) -> None:
        chance = Random(f"{self.seed}/{name}")
        client = Client(self._connect)
        for number in range(OPERATIONS):
            await trio.sleep(chance.uniform(0, 6))
            patience_s = PATIENCE_S if chance.random() < 0.9 else chance.uniform(0, 1)
            key = chance.choice(KEYS)
            match chance.choices(("put", "get", "delete", "list"), (5, 4, 2, 1))[0]:
                case "put":
                    text = f"{self.seed} {name} {number} "
                    size = chance.choice(SIZES)
                    body = (text * (size // len(text) + 1))[:size].encode()
                    await self._put(client, name, key, body, patience_s)
                case "delete":
                    await self._write(
                        client, name, key, "DELETE", ABSENT, b"", patience_s
                    )
                case "get":
                    await self._get(client, name, key, patience_s)
                case "list":
                    await self._list(client, name, patience_s)
        client.hang_up()

    async def _ask(
        self, client: Client, method: str, path: str, patience_s: float, **more: object
    ) -> Answered | None:
        """Return the answer, or None when there is none."""
        with trio.move_on_after(patience_s):
            try:
                return await client.ask(method, path, **more)
            except ConnectionBroken:
                return None
        return None

    async def _put(
        self, client: Client, who: str, key: str, body: bytes, patience_s: float
    ) -> None:
        value = hashlib.md5(body, usedforsecurity=False).hexdigest()
        await self._write(client, who, key, "PUT", value, body, patience_s)

    async def _write(
        self,
        client: Client,
        who: str,
        key: str,
        method: str,
        value: str,
        body: bytes,
        patience_s: float,
    ) -> None:
        one = Operation(
            is_write=True, value=value, began=trio.current_time(), who=f"{who} {method}"
        )
        history = self.histories[key]
        history.append(one)
        answer = await self._ask(
            client, method, f"/photos/{key}", patience_s, body=body
        )
        if answer is None or (answer.status >= 500 and answer.status != 507):
            self.tally.unknown += 1
        elif answer.status in (200, 204):
            one.ended = trio.current_time()
            self.tally.acknowledged += 1
            etag = answer.headers.get("etag", f'"{value}"')
            self._expect(etag == f'"{value}"', f"PUT {key} answered ETag {etag}")
        else:
            history.remove(one)
            self.tally.refused += 1
            is_known = answer.status == 507
            self._expect(is_known, f"{method} {key}: {answer.status} {answer.body!r}")

    async def _get(
        self, client: Client, who: str, key: str, patience_s: float
    ) -> Answered | None:
        began = trio.current_time()
        answer = await self._ask(client, "GET", f"/photos/{key}", patience_s)
        if answer is None or answer.status >= 500:
            return answer
        value = ABSENT
        if answer.status == 200:
            value = hashlib.md5(answer.body, usedforsecurity=False).hexdigest()
            etag = answer.headers["etag"]
            self._expect(etag == f'"{value}"', f"GET {key}: ETag {etag}, MD5 {value}")
        else:
            is_absent = answer.status == 404 and b"NoSuchKey" in answer.body
            self._expect(is_absent, f"GET {key}: {answer.status} {answer.body!r}")
        self._saw(key, value, began, who)
        return answer

    async def _list(
        self, client: Client, who: str, patience_s: float
    ) -> Answered | None:
        began = trio.current_time()
        query = (("list-type", "2"),)
        answer = await self._ask(client, "GET", "/photos", patience_s, query=query)
        if answer is None or answer.status >= 500:
            return answer
        self._expect(answer.status == 200, f"LIST: {answer.status} {answer.body!r}")
        found = dict(ENTRY.findall(answer.body.decode()))
        self._expect(found.keys() <= set(KEYS), f"LIST names {sorted(found)}")
        for key in KEYS:
            self._saw(key, found.get(key, ABSENT), began, f"{who} LIST")
        return answer

    def _saw(self, key: str, value: str, began: float, who: str) -> None:
        self.tally.reads += 1
        self.histories[key].append(
            Operation(
                is_write=False,
                value=value,
                began=began,
                ended=trio.current_time(),
                who=who,
            )
        )

    async def _read_all(self) -> None:
        """Read everything once more; no answer but the truth is good enough."""
        client = Client(self._connect)
        answers = {
            key: await self._get(client, "last", key, PATIENCE_S) for key in KEYS
        }
        answers["(list)"] = await self._list(client, "last", PATIENCE_S)
        for key, answer in answers.items():
            is_answered = answer is not None and answer.status in (200, 404)
            self._expect(is_answered, f"healed, but {key} answers {answer}")
        client.hang_up()

    async def _check(self) -> None:
        """Compare what is left with what must be."""
        self.complaints += await self.outside.complaints()
        self.complaints += [fact.traceback for fact in self.outside.crashed]
        query = self.outside.connection.execute
        for name, backend in self.outside.backends.items():
            self.complaints += backend.books.violations
            held = set(backend.names())
            rows = query(
                "SELECT storage_key FROM object_locations WHERE backend_name = ?",
                (name,),
            )
            told = {row[0] for row in rows}
            rows = query(
                "SELECT storage_key FROM cleanup_queue WHERE backend_name = ?"
                " UNION SELECT storage_key FROM cleanup_dlq WHERE backend_name = ?",
                (name, name),
            )
            doomed = {row[0] for row in rows}
            self._expect(told <= held, f"{name} lost {sorted(told - held)}")
            garbage = sorted(held - told - doomed)
            self._expect(not garbage, f"{name} holds garbage {garbage}")
        for table in ("pending_objects", "cleanup_queue"):
            left = query(f"SELECT * FROM {table}").fetchall()
            self._expect(not left, f"healed, but {table} holds {left}")
        for key, history in self.histories.items():
            if not is_linearizable(history):
                lines = "\n".join(map(str, sorted(history, key=lambda one: one.began)))
                self.complaints.append(f"no order explains {key}:\n{lines}")

    def _expect(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self.complaints.append(otherwise)


def simulate(seed: int) -> Run:
    """Play one seed."""
    run = Run(seed=seed)
    try:
        run.digest = run_seeded(run.play, seed)
    finally:
        run.outside.connection.close()
    return run
