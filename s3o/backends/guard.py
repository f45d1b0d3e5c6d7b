"""Every call to a backend goes through here: breaker, monthly limits, deadlines, facts.

Rules:
- The circuit breaker hears only what tells about the backend: policy/health judges its
  errors; a cancelled caller, a client that breaks off and a failed source tell nothing.
- One cancel scope per call whose deadline moves (call.py); only a reader takes one per
  piece (guard_reader).
- Deletes, HEAD, listings, probes, Complete and Abort are never refused for a monthly
  limit: they free room and find the truth. They are counted like everything else.

Source: product description, Backend Circuit Breaker and Usage Limits.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from s3o.backends.call import Call, CallBody, CallMeter
from s3o.backends.guard_reader import GuardedOpening
from s3o.backends.seam import Backend, BlobReader, DeleteOutcome
from s3o.model.errors import BackendCircuitOpen, BackendOverUsage
from s3o.model.facts import BackendCalled, BreakerChanged, UsageRejected
from s3o.model.names import BackendName, StorageKey
from s3o.model.seams import ByteSource, Clock, Entropy, Observer
from s3o.model.values import (
    BlobHeaders,
    BlobInfo,
    BlobPage,
    BreakerState,
    Interval,
    NativePart,
    PutReceipt,
    Traits,
    UploadPage,
    Usage,
)
from s3o.policy.breaker import Change, CircuitBreaker
from s3o.policy.health import Verdict
from s3o.policy.usage import UNLIMITED, LimitType, UsageLimits, exceeded_limit


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendLimits:
    """What the operator allows one backend; 0 is no limit. Replaced by a reload."""

    quota_bytes: int = 0
    max_object_size: int = 0
    usage: UsageLimits = UNLIMITED


class Guarded:
    """A Backend around another one, which must count into `meter`."""

    def __init__(
        self,
        inner: Backend,
        *,
        meter: CallMeter,
        breaker: CircuitBreaker,
        limits: BackendLimits,
        observer: Observer,
        clock: Clock,
        entropy: Entropy,
        backend_timeout_s: float,
    ) -> None:
        self.limits = limits
        self._inner = inner
        self._usage = meter.usage
        self._breaker = breaker
        self._observer = observer
        self._clock = clock
        self._entropy = entropy
        self._timeout_s = backend_timeout_s

    @property
    def name(self) -> BackendName:
        """Its name in the configuration."""
        return self._inner.name

    @property
    def traits(self) -> Traits:
        """What it can do beyond storing whole blobs."""
        return self._inner.traits

    @property
    def state(self) -> BreakerState:
        """What the circuit breaker says."""
        return self._breaker.state

    @property
    def opened_at_s(self) -> float | None:
        """Since when the circuit is not closed, on the monotonic clock."""
        return self._breaker.opened_at_s

    def may_call(self) -> bool:
        """Whether the circuit breaker would let a call through; changes nothing."""
        return self._breaker.may_call(self._clock.monotonic_s())

    def exceeded(self, proposed: Usage) -> LimitType | None:
        """Return the monthly limit that proposed would break; changes nothing."""
        limits = self.limits.usage
        if not limits:
            return None
        return exceeded_limit(limits, self._usage.effective(), proposed)

    def expire_probe(self) -> None:
        """Give up a probe that never ended (the breaker watchdog's call)."""
        self._note_change(self._breaker.expire_probe(self._clock.monotonic_s()))

    async def put(
        self, storage_key: StorageKey, source: ByteSource, headers: BlobHeaders
    ) -> PutReceipt:
        """Store source's bytes. Raises also what source.read raises."""
        call = self.begin("PutObject", Usage(1, 0, source.size))
        with call:
            body = CallBody(source, call)
            receipt = await self._inner.put(storage_key, body, headers)
        call.succeed()
        return receipt

    def open(
        self, storage_key: StorageKey, interval: Interval | None = None
    ) -> AbstractAsyncContextManager[BlobReader]:
        """Open a blob. Without an interval the limits only hear of the request."""
        return GuardedOpening(self, storage_key, interval)

    async def head(self, storage_key: StorageKey) -> BlobInfo:
        """Ask what the backend knows of a blob."""
        call = self.begin("HeadObject")
        with call:
            info = await self._inner.head(storage_key)
        call.succeed()
        return info

    async def delete(self, storage_keys: Sequence[StorageKey]) -> list[DeleteOutcome]:
        """Delete blobs; a failure of one is in its outcome."""
        call = self.begin("DeleteObjects")
        with call:
            outcomes = await self._inner.delete(storage_keys)
        failed = [outcome.error for outcome in outcomes if outcome.error is not None]
        if failed and len(failed) == len(outcomes):
            call.fail(failed[0])
        else:
            call.succeed("error" if failed else "success")
        return outcomes

    async def list_page(
        self, prefix: str, token: str | None = None, limit: int = 1000
    ) -> BlobPage:
        """Return one page of the listing."""
        call = self.begin("ListObjects")
        with call:
            page = await self._inner.list_page(prefix, token, limit)
        call.succeed()
        return page

    async def create_upload(self, storage_key: StorageKey, headers: BlobHeaders) -> str:
        """Begin a native upload and return the backend's id of it."""
        call = self.begin("CreateMultipartUpload", Usage(1))
        with call:
            upload_id = await self._inner.create_upload(storage_key, headers)
        call.succeed()
        return upload_id

    async def upload_part(
        self,
        storage_key: StorageKey,
        upload_id: str,
        number: int,
        source: ByteSource,
    ) -> PutReceipt:
        """Send one part. Raises also what source.read raises."""
        call = self.begin("UploadPart", Usage(1, 0, source.size))
        with call:
            body = CallBody(source, call)
            receipt = await self._inner.upload_part(
                storage_key, upload_id, number, body
            )
        call.succeed()
        return receipt

    async def complete_upload(
        self,
        storage_key: StorageKey,
        upload_id: str,
        parts: Sequence[tuple[int, str]],
    ) -> PutReceipt:
        """Make parts the blob; each byte of the answer gives the backend more time.

        Not refused for a monthly limit: the parts are paid for already.
        """
        call = self.begin("CompleteMultipartUpload")
        with call:
            receipt = await self._inner.complete_upload(storage_key, upload_id, parts)
        call.succeed()
        return receipt

    async def abort_upload(self, storage_key: StorageKey, upload_id: str) -> None:
        """Give an upload and its parts up."""
        call = self.begin("AbortMultipartUpload")
        with call:
            await self._inner.abort_upload(storage_key, upload_id)
        call.succeed()

    async def list_parts(
        self, storage_key: StorageKey, upload_id: str
    ) -> tuple[NativePart, ...]:
        """Return all parts of an upload."""
        call = self.begin("ListParts")
        with call:
            parts = await self._inner.list_parts(storage_key, upload_id)
        call.succeed()
        return parts

    async def list_uploads(
        self, prefix: str, token: str | None = None, limit: int = 1000
    ) -> UploadPage:
        """Return one page of uploads under way."""
        call = self.begin("ListMultipartUploads")
        with call:
            page = await self._inner.list_uploads(prefix, token, limit)
        call.succeed()
        return page

    async def copy(
        self,
        source_key: StorageKey,
        storage_key: StorageKey,
        headers: BlobHeaders,
    ) -> PutReceipt:
        """Copy a whole blob: one request, whatever its size."""
        call = self.begin("CopyObject", Usage(1))
        with call:
            receipt = await self._inner.copy(source_key, storage_key, headers)
        call.succeed()
        return receipt

    async def copy_part(
        self,
        source_key: StorageKey,
        interval: Interval | None,
        storage_key: StorageKey,
        upload_id: str,
        number: int,
    ) -> PutReceipt:
        """Copy a blob, or an interval of it, as one part: one request."""
        call = self.begin("UploadPartCopy", Usage(1))
        with call:
            receipt = await self._inner.copy_part(
                source_key, interval, storage_key, upload_id, number
            )
        call.succeed()
        return receipt

    async def probe(self) -> None:
        """Make the cheapest call that shows whether the backend serves us."""
        call = self.begin("Probe")
        with call:
            await self._inner.probe()
        call.succeed()

    async def aclose(self) -> None:
        """Close idle connections."""
        await self._inner.aclose()

    def settle(self, call: Call, verdict: Verdict, status: str) -> None:
        """Take the end of a call (for call.py only)."""
        self._observer.note(
            BackendCalled(
                backend=self.name,
                operation=call.operation,
                status=status,
                duration_s=call.spent_s,
            )
        )
        self.judge(call, verdict)

    def judge(self, call: Call, verdict: Verdict) -> None:
        """Tell the breaker what a call shows; its later results no longer count."""
        match verdict:
            case Verdict.WELL:
                self._note_change(self._breaker.succeeded(call.ticket))
            case Verdict.SICK:
                now_s = self._clock.monotonic_s()
                jitter = self._entropy.uniform(0.0, 1.0)
                self._note_change(self._breaker.failed(call.ticket, now_s, jitter))
            case Verdict.NOTHING:
                self._breaker.abandoned(call.ticket)

    def begin(self, operation: str, proposed: Usage | None = None) -> Call:
        """Let a call through or raise; limits first, for a ticket must be used.

        The caller must settle the call. For this module and guard_reader only.
        """
        if proposed is not None:
            self._refuse_over_usage(operation, proposed)
        ticket = self._breaker.allow(self._clock.monotonic_s())
        if ticket is None:
            raise BackendCircuitOpen(self.name, operation, "the circuit is open")
        for change in ticket.changes:
            self._note_change(change)
        return Call(self, operation, ticket, self._timeout_s)

    def _refuse_over_usage(self, operation: str, proposed: Usage) -> None:
        exceeded = self.exceeded(proposed)
        if exceeded is None:
            return
        self._observer.note(
            UsageRejected(backend=self.name, operation=operation, limit_type=exceeded)
        )
        raise BackendOverUsage(
            self.name, operation, "over a monthly limit", limit_type=exceeded
        )

    def _note_change(self, change: Change | None) -> None:
        if change is not None:
            self._observer.note(
                BreakerChanged(
                    name=self.name,
                    previous=change.previous,
                    state=change.state,
                    reason=change.reason,
                )
            )

    def open_inner(
        self, storage_key: StorageKey, interval: Interval | None
    ) -> AbstractAsyncContextManager[BlobReader]:
        """Open the blob unguarded (for guard_reader only)."""
        return self._inner.open(storage_key, interval)
