"""The world outside, as the process finds it: clocks, chance, output, systemd.

The only home of the system's clock and entropy. Everything else gets them as Clock and
Entropy (model/seams), so that a test or the simulation can put its own in their place.
"""

import os
import random
import socket
import time


class SystemClock:
    """The Clock of a real process."""

    def now_us(self) -> int:
        """Return the wall clock in microseconds since 1970, UTC."""
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        """Return CLOCK_MONOTONIC, which is also what systemd compares with."""
        return time.monotonic()


class SystemEntropy:
    """The Entropy of a real process."""

    def __init__(self) -> None:
        self._jitter = random.Random(os.urandom(16))  # noqa: S311 - for jitter only

    def token(self, size_bytes: int) -> bytes:
        """Return bytes from the kernel."""
        return os.urandom(size_bytes)

    def uniform(self, low: float, high: float) -> float:
        """Return a number for jitter; predictable, unlike token()."""
        return self._jitter.uniform(low, high)


def send_datagram(address: str, payload: bytes) -> None:
    """Send payload to a UNIX datagram socket; a leading NUL is the abstract namespace.

    Raises OSError.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.setblocking(False)
        out.sendto(payload, address)


class LineOutput:
    """A file descriptor that takes whole lines, or none of them.

    Where it cannot take more just now (a terminal or pipe in non-blocking mode whose
    reader is slow), the rest of what it began is kept, so that no line is torn.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""

    def write(self, lines: bytes) -> None:
        """Write lines; raises OSError when they are lost."""
        if self._rest:
            self._rest = self._write(self._rest)
            if self._rest:
                raise BlockingIOError("the reader of the log does not keep up")
        rest = self._write(lines)
        if len(rest) == len(lines):
            raise BlockingIOError("the reader of the log does not keep up")
        self._rest = rest

    def _write(self, data: bytes) -> bytes:
        """Write what can be written; return the rest."""
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                break
        return data
