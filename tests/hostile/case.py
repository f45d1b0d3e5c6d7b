"""One hostile case: bytes on the wire, the answer it must get, nothing left behind.

A case is judged by status and code *and* by what it did: the rows and blobs of both
tenants are the same as before, nothing crashed, and the next request is healthy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.behaviour.multipart import tag
from tests.behaviour.service import Service

# A write that failed half-way may leave a name to delete, and room reserved until it is
# gone (cleanup_queue, backend_quotas): the audit sees that both agree.
TABLES = (
    *("buckets", "objects", "noncurrent_versions", "object_locations", "tombstones"),
    *("pending_objects", "multipart_uploads", "multipart_parts", "completed_uploads"),
    *("account_usage", "cleanup_dlq", "notification_outbox"),
)
# What both tenants count on.
VICTIM = b"the victim's bytes"
VICTIM_KEY = b"secret/b"
OWN = b"the caller's own bytes"
PART = b"a part of an upload under way"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is sent, and what must come back.

    make: the request's bytes, made with the service at hand. code: the S3 error code,
    "" where the answer has none.
    """

    name: str
    make: Callable[[Service], bytes]
    status: int
    code: str = ""
    method: str = "GET"


def upload_of(service: Service, bucket: str) -> str:
    """Return the id of the upload that a scene left under way in a bucket."""
    (row,) = service.connection.execute(
        "SELECT upload_id FROM multipart_uploads JOIN buckets"
        " ON buckets.id = multipart_uploads.bucket_id WHERE name = ?",
        (bucket,),
    )
    return str(row[0])


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
        for key in ("a", VICTIM_KEY.decode()):
            await self._put(f"/others/{key}", VICTIM, "otherskey")
        for path, who in (("/photos/up", "photoskey"), ("/others/up", "otherskey")):
            await self._begin_upload(path, who)
        self.remember()

    async def _begin_upload(self, path: str, who: str) -> None:
        """Leave an upload under way, with parts 1 and 2."""
        answer = await self.service.ask("POST", path, (("uploads", ""),), who=who)
        upload_id = tag(answer.text, "UploadId")
        for number in ("1", "2"):
            query = (("partNumber", number), ("uploadId", upload_id))
            answer = await self.service.ask("PUT", path, query, body=PART, who=who)
            assert answer.status == 200, answer.text

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
        assert answer.status == case.status, (case.name, answer.status, answer.body)
        if case.code:
            assert answer.code == case.code, (case.name, answer.text)
        assert answer.status != 500, (case.name, answer.text)
        assert VICTIM not in answer.body, case.name
        assert answer.status != 200 or VICTIM_KEY not in answer.body, case.name
        self.check_nothing_changed(case)
        await self.check_health()

    def check_nothing_changed(self, case: Case) -> None:
        """Compare both tenants' rows and bytes with what was before."""
        now = self.service.rows(*TABLES)
        for table in TABLES:
            assert now[table] == self.rows[table], (case.name, table)
        assert self.service.blobs() == self.blobs, case.name
        assert not self.service.crashed, (case.name, self.service.crashed)

    async def check_health(self) -> None:
        """The next request is served, and the ledger's audit is content."""
        answer = await self.service.ask("GET", "/others/a", who="otherskey")
        assert (200, VICTIM) == (answer.status, answer.body)
        assert [] == await self.service.complaints()
