"""One simulated run: instances, clients, failing providers, processes that die.

At the end everything heals: every operation must succeed again soon; more than a day
passes, and then every key must answer a value that its history allows, the ledger's
sums must be right, the providers must hold exactly what the ledger says, and never have
held more than their quota.
"""

import math
from collections import Counter
from dataclasses import dataclass, replace
from random import Random

import pytest
import trio

from s3o.model import limits
from s3o.model.values import Traits
from s3o.net.memory import MemoryStream
from s3o.net.streams import ConnectionBroken
from tests.fakes.clock import TrioClock
from tests.fakes.faults import Fault
from tests.fakes.memory_backend import EVERYTHING
from tests.simulation import nemesis
from tests.simulation.client import LETTERS, PHOTOS
from tests.simulation.client_network import ClientNetwork
from tests.simulation.determinism import ScheduleDigest, run_seeded
from tests.simulation.history import ABSENT
from tests.simulation.judgement import judge_copies, judge_outside
from tests.simulation.life import Life
from tests.simulation.liveness import probe
from tests.simulation.outside import Outside
from tests.simulation.settings import swarm_settings
from tests.simulation.swarm import EXPIRING, Swarm, draw
from tests.simulation.witness import Tally, Witness
from tests.simulation.workload import REPLAY_BYTES, Worker, keys_of

HEALED_S = 36 * 3600.0  # the last repetition of an unsure delete comes after 25 h
MORE_DAYS = 2
REST_S = 1800.0
SELDOM_S = 10 * REST_S  # of services that do not clean up, see Life
INTERVALS_S = 3 * SELDOM_S + REST_S
LONGEST_S = 10 * 86_400.0
LIVENESS_S = 300.0
CHECK_S = 10.0
TRAITS = {
    "plain": Traits(),
    "all": replace(EVERYTHING, min_part_bytes=1000),
    "equal": replace(EVERYTHING, min_part_bytes=1000, needs_equal_parts=True),
    "large": EVERYTHING,
}
SLOW = {
    "usage_flush": {"interval": "1h"},
    "write_path": {"pending_pattern": {"reaper_tick": "10m", "min_age": "20m"}},
}


