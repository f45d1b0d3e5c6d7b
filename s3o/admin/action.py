"""What an action of the admin API is: a route, its parameters, and what it does.

Rules: a parameter that no action names is refused, and so is one given twice; an action
gets values that are parsed already, and answers with a document or raises Refused. An
action that may take long is a job: it goes on when its caller hangs up, and tells its
progress on the way.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from s3o.admin.desk import Desk
from s3o.admin.refusal import Document
from s3o.services.progress import Progress

ROOT = "/admin/api"

Value: TypeAlias = str | int | bool | tuple[int, ...]


class Kind(Enum):
    """How a parameter is read."""

    TEXT = "text"
    COUNT = "count"
    FLAG = "flag"  # true or false; in a query its bare name is true
    IDS = "ids"  # whole numbers, separated by commas in a query


class Place(Enum):
    """Where a parameter stands."""

    PATH = "path"
    QUERY = "query"
    BODY = "body"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter; low and high bound a COUNT, both included."""

    name: str
    kind: Kind = Kind.TEXT
    place: Place = Place.QUERY
    is_required: bool = False
    is_secret: bool = False  # kept out of the audit line
    low: int = 1
    high: int = 10_000


BATCH_SIZE = Parameter(name="batch_size", kind=Kind.COUNT)
BACKEND = Parameter(name="backend")
NAME = Parameter(name="name", place=Place.PATH, is_required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The parameters of one call, and where a job tells how far it is."""

    values: Mapping[str, Value] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)

    def has(self, name: str) -> bool:
        """Whether the parameter was given."""
        return name in self.values

    def text(self, name: str) -> str:
        """Return a TEXT that was given, else ""."""
        value = self.values.get(name, "")
        assert isinstance(value, str)
        return value

    def count(self, name: str) -> int | None:
        """Return a COUNT, or None if it was not given."""
        value = self.values.get(name)
        assert value is None or type(value) is int
        return value

    def flag(self, name: str) -> bool:
        """Return a FLAG; one that was not given is False."""
        return self.values.get(name) is True

    def ids(self, name: str) -> tuple[int, ...]:
        """Return IDS, none if they were not given."""
        value = self.values.get(name, ())
        assert isinstance(value, tuple)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One row of actions.ACTIONS.

    path is below ROOT; `{name}` in it stands for one segment. service: whose passes a
    job keeps out of its way while it runs, "" for none. status: of the answer to an
    action that was carried out.
    """

    name: str
    method: str
    path: str
    summary: str
    run: Callable[[Desk, Given], Awaitable[Document]]
    parameters: tuple[Parameter, ...] = ()
    is_job: bool = False
    service: str = ""
    status: int = 200
