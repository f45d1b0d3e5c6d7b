"""The door over a fake store, asked through a real connection in memory."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import h11
import trio

from s3o.ledger.listing import Page
from s3o.model.errors import (
    AccessDenied,
    BucketAlreadyExists,
    NoSuchBucket,
    NoSuchKey,
    S3OError,
)
from s3o.model.names import BucketId, BucketName, VersionId
from s3o.model.tenants import is_account
from s3o.model.values import Bucket, ObjectVersion, StoredObject
from s3o.net.memory import memory_stream_pair
from s3o.net.server import Server, ServerLimits
from s3o.policy.conditional import check_write
from s3o.s3api.body import BodyPlan, open_body, read_document
from s3o.s3api.credentials import ANONYMOUS, Caller
from s3o.s3api.door import S3Door
from tests.fakes.clock import START_US, ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.observer import RecordingObserver

PHOTOS = Bucket(
    id=BucketId(1),
    name=BucketName("photos"),
    created_at_us=START_US - 1_000_000,
    owner="bucket:photos",
)
OTHERS = Bucket(
    id=BucketId(2),
    name=BucketName("others"),
    created_at_us=START_US,
    owner="bucket:others",
)


class FakeBuckets:
    """Two buckets."""

    def __init__(self) -> None:
        self.buckets = {PHOTOS.name: PHOTOS, OTHERS.name: OTHERS}

    def find(self, name):
        """As BucketDirectory."""
        if name not in self.buckets:
            raise NoSuchBucket(name)
        return self.buckets[name]

    def owned_by(self, principal):
        """As BucketDirectory."""
        found = [each for each in self.buckets.values() if each.owner == principal]
        return tuple(sorted(found, key=lambda bucket: bucket.name))

    async def create(self, principal, name, config):
        """As BucketDirectory, for accounts that may make any bucket."""
        if name in self.buckets:
            raise BucketAlreadyExists(name)
        if not is_account(principal):
            raise AccessDenied
        self.buckets[name] = Bucket(
            id=BucketId(len(self.buckets) + 1),
            name=name,
            created_at_us=START_US,
            owner=principal,
            config=config,
        )
        return self.buckets[name]

    async def delete(self, bucket):
        """As BucketDirectory, for empty buckets of accounts."""
        if not is_account(bucket.owner):
            raise AccessDenied
        del self.buckets[bucket.name]

    async def configure(self, bucket, change):
        """As BucketDirectory."""
        self.buckets[bucket.name] = replace(bucket, config=change(bucket.config))


class FakeObjects:
    """An ObjectStore in a dictionary; failures by name of the method."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.uploads = object()  # nobody uploads in parts here: see tests/behaviour
        self.objects: dict[tuple[str, str], tuple[ObjectVersion, bytes]] = {}
        self.failures: dict[str, BaseException] = {}
        self.fail_read_at: int | None = None
        self.piece_bytes = 1000
        self.lists: list[dict[str, object]] = []
        self.opened: list[object] = []

    def _enter(self, name: str) -> None:
        if name in self.failures:
            raise self.failures[name]

    def _current(self, bucket, key):
        found = self.objects.get((bucket.name, key))
        return None if found is None else found[0]

    async def head(self, bucket, key, *, operation="HeadObject"):
        """As ObjectStore."""
        self._enter("head")
        return (await self.find(bucket, key)).version

    async def put_tags(self, bucket, key, tags):
        """As ObjectStore."""
        self._enter("put_tags")
        version = (await self.find(bucket, key)).version
        body = self.objects[bucket.name, key][1]
        facts = replace(version.facts, tags=tags)
        self.objects[bucket.name, key] = replace(version, facts=facts), body

    async def find(self, bucket, key):
        """As ObjectStore."""
        await trio.lowlevel.checkpoint()
        self._enter("find")
        version = self._current(bucket, key)
        if version is None:
            raise NoSuchKey(bucket.name, key)
        return StoredObject(version=version, locations=())

    @asynccontextmanager
    async def open(self, bucket, stored, interval):
        """As ObjectStore."""
        self.opened.append(interval)
        self._enter("open")
        body = self.objects[(bucket.name, stored.version.key)][1]
        chosen = b"" if interval is None else body[interval.start : interval.stop]
        yield _Reading(chosen, self)

    async def put(self, call):
        """As ObjectStore."""
        self._enter("put")
        current = self._current(call.bucket, call.key)
        check_write(call.conditions, current, call.bucket.name, call.key)
        pieces = []
        while piece := await call.source.read():
            pieces.append(piece)
        body = b"".join(pieces)
        digests = call.source.digests
        return self.store(
            call.key, body, facts=call.facts, digests=digests, bucket=call.bucket
        )

    def store(self, key, body, *, facts, digests, bucket=PHOTOS):
        """Make an object current."""
        version = ObjectVersion(
            bucket_id=bucket.id,
            key=key,
            version_id=VersionId(f"{len(self.objects):032x}"),
            sequence=len(self.objects),
            size=len(body),
            etag=digests.md5,
            created_at_us=self._clock.now_us(),
            facts=facts,
            checksum=digests.checksum,
        )
        self.objects[(bucket.name, key)] = (version, body)
        return version

    def change(self, key, **changes):
        """Change what the row of an object in photos says."""
        version, body = self.objects["photos", key]
        self.objects["photos", key] = replace(version, **changes), body

    async def delete(self, bucket, key, conditions):
        """As ObjectStore."""
        self._enter("delete")
        await trio.lowlevel.checkpoint()
        current = self._current(bucket, key)
        check_write(conditions, current, bucket.name, key, is_delete=True)
        self.objects.pop((bucket.name, key), None)

    async def delete_many(self, bucket, deletes):
        """As ObjectStore."""
        self._enter("delete_many")
        outcomes: list[S3OError | None] = []
        for each in deletes:
            try:
                await self.delete(bucket, each.key, each.conditions)
                outcomes.append(None)
            except S3OError as error:
                outcomes.append(error)
        return outcomes

    async def list(self, bucket, *, prefix, delimiter, after, limit):
        """As ObjectStore, by looking at every key."""
        self._enter("list")
        self.lists.append({"prefix": prefix, "after": after, "limit": limit})
        await trio.lowlevel.checkpoint()
        entries = []
        names = sorted(
            (key for name, key in self.objects if name == bucket.name),
            key=lambda key: key.encode(),
        )
        for name in names:
            if not name.startswith(prefix):
                continue
            cut = name.find(delimiter, len(prefix)) if delimiter else -1
            group = name[: cut + len(delimiter)] if cut >= 0 else None
            entry = group or self.objects[(bucket.name, name)][0]
            text = group or name
            is_behind = text.encode() <= after.encode() or (
                group is not None and after.startswith(group)
            )
            if not is_behind and (not entries or entries[-1] != entry):
                entries.append(entry)
        page = tuple(entries[:limit])
        last = page[-1] if len(entries) > limit else None
        return Page(
            entries=page,
            next_after=last.key if isinstance(last, ObjectVersion) else last,
        )


