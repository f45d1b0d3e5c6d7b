"""Plausible mistakes with cut requests, wrong clocks and orderly ends."""

import pytest

from s3o.backends.usage import UsageCounters
from s3o.daemon.services import Services
from s3o.ledger.seam import Tx
from s3o.model.errors import ClientGone
from s3o.model.names import BackendName, StorageKey
from s3o.objects.live import LiveReads, LiveWrites
from s3o.s3api.body import BodySource
from s3o.services import cleanup_queue, lifecycle
from tests.simulation.mutants import killed_by


@killed_by("cut request")
def half_a_body_will_do(patch: pytest.MonkeyPatch) -> None:
    """What a client could not send any more is made up."""
    read = BodySource.read

    async def read_or_pad(self: BodySource) -> bytes:
        try:
            return await read(self)
        except ClientGone:
            rest = b"\0" * (self.size - self._seen)
            self._checks.update(rest)
            self._seen, self._checks._sha256 = self.size, None
            self._digests = self._checks.verify(None)
            return rest

    patch.setattr(BodySource, "read", read_or_pad)


@killed_by("clock was ahead")
def nobody_recalls_stranded_rows(patch: pytest.MonkeyPatch) -> None:
    """What was queued a year ahead of time waits that year."""

    async def has_none(_tx: Tx, _backend: BackendName, _now_us: int) -> bool:
        return False

    patch.setattr(cleanup_queue, "has_stranded", has_none)


@killed_by("first pass a year ahead")
def lifecycle_begins_with_the_wall(patch: pytest.MonkeyPatch) -> None:
    """Where no rule ever ran, the clock of that moment is the time."""

    async def nothing_known(_tx: Tx) -> int:
        return 0

    patch.setattr(lifecycle, "_first_belief_us", nothing_known)


@killed_by("orderly end")
def usage_ends_with_the_process(patch: pytest.MonkeyPatch) -> None:
    """The last flush is left out: half a minute of calls is never counted."""

    async def flush_nothing(_self: Services) -> None:
        return

    patch.setattr(Services, "flush_usage", flush_nothing)


@killed_by("failed flush")
def failed_flush_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What could not be written down is not counted again."""

    def drop(self: UsageCounters) -> None:
        self._is_flushing = False
        for usage in self._backends.values():
            usage._in_flight.clear()

    patch.setattr(UsageCounters, "put_back", drop)


@killed_by("orderly end")
def readers_are_never_over(patch: pytest.MonkeyPatch) -> None:
    """Who has read once keeps the blob from being deleted for ever."""

    def end(_self: LiveReads, _storage_keys: tuple[StorageKey, ...]) -> None:
        return

    patch.setattr(LiveReads, "end", end)


@killed_by("orderly end")
def writes_are_never_over(patch: pytest.MonkeyPatch) -> None:
    """A write that is over goes on beating."""
    working_on = LiveWrites.working_on

    def begin(self: LiveWrites, storage_key: StorageKey) -> object:
        self._keys.add(StorageKey(f"{storage_key}x"))
        return working_on(self, storage_key)

    patch.setattr(LiveWrites, "working_on", begin)
