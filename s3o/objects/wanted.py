"""Versions that were written a moment ago and may want copies.

The replicator would find them at its next look at the whole ledger; told at once, it
makes their copies within seconds. Nothing depends on it: what does not fit, or is lost
with the process, is found by the look.
"""

from collections.abc import Callable

from s3o.model.limits import WANTED_COPIES
from s3o.model.names import VersionId


class CopiesWanted:
    """A bounded set of versions, oldest first, and who is poked about them."""

    def __init__(self) -> None:
        self._versions: dict[VersionId, None] = {}
        self._poke: Callable[[], None] = _nobody
        self._is_on: Callable[[], bool] = _never

    def connect(self, poke: Callable[[], None], is_on: Callable[[], bool]) -> None:
        """Say who is to be poked, and whether there are to be copies at all."""
        self._poke = poke
        self._is_on = is_on

    def note(self, version_id: VersionId) -> None:
        """A version was written, or lost a copy."""
        if not self._is_on():
            return
        if len(self._versions) < WANTED_COPIES:
            self._versions[version_id] = None
        self._poke()

    def take(self, limit: int) -> list[VersionId]:
        """Return up to limit versions and forget them."""
        taken = list(self._versions)[:limit]
        for version_id in taken:
            del self._versions[version_id]
        return taken

    def clear(self) -> None:
        """Forget all (nobody wants copies)."""
        self._versions.clear()

    @property
    def is_empty(self) -> bool:
        """Whether there are none."""
        return not self._versions


def _nobody() -> None:
    pass


def _never() -> bool:
    return False
