"""What the actions work on: the parts of the house that an operator may ask or move."""

from collections.abc import Callable
from dataclasses import dataclass

from s3o.admin.jobs import Jobs
from s3o.backends.fleet import Fleet
from s3o.config.settings import Settings
from s3o.ledger.ledger import Ledger
from s3o.model.seams import Clock, Observer
from s3o.objects.buckets import BucketDirectory
from s3o.observe.logs import EventLog
from s3o.services.dead_letters import DeadLetters
from s3o.services.drains import Drains
from s3o.services.ledger_backup import LedgerBackup
from s3o.services.ledger_check import LedgerCheck
from s3o.services.lifecycle import Lifecycle
from s3o.services.over_replication import OverReplicationCleaner
from s3o.services.rebalancer import Rebalancer
from s3o.services.reconciler import Reconciler
from s3o.services.removal import Removal
from s3o.services.replicator import Replicator
from s3o.services.runner import Runner
from s3o.services.safety import Safety
from s3o.services.scrubber import Scrubber


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Made once by the daemon; settings returns those in force now."""

    settings: Callable[[], Settings]
    ledger: Ledger
    fleet: Fleet
    buckets: BucketDirectory
    log: EventLog
    observer: Observer
    clock: Clock
    runner: Runner
    jobs: Jobs
    safety: Safety
    dead_letters: DeadLetters
    lifecycle: Lifecycle
    reconciler: Reconciler
    replicator: Replicator
    over_replication: OverReplicationCleaner
    ledger_check: LedgerCheck
    ledger_backup: LedgerBackup
    drains: Drains
    removal: Removal
    rebalancer: Rebalancer
    scrubber: Scrubber
