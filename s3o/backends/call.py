"""One call to a backend under its deadline: time without progress, never in all.

Rules:
- The deadline moves when the call makes progress: bytes, another request, another piece
  of the body. What the meter counts is progress, so a long call that sends many
  requests gets its time for each.
- While the backend waits for the client's next piece there is no deadline here; slow
  clients are the listener's business, not the backend's fault.
- A call is settled once: its verdict goes to the breaker, its time to the observer. The
  time is the backend's own, without the waits for the client.
"""

from contextvars import ContextVar, Token
from types import TracebackType
from typing import Protocol

import trio

from s3o.backends.usage import BackendUsage
from s3o.model.errors import BackendError, BackendTimeout
from s3o.model.names import BackendName
from s3o.model.seams import ByteSource
from s3o.policy.breaker import Ticket
from s3o.policy.health import Verdict, judge

# A deadline is set by this much more than the timeout, and moved once less than the
# timeout is left: a small call never moves it, and nobody gets less than promised.
_SLACK = 1.125
_FOREVER = float("inf")


class CallOwner(Protocol):
    """Who made the call and hears how it ended (Guarded)."""

    @property
    def name(self) -> BackendName:
        """The backend's name."""
        ...

    def settle(self, call: "Call", verdict: Verdict, status: str) -> None:
        """Take the call's end: what it says of the backend, and for the metrics."""
        ...


class Call:
    """One call; `with call:` around each stretch of time spent in the backend.

    The block turns a passed deadline into BackendTimeout and settles the call when it
    fails; success is for the owner of the call to say.
    """

    def __init__(
        self, owner: CallOwner, operation: str, ticket: Ticket, timeout_s: float
    ) -> None:
        self.operation = operation
        self.ticket = ticket
        self.spent_s = 0.0
        self.is_settled = False
        self._owner = owner
        self._timeout_s = timeout_s
        self._entered_at = 0.0
        self._scope: trio.CancelScope | None = None
        self._token: Token[Call | None] | None = None
        self._has_source_failed = False

    def __enter__(self) -> "Call":
        self._entered_at = trio.current_time()
        deadline = self._entered_at + self._timeout_s * _SLACK
        self._scope = scope = trio.CancelScope(deadline=deadline)
        scope.__enter__()
        self._token = _CALL.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        scope, token = self._scope, self._token
        assert scope is not None
        assert token is not None
        _CALL.reset(token)
        self.spent_s += trio.current_time() - self._entered_at
        # The answer does not matter: a Cancelled of this scope becomes a timeout, any
        # other exception goes on its way.
        scope.__exit__(kind, error, trace)
        if scope.cancelled_caught:
            timeout = BackendTimeout(
                self._owner.name,
                self.operation,
                f"no progress for {self._timeout_s:g} s",
            )
            self.fail(timeout)
            raise timeout from None
        if error is not None:
            self.fail(error)

    def progress(self) -> None:
        """The backend did something: its time begins anew."""
        scope, now = self._scope, trio.current_time()
        assert scope is not None
        if scope.deadline - now < self._timeout_s:
            scope.deadline = now + self._timeout_s * _SLACK

    async def read(self, source: ByteSource) -> bytes:
        """Read from the client's side, with the backend's clock stopped."""
        scope, began_at = self._scope, trio.current_time()
        assert scope is not None
        scope.deadline = _FOREVER
        try:
            piece = await source.read()
        except BaseException:
            self._has_source_failed = True
            raise
        now = trio.current_time()
        self._entered_at += now - began_at
        scope.deadline = now + self._timeout_s * _SLACK
        return piece

    def succeed(self, status: str = "success") -> None:
        """The backend served the call."""
        self._settle(Verdict.WELL, status)

    def fail(self, error: BaseException) -> None:
        """The call ended with error, whoever's fault that is."""
        if not isinstance(error, BackendError) or self._has_source_failed:
            self._settle(Verdict.NOTHING, "aborted")
        else:
            self._settle(judge(error), "error")

    def leave(self) -> None:
        """The caller has enough, before the call could show how it ends."""
        self._settle(Verdict.NOTHING, "success")

    def _settle(self, verdict: Verdict, status: str) -> None:
        if not self.is_settled:
            self.is_settled = True
            self._owner.settle(self, verdict, status)


# The call that this task is in: how a meter finds the deadline it may move.
_CALL: ContextVar[Call | None] = ContextVar("backend_call", default=None)


class CallBody:
    """The source of a PUT as the backend reads it; a model.seams.ByteSource."""

    def __init__(self, source: ByteSource, call: Call) -> None:
        self._source = source
        self._call = call

    @property
    def size(self) -> int:
        """How many bytes read() yields in all."""
        return self._source.size

    async def read(self) -> bytes:
        """Return the next piece; the wait for it is not the backend's."""
        return await self._call.read(self._source)

    def rewind(self) -> bool:
        """Start again if the source can."""
        return self._source.rewind()


class CallMeter:
    """The seam.Meter that a guarded backend counts into: counting is progress."""

    def __init__(self, usage: BackendUsage) -> None:
        self.usage = usage

    def count_request(self) -> None:
        """One request is about to be sent."""
        self.usage.count_request()
        self._progress()

    def count_ingress(self, size_bytes: int) -> None:
        """Bytes went towards the backend."""
        self.usage.count_ingress(size_bytes)
        self._progress()

    def count_egress(self, size_bytes: int) -> None:
        """Bytes came from the backend."""
        self.usage.count_egress(size_bytes)
        self._progress()

    def _progress(self) -> None:
        call = _CALL.get()
        if call is not None:
            call.progress()
