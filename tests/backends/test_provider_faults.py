"""Every fault of a provider, over the guarded S3 client: what each call reports of it.

Whatever happens, an error says no more than is known (definite only where the provider
refused as a whole), the breaker hears what it should, nothing hangs, every connection's
slot comes back, and nobody is called whom the configuration does not name.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from trio.testing import MockClock

from s3o.backends.call import CallMeter
from s3o.backends.guard import BackendLimits, Guarded
from s3o.backends.usage import UsageCounters
from s3o.model import limits
from s3o.model.errors import (
    BackendError,
    BackendProtocolError,
    BackendRefused,
    BackendThrottled,
    BackendTimeout,
    BackendUnreachable,
    BlobMissing,
    UploadMissing,
)
from s3o.model.facts import BackendCalled
from s3o.model.names import BackendName
from s3o.model.values import BreakerState, Interval
from s3o.policy.breaker import CircuitBreaker
from tests.contract.subject import PLAIN, name_of
from tests.fakes.clock import TrioClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.observer import RecordingObserver
from tests.fakes.s3_provider import Provider, open_provider
from tests.fakes.s3_server import S3Fault
from tests.fakes.sources import BytesSource, pattern

NAME, SOURCE, TARGET = name_of("cat.jpg"), name_of("film.mp4"), name_of("copy.mp4")
BODY = pattern(300_000)
TIMEOUT_S = 30.0
LONG_S = 600.0
FINE = None


@dataclass(kw_only=True)
class Faulty:
    """One provider, its client and the guard; a source and an upload are there."""

    provider: Provider
    guarded: Guarded
    breaker: CircuitBreaker
    observer: RecordingObserver
    upload_id: str = ""
    part: tuple[int, str] = (1, "")

    async def read(self, interval: Interval | None = None) -> bytes:
        """Read the source to its end."""
        pieces = []
        async with self.guarded.open(SOURCE, interval) as reader:
            while piece := await reader.read():
                pieces.append(piece)
        return b"".join(pieces)

    async def call(self, operation: str) -> object:
        """Make one call."""
        return await CALLS[operation](self)

    def plant(self, operation: str, fault: S3Fault) -> None:
        """Let the next request of a call meet fault."""
        self.provider.server.plant(operation.partition(" ")[0], fault)

    async def fail(self, operation: str, fault: S3Fault) -> BackendError | None:
        """Make one call that meets fault; returns its error."""
        self.plant(operation, fault)
        try:
            await self.call(operation)
        except BackendError as error:
            return error
        return None

    def check_clean(self) -> None:
        """Nothing is left of any call, and no other host heard of it."""
        assert limits.BACKEND_CONNECTIONS == self.provider.pool.free_slots
        assert {("s3.example", 80)} == set(self.provider.network.connects)
        assert not any(self.provider.server.faults.values())


async def _put(faulty: Faulty) -> object:
    return await faulty.guarded.put(NAME, BytesSource(BODY), PLAIN)


async def _delete(faulty: Faulty) -> object:
    (outcome,) = await faulty.guarded.delete([SOURCE])
    if outcome.error is not None:
        raise outcome.error
    return outcome


async def _delete_many(faulty: Faulty) -> object:
    outcomes = await faulty.guarded.delete([SOURCE, NAME])
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
    return outcomes


CALLS: dict[str, Callable[[Faulty], Awaitable[object]]] = {
    "PutObject": _put,
    "GetObject": lambda faulty: faulty.read(),
    "GetObject of a range": lambda faulty: faulty.read(Interval(1000, 200_000)),
    "HeadObject": lambda faulty: faulty.guarded.head(SOURCE),
    "ListObjectsV2": lambda faulty: faulty.guarded.list_page(""),
    "DeleteObject": _delete,
    "DeleteObjects": _delete_many,
    "HeadBucket": lambda faulty: faulty.guarded.probe(),
    "CreateMultipartUpload": lambda faulty: faulty.guarded.create_upload(NAME, PLAIN),
    "AbortMultipartUpload": lambda faulty: faulty.guarded.abort_upload(
        TARGET, faulty.upload_id
    ),
    "ListParts": lambda faulty: faulty.guarded.list_parts(TARGET, faulty.upload_id),
    "ListMultipartUploads": lambda faulty: faulty.guarded.list_uploads(""),
    "UploadPart": lambda faulty: faulty.guarded.upload_part(
        TARGET, faulty.upload_id, 2, BytesSource(BODY)
    ),
    "CompleteMultipartUpload": lambda faulty: faulty.guarded.complete_upload(
        TARGET, faulty.upload_id, [faulty.part]
    ),
    "CopyObject": lambda faulty: faulty.guarded.copy(SOURCE, TARGET, PLAIN),
    "UploadPartCopy": lambda faulty: faulty.guarded.copy_part(
        SOURCE, None, TARGET, faulty.upload_id, 2
    ),
}
every_call = pytest.mark.parametrize("operation", CALLS)
WITH_DOCUMENT = (
    "ListObjectsV2",
    "DeleteObjects",
    "CreateMultipartUpload",
    "ListParts",
    "ListMultipartUploads",
    "CompleteMultipartUpload",
    "CopyObject",
    "UploadPartCopy",
)
BODILESS = {"DeleteObject", "AbortMultipartUpload", "HeadBucket"}
OF_BYTES = ("GetObject", "GetObject of a range")
WITHOUT_BODY = sorted(CALLS.keys() - {*WITH_DOCUMENT, *OF_BYTES})


@asynccontextmanager
async def open_faulty() -> AsyncIterator[Faulty]:
    """Open a provider that holds a blob and an upload with one part."""
    clock, name = TrioClock(), BackendName("near")
    meter = CallMeter(UsageCounters([name], clock).of(name))
    async with open_provider(meter) as provider:
        breaker = CircuitBreaker(failure_threshold=1, open_timeout_s=LONG_S)
        observer = RecordingObserver()
        guarded = Guarded(
            provider.backend,
            meter=meter,
            breaker=breaker,
            limits=BackendLimits(),
            observer=observer,
            clock=clock,
            entropy=SeededEntropy(0, "faulty"),
            backend_timeout_s=TIMEOUT_S,
        )
        faulty = Faulty(
            provider=provider, guarded=guarded, breaker=breaker, observer=observer
        )
        await guarded.put(SOURCE, BytesSource(BODY), PLAIN)
        await guarded.delete([name_of("asks whether versions are kept")])
        faulty.upload_id = await guarded.create_upload(TARGET, PLAIN)
        receipt = await guarded.upload_part(
            TARGET, faulty.upload_id, 1, BytesSource(b"x")
        )
        faulty.part = (1, receipt.etag)
        observer.clear()
        yield faulty
        assert 1 == len(observer.of(BackendCalled)), "each call is told of once"
        faulty.check_clean()


@every_call
async def test_call_without_a_fault_succeeds(operation: str) -> None:
    """Else the errors below would prove nothing."""
    async with open_faulty() as faulty:
        await faulty.call(operation)

        assert BreakerState.CLOSED is faulty.breaker.state
        assert 1 <= faulty.provider.server.count(operation.partition(" ")[0])


@every_call
async def test_throttling_tells_for_how_long(operation: str) -> None:
    """A 503 says that the provider had begun, perhaps; a HEAD's says nothing more."""
    async with open_faulty() as faulty:
        error = await faulty.fail(operation, S3Fault.SLOW_DOWN)

        assert isinstance(error, BackendThrottled)
        assert (7.0, False) == (error.retry_after_s, error.is_definite)
        assert BreakerState.OPEN is faulty.breaker.state


