"""Signals reach the right callback, in a process of our own."""

import os
import signal

import trio

from s3o.daemon.signals import receive_signals


async def test_first_drains_second_stops_and_hangup_reloads() -> None:
    """An operator presses Ctrl-C twice because the first one takes too long."""
    heard: list[str] = []
    wake = trio.Event()

    def hear(text: str) -> None:
        nonlocal wake
        heard.append(text)
        wake.set()

    async with trio.open_nursery() as nursery:

        async def start(task_status: trio.TaskStatus[None]) -> None:
            await receive_signals(
                drain=lambda name: hear(f"drain {name}"),
                stop_now=lambda name: hear(f"stop {name}"),
                reload=lambda: hear("reload"),
                task_status=task_status,
            )

        await nursery.start(start)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            wake = trio.Event()
            os.kill(os.getpid(), number)
            with trio.fail_after(5):
                await wake.wait()
        nursery.cancel_scope.cancel()

    assert ["reload", "drain SIGTERM", "reload", "stop SIGINT"] == heard
