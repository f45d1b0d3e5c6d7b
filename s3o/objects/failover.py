"""One body, tried on one backend after the other while it can be replayed.

What an attempt is (an object, a part) its caller says; here is only when another one
may begin: after a backend's failure, from the first byte, if the replay window still
holds every byte that was read.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from s3o.model.errors import BackendError, BackendsFailed
from s3o.model.facts import WriteFailedOver
from s3o.model.names import BackendName
from s3o.model.seams import DigestedSource, Observer
from s3o.objects.flow import ReplayableSource, ReplayBudget

T = TypeVar("T")
# The body, and the backends that this write has failed on with the reasons.
Attempt = Callable[[ReplayableSource, Mapping[BackendName, str]], Awaitable[T]]


class Failover:
    """Carries bodies to backends. Owns: the replay memory of the process."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._replay = ReplayBudget()

    async def carry(
        self, operation: str, source: DigestedSource, attempt: Attempt[T]
    ) -> T:
        """Return what the first attempt returns that no backend fails.

        Raises BackendsFailed when the body cannot be sent once more, and what attempt
        raises that is no backend's failure.
        """
        window = self._replay.take(source.size)
        try:
            plain = ReplayableSource(source, window)
            failed: dict[BackendName, str] = {}
            while True:
                try:
                    return await attempt(plain, failed)
                except BackendError as error:
                    failed[BackendName(error.backend)] = str(error)
                    note_failover(self._observer, operation, error)
                    if not plain.rewind():
                        raise BackendsFailed(
                            operation, tuple(failed.values())
                        ) from error
        finally:
            self._replay.give_back(window)


def note_failover(observer: Observer, operation: str, error: BackendError) -> None:
    """Tell that a write goes on elsewhere, or in another way, after error."""
    observer.note(
        WriteFailedOver(
            operation=operation,
            failed_backend=BackendName(error.backend),
            reason=str(error),
        )
    )
