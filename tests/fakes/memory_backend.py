"""A backend in memory, which keeps its own books and misbehaves on demand.

It checks what no real provider would: that a storage key, and a part of an upload, is
written at most once, and that the bytes it holds never go over the quota, at any
instant (`violations`). Faults come from a FaultPlan; late effects happen at a time of
the clock, without any task.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import NoReturn, TypeVar

import trio

from s3o.backends.seam import BlobReader, DeleteOutcome, Meter, unsupported
from s3o.model import limits
from s3o.model.errors import (
    BackendError,
    BackendFull,
    BackendProtocolError,
    BackendRefused,
    BackendThrottled,
    BackendUnreachable,
    BlobMissing,
    UploadMissing,
)
from s3o.model.names import BackendName, StorageKey
from s3o.model.seams import ByteSource, Clock
from s3o.model.values import (
    BlobHeaders,
    BlobInfo,
    BlobPage,
    Interval,
    ListedBlob,
    NativePart,
    PutReceipt,
    Traits,
    UploadPage,
)
from tests.fakes.clock import TrioClock
from tests.fakes.faults import Fault, FaultPlan
from tests.fakes.memory_uploads import (
    MemoryUploads,
    Part,
    Refusal,
    Upload,
    assemble,
)
from tests.fakes.sources import digests_of

T = TypeVar("T")
SLOW_S = 10.0  # before each piece of a slow body
EVERYTHING = Traits(has_multipart=True, can_copy=True, can_copy_part=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlob:
    """One blob as it lies there."""

    body: bytes
    headers: BlobHeaders
    etag: str
    stored_at_us: int

    def info(self) -> BlobInfo:
        """What the backend says of it."""
        return BlobInfo(
            stored_bytes=len(self.body),
            etag=self.etag,
            headers={
                name.lower(): value
                for name, value in (*self.headers.record, *self.headers.metadata)
            },
            modified_at_us=self.stored_at_us,
            content_type=self.headers.content_type,
            standard=self.headers.headers,
        )


@dataclass(slots=True)
class Books:
    """What the backend was asked to do and what it holds."""

    held_bytes: int = 0
    peak_bytes: int = 0
    calls: list[tuple[str, str]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


def part_name(storage_key: StorageKey, upload_id: str, number: int) -> str:
    """How the books call one part."""
    return f"{storage_key}#{number} {upload_id}"


class _NoMeter:
    def count_request(self) -> None:
        pass

    def count_ingress(self, size_bytes: int) -> None:
        pass

    def count_egress(self, size_bytes: int) -> None:
        pass


class MemoryBackend:
    """An s3o.backends.seam.Backend. quota_bytes None: no quota is checked."""

    def __init__(
        self,
        name: str = "memory",
        *,
        meter: Meter | None = None,
        clock: Clock | None = None,
        faults: FaultPlan | None = None,
        quota_bytes: int | None = None,
        list_lag_s: float = 0.0,
        late_s: float = 400.0,
        latency_s: tuple[float, float] = (0.0, 0.0),
        etag_is_md5: bool = True,
        traits: Traits = EVERYTHING,
    ) -> None:
        self.name = BackendName(name)
        self.faults = faults or FaultPlan()
        self.books = Books()
        self.blobs: dict[StorageKey, StoredBlob] = {}
        self.uploads = MemoryUploads(name)
        self.traits = traits
        self.quota_bytes = quota_bytes
        self.is_closed = False
        self.may_repeat = False  # the same bytes under the same name, over HTTP
        self.slow_s: dict[str, float] = {}  # how long an operation takes
        self.cuts_bytes = 0  # by which it cuts ranges short that it copies
        self._meter: Meter = meter or _NoMeter()
        self._clock: Clock = clock or TrioClock()
        self._list_lag_s = list_lag_s
        self._late_s = late_s
        self._latency_s = latency_s
        self._etag_is_md5 = etag_is_md5
        self._late: list[tuple[float, Callable[[], object]]] = []
        self._written: set[str] = set()

    async def put(
        self, storage_key: StorageKey, source: ByteSource, headers: BlobHeaders
    ) -> PutReceipt:
        """Store source's bytes, or meet a fault."""
        fault = await self._begin("put", storage_key)
        self._note_written(storage_key)
        body = await self._receive(source)
        if fault is Fault.STORE_PART:
            body = body[: len(body) // 2]
        blob = self._blob(body, headers)

        def store() -> PutReceipt:
            self._store(storage_key, blob)
            return PutReceipt(etag=blob.etag, etag_is_md5=self._etag_is_md5)

        return await self._finish(fault, "put", store)

    async def _receive(self, source: ByteSource) -> bytes:
        pieces: list[bytes] = []
        left = source.size
        while True:
            piece = await source.read()
            assert len(piece) <= limits.PIECE_BYTES, "a piece over the bound"
            left -= len(piece)
            self._meter.count_ingress(len(piece))
            pieces.append(piece)
            if left <= 0:
                break
            assert piece, "a source may not end early"
        assert left == 0, "a source may not yield more than its size"
        await self._travel()
        return b"".join(pieces)

    async def _finish(
        self, fault: Fault | None, operation: str, effect: Callable[[], T]
    ) -> T:
        """Let the call have its effect, now or later, and answer."""
        if fault is Fault.REFUSED:
            raise self._refused(operation, 403, "QuotaExceeded")
        if fault is Fault.HANG_THEN_STORE:
            at_s = self._clock.monotonic_s() + self._late_s
            self._late.append((at_s, effect))
            await trio.sleep_forever()
        done = effect()
        if fault is Fault.DUPLICATED:
            self._late.append((self._clock.monotonic_s() + self._late_s, effect))
        if fault in (Fault.STORE_THEN_HANG, Fault.STORE_PART):
            await trio.sleep_forever()
        self._fail_after(fault, operation)
        return done

    def _blob(self, body: bytes, headers: BlobHeaders, etag: str = "") -> StoredBlob:
        return StoredBlob(
            body=body,
            headers=headers,
            etag=etag or digests_of(body).md5,
            stored_at_us=self._clock.now_us(),
        )

    def _note_written(self, name: str) -> None:
        if name in self._written and not self.may_repeat:
            self.books.violations.append(f"written twice: {name}")

    # ---- uploads

    async def create_upload(self, storage_key: StorageKey, headers: BlobHeaders) -> str:
        """Begin an upload, or meet a fault."""
        fault = await self._begin("create_upload", storage_key)
        self._demand("create_upload", self.traits.has_multipart)

        def create() -> str:
            return self.uploads.create(storage_key, headers, self._clock.now_us())

        return await self._finish(fault, "create_upload", create)

    async def upload_part(
        self,
        storage_key: StorageKey,
        upload_id: str,
        number: int,
        source: ByteSource,
    ) -> PutReceipt:
        """Store one part, or meet a fault."""
        subject = part_name(storage_key, upload_id, number)
        fault = await self._begin("upload_part", subject)
        self._upload(storage_key, upload_id, "upload_part")
        self._note_written(subject)
        body = await self._receive(source)

        def store() -> PutReceipt:
            return self._store_part(storage_key, upload_id, number, body)

        return await self._finish(fault, "upload_part", store)

    def _store_part(
        self, storage_key: StorageKey, upload_id: str, number: int, body: bytes
    ) -> PutReceipt:
        upload = self._upload(storage_key, upload_id, "upload_part")
        self._written.add(part_name(storage_key, upload_id, number))
        part = Part(body, digests_of(body).md5)
        previous = upload.parts.get(number)
        upload.parts[number] = part
        self._hold(len(body) - (len(previous.body) if previous else 0))
        return PutReceipt(etag=part.etag, etag_is_md5=self._etag_is_md5)

    async def complete_upload(
        self,
        storage_key: StorageKey,
        upload_id: str,
        parts: Sequence[tuple[int, str]],
    ) -> PutReceipt:
        """Make parts the blob, or meet a fault."""
        fault = await self._begin("complete_upload", storage_key)
        if fault is Fault.MISSING:
            raise self._upload_missing(storage_key, upload_id, "complete_upload")

        def complete() -> PutReceipt:
            upload = self.uploads.find(storage_key, upload_id)
            if upload is None:
                raise self._upload_missing(storage_key, upload_id, "complete_upload")
            try:
                body, etag = assemble(upload, parts, self.traits)
            except Refusal as refusal:
                raise self._refused("complete_upload", 400, str(refusal)) from None
            self._note_written(storage_key)
            self._forget_upload(upload_id)
            self._store(storage_key, self._blob(body, upload.headers, etag))
            return PutReceipt(etag=etag)

        return await self._finish(fault, "complete_upload", complete)

    async def abort_upload(self, storage_key: StorageKey, upload_id: str) -> None:
        """Give an upload up, or meet a fault."""
        fault = await self._begin("abort_upload", storage_key)
        is_known = self.uploads.find(storage_key, upload_id) is not None
        if is_known and fault is not Fault.DELETE_LIES:
            self._forget_upload(upload_id)
        self._fail_after(fault, "abort_upload")

    async def list_parts(
        self, storage_key: StorageKey, upload_id: str
    ) -> tuple[NativePart, ...]:
        """All parts, or a fault."""
        fault = await self._begin("list_parts", storage_key)
        if fault is Fault.MISSING:
            raise self._upload_missing(storage_key, upload_id, "list_parts")
        return self.uploads.listed(self._upload(storage_key, upload_id, "list_parts"))

    async def list_uploads(
        self, prefix: str, token: str | None = None, limit: int = 1000
    ) -> UploadPage:
        """One page of uploads under way, or a fault."""
        fault = await self._begin("list_uploads", prefix)
        found = self.uploads.page(prefix)
        start = int(token or 0)
        page = found[start : start + limit]
        if fault is Fault.LIST_DROPS:
            page = [one for one in page if self.faults.random.random() < 0.5]
        is_last = start + limit >= len(found)
        return UploadPage(
            uploads=tuple(page), next_token=None if is_last else str(start + limit)
        )

    def _upload(
        self, storage_key: StorageKey, upload_id: str, operation: str
    ) -> Upload:
        upload = self.uploads.find(storage_key, upload_id)
        if upload is None:
            raise self._upload_missing(storage_key, upload_id, operation)
        return upload

    def _upload_missing(
        self, storage_key: StorageKey, upload_id: str, operation: str
    ) -> UploadMissing:
        return UploadMissing(
            *(self.name, operation, "", storage_key, upload_id),
            is_definite=operation != "complete_upload",
        )

    def _forget_upload(self, upload_id: str) -> None:
        self._hold(-self.uploads.under_way.pop(upload_id).held_bytes)

    # ---- copies

    async def copy(
        self,
        source_key: StorageKey,
        storage_key: StorageKey,
        headers: BlobHeaders,
    ) -> PutReceipt:
        """Copy a blob, or meet a fault."""
        fault = await self._begin("copy", f"{source_key} {storage_key}")
        self._demand("copy", self.traits.can_copy)
        source = self._find(source_key, "copy", fault)
        self._note_written(storage_key)
        await self._travel()
        blob = self._blob(self._spoil(fault, source_key, source.body), headers)

        def store() -> PutReceipt:
            self._store(storage_key, blob)
            return PutReceipt(etag=blob.etag, etag_is_md5=self._etag_is_md5)

        return await self._finish(fault, "copy", store)

    async def copy_part(
        self,
        source_key: StorageKey,
        interval: Interval | None,
        storage_key: StorageKey,
        upload_id: str,
        number: int,
    ) -> PutReceipt:
        """Copy a blob, or an interval of it, as a part, or meet a fault."""
        subject = part_name(storage_key, upload_id, number)
        fault = await self._begin("copy_part", f"{source_key} {subject}")
        self._demand("copy_part", self.traits.can_copy_part)
        self._upload(storage_key, upload_id, "copy_part")
        body = self._find(source_key, "copy_part", fault).body
        if interval is not None:
            if interval.stop > len(body):
                raise self._refused("copy_part", 416, "InvalidRange")
            body = body[interval.start : interval.stop - self.cuts_bytes]
        self._note_written(subject)
        await self._travel()
        body = self._spoil(fault, source_key, body)

        def store() -> PutReceipt:
            return self._store_part(storage_key, upload_id, number, body)

        return await self._finish(fault, "copy_part", store)

    def _demand(self, operation: str, can: bool) -> None:
        if not can:
            raise unsupported(self.name, operation)

    # ---- reading

    @asynccontextmanager
    async def open(
        self, storage_key: StorageKey, interval: Interval | None = None
    ) -> AsyncIterator[BlobReader]:
        """Open a blob, or meet a fault."""
        fault = await self._begin("open", storage_key)
        blob = self._other(self._find(storage_key, "open", fault), fault, storage_key)
        if interval is None:
            body = blob.body
        elif interval.stop > len(blob.body):
            raise self._refused("open", 416, "InvalidRange")
        else:
            body = blob.body[interval.start : interval.stop]
        body = self._spoil(fault, storage_key, body)
        lies_there = self.blobs[storage_key]
        yield _Reader(self, blob, storage_key, body, fault, lies_there)

    async def head(self, storage_key: StorageKey) -> BlobInfo:
        """Say what is known of a blob."""
        fault = await self._begin("head", storage_key)
        return self._find(storage_key, "head", fault).info()

    async def delete(self, storage_keys: Sequence[StorageKey]) -> list[DeleteOutcome]:
        """Delete blobs in one call; an absent one counts as deleted."""
        assert len(storage_keys) <= 1000
        fault = await self._begin("delete", ",".join(storage_keys))
        if fault is not Fault.DELETE_LIES:
            for storage_key in storage_keys:
                self._remove(storage_key)
        self._fail_after(fault, "delete")
        return [DeleteOutcome(storage_key) for storage_key in storage_keys]

    async def list_page(
        self, prefix: str, token: str | None = None, limit: int = 1000
    ) -> BlobPage:
        """One page in byte order; young blobs are invisible for list_lag_s."""
        fault = await self._begin("list_page", prefix)
        seen_us = self._clock.now_us() - round(self._list_lag_s * 1_000_000)
        names = sorted(
            (
                name
                for name, blob in self.blobs.items()
                if name.startswith(prefix)
                and (not self._list_lag_s or blob.stored_at_us <= seen_us)
                and (token is None or name.encode() > token.encode())
            ),
            key=str.encode,
        )
        page = names[:limit]
        next_token = page[-1] if len(names) > limit else None
        if fault is Fault.LIST_DROPS:
            page = [name for name in page if self.faults.random.random() < 0.5]
        if fault is Fault.LIST_REPEATS and page:
            page = [page[0], *page]
        return BlobPage(
            blobs=tuple(self._listed(name) for name in page), next_token=next_token
        )

    async def probe(self) -> None:
        """Answer, or meet a fault."""
        await self._begin("probe", "")

    async def aclose(self) -> None:
        """Nothing to close; a test can ask whether it was."""
        self.is_closed = True
        await trio.lowlevel.checkpoint()

    def lose(self, storage_key: StorageKey) -> None:
        """Lose a blob that was stored, as disks do."""
        self._remove(storage_key)

    def settle(self) -> None:
        """Let what is due by now happen (late PUTs)."""
        now_s = self._clock.monotonic_s()
        due = [late for late in self._late if late[0] <= now_s]
        self._late = [late for late in self._late if late[0] > now_s]
        for _, effect in due:
            # An upload may be gone meanwhile; nobody waits for the answer.
            with suppress(BackendError):
                effect()

    def is_late(self) -> bool:
        """Whether something is still on its way."""
        self.settle()
        return bool(self._late)

    def names(self) -> list[StorageKey]:
        """All names there are, in byte order, faults or not."""
        self.settle()
        return sorted(self.blobs, key=str.encode)

    def count_egress(self, size_bytes: int) -> None:
        """Count what a reader hands out."""
        self._meter.count_egress(size_bytes)

    def still_has(self, storage_key: StorageKey, blob: StoredBlob) -> bool:
        """Whether the blob lies there; a reader asks before every piece."""
        return self.blobs.get(storage_key) is blob

    async def _begin(self, operation: str, subject: str) -> Fault | None:
        assert not self.is_closed, "a call after aclose"
        self.settle()
        self.books.calls.append((operation, subject))
        self._meter.count_request()
        fault = self.faults.draw(operation)
        await self._travel()
        if operation in self.slow_s:
            await trio.sleep(self.slow_s[operation])
        self._fail_before(fault, operation)
        if fault is Fault.HANG:
            await trio.sleep_forever()
        return fault

    async def _travel(self) -> None:
        low, high = self._latency_s
        if high > 0:
            await trio.sleep(self.faults.random.uniform(low, high))
        else:
            await trio.lowlevel.checkpoint()

    def _fail_before(self, fault: Fault | None, operation: str) -> None:
        match fault:
            case Fault.UNREACHABLE:
                raise BackendUnreachable(self.name, operation, "no connection")
            case Fault.ERROR_BEFORE:
                raise self._error_500(operation)
            case Fault.FORBIDDEN:
                raise self._refused(operation, 403, "AccessDenied")
            case Fault.THROTTLED:
                raise BackendThrottled(self.name, operation, retry_after_s=1.0)
            case Fault.FULL:
                raise BackendFull(
                    self.name, operation, "no space left", is_definite=True
                )

    def _fail_after(self, fault: Fault | None, operation: str) -> None:
        if fault is Fault.ERROR_AFTER:
            raise self._error_500(operation)
        if fault is Fault.LOST_ANSWER:
            raise BackendUnreachable(self.name, operation, "the answer was lost")

    def _refused(self, operation: str, status: int, code: str) -> BackendRefused:
        return BackendRefused(
            self.name, operation, code, status=status, code=code, is_definite=True
        )

    def _error_500(self, operation: str) -> BackendError:
        return BackendRefused(
            self.name, operation, "boom", status=500, code="InternalError"
        )

    def _find(
        self, storage_key: StorageKey, operation: str, fault: Fault | None
    ) -> StoredBlob:
        blob = self.blobs.get(storage_key)
        if blob is None or fault is Fault.MISSING:
            raise BlobMissing(self.name, operation, storage_key=storage_key)
        return blob

    def _spoil(
        self, fault: Fault | None, storage_key: StorageKey, body: bytes
    ) -> bytes:
        if fault is Fault.FLIPPED and body:
            position = self.faults.random.randrange(len(body))
            spoiled = bytearray(body)
            spoiled[position] ^= 1
            return bytes(spoiled)
        if fault is Fault.SWAPPED:
            others = [name for name in sorted(self.blobs) if name != storage_key]
            if others:
                other = self.blobs[self.faults.random.choice(others)].body or b"\0"
                return (other * (len(body) // len(other) + 1))[: len(body)]
        return body

    def _other(
        self, blob: StoredBlob, fault: Fault | None, storage_key: StorageKey
    ) -> StoredBlob:
        """Return the blob that is answered with."""
        if fault is Fault.EMPTY:
            return replace(blob, body=b"", etag=digests_of(b"").md5)
        others = [name for name in sorted(self.blobs) if name != storage_key]
        if fault is Fault.OTHER_BLOB and others:
            return self.blobs[self.faults.random.choice(others)]
        return blob

    def _store(self, storage_key: StorageKey, blob: StoredBlob) -> None:
        before = self.blobs.get(storage_key)
        if before is not None and before.body != blob.body:
            self.books.violations.append(f"overwritten: {storage_key}")
        self._remove(storage_key)
        self._written.add(storage_key)
        self.blobs[storage_key] = blob
        self._hold(len(blob.body))

    def _hold(self, size_bytes: int) -> None:
        self.books.held_bytes += size_bytes
        self.books.peak_bytes = max(self.books.peak_bytes, self.books.held_bytes)
        if self.quota_bytes is not None and self.books.held_bytes > self.quota_bytes:
            self.books.violations.append(
                f"{self.books.held_bytes} bytes held, quota {self.quota_bytes}"
            )

    def _remove(self, storage_key: StorageKey) -> None:
        blob = self.blobs.pop(storage_key, None)
        if blob is not None:
            self._hold(-len(blob.body))

    def _listed(self, name: StorageKey) -> ListedBlob:
        blob = self.blobs[name]
        return ListedBlob(
            name=name,
            stored_bytes=len(blob.body),
            etag=blob.etag,
            modified_at_us=blob.stored_at_us,
        )


class _Reader:
    """The open blob; breaks off or stalls in the middle when told to.

    A blob deleted meanwhile breaks off, too: no provider promises more.
    """

    def __init__(
        self,
        backend: MemoryBackend,
        blob: StoredBlob,
        storage_key: StorageKey,
        body: bytes,
        fault: Fault | None,
        lies_there: StoredBlob,
    ) -> None:
        self.info = blob.info()
        self._backend = backend
        self._blob = lies_there
        self._storage_key = storage_key
        self._body = body
        self._fault = fault
        self._position = 0

    async def read(self) -> bytes:
        if self._fault is Fault.SLOW:
            await trio.sleep(SLOW_S)
        else:
            await trio.lowlevel.checkpoint()
        stop = min(self._position + limits.PIECE_BYTES, len(self._body))
        if self._fault in (Fault.TRUNCATED, Fault.STALLED):
            half = len(self._body) // 2
            if self._position >= half:
                if self._fault is Fault.STALLED:
                    await trio.sleep_forever()
                self._break("the body ended early")
            stop = min(stop, half)
        piece = self._body[self._position : stop]
        if piece and not self._backend.still_has(self._storage_key, self._blob):
            self._break("the blob was deleted")
        self._position = stop
        self._backend.count_egress(len(piece))
        return piece

    def _break(self, reason: str) -> NoReturn:
        raise BackendProtocolError(self._backend.name, "open", reason)
