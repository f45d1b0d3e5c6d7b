"""Long actions: they outlive their callers, tell their progress, and end when told."""

from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from s3o.admin.action import BATCH_SIZE, Action, Given, Kind, Parameter
from s3o.admin.api import PATIENCE_S
from s3o.admin.desk import Desk
from s3o.admin.refusal import Document, Refused
from s3o.model.errors import BackendUnreachable, LedgerUnavailable
from s3o.model.facts import Crashed, JobEnded
from s3o.model.limits import ADMIN_JOBS_REMEMBERED
from s3o.model.names import BackendName
from tests.admin.house import Office, Reply, configured, opened

SECONDS = Parameter(name="seconds", kind=Kind.COUNT, high=10_000)
HOW = Parameter(name="how")
SECRET = Parameter(name="confirm", is_secret=True)


async def dig(desk: Desk, given: Given) -> Document:
    """Take as long as told, or fail as told."""
    for second in range(given.count("seconds") or 0):
        given.progress.note(dug=second)
        await trio.sleep(1)
    match given.text("how"):
        case "by two":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                nursery.start_soon(fail_in_the_end)
        case "refused":
            raise Refused(422, "too hard")
        case "backend":
            raise BackendUnreachable(BackendName("one"), "PutObject", "no route")
        case "bug":
            raise KeyError("token=s3cr3t")
    return {"status": "ok", "dug": given.count("seconds")}


async def fail_in_the_end() -> None:
    """Wait for ever; tidying up goes wrong."""
    try:
        await trio.sleep_forever()
    finally:
        raise LedgerUnavailable("the database is gone")


DIG = Action(
    name="Dig",
    method="POST",
    path="/dig",
    summary="Dig",
    run=dig,
    parameters=(SECONDS, HOW, BATCH_SIZE, SECRET),
    is_job=True,
)
SWEEP = Action(
    name="Sweep",
    method="POST",
    path="/sweep",
    summary="Dig instead of the cleanup queue",
    run=dig,
    parameters=(SECONDS,),
    is_job=True,
    service="cleanup-queue",
)


