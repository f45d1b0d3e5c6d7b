"""An observer that keeps what it is told."""

from typing import TypeVar

from s3o.model.facts import Fact

F = TypeVar("F", bound=Fact)


class RecordingObserver:
    """A model.seams.Observer for assertions."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def note(self, fact: Fact) -> None:
        """Keep the fact."""
        self.facts.append(fact)

    def of(self, kind: type[F]) -> list[F]:
        """The facts of one kind, in order."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def clear(self) -> None:
        """Forget everything so far."""
        self.facts.clear()
