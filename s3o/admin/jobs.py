"""Jobs: what an operator started and need not wait for.

A job belongs to the process, not to the request that asked for it: it goes on when its
caller hangs up, tells its progress, and can be cancelled. Rules: one job of a kind at a
time; what is over is remembered for a while, in memory; when the process stops, jobs
are cancelled, which every pass of a service survives.
"""

from collections.abc import Awaitable, Callable
from enum import StrEnum

import trio

from s3o.admin.refusal import Document, Refused
from s3o.model.facts import JobEnded
from s3o.model.limits import ADMIN_JOBS, ADMIN_JOBS_REMEMBERED
from s3o.model.seams import Clock, Entropy, Observer
from s3o.observe.correlation import new_request_id, request_id
from s3o.s3api.errors import row_of
from s3o.services.progress import Progress
from s3o.services.runner import NotAlone, PassFailed, attempt
from s3o.wire.dates import render_iso_date

Work = Callable[[Progress], Awaitable[Document]]

_ID_BYTES = 8
_EXPECTED = (Refused, NotAlone)


class JobState(StrEnum):
    """How far a job is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job:
    """One job. status: HTTP's, of the answer to whoever waited; 0 while it runs."""

    def __init__(
        self, job_id: str, kind: str, arguments: Document, started_us: int
    ) -> None:
        self.id = job_id
        self.kind = kind
        self.progress = Progress()
        self.state = JobState.RUNNING
        self.status = 0
        self.result: Document = {}
        self.error = ""
        self.ended = trio.Event()
        self.scope = trio.CancelScope()
        self._arguments = arguments
        self._started_us = started_us
        self._ended_us: int | None = None

    def end(self, state: JobState, status: int, now_us: int) -> None:
        """Note how it ended; who waits for it goes on."""
        self.state = state
        self.status = status
        self._ended_us = now_us
        self.ended.set()

    def document(self) -> Document:
        """Return everything about it."""
        found: dict[str, object] = {
            "id": self.id,
            "action": self.kind,
            "arguments": self._arguments,
            "state": str(self.state),
            "progress": self.progress.snapshot(),
            "started_at": render_iso_date(self._started_us),
        }
        if self._ended_us is not None:
            found["ended_at"] = render_iso_date(self._ended_us)
        if self.result:
            found["result"] = self.result
        if self.error:
            found["error"] = self.error
        return found


class Jobs:
    """All jobs of the process. Owns: their tasks, through run()."""

    def __init__(self, observer: Observer, clock: Clock, entropy: Entropy) -> None:
        self._observer = observer
        self._clock = clock
        self._entropy = entropy
        self._jobs: dict[str, Job] = {}  # oldest first
        self._is_open = False
        self._send, self._receive = trio.open_memory_channel[tuple[Job, Work]](
            ADMIN_JOBS
        )

    async def run(
        self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Carry jobs out until cancelled."""
        self._is_open = True
        try:
            async with trio.open_nursery() as nursery:
                task_status.started()
                async for job, work in self._receive:
                    nursery.start_soon(self._carry_out, job, work)
        finally:
            self._is_open = False

    def start(self, kind: str, arguments: Document, work: Work) -> Job:
        """Begin a job. Raises Refused: one of its kind runs, or the process stops."""
        running = [job for job in self._jobs.values() if not job.status]
        for job in running:
            if job.kind == kind:
                raise Refused(409, f"{kind} is running already", job=job.document())
        if not self._is_open or len(running) >= ADMIN_JOBS:
            raise Refused(503, "no more jobs can be started now")
        job = Job(
            self._entropy.token(_ID_BYTES).hex(), kind, arguments, self._clock.now_us()
        )
        self._forget_oldest()
        self._jobs[job.id] = job
        self._send.send_nowait((job, work))
        return job

    def list(self) -> list[Job]:
        """Return all that are remembered, the newest first."""
        return list(reversed(self._jobs.values()))

    def find(self, job_id: str) -> Job:
        """Return a job. Raises Refused: none of that id is remembered."""
        job = self._jobs.get(job_id)
        if job is None:
            raise Refused(404, "no such job")
        return job

    async def _carry_out(self, job: Job, work: Work) -> None:
        request_id.set(new_request_id(self._entropy))
        state, status = JobState.CANCELLED, 409
        try:
            with job.scope:
                job.result = await attempt(
                    self._observer,
                    f"job {job.kind}",
                    lambda: work(job.progress),
                    expected=_EXPECTED,
                )
                state, status = JobState.DONE, 200
        except PassFailed as failure:
            state, status = JobState.FAILED, _status_of(failure.error)
            job.error = str(failure)
        finally:
            job.error = job.error or ("" if status == 200 else "cancelled")
            job.end(state, status, self._clock.now_us())
            self._observer.note(
                JobEnded(id=job.id, action=job.kind, state=str(state), error=job.error)
            )

    def _forget_oldest(self) -> None:
        over = [job.id for job in self._jobs.values() if job.status]
        for job_id in over[: max(0, len(self._jobs) + 1 - ADMIN_JOBS_REMEMBERED)]:
            del self._jobs[job_id]


def _status_of(error: Exception) -> int:
    if isinstance(error, Refused):
        return error.status
    return 409 if isinstance(error, NotAlone) else row_of(error).status
