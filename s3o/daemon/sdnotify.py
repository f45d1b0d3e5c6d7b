"""Tell systemd how the service is: ready, reloading, stopping, alive.

The protocol is one datagram of KEY=VALUE lines to $NOTIFY_SOCKET, too small to need a
library. Without a supervisor nothing is sent; a supervisor that does not listen is no
reason to fail. Source: sd_notify(3), sd_watchdog_enabled(3), systemd.service(5) on
Type=notify-reload.
"""

from collections.abc import Callable, Mapping

import trio

from s3o.model.numbers import parse_uint
from s3o.model.seams import Clock

Send = Callable[[str, bytes], None]  # address, payload; raises OSError


class Notifier:
    """The line to the supervisor; silent if there is none."""

    def __init__(
        self, environment: Mapping[str, str], pid: int, send: Send, clock: Clock
    ) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._watchdog_s = _watchdog_s(environment, pid)
        self._send = send
        self._clock = clock

    @property
    def is_supervised(self) -> bool:
        """Whether somebody asked to be told."""
        return self._address is not None

    def ready(self, status: str = "") -> None:
        """Say that requests are served now; also ends a reload."""
        self._notify("READY=1", status)

    def reloading(self) -> None:
        """Say that the configuration is being read again; ready() must follow."""
        now_us = int(self._clock.monotonic_s() * 1_000_000)
        self._notify(f"RELOADING=1\nMONOTONIC_USEC={now_us}")

    def stopping(self, within_s: float) -> None:
        """Say that the service drains, and until when it may not be killed for it."""
        within_us = round(within_s * 1_000_000)
        self._notify(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={within_us}")

    async def run_watchdog(self) -> None:
        """Say that the loop is alive, twice per period; returns if nobody asks."""
        if self._watchdog_s is None or self._address is None:
            return
        while True:
            self._notify("WATCHDOG=1")
            await trio.sleep(self._watchdog_s / 2)

    def _notify(self, state: str, status: str = "") -> None:
        if self._address is None:
            return
        if status:
            state += "\nSTATUS=" + " ".join(status.split())
        try:
            self._send(self._address, state.encode("utf-8", "replace"))
        except OSError:
            # The supervisor's queue is full or it is gone: it will act on silence.
            return


def _address(text: str) -> str | None:
    if text.startswith("/"):
        return text
    if text.startswith("@"):
        return "\0" + text[1:]
    return None  # vsock and the like: not on the machines this runs on


def _watchdog_s(environment: Mapping[str, str], pid: int) -> float | None:
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None  # meant for another process that inherited our environment
    try:
        return parse_uint(environment.get("WATCHDOG_USEC", ""), 1) / 1_000_000
    except ValueError:
        return None
