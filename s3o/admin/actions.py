"""All actions of the admin API: one table, behind the routes and the commands.

To add one: write its function next to its kin and a row here; a command for it is a row
in cli/admin_commands; `python -m tests.admin.test_documented` tells docs/admin.md.
"""

from s3o.admin.action import (
    BACKEND,
    BATCH_SIZE,
    NAME,
    Action,
    Kind,
    Parameter,
    Place,
)
from s3o.admin.backends import (
    cancel_drain,
    rebalance,
    remove_backend,
    show_drain,
    start_drain,
)
from s3o.admin.copies import (
    clean_over_replication,
    replicate,
    show_over_replication,
)
from s3o.admin.dead_letters import (
    retry_dead_letters,
    show_dead_letters,
    write_off_dead_letters,
)
from s3o.admin.integrity import backfill_checksums, scrub
from s3o.admin.ledger import accept_ledger, back_up_ledger
from s3o.admin.reconcile import reconcile
from s3o.admin.show import show_cleanup_queue, show_object, show_status
from s3o.admin.upkeep import (
    cancel_job,
    flush_usage,
    list_jobs,
    run_lifecycle,
    set_log_level,
    show_job,
    show_log_level,
)
from s3o.services.ledger_backup import LedgerBackup
from s3o.services.over_replication import OverReplicationCleaner
from s3o.services.rebalancer import Rebalancer
from s3o.services.reconciler import Reconciler
from s3o.services.replicator import Replicator
from s3o.services.scrubber import Scrubber

_CHOSEN = (
    Parameter(name="ids", kind=Kind.IDS, place=Place.BODY),
    Parameter(name="all", kind=Kind.FLAG, place=Place.BODY),
    Parameter(name="backend", place=Place.BODY),
)
_JOB_ID = Parameter(name="id", place=Place.PATH, is_required=True)