@pytest.mark.parametrize("operation", ["PutObject", "UploadPart"])
async def test_reset_within_the_body_is_ambiguous(operation: str) -> None:
    """A kept connection may have been stale, so a new one is tried, once."""
    async with open_faulty() as faulty:
        server = faulty.provider.server
        server.plant(operation, S3Fault.RESET_REQUEST)
        before = server.count(operation)
        error = await faulty.fail(operation, S3Fault.RESET_REQUEST)

        assert isinstance(error, BackendUnreachable)
        assert not error.is_definite
        assert before + 2 == server.count(operation)
        assert BreakerState.OPEN is faulty.breaker.state
        assert server.bucket.find(NAME) is None
        assert [1] == list(server.bucket.uploads[faulty.upload_id].parts)


@pytest.mark.parametrize("operation", ["PutObject", "UploadPart"])
async def test_reset_within_the_body_on_a_kept_connection_is_healed(
    operation: str,
) -> None:
    """The client's bytes are sent again, all of them."""
    async with open_faulty() as faulty:
        assert await faulty.fail(operation, S3Fault.RESET_REQUEST) is FINE

        assert BreakerState.CLOSED is faulty.breaker.state
        assert BODY == faulty.provider.server.requests[-1][1].body


@every_call
async def test_reset_within_the_answer_is_ambiguous(
    operation: str, autojump_clock: MockClock
) -> None:
    """The work was done, so the caller must not take it for undone."""
    async with open_faulty() as faulty:
        error = await faulty.fail(operation, S3Fault.RESET_ANSWER)

        assert isinstance(error, BackendUnreachable)
        assert not error.is_definite
        assert BreakerState.OPEN is faulty.breaker.state


