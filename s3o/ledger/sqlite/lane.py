"""A thread that works off members in groups, and wakes their tasks together.

The queue is bounded, counted on the loop. A waiting task refuses cancellation
(Abort.FAILED): it learns its outcome first. The thread never decides anything about
tasks; one callback per group on the loop does, which is what makes a member cheap.
"""

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from typing import cast

import outcome
import trio

from s3o.ledger.seam import Step, T
from s3o.ledger.sqlite.group import Member
from s3o.model.errors import CommitUnknown, LedgerUnavailable, Overloaded

_CLOSE_S = 10.0

Handle = Callable[[Sequence[Member]], None]


class Lane:
    """One thread and its queue. Made and used on the loop; handle runs in the thread.

    handle must give every member a result and raise nothing.
    """

    def __init__(
        self, name: str, handle: Handle, *, group_members: int, queue_members: int
    ) -> None:
        self._handle = handle
        self._group_members = group_members
        self._queue_members = queue_members
        self._queue: queue.SimpleQueue[Member | None] = queue.SimpleQueue()
        self._waiting = 0
        self._is_closed = False
        self._token = trio.lowlevel.current_trio_token()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def submit(self, step: Step[T]) -> T:
        """Queue a step and wait for its outcome.

        Raises Overloaded when too many wait, LedgerUnavailable once closed.
        """
        if self._is_closed:
            raise LedgerUnavailable("the ledger is closed")
        if self._waiting >= self._queue_members:
            raise Overloaded
        self._waiting += 1
        member = Member(step, trio.lowlevel.current_task())
        self._queue.put(member)
        # The member carries a Step[object]; what comes out is what step returns.
        return cast("T", await trio.lowlevel.wait_task_rescheduled(_stay))

    async def aclose(self) -> None:
        """Work off what was accepted, then end the thread."""
        if not self._is_closed:
            self._is_closed = True
            self._queue.put(None)
        with trio.move_on_after(_CLOSE_S, shield=True):
            await trio.to_thread.run_sync(self._thread.join, abandon_on_cancel=True)

    def _work(self) -> None:
        is_last = False
        while not is_last:
            members, is_last = self._next_group()
            if members:
                ended = outcome.capture(self._handle, members)
                if isinstance(ended, outcome.Error):
                    _lose(members, ended.error)
                with contextlib.suppress(trio.RunFinishedError):  # nobody waits
                    self._token.run_sync_soon(self._wake, members)

    def _next_group(self) -> tuple[list[Member], bool]:
        """Wait for one member, take what else is there; say whether it is the end."""
        members: list[Member] = []
        member = self._queue.get()
        while member is not None:
            members.append(member)
            if len(members) == self._group_members:
                return members, False
            try:
                member = self._queue.get_nowait()
            except queue.Empty:
                return members, False
        return members, True

    def _wake(self, members: Sequence[Member]) -> None:
        self._waiting -= len(members)
        for member in members:
            assert member.task is not None
            assert member.result is not None
            trio.lowlevel.reschedule(member.task, member.result)


def _stay(_raise_cancel: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED


def _lose(members: Sequence[Member], error: BaseException) -> None:
    """A bug in the thread must reach somebody; whether it committed is not known."""
    for member in members:
        lost = CommitUnknown(f"the ledger's thread failed: {error!r}")
        lost.__cause__ = error
        member.result = outcome.Error(lost)
