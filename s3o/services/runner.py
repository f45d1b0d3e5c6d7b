"""The one runner of all background services: when they run, and what a failure means.

A service runs on its tick or when poked. Its first tick comes after a random part of
half its interval, so that instances started together do not all reach for the ledger
at once. A failed pass is logged and repeated after 1 s, 2 s, ... 30 s. On stop a pass
in hand may finish for STOP_S; nothing new begins. This is one of the three places that
catch every exception: a service that dies silently is worse than one that fails.
"""

import traceback
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

import trio

from s3o.model.errors import S3OError
from s3o.model.facts import Crashed, Happened, ServiceRan
from s3o.model.seams import Clock, Entropy, Observer
from s3o.observe.correlation import new_request_id, request_id
from s3o.observe.operation import describe
from s3o.services.service import Leases, Service, Wakeup

STOP_S = 10.0
RELEASE_S = 5.0
FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 30.0
TAKEN_S = 5.0  # until a poked service that runs elsewhere is tried again

T = TypeVar("T")


class NotAlone(Exception):
    """Another instance runs the service, or has taken it over meanwhile."""


class PassFailed(Exception):
    """A pass failed: the text is a report for operators; error is what happened."""

    def __init__(self, report: str, error: Exception) -> None:
        super().__init__(report)
        self.error = error


