"""What can differ, in a sentence each, and what a person can do about it.

Names and keys are shown as Python writes strings: a key with control bytes in it must
not write on a terminal.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of differences; ADVICE has a row for each."""

    LEDGER = "ledger"
    DAMAGED_ROW = "damaged_row"
    INCOMPLETE_OBJECT = "incomplete_object"
    UNKNOWN_BACKEND = "unknown_backend"
    MISSING = "missing"
    LAST_MISSING = "last_missing"
    BACKUP_MISSING = "backup_missing"
    WRONG_SIZE = "wrong_size"
    CHANGED = "changed"
    WRONG_BYTES = "wrong_bytes"
    SUSPECT = "suspect"
    LOST = "lost"
    QUARANTINED = "quarantined"
    UNKNOWN_BLOB = "unknown_blob"
    UNKNOWN_BACKUP = "unknown_backup"
    FOREIGN = "foreign"


_REPAIR = "start the service with integrity.enabled: the scrubber repairs it"

ADVICE = {
    Kind.LEDGER: (
        "the ledger contradicts itself; `s3-orchestrator recover` builds a new one"
    ),
    Kind.DAMAGED_ROW: (
        "requests refuse the row; `s3-orchestrator recover` builds a new ledger"
    ),
    Kind.INCOMPLETE_OBJECT: (
        "restore the object, or delete it; `s3-orchestrator recover --dry-run` tells "
        "whether its bytes still lie somewhere"
    ),
    Kind.UNKNOWN_BACKEND: (
        "put the backend back into the configuration, then take it out with "
        "`admin drain` and `admin remove-backend`"
    ),
    Kind.MISSING: f"another copy has the bytes; {_REPAIR}",
    Kind.LAST_MISSING: (
        "bring the backend's data back from its provider, or delete the object; the "
        "ledger keeps the row until then"
    ),
    Kind.BACKUP_MISSING: "the next snapshot replaces it; nothing to do",
    Kind.WRONG_SIZE: f"something else wrote to the backend; {_REPAIR}",
    Kind.CHANGED: (
        "something else wrote to the backend; run fsck with --deep to see whether the "
        f"bytes are right. If not, {_REPAIR}"
    ),
    Kind.WRONG_BYTES: f"if another copy is good, {_REPAIR}; else it is quarantined",
    Kind.SUSPECT: f"a check found wrong bytes; {_REPAIR}",
    Kind.LOST: f"if another copy is good, {_REPAIR}; else bring the data back",
    Kind.QUARANTINED: (
        "the last copy, and its bytes are wrong: restore the object from elsewhere, or "
        "delete it"
    ),
    Kind.UNKNOWN_BLOB: (
        "it has this product's shape: a leftover, or of another ledger. If the ledger "
        "was restored from an old copy, run `s3-orchestrator recover`; else delete it"
    ),
    Kind.UNKNOWN_BACKUP: (
        "a backup of a ledger that this one does not know of: if the ledger was "
        "restored from an old copy, run `s3-orchestrator recover`; else delete it"
    ),
    Kind.FOREIGN: (
        "import it with `s3-orchestrator sync`, or move it out of the backend's bucket"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference; text is a sentence, backend "" where it is in the ledger."""

    kind: Kind
    text: str
    backend: str = ""
    storage_key: str = ""
    bucket: str = ""
    key: str = ""

    @property
    def advice(self) -> str:
        """What a person can do about it."""
        return ADVICE[self.kind]