ACTIONS: tuple[Action, ...] = (
    Action(
        name="Status",
        method="GET",
        path="/status",
        summary="How the database and every backend stand",
        run=show_status,
    ),
    Action(
        name="ObjectLocations",
        method="GET",
        path="/object-locations",
        summary="Where the bytes of an object are",
        parameters=(Parameter(name="key", is_required=True),),
        run=show_object,
    ),
    Action(
        name="CleanupQueue",
        method="GET",
        path="/cleanup-queue",
        summary="What waits to be deleted",
        run=show_cleanup_queue,
    ),
    Action(
        name="DeadLetters",
        method="GET",
        path="/dead-letters",
        summary="Bytes whose deletion failed ten times",
        parameters=(
            BACKEND,
            Parameter(name="after", kind=Kind.COUNT, high=(1 << 63) - 1),
            Parameter(name="limit", kind=Kind.COUNT, high=1000),
        ),
        run=show_dead_letters,
    ),
    Action(
        name="RetryDeadLetters",
        method="POST",
        path="/dead-letters/retry",
        summary="Queue their bytes for deletion again",
        parameters=_CHOSEN,
        run=retry_dead_letters,
    ),
    Action(
        name="WriteOffDeadLetters",
        method="POST",
        path="/dead-letters/write-off",
        summary="Release their bytes from the quota: they are gone",
        parameters=(
            *_CHOSEN,
            Parameter(name="confirm", kind=Kind.FLAG, place=Place.BODY),
        ),
        run=write_off_dead_letters,
    ),
    Action(
        name="Lifecycle",
        method="POST",
        path="/lifecycle",
        summary="Carry the lifecycle rules out now",
        run=run_lifecycle,
        is_job=True,
        service="lifecycle",
    ),
    Action(
        name="Reconcile",
        method="POST",
        path="/reconcile",
        summary="Compare one backend, or all, with the ledger now",
        parameters=(BACKEND,),
        run=reconcile,
        is_job=True,
        service=Reconciler.name,
    ),
    Action(
        name="Replicate",
        method="POST",
        path="/replicate",
        summary="Make the copies that objects lack, one cycle",
        parameters=(BATCH_SIZE,),
        run=replicate,
        is_job=True,
        service=Replicator.name,
    ),
    Action(
        name="OverReplication",
        method="GET",
        path="/over-replication",
        summary="How many objects have more copies than they should",
        run=show_over_replication,
    ),
    Action(
        name="CleanOverReplication",
        method="POST",
        path="/over-replication",
        summary="Remove copies over the factor, one cycle",
        parameters=(BATCH_SIZE,),
        run=clean_over_replication,
        is_job=True,
        service=OverReplicationCleaner.name,
    ),
    Action(
        name="Scrub",
        method="POST",
        path="/scrub",
        summary="Read the next copies and repair bad ones, one cycle",
        parameters=(BATCH_SIZE,),
        run=scrub,
        is_job=True,
        service=Scrubber.name,
    ),
    Action(
        name="BackfillChecksums",
        method="POST",
        path="/backfill-checksums",
        summary="Compute the SHA-256 of every object without one",
        parameters=(BATCH_SIZE,),
        run=backfill_checksums,
        is_job=True,
    ),
    Action(
        name="Rebalance",
        method="POST",
        path="/rebalance",
        summary="Move blobs between backends, one cycle",
        run=rebalance,
        is_job=True,
        service=Rebalancer.name,
    ),
    Action(
        name="StartDrain",
        method="POST",
        path="/backends/{name}/drain",
        summary="Take no writes on a backend any more, and empty it",
        parameters=(NAME,),
        run=start_drain,
        status=202,
    ),
    Action(
        name="DrainStatus",
        method="GET",
        path="/backends/{name}/drain",
        summary="How far a drain is, what remains and why",
        parameters=(NAME,),
        run=show_drain,
    ),
    Action(
        name="CancelDrain",
        method="DELETE",
        path="/backends/{name}/drain",
        summary="Make the backend an ordinary one again",
        parameters=(NAME,),
        run=cancel_drain,
    ),
    Action(
        name="RemoveBackend",
        method="DELETE",
        path="/backends/{name}",
        summary="Take a backend out of the ledger; with purge, its bytes too",
        parameters=(
            NAME,
            Parameter(name="purge", kind=Kind.FLAG),
            Parameter(name="confirm", kind=Kind.FLAG),
        ),
        run=remove_backend,
        is_job=True,
    ),
    Action(
        name="UsageFlush",
        method="POST",
        path="/usage-flush",
        summary="Write the usage counters down now",
        run=flush_usage,
    ),
    Action(
        name="BackUpLedger",
        method="POST",
        path="/ledger/backup",
        summary="Back the ledger up on the backends now",
        run=back_up_ledger,
        is_job=True,
        service=LedgerBackup.name,
    ),
    Action(
        name="AcceptLedger",
        method="POST",
        path="/ledger/accept",
        summary="Let deletes begin although the backends know another ledger",
        run=accept_ledger,
    ),
    Action(
        name="GetLogLevel",
        method="GET",
        path="/log-level",
        summary="The log level",
        run=show_log_level,
    ),
    Action(
        name="SetLogLevel",
        method="PUT",
        path="/log-level",
        summary="Change the log level until the next reload",
        parameters=(
            Parameter(name="level", kind=Kind.TEXT, place=Place.BODY, is_required=True),
        ),
        run=set_log_level,
    ),
    Action(
        name="ListJobs",
        method="GET",
        path="/jobs",
        summary="Jobs that run, and the last ones that ended",
        run=list_jobs,
    ),
    Action(
        name="GetJob",
        method="GET",
        path="/jobs/{id}",
        summary="One job and its progress",
        parameters=(_JOB_ID,),
        run=show_job,
    ),
    Action(
        name="CancelJob",
        method="DELETE",
        path="/jobs/{id}",
        summary="Cancel a job",
        parameters=(_JOB_ID,),
        run=cancel_job,
    ),
)
