"""Objects expire by a lifecycle rule while the process dies, or a client overwrites."""

import trio

from tests.simulation.history import ABSENT
from tests.simulation.scenes import (
    KEY,
    NEWER,
    OLD,
    OTHER,
    Scene,
    Stage,
    delete,
    put_newer,
    put_old,
)
from tests.simulation.witness import md5_of

LIFECYCLE = "lifecycle"
DAYS, DAY_S = 9, 86_400.0  # what is newer outlives the days of healing
RULES = {"lifecycle": {"rules": [{"prefix": KEY, "expiration_days": DAYS}]}}


def allow_expiry(stage: Stage) -> None:
    """From now on the old object, and no other, may be gone."""
    expiry = stage.witness.begin(KEY, ABSENT, "expiry", None)
    expiry.when, expiry.was_sent = (md5_of(OLD),), True


async def put_and_wait(stage: Stage) -> None:
    """An object that a rule means, one that none means, and days."""
    await put_old(stage)
    await stage.witness.put(stage.witness.client(), "kept", OTHER, OLD)
    await trio.sleep(DAYS * DAY_S)
    allow_expiry(stage)
    await trio.sleep(DAY_S / 24)


async def expire(stage: Stage) -> None:
    """One pass of the rules."""
    await stage.run_service(LIFECYCLE)


async def expire_and_overwrite(stage: Stage) -> None:
    """A pass beside a client that writes the key anew."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(expire, stage)
        nursery.start_soon(put_newer, stage)


async def is_expired(stage: Stage) -> None:
    """The next passes finish what the last one began; no byte is left of it.

    A new process believes at first the time that the last one wrote down.
    """
    await stage.run_service(LIFECYCLE)
    await trio.sleep(DAY_S / 2)
    await stage.run_service(LIFECYCLE)
    await stage.heal()
    answer = await stage.witness.get(stage.witness.client(), "after", KEY)
    is_gone = answer is not None and answer.status == 404
    stage.witness.expect(is_gone, f"an expired object answers {answer}")


async def is_newer(stage: Stage) -> None:
    """What was written meanwhile is there, or never was."""
    await stage.run_service(LIFECYCLE)
    await stage.heal()
    answer = await stage.witness.get(stage.witness.client(), "after", KEY)
    is_there = answer is not None and answer.status in (200, 404)
    stage.witness.expect(is_there, f"the newer object answers {answer}")


SCENES = {
    "expiry": Scene(
        before=put_and_wait, act=expire, finally_=is_expired, settings=RULES
    ),
    "expiry beside an overwrite": Scene(
        before=put_and_wait,
        act=expire_and_overwrite,
        finally_=is_newer,
        settings=RULES,
    ),
    "expiry, then a delete": Scene(
        before=put_and_wait, act=expire, after=delete, settings=RULES
    ),
    "expiry, then a put": Scene(
        before=put_and_wait, act=expire, after=put_newer, settings=RULES
    ),
}

assert NEWER != OLD, "histories know bodies by their MD5"