@pytest.mark.parametrize("operation", WITH_DOCUMENT)
async def test_error_within_a_success_is_an_error(operation: str) -> None:
    """Copy and Complete answer 200 before they know; nothing is there then."""
    async with open_faulty() as faulty:
        error = await faulty.fail(operation, S3Fault.ERROR_IN_200)

        assert isinstance(error, BackendRefused)
        assert ("InternalError", False) == (error.code, error.is_definite)
        assert BreakerState.OPEN is faulty.breaker.state
        assert faulty.provider.server.bucket.find(TARGET) is None


@pytest.mark.parametrize("operation", [*OF_BYTES, *WITH_DOCUMENT])
async def test_slow_answer_that_moves_is_waited_for(
    operation: str, autojump_clock: MockClock
) -> None:
    """There is a bound on silence, none on slowness, until a document is endless."""
    async with open_faulty() as faulty:
        faulty.provider.server.drop_bytes = 100_000 if operation in OF_BYTES else 200
        assert await faulty.fail(operation, S3Fault.SLOW_DRIP) is FINE

        assert BreakerState.CLOSED is faulty.breaker.state


@pytest.mark.parametrize("operation", WITHOUT_BODY)
async def test_slow_head_is_waited_for_as_long_as_for_a_silent_one(
    operation: str, autojump_clock: MockClock
) -> None:
    """A head is whole within the timeout, or a provider could hold us for hours."""
    clock = TrioClock()
    async with open_faulty() as faulty:
        server = faulty.provider.server
        server.drop_bytes, server.drop_s = 1, 7.0
        began_s = clock.monotonic_s()
        error = await faulty.fail(operation, S3Fault.SLOW_DRIP)

        assert isinstance(error, BackendTimeout)
        assert not error.is_definite
        assert TIMEOUT_S <= clock.monotonic_s() - began_s <= 1.2 * TIMEOUT_S
        assert BreakerState.OPEN is faulty.breaker.state


@pytest.mark.parametrize("operation", WITHOUT_BODY)
async def test_head_that_comes_in_drops_is_read(
    operation: str, autojump_clock: MockClock
) -> None:
    """Slow is not broken."""
    async with open_faulty() as faulty:
        server = faulty.provider.server
        server.drop_bytes, server.drop_s = 1, 0.05
        assert await faulty.fail(operation, S3Fault.SLOW_DRIP) is FINE

        assert BreakerState.CLOSED is faulty.breaker.state


@every_call
async def test_silence_ends_after_the_timeout(
    operation: str, autojump_clock: MockClock
) -> None:
    """Nobody waits for ever, and what was done in silence is unknown."""
    clock = TrioClock()
    async with open_faulty() as faulty:
        began_s = clock.monotonic_s()
        error = await faulty.fail(operation, S3Fault.SILENCE)

        assert isinstance(error, BackendTimeout)
        assert not error.is_definite
        assert TIMEOUT_S <= clock.monotonic_s() - began_s <= 1.2 * TIMEOUT_S
        assert BreakerState.OPEN is faulty.breaker.state


@pytest.mark.parametrize("operation", ["PutObject", "UploadPart"])
async def test_wrong_etag_is_handed_on_as_a_proof_that_fails(operation: str) -> None:
    """The floor above compares it with the MD5 of what was sent."""
    async with open_faulty() as faulty:
        faulty.plant(operation, S3Fault.WRONG_ETAG)
        receipt = await faulty.call(operation)

        assert getattr(receipt, "etag_is_md5", None) is True
        assert "f" * 32 == getattr(receipt, "etag", None)


@pytest.mark.parametrize("operation", ["CopyObject", "UploadPartCopy"])
async def test_wrong_etag_of_a_copy_is_handed_on(operation: str) -> None:
    """A copy is compared like a write."""
    async with open_faulty() as faulty:
        faulty.provider.server.plant(operation, S3Fault.WRONG_ETAG)

        assert "f" * 32 == getattr(await faulty.call(operation), "etag", None)


