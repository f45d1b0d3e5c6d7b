"""Short stories of one operation and one death, to be told at every point of it.

A scene prepares a key, lets one operation begin, and the process dies at the n-th call
of a seam (or the n-th commit fails); a new process may serve another operation; then
more than a day passes. Told for every n until the operation is over, this leaves no
crash point of the operation out. `recover` does the same to the process that cleans up.
"""

import gc
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

import pytest
import trio

from s3o.model import limits
from s3o.net.memory import MemoryStream
from s3o.net.streams import ConnectionBroken
from tests.fakes.faults import Fault
from tests.simulation.determinism import run_seeded
from tests.simulation.life import AFTER, BEFORE, Life
from tests.simulation.outside import Outside
from tests.simulation.settings import make_settings
from tests.simulation.witness import CREATES, Witness, matches, md5_of

QUOTAS = {"one": 30_000, "two": 30_000}
REPLAY_BYTES = 4_000
SMALL, LARGE = 1_000, 5_000  # LARGE: beyond the replay window, so it can be promoted
REST_S = 4 * 3600.0
HUNG_S = 5.0  # who waits longer than this for a provider dies while waiting
LATE_S = 10 * 3600.0  # a late PUT arrives when reaper and first delete have been there
KEY, OTHER = "a", "b"
CRASH = "crash"
MOST_POINTS = 200
AROUND = 12  # calls of the reaper's pass before and after its verdict


def body_of(name: str, size: int = SMALL) -> bytes:
    """Bytes that say what they are."""
    return (f"{name} " * size)[:size].encode()


OLD, NEW, NEWER = body_of("old"), body_of("new", LARGE), body_of("newer")


