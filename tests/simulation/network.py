"""The network between a process and its providers, which breaks.

A connection is refused or swallowed, or has one fault: it is cut after some bytes in
one direction (a truncated request, an answer lost after success), stalls for up to ten
minutes, drips, or is closed by half. At times nothing gets through at all, or a
provider has moved to another address and old connections lead nowhere.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from random import Random

import httpcore
import trio

from s3o.net.streams import ConnectionBroken
from tests.fakes.network import MemoryNetwork
from tests.simulation.outside import Outside
from tests.simulation.settings import host_of
from tests.simulation.swarm import (
    CUT_DOWN,
    CUT_UP,
    DRIPPED,
    HALF_CLOSED,
    REFUSED,
    STALLED,
    SWALLOWED,
)
from tests.simulation.wire import Provider

PORT = 80
STALLS_S = (1.0, 20.0, 100.0, 600.0)
CUT_BYTES = (1, 200, 900, 5_000, 60_000)


class TroubledNetwork(MemoryNetwork):
    """The way from one process to its providers; dead with the process."""

    def __init__(
        self,
        nursery: trio.Nursery,
        outside: Outside,
        chance: Random,
        seam: Callable[[], None],
    ) -> None:
        super().__init__(nursery)
        self._outside = outside
        self._chance = chance
        self._seam = seam
        self._open: list[_Troubled] = []
        self._cut_off: dict[str, trio.Event] = {}
        for name, backend in outside.backends.items():
            self.listen(host_of(name), PORT, Provider(backend).serve)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[object] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect, if the network lets it."""
        await self.passable(host)
        self._seam()
        fault = self._draw(host)
        if fault == REFUSED:
            raise httpcore.ConnectError("connection refused")
        if fault == SWALLOWED:
            await trio.sleep_forever()
        inner = await super().connect_tcp(host, port)
        self._seam()
        line = _Troubled(self, host, inner, fault)
        self._open.append(line)
        return line

    def reset(self) -> None:
        """Break every connection: the process is dead."""
        for host in list(self._cut_off):
            self.mend(host)
        for line in self._open:
            line.inner._stream.abort()

    def count_open(self) -> int:
        """How many connections nobody has closed."""
        return sum(not line.inner._stream._is_closed for line in self._open)

    def interrupt(self, host: str) -> None:
        """Let nothing through to host, nor from it, until it is mended."""
        self._cut_off.setdefault(host, trio.Event())
        self._outside.troubled.add(host.partition(".")[0])

    def mend(self, host: str) -> None:
        """Let through again what waits."""
        if host in self._cut_off:
            self._cut_off.pop(host).set()

    async def passable(self, host: str) -> None:
        """Wait until packets reach host."""
        if host in self._cut_off:
            await self._cut_off[host].wait()

    def strand(self, host: str) -> None:
        """Host has moved to another address: who is connected hears nothing more."""
        for line in self._open:
            if line.host == host:
                line.is_stranded = True
        self._outside.troubled.add(host.partition(".")[0])

    def _draw(self, host: str) -> str:
        for fault, rate in self._outside.network.items():
            if self._chance.random() < rate:
                self._outside.sometimes[f"network: {fault}"] += 1
                self._outside.troubled.add(host.partition(".")[0])
                return fault
        return ""


class _Troubled(httpcore.AsyncNetworkStream):
    """One connection with at most one fault."""

    def __init__(
        self,
        network: TroubledNetwork,
        host: str,
        inner: httpcore.AsyncNetworkStream,
        fault: str,
    ) -> None:
        self.host = host
        self.inner = inner
        self.is_stranded = False
        self._network = network
        self._fault = fault
        self._left = network._chance.choice(CUT_BYTES)
        self._stall_s = network._chance.choice(STALLS_S)
        self._seam = network._seam

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Receive, as far as the fault lets through."""
        self._seam()
        if self._fault == DRIPPED:
            await trio.sleep(0.5)
            max_bytes = min(max_bytes, 200)
        if self._fault in (CUT_DOWN, STALLED, HALF_CLOSED):
            if self._left <= 0:
                await self._strike(httpcore.ReadError)
                if self._fault == HALF_CLOSED:
                    return b""
            max_bytes = min(max_bytes, max(self._left, 1))
        data = await self.inner.read(max_bytes)
        if self.is_stranded:
            await trio.sleep_forever()
        await self._network.passable(self.host)
        self._left -= len(data)
        self._seam()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send, as far as the fault lets through."""
        await self._network.passable(self.host)
        self._seam()
        if self.is_stranded:
            return  # sent into the void
        if self._fault == CUT_UP:
            await self.inner.write(buffer[: self._left])
            self._left -= len(buffer)
            if self._left <= 0:
                await self._strike(httpcore.WriteError)
            return
        await self.inner.write(buffer)

    async def _strike(self, error: type[Exception]) -> None:
        if self._fault == STALLED:
            await trio.sleep(self._stall_s)
            self._left = 1 << 40
        elif self._fault != HALF_CLOSED:
            # Bytes that were sent arrive, then the connection is gone.
            await trio.sleep(0.1)
            self.inner._stream.abort()
            raise error("reset by peer")

    async def aclose(self) -> None:
        """Close."""
        with suppress(ConnectionBroken):
            await self.inner.aclose()

    def get_extra_info(self, info: str) -> object:
        """Tell what the connection tells."""
        return self.inner.get_extra_info(info)
