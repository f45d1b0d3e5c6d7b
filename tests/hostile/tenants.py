"""Every operation of the table on the other tenant's bucket: denied before judged."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

from s3o.s3api.operation import Level
from s3o.s3api.operations import list_operations
from tests.hostile.case import Case
from tests.hostile.signed import Ask, Row, rows

# Only the table's rows are read; no handler is called.
OPERATIONS = list_operations(
    cast("Any", None), cast("Any", SimpleNamespace(uploads=None)), lambda: "us-east-1"
)
_PATHS = {Level.BUCKET: "/others", Level.OBJECT: "/others/secret/b"}
_MAKES_BUCKETS = "CreateBucket"


def _table() -> Iterator[Row]:
    for row in OPERATIONS:
        if row.level is Level.SERVICE or row.name == _MAKES_BUCKETS:
            continue
        ask = Ask(
            method=row.method,
            path=_PATHS[row.level],
            query=((row.subresource, ""),) if row.subresource else (),
            headers={row.header: "/others/a"} if row.header else {},
        )
        code = "" if row.method == "HEAD" else "AccessDenied"
        yield f"{row.name} {row.subresource}", ask, 403, code


def cases() -> Iterator[Case]:
    """Yield every case of this class."""
    yield from rows("tenants", _table())
