"""Names of the ledger's own backups on backends, below `.s3o/`.

    .s3o/CLUSTER/snapshot-EPOCH-AFTER-THROUGH-RUN-NUMBER[ml]!WRITE
    .s3o/CLUSTER/log-EPOCH-AFTER-THROUGH-RUN-NUMBER[ml]!WRITE

A listing alone therefore says how far the backends' knowledge reaches. No bucket's name
begins with a dot, so none of these is ever an object's. Like every storage key, one is
written at most once: a new attempt and every copy have a write id of their own.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from s3o.model.names import StorageKey, WriteId
from s3o.model.numbers import parse_uint

BACKUP_PREFIX = ".s3o/"

# Greater ones no ledger of ours writes. Whoever takes a backend's word for the last
# life or sequence still has room above it.
_LAST_EPOCH = 99_000_000
LAST_SEQUENCE = 990_000_000_000_000_000

_CLUSTER = r"[A-Za-z0-9_.-]{1,36}"
_NAME = re.compile(
    rf"\.s3o/(?P<cluster>{_CLUSTER})/(?P<kind>snapshot|log)"
    r"-(?P<epoch>[0-9]{8})-(?P<after>[0-9]{18})-(?P<through>[0-9]{18})"
    r"-(?P<run>[0-9a-f]{12})-(?P<number>[0-9]{6})(?P<last>[ml])"
    r"!(?P<write_id>[0-9a-f]{32})",
    re.ASCII,
)


class BackupKind(StrEnum):
    """A snapshot tells of every object, a log of what was committed since."""

    SNAPSHOT = "snapshot"
    LOG = "log"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupName:
    """What the name of one segment of a backup says.

    epoch: the life of the ledger. through: the last sequence that is told of; a
    snapshot tells of everything up to it and perhaps of more, a log of what came behind
    after. run, number: the pass that wrote it, by its time in hex,
    and where it stands in that pass's row.
    is_last: the segment that closes a snapshot; always so for a log.
    """

    cluster_id: str
    kind: BackupKind
    epoch: int
    after: int
    through: int
    run: str
    number: int
    is_last: bool

    def storage_key(self, write_id: WriteId) -> StorageKey:
        """Return the name of one copy of this segment."""
        return StorageKey(
            f"{BACKUP_PREFIX}{self.cluster_id}/{self.kind}-{self.epoch:08d}"
            f"-{self.after:018d}-{self.through:018d}-{self.run}-{self.number:06d}"
            f"{'l' if self.is_last else 'm'}!{write_id}"
        )


def parse_backup_name(text: str) -> BackupName:
    """Take the name of a backup apart; raises ValueError for any other name."""
    match = _NAME.fullmatch(text)
    if match is None:
        raise ValueError("not the name of a backup of ours")
    epoch, through = _decimal(match["epoch"]), _decimal(match["through"])
    if epoch > _LAST_EPOCH or through > LAST_SEQUENCE:
        raise ValueError("beyond what any ledger has come to")
    return BackupName(
        cluster_id=match["cluster"],
        kind=BackupKind(match["kind"]),
        epoch=epoch,
        after=_decimal(match["after"]),
        through=through,
        run=match["run"],
        number=_decimal(match["number"]),
        is_last=match["last"] == "l",
    )


def is_backup_name(text: str) -> bool:
    """Whether text has a backup's shape, whichever cluster's."""
    return _NAME.fullmatch(text) is not None


def _decimal(digits: str) -> int:
    return parse_uint(digits.lstrip("0") or "0")
