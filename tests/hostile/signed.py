"""Hostile requests of somebody who is signed in: the signature is right, the rest not.

A row is what is asked and what must come back; `rows` turns a table into cases.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.behaviour.service import Query, Service
from tests.hostile.case import Case, upload_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One signed request.

    raw_path: the spelling on the wire, if it is not path's. upload_of: the bucket whose
    upload under way the request names by its id.
    """

    method: str = "GET"
    path: str = "/photos/a"
    query: Query = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    raw_path: bytes = b""
    upload_of: str = ""

    def make(self, service: Service) -> bytes:
        """Return the request's bytes."""
        query = self.query
        if self.upload_of:
            query = (*query, ("uploadId", upload_of(service, self.upload_of)))
        raw = service.request(self.method, self.path, query, self.headers, self.body)
        if not self.raw_path:
            return raw
        method, _, rest = raw.partition(b" ")
        _, _, rest = rest.partition(b" ")
        return b" ".join((method, self.raw_path, rest))


Row = tuple[str, Ask, int, str]


def rows(group: str, table: Iterable[Row]) -> Iterator[Case]:
    """Yield a case per row: a name, what is asked, the one status and code due."""
    for name, ask, status, code in table:
        yield Case(
            name=f"{group}: {name}",
            make=ask.make,
            status=status,
            code=code,
            method=ask.method,
        )
