"""Listings are compared with the ledger while the process dies, and providers lie."""

import trio

from s3o.model.names import (
    BackendName,
    BucketId,
    ObjectKey,
    StorageKey,
    VersionId,
    WriteId,
    make_storage_key,
)
from s3o.model.values import BlobHeaders, ObjectFacts
from s3o.wire.record import Record, plan_blob_headers
from tests.fakes.memory_backend import StoredBlob
from tests.fakes.sources import digests_of
from tests.simulation.client import LETTERS, PHOTOS
from tests.simulation.scenes import (
    KEY,
    NEWER,
    REST_S,
    Scene,
    Stage,
    body_of,
    delete,
    put_old,
)

RECONCILE, CHECK = "reconcile", "ledger-check"
ENABLED = {"reconcile": {"enabled": True}}
ONE = BackendName("one")
HOUR_S = 3600.0
# A process that dies takes along the time since the ledger's clock was last written.
A_DAY_COUNTED_S = 24 * HOUR_S + 2 * REST_S
UNDEAD = StorageKey(f"{PHOTOS.bucket}/{KEY}")
FOREIGN = ("imported/1", "imported/2", "imported/3")
STRAY = make_storage_key(PHOTOS.bucket, ObjectKey("stray"), WriteId("5" * 32))


def ask(stage: Stage, sql: str, *values: object) -> list[tuple[object, ...]]:
    """Ask the disk."""
    return stage.outside.connection.execute(sql, values).fetchall()


def lay(stage: Stage, name: str, body: bytes, headers: BlobHeaders) -> None:
    """Let bytes have lain on the provider since before everything."""
    stage.outside.backends[ONE].blobs[StorageKey(name)] = StoredBlob(
        body=body, headers=headers, etag=digests_of(body).md5, stored_at_us=0
    )


async def compare(stage: Stage) -> None:
    """One pass, with the gate of deletes open."""
    await stage.run_service(CHECK)
    await stage.run_service(RECONCILE)


async def put_and_age(stage: Stage) -> None:
    """An old object, old enough to be missed."""
    await put_old(stage)
    await trio.sleep(2 * HOUR_S)


# ---- what is gone for a while


async def put_and_empty(stage: Stage) -> None:
    """Everything vanishes from the providers: a wrong bucket, a disk not mounted."""
    await put_and_age(stage)
    for backend in stage.outside.backends.values():
        stage.outside.lost |= set(backend.blobs)
        backend.set_aside, backend.blobs = backend.blobs, {}  # type: ignore[attr-defined]


async def compare_and_find_again(stage: Stage) -> None:
    """More passes within the hour; then everything is there again."""
    for _ in range(3):
        await compare(stage)
        await trio.sleep(HOUR_S / 4)
    states = ask(stage, "SELECT state FROM object_locations")
    stage.witness.expect({("live",)} == set(states), f"one bad hour made {states}")
    for backend in stage.outside.backends.values():
        backend.blobs |= backend.set_aside  # type: ignore[attr-defined]


async def is_untouched(stage: Stage) -> None:
    """The findings are cleared by the next listing; the object is there."""
    await compare(stage)
    rows = ask(stage, "SELECT kind FROM reconcile_findings WHERE kind = 'missing'")
    stage.witness.expect(not rows, f"findings of what is there: {rows}")
    answer = await stage.witness.get(stage.witness.client(), "found again", KEY)
    stage.witness.expect(
        answer is not None and answer.status == 200, f"found again: {answer}"
    )


# ---- what listings leave out


async def put_and_hide(stage: Stage) -> None:
    """A provider's listings leave everything out for more than a day."""
    await put_and_age(stage)
    for backend in stage.outside.backends.values():
        backend._list_lag_s = 1e6
    await compare(stage)
    await trio.sleep(A_DAY_COUNTED_S)


async def is_live(stage: Stage) -> None:
    """The HEAD said that it is there."""
    await compare(stage)
    states = ask(stage, "SELECT state FROM object_locations")
    stage.witness.expect({("live",)} == set(states), f"lying listings made {states}")
    for backend in stage.outside.backends.values():
        backend._list_lag_s = 0.0


# ---- what was deleted


