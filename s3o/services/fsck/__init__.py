"""Compare the ledger with the backends, and explain every difference."""

from s3o.services.fsck.compare import Fsck, FsckReport
from s3o.services.fsck.difference import Difference, Kind

__all__ = ["Difference", "Fsck", "FsckReport", "Kind"]