class _Reading:
    def __init__(self, body: bytes, objects: FakeObjects) -> None:
        self._body = body
        self._objects = objects
        self._position = 0

    async def read(self) -> bytes:
        await trio.lowlevel.checkpoint()
        fail_at = self._objects.fail_read_at
        if fail_at is not None and self._position >= fail_at:
            raise self._objects.failures["read"]
        start = self._position
        self._position += self._objects.piece_bytes
        return self._body[start : self._position]


class FakeAdmitted:
    """A caller whom the test names; the body is read and verified as always."""

    def __init__(self, exchange, caller: Caller) -> None:
        self._exchange = exchange
        self.caller = caller
        self._plan = BodyPlan(
            fields=exchange.head.fields,
            content_length=exchange.head.content_length,
            is_chunked=exchange.head.is_chunked,
        )

    def open_source(self, algorithm=None):
        return open_body(self._exchange, self._plan, algorithm=algorithm)

    async def read_document(self, limit_bytes: int, *, is_checksummed=True) -> bytes:
        return await read_document(
            self._exchange, self._plan, limit_bytes, is_checksummed=is_checksummed
        )


class FakeGate:
    """Who says whose he is, is; by name, a configured bucket's own if unknown."""

    def __init__(self) -> None:
        self.callers: dict[str, Caller] = {"anonymous": ANONYMOUS}
        self.failure: BaseException | None = None

    def admit(self, exchange, target):
        if self.failure is not None:
            raise self.failure
        caller = exchange.head.fields.get("x-test-caller")
        if caller is None:
            raise AccessDenied
        known = self.callers.get(caller, Caller(principal=f"bucket:{caller}"))
        return FakeAdmitted(exchange, known)

    async def admit_form(self, exchange, target):
        """Nobody signs forms here; tests of forms bring the real gate."""
        raise AccessDenied


