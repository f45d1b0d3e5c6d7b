"""Stories without a death: two clients, or two processes, in each other's way."""

from collections.abc import Callable, Iterator

import trio

from tests.fakes.faults import Fault
from tests.simulation.client import SLOW_PIECE_BYTES
from tests.simulation.life import Life
from tests.simulation.scenes import KEY, OTHER, REST_S, Stage, body_of
from tests.simulation.witness import CREATES

Race = Callable[[], Iterator[str]]  # tells it; yields what went wrong
MIB = 1024 * 1024
SEEDS = range(3)


def slow_upload() -> Iterator[str]:
    """A long upload to one process, beside another one that looks for dead writes.

    Only the heartbeats in the ledger tell the other process that the upload lives.
    """
    stage = Stage(0, quotas={"one": MIB}, is_slow=False)

    async def tell(nursery: trio.Nursery) -> None:
        first = await stage.start(nursery)
        client = stage.witness.client()
        async with trio.open_nursery() as uploading:

            async def upload() -> None:
                answer = await stage.witness.put(
                    client,
                    "slow",
                    KEY,
                    body_of("slow", 12 * SLOW_PIECE_BYTES),
                    patience_s=REST_S,
                    pause_s=20.0,
                )
                is_stored = answer is not None and answer.status == 200
                stage.witness.expect(is_stored, f"a live upload ended with {answer}")

            uploading.start_soon(upload)
            await trio.sleep(1)
            second = await stage.start(nursery)
        await _stop(first, second, stage)

    stage.perform(tell)
    yield from stage.witness.complaints


async def _stop(first: Life, second: Life, stage: Stage) -> None:
    first.stop()
    await stage.witness.read_all()
    second.stop()
    await stage.witness.judge()


def two_creators() -> Iterator[str]:
    """Two writes at once, each on the condition that there is nothing."""
    for seed in SEEDS:
        stage = Stage(seed)

        async def tell(nursery: trio.Nursery, stage: Stage = stage) -> None:
            await stage.start(nursery)
            async with trio.open_nursery() as creating:
                for name in ("first", "second"):
                    creating.start_soon(_create, stage, name)
            tally = stage.witness.tally
            ends = (tally.acknowledged, tally.refused)
            stage.witness.expect(ends == (1, 1), f"two creators: {ends}")
            await stage.heal()
            await stage.end()

        stage.perform(tell)
        yield from stage.witness.complaints


async def _create(stage: Stage, name: str) -> None:
    witness = stage.witness
    await witness.put(witness.client(), name, KEY, body_of(name), when=CREATES)


def slow_reader() -> Iterator[str]:
    """An object is deleted while somebody is in the middle of it."""
    stage = Stage(0, quotas={"one": 2 * MIB})

    async def tell(nursery: trio.Nursery) -> None:
        await stage.start(nursery)
        witness = stage.witness
        await witness.put(witness.client(), "first", KEY, body_of("long", MIB))
        stage.outside.backends["one"].faults.next("open", Fault.SLOW)
        async with trio.open_nursery() as reading:

            async def read() -> None:
                answer = await witness.get(witness.client(), "slow", KEY)
                is_whole = answer is not None and answer.status == 200
                witness.expect(is_whole, "a reader lost the bytes it was reading")

            reading.start_soon(read)
            await trio.sleep(15)
            await witness.delete(witness.client(), "delete", KEY)
        await stage.heal()
        await stage.end()

    stage.perform(tell)
    yield from stage.witness.complaints


def one_room_for_two() -> Iterator[str]:
    """Two writes at once, and room for one."""
    for seed in SEEDS:
        stage = Stage(seed, quotas={"one": 30_000})

        async def tell(nursery: trio.Nursery, stage: Stage = stage) -> None:
            await stage.start(nursery)
            async with trio.open_nursery() as writing:
                for key in (KEY, OTHER):
                    writing.start_soon(_fill, stage, key)
            tally = stage.witness.tally
            ends = (tally.acknowledged, tally.no_room)
            stage.witness.expect(ends == (1, 1), f"room for one: {ends}")
            await stage.heal()
            await stage.end()

        stage.perform(tell)
        yield from stage.witness.complaints


async def _fill(stage: Stage, key: str) -> None:
    witness = stage.witness
    await witness.put(witness.client(), f"fill {key}", key, body_of(key, 20_000))


def owed_room() -> Iterator[str]:
    """A file is deleted so that another one fits: its bytes have to go first."""
    stage = Stage(0, quotas={"one": 30_000})

    async def tell(nursery: trio.Nursery) -> None:
        await stage.start(nursery)
        await _fill(stage, KEY)
        await stage.witness.delete(stage.witness.client(), "delete", KEY)
        await _fill(stage, OTHER)
        no_room = stage.witness.tally.no_room
        stage.witness.expect(not no_room, "no room, although it was owed")
        await stage.heal()
        await stage.end()

    stage.perform(tell)
    yield from stage.witness.complaints


def late_bytes() -> Iterator[str]:
    """A client gives up; the provider stores what it was sent half a day later."""
    stage = Stage(0)

    async def tell(nursery: trio.Nursery) -> None:
        await stage.start(nursery)
        stage.outside.backends["one"].faults.next("put", Fault.HANG_THEN_STORE)
        witness = stage.witness
        await witness.put(witness.client(), "gone", KEY, body_of("gone"), patience_s=5)
        await stage.heal()
        await stage.end()

    stage.perform(tell)
    yield from stage.witness.complaints


def missing_blob() -> Iterator[str]:
    """A provider denies bytes that it has: that is no answer to the client."""
    stage = Stage(0)

    async def tell(nursery: trio.Nursery) -> None:
        await stage.start(nursery)
        witness = stage.witness
        await witness.put(witness.client(), "first", KEY, body_of("first"))
        await trio.sleep(1)  # what begins when something else ends is concurrent
        stage.outside.backends["one"].faults.next("open", *[Fault.MISSING] * 5)
        await witness.get(witness.client(), "denied", KEY)
        stage.outside.backends["one"].faults.heal()
        await stage.end()

    stage.perform(tell)
    yield from stage.witness.complaints


RACES: dict[str, Race] = {
    "late bytes": late_bytes,
    "missing blob": missing_blob,
    "slow upload": slow_upload,
    "two creators": two_creators,
    "slow reader": slow_reader,
    "one room for two": one_room_for_two,
    "owed room": owed_room,
}
