"""The commands of `admin`: one row each, over an action of the admin API.

A row says what a person types, which action that asks for, and how its answer is shown
on a terminal. Rows whose route admin/actions does not have fail a test.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from s3o.cli import admin_views as views

Document = Mapping[str, object]
View = Callable[[Document], str]


class Kind(Enum):
    """What a flag is followed by."""

    TEXT = "text"
    COUNT = "count"
    SWITCH = "switch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """-name or --name; parameter: of the action ("" does not go along)."""

    name: str
    parameter: str
    help: str
    kind: Kind = Kind.TEXT
    is_required: bool = False
    is_in_body: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The action that a command asks for."""

    method: str
    path: str
    is_job: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminCommand:
    """One command.

    argument: what stands for `{...}` in the path, or the ids of a body, as the help
    calls it. switched: what is asked for instead when that flag is given.
    """

    words: tuple[str, ...]
    summary: str
    request: Request
    flags: tuple[Flag, ...] = ()
    argument: str = ""
    are_ids: bool = False
    is_optional: bool = False  # the argument may be left out
    switch: str = ""
    switched: Request | None = None
    view: View = views.show_pairs
    switched_view: View = views.show_pairs


def get(path: str) -> Request:
    """Return a question."""
    return Request(method="GET", path=path)


def post(path: str, *, is_job: bool = False) -> Request:
    """Return a request to do something."""
    return Request(method="POST", path=path, is_job=is_job)


BATCH = Flag(
    name="batch-size",
    parameter="batch_size",
    kind=Kind.COUNT,
    help="most objects in the pass",
)
_LETTERS = (
    Flag(
        name="all",
        parameter="all",
        kind=Kind.SWITCH,
        is_in_body=True,
        help="all of them instead of some ids",
    ),
    Flag(
        name="backend",
        parameter="backend",
        is_in_body=True,
        help="only those of this backend",
    ),
)

COMMANDS: tuple[AdminCommand, ...] = (
    AdminCommand(
        words=("status",),
        summary="how the database and every backend stand",
        request=get("/status"),
        view=views.show_status,
    ),
    AdminCommand(
        words=("object-locations",),
        summary="where the bytes of an object are",
        request=get("/object-locations"),
        flags=(
            Flag(
                name="key",
                parameter="key",
                is_required=True,
                help="the object, as bucket/key",
            ),
        ),
        view=views.show_locations,
    ),
    AdminCommand(
        words=("cleanup-queue",),
        summary="what waits to be deleted",
        request=get("/cleanup-queue"),
        view=views.show_queue,
    ),
    AdminCommand(
        words=("dlq", "list"),
        summary="bytes whose deletion failed ten times",
        request=get("/dead-letters"),
        flags=(
            Flag(
                name="backend", parameter="backend", help="only those of this backend"
            ),
            Flag(
                name="after", parameter="after", kind=Kind.COUNT, help="behind this id"
            ),
            Flag(
                name="limit", parameter="limit", kind=Kind.COUNT, help="most rows shown"
            ),
        ),
        view=views.show_dead_letters,
    ),
    AdminCommand(
        words=("dlq", "retry"),
        summary="queue dead letters for deletion again",
        request=post("/dead-letters/retry"),
        flags=_LETTERS,
        argument="ID",
        are_ids=True,
    ),
    AdminCommand(
        words=("dlq", "write-off"),
        summary="release dead letters from the quota: their bytes are gone",
        request=post("/dead-letters/write-off"),
        flags=(
            *_LETTERS,
            Flag(
                name="confirm",
                parameter="confirm",
                kind=Kind.SWITCH,
                is_in_body=True,
                help="do it; without, only tell how much is meant",
            ),
        ),
        argument="ID",
        are_ids=True,
        view=views.show_write_off,
    ),
    AdminCommand(
        words=("rebalance",),
        summary="move blobs between backends, one cycle",
        request=post("/rebalance", is_job=True),
    ),
    AdminCommand(
        words=("drain",),
        summary="take no writes on a backend any more, and empty it",
        request=post("/backends/{}/drain"),
        argument="BACKEND",
    ),
    AdminCommand(
        words=("drain-status",),
        summary="how far a drain is, what remains and why",
        request=get("/backends/{}/drain"),
        argument="BACKEND",
    ),
    AdminCommand(
        words=("drain-cancel",),
        summary="make the backend an ordinary one again",
        request=Request(method="DELETE", path="/backends/{}/drain"),
        argument="BACKEND",
    ),
    AdminCommand(
        words=("remove-backend",),
        summary="take a backend out of the ledger",
        request=Request(method="DELETE", path="/backends/{}", is_job=True),
        flags=(
            Flag(
                name="purge",
                parameter="purge",
                kind=Kind.SWITCH,
                help="delete its bytes and what has no other copy; needs --confirm",
            ),
            Flag(
                name="confirm",
                parameter="confirm",
                kind=Kind.SWITCH,
                help="do it; without, --purge only tells what it would take",
            ),
        ),
        argument="BACKEND",
        view=views.show_removal,
    ),
    AdminCommand(
        words=("replicate",),
        summary="make the copies that lack, one cycle of them",
        request=post("/replicate", is_job=True),
        flags=(BATCH,),
    ),
    AdminCommand(
        words=("over-replication",),
        summary="count copies beyond the factor, or remove them",
        request=get("/over-replication"),
        flags=(
            Flag(
                name="execute",
                parameter="",
                kind=Kind.SWITCH,
                help="remove them",
            ),
            BATCH,
        ),
        switch="execute",
        switched=post("/over-replication", is_job=True),
    ),
    AdminCommand(
        words=("scrub",),
        summary="read the next copies and repair bad ones, one cycle",
        request=post("/scrub", is_job=True),
        flags=(BATCH,),
    ),
    AdminCommand(
        words=("backfill-checksums",),
        summary="compute the SHA-256 of every object without one",
        request=post("/backfill-checksums", is_job=True),
        flags=(BATCH,),
    ),
    AdminCommand(
        words=("usage-flush",),
        summary="write the usage counters down now",
        request=post("/usage-flush"),
    ),
    AdminCommand(
        words=("lifecycle",),
        summary="carry the lifecycle rules out now",
        request=post("/lifecycle", is_job=True),
    ),
    AdminCommand(
        words=("reconcile",),
        summary="compare one backend, or all, with the ledger now",
        request=post("/reconcile", is_job=True),
        flags=(
            Flag(
                name="backend", parameter="backend", help="only this one (default: all)"
            ),
        ),
    ),
    AdminCommand(
        words=("ledger-backup",),
        summary="back the ledger up on the backends now",
        request=post("/ledger/backup", is_job=True),
    ),
    AdminCommand(
        words=("ledger-accept",),
        summary="accept a ledger that the backends know better than",
        request=post("/ledger/accept"),
    ),
    AdminCommand(
        words=("log-level",),
        summary="show the log level, or change it",
        request=get("/log-level"),
        flags=(
            Flag(
                name="set",
                parameter="level",
                is_in_body=True,
                help="debug, info, warn or error",
            ),
        ),
        switch="set",
        switched=Request(method="PUT", path="/log-level"),
    ),
    AdminCommand(
        words=("jobs",),
        summary="jobs that run, and the last ones that ended",
        request=get("/jobs"),
        view=views.show_jobs,
    ),
    AdminCommand(
        words=("job",),
        summary="one job and its progress",
        request=get("/jobs/{}"),
        argument="ID",
    ),
    AdminCommand(
        words=("job-cancel",),
        summary="cancel a job",
        request=Request(method="DELETE", path="/jobs/{}"),
        argument="ID",
    ),
)
