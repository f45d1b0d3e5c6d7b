"""What the commands share that work on the ledger while nobody serves."""

from s3o.daemon.build import World
from s3o.ledger.ledger import Ledger
from s3o.ledger.seam import Engine
from s3o.model.facts import Fact
from s3o.policy.breaker import CircuitBreaker


class Deaf:
    """The observer: no facts are wanted, what matters is in the command's report."""

    def note(self, fact: Fact) -> None:
        """Forget it."""


def ledger_on(engine: Engine, world: World) -> Ledger:
    """Return the ledger that engine holds; a failure ends the command, no circuit."""
    never_opens = CircuitBreaker(failure_threshold=0, open_timeout_s=1.0)
    return Ledger(engine, never_opens, Deaf(), world.clock, world.entropy)
