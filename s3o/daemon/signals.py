"""Signals: the first SIGTERM or SIGINT drains, the second stops; SIGHUP reloads.

The callbacks run on the event loop between two of its steps and must not wait; what
takes longer (reading a configuration) belongs into a task that they wake.
"""

import signal
from collections.abc import Callable

import trio

STOPPING = frozenset((signal.SIGTERM, signal.SIGINT))


async def receive_signals(
    *,
    drain: Callable[[str], None],
    stop_now: Callable[[str], None],
    reload: Callable[[], None],
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Call drain, stop_now (with the signal's name) and reload, until cancelled."""
    has_begun = False
    with trio.open_signal_receiver(
        signal.SIGTERM, signal.SIGINT, signal.SIGHUP
    ) as received:
        task_status.started()
        async for number in received:
            name = signal.Signals(number).name
            if number not in STOPPING:
                reload()
            elif has_begun:
                stop_now(name)
            else:
                has_begun = True
                drain(name)
