"""The ledger on SQLite: the only home of sqlite3.

connection opens and reads, group commits, migrate upgrades, engine is the one to serve
with (threads), inline the one for tests and the simulation (no threads, same code).
"""

from s3o.ledger.sqlite.engine import SqliteEngine, hold_sqlite, open_sqlite
from s3o.ledger.sqlite.inline import InlineEngine, open_inline

__all__ = ["InlineEngine", "SqliteEngine", "hold_sqlite", "open_inline", "open_sqlite"]