async def delete_and_find_bytes(stage: Stage) -> None:
    """A client deletes the key; the provider still has bytes of it, of old."""
    await put_and_age(stage)
    await delete(stage)
    lay(stage, UNDEAD, body_of("undead"), BlobHeaders())


async def is_dead(stage: Stage) -> None:
    """Nobody brought it back."""
    await compare(stage)
    answer = await stage.witness.get(stage.witness.client(), "undead", KEY)
    stage.witness.expect(
        answer is not None and answer.status == 404, f"a deleted object: {answer}"
    )
    rows = ask(stage, "SELECT key FROM objects WHERE key = ?", KEY)
    stage.witness.expect(not rows, "a deleted object was imported")
    stage.outside.backends[ONE].blobs.pop(UNDEAD, None)


# ---- what others put there


async def put_and_lay_foreign(stage: Stage) -> None:
    """Objects that somebody else stored, and bytes with a name of our shape."""
    await put_old(stage)
    for name in FOREIGN:
        lay(stage, f"{LETTERS.bucket}/{name}", body_of(name), BlobHeaders())
    lay(stage, STRAY, NEWER, BlobHeaders())


async def is_imported(stage: Stage) -> None:
    """Each once, and nothing that has our shape; the stray is nobody's to delete."""
    await compare(stage)
    rows = ask(stage, "SELECT key FROM objects WHERE key <> ? ORDER BY key", KEY)
    stage.witness.expect([(name,) for name in FOREIGN] == rows, f"imported: {rows}")
    stage.witness.expect(
        STRAY in stage.outside.backends[ONE].blobs, "a stray without a record is gone"
    )
    del stage.outside.backends[ONE].blobs[STRAY]


# ---- what is nobody's


async def put_and_litter(stage: Stage) -> None:
    """Bytes of this cluster that nothing accounts for, seen once, a day ago."""
    await put_old(stage)
    [(cluster,)] = ask(stage, "SELECT value FROM meta WHERE name = 'cluster_id'")
    record = Record(
        cluster_id=str(cluster),
        bucket_id=BucketId(1),
        version_id=VersionId("0" * 32),
        sequence=1,
    )
    headers = plan_blob_headers(
        record, ObjectFacts(), storage_key=STRAY, key=ObjectKey("stray")
    )
    lay(stage, STRAY, NEWER, headers)
    await trio.sleep(2 * HOUR_S)
    blob = stage.outside.backends[ONE].blobs[STRAY]
    stage.outside.backends[ONE].blobs[STRAY] = StoredBlob(
        body=blob.body,
        headers=blob.headers,
        etag=blob.etag,
        stored_at_us=stage.outside.backends[ONE]._clock.now_us(),
    )
    await compare(stage)
    held = STRAY in stage.outside.backends[ONE].blobs
    stage.witness.expect(held, "one listing was enough to delete")
    await trio.sleep(A_DAY_COUNTED_S)


async def is_swept(stage: Stage) -> None:
    """It is gone, and the object beside it is not."""
    await compare(stage)
    if STRAY in stage.outside.backends[ONE].blobs:
        await trio.sleep(A_DAY_COUNTED_S)
        await compare(stage)
    await stage.heal()
    held = STRAY in stage.outside.backends[ONE].blobs
    stage.witness.expect(not held, "garbage of ours stays for ever")


SCENES = {
    "reconcile, a backend empty for an hour": Scene(
        before=put_and_empty,
        act=compare,
        after=compare_and_find_again,
        finally_=is_untouched,
        settings=ENABLED,
    ),
    "reconcile, listings that leave out": Scene(
        before=put_and_hide,
        act=compare,
        finally_=is_live,
        settings=ENABLED,
    ),
    "reconcile, bytes of a deleted object": Scene(
        before=delete_and_find_bytes,
        act=compare,
        finally_=is_dead,
        settings=ENABLED,
    ),
    "reconcile, foreign objects": Scene(
        before=put_and_lay_foreign,
        act=compare,
        finally_=is_imported,
        settings=ENABLED,
    ),
    "reconcile, garbage": Scene(
        before=put_and_litter,
        act=compare,
        finally_=is_swept,
        settings=ENABLED,
    ),
}
