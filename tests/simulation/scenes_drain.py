"""Blobs move, backends are emptied and taken away, and the process dies."""

import trio

from s3o.model.errors import S3OError
from s3o.model.names import BackendName
from tests.recovering import OBJECTS, recover_from
from tests.simulation.outside import OURS
from tests.simulation.scenes import (
    OTHER,
    Act,
    Scene,
    Stage,
    body_of,
    delete,
    pass_of,
    put_both,
    put_newer,
)
from tests.simulation.scenes_recover import OFTEN, put_and_back_up

ONE = BackendName("one")
THREE = {"one": 30_000, "two": 30_000, "three": 30_000}
TWO_COPIES = {"replication": {"factor": 2, "worker_interval": "1h"}}
EVEN = {
    "rebalance": {
        "enabled": True,
        "strategy": "spread",
        "threshold": 0.01,
        "interval": "24h",
    }
}
PASSES = 40

judged = pass_of("ledger-check")  # nothing is deleted before it has asked
move = pass_of("rebalancer")


async def put_and_check(stage: Stage) -> None:
    """Two objects on the first backend."""
    await judged(stage)
    await put_both(stage)


async def put_and_copy(stage: Stage) -> None:
    """Two objects, each on the first two backends."""
    await put_and_check(stage)
    await stage.run_service("replicator")


async def start_drain(stage: Stage) -> None:
    """An operator asks for it."""
    assert stage.life is not None
    await stage.life.order_drain(ONE, is_start=True)


async def drain(stage: Stage) -> None:
    """From the order to the first pass's end."""
    await start_drain(stage)
    await stage.run_service("drain")


async def drain_and_overwrite(stage: Stage) -> None:
    """A client writes what is just being moved."""
    await start_drain(stage)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.run_service, "drain")
        nursery.start_soon(put_newer, stage)
        await stage.witness.put(
            stage.witness.client(), "during", OTHER, body_of("during")
        )


async def is_drained(stage: Stage) -> None:
    """Whoever was to drain it does; then nothing is left, in ledger or on disk."""
    await judged(stage)
    await start_drain(stage)  # a death may have come before the first order
    for _ in range(PASSES):
        await stage.run_service("drain")
        if _states(stage) == ["drained"]:
            break
        await trio.sleep(2 * 3600.0)
        for name in ("pending-reaper", "cleanup-queue", "multipart-cleanup"):
            await stage.run_service(name)
    stage.witness.expect(_states(stage) == ["drained"], "the drain does not end")
    left = [
        name
        for name in stage.outside.backends[ONE].names()
        if not name.startswith(OURS)
    ]
    stage.witness.expect(not left, f"drained, but {left} lie there")
    stage.witness.expect(
        _naming(stage) <= {"backend_drains", "backend_quotas", "backend_usage"},
        f"drained, but {_naming(stage)} name it",
    )


def _states(stage: Stage) -> list[str]:
    query = stage.outside.connection.execute
    return [state for (state,) in query("SELECT state FROM backend_drains")]


def _naming(stage: Stage) -> set[str]:
    """Which tables name the first backend."""
    query = stage.outside.connection.execute
    tables = query("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    found: set[str] = set()
    for (table,) in tables:
        columns = [column[1] for column in query(f"PRAGMA table_info({table})")]
        if "backend_name" in columns:
            [(count,)] = query(
                f"SELECT COUNT(*) FROM {table} WHERE backend_name = ?", (ONE,)
            ).fetchall()
            if count:
                found.add(table)
    return found


def remove(*, purge: bool) -> Act:
    """An operator takes the backend away."""

    async def act(stage: Stage) -> None:
        life = stage.life
        assert life is not None

        async def order() -> None:
            assert life.services is not None
            try:
                with trio.move_on_after(3):
                    stage.outside.removed.add(ONE)
                    await life.services.removal.remove(ONE, purge=purge)
            except S3OError:
                return  # a refusal is an answer

        await life.inside(order)

    return act


remove_rows, remove_all = remove(purge=False), remove(purge=True)


def is_removed(act: Act) -> Act:
    """The order is given again, the removal ends, and no row names the backend."""

    async def finish(stage: Stage) -> None:
        await judged(stage)
        await act(stage)
        for _ in range(PASSES):
            await stage.run_service("backend-removal")
            if _states(stage) == ["removed"]:
                break
            await trio.sleep(2 * 3600.0)
            for name in ("pending-reaper", "cleanup-queue"):
                await stage.run_service(name)
        stage.witness.expect(_states(stage) == ["removed"], "the removal does not end")
        stage.witness.expect(
            _naming(stage) == {"backend_drains"},
            f"removed, but {_naming(stage)} name it",
        )
        if act is remove_rows:
            # Its bytes were left to the operator, who deletes them now.
            backend = stage.outside.backends[ONE]
            for name in backend.names():
                if not name.startswith(OURS):
                    backend.lose(name)

    return finish


LOCATED = (
    "SELECT version_id, blob, backend_name, storage_key, stored_bytes, state"
    " FROM object_locations ORDER BY version_id, blob, backend_name"
)


async def put_and_check_and_back_up(stage: Stage) -> None:
    """Two objects that a snapshot knows where they were."""
    await judged(stage)
    await put_and_back_up(stage)


async def is_drained_and_recovers(stage: Stage) -> None:
    """A ledger recovered from before the moves finds the blobs where they are now."""
    await is_drained(stage)
    query = stage.outside.connection.execute
    expected = query(OBJECTS).fetchall(), query(LOCATED).fetchall()
    recovered = await recover_from(stage.outside.backends, stage.settings)
    found = recovered.objects(), recovered.located()
    stage.witness.expect(expected == found, f"recovered {found}, not {expected}")
    recovered.connection.close()


SCENES = {
    "drain, then recover": Scene(
        before=put_and_check_and_back_up,
        act=drain,
        finally_=is_drained_and_recovers,
        settings=OFTEN,
    ),
    "drain": Scene(before=put_and_check, act=drain, finally_=is_drained),
    "drain, then put": Scene(
        before=put_and_check, act=drain, after=put_newer, finally_=is_drained
    ),
    "drain, then delete": Scene(
        before=put_and_check, act=drain, after=delete, finally_=is_drained
    ),
    "drain and overwrite": Scene(
        before=put_and_check, act=drain_and_overwrite, finally_=is_drained
    ),
    "drain of copies": Scene(
        before=put_and_copy,
        act=drain,
        finally_=is_drained,
        settings=TWO_COPIES,
        quotas=THREE,
    ),
    "removal": Scene(
        before=put_and_copy,
        act=remove_rows,
        finally_=is_removed(remove_rows),
        settings=TWO_COPIES,
        quotas=THREE,
    ),
    "purge": Scene(
        before=put_and_copy,
        act=remove_all,
        finally_=is_removed(remove_all),
        settings=TWO_COPIES,
        quotas=THREE,
    ),
    "rebalance": Scene(before=put_and_check, act=move, settings=EVEN),
    "rebalance, then put": Scene(
        before=put_and_check, act=move, after=put_newer, settings=EVEN
    ),
}
