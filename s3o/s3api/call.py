"""What one request is to the code that serves it: a visit, then a call.

A visit begins with the first byte of the head, knows how to answer and remembers what
the audit line says. A call is what becomes of it once its caller is known and may do
what it asks. A body can be had from a call only, never from the exchange: whatever
reads it verifies what the client declared.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from s3o.model.names import ObjectKey
from s3o.model.seams import DigestedSource
from s3o.model.tenants import Permission
from s3o.model.values import Bucket, ChecksumAlgorithm
from s3o.net.exchange import Exchange
from s3o.s3api.answers import XML, Identity
from s3o.s3api.authorize import authorize, check_expected_owner
from s3o.s3api.credentials import Caller
from s3o.s3api.owner import EXPECTED_SOURCE_OWNER_HEADER
from s3o.wire.target import Query, Target

Headers = Sequence[tuple[str, str]]


class Visit:
    """One request while it is served, and what will be said about it."""

    __slots__ = (
        *("bucket", "error", "event", "exchange", "identity", "key", "operation"),
        "status",
    )

    def __init__(self, exchange: Exchange, identity: Identity) -> None:
        self.exchange = exchange
        self.identity = identity
        self.event = ""
        self.operation = ""
        self.bucket = ""
        self.key = ""
        self.status = 0
        self.error = ""

    async def respond(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """Send a whole answer."""
        self.status = status
        await self.exchange.respond(status, [*headers, *self.identity.headers], body)

    async def start(
        self, status: int, headers: Headers, content_length: int | None
    ) -> None:
        """Begin an answer whose body follows piece by piece; see Exchange.start."""
        self.status = status
        await self.exchange.start(
            status, [*headers, *self.identity.headers], content_length
        )


class SourceOpener(Protocol):
    """Opens the body as an object's or a part's bytes."""

    def __call__(self, algorithm: ChecksumAlgorithm | None = None) -> DigestedSource:
        """Return it; see s3api.seams.Admitted."""
        ...


class DocumentReader(Protocol):
    """Reads the body as one document, verified."""

    async def __call__(self, limit_bytes: int, *, is_checksummed: bool = True) -> bytes:
        """Return it; see s3api.seams.Admitted."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One authenticated and authorized request.

    caller: who asks; the door has checked what the operation's row says it needs.
    fields: headers, and what a presigned URL carries in their stead. named_bucket and
    named_key: as far as the operation's level names them; only CreateBucket may find
    no bucket. open_source and read_document: the only ways to the body. find_bucket:
    for authorize() alone.
    """

    visit: Visit
    target: Target
    caller: Caller
    fields: Mapping[str, str]
    open_source: SourceOpener
    read_document: DocumentReader
    find_bucket: Callable[[str], Bucket]
    named_bucket: Bucket | None = None
    named_key: ObjectKey | None = None

    @property
    def bucket(self) -> Bucket:
        """The bucket; only in operations on a bucket or an object."""
        assert self.named_bucket is not None
        return self.named_bucket

    @property
    def key(self) -> ObjectKey:
        """The key; only in operations on an object."""
        assert self.named_key is not None
        return self.named_key

    def authorize(self, name: str, key: ObjectKey, needs: Permission) -> Bucket:
        """Return another bucket that this call mentions (the source of a copy).

        The only way to one. Raises AccessDenied or NoSuchBucket, as the door would.
        """
        bucket = authorize(self.find_bucket, self.caller, name, key, needs)
        check_expected_owner(bucket, self.fields.get(EXPECTED_SOURCE_OWNER_HEADER))
        return bucket

    @property
    def query(self) -> Query:
        """The query's parameters."""
        return self.target.query

    async def respond(
        self, status: int, headers: Headers = (), body: bytes = b""
    ) -> None:
        """Send a whole answer."""
        await self.visit.respond(status, headers, body)

    async def respond_xml(self, body: bytes, headers: Headers = ()) -> None:
        """Send a document with status 200."""
        await self.visit.respond(200, [XML, *headers], body)
