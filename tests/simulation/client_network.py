"""The network between a client and the service, which breaks.

A connection has one fault at most: it is cut after some bytes in one direction, by a
reset or by an end in order; it stalls, drips, is read slowly, or is closed by half when
the request is out. A request that was cut has not been made: it may have no effect.
"""

from random import Random

import trio

from s3o.net.memory import MemoryStream
from s3o.net.streams import ConnectionBroken
from tests.simulation.outside import Outside

CUT_UP, CUT_DOWN = "client cut while it sends", "client cut while it receives"
STALLED, DRIPPED = "client stalls", "client drips"
SLOW_READER, HALF_CLOSED = "client reads slowly", "client half-closed"
CLIENT_FAULTS = (CUT_UP, CUT_DOWN, STALLED, DRIPPED, SLOW_READER, HALF_CLOSED)
CUT_BYTES = (0, 1, 100, 400, 700, 1_000, 5_000, 49_000, 60_000)
STALLS_S = (1.0, 8.0, 25.0, 100.0, 600.0)
DRIP_BYTES = 1000
SLOW_BYTES = 4096


class ClientNetwork:
    """The way of all clients to the service; rates by fault, empty: none breaks."""

    def __init__(self, seed: int, outside: Outside) -> None:
        self.rates: dict[str, float] = {}
        self._outside = outside
        self._chance = Random(f"{seed}/connections of clients")

    def over(self, stream: MemoryStream) -> "Line":
        """Return a new connection as it will go."""
        fault = ""
        for one, rate in self.rates.items():
            if not fault and self._chance.random() < rate:
                fault = one
                self._outside.sometimes[f"network: {one}"] += 1
        return Line(stream, fault, Random(self._chance.random()))


class Line:
    """A client's end of one connection."""

    def __init__(
        self, stream: MemoryStream, fault: str = "", chance: Random | None = None
    ) -> None:
        chance = chance or Random(0)
        self.stream = stream
        self.is_ended = False  # nothing more can be sent
        self._fault = fault
        self._left = chance.choice(CUT_BYTES)
        self._stall_s = chance.choice(STALLS_S)
        self._is_reset = chance.random() < 0.5

    async def send(self, data: bytes) -> None:
        """Send, as far as the fault lets through; raises ConnectionBroken."""
        if self._fault == CUT_UP and len(data) > self._left:
            await self.stream.send_vectored([data[: self._left]])
            await self._cut()
        self._left -= len(data) if self._fault == CUT_UP else 0
        if self._fault == STALLED and len(data) > self._left >= 0:
            await self.stream.send_vectored([data[: self._left]])
            await trio.sleep(self._stall_s)
            data, self._left = data[self._left :], -1
        step = DRIP_BYTES if self._fault == DRIPPED else max(len(data), 1)
        for start in range(0, len(data), step):
            if self._fault == DRIPPED:
                await trio.sleep(0.5)
            await self.stream.send_vectored([data[start : start + step]])

    async def say_end(self) -> None:
        """The request is out: nothing more comes, if that is the fault."""
        if self._fault == HALF_CLOSED:
            self.is_ended = True
            await self.stream.send_eof()

    async def receive(self) -> bytes:
        """Receive, as far as the fault lets through; raises ConnectionBroken."""
        if self._fault == CUT_DOWN and self._left <= 0:
            await self._cut()
        most = max(self._left, 1) if self._fault == CUT_DOWN else 1 << 16
        if self._fault == SLOW_READER:
            await trio.sleep(0.3)
            most = SLOW_BYTES
        data = await self.stream.receive_some(most)
        self._left -= len(data) if self._fault == CUT_DOWN else 0
        return data

    async def _cut(self) -> None:
        if self._is_reset:
            self.stream.abort()
        else:
            await trio.sleep(0.1)
            await self.stream.aclose()
        raise ConnectionBroken("the client's network is gone")
