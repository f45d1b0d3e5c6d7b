"""The ledger is backed up while the process dies, and recovered afterwards."""

from contextlib import suppress

from s3o.model.errors import BackendError
from tests.fakes.faults import Fault
from tests.recovering import OBJECTS, recover_from
from tests.simulation.judgement import OURS
from tests.simulation.scenes import (
    KEY,
    NEW,
    NEWER,
    OLD,
    OTHER,
    Scene,
    Stage,
    delete,
    put_newer,
)

BACKUP = "ledger-backup"
OFTEN = {"ledger_backup": {"log_interval": "1s", "snapshot_interval": "1h"}}


async def back_up(stage: Stage) -> None:
    """Make a pass; one that a provider fails is made again."""
    with suppress(BackendError):
        await stage.run_service(BACKUP)
        return
    await stage.run_service(BACKUP)


async def put_and_back_up(stage: Stage) -> None:
    """Two objects that a snapshot tells of."""
    await stage.witness.put(stage.witness.client(), "before", KEY, OLD)
    await stage.witness.put(stage.witness.client(), "before", OTHER, NEW)
    await back_up(stage)


async def put_behind_the_backup(stage: Stage) -> None:
    """Something to log."""
    await put_and_back_up(stage)
    await stage.witness.put(stage.witness.client(), "before", KEY, NEWER)


async def put_and_log(stage: Stage) -> None:
    """Overwrite, and write the log."""
    await stage.witness.put(stage.witness.client(), "act", KEY, NEWER)
    await back_up(stage)


async def delete_and_log(stage: Stage) -> None:
    """Delete, and write the log."""
    await stage.witness.delete(stage.witness.client(), "act", KEY)
    await back_up(stage)


async def recovers(stage: Stage) -> None:
    """What is recovered is what was there, and every backup is accounted for."""
    assert stage.life is not None
    await back_up(stage)
    await stage.heal()
    query = stage.outside.connection.execute
    held = {
        (name, key)
        for name, backend in stage.outside.backends.items()
        for key in backend.names()
        if key.startswith(OURS)
    }
    told = set(query("SELECT backend_name, storage_key FROM ledger_backups"))
    if held != told:
        stage.witness.complaints.append(f"backups held {held}, told {told}")
    await recovers_at_once(stage)


async def recovers_at_once(stage: Stage) -> None:
    """What is recovered is what is there, whatever else still lies around."""
    await stage.run_service("ledger-check")  # no log before it has asked
    await back_up(stage)
    expected = stage.outside.connection.execute(OBJECTS).fetchall()
    try:
        recovered = await recover_from(stage.outside.backends, stage.settings)
    except AssertionError as error:
        stage.witness.complaints.append(f"what was recovered contradicts: {error}")
        return
    if expected != recovered.objects():
        stage.witness.complaints.append(
            f"recovered {recovered.objects()}, there was {expected}"
        )
    recovered.connection.close()


SCENES = {
    "snapshot": Scene(before=put_newer, act=back_up, finally_=recovers, settings=OFTEN),
    "log of an overwrite": Scene(
        before=put_and_back_up, act=put_and_log, finally_=recovers, settings=OFTEN
    ),
    "log of a delete": Scene(
        before=put_and_back_up, act=delete_and_log, finally_=recovers, settings=OFTEN
    ),
    "log of a delete whose bytes stay": Scene(
        before=put_and_back_up,
        act=delete_and_log,
        after=recovers_at_once,
        faults=(("one", "delete", Fault.ERROR_BEFORE),) * 3,
        finally_=recovers,
        settings=OFTEN,
    ),
    "log, then delete": Scene(
        before=put_and_back_up,
        act=put_and_log,
        after=delete,
        finally_=recovers,
        settings=OFTEN,
    ),
    "log that a provider loses": Scene(
        before=put_behind_the_backup,
        act=back_up,
        faults=(("one", "put", Fault.ERROR_BEFORE), ("two", "put", Fault.STORE_PART)),
        finally_=recovers,
        settings=OFTEN,
    ),
}