@dataclass
class Reply:
    """One answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes
    was_continued: bool = False

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class House:
    """The door and all that it stands on."""

    clock: ManualClock = field(default_factory=ManualClock)
    observer: RecordingObserver = field(default_factory=RecordingObserver)
    max_concurrent_requests: int = 0

    def __post_init__(self) -> None:
        self.objects = FakeObjects(self.clock)
        self.buckets = FakeBuckets()
        self.gate = FakeGate()
        self.door = S3Door(
            self.objects,
            self.buckets,
            self.gate,
            self.observer,
            self.clock,
            SeededEntropy(1),
            domains=lambda: ("s3.example",),
            region=lambda: "us-east-1",
            max_concurrent_requests=lambda: self.max_concurrent_requests,
            host_id="host",
        )
        self.server = Server(
            self.door.handle,
            ServerLimits(),
            self.clock,
            refuse=self.door.refuse,
            refuse_head=self.door.refuse_head,
            crashed=self.door.crashed,
        )

    async def ask(
        self,
        method: str,
        target: str,
        headers: dict[str, str | list[str]] | None = None,
        body: bytes = b"",
        *,
        caller: str | None = "photos",
        is_body_sent: bool = True,
    ) -> Reply:
        """Send one request on a connection of its own; return its answer.

        headers: a list of values is sent as that many headers.
        """
        fields = {"host": "localhost", **(headers or {})}
        if caller is not None:
            fields["x-test-caller"] = caller
        if (body or method in ("PUT", "POST")) and "transfer-encoding" not in fields:
            fields.setdefault("content-length", str(len(body)))
        head = "".join(
            f"{name}: {value}\r\n"
            for name, values in fields.items()
            for value in (values if isinstance(values, list) else [values])
        )
        raw = f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1")
        client, server = memory_stream_pair(buffer_bytes=1 << 26)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.server.serve_stream, server)
            await client.send_vectored([raw, body] if is_body_sent else [raw])
            reply = await _receive(client, method)
            await client.aclose()
        return reply

    async def put(self, key: str, body: bytes, headers=None) -> Reply:
        """Store an object through the door."""
        return await self.ask("PUT", f"/photos/{key}", headers, body)


async def _receive(client, method: str) -> Reply:
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method=method, target="/", headers=[("Host", "localhost")]))
    parser.send(h11.EndOfMessage())
    was_continued = False
    status, headers, pieces = 0, {}, []
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            parser.receive_data(await client.receive_some(1 << 20))
        elif isinstance(event, h11.InformationalResponse):
            was_continued = True
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = {
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in event.headers
            }
        elif isinstance(event, h11.Data):
            pieces.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            return Reply(status, headers, b"".join(pieces), was_continued)
        else:
            raise AssertionError(f"unexpected {event}")


__all__ = ["House", "Reply"]
