"""One hostile case: bytes on the wire, the answer it must get, nothing left behind.

A case is judged by status and code *and* by what it did: the rows and blobs of both
tenants are the same as before, nothing crashed, and the next request is healthy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.behaviour.service import Service

TABLES = (
    *("buckets", "objects", "object_locations", "tombstones", "multipart_uploads"),
    *("multipart_parts", "completed_uploads", "notification_outbox"),
)
# What both tenants count on.
VICTIM = b"the victim's bytes"
OWN = b"the caller's own bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is sent, and what must come back.

    make: the request's bytes, made with the service at hand. statuses: any of them; 0
    is a connection closed without an answer. code: the S3 error code, if one is due.
    may_change: tables that the request may change, being half legitimate.
    """

    name: str
    make: Callable[[Service], bytes]
    statuses: tuple[int, ...]
    code: str = ""
    method: str = "GET"
    may_change: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Scene:
    """A service with two tenants' objects, and what it held before a case."""

    service: Service
    rows: Mapping[str, object] = field(default_factory=dict)
    blobs: Mapping[tuple[str, str], bytes] = field(default_factory=dict)

    async def prepare(self) -> None:
        """Store what must survive; remember it."""
        for key in ("a", "dir/b", "c d"):
            await self._put(f"/photos/{key}", OWN, "photoskey")
        for key in ("a", "secret/b"):
            await self._put(f"/others/{key}", VICTIM, "otherskey")
        self.remember()

    async def _put(self, path: str, body: bytes, who: str) -> None:
        answer = await self.service.ask("PUT", path, body=body, who=who)
        assert answer.status == 200, answer.text

    def remember(self) -> None:
        """Take what there is now for what must stay."""
        self.rows = self.service.rows(*TABLES)
        self.blobs = self.service.blobs()

    async def judge(self, case: Case) -> None:
        """Send the case; raise AssertionError unless all is as it must be."""
        answer = await self.service.send(case.make(self.service), case.method)
        assert answer.status in case.statuses, (case.name, answer.status, answer.body)
        if case.code:
            assert answer.code == case.code, (case.name, answer.text)
        assert answer.status != 500, (case.name, answer.text)
        self.check_nothing_changed(case)
        await self.check_health()

    def check_nothing_changed(self, case: Case) -> None:
        """Compare both tenants' rows and bytes with what was before."""
        now = self.service.rows(*TABLES)
        for table in TABLES:
            if table not in case.may_change:
                assert now[table] == self.rows[table], (case.name, table)
        lying = self.service.blobs()
        lost = self.blobs.keys() - lying.keys()
        assert not lost, (case.name, lost)
        assert all(lying[name] == body for name, body in self.blobs.items())
        if not case.may_change:
            assert lying.keys() == self.blobs.keys(), case.name
        assert not self.service.crashed, (case.name, self.service.crashed)

    async def check_health(self) -> None:
        """The next request is served, and the ledger's audit is content."""
        answer = await self.service.ask("GET", "/others/a", who="otherskey")
        assert (200, VICTIM) == (answer.status, answer.body)
        assert [] == await self.service.complaints()
