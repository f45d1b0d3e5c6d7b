"""Say once what an operation did, however it ends.

    with Operation(observer, clock, "PutObject", bucket=bucket, key=key) as operation:
        operation.backend = location.backend
        operation.size = size

The fact becomes the second audit line of a request and the manager metrics.
"""

from types import TracebackType

import trio

from s3o.model.errors import AuthError, LedgerError, S3OError
from s3o.model.facts import DegradedWriteRejected, OperationFinished
from s3o.model.seams import Clock, Observer
from s3o.observe.correlation import request_id

ERROR_CHARACTERS = 300


class Operation:
    """Times one operation and notes OperationFinished when the block ends."""

    __slots__ = (
        "_clock",
        "_name",
        "_observer",
        "_started_s",
        "backend",
        "bucket",
        "key",
        "size",
    )

    def __init__(
        self,
        observer: Observer,
        clock: Clock,
        name: str,
        *,
        bucket: str = "",
        key: str = "",
    ) -> None:
        self._observer = observer
        self._clock = clock
        self._name = name
        self.bucket = bucket
        self.key = key
        self.backend = ""
        self.size = 0

    def __enter__(self) -> "Operation":
        self._started_s = self._clock.monotonic_s()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._observer.note(
            OperationFinished(
                operation=self._name,
                status=status_of(error),
                duration_s=self._clock.monotonic_s() - self._started_s,
                request_id=request_id.get(),
                bucket=self.bucket,
                key=self.key,
                backend=self.backend,
                size=self.size,
                error=describe(error),
            )
        )


class WriteOperation(Operation):
    """One operation that the ledger must take; tells when it was refused for that.

    A write without the ledger is rejected, not degraded (DegradedWriteRejected).
    """

    __slots__ = ()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, LedgerError):
            self._observer.note(DegradedWriteRejected(operation=self._name))
        super().__exit__(kind, error, traceback)


def status_of(error: BaseException | None) -> str:
    """Return success, cancelled or error."""
    if error is None:
        return "success"
    return "cancelled" if isinstance(error, trio.Cancelled) else "error"


def describe(error: BaseException | None) -> str:
    """Return an error in one bounded line without anything a stranger must not read.

    Our own errors hold no secrets, but those of authentication hold what was signed;
    the text of foreign exceptions may hold anything.
    """
    if error is None:
        return ""
    name = type(error).__name__
    if isinstance(error, AuthError) or not isinstance(error, S3OError):
        return name
    text = str(error)
    return f"{name}: {text}"[:ERROR_CHARACTERS] if text else name