@dataclass(kw_only=True)
class Run:
    """One seed's run; complaints say what must not be."""

    swarm: Swarm
    digest: ScheduleDigest | None = None
    simulated_s: float = 0.0

    def __post_init__(self) -> None:
        swarm = self.swarm
        self.chance = Random(f"{swarm.seed}/scenario")
        self.outside = Outside.build(swarm.seed, swarm.quotas, late_s=swarm.late_s)
        self.complaints: list[str] = []
        self.settings = swarm_settings(swarm)  # what a process that starts reads
        self.network = ClientNetwork(swarm.seed, self.outside)
        self.lives: list[Life | None] = [None] * swarm.instances
        keys = keys_of(swarm.keys)
        self.witnesses = [
            Witness(
                keys=keys,
                outside=self.outside,
                connect=self._connect,
                tenant=tenant,
                foreign=(other.canary.encode(),),
                over=self.network.over,
            )
            for tenant, other in ((PHOTOS, LETTERS), (LETTERS, PHOTOS))
        ]
        self.crashes = 0
        self.is_healed, self.healed_s = False, 0.0

    # ---- the story

    async def play_in_time(self) -> None:
        """Play, and fail if it does not end."""
        with trio.fail_after(LONGEST_S):
            await self.play()

    async def play(self) -> None:
        """Everything, from the first process to the last check."""
        tasks = trio.lowlevel.current_statistics().tasks_living
        self._arm()
        async with trio.open_nursery() as outside:
            self.outside.nursery = outside
            await self._suffer()
            async with trio.open_nursery() as nursery:
                await self._rest(nursery)
            outside.cancel_scope.cancel()
        for life in self.lives:
            if life is not None:
                self._expect_nothing_left(life)
        self.simulated_s = trio.current_time()
        left = trio.lowlevel.current_statistics().tasks_living - tasks
        if left:
            self.complaints.append(f"{left} tasks are left over")
        await self._judge()

    async def _suffer(self) -> None:
        """Processes, clients, and all that goes wrong."""
        async with trio.open_nursery() as nursery:
            for number in range(self.swarm.instances):
                nursery.start_soon(self._supervise, number)
            nemesis.unleash(nursery, self)
            async with trio.open_nursery() as clients:
                for number in range(self.swarm.clients):
                    # One of four clients is the other tenant's.
                    witness = self.witnesses[number % 4 == 3]
                    worker = Worker(self.swarm, witness, f"client{number}")
                    clients.start_soon(worker.run)
            self._heal()
            nursery.cancel_scope.cancel()
        # Cancelled without a chance to finish: one more crash, after the last answer.
        assert all(life is None or life.is_dead for life in self.lives)

    async def _rest(self, nursery: trio.Nursery) -> None:
        """One process, no fault any more, and more than a day."""
        life = Life(
            self.outside,
            swarm_settings(self.swarm, SLOW),
            f"{self.swarm.seed}/last",
            rest_s=REST_S,
            instance=self._instance("last"),
        )
        self.lives = [life]
        nursery.start_soon(life.run)
        await life.ready.wait()
        await trio.sleep(LIVENESS_S)
        # Else the drains that were asked for go on; nobody looks for what was not told
        # of on a backend that is being emptied.
        if self.chance.random() < 0.5 or "reconcile" in self.swarm.sections:
            for name in self.outside.backends:
                await life.order_drain(name, is_start=False)
        for witness in self.witnesses:
            self.complaints += await probe(witness)
        await self._expect_copies()
        await trio.sleep(HEALED_S - 2 * INTERVALS_S)
        # An upload that was given up after a day has its last delete a day later.
        for _ in range(MORE_DAYS):
            # The reconciler wants to see a thing twice, more than a day apart.
            is_compared = "reconcile" in self.swarm.sections
            if is_compared or not self.outside.is_quiet():
                await trio.sleep(86_400)
        if "lifecycle" in self.swarm.sections:
            self._expect_expiry()
        if list(judge_copies(self.outside, self.swarm.factor)):
            # Room may just have been freed; three passes are what is promised.
            await trio.sleep(3 * SELDOM_S)
            self.complaints += judge_copies(self.outside, self.swarm.factor)
        for witness in self.witnesses:
            await witness.read_all()
        life.stop()

    async def _expect_copies(self) -> None:
        """What lacks copies has them three intervals later, if there is room all along.

        Twice, for room is still being freed, by deletes that wait.
        """
        lacking: set[str] = set()
        for _ in range(2):
            await trio.sleep(INTERVALS_S)
            before = lacking
            lacking = set(judge_copies(self.outside, self.swarm.factor))
            both = {_blob_of(one) for one in before} & set(map(_blob_of, lacking))
            self.complaints += [one for one in lacking if _blob_of(one) in both]

    def _expect_expiry(self) -> None:
        """The rule has deleted what it is for; nobody asked, so nobody was told."""
        expired = trio.current_time()
        for witness in self.witnesses:
            for key in witness.keys:
                if key.startswith(EXPIRING):
                    one = witness.begin(key, ABSENT, "lifecycle")
                    one.began, one.was_sent = self.healed_s, True
                    # What was written a year ahead of time may stay that long.
                    one.ended = math.inf if self.swarm.jumps_s else expired

    async def _judge(self) -> None:
        self.complaints += await judge_outside(self.outside)
        for witness in self.witnesses:
            witness.judge_histories()
            self.complaints += witness.complaints

    @property
    def tally(self) -> Tally:
        """What happened to all clients."""
        every = [vars(witness.tally) for witness in self.witnesses]
        total: Counter[str] = Counter()
        for one in every:
            total.update(one)
        total["crashes"] += self.crashes
        total["faults"] += sum(
            len(backend.faults.struck) for backend in self.outside.backends.values()
        )
        return Tally(**total)

    # ---- processes

    async def _supervise(self, number: int) -> None:
        """Start the process again whenever it is gone."""
        chance = Random(f"{self.swarm.seed}/supervisor {number}")
        left = self.swarm.crashes
        for start in range(10_000):
            life = self.lives[number] = Life(
                self.outside,
                self.settings,
                f"{self.swarm.seed}/{number}/{start}",
                instance=self._instance(f"{number}/{start}"),
                skew_us=round(
                    chance.uniform(-self.swarm.skew_s, self.swarm.skew_s) * 1e6
                ),
            )
            async with trio.open_nursery() as nursery:
                if left > 0:
                    left -= 1
                    nursery.start_soon(nemesis.end, life, chance, self.outside)
                await life.run()
                nursery.cancel_scope.cancel()
            for witness in self.witnesses:
                witness.note_death(life.carried)
            self.crashes += 1
            self._expect_nothing_left(life)
            await trio.sleep(chance.uniform(0.1, 5))

    def _expect_nothing_left(self, life: Life) -> None:
        if life.left_over:
            what = ", ".join(life.left_over)
            self.complaints.append(f"a process that ended still held {what}")

    def _instance(self, name: str) -> str | None:
        return name if self.swarm.instances > 1 else None

    def _connect(self) -> MemoryStream:
        serving = [life for life in self.lives if life is not None and not life.is_dead]
        if not serving:
            raise ConnectionBroken("nothing listens")
        return self.chance.choice(serving).connect()

    # ---- faults

    def _arm(self) -> None:
        """Switch on what the seed has chosen."""
        swarm, outside = self.swarm, self.outside
        outside.rates.update(swarm.ledger)
        outside.network.update(swarm.network)
        self.network.rates.update(swarm.clients_network)
        outside.wired = swarm.wired
        outside.windows.rates.update(swarm.windows)
        for name, rates in swarm.faults.items():
            backend = outside.backends[name]
            backend.faults.rates.update(
                {Fault(fault): rate for fault, rate in rates.items()}
            )
            backend._list_lag_s = swarm.list_lag_s
            backend.may_repeat = name in swarm.wired
            if {Fault.DELETE_LIES, Fault.DUPLICATED} & backend.faults.rates.keys():
                backend.quota_bytes = None  # what it keeps nobody can count
            backend.traits = TRAITS[swarm.traits[name]]
            clock = TrioClock()
            clock.offset_us = round(self.chance.choice((0, 0, -3600, 3600)) * 1e6)
            backend._clock = clock

    def _heal(self) -> None:
        self.is_healed, self.healed_s = True, trio.current_time()
        self.outside.rates.clear()
        self.outside.network.clear()
        self.network.rates.clear()
        self.outside.windows.rates.clear()
        for backend in self.outside.backends.values():
            backend.faults.heal()


def _blob_of(complaint: str) -> str:
    return complaint.partition(" is on")[0]


def play(swarm: Swarm) -> Run:
    """Play one swarm."""
    run = Run(swarm=swarm)
    with pytest.MonkeyPatch.context() as patch:
        # Larger bodies are what the reaper can finish; none should be 8 MiB here.
        patch.setattr(limits, "REPLAY_BYTES", REPLAY_BYTES)
        try:
            run.digest = run_seeded(run.play_in_time, swarm.seed)
        finally:
            run.outside.connection.close()
    return run


def simulate(seed: int) -> Run:
    """Play one seed."""
    return play(draw(seed))