async def test_a_short_job_answers_like_any_action(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Documented bodies for those who wait a moment."""
    async with opened(configured(tmp_path), [DIG]) as office:
        reply = await office.admin("POST", "/dig?seconds=2")

    assert (200, {"status": "ok", "dug": 2}) == (reply.status, reply.json)


async def test_a_long_job_answers_with_its_id_and_goes_on(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """No timeout on the way may end it, and none of its news is lost."""
    async with opened(configured(tmp_path), [DIG]) as office:
        began_s = trio.current_time()
        reply = await office.admin("POST", "/dig?seconds=60&confirm=s3cr3t")
        waited_s = trio.current_time() - began_s
        job = reply.json["job"]
        early = (await office.admin("GET", f"/jobs/{job['id']}")).json
        await trio.sleep(60)
        late = (await office.admin("GET", f"/jobs/{job['id']}")).json
        (ended,) = office.one.observer.of(JobEnded)
        acts = str(office.acts)

    assert (202, "running") == (reply.status, job["state"])
    assert PATIENCE_S == waited_s
    assert {"seconds": 60} == job["arguments"]
    assert 0 < early["progress"]["dug"] < 20
    assert ("done", {"status": "ok", "dug": 60}) == (late["state"], late["result"])
    assert ("done", job["id"]) == (ended.state, ended.id)
    assert "confirm=***" in acts
    assert "s3cr3t" not in acts


async def test_async_does_not_wait(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """A script wants its id at once."""
    async with opened(configured(tmp_path), [DIG]) as office:
        began_s = trio.current_time()
        reply = await office.admin("POST", "/dig?async=true&seconds=60")

        assert 202 == reply.status
        assert 0 == trio.current_time() - began_s


async def test_a_caller_that_hangs_up_ends_no_job(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """A job belongs to the process (the reference's were cancelled half-way)."""
    async with opened(configured(tmp_path), [DIG]) as office:
        with trio.move_on_after(5):
            await office.admin("POST", "/dig?seconds=8")
        await trio.sleep(10)
        (job,) = (await office.admin("GET", "/jobs")).json["jobs"]

    assert "done" == job["state"]


async def test_one_job_of_a_kind_at_a_time(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Two impatient operators must not double the load."""
    async with opened(configured(tmp_path), [DIG]) as office:
        first = await office.admin("POST", "/dig?seconds=60&async=true")
        second = await office.admin("POST", "/dig?seconds=60")

    assert (409, "Dig is running already") == (second.status, second.json["error"])
    assert first.json["job"]["id"] == second.json["job"]["id"]


async def test_cancel_ends_a_job(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """What was done stays done; the answer says how it ended."""
    async with opened(configured(tmp_path), [DIG]) as office:
        job = (await office.admin("POST", "/dig?seconds=600&async")).json["job"]
        await wait_all_tasks_blocked()
        ended = await office.admin("DELETE", f"/jobs/{job['id']}")
        again = await office.admin("POST", "/dig")

    assert (200, "cancelled") == (ended.status, ended.json["state"])
    assert 200 == again.status


@pytest.mark.parametrize(
    ("how", "status", "error", "crashes"),
    [
        ("refused", 422, "too hard", 0),
        ("backend", 503, "BackendUnreachable: ", 0),
        ("bug", 500, "KeyError", 1),
    ],
)
async def test_a_failed_job_tells_why(
    tmp_path: Path,
    how: str,
    status: int,
    error: str,
    crashes: int,
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A bug in a job must neither end the process nor show what it held."""
    async with opened(configured(tmp_path), [DIG]) as office:
        reply = await office.admin("POST", f"/dig?how={how}")
        alive = await office.admin("GET", "/status")
        found = office.one.observer.of(Crashed)

    assert (status, 200, crashes) == (reply.status, alive.status, len(found))
    assert reply.json["error"].startswith(error)
    assert "failed" == reply.json["job"]["state"]
    assert "s3cr3t" not in reply.body.decode()


async def test_a_service_makes_no_pass_beside_its_job(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Scheduled and asked for, they would double each other's work."""
    async with opened(configured(tmp_path), [SWEEP]) as office:
        await office.admin("POST", "/sweep?seconds=60&async")
        await wait_all_tasks_blocked()
        began_s = trio.current_time()
        await office.one.services.runner.run_now("cleanup-queue")

        assert 60 <= trio.current_time() - began_s


async def test_only_the_last_jobs_are_remembered(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Memory is bounded whatever a script asks for."""
    async with opened(configured(tmp_path), [DIG]) as office:
        first = await dig_async(office)
        for _ in range(ADMIN_JOBS_REMEMBERED):
            await dig_async(office)
        jobs = (await office.admin("GET", "/jobs")).json["jobs"]
        gone = await office.admin("GET", f"/jobs/{first.json['job']['id']}")

    assert (ADMIN_JOBS_REMEMBERED, 404) == (len(jobs), gone.status)


async def dig_async(office: Office) -> Reply:
    """Start a job that ends at once, and wait until it has."""
    reply = await office.admin("POST", "/dig?async=true")
    await wait_all_tasks_blocked()
    return reply


async def test_jobs_end_with_the_process(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """A stop must not wait for what may take a day."""
    async with opened(configured(tmp_path), [DIG]) as office:
        await office.admin("POST", "/dig?seconds=6000&async")
        await wait_all_tasks_blocked()
        observer = office.one.observer
    (ended,) = observer.of(JobEnded)

    assert "cancelled" == ended.state


async def test_a_cancelled_job_whose_end_goes_wrong_ends_no_other(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """One of its tasks fails to tidy up: the process lives, and the job is over."""
    async with opened(configured(tmp_path), [DIG]) as office:
        began = await office.admin("POST", "/dig?async=true&how=by%20two")
        job_id = began.json["job"]["id"]
        reply = await office.admin("DELETE", f"/jobs/{job_id}")
        after = await office.admin("POST", "/dig?seconds=1")

    assert (200, "cancelled") == (reply.status, reply.json["state"])
    assert (200, {"status": "ok", "dug": 1}) == (after.status, after.json)
