"""Copies are made, moved and removed while the process dies."""

import hashlib

import trio

from s3o.ledger.copy_rows import find_blob
from s3o.model.names import BackendName, VersionId
from tests.fakes.faults import Fault
from tests.simulation.scenes import (
    KEY,
    NEWER,
    Scene,
    Stage,
    body_of,
    put_new,
    put_old,
    put_small,
)

FACTOR = 2
THREE = {"one": 40_000, "two": 40_000, "three": 40_000}
COPIES = {"replication": {"factor": FACTOR, "worker_interval": "1h"}}
AT_ONCE = {"replication": {**COPIES["replication"], "write_copies": True}}
LOCATIONS = (
    "SELECT o.etag, l.version_id, l.backend_name, l.storage_key, l.verified_at"
    " FROM objects AS o JOIN object_locations AS l ON l.version_id = o.version_id"
    " WHERE l.state = 'live'"
)


async def replicate(stage: Stage) -> None:
    """Write, and make the copy."""
    await put_new(stage)
    await stage.run_service("replicator")


async def replicate_and_overwrite(stage: Stage) -> None:
    """Write; the copy is on its way when the next write comes."""
    await put_new(stage)
    async with trio.open_nursery() as nursery:
        stage.outside.backends["two"].slow_s["put"] = 2.0
        nursery.start_soon(stage.run_service, "replicator")
        await trio.sleep(1)
        stage.outside.backends["two"].slow_s.clear()
        await stage.witness.put(stage.witness.client(), "newer", KEY, NEWER)


async def put_three_copies(stage: Stage) -> None:
    """An object with one copy more than it should have."""
    await put_small(stage)
    await stage.run_service("replicator")
    await copy_to(stage, "three")


async def clean(stage: Stage) -> None:
    """Remove what is over, and look at once whether enough are left."""
    await stage.run_service("ledger-check")
    await stage.run_service("over-replication")
    await enough(stage)


async def move(stage: Stage) -> None:
    """Move a copy from the first provider to the last."""
    await copy_to(stage, "three", takes_from=BackendName("one"))
    await enough(stage)


async def copy_to(
    stage: Stage, target: str, takes_from: BackendName | None = None
) -> None:
    """Copy the object as a service does, if its process is alive."""
    assert stage.life is not None
    house = stage.life.house
    if stage.life.is_dead or house is None:
        return
    row = stage.outside.connection.execute(
        "SELECT version_id FROM objects WHERE key = ?", (KEY,)
    ).fetchone()

    async def work() -> None:
        found = await house.ledger.read(lambda tx: find_blob(tx, VersionId(row[0]), 0))
        assert found is not None
        await house.blob_copier.copy(
            *found,
            BackendName(target),
            reason="scene",
            takes_from=takes_from,
            factor=FACTOR,
        )

    await stage.life.inside(work)


async def enough(stage: Stage) -> None:
    """At this very moment every object has its copies, and they are its bytes."""
    found: dict[str, int] = {}
    for etag, version, backend, key, verified_at in stage.outside.connection.execute(
        LOCATIONS
    ):
        blob = stage.outside.backends[backend].blobs.get(key)
        is_good = (
            blob is not None
            and verified_at is not None
            and hashlib.md5(blob.body, usedforsecurity=False).hexdigest() == etag
        )
        found[version] = found.get(version, 0) + is_good
        if verified_at is not None and not is_good:
            stage.witness.complaints.append(f"{key} on {backend} is not the object")
    for version, count in found.items():
        if count < FACTOR:
            stage.witness.complaints.append(f"{version} has {count} good copies")


async def exactly(stage: Stage) -> None:
    """When all is healed every object has as many copies as it should, no more."""
    for backend in stage.outside.backends.values():
        backend.faults.heal()
    # What the reaper has promoted at last is found by the next tour.
    for name in ("ledger-check", "replicator", "over-replication"):
        await stage.run_service(name)
    await stage.heal()
    await enough(stage)
    found: dict[str, int] = {}
    for _, version, *_ in stage.outside.connection.execute(LOCATIONS):
        found[version] = found.get(version, 0) + 1
    for version, count in found.items():
        if count > FACTOR:
            stage.witness.complaints.append(f"{version} has {count} copies")


async def overwrite(stage: Stage) -> None:
    """The next write of the same key."""
    await stage.witness.put(stage.witness.client(), "third", KEY, body_of("third"))


def _scenes() -> dict[str, Scene]:
    scenes = {
        "replicate": Scene(act=replicate),
        "replicate, then overwrite": Scene(act=replicate, after=overwrite),
        "replicate and overwrite": Scene(act=replicate_and_overwrite),
        "replicate from bad bytes": Scene(
            act=replicate, faults=(("one", "open", Fault.FLIPPED),)
        ),
        "clean surplus": Scene(before=put_three_copies, act=clean, after=enough),
        "move a copy": Scene(before=put_small_and_replicate, act=move, after=enough),
    }
    for fault in (Fault.LOST_ANSWER, Fault.HANG_THEN_STORE, Fault.STORE_PART):
        scenes[f"replicate, {fault}"] = Scene(
            act=replicate, faults=(("two", "put", fault),)
        )
    finished = {name: _with(scene, COPIES) for name, scene in scenes.items()}
    finished["write copies"] = _with(Scene(before=put_old, act=put_new), AT_ONCE)
    finished["write small copies"] = _with(Scene(act=put_small), AT_ONCE)
    for fault in (Fault.LOST_ANSWER, Fault.HANG_THEN_STORE, Fault.REFUSED):
        finished[f"write copies, {fault}"] = _with(
            Scene(act=put_new, faults=(("two", "put", fault),)), AT_ONCE
        )
    return finished


async def put_small_and_replicate(stage: Stage) -> None:
    """A small object with its copy."""
    await put_small(stage)
    await stage.run_service("replicator")


def _with(scene: Scene, settings: dict[str, dict[str, object]]) -> Scene:
    return Scene(
        act=scene.act,
        before=scene.before,
        after=scene.after,
        faults=scene.faults,
        settings=settings,
        quotas=THREE,
        finally_=exactly,
    )


SCENES = _scenes()
