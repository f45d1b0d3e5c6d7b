"""Section `database`: where the ledger lives."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import model_validator

from s3o.config.kinds import (
    Choice,
    Count,
    Duration,
    OptionalSecret,
    OptionalText,
    Port,
    Section,
    Text,
    Whole,
)
from s3o.config.problems import Fault

SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


class DatabaseSettings(Section):
    """SQLite in a file, or PostgreSQL; postgres is meant when a host is named."""

    driver: Annotated[Literal["sqlite", "postgres"], Choice] = "sqlite"
    """Engine of the ledger; without it, postgres if host is set, else sqlite."""
    path: Text = "s3-orchestrator.db"
    """SQLite: the database file."""
    host: OptionalText = None
    """PostgreSQL: host name or address."""
    port: Port = 5432
    """PostgreSQL: port."""
    database: OptionalText = None
    """PostgreSQL: name of the database."""
    user: OptionalText = None
    """PostgreSQL: user."""
    password: OptionalSecret = None
    """PostgreSQL: password."""
    ssl_mode: Annotated[SslMode, Choice] = "require"
    """PostgreSQL: how much TLS is demanded."""
    max_conns: Count = 50
    """PostgreSQL: most connections."""
    min_conns: Whole = 10
    """PostgreSQL: connections kept open."""
    max_conn_lifetime: Duration = 300.0
    """PostgreSQL: age at which a connection is replaced."""

    @model_validator(mode="before")
    @classmethod
    def _choose_driver(cls, data: object) -> object:
        if isinstance(data, dict) and not data.get("driver"):
            return data | {"driver": "postgres" if data.get("host") else "sqlite"}
        return data

    def faults(self) -> Iterator[Fault]:
        """PostgreSQL needs to be found and entered."""
        if self.driver != "postgres":
            return
        for name in ("host", "database", "user"):
            if getattr(self, name) is None:
                yield Fault((name,), "is required when database.driver is postgres")
        if self.min_conns > self.max_conns:
            yield Fault(("min_conns",), "must not exceed database.max_conns")