class Stage:
    """Where one scene is played: providers, a disk, and a process at a time."""

    def __init__(
        self,
        number: int,
        *,
        quotas: dict[str, int] | None = None,
        is_slow: bool = True,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        quotas = quotas or QUOTAS
        self.outside = Outside.build(number, quotas, late_s=LATE_S)
        self.settings = make_settings(
            Random(0), quotas, is_slow=is_slow, routing="pack", more=settings
        )
        self._rest_s = REST_S if is_slow else None
        self.witness = Witness(
            keys=(KEY, OTHER), outside=self.outside, connect=self._connect
        )
        self.life: Life | None = None
        self.lives = 0
        self.processes: list[Life] = []
        self.is_over = False
        self.precious: set[tuple[str, str]] = set()  # providers and names, never to go
        self.reaped_at_call = 0

    def _connect(self) -> MemoryStream:
        if self.life is None:
            raise ConnectionBroken("nothing listens")
        return self.life.connect()

    async def start(self, nursery: trio.Nursery) -> Life:
        """Start the next process; return when it serves."""
        self.lives += 1
        self.life = Life(
            self.outside, self.settings, f"life {self.lives}", rest_s=self._rest_s
        )
        self.processes.append(self.life)
        nursery.start_soon(self.life.run)
        await self.life.ready.wait()
        return self.life

    async def run_service(self, name: str) -> str | None:
        """Let the process make one pass of a service; None: it died of it."""
        assert self.life is not None
        return await self.life.run_service(name)

    async def heal(self) -> None:
        """Let time pass until nothing is left to do, two days at most."""
        assert self.life is not None
        for _ in range(12):
            await trio.sleep(REST_S)
            if self.life.is_dead or self.outside.is_quiet():
                return

    def perform(self, tell: Callable[[trio.Nursery], Awaitable[None]]) -> None:
        """Run tell with a nursery for processes, which must be over at its end."""

        async def program() -> None:
            async with trio.open_nursery() as nursery:
                await tell(nursery)

        try:
            run_seeded(program, 0, is_tidy=False)
        finally:
            self.outside.connection.close()
        for life in self.processes:
            what = ", ".join(life.left_over)
            self.witness.expect(not what, f"a process that ended still held {what}")

    async def end(self) -> None:
        """Read everything, stop the process and judge."""
        assert self.life is not None
        await self.witness.read_all()
        self.life.stop()
        await self.witness.judge()

    def kill(self) -> None:
        """End the process, if it has not ended yet."""
        assert self.life is not None
        self.life.die()
        self.witness.note_death()


Act = Callable[[Stage], Awaitable[None]]


async def put_old(stage: Stage) -> None:
    """A small object."""
    await stage.witness.put(stage.witness.client(), "old", KEY, OLD)


async def put_both(stage: Stage) -> None:
    """Two small objects."""
    await put_old(stage)
    await stage.witness.put(stage.witness.client(), "other", OTHER, OLD)


async def put_small(stage: Stage) -> None:
    """A write that fits the replay window: after a death it can only be dropped."""
    await stage.witness.put(stage.witness.client(), "small", KEY, body_of("small"))


async def put_new(stage: Stage) -> None:
    """A write that may be promoted after a death."""
    await stage.witness.put(stage.witness.client(), "new", KEY, NEW)


async def put_newer(stage: Stage) -> None:
    """A small object, later."""
    await stage.witness.put(stage.witness.client(), "newer", KEY, NEWER)


async def create(stage: Stage) -> None:
    """A write on the condition that there is nothing."""
    await stage.witness.put(stage.witness.client(), "create", KEY, NEW, when=CREATES)


async def exchange(stage: Stage) -> None:
    """A write on the condition that the old object is there."""
    when = matches(md5_of(OLD))
    await stage.witness.put(stage.witness.client(), "exchange", KEY, NEW, when=when)


async def delete(stage: Stage) -> None:
    """A delete."""
    await stage.witness.delete(stage.witness.client(), "delete", KEY)


async def delete_both(stage: Stage) -> None:
    """A delete of two keys in one request."""
    await stage.witness.delete_many(stage.witness.client(), "both", (KEY, OTHER))


async def get(stage: Stage) -> None:
    """A read."""
    await stage.witness.get(stage.witness.client(), "get", KEY)


def pass_of(*names: str) -> Act:
    """One pass of each of these services, in this order."""

    async def act(stage: Stage) -> None:
        for name in names:
            await stage.run_service(name)

    return act


async def nothing(_stage: Stage) -> None:
    """Nothing happens."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """before, then faults for the providers, then act (which dies), then after.

    faults: provider, operation, fault. how: CRASH, or what a commit meets.
    is_recovery: the points are those of the process after the death, around the
    reaper's verdict; the death itself comes when act is over or hangs.
    settings: sections of the configuration, merged into the ordinary ones. quotas:
    the providers, by name. finally_: what to do, or to complain of, once all is healed.
    """

    act: Act
    before: Act = nothing
    after: Act = nothing
    faults: tuple[tuple[str, str, Fault], ...] = ()
    how: str = CRASH
    is_recovery: bool = False
    settings: Mapping[str, object] = field(default_factory=dict)
    quotas: Mapping[str, int] = field(default_factory=lambda: dict(QUOTAS))
    finally_: Act = nothing

    def play(self, point: int) -> Stage:
        """Tell it with the death at the point-th call or commit."""
        stage = Stage(point, quotas=dict(self.quotas), settings=self.settings)
        stage.perform(lambda nursery: self._tell(stage, point, nursery))
        return stage

    async def _tell(self, stage: Stage, point: int, nursery: trio.Nursery) -> None:
        life = await stage.start(nursery)
        await self.before(stage)
        await trio.sleep(1)  # what begins when something else ends is concurrent
        for provider, operation, fault in self.faults:
            stage.outside.backends[provider].faults.next(operation, fault)
        if not self.is_recovery:
            self._arm(life, point)
        await _until_hung(stage, self.act)
        stage.is_over = not life.is_struck
        stage.kill()
        life = await stage.start(nursery)
        if self.is_recovery:
            self._arm(life, point)
        await self.after(stage)
        await stage.heal()
        life.spare()
        stage.reaped_at_call = life.reaped_at_call
        if life.is_dead:
            stage.witness.note_death()
            await stage.start(nursery)
            await stage.heal()
        await self.finally_(stage)
        await stage.end()

    def _arm(self, life: Life, point: int) -> None:
        if self.how == CRASH:
            life.crash_in(point)
        else:
            life.fail_commit_in(point, self.how)

    def complaints(self) -> Iterator[str]:
        """Tell it at every point; yield what went wrong, and where."""
        with lowered_limits():
            for point in self._points():
                stage = self.play(point)
                for complaint in stage.witness.complaints:
                    yield f"{self.how} {point}: {complaint}"
                if stage.is_over and not self.is_recovery:
                    return
        assert self.is_recovery, "the operation does not end"

    def _points(self) -> Iterable[int]:
        if not self.is_recovery:
            return range(1, MOST_POINTS)
        verdict = self.play(MOST_POINTS * 1000).reaped_at_call
        assert verdict, "no reaper"
        return range(max(1, verdict - AROUND), verdict + AROUND)


async def _until_hung(stage: Stage, act: Act) -> None:
    """Let act go on; kill its process when it hangs."""
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            await trio.sleep(HUNG_S)
            stage.kill()

        nursery.start_soon(watch)
        await act(stage)
        nursery.cancel_scope.cancel()


@contextmanager
def lowered_limits() -> Iterator[None]:
    """Let small bodies be large; keep the collector from walking the whole heap."""
    gc.collect()
    gc.freeze()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(limits, "REPLAY_BYTES", REPLAY_BYTES)
            yield
    finally:
        gc.unfreeze()


def _scenes() -> dict[str, Scene]:
    scenes = {
        "put": Scene(act=put_small),
        "large put": Scene(act=put_new),
        "overwrite": Scene(before=put_old, act=put_new),
        "overwrite, then delete": Scene(before=put_old, act=put_new, after=delete),
        "overwrite, then put": Scene(before=put_old, act=put_new, after=put_newer),
        "create": Scene(act=create),
        "create in vain": Scene(before=put_old, act=create),
        "exchange": Scene(before=put_old, act=exchange),
        "exchange in vain": Scene(before=put_newer, act=exchange),
        "delete": Scene(before=put_old, act=delete),
        "delete of nothing": Scene(act=delete, after=put_newer),
        "delete of many": Scene(before=put_both, act=delete_both),
        "get": Scene(before=put_old, act=get),
        "failover": Scene(
            before=put_old,
            act=put_small,
            faults=(("one", "put", Fault.LOST_ANSWER),),
        ),
        "failing delete": Scene(
            before=put_old,
            act=delete,
            faults=(("one", "delete", Fault.ERROR_BEFORE),) * 3,
        ),
    }
    for fault, name, after in (
        (Fault.HANG, "", nothing),
        (Fault.STORE_THEN_HANG, "", nothing),
        (Fault.STORE_THEN_HANG, ", then delete", delete),
        (Fault.STORE_THEN_HANG, ", then put", put_newer),
        (Fault.STORE_THEN_HANG, ", then create", create),
        (Fault.HANG_THEN_STORE, "", nothing),
        (Fault.HANG_THEN_STORE, ", then delete", delete),
        (Fault.STORE_PART, "", nothing),
    ):
        scenes[f"{fault}{name}"] = Scene(
            before=nothing if after is create else put_old,
            act=put_new,
            after=after,
            faults=(("one", "put", fault),),
            is_recovery=True,
        )
    for how in (BEFORE, AFTER):
        for name in ("put", "large put", "exchange", "delete", "delete of many"):
            scenes[f"{name}, {how}"] = Scene(
                before=scenes[name].before, act=scenes[name].act, how=how
            )
    return scenes


SCENES = _scenes()
