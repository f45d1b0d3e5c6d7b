"""The gate before everything that deletes: closed while the ledger may be wrong.

A ledger that was restored from an old copy takes for garbage what was written since. So
until somebody has looked (services/ledger_check), and while what was found calls for an
operator's decision, nothing is deleted and no row is removed. Reads and writes go on.
"""


class Safety:
    """What keeps the destructive services back; causes are independent."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    @property
    def may_destroy(self) -> bool:
        """Whether bytes may be deleted and rows removed."""
        return not self._reasons

    @property
    def reason(self) -> str:
        """Why not; "" when they may."""
        return "; ".join(self._reasons.values())

    def close(self, cause: str, reason: str) -> None:
        """Hold everything back for this cause."""
        self._reasons[cause] = reason

    def clear(self, cause: str) -> None:
        """This cause holds nothing back any more."""
        self._reasons.pop(cause, None)


def always() -> bool:
    """The gate of who has none: a test of one service."""
    return True
