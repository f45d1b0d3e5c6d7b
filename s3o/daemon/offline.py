"""What the commands share that work on the ledger while nobody serves."""

from s3o.model.facts import Fact


class Deaf:
    """The observer: no facts are wanted, what matters is in the command's report."""

    def note(self, fact: Fact) -> None:
        """Forget it."""