async def test_listing_that_lags_is_believed_as_a_listing_only() -> None:
    """What it leaves out is still read; nobody may conclude that it is gone."""
    async with open_faulty() as faulty:
        await faulty.provider.backend.put(NAME, BytesSource(b"new"), PLAIN)
        faulty.provider.server.plant("ListObjectsV2", S3Fault.STALE_LIST)
        page = await faulty.guarded.list_page("")

        assert [SOURCE] == [blob.name for blob in page.blobs]
        assert 3 == (await faulty.provider.backend.head(NAME)).stored_bytes
        assert BreakerState.CLOSED is faulty.breaker.state


@pytest.mark.parametrize("operation", [*OF_BYTES, "HeadObject", "CopyObject"])
async def test_blob_not_found_after_its_put_is_missing_for_now(operation: str) -> None:
    """The provider is well; that one copy is not there, and the next call finds it."""
    async with open_faulty() as faulty:
        error = await faulty.fail(operation, S3Fault.NOT_FOUND)

        assert isinstance(error, BlobMissing)
        assert SOURCE == error.storage_key
        assert BreakerState.CLOSED is faulty.breaker.state
        assert len(BODY) == (await faulty.provider.backend.head(SOURCE)).stored_bytes


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        *(
            (operation, fault)
            for operation in ("UploadPart", "CompleteMultipartUpload", "ListParts")
            for fault in (S3Fault.NOT_FOUND, S3Fault.NO_UPLOAD)
        ),
        ("UploadPartCopy", S3Fault.NO_UPLOAD),
    ],
)
async def test_upload_not_found_after_its_create_is_missing(
    operation: str, fault: S3Fault
) -> None:
    """Of a Complete it is not known whether an earlier one had succeeded."""
    async with open_faulty() as faulty:
        error = await faulty.fail(operation, fault)

        assert isinstance(error, UploadMissing)
        assert (operation != "CompleteMultipartUpload") == error.is_definite
        assert BreakerState.CLOSED is faulty.breaker.state


@pytest.mark.parametrize("fault", [S3Fault.NOT_FOUND, S3Fault.NO_UPLOAD])
async def test_abort_of_an_upload_not_found_counts_as_done(fault: S3Fault) -> None:
    """The sweep lists uploads until none is left, so one that is still there is met."""
    async with open_faulty() as faulty:
        assert await faulty.fail("AbortMultipartUpload", fault) is FINE

        page = await faulty.provider.backend.list_uploads("")
        assert [faulty.upload_id] == [one.upload_id for one in page.uploads]


@pytest.mark.parametrize("operation", ["HeadBucket", "ListObjectsV2"])
async def test_bucket_not_found_is_a_refusal(operation: str) -> None:
    """No blob counts as lost because of it."""
    async with open_faulty() as faulty:
        error = await faulty.fail(operation, S3Fault.NOT_FOUND)

        assert isinstance(error, BackendRefused), error
        assert 404 == error.status
        assert BreakerState.OPEN is faulty.breaker.state


async def test_created_upload_whose_answer_was_lost_is_found_by_the_listing() -> None:
    """Nobody knows its id, so the sweep must be able to see it."""
    async with open_faulty() as faulty:
        error = await faulty.fail("CreateMultipartUpload", S3Fault.NO_LENGTH)

        assert isinstance(error, BackendProtocolError)
        page = await faulty.provider.backend.list_uploads("")
        assert [NAME] == [one.name for one in page.uploads if one.name != TARGET]


@every_call
@pytest.mark.parametrize("fault", [S3Fault.REDIRECT_301, S3Fault.REDIRECT_307])
async def test_redirect_is_not_followed(operation: str, fault: S3Fault) -> None:
    """A signed request must not be sent to a host that an answer names."""
    async with open_faulty() as faulty:
        error = await faulty.fail(operation, fault)

        assert isinstance(error, BackendRefused)
        assert (int(fault.value), False) == (error.status, error.is_definite)
        assert BreakerState.OPEN is faulty.breaker.state
        # check_clean() sees that nobody else was called


@pytest.mark.parametrize("operation", sorted(CALLS.keys() - BODILESS))
async def test_answer_without_a_length_is_not_believed(operation: str) -> None:
    """What ends with its connection could be cut anywhere."""
    async with open_faulty() as faulty:
        error = await faulty.fail(operation, S3Fault.NO_LENGTH)

        assert isinstance(error, BackendProtocolError)
        assert not error.is_definite
        assert BreakerState.OPEN is faulty.breaker.state
