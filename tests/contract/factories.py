"""The backends that the contract suite runs over.

A factory is an async context manager that yields an empty backend of its own; the name
is the test's id. To add one, write it and put it into FACTORIES, with the marks it
needs (`slow`, `real`). One that cannot run here calls pytest.skip with the reason.
"""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from s3o.backends.call import CallMeter
from s3o.backends.directory import DirectoryBackend
from s3o.backends.guard import BackendLimits, Guarded
from s3o.backends.seam import Backend, Meter
from s3o.backends.usage import BackendUsage, UsageCounters
from s3o.model.names import BackendName
from s3o.model.values import Usage
from s3o.policy.breaker import CircuitBreaker
from tests.fakes.clock import TrioClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.memory_backend import MemoryBackend
from tests.fakes.observer import RecordingObserver
from tests.fakes.s3_provider import open_provider
from tests.real import servers
from tests.real.ceph import ceph
from tests.real.servers import RealServer, create_bucket, make_backend
from tests.real.swift import swift


class CountingMeter:
    """A seam.Meter that a test can read."""

    def __init__(self) -> None:
        self.usage = Usage()

    def count_request(self) -> None:
        """One request."""
        self.usage += Usage(1, 0, 0)

    def count_ingress(self, size_bytes: int) -> None:
        """Bytes to the backend."""
        self.usage += Usage(0, 0, size_bytes)

    def count_egress(self, size_bytes: int) -> None:
        """Bytes from the backend."""
        self.usage += Usage(0, size_bytes, 0)


BackendFactory = Callable[[Path, Meter], AbstractAsyncContextManager[Backend]]


@dataclass(frozen=True, kw_only=True)
class Contracted:
    """One implementation, and how far it can be held to the seam.

    is_write_once: whether it refuses a second blob of the same name by itself (S3 does
    not; our names are never used twice). has_folders: whether it makes and removes
    folders of its own accord, and fails a PUT into one that is being made or removed.
    """

    make: BackendFactory
    marks: tuple[pytest.MarkDecorator, ...] = ()
    is_write_once: bool = False
    has_folders: bool = False


@asynccontextmanager
async def memory(path: Path, meter: Meter) -> AsyncIterator[Backend]:
    """The fake, so that it cannot lie."""
    yield MemoryBackend("memory", meter=meter, clock=TrioClock())


@asynccontextmanager
async def directory(path: Path, meter: Meter) -> AsyncIterator[Backend]:
    """A directory on this machine's disk."""
    backend = await DirectoryBackend.open_root(
        BackendName("directory"),
        str(path / "root"),
        meter=meter,
        entropy=SeededEntropy(0, "directory"),
    )
    yield backend
    await backend.aclose()


def _real(start: Callable[[], RealServer]) -> BackendFactory:
    """A bucket of its own at a real server that all tests share."""

    @asynccontextmanager
    async def make(path: Path, meter: Meter) -> AsyncIterator[Backend]:
        server = start()
        digest = hashlib.sha256(str(path).encode()).hexdigest()
        settings = server.settings(f"t{digest[:20]}")
        await create_bucket(settings, server.ca_file)
        async with aclosing(make_backend(settings, meter, server.ca_file)) as backend:
            yield backend

    return make


@asynccontextmanager
async def guarded(path: Path, meter: Meter) -> AsyncIterator[Backend]:
    """The guard: it must not change what it guards."""
    clock, name = TrioClock(), BackendName("guarded")
    counting = _CountingGuardMeter(UsageCounters([name], clock).of(name), meter)
    yield Guarded(
        MemoryBackend(name, meter=counting, clock=clock),
        meter=counting,
        breaker=CircuitBreaker(failure_threshold=1, open_timeout_s=1e9),
        limits=BackendLimits(),
        observer=RecordingObserver(),
        clock=clock,
        entropy=SeededEntropy(0, "guarded"),
        backend_timeout_s=30.0,
    )


@asynccontextmanager
async def fault_server(path: Path, meter: Meter) -> AsyncIterator[Backend]:
    """The S3 client over our own provider, without faults."""
    async with open_provider(meter) as provider:
        yield provider.backend


@asynccontextmanager
async def guarded_fault_server(path: Path, meter: Meter) -> AsyncIterator[Backend]:
    """The same behind the guard."""
    clock, name = TrioClock(), BackendName("near")
    counting = _CountingGuardMeter(UsageCounters([name], clock).of(name), meter)
    async with open_provider(counting) as provider:
        yield Guarded(
            provider.backend,
            meter=counting,
            breaker=CircuitBreaker(failure_threshold=1, open_timeout_s=1e9),
            limits=BackendLimits(),
            observer=RecordingObserver(),
            clock=clock,
            entropy=SeededEntropy(0, "guarded"),
            backend_timeout_s=30.0,
        )


class _CountingGuardMeter(CallMeter):
    """Counts for the guard and for the test."""

    def __init__(self, usage: BackendUsage, meter: Meter) -> None:
        super().__init__(usage)
        self._meter = meter

    def count_request(self) -> None:
        super().count_request()
        self._meter.count_request()

    def count_ingress(self, size_bytes: int) -> None:
        super().count_ingress(size_bytes)
        self._meter.count_ingress(size_bytes)

    def count_egress(self, size_bytes: int) -> None:
        super().count_egress(size_bytes)
        self._meter.count_egress(size_bytes)


FACTORIES: dict[str, Contracted] = {
    "memory": Contracted(make=memory),
    "guarded": Contracted(make=guarded),
    "fault-server": Contracted(make=fault_server),
    "fault-server-guarded": Contracted(make=guarded_fault_server),
    "directory": Contracted(make=directory, is_write_once=True),
    "rclone": Contracted(
        make=_real(servers.rclone), marks=(pytest.mark.slow,), has_folders=True
    ),
    "rclone-tls": Contracted(
        make=_real(servers.rclone_tls), marks=(pytest.mark.slow,), has_folders=True
    ),
    "swift": Contracted(make=_real(swift), marks=(pytest.mark.real,)),
    "ceph": Contracted(make=_real(ceph), marks=(pytest.mark.real,)),
}
