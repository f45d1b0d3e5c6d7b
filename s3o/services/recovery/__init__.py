"""Rebuild a lost or stale ledger from configuration and backends.

base reads the newest snapshot and the logs behind it, survey lists every backend and
reads what no backup tells of, recovery is the whole story with its report.
"""

from s3o.services.recovery.base import RecoveryError
from s3o.services.recovery.recovery import Recovery, RecoveryReport

__all__ = ["Recovery", "RecoveryError", "RecoveryReport"]
