"""Actions on the running process: log level, usage counters, lifecycle, jobs."""

from s3o.admin.action import Given
from s3o.admin.desk import Desk
from s3o.admin.refusal import Document, Refused
from s3o.observe.logs import LEVELS

USAGE_FLUSH = "usage-flush"


async def flush_usage(desk: Desk, _given: Given) -> Document:
    """Write the usage counters down now."""
    await desk.runner.run_now(USAGE_FLUSH)
    return {"status": "flushed"}


async def show_log_level(desk: Desk, _given: Given) -> Document:
    """Tell the level below which nothing is logged."""
    return {"level": desk.log.level}


async def set_log_level(desk: Desk, given: Given) -> Document:
    """Change it until the next reload or start."""
    level = given.text("level")
    if level not in LEVELS:
        known = ", ".join(LEVELS)
        raise Refused(400, f"unknown log level {level[:32]!r}; known: {known}")
    desk.log.set_level(level)
    return {"level": desk.log.level}


async def list_jobs(desk: Desk, _given: Given) -> Document:
    """Tell of all jobs that are remembered, the newest first."""
    return {"jobs": [job.document() for job in desk.jobs.list()]}


async def show_job(desk: Desk, given: Given) -> Document:
    """Tell of one job."""
    return desk.jobs.find(given.text("id")).document()


async def cancel_job(desk: Desk, given: Given) -> Document:
    """Cancel a job and tell how it ended."""
    job = desk.jobs.find(given.text("id"))
    job.scope.cancel()
    await job.ended.wait()
    return job.document()


async def run_lifecycle(desk: Desk, _given: Given) -> Document:
    """Carry the lifecycle rules out now."""
    if not desk.safety.may_destroy:
        return {"status": "skipped", "reason": desk.safety.reason}
    done = await desk.lifecycle.cycle()
    return {
        "status": "ok",
        "deleted": done.deleted,
        "aborted": done.aborted,
        "failed": done.failed,
    }
