"""Sub-resources that a method does not have: refused, never taken for the plain one."""

from collections.abc import Iterator

from s3o.s3api.operation import Level
from s3o.s3api.operations import SUBRESOURCES
from tests.hostile.case import Case
from tests.hostile.signed import Ask, Row, rows
from tests.hostile.tenants import OPERATIONS

_PATHS = {Level.BUCKET: "/photos", Level.OBJECT: "/photos/a"}


def _table() -> Iterator[Row]:
    known = {
        (row.level, row.method, name)
        for row in OPERATIONS
        for name in (row.subresource, *row.parameters)
    }
    for level, path in _PATHS.items():
        for method in ("PUT", "DELETE", "POST"):
            for name in sorted(SUBRESOURCES):
                if (level, method, name) not in known:
                    ask = Ask(method=method, path=path, query=((name, ""),))
                    yield f"{method} {path}?{name}", ask, *_due(level, name)


def _due(level: Level, name: str) -> tuple[int, str]:
    if (level, name) == (Level.OBJECT, "versions"):
        return 400, "InvalidRequest"
    return 501, "NotImplemented"


def cases() -> Iterator[Case]:
    """Yield every case of this class."""
    yield from rows("subresources", _table())
