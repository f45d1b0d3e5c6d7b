"""Cancel an operation at its n-th step, for every n that it has."""

from collections.abc import Awaitable, Callable

import trio


class _CancelAt(trio.abc.Instrument):
    """Cancels its scope before the n-th step of one task, or of all tasks."""

    def __init__(
        self,
        scope: trio.CancelScope,
        number: int,
        on_cancel: Callable[[], None],
        *,
        of_all: bool,
    ) -> None:
        self.steps = 0
        self._task = None if of_all else trio.lowlevel.current_task()
        self._scope = scope
        self._number = number
        self._on_cancel = on_cancel

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self._task is None or task is self._task:
            self.steps += 1
            if self.steps == self._number:
                self._scope.cancel()
                self._on_cancel()


def _nothing() -> None:
    pass


async def cancel_at(
    number: int,
    operate: Callable[[], Awaitable[object]],
    on_cancel: Callable[[], None] = _nothing,
    *,
    of_all: bool = False,
) -> str:
    """Run operate, cancelled before its n-th step; "done", "cancelled" or "over".

    of_all: the steps of its children count, too, and of whoever else there is.
    "done": it ended well although it was cancelled; "over": it has no n-th step.
    """
    is_done = False
    with trio.CancelScope() as scope:
        instrument = _CancelAt(scope, number, on_cancel, of_all=of_all)
        trio.lowlevel.add_instrument(instrument)
        try:
            await operate()
            is_done = True
        finally:
            trio.lowlevel.remove_instrument(instrument)
    if instrument.steps < number:
        return "over"
    return "done" if is_done else "cancelled"
