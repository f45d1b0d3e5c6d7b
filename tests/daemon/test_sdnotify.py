"""What systemd is told, byte for byte."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from s3o.daemon.environment import SystemClock, send_datagram
from s3o.daemon.sdnotify import Notifier


class Supervisor:
    """Collects what a notifier sends."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []

    def send(self, address: str, payload: bytes) -> None:
        self.heard.append((address, payload))


class MovingClock:
    """Always 12.5 seconds after start."""

    def now_us(self) -> int:
        return 0

    def monotonic_s(self) -> float:
        return 12.5


def notifier(supervisor: Supervisor, **environment: str) -> Notifier:
    return Notifier(environment, 7, supervisor.send, MovingClock())


def test_states_are_the_documented_lines() -> None:
    """systemd ignores what it does not understand, silently."""
    supervisor = Supervisor()
    told = notifier(supervisor, NOTIFY_SOCKET="/run/notify")
    told.ready("serving\non 9000")
    told.reloading()
    told.stopping(47.5)

    assert [
        b"READY=1\nSTATUS=serving on 9000",
        b"RELOADING=1\nMONOTONIC_USEC=12500000",
        b"STOPPING=1\nEXTEND_TIMEOUT_USEC=47500000",
    ] == [payload for _, payload in supervisor.heard]
    assert {"/run/notify"} == {address for address, _ in supervisor.heard}


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:1234"])
def test_nobody_to_tell_is_silence(address: str) -> None:
    """In a container there is no supervisor, and that is fine."""
    supervisor = Supervisor()
    told = notifier(supervisor, NOTIFY_SOCKET=address)
    told.ready()

    assert not told.is_supervised
    assert [] == supervisor.heard


def test_deaf_supervisor_is_no_failure() -> None:
    """A notification that cannot be sent must not stop a service that works."""

    def fail(_address: str, _payload: bytes) -> None:
        raise ConnectionRefusedError

    Notifier({"NOTIFY_SOCKET": "/gone"}, 7, fail, MovingClock()).ready()


async def test_watchdog_is_fed_twice_per_period(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """One late wake-up must not restart a healthy service."""
    supervisor = Supervisor()
    told = notifier(supervisor, NOTIFY_SOCKET="@s", WATCHDOG_USEC="4000000")
    with trio.move_on_after(5):
        await told.run_watchdog()

    assert [("\0s", b"WATCHDOG=1")] * 3 == supervisor.heard


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "-5"},
        {"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "8"},
    ],
)
async def test_watchdog_that_nobody_asked_for_ends(environment: dict[str, str]) -> None:
    """A child that inherits the variables must not feed its parent's watchdog."""
    supervisor = Supervisor()
    await notifier(supervisor, NOTIFY_SOCKET="/s", **environment).run_watchdog()

    assert [] == supervisor.heard


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.settimeout(5)
        yield bound


@pytest.mark.parametrize("is_abstract", [False, True])
def test_datagram_arrives_on_a_real_socket(
    receiver: socket.socket, tmp_path: Path, is_abstract: bool
) -> None:
    """Containers use the abstract namespace, systemd on the host a path."""
    name = f"s3o-test-{os.getpid()}"
    path = "\0" + name if is_abstract else str(tmp_path / "notify")
    receiver.bind(path)
    shown = "@" + name if is_abstract else path
    Notifier({"NOTIFY_SOCKET": shown}, 7, send_datagram, SystemClock()).ready()

    assert b"READY=1" == receiver.recv(100)
