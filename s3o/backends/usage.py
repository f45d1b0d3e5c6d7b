"""What this process asked of each backend and has not yet written into the ledger.

Enforcement adds three things: the baseline (the ledger's figure at the last flush),
what is being flushed, and what was counted since. Nothing is ever in two of them, and
nothing falls between them, so a flush neither opens a gap nor counts twice.

Rules: counts belong to the month in which they were made, not to the month of the
flush; everything here is plain arithmetic between awaits; reading changes nothing, so
it may be done from another thread.
"""

from collections.abc import Iterable, Mapping

from s3o.model.names import BackendName
from s3o.model.seams import Clock
from s3o.model.values import Usage
from s3o.policy.period import period_bounds, period_of

NO_USAGE = Usage()

# What one flush writes: month -> backend -> what was used.
UsageByPeriod = Mapping[str, Mapping[BackendName, Usage]]


class BackendUsage:
    """One backend's counts of the current month; a seam.Meter.

    Owns: the counts that no flush has taken yet. Made by UsageCounters.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start_us, self._stop_us = period_bounds(clock.now_us())
        self._period = period_of(self._start_us)
        self._requests = 0
        self._egress = 0
        self._ingress = 0
        # Months that ended with counts in them, and what a flush has in hand.
        self._ended: dict[str, Usage] = {}
        self._in_flight: dict[str, Usage] = {}
        self._baseline: dict[str, Usage] = {}

    def count_request(self) -> None:
        """One request is about to be sent."""
        self._roll_over()
        self._requests += 1

    def count_ingress(self, size_bytes: int) -> None:
        """Bytes went towards the backend."""
        self._roll_over()
        self._ingress += size_bytes

    def count_egress(self, size_bytes: int) -> None:
        """Bytes came from the backend."""
        self._roll_over()
        self._egress += size_bytes

    def effective(self) -> Usage:
        """Return the use of the current month, flushed or not; changes nothing."""
        now_us = self._clock.now_us()
        if self._start_us <= now_us < self._stop_us:
            period, counted = self._period, self._counted()
        else:
            period = period_of(now_us)
            counted = self._ended.get(period, NO_USAGE)
        total = counted
        for known in (self._baseline.get(period), self._in_flight.get(period)):
            if known is not None:
                total += known
        return total

    def take(self) -> dict[str, Usage]:
        """Hand the counts over to a flush; they stay effective while it runs."""
        self._end_month()
        taken, self._ended = self._ended, {}
        for period, usage in taken.items():
            self._in_flight[period] = self._in_flight.get(period, NO_USAGE) + usage
        return taken

    def settle(self, baseline: Mapping[str, Usage]) -> None:
        """The flush was written; baseline is what the ledger says since."""
        self._in_flight.clear()
        self._baseline = dict(baseline)

    def put_back(self) -> None:
        """The flush failed: count it again with the next one."""
        for period, usage in self._in_flight.items():
            self._ended[period] = self._ended.get(period, NO_USAGE) + usage
        self._in_flight.clear()

    def _counted(self) -> Usage:
        usage = Usage(self._requests, self._egress, self._ingress)
        ended = self._ended.get(self._period)
        return usage if ended is None else usage + ended

    def _roll_over(self) -> None:
        now_us = self._clock.now_us()
        if not self._start_us <= now_us < self._stop_us:
            self._end_month()
            self._start_us, self._stop_us = period_bounds(now_us)
            self._period = period_of(now_us)

    def _end_month(self) -> None:
        usage = self._counted()
        if usage:
            self._ended[self._period] = usage
        self._requests = self._egress = self._ingress = 0


class UsageCounters:
    """The counts of all backends, and the hand-over to the flush.

    One flush at a time: take, then settle or put_back.
    """

    def __init__(self, names: Iterable[BackendName], clock: Clock) -> None:
        self._clock = clock
        self._backends = {name: BackendUsage(clock) for name in names}
        self._is_flushing = False

    def of(self, name: BackendName) -> BackendUsage:
        """Return the meter of one backend."""
        return self._backends[name]

    def period(self) -> str:
        """Return the current month."""
        return period_of(self._clock.now_us())

    def effective(self) -> dict[BackendName, Usage]:
        """Return every backend's use of the current month."""
        return {name: usage.effective() for name, usage in self._backends.items()}

    def take(self) -> UsageByPeriod:
        """Begin a flush: return all that has to be added to the ledger, by month."""
        assert not self._is_flushing, "two flushes at once"
        self._is_flushing = True
        taken: dict[str, dict[BackendName, Usage]] = {}
        for name, usage in self._backends.items():
            for period, used in usage.take().items():
                taken.setdefault(period, {})[name] = used
        return taken

    def settle(self, period: str, baseline: Mapping[BackendName, Usage]) -> None:
        """End a flush that was written; baseline is the ledger's figure of period."""
        self._is_flushing = False
        for name, usage in self._backends.items():
            known = baseline.get(name)
            usage.settle({} if known is None else {period: known})

    def put_back(self) -> None:
        """End a flush that was not written, or may not have been.

        After an unknown COMMIT the counts may come in twice: a limit that stops early
        costs less than a bill.
        """
        self._is_flushing = False
        for usage in self._backends.values():
            usage.put_back()