class Runner:
    """All services of one process, one task each."""

    def __init__(
        self,
        services: Sequence[Service],
        leases: Leases,
        observer: Observer,
        clock: Clock,
        entropy: Entropy,
        *,
        stopping: trio.Event,
    ) -> None:
        self._loops = {
            service.name: _Loop(
                service, leases, observer, clock, entropy, stopping=stopping
            )
            for service in services
        }
        assert len(self._loops) == len(services), "two services of one name"
        self._stopping = stopping

    @property
    def names(self) -> tuple[str, ...]:
        """The services' names."""
        return tuple(self._loops)

    def poke(self, name: str) -> None:
        """Ask for a pass of one service; KeyError if there is none of that name."""
        self._loops[name].service.wakeup.poke()

    def reconsider(self) -> None:
        """Look at all intervals again (after a reload)."""
        for loop in self._loops.values():
            loop.reconsider.poke()

    async def run_now(self, name: str) -> str:
        """Make one pass here and now, after the one in hand; return its report."""
        loop = self._loops[name]
        async with loop.running:
            return await loop.service.run_once()

    async def run_alone(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """Carry out work while no pass of that service runs, anywhere.

        Raises NotAlone, and what work raises (in an exception group).
        """
        loop = self._loops[name]
        async with loop.running:
            return await loop.run_leased(work)

    async def run(
        self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Run all services until `stopping` is set and the passes in hand are over."""
        async with trio.open_nursery() as nursery:
            for loop in self._loops.values():
                nursery.start_soon(loop.run)
            task_status.started()
            await self._stopping.wait()
            nursery.cancel_scope.deadline = trio.current_time() + STOP_S


class _Loop:
    """One service's life."""

    def __init__(
        self,
        service: Service,
        leases: Leases,
        observer: Observer,
        clock: Clock,
        entropy: Entropy,
        *,
        stopping: trio.Event,
    ) -> None:
        self.service = service
        self.reconsider = Wakeup()
        self.running = trio.Lock()
        self._leases = leases
        self._observer = observer
        self._clock = clock
        self._entropy = entropy
        self._stopping = stopping

    async def run(self) -> None:
        """Wait and run, until stopping."""
        jitter_s = self._entropy.uniform(0.0, self.service.interval_s / 2)
        await self._wait_poked_for(jitter_s)
        failures = 0
        while not self._stopping.is_set():
            is_poked = self.service.wakeup.is_poked
            if is_poked:
                # Taken first: who pokes while we gather waits as long as the first.
                self.service.wakeup.take()
                await self._wait_or_stop(self.service.gather_s)
            status = await self._pass()
            if status != "error":
                failures = 0
                if status == "skipped" and is_poked:
                    # The pass elsewhere may not know of what was asked for here.
                    await self._wait_or_stop(TAKEN_S)
                    self.service.wakeup.poke()
                await self._wait_due()
            else:
                backoff_s = min(FIRST_BACKOFF_S * 2**failures, LONGEST_BACKOFF_S)
                failures = min(failures + 1, 10)
                await self._wait_or_stop(backoff_s)

    async def _wait_due(self) -> None:
        began = trio.current_time()
        while True:
            left_s = began + self.service.interval_s - trio.current_time()
            if left_s <= 0 or await self._wait_poked_for(left_s):
                return

    async def _wait_poked_for(self, seconds: float) -> bool:
        """Wait; return whether it ended for a poke or a stop, not by time or reload."""
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                for wait in (
                    self.service.wakeup.wait,
                    self.reconsider.wait,
                    self._stopping.wait,
                ):
                    nursery.start_soon(_end_with, nursery.cancel_scope, wait)
        self.reconsider.take()
        return self.service.wakeup.is_poked or self._stopping.is_set()

    async def _wait_or_stop(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            await self._stopping.wait()

    async def _pass(self) -> str:
        """Make a pass; return success, skipped or error."""
        token = request_id.set(new_request_id(self._entropy))
        started_s = self._clock.monotonic_s()
        status, report = "cancelled", ""
        try:
            async with self.running:
                report = await attempt(
                    self._observer,
                    f"service {self.service.name}",
                    lambda: self.run_leased(self.service.run_once),
                    expected=(NotAlone,),
                )
            status = "success"
        except PassFailed as failure:
            is_ours = not isinstance(failure.error, NotAlone)
            status = "error" if is_ours else "skipped"
            report = str(failure)
        finally:
            self._observer.note(
                ServiceRan(
                    service=self.service.name,
                    status=status,
                    duration_s=self._clock.monotonic_s() - started_s,
                    report=report,
                )
            )
            request_id.reset(token)
        return status

    async def run_leased(self, work: Callable[[], Awaitable[T]]) -> T:
        """Carry out work under the service's lease. Raises NotAlone."""
        if not self.service.is_exclusive:
            return await work()
        name = self.service.name
        epoch = await self._leases.take(name)
        if epoch is None:
            raise NotAlone
        done: list[T] = []
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(
                    _end_with,
                    nursery.cancel_scope,
                    lambda: self._leases.keep(name, epoch),
                )
                done.append(await work())
                nursery.cancel_scope.cancel()
        finally:
            with trio.move_on_after(RELEASE_S, shield=True):
                await self._leases.release(name, epoch)
        if not done:
            raise NotAlone("lease lost")
        return done[0]


async def attempt(
    observer: Observer,
    where: str,
    work: Callable[[], Awaitable[T]],
    *,
    expected: tuple[type[Exception], ...] = (),
) -> T:
    """Carry out work; whatever it raises becomes PassFailed.

    An error that is neither ours nor expected also leaves its traceback. One that comes
    up while the work is being cancelled is told, and the cancellation goes on: else it
    would end whoever waits in the same nursery.
    """
    try:
        return await work()
    except Exception as error:  # the edge of a service
        report = _report(observer, where, error, expected)
        found = list(_leaves(error))
        cause = found[0] if len(found) == 1 else error
        assert isinstance(cause, Exception)
        raise PassFailed(report, cause) from error
    except BaseExceptionGroup as group:
        cancelled, failed = group.split(trio.Cancelled)
        if cancelled is None or not isinstance(failed, ExceptionGroup):
            raise
        report = _report(observer, where, failed, expected)
        observer.note(
            Happened(
                level="error",
                message="a failure while it was cancelled",
                fields=(("where", where), ("reason", report)),
            )
        )
        raise cancelled from None


def _report(
    observer: Observer,
    where: str,
    error: Exception,
    expected: tuple[type[Exception], ...],
) -> str:
    """Return what failed in a few words; what nobody foresaw leaves its traceback."""
    found = list(_leaves(error))
    known: tuple[type[Exception], ...] = (S3OError, *expected)
    if not all(isinstance(leaf, known) for leaf in found):
        text = "".join(traceback.format_exception(error))
        observer.note(Crashed(where=where, traceback=text))
    return "; ".join(dict.fromkeys(_describe(leaf, expected) for leaf in found))


def _describe(error: BaseException, expected: tuple[type[Exception], ...]) -> str:
    return str(error) if isinstance(error, expected) else describe(error)


async def _end_with(
    scope: trio.CancelScope, wait: Callable[[], Awaitable[None]]
) -> None:
    await wait()
    scope.cancel()


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
