"""Bytes rot and get lost on a provider, and the process that mends them dies."""

from dataclasses import replace

import trio

from s3o.model.names import BackendName, StorageKey
from s3o.model.values import LocationState
from tests.fakes.faults import Fault
from tests.simulation.scenes import KEY, OLD, Scene, Stage, pass_of, put_old
from tests.simulation.scenes_replica import COPIES, THREE, exactly
from tests.simulation.witness import PATIENCE_S

SCRUBBER = "scrubber"
CHECKS = {
    "integrity": {"enabled": True, "verify_on_read": True, "scrubber_interval": "1m"}
}
FACTOR_TWO = {**COPIES, **CHECKS}
ONE = {"one": 30_000}
INTERVAL_S = 60.0
LONGEST_WALK = 3  # passes after which every copy of a scene was looked at


def places(stage: Stage) -> list[tuple[BackendName, StorageKey, str]]:
    """Provider, name and state of the object's copies."""
    return [
        (BackendName(backend), StorageKey(name), state)
        for backend, name, state in stage.outside.connection.execute(
            "SELECT l.backend_name, l.storage_key, l.state FROM object_locations AS l"
            " JOIN objects AS o ON o.version_id = l.version_id WHERE o.key = ?"
            " ORDER BY l.backend_name",
            (KEY,),
        )
    ]


def rot(stage: Stage, *names: str) -> None:
    """Change the first byte of the object's copies on these providers, for good."""
    for backend, storage_key, _ in places(stage):
        if backend in names:
            blobs = stage.outside.backends[backend].blobs
            body = blobs[storage_key].body
            stage.precious.add((backend, storage_key))
            wrong = bytes([body[0] ^ 1]) + body[1:]
            blobs[storage_key] = replace(blobs[storage_key], body=wrong)


def lose(stage: Stage, *names: str) -> None:
    """Lose the object's copies on these providers."""
    for backend, storage_key, _ in places(stage):
        if backend in names:
            stage.outside.lost.add(storage_key)
            stage.outside.backends[backend].lose(storage_key)


async def put_two_copies(stage: Stage) -> None:
    """An object that lies on two providers."""
    await put_old(stage)
    await stage.run_service("replicator")


async def put_two_and_rot_one(stage: Stage) -> None:
    """One of the two copies is wrong."""
    await put_two_copies(stage)
    rot(stage, "one")


async def put_two_and_lose_one(stage: Stage) -> None:
    """One of the two copies is gone."""
    await put_two_copies(stage)
    lose(stage, "one")


async def put_two_and_rot_both(stage: Stage) -> None:
    """Both are wrong; the first is suspect, and nobody has proved the second one."""
    await put_two_copies(stage)
    rot(stage, "one", "two")
    stage.outside.connection.execute(
        "UPDATE object_locations SET verified_at = NULL, state = 'suspect'"
        " WHERE backend_name = 'one'"
    )
    stage.outside.connection.execute(
        "UPDATE object_locations SET verified_at = NULL, stored_digest = NULL"
        " WHERE backend_name = 'two'"
    )


async def put_and_rot(stage: Stage) -> None:
    """The only copy is wrong."""
    await put_old(stage)
    rot(stage, "one")


async def read(stage: Stage) -> None:
    """A client reads it all; right bytes or an error, nothing else."""
    answer = await stage.witness.get(stage.witness.client(), "get", KEY)
    is_right = answer is None or answer.status >= 500 or answer.body == OLD
    stage.witness.expect(is_right, f"a read answers {answer}")


async def read_a_range(stage: Stage) -> None:
    """A client reads a few bytes, which prove nothing."""
    await stage.witness.ask(
        stage.witness.client(),
        "GET",
        stage.witness.path(KEY),
        PATIENCE_S,
        headers=(("range", "bytes=1-9"),),
    )


async def walk(stage: Stage) -> None:
    """Pass after pass, until every copy was looked at."""
    for _ in range(LONGEST_WALK):
        await trio.sleep(INTERVAL_S)
        await stage.run_service(SCRUBBER)


async def heals(stage: Stage) -> None:
    """Two good copies again, without anybody's help, and no byte left over."""
    await walk(stage)
    await exactly(stage)
    answer = await stage.witness.get(stage.witness.client(), "after", KEY)
    is_right = answer is not None and answer.body == OLD
    stage.witness.expect(is_right, f"a healed object answers {answer}")
    for backend, storage_key, state in places(stage):
        body = stage.outside.backends[backend].blobs[storage_key].body
        if state != LocationState.LIVE or body != OLD:
            stage.witness.complaints.append(f"{storage_key} on {backend} is {state}")


async def is_kept(stage: Stage) -> None:
    """No byte of what cannot be repaired is gone; a person can put it right."""
    await walk(stage)
    await stage.heal()
    for name, storage_key in sorted(stage.precious):
        if storage_key not in stage.outside.backends[BackendName(name)].blobs:
            stage.witness.complaints.append(f"{storage_key} on {name} was deleted")
    for backend, storage_key, state in places(stage):
        blobs = stage.outside.backends[backend].blobs
        if state != LocationState.QUARANTINED:
            stage.witness.complaints.append(f"{storage_key} is {state}")
        if storage_key not in blobs:
            continue
        if blobs[storage_key].body == OLD:
            stage.witness.complaints.append("the scene is not what it should be")
        blobs[storage_key] = replace(blobs[storage_key], body=OLD)
    await walk(stage)


async def is_untouched(stage: Stage) -> None:
    """Nothing was wrong, so nothing may be held against any copy."""
    for provider in stage.outside.backends.values():
        provider.faults.heal()
    for backend, storage_key, state in places(stage):
        if state != LocationState.LIVE:
            stage.witness.complaints.append(f"{storage_key} on {backend} is {state}")


def _scenes() -> dict[str, Scene]:
    scrub = pass_of(SCRUBBER, SCRUBBER)
    two = {"settings": FACTOR_TWO, "quotas": THREE, "finally_": heals}
    scenes = {
        "scrub": Scene(before=put_two_copies, act=scrub, **two),  # type: ignore[arg-type]
        "scrub a bad copy": Scene(before=put_two_and_rot_one, act=scrub, **two),  # type: ignore[arg-type]
        "scrub a lost copy": Scene(before=put_two_and_lose_one, act=scrub, **two),  # type: ignore[arg-type]
        "read a bad copy": Scene(before=put_two_and_rot_one, act=read, **two),  # type: ignore[arg-type]
        "scrub two bad copies": Scene(
            before=put_two_and_rot_both,
            act=scrub,
            settings=FACTOR_TWO,
            quotas=THREE,
            finally_=is_kept,
        ),
        "scrub the last copy": Scene(
            before=put_and_rot,
            act=scrub,
            settings=CHECKS,
            quotas=ONE,
            finally_=is_kept,
        ),
        "read a range": Scene(
            before=put_old,
            act=read_a_range,
            settings=CHECKS,
            finally_=is_untouched,
        ),
    }
    for fault in (Fault.UNREACHABLE, Fault.FORBIDDEN, Fault.TRUNCATED, Fault.STALLED):
        scenes[f"scrub, {fault}"] = Scene(
            before=put_old,
            act=scrub,
            faults=(("one", "open", fault),) * 2,
            settings=CHECKS,
            finally_=is_untouched,
        )
    for fault in (Fault.FLIPPED, Fault.SWAPPED):
        scenes[f"read, {fault}"] = Scene(
            before=put_two_copies,
            act=read,
            faults=(("one", "open", fault),),
            **two,  # type: ignore[arg-type]
        )
    return scenes


SCENES = _scenes()
